"""Let the grader know which system calls a process and its children are refused.

The host sends two filters of system calls (classic BPF) through a socket. This process installs the first one together
with a listener, and sends the listener back. Without a listener, it installs the second one. It must have a single
thread, and its code must be the grader's own: everything that it runs later is filtered.
"""

import array
import ctypes
import os
import socket

__all__ = ["FilterProgram", "hand_over", "install_filter"]

_NUMBERS = {"x86_64": 317, "aarch64": 277}
"""Machine → number of the system call `seccomp`, for which the C library has no function."""
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _MODE_FILTER = 22, 38, 2
_SET_MODE_FILTER, _NEW_LISTENER = 1, 8
_STEP_BYTES = 8
_MOST_BYTES = 1 << 16

_libc = ctypes.CDLL(None, use_errno=True)
# Look these up now, since only the sandbox's files are visible later.
_syscall, _prctl = _libc.syscall, _libc.prctl


class FilterProgram(ctypes.Structure):
    """`struct sock_fprog` of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def install_filter(steps: bytes) -> None:
    """Filter every system call from now on; children inherit the filter.

    Args:
        steps: The program.

    Raises:
        OSError: Linux does not accept it.
    """
    _forbid_new_privileges()
    if _prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(_program(steps)), 0, 0) != 0:
        _raise()


def hand_over(descriptor: int) -> None:
    """Install a filter, and send its listener to the host.

    Args:
        descriptor: The socket (`SOCK_SEQPACKET`), which is closed.

    Raises:
        OSError: No filter could be installed.
        ValueError: The host sent no filter.
    """
    with socket.socket(fileno=descriptor) as channel:
        reported, plain = channel.recv(_MOST_BYTES), channel.recv(_MOST_BYTES)
        if not (reported and plain):
            msg = "no filter of system calls arrived"
            raise ValueError(msg)
        listener = _listen(reported)
        if listener is None:
            install_filter(plain)
            return
        numbers = array.array("i", [listener])
        channel.sendmsg([b"listener"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers.tobytes())])
        os.close(listener)


def _listen(steps: bytes) -> int | None:
    """Install a filter with a listener; return its descriptor, or None if that is impossible here."""
    number = _NUMBERS.get(os.uname().machine)
    if number is None:
        return None
    _forbid_new_privileges()
    arguments = (_SET_MODE_FILTER, _NEW_LISTENER)
    listener: int = _syscall(ctypes.c_long(number), *map(ctypes.c_ulong, arguments), ctypes.byref(_program(steps)))
    return None if listener < 0 else listener


def _program(steps: bytes) -> FilterProgram:
    return FilterProgram(len(steps) // _STEP_BYTES, steps)


def _forbid_new_privileges() -> None:
    if _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        _raise()


def _raise() -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))

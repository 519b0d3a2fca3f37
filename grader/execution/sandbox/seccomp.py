"""A seccomp filter for bubblewrap, against system calls that no notebook needs and that could attack the host.

A denied call fails with an error, as without the permission; the process is not killed. Allowed calls are not slower,
since Linux caches which calls a filter always allows.

The filter is a classic BPF program over `struct seccomp_data` (Linux, `userspace-api/seccomp_filter.rst`): the number
of the call at offset 0, the architecture at 4, the arguments from 16 on, eight bytes each.
"""

import errno
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["DENIED", "FAMILIES", "filter_path", "filter_program"]

DENIED: Mapping[str, tuple[int | None, int | None]] = {
    # Memory and files of other processes.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # Namespaces, in which a user would have root's privileges; mounts.
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    # Large parts of the kernel with many past vulnerabilities.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "modify_ldt": (154, None),
    # Not separated by namespaces: the grader's user's keys, and the kernel's log.
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "syslog": (103, 116),
    # Memory that cannot be measured, or that outlives its process.
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
}
"""System call → its number on x86_64 and on aarch64 (None if the machine does not have it)."""
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
"""Allowed socket families; others, such as AF_VSOCK, would bypass the network namespace."""

_CLONE3 = 435
_NAMESPACE_FLAGS = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET."""
_TERMINAL_INPUT = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX, which insert text into a terminal's input."""
_SOL_SOCKET = 1
_BUFFER_SIZES = (7, 8)
"""SO_SNDBUF and SO_RCVBUF, which enlarge memory that belongs to no process."""
_X32 = 0x40000000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000


@dataclass(frozen=True, slots=True)
class _Machine:
    audit: int
    """AUDIT_ARCH_… of linux/audit.h."""
    column: int
    """Index of this machine's number in `DENIED`."""
    clone: int
    socket: int
    ioctl: int
    setsockopt: int


_MACHINES = {
    "x86_64": _Machine(0xC000003E, 0, clone=56, socket=41, ioctl=16, setsockopt=54),
    "aarch64": _Machine(0xC00000B7, 1, clone=220, socket=198, ioctl=29, setsockopt=208),
}


def filter_program(machine: str) -> bytes | None:
    """Assemble the filter.

    Args:
        machine: The value of `os.uname().machine`.

    Returns:
        The program's instructions, 8 bytes each; None for a machine that is not in `_MACHINES`.
    """
    numbers_of = _MACHINES.get(machine)
    if numbers_of is None:
        return None
    steps = [
        *_load(4),
        *_unless_equal(numbers_of.audit, errno.ENOSYS),
        *_load(0),
        *([*_when(_AT_LEAST, _X32, errno.ENOSYS)] if machine == "x86_64" else []),
        # The C library then uses `clone`, whose flags the filter can read.
        *_when(_EQUAL, _CLONE3, errno.ENOSYS),
    ]
    for numbers in DENIED.values():
        number = numbers[numbers_of.column]
        if number is not None:
            steps += _when(_EQUAL, number, errno.EPERM)
    steps += _for_call(numbers_of.clone, [*_load(16), *_when(_ANY_BIT, _NAMESPACE_FLAGS, errno.EPERM)])
    families = [_step(_EQUAL, family, len(FAMILIES) - place, 0) for place, family in enumerate(FAMILIES.values())]
    steps += _for_call(numbers_of.socket, [*_load(16), *families, _step(_RETURN, _ERROR | errno.EAFNOSUPPORT)])
    typing = [step for number in _TERMINAL_INPUT for step in _when(_EQUAL, number, errno.EPERM)]
    steps += _for_call(numbers_of.ioctl, [*_load(24), *typing])
    # These options succeed without an effect, since programs set them only to be faster.
    sizing = [step for option in _BUFFER_SIZES for step in _when(_EQUAL, option, 0)]
    sizing = [*_load(32), *sizing]
    steps += _for_call(numbers_of.setsockopt, [*_load(24), _step(_EQUAL, _SOL_SOCKET, 0, len(sizing)), *sizing])
    return b"".join([*steps, _step(_RETURN, _ALLOW)])


def filter_path() -> str | None:
    """Return the path of a file with this machine's filter, valid while this process lives; None if there is none."""
    descriptor = _filter_file()
    return None if descriptor is None else f"/proc/{os.getpid()}/fd/{descriptor}"


@lru_cache(maxsize=1)
def _filter_file() -> int | None:
    program = filter_program(os.uname().machine)
    if program is None:
        return None
    # In memory, so that no other user can replace the file and none is left over.
    descriptor = os.memfd_create("grader-filter")
    os.write(descriptor, program)
    return descriptor


def _step(code: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, when_true, when_false, value)


def _load(offset: int) -> list[bytes]:
    """Load a word of the call's data; for an argument the lower half, which comes first on these machines."""
    return [_step(_LOAD, offset)]


def _when(test: int, value: int, number: int) -> list[bytes]:
    """Return an error if the loaded word passes a test."""
    return [_step(test, value, 0, 1), _step(_RETURN, _ERROR | number)]


def _unless_equal(value: int, number: int) -> list[bytes]:
    return [_step(_EQUAL, value, 1, 0), _step(_RETURN, _ERROR | number)]


def _for_call(number: int, steps: list[bytes]) -> list[bytes]:
    """Run steps for one call only, and allow it if no step returned; skip the steps for all other calls."""
    body = [*steps, _step(_RETURN, _ALLOW)]
    return [_step(_EQUAL, number, 0, len(body)), *body]

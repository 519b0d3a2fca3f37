"""A seccomp filter that allows a sandbox the system calls of `facts/system_calls.tsv`, and refuses all others.

A refused call fails with an error; the process is not killed. The error is EPERM for a call of the table, as without
the permission, and ENOSYS for a call that the table does not have, as in a Linux without it, so that libraries use
another one. Allowed calls cost little, since Linux caches which calls a filter always allows.

A filter is a classic BPF program over `struct seccomp_data` (Linux, `userspace-api/seccomp_filter.rst`): the number
of the call at offset 0, the architecture at 4, the arguments from 16 on, eight bytes each.

There are three forms of the filter (`Form`). `plain` answers refused calls itself. For a notebook's kernel the grader
wants to know which calls were refused, so Linux asks the grader's listener (`refusals.py`). The process that starts the
kernel installs the form `reported` with the listener, on top of the form `beneath`, which bubblewrap installed. Linux
refuses a call with ENOSYS if no listener answers. A listener of the notebook could allow any call, so `reported` and
`plain` refuse to install one.
"""

import errno
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Literal

from grader.facts.system_calls import MACHINES, system_calls

__all__ = ["FAMILIES", "Form", "can_report", "error_of", "filter_path", "filter_program", "kernel_filters"]

Form = Literal["plain", "reported", "beneath"]
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
"""Allowed socket families; others, such as AF_VSOCK, would bypass the network namespace."""

_ACTIONS = Path("/proc/sys/kernel/seccomp/actions_avail")
_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH_… of linux/audit.h."""
_NAMESPACE_FLAGS = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET."""
_NEW_LISTENER = 0x8
"""SECCOMP_FILTER_FLAG_NEW_LISTENER."""
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
"""Linux, 32 bits, an old version number, both, and a question for the current mode."""
_TERMINAL_INPUT = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX, which insert text into a terminal's input."""
_SOL_SOCKET = 1
_BUFFER_SIZES = (7, 8)
"""SO_SNDBUF and SO_RCVBUF, which enlarge memory that belongs to no process."""
_X32 = 0x40000000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERROR, _REPORT = 0x7FFF0000, 0x00050000, 0x7FC00000
_LONGEST_JUMP = 255


@dataclass(frozen=True, slots=True)
class _Range:
    """Numbers of calls with the same answer, up to the next range."""

    start: int
    answer: int


@cache
def filter_program(machine: str, allowed: tuple[str, ...] = (), form: Form = "plain") -> bytes | None:
    """Assemble the filter.

    Args:
        machine: The value of `os.uname().machine`.
        allowed: Names of calls to allow in addition to those that are always allowed.
        form: See above.

    Returns:
        The program's instructions, 8 bytes each; None for a machine that is not in `MACHINES`.
    """
    if machine not in MACHINES:
        return None
    steps = [
        *_load(4),
        _step(_EQUAL, _AUDIT[machine], 1, 0),
        _step(_RETURN, _ERROR | errno.ENOSYS),
        *_load(0),
        *([*_when(_AT_LEAST, _X32, _ERROR | errno.ENOSYS)] if machine == "x86_64" else []),
        *_checks_of_arguments(machine, form),
        *_search(_ranges(machine, allowed, form)),
    ]
    return b"".join(steps)


def error_of(number: int, machine: str) -> int:
    """Return the number of the error for a refused call; EPERM for an allowed call with forbidden arguments."""
    answers = {call.numbers[machine]: call.answer for call in system_calls().values() if machine in call.numbers}
    return errno.ENOSYS if answers.get(number, "ENOSYS") == "ENOSYS" else errno.EPERM


def filter_path(allowed: tuple[str, ...] = (), form: Form = "plain") -> str | None:
    """Return the path of a file with this machine's filter, valid while this process lives; None if there is none."""
    descriptor = _filter_file(allowed, form)
    return None if descriptor is None else f"/proc/{os.getpid()}/fd/{descriptor}"


@cache
def _filter_file(allowed: tuple[str, ...], form: Form) -> int | None:
    program = filter_program(os.uname().machine, allowed, form)
    if program is None:
        return None
    # In memory, so that no other user can replace the file and none is left over.
    descriptor = os.memfd_create("grader-filter")
    os.write(descriptor, program)
    return descriptor


def kernel_filters(allowed: tuple[str, ...]) -> tuple[bytes, bytes] | None:
    """Return the filters that a kernel installs: `reported`, and `plain` if it gets no listener; None if unknown."""
    machine = os.uname().machine
    reported, plain = filter_program(machine, allowed, "reported"), filter_program(machine, allowed)
    return (reported, plain) if reported and plain else None


@cache
def can_report() -> bool:
    """Whether this Linux can ask a listener about refused calls (Linux 5.0)."""
    try:
        return "user_notif" in _ACTIONS.read_text(encoding="ascii").split()
    except OSError:
        return False


def _checks_of_arguments(machine: str, form: Form) -> list[bytes]:
    """Check calls that are allowed with some arguments only."""
    refused = _ERROR | errno.EPERM if form == "plain" else _REPORT
    clone = [*_load(16), *_when(_ANY_BIT, _NAMESPACE_FLAGS, refused)]
    families = _one_of(tuple(FAMILIES.values()), _ERROR | errno.EAFNOSUPPORT)
    typing = [step for number in _TERMINAL_INPUT for step in _when(_EQUAL, number, refused)]
    # These options succeed without an effect, since programs set them only to be faster.
    sizing = [*_load(32), *(step for option in _BUFFER_SIZES for step in _when(_EQUAL, option, _ERROR))]
    listener = [] if form == "beneath" else _when(_ANY_BIT, _NEW_LISTENER, _ERROR | errno.EPERM)
    checks: Mapping[str, Sequence[bytes]] = {
        "clone": clone,
        "socket": [*_load(16), *families],
        "socketpair": [*_load(16), *families],
        "ioctl": [*_load(24), *typing],
        "setsockopt": [*_load(24), _step(_EQUAL, _SOL_SOCKET, 0, len(sizing)), *sizing],
        "seccomp": [*_load(24), *listener],
        "personality": [*_load(16), *_one_of(_PERSONALITIES, refused)],
        # A sandbox stays on its cores. This call, too, only makes programs faster.
        "sched_setaffinity": [_step(_RETURN, _ERROR)],
    }
    calls = system_calls()
    return [step for name, steps in checks.items() for step in _for_call(calls[name].numbers[machine], steps)]


def _ranges(machine: str, allowed: tuple[str, ...], form: Form) -> list[_Range]:
    """Give each number an answer, and join neighbors with the same answer."""
    answers: dict[int, int] = {}
    for call in system_calls().values():
        if machine not in call.numbers:
            continue
        if call.rule == "allowed" or (call.rule == "on request" and call.name in allowed):
            answer = _ALLOW
        elif form == "plain" or call.name == "clone3":
            # Every program calls `clone3` first, so this is not worth a report.
            answer = _ERROR | getattr(errno, call.answer)
        else:
            answer = _REPORT
        answers[call.numbers[machine]] = answer
    unknown = _ERROR | errno.ENOSYS if form == "plain" else _REPORT
    end = max(answers) + 1
    listed = [(number, answers.get(number, unknown)) for number in range(end)] + [(end, unknown)]
    return [_Range(next(group)[0], answer) for answer, group in groupby(listed, key=lambda pair: pair[1])]


def _search(ranges: Sequence[_Range]) -> list[bytes]:
    """Find the range of the loaded number by halving, and return its answer."""
    if len(ranges) == 1:
        return [_step(_RETURN, ranges[0].answer)]
    middle = len(ranges) // 2
    lower, upper = _search(ranges[:middle]), _search(ranges[middle:])
    return [_step(_AT_LEAST, ranges[middle].start, len(lower), 0), *lower, *upper]


def _step(code: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
    if max(when_true, when_false) > _LONGEST_JUMP:
        msg = f"a jump over {max(when_true, when_false)} instructions is too long"
        raise AssertionError(msg)
    return struct.pack("=HBBI", code, when_true, when_false, value)


def _load(offset: int) -> list[bytes]:
    """Load a word of the call's data; for an argument the lower half, which comes first on these machines."""
    return [_step(_LOAD, offset)]


def _when(test: int, value: int, answer: int) -> list[bytes]:
    """Return an answer if the loaded word passes a test."""
    return [_step(test, value, 0, 1), _step(_RETURN, answer)]


def _one_of(values: Sequence[int], answer: int) -> list[bytes]:
    """Return an answer unless the loaded word is one of the values."""
    return [
        *(_step(_EQUAL, value, len(values) - place, 0) for place, value in enumerate(values)),
        _step(_RETURN, answer),
    ]


def _for_call(number: int, steps: Sequence[bytes]) -> list[bytes]:
    """Run steps for one call only, and allow it if no step returned; skip the steps for all other calls."""
    body = [*steps, _step(_RETURN, _ALLOW)]
    return [_step(_EQUAL, number, 0, len(body)), *body]

"""Answers the system calls that a sandbox is refused, and counts them.

See `seccomp.py` for the filter. Linux stops a process that makes such a call, and asks the listener, which always
answers with an error. No answer of a listener is needed for safety: without one Linux refuses the call.
"""

import array
import errno
import fcntl
import os
import select
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader.execution.sandbox.isolation import passed_on
from grader.execution.sandbox.seccomp import error_of
from grader.facts.controls import replaced
from grader.facts.system_calls import system_calls
from grader.schema.message import Message, clauses, say, say_count

__all__ = ["HAND_OVER", "CallListener", "RefusedCall", "advise_student", "explain_refusals"]

HAND_OVER = "from inside import calls; calls.hand_over({descriptor}); "
"""Python code that a program starts with, so that a `CallListener` knows its refused calls."""

_RECEIVE, _SEND = 0xC0502100, 0xC0182101
"""SECCOMP_IOCTL_NOTIF_RECV and SECCOMP_IOCTL_NOTIF_SEND of linux/seccomp.h."""
_REQUEST = struct.Struct("=QIIiIQ6Q")
"""`struct seccomp_notif`: id, process, flags, number of the call, machine, instruction, arguments."""
_ANSWER = struct.Struct("=QqiI")
"""`struct seccomp_notif_resp`: id, result, error, flags."""
_MOST_CALLS = 2_000
"""Number of refused calls to answer; after that, Linux answers them, so that they cost the grader no time."""
_STARTS = 2
"""Times that a kernel may start: as a fork, and without one if the fork failed."""
_MOST_NAMES = 20
"""Number of different calls to report."""
_SHOWN = 5
_LONGEST_NAME = 50


@dataclass(slots=True)
class RefusedCall:
    """Refusals of one system call."""

    name: str
    """The call's name, or its number if the table does not have it."""
    program: str
    """Name of the process that made it first; the process chooses it."""
    cell: int | None
    """Index of the notebook's cell that ran at the first refusal; None before the first cell and in the predictor."""
    count: int = 0
    predictor: bool = False
    """Whether the predictor was refused the call, and not the notebook."""


@dataclass(slots=True)
class CallListener:
    """Answers the refused calls of one sandbox in a thread of its own.

    Call `close` at the end, or use it as a context.
    """

    programs: Sequence[bytes]
    """The filters to send: `reported`, then `plain`."""
    cell: Callable[[], int | None] = lambda: None
    """Returns the index of the running cell."""
    predictor: bool = False
    """Whether the sandbox is the predictor's."""
    calls: dict[str, RefusedCall] = field(default_factory=dict)
    """The refused calls by name, in the order of their first refusal."""
    listening: bool = field(default=False, init=False)
    """Whether the sandbox sent a listener."""
    theirs: socket.socket = field(init=False)
    """The sandbox's end of the socket; see `inside/calls.py`."""
    _ours: socket.socket = field(init=False)
    _stop: tuple[int, int] = field(init=False)
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        """Send the filters, and start to wait for the listener."""
        self._ours, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.theirs = socket.socket(fileno=passed_on(other.detach()))
        for program in [*self.programs] * _STARTS:
            self._ours.send(program)
        self._stop = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._serve, name="refused calls", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering; may be called more than once."""
        if not self._thread.is_alive() and self.theirs.fileno() == -1:
            return
        os.write(self._stop[1], b"x")
        self._thread.join()
        self.theirs.close()
        for descriptor in self._stop:
            os.close(descriptor)

    def _serve(self) -> None:
        with self._ours:
            while (listener := self._receive()) is not None:
                self.listening = True
                try:
                    self._answer_all(listener)
                finally:
                    os.close(listener)

    def _answer_all(self, listener: int) -> None:
        """Answer until the last process of the sandbox has ended."""
        for _ in range(_MOST_CALLS):
            if not (self._wait(listener) and self._answer(listener)):
                return

    def _receive(self) -> int | None:
        """Wait for the listener's descriptor; None if this object was closed, or if the sandbox sent none."""
        if not self._wait(self._ours.fileno()):
            return None
        _, ancillary, _, _ = self._ours.recvmsg(64, socket.CMSG_SPACE(4), socket.MSG_CMSG_CLOEXEC)
        numbers = array.array("i")
        for _level, kind, data in ancillary:
            if kind == socket.SCM_RIGHTS:
                numbers.frombytes(data[: numbers.itemsize])
        return numbers[0] if numbers else None

    def _wait(self, descriptor: int) -> bool:
        """Wait for a descriptor; return False at the end of its other side, or if this listener was closed."""
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.register(self._stop[0], select.POLLIN)
        ready = dict(poll.poll())
        return self._stop[0] not in ready and bool(ready.get(descriptor, 0) & select.POLLIN)

    def _answer(self, listener: int) -> bool:
        """Answer one call; return False if nothing more can be answered."""
        request = bytearray(_REQUEST.size)
        try:
            fcntl.ioctl(listener, _RECEIVE, request)
            identity, pid, _, number, *_ = _REQUEST.unpack(request)
            self._count(number, pid)
            answer = _ANSWER.pack(identity, 0, -error_of(number, os.uname().machine), 0)
            fcntl.ioctl(listener, _SEND, bytearray(answer))
        except OSError as error:
            # The process has ended.
            return error.errno in {errno.ENOENT, errno.EINTR}
        return True

    def _count(self, number: int, pid: int) -> None:
        name = _name_of(number)
        if name not in self.calls:
            if len(self.calls) >= _MOST_NAMES:
                return
            self.calls[name] = RefusedCall(name, _program_of(pid), self.cell(), predictor=self.predictor)
        self.calls[name].count += 1


def explain_refusals(calls: Sequence[RefusedCall]) -> list[Message]:
    """Explain which calls were refused, and what a rubric can do about it; calls of several sandboxes are added up."""
    calls = _added_up(calls)
    others = [call.name for call in calls[_SHOWN:]]
    more = [say("the sandbox also refused the system calls {names:list}", names=others)] if others else []
    return [*map(_explain, calls[:_SHOWN]), *more]


def advise_student(call: RefusedCall) -> Message:
    """Advise the student whose cell failed after a refused call."""
    return say(
        "The sandbox refused the system call {call:code}. Use a way that does not need it, or ask your instructor.",
        call=call.name,
    )


def _added_up(calls: Sequence[RefusedCall]) -> list[RefusedCall]:
    added: dict[tuple[str, bool], RefusedCall] = {}
    for call in calls:
        key = call.name, call.predictor
        added[key] = replace(added[key], count=added[key].count + call.count) if key in added else call
    return [*added.values()]


def _explain(call: RefusedCall) -> Message:
    refused = say_count(
        "the sandbox refused the system call {call:code} of the program {program:code} ({place})",
        "the sandbox refused the system call {call:code} of the program {program:code} {count:number} times "
        "(first: {place})",
        call.count,
        call=call.name,
        program=call.program,
        place=_place(call),
    )
    return clauses(refused, _remedy(call))


def _place(call: RefusedCall) -> Message:
    if call.predictor:
        return say("in the predictor")
    return say("before the first cell") if call.cell is None else say("{cell:cell}", cell=call.cell)


def _remedy(call: RefusedCall) -> Message:
    name, known = call.name, system_calls().get(call.name)
    if known is None:
        return say("this version of the grader does not know it")
    if known.rule == "allowed":
        return say("it is allowed, but not with these arguments")
    if call.predictor:
        return say("a saved model or a library made it, since no code of the notebook runs there")
    if known.rule == "never":
        return say("no rubric can allow it, because it could harm the machine")
    return say(
        "if the assignment needs it, the rubric can allow it: {setting:code}",
        setting=f"run: {{allow_system_calls: [{name}]}}",
    )


def _name_of(number: int) -> str:
    machine = os.uname().machine
    names = (call.name for call in system_calls().values() if call.numbers.get(machine) == number)
    return next(names, str(number))


def _program_of(pid: int) -> str:
    """Return the name of a process; the listener is asked before the process goes on, so it still exists."""
    try:
        name = Path(f"/proc/{pid}/comm").read_bytes().decode(errors="replace").strip()
    except OSError:
        return "?"
    return replaced(name[:_LONGEST_NAME])

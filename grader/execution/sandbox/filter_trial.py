"""Try the filter of system calls in a real sandbox."""

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from grader.execution.sandbox.isolation import Isolation, ProcessLimits
from grader.execution.sandbox.layout import make_layout
from grader.execution.sandbox.processes import error_in_log, run_to_end
from grader.execution.sandbox.refusals import HAND_OVER, CallListener
from grader.execution.sandbox.scratch import scratch_folder
from grader.execution.sandbox.watchdog import Budget
from grader.facts.system_calls import MACHINES, system_calls
from grader.schema.errors import HarnessError

__all__ = ["FilterState", "FilterTrial", "try_filter"]

FilterState = Literal["works", "unreported", "missing", "open", "unknown"]
"""`works`: refused calls fail and are reported; `unreported`: they fail, but the grader does not learn of it;
`missing`: there is no filter for this machine; `open`: a call that is not allowed got through; `unknown`: the trial
failed."""
_CALL = "shmget"
"""A call that every user may make, unless a filter refuses it."""
_REFUSED, _OPEN = 41, 42
_PROGRAM = """\
{hand_over}
import ctypes, os
made = ctypes.CDLL(None).syscall(ctypes.c_long({number}), ctypes.c_long(0), ctypes.c_long(4096), ctypes.c_long(0o600))
os._exit({refused} if made < 0 else {open})
"""
_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class FilterTrial:
    """The result of a trial."""

    state: FilterState
    reason: str = ""
    """Reason for `unknown` and `missing`."""


def try_filter(isolation: Isolation, python: Path) -> FilterTrial:
    """Start a program that makes a call that is not allowed, in a sandbox as a notebook's.

    Args:
        isolation: The isolation.
        python: The Python to start.
    """
    machine = os.uname().machine
    if machine not in MACHINES:
        return FilterTrial("missing", f"there is none for {machine} processors")
    walls = isolation.for_run().for_notebook(())
    filters = walls.call_filters
    try:
        if filters is None:
            return _judged(*_run(walls, python, None), reported=False)
        with closing(CallListener(filters)) as listener:
            code, error = _run(walls, python, listener)
        return _judged(code, error, reported=_CALL in listener.calls)
    except (HarnessError, OSError) as error:
        return FilterTrial("unknown", f"the trial failed: {error}")


def _run(walls: Isolation, python: Path, listener: CallListener | None) -> tuple[int, str]:
    """Run the program; return its exit code and the last error in its log."""
    keep = () if listener is None else (listener.theirs.fileno(),)
    number = system_calls()[_CALL].numbers[os.uname().machine]
    hand_over = HAND_OVER.format(descriptor=keep[0]) if keep else ""
    program = _PROGRAM.format(hand_over=hand_over, number=number, refused=_REFUSED, open=_OPEN)
    with scratch_folder() as scratch:
        layout = make_layout(scratch / "trial", walls)
        for folder in (layout.code, layout.work, layout.out, layout.home, layout.tmp):
            walls.own(folder)
        finished = run_to_end(
            [str(python), "-c", program],
            isolation=walls,
            binds=layout.binds(python),
            env=layout.environment(python, {}),
            cwd=layout.inner("work"),
            limits=ProcessLimits(),
            budget=Budget(memory_bytes=1 << 29),
            timeout=_SECONDS,
            log=layout.log,
            keep=keep,
        )
        return finished.exit_code, error_in_log(layout.log)


def _judged(code: int, error: str, *, reported: bool) -> FilterTrial:
    if code == _OPEN:
        return FilterTrial("open")
    if code != _REFUSED:
        return FilterTrial("unknown", f"the trial ended with the exit code {code}" + (f": {error}" if error else ""))
    return FilterTrial("works" if reported else "unreported")

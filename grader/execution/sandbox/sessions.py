"""Share processor time between sandboxes, and not between the sessions of their programs.

With `sched_autogroup`, Linux gives each session the same share of the processors. A program that starts 40 sessions
would get 40 shares. So each session of a sandbox gets a lower priority, the more of them there are: all of them
together have about the share of one. A program can undo this for a moment; only control groups prevent that.
"""

import math
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

__all__ = ["priority_of", "share_out"]

_PROC = Path("/proc")

_STEP = 1.25
"""Ratio of the shares of two neighboring priorities."""
_LOWEST = 19
_WAITING = 2
"""Sessions of a sandbox in which only its own programs wait for its end."""


def priority_of(sessions: int) -> int:
    """Return the priority at which so many sessions have about the share of one, from 0 to 19."""
    return min(_LOWEST, round(math.log(max(sessions, 1), _STEP)))


def share_out(processes: Sequence[psutil.Process], proc: Path = _PROC) -> None:
    """Set the priority of each session of a sandbox; nothing happens on a machine without `sched_autogroup`.

    Args:
        processes: The process tree of the sandbox.
        proc: Folder with a folder for each process.
    """
    sessions: dict[int, int] = {}
    for process in processes:
        with suppress(OSError):
            sessions.setdefault(os.getsid(process.pid), process.pid)
    wanted = str(priority_of(len(sessions) - _WAITING))
    for pid in sessions.values():
        path = proc / str(pid) / "autogroup"
        with suppress(OSError):
            # The file is empty for a session that is as old as the machine: it has no group, so it has no share.
            current = path.read_text(encoding="ascii").split()
            if current and current[-1] != wanted:
                path.write_text(wanted, encoding="ascii")

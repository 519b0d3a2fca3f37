"""Watch the memory of the processes in a grader's sandboxes: notebooks' kernels and predictors.

A process is recognized by its working folder, which a fork of a warm process changes too. Files of /proc that cannot be
read count as unknown.
"""

import re
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil

__all__ = ["Peak", "Role", "SandboxMemory", "largest", "read_peak", "role_of"]

Role = Literal["kernel", "predictor"]
_KIB_PER_MIB = 1024
_FOLDERS: dict[str, Role] = {"/home/student/submission": "kernel", "/grader": "predictor"}
"""Working folders inside bubblewrap."""


@dataclass(frozen=True)
class Peak:
    """Maxima of a process's memory in MiB."""

    private: float | None
    """Memory that it shares with no process: a fork shares what it did not change. None if unknown."""
    resident: float | None
    """Memory including shared pages, by Linux's own maximum. None if unknown."""

    def merged(self, other: "Peak") -> "Peak":
        """Return the maxima of two observations."""
        return Peak(_larger(self.private, other.private), _larger(self.resident, other.resident))


def _descendants(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


@dataclass
class SandboxMemory:
    """The peaks of the sandboxed processes below a grader's process."""

    proc: Path = Path("/proc")
    below: Callable[[int], Iterable[int]] = _descendants
    peaks: dict[tuple[Role, int], Peak] = field(default_factory=dict)
    """Role and process id → peak."""

    def look(self, pid: int) -> None:
        """Look once at all processes below `pid`."""
        for one in self.below(pid):
            folder = self.proc / str(one)
            role = role_of(folder)
            if role is not None:
                peak = read_peak(folder)
                self.peaks[role, one] = self.peaks.get((role, one), peak).merged(peak)


def role_of(folder: Path) -> Role | None:
    """Return the role of a process by its folder in /proc; None for other processes, or if it is unknown."""
    try:
        return _FOLDERS.get(str((folder / "cwd").readlink()))
    except OSError:
        return None


def read_peak(folder: Path) -> Peak:
    """Read the private memory and the maximum resident memory of a process from its folder in /proc."""
    private = _kib(folder / "smaps_rollup", ("Private_Clean", "Private_Dirty"))
    resident = _kib(folder / "status", ("VmHWM",))
    return Peak(private, resident)


def largest(peaks: Iterable[float | None], count: int) -> float | None:
    """Return the median of the `count` largest known values, one for each submission; None if none is known.

    A sandbox also has small processes, such as a shell.
    """
    known = sorted((peak for peak in peaks if peak is not None), reverse=True)
    return statistics.median(known[:count]) if known else None


def _kib(path: Path, names: tuple[str, ...]) -> float | None:
    """Add up the values of some lines of a file in MiB; None if it cannot be read or has none of them."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    values = [int(value) for name, value in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE) if name in names]
    return sum(values) / _KIB_PER_MIB if values else None


def _larger(one: float | None, other: float | None) -> float | None:
    known = [value for value in (one, other) if value is not None]
    return max(known, default=None)

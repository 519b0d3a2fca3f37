"""Measures the CPU time that a sandbox got, and the CPU time that other programs of the machine took from it.

A limit in wall seconds is unfair on a busy machine. The scheduler counts how long each thread was ready and waited for
a core (`/proc/<pid>/task/<tid>/schedstat`). A sandbox with more busy threads than cores also waits for itself, so at
most the time that other programs used counts as lost to them. A program that sleeps loses nothing.
"""

import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

__all__ = ["CpuMeter", "Load", "pressure_total"]

_PRESSURE = Path("/proc/pressure/cpu")
_MOST_THREADS = 2_000
"""Reading more threads than this would itself load the machine."""
_CLEARLY_LESS = 0.8
"""A sandbox that got a smaller part of the CPU time that it could use was starved."""
_LEAST_LOST = 0.1
"""Lost CPU seconds per wall second below which a sandbox was not starved, however little CPU time it used."""


@dataclass(frozen=True, slots=True)
class Load:
    """CPU time of a sandbox over some time. None where it cannot be measured."""

    seconds: float
    """Wall time."""
    cores: int
    """Cores that the sandbox was promised."""
    cpu_seconds: float | None = None
    """CPU time of all its processes."""
    waited_seconds: float | None = None
    """Time that its threads waited for a core, added up."""
    others_seconds: float | None = None
    """CPU time of all other programs of the machine, and of other virtual machines on the same cores."""
    pressure: float | None = None
    """Fraction of the time in which some thread of the machine waited for a core (PSI)."""

    @property
    def lost_seconds(self) -> float:
        """CPU time that other programs took from the sandbox, within the cores that it was promised."""
        if self.cpu_seconds is None or self.waited_seconds is None or self.others_seconds is None:
            return 0.0
        room = max(0.0, self.cores * self.seconds - self.cpu_seconds)
        return max(0.0, min(self.waited_seconds, self.others_seconds, room))

    @property
    def share(self) -> float | None:
        """Part of the CPU time that it could use and got, from 0 to 1; None if unknown."""
        if self.cpu_seconds is None or self.waited_seconds is None or self.others_seconds is None:
            return None
        wanted = self.cpu_seconds + self.lost_seconds
        return self.cpu_seconds / wanted if wanted > 0 else 1.0

    @property
    def starved(self) -> bool:
        """Whether the sandbox got clearly less CPU time than it was promised and could use."""
        share = self.share
        return share is not None and share < _CLEARLY_LESS and self.lost_seconds >= _LEAST_LOST * self.seconds

    @property
    def fair_seconds(self) -> float:
        """Wall time that the same work would have taken without other programs."""
        share = self.share
        return self.seconds if share is None or not self.starved else self.seconds * share


@dataclass(frozen=True, slots=True)
class _Mark:
    """The counters at one moment."""

    at: float
    own: float
    waited: float
    machine: float
    pressure: float | None


class CpuMeter:
    """Adds up the CPU time of a sandbox's processes. Several threads may use it."""

    def __init__(self, cores: int, *, visible: bool = True) -> None:
        """Start at this moment.

        Args:
            cores: Cores that the sandbox was promised.
            visible: Whether its processes are visible from here; those of a container are not.
        """
        self._cores = cores
        self._visible = visible
        self._lock = threading.Lock()
        self._own = 0.0
        self._waited = 0.0
        self._delays: dict[tuple[int, int], int] = {}
        self._schedules = Path("/proc/self/schedstat").exists()
        self._begun = self._mark()

    def sample(self, processes: Iterable[psutil.Process], *, waits: bool = True, used: float | None = None) -> None:
        """Read the counters of the sandbox's processes; one that has ended counts as of the last sample.

        Args:
            processes: All its processes.
            waits: Whether to read the waiting time, which is slower.
            used: CPU time that Linux counted for the whole sandbox; None if it did not.
        """
        listed = list(processes)
        own = 0.0
        for process in listed:
            with suppress(psutil.Error, OSError):
                times = process.cpu_times()
                own += times.user + times.system + times.children_user + times.children_system
        with self._lock:
            self._own = max(self._own, own, used or 0.0)
            if waits and self._schedules:
                self._add_waits([process.pid for process in listed])

    def restart(self) -> None:
        """Count from this moment, which follows a `sample`."""
        with self._lock:
            self._begun = self._mark()

    def load(self) -> Load:
        """Return the load since the start, as of the last sample."""
        with self._lock:
            begun, now = self._begun, self._mark()
        seconds = now.at - begun.at
        pressure = None
        if begun.pressure is not None and now.pressure is not None and seconds > 0:
            pressure = min(1.0, max(0.0, (now.pressure - begun.pressure) / seconds))
        if not self._visible:
            return Load(seconds, self._cores, pressure=pressure)
        own = now.own - begun.own
        return Load(
            seconds,
            self._cores,
            cpu_seconds=own,
            waited_seconds=now.waited - begun.waited if self._schedules else None,
            others_seconds=max(0.0, now.machine - begun.machine - own),
            pressure=pressure,
        )

    def _mark(self) -> _Mark:
        return _Mark(time.monotonic(), self._own, self._waited, _machine_seconds(), pressure_total())

    def _add_waits(self, pids: Iterable[int]) -> None:
        seen: dict[tuple[int, int], int] = {}
        for pid in pids:
            with suppress(OSError):
                for task in Path(f"/proc/{pid}/task").iterdir():
                    if len(seen) >= _MOST_THREADS:
                        return
                    with suppress(OSError, ValueError, IndexError):
                        delay = int((task / "schedstat").read_text(encoding="ascii").split()[1])
                        key = (pid, int(task.name))
                        seen[key] = delay
                        self._waited += max(0, delay - self._delays.get(key, 0)) / 1e9
        self._delays = seen


def pressure_total(source: Path = _PRESSURE) -> float | None:
    """Read the seconds in which some thread of the machine waited for a core; None if the kernel does not count them.

    Args:
        source: The kernel's file.
    """
    with suppress(OSError, ValueError, StopIteration):
        lines = source.read_text(encoding="ascii").splitlines()
        some = next(line for line in lines if line.startswith("some "))
        fields = dict(field.split("=", 1) for field in some.split()[1:])
        return int(fields["total"]) / 1e6
    return None


def _machine_seconds() -> float:
    """Add up the CPU time of all cores that is neither idle nor waiting for a disk, with time stolen by the host."""
    times = psutil.cpu_times()
    names = ("user", "nice", "system", "irq", "softirq", "steal")
    return float(sum(getattr(times, name, 0.0) for name in names))

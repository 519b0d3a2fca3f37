"""Confines a sandbox to its share of the machine: a control group where possible, and cores of its own.

Without a control group the watchdog measures memory and processes. Cores are reserved where several sandboxes run at
the same time, so that a program with many processes only slows itself down. A reservation is a socket without a file,
whose name one process of a machine can have at a time; Linux releases it when the grader ends, however it ends.
"""

import itertools
import os
import random
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from grader.execution.sandbox.cgroups import Counters, Delegation, GroupLimits, SandboxGroup, find_delegation
from grader.execution.sandbox.isolation import IsolationName, ProcessLimits

__all__ = ["Confinement", "Enforcement", "confine", "delegation", "reserve_cores"]

_MOST_THREADS = 2_000
"""Looking at more threads than this would itself load the machine."""
Enforcement = Literal["cgroup", "polled"]
"""How the limits of a sandbox are enforced: by Linux, or by measuring five times per second."""


@dataclass(slots=True)
class Confinement:
    """The share of one sandbox; release it after the sandbox's end."""

    limits: ProcessLimits
    group: SandboxGroup | None = None
    cores: frozenset[int] | None = None
    """Cores that its processes run on; None for all."""
    _reserved: list[socket.socket] = field(default_factory=list)

    def command(self, command: Sequence[str]) -> list[str]:
        """Make the command line that starts a command inside the group."""
        return list(command) if self.group is None else self.group.command(command)

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Let processes that this thread starts within the block run on the sandbox's cores."""
        if self.cores is None:
            yield
            return
        before = os.sched_getaffinity(0)
        with suppress(OSError):
            os.sched_setaffinity(0, self.cores)
        try:
            yield
        finally:
            with suppress(OSError):
                os.sched_setaffinity(0, before)

    def adopt(self, pid: int) -> None:
        """Confine a process with one thread, which was not started by `command`."""
        if self.group is not None:
            self.group.add(pid)
        if self.cores is not None:
            with suppress(OSError):
                os.sched_setaffinity(pid, self.cores)

    def hold(self, pids: Iterable[int]) -> None:
        """Move threads that left the sandbox's cores back to them, up to a number of threads."""
        if self.cores is None:
            return
        threads = itertools.chain.from_iterable(map(_threads, pids))
        for thread in itertools.islice(threads, _MOST_THREADS):
            with suppress(OSError):
                if os.sched_getaffinity(thread) != self.cores:
                    os.sched_setaffinity(thread, self.cores)

    @property
    def enforcement(self) -> Enforcement:
        """How its limits are enforced; call it while the sandbox runs."""
        return "cgroup" if self.group is not None and self.group.in_use else "polled"

    def counters(self) -> Counters:
        """Read what Linux counted for it; nothing without a group."""
        return Counters() if self.group is None else self.group.counters()

    def kill(self) -> None:
        """Kill every process of its group."""
        if self.group is not None:
            self.group.kill()

    def release(self) -> None:
        """Remove its group, and give its cores back."""
        if self.group is not None:
            self.group.remove()
            self.group = None
        for reserved in self._reserved:
            reserved.close()
        self._reserved.clear()


def _threads(pid: int) -> list[int]:
    with suppress(OSError), os.scandir(f"/proc/{pid}/task") as entries:
        return [int(entry.name) for entry in entries]
    return []


def confine(
    limits: ProcessLimits,
    isolation: IsolationName,
    find: Callable[[], Delegation | str] | None = None,
) -> Confinement:
    """Make the confinement of one sandbox. Whatever is not possible on this machine is left out.

    Args:
        limits: Its limits.
        isolation: A container has its engine's own confinement.
        find: Finds the delegated control groups; by default `delegation`.
    """
    if isolation == "container":
        return Confinement(limits)
    found = (find or delegation)()
    group = None
    if isinstance(found, Delegation):
        group = found.new_group(GroupLimits(limits.memory_bytes, limits.processes, limits.cores))
    cores, reserved = reserve_cores(limits.cores)
    return Confinement(limits, group, cores, reserved)


@lru_cache(maxsize=1)
def delegation() -> Delegation | str:
    """Find the control groups of this grader once, and remove those of graders that were killed."""
    found = find_delegation()
    if isinstance(found, Delegation):
        found.sweep()
    return found


def reserve_cores(number: int | None) -> tuple[frozenset[int] | None, list[socket.socket]]:
    """Reserve cores that no other sandbox of this user has reserved; if there are too few, choose the rest at random.

    Args:
        number: Number of cores; None for all.

    Returns:
        The cores, and what holds the reservation; None if all cores are meant.
    """
    usable = sorted(os.sched_getaffinity(0))
    if number is None or number >= len(usable):
        return None, []
    cores: set[int] = set()
    held: list[socket.socket] = []
    for core in usable:
        if len(cores) < number and (reservation := _reserve(core)) is not None:
            held.append(reservation)
            cores.add(core)
    rest = [core for core in usable if core not in cores]
    cores.update(random.SystemRandom().sample(rest, number - len(cores)))
    return frozenset(cores), held


def _reserve(core: int) -> socket.socket | None:
    reservation = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        reservation.bind(f"\0grader-core-{os.geteuid()}-{core}")
    except OSError:
        reservation.close()
        return None
    return reservation

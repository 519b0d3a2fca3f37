"""How many notebooks at a time, on which device each, with how many threads: decided once for a class.

The decision is pure; what the machine has is looked up apart from it.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import psutil

from grader.execution.sandbox.device import Device

__all__ = ["DeviceSlots", "Machine", "Share", "divide", "free_memory", "look_at_machine"]

_GIB = 1 << 30
_OWN_BYTES = _GIB // 2
"""For the grader itself and the operating system's haste."""
_WARM_BYTES = _GIB
"""For the imports that warm processes hold."""
_CORES_EACH = 2
"""A small network uses little more than two cores."""
_NO_LIMIT = 1 << 60
"""Control groups write a number beyond this where there is no limit."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to be shared."""

    cores: int
    memory_bytes: int
    """Free now."""
    devices: tuple[Device, ...] = (Device("cpu"),)
    """The CPU, or the GPUs."""


@dataclass(frozen=True, slots=True)
class Share:
    """Who gets what."""

    jobs: int
    threads: int
    """For each job."""
    devices: tuple[Device, ...]
    """One a job; jobs beyond the GPUs take turns on them."""
    notices: tuple[str, ...] = ()
    """What is otherwise than asked for, in words."""


def divide(
    machine: Machine, wanted: int | None, *, memory_each: int, submissions: int | None = None, warm: bool = False
) -> Share:
    """Divide a machine among jobs so that they neither fight for its cores nor run it out of memory.

    Args:
        machine: What there is.
        wanted: Jobs at a time; None decides by the machine: two cores a job, or one job a GPU.
        memory_each: Bytes that one notebook may use. Each is counted as if it used them all: a machine that runs out
            of memory kills somebody's notebook, and nobody knows whose fault that was.
        submissions: How many there are to do, where that is known; more jobs than that only take threads away.
        warm: Whether warm processes hold memory as well.
    """
    gpus = [device for device in machine.devices if device.kind == "gpu"]
    room = machine.memory_bytes - _OWN_BYTES - (_WARM_BYTES if warm else 0)
    fitting = max(1, room // memory_each)
    asked = wanted if wanted is not None else len(gpus) or max(1, machine.cores // _CORES_EACH)
    useful = asked if submissions is None else max(1, min(asked, submissions))
    jobs = min(useful, fitting)
    notices = []
    each, free = f"{memory_each / _GIB:.1f} GiB", f"{machine.memory_bytes / _GIB:.1f} GiB"
    if wanted is not None and jobs < useful:
        notices.append(
            f"{jobs} at the same time instead of {useful}: each notebook may use {each} of memory (`run.memory`), "
            f"and {free} are free"
        )
    if memory_each > room:
        notices.append(
            f"a notebook may use {each} of memory (`run.memory`), and {free} are free: one that takes more than there "
            "is may be killed by the machine, and is not graded then"
        )
    if gpus and jobs > len(gpus):
        notices.append(
            f"{jobs} notebooks share {len(gpus)} GPU{'s' * (len(gpus) > 1)}: one that finds its memory taken fails "
            "through no fault of its own; `--jobs auto` gives each a GPU of its own"
        )
    threads = max(1, machine.cores // jobs)
    devices = tuple(machine.devices[slot % len(machine.devices)] for slot in range(jobs))
    return Share(jobs, threads, devices, tuple(notices))


class DeviceSlots:
    """Lends each job a device; used by any number of threads."""

    def __init__(self, devices: tuple[Device, ...]) -> None:
        """Put the devices in a queue: as many jobs as there are entries run without waiting.

        Args:
            devices: One a job; the same one may be there several times.
        """
        self._free: SimpleQueue[Device] = SimpleQueue()
        for device in devices:
            self._free.put(device)

    @contextmanager
    def lend(self) -> Iterator[Device]:
        """Wait for a free device and give it back at the end."""
        device = self._free.get()
        try:
            yield device
        finally:
            self._free.put(device)


def look_at_machine(devices: tuple[Device, ...]) -> Machine:
    """Look up what this machine has, or what of it this process may use.

    Args:
        devices: Where notebooks may train.
    """
    return Machine(cores=len(os.sched_getaffinity(0)), memory_bytes=free_memory(), devices=devices)


def free_memory(
    *,
    available: Callable[[], int] = lambda: int(psutil.virtual_memory().available),
    groups: Path = Path("/sys/fs/cgroup"),
    own: Path = Path("/proc/self/cgroup"),
) -> int:
    """Return the bytes of memory that are free: of the machine, or below the limit of a control group of this process.

    Args:
        available: Bytes free on the machine.
        groups: Where control groups (version 2) are mounted.
        own: Where this process's group is named.
    """
    left = [available()]
    try:
        (line,) = [line for line in own.read_text(encoding="utf-8").splitlines() if line.startswith("0::")]
    except (OSError, ValueError):
        return left[0]
    folder = groups / line.removeprefix("0::").strip("/")
    for place in (folder, *folder.parents):
        if not place.is_relative_to(groups):
            break
        limit, used = _number(place / "memory.max"), _number(place / "memory.current")
        if limit is not None and used is not None and limit < _NO_LIMIT:
            cache = _inactive(place / "memory.stat")
            left.append(max(0, limit - used + cache))
    return min(left)


def _number(path: Path) -> int | None:
    """Read one number; None for `max`, or where there is none."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _inactive(path: Path) -> int:
    """Read how much of a group's memory is files that nobody looked at lately, which the kernel drops at need."""
    try:
        rows = dict(line.split() for line in path.read_text(encoding="ascii").splitlines())
        return int(rows.get("inactive_file", 0))
    except (OSError, ValueError):
        return 0

"""Decides how many notebooks of a class run in parallel, on which devices and with how many threads.

The decision is a pure function; another function looks up the machine's resources.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import psutil

from grader.execution.sandbox.device import Device
from grader.facts.language import english
from grader.schema.message import say_count

__all__ = ["DeviceSlots", "Machine", "Share", "divide", "free_memory", "look_at_machine"]

_GIB = 1 << 30
_OWN_BYTES = _GIB // 2
"""Memory reserved for the grader itself and the operating system."""
_WARM_BYTES = _GIB
"""Memory reserved for the imports of warm processes."""
_CORES_EACH = 2
"""A small model uses little more than two cores."""
_NO_LIMIT = 1 << 60
"""Control groups report a larger number than this if there is no limit."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Resources of a machine."""

    cores: int
    memory_bytes: int
    """Free memory."""
    devices: tuple[Device, ...] = (Device("cpu"),)
    """The CPU, or the GPUs."""


@dataclass(frozen=True, slots=True)
class Share:
    """Resources of each job."""

    jobs: int
    threads: int
    """Threads per job."""
    devices: tuple[Device, ...]
    """One device per job; if there are more jobs than GPUs, jobs share them."""
    notices: tuple[str, ...] = ()
    """Deviations from the user's wishes, and risks."""


def divide(
    machine: Machine, wanted: int | None, *, memory_each: int, submissions: int | None = None, warm: bool = False
) -> Share:
    """Divide a machine among jobs so that neither its cores nor its memory run short.

    Args:
        machine: The machine's resources.
        wanted: Number of parallel jobs; None decides by the machine: two cores per job, or one job per GPU.
        memory_each: Memory limit of one notebook in bytes. Each job is counted with the full limit: a machine without
            free memory kills any notebook, and it is unclear which one was at fault.
        submissions: Number of submissions, if known; more jobs than that would only reduce the threads of each.
        warm: Whether warm processes need memory as well.
    """
    gpus = [device for device in machine.devices if device.kind == "gpu"]
    room = machine.memory_bytes - _OWN_BYTES - (_WARM_BYTES if warm else 0)
    fitting = max(1, room // memory_each)
    requested = wanted if wanted is not None else len(gpus) or max(1, machine.cores // _CORES_EACH)
    useful = requested if submissions is None else max(1, min(requested, submissions))
    jobs = min(useful, fitting)
    notices = []
    each, free = f"{memory_each / _GIB:.1f} GiB", f"{machine.memory_bytes / _GIB:.1f} GiB"
    if wanted is not None and jobs < useful:
        notices.append(
            f"{jobs} at the same time instead of {useful}: each notebook may use {each} of memory (`run.memory`), "
            f"but only {free} are free"
        )
    if memory_each > room:
        notices.append(
            f"a notebook may use {each} of memory (`run.memory`), but only {free} are free: a notebook that uses more "
            "may be killed by the machine, and is then not graded"
        )
    if gpus and jobs > len(gpus):
        shared = say_count(
            "{jobs:number} notebooks share {count:number} GPU: a notebook fails if another one uses the GPU's memory; "
            "`--jobs auto` runs one notebook per GPU",
            "{jobs:number} notebooks share {count:number} GPUs: a notebook fails if another one uses its GPU's memory; "
            "`--jobs auto` runs one notebook per GPU",
            len(gpus),
            jobs=jobs,
        )
        notices.append(english(shared))
    threads = max(1, machine.cores // jobs)
    devices = tuple(machine.devices[slot % len(machine.devices)] for slot in range(jobs))
    return Share(jobs, threads, devices, tuple(notices))


class DeviceSlots:
    """Lends each job a device; safe for any number of threads."""

    def __init__(self, devices: tuple[Device, ...]) -> None:
        """Put the devices in a queue; as many jobs as devices run without waiting.

        Args:
            devices: One device per job; a device may occur several times.
        """
        self._free: SimpleQueue[Device] = SimpleQueue()
        for device in devices:
            self._free.put(device)

    @contextmanager
    def lend(self) -> Iterator[Device]:
        """Wait for a free device and return it to the queue at the end."""
        device = self._free.get()
        try:
            yield device
        finally:
            self._free.put(device)


def look_at_machine(devices: tuple[Device, ...]) -> Machine:
    """Look up the resources of this machine that this process may use.

    Args:
        devices: Devices for trainings.
    """
    return Machine(cores=len(os.sched_getaffinity(0)), memory_bytes=free_memory(), devices=devices)


def free_memory(
    *,
    available: Callable[[], int] = lambda: int(psutil.virtual_memory().available),
    groups: Path = Path("/sys/fs/cgroup"),
    own: Path = Path("/proc/self/cgroup"),
) -> int:
    """Return the free memory in bytes: of the machine, or of a control group of this process if that is less.

    Args:
        available: Returns the machine's free memory in bytes.
        groups: Folder where control groups (version 2) are mounted.
        own: File that names this process's group.
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
    """Read one number; None for `max` or a missing file."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _inactive(path: Path) -> int:
    """Read the size of a group's inactive file cache, which the kernel frees when memory is needed."""
    try:
        rows = dict(line.split() for line in path.read_text(encoding="ascii").splitlines())
        return int(rows.get("inactive_file", 0))
    except (OSError, ValueError):
        return 0

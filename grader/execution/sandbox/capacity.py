"""Decides how many notebooks of a class run in parallel, on which devices and with how many threads.

The decision is a pure function; another function looks up the machine's resources.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

import psutil

from grader.execution.sandbox.device import Device
from grader.facts.language import english
from grader.schema.message import say_count

__all__ = ["DeviceSlots", "Machine", "Share", "divide", "free_memory", "gpu_slots", "look_at_machine", "time_factor"]

_GIB = 1 << 30
_OWN_BYTES = _GIB // 2
"""Memory reserved for the grader itself and the operating system."""
_WARM_BYTES = _GIB
"""Memory reserved for the imports of warm processes."""
_GPU_MIB = 4096
"""GPU memory reserved for a notebook that shares a GPU: the context of CUDA, its libraries and a small model.

An estimate; no GPU was available to measure it.
"""
_CORES_MEANT = 2
"""Cores that the time limits of a rubric are meant for; a small model uses little more."""
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
    """One device per job; if there are more jobs than GPUs, jobs share them, as far as their memory is enough."""
    notices: tuple[str, ...] = ()
    """Deviations from the user's wishes, and risks."""


def divide(
    machine: Machine, wanted: int | None, *, memory_each: int, submissions: int | None = None, warm: bool = False
) -> Share:
    """Divide a machine among jobs so that neither its cores nor its memory nor that of its GPUs run short.

    Args:
        machine: The machine's resources.
        wanted: Number of parallel jobs; None decides by the machine: one job per core, or one per GPU. A job per core
            has the largest throughput; `time_factor` makes up for the fewer threads.
        memory_each: Memory limit of one notebook in bytes. Each job is counted with the full limit: a machine without
            free memory kills any notebook, and it is unclear which one was at fault.
        submissions: Number of submissions, if known; more jobs than that would only reduce the threads of each.
        warm: Whether warm processes need memory as well.
    """
    gpus = [device for device in machine.devices if device.kind == "gpu"]
    room = machine.memory_bytes - _OWN_BYTES - (_WARM_BYTES if warm else 0)
    fitting = max(1, room // memory_each)
    requested = wanted if wanted is not None else len(gpus) or machine.cores
    useful = requested if submissions is None else max(1, min(requested, submissions))
    slots = [gpu_slots(gpu) for gpu in gpus]
    known = [count for count in slots if count is not None]
    on_gpus = sum(known) if gpus and len(known) == len(gpus) else useful
    jobs = min(useful, fitting, on_gpus)
    notices = []
    each, free = f"{memory_each / _GIB:.1f} GiB", f"{machine.memory_bytes / _GIB:.1f} GiB"
    if wanted is not None and on_gpus < min(useful, fitting):
        notices.append(_too_few_slots(jobs, useful, len(gpus)))
    elif wanted is not None and jobs < useful:
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
            "{jobs:number} notebooks share {count:number} GPU: a notebook is not graded if another one uses the GPU's "
            "memory; `--jobs auto` runs one notebook per GPU",
            "{jobs:number} notebooks share {count:number} GPUs: a notebook is not graded if another one uses its GPU's "
            "memory; `--jobs auto` runs one notebook per GPU",
            len(gpus),
            jobs=jobs,
        )
        notices.append(english(shared))
    threads = max(1, machine.cores // jobs)
    return Share(jobs, threads, _dealt(machine.devices, jobs), tuple(notices))


def time_factor(device: Device, threads: int, cores: int) -> float:
    """Return by how much the time limits of a rubric are multiplied for a job.

    A limit is meant for two cores, or for the whole machine if it has only one. If the grader gives a job one core of
    several, the same work may take twice as long.

    Args:
        device: Device for trainings; on a GPU the number of threads matters little.
        threads: Threads of the job.
        cores: Cores of the machine.
    """
    return max(1.0, min(_CORES_MEANT, cores) / threads) if device.kind == "cpu" else 1.0


def gpu_slots(device: Device) -> int | None:
    """Return how many notebooks fit into a GPU's memory, at least one; None if its memory is unknown."""
    memory = device.gpu.memory_mib if device.gpu is not None else None
    return None if memory is None else max(1, memory // _GPU_MIB)


def _too_few_slots(jobs: int, useful: int, gpus: int) -> str:
    each = f"{_GPU_MIB / 1024:.0f} GiB"
    message = say_count(
        "{jobs:number} at the same time instead of {wanted:number}: {each} of GPU memory are reserved for each "
        "notebook, and there is {count:number} GPU",
        "{jobs:number} at the same time instead of {wanted:number}: {each} of GPU memory are reserved for each "
        "notebook, and there are {count:number} GPUs",
        gpus,
        jobs=jobs,
        wanted=useful,
        each=each,
    )
    return english(message)


def _dealt(devices: tuple[Device, ...], jobs: int) -> tuple[Device, ...]:
    """Deal the devices to the jobs in turn, each GPU to at most as many as fit, and divide the memory of each GPU."""
    dealt: list[Device] = []
    while len(dealt) < jobs:
        free = [device for device in devices if dealt.count(device) < (gpu_slots(device) or jobs)]
        dealt += (free or list(devices))[: jobs - len(dealt)]
    return tuple(_limited(device, dealt.count(device)) for device in dealt)


def _limited(device: Device, jobs: int) -> Device:
    if device.kind == "cpu" or jobs == 1:
        return device
    memory = device.gpu.memory_mib if device.gpu is not None else None
    return replace(device, shared=True, limit_mib=None if memory is None else memory // jobs)


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

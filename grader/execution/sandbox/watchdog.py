"""Keeps a sandbox's processes within their budget of memory, processes and disk.

Memory is the sum of resident memory over the process tree. If that sum exceeds the budget, the proportional share
(PSS, shared pages counted once) decides, because forked workers share most of their memory. Reading PSS slows the
student's process, so it is read only then. Memory used by a sandbox's `/tmp` and home folder is limited by their size
and is not counted here.

Resident memory leaves out what `hidden_memory` adds: page tables, pages that processes share without a file, and the
buffers of sockets. Files without content in a folder in memory take kernel memory too; they count as files.

Files that were unlinked while still open take space that no folder shows; they count as disk. A program can hide more,
such as a file that is being sent between two sockets. So the sandbox also ends if this machine runs out of disk or the
grader's own process grows too much, or if this machine's memory runs out; that is reported as a failure of the grader.

If the sandbox has a control group, Linux itself limits memory and processes. The watchdog then also reads the group's
memory, which includes all hidden memory, and what Linux counted.
"""

import errno
import os
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from grader.execution.sandbox.cgroups import Counters
from grader.execution.sandbox.children import with_descendants
from grader.execution.sandbox.confinement import Confinement
from grader.execution.sandbox.hidden_memory import (
    buffer_bytes,
    machine_shared_bytes,
    scratch_use,
    shared_pages,
    table_bytes,
)
from grader.execution.sandbox.isolation import ProcessLimits
from grader.execution.sandbox.load import CpuMeter, Load
from grader.execution.sandbox.sessions import share_out
from grader.schema.message import Message, say

__all__ = [
    "Budget",
    "Usage",
    "Watchdog",
    "folder_usage",
    "free_bytes",
    "judge",
    "tree",
    "unlinked_bytes",
    "usage_of",
]

POLL_SECONDS = 0.2
DISK_EVERY = 5
"""The folders are measured at every fifth poll, and so is the time that threads waited for a core."""
_LONGEST_READING = 1.0
"""Seconds for reading the PSS of all processes."""
_MOST_TABLES = 64 << 20
"""Page tables of a process whose PSS is read, at least those of the whole budget. Linux goes through them to add up
PSS, which takes seconds if they are large."""
_PAGES_IN_TABLE = 512
_MIB = 1 << 20
_UNSEEN = frozenset({errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP})
"""Errors for a folder that exists but cannot be measured."""
_LONGEST_PATH = 1000
"""Longest path below a measured folder; deeper folders cost more time to measure than to make."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits for all processes of one sandbox together."""

    memory_bytes: int
    processes: int = 400
    threads: int = 3000
    disk_bytes: int = 4 << 30
    files: int = 50_000
    files_in_memory: int = 200_000
    """Limit for `/tmp`, the home folder and `/dev/shm`; an empty file takes about 1 KiB."""
    folders: tuple[Path, ...] = ()
    """Folders and files of this machine that the sandbox writes."""
    free_bytes: int = 256 << 20
    """Space that must stay free on their disks."""
    grader_bytes: int = 3 << 29
    """Limit on the growth of the grader's own process, which reads the sandbox's messages."""
    free_memory_bytes: int = 128 << 20
    """Memory that must stay available on this machine."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Current resource use of a sandbox."""

    memory_bytes: int = 0
    processes: int = 0
    threads: int = 0
    disk_bytes: int = 0
    files: int = 0
    files_in_memory: int = 0
    hidden: bool = False
    """Whether it has folders that cannot be measured."""
    counters: Counters = field(default_factory=Counters)
    """Linux's counters; all zero without a control group."""


def judge(usage: Usage, budget: Budget) -> Message | None:
    """Return a clause that names the first exceeded limit; None if no limit is exceeded."""
    limits = (
        (
            usage.memory_bytes > budget.memory_bytes or usage.counters.out_of_memory,
            say("it used more than {limit:size} of memory", limit=budget.memory_bytes),
        ),
        (
            usage.processes > budget.processes,
            say("it started more than {limit:number} processes", limit=budget.processes),
        ),
        (
            usage.counters.refused_processes > 0,
            say("it started too many processes and threads"),
        ),
        (usage.threads > budget.threads, say("it started more than {limit:number} threads", limit=budget.threads)),
        (usage.disk_bytes > budget.disk_bytes, say("it wrote more than {limit:size} to disk", limit=budget.disk_bytes)),
        (usage.files > budget.files, say("it wrote more than {limit:number} files", limit=budget.files)),
        (
            usage.files_in_memory > budget.files_in_memory,
            say("it wrote more than {limit:number} files", limit=budget.files_in_memory),
        ),
        (
            usage.hidden,
            say("it made folders that are closed or nested too deeply, so their size cannot be measured"),
        ),
    )
    return next((excess for exceeded, excess in limits if exceeded), None)


def tree(process: subprocess.Popen[bytes], *, quick: bool = False) -> list[psutil.Process]:
    """List a process of ours and all its descendants, parents first; empty after it has ended.

    The process is polled first, since its number may belong to another process after its end. A guest (a process that
    entered the sandbox instead of being started in it) is included with its descendants.

    Args:
        process: The outermost process.
        quick: Whether processes may be missing that start while others end; otherwise every process of the machine is
            looked at.
    """
    members = [] if process.poll() is not None else _with_descendants(process.pid, quick=quick)
    guest = getattr(process, "guest", None)
    if isinstance(guest, psutil.Process):
        numbers = {member.pid for member in members}
        members += [member for member in _with_descendants(guest, quick=quick) if member.pid not in numbers]
    return members


def usage_of(
    processes: Iterable[psutil.Process],
    budget: Budget,
    grouped: int | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Usage:
    """Measure memory, processes and threads; a process that ends during the measurement counts as nothing.

    A process that forks all the time, and gets no processor time, keeps everybody else waiting for its PSS. So PSS is
    read for a limited time; the rest counts as nothing, and the number of processes soon exceeds its limit.

    Args:
        processes: The process tree.
        budget: Its memory limit decides whether PSS is read, which is slow.
        grouped: Memory that Linux counted for the whole sandbox, instead of PSS; None if it did not.
        clock: Returns the time in seconds.
    """
    listed = list(processes)
    if len(listed) > budget.processes:
        # Measuring each process would give a fork bomb time to grow.
        return Usage(processes=len(listed))
    memory = threads = 0
    for process in listed:
        with suppress(psutil.Error, OSError), process.oneshot():
            memory += process.memory_info().rss
            threads += process.num_threads()
    tables = table_bytes(listed)
    if memory + tables > budget.memory_bytes:
        if grouped is not None:
            return Usage(memory_bytes=grouped, processes=len(listed), threads=threads)
        ends = clock() + _LONGEST_READING
        most = max(_MOST_TABLES, budget.memory_bytes // _PAGES_IN_TABLE)
        memory = sum(_proportional(process, most) for process in listed if clock() < ends)
    return Usage(memory_bytes=memory + tables, processes=len(listed), threads=threads)


def folder_usage(folders: Iterable[Path], most_files: int) -> Usage:
    """Add up folders without following links.

    Args:
        folders: Folders or files.
        most_files: Counting stops soon after this number.

    Returns:
        Bytes on disk, number of entries, and whether a folder cannot be listed.
    """
    size = count = 0
    hidden = False
    waiting: list[tuple[str, int]] = []
    for folder in folders:
        if folder.is_dir():
            waiting.append((str(folder), len(str(folder)) + _LONGEST_PATH))
        else:
            with suppress(OSError):
                size += folder.lstat().st_size
    while waiting and count <= most_files and not hidden:
        place, longest = waiting.pop()
        hidden = len(place) > longest
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    count += 1
                    size += _blocks(entry)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((entry.path, longest))
                    if count > most_files:
                        break
        except OSError as error:
            hidden = hidden or error.errno in _UNSEEN
    return Usage(disk_bytes=size, files=count, hidden=hidden)


def unlinked_bytes(processes: Iterable[psutil.Process]) -> int:
    """Add up the sizes of open files without a name, in memory (`memfd_create`) or on disk, each counted once."""
    sizes: dict[tuple[int, int], int] = {}
    for process in processes:
        with suppress(OSError), os.scandir(f"/proc/{process.pid}/fd") as entries:
            for entry in entries:
                with suppress(OSError):
                    facts = entry.stat()
                    if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 0:
                        sizes[facts.st_dev, facts.st_ino] = facts.st_blocks * 512
    return sum(sizes.values())


def free_bytes(folders: Iterable[Path]) -> int | None:
    """Return the smallest free space on the disks of some folders; None if it cannot be read."""
    left = []
    for folder in folders:
        with suppress(OSError):
            facts = os.statvfs(folder)
            left.append(facts.f_bavail * facts.f_frsize)
    return min(left, default=None)


class Watchdog(threading.Thread):
    """Polls a process tree and ends it when it exceeds its budget.

    Attributes:
        verdict: The exceeded limit, as a clause; None so far if no limit was exceeded.
        fault: Reason for ending the sandbox without a proven fault of its program; empty if there is none.
        peak_mib: Maximum memory of all processes together, in MiB.
        meter: CPU time of all processes together.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        budget: Budget,
        end: Callable[[], None],
        meter: CpuMeter | None = None,
    ) -> None:
        """Prepare to watch.

        Args:
            process: The started process.
            budget: Its limits.
            end: Callback that ends the sandbox; called once, from this thread.
            meter: Adds up the CPU time; by default one for all cores of the machine.
        """
        super().__init__(name=f"watchdog-{process.pid}", daemon=True)
        self._hidden = 0
        self._possible = 0
        self._confinement: Confinement = getattr(process, "confinement", None) or Confinement(ProcessLimits())
        self._shared_before = machine_shared_bytes()
        self.verdict: Message | None = None
        self.fault = ""
        self.peak_mib = 0.0
        self.meter = meter or CpuMeter(os.cpu_count() or 1)
        self._process = process
        self._budget = budget
        self._end = end
        self._stopped = threading.Event()

    def run(self) -> None:
        """Poll until stopped."""
        _go_first(self._confinement.cores)
        grader = psutil.Process()
        before = grader.memory_info().rss
        turn = 0
        while not self._stopped.is_set():
            begun = time.monotonic()
            try:
                usage = self._measure(with_disk=turn % DISK_EVERY == 0)
                self.fault = self._floor(grader.memory_info().rss - before) or self._unmeasured(usage.memory_bytes)
                self._count(usage.counters)
            except Exception as error:  # noqa: BLE001 — a sandbox must not run unwatched
                usage, self.fault = Usage(), f"the sandbox could not be watched ({type(error).__name__}: {error})"
            self.peak_mib = max(self.peak_mib, usage.memory_bytes / _MIB)
            self.verdict = judge(usage, self._budget)
            if self.verdict or self.fault:
                self._end()
                return
            turn += 1
            # With many processes measuring is slow; wait longer so that it does not load the machine.
            self._stopped.wait(max(POLL_SECONDS, 2 * (time.monotonic() - begun)))

    def stop(self) -> None:
        """Stop the thread and wait for its end."""
        self._stopped.set()
        if self.is_alive():
            self.join()

    def conclude(self) -> Message | None:
        """Return the exceeded limit after the sandbox's end, as Linux counted it if the watchdog saw none."""
        if self.verdict is None and not self.fault:
            counters = self._confinement.counters()
            self._count(counters)
            self.verdict = judge(Usage(counters=counters), self._budget)
        return self.verdict

    def measure_load(self) -> Load:
        """Measure the CPU time up to this moment; call it from any thread while the program runs."""
        self.meter.sample(tree(self._process, quick=True), used=self._confinement.counters().cpu_seconds)
        return self.meter.load()

    def _measure(self, *, with_disk: bool) -> Usage:
        counters, group = self._confinement.counters(), self._confinement.group
        number = group.processes() if group is not None else 0
        if number > self._budget.processes or counters.out_of_memory or counters.refused_processes:
            # Listing the processes would give them time to grow.
            return Usage(processes=number, counters=counters)
        processes = tree(self._process, quick=not with_disk)
        if len(processes) <= self._budget.processes:
            self.meter.sample(processes, waits=with_disk, used=counters.cpu_seconds)
        grouped = self._grouped(processes)
        usage = replace(usage_of(processes, self._budget, grouped), counters=counters)
        if usage.processes > self._budget.processes:
            return usage
        if with_disk:
            share_out(processes)
            self._confinement.hold(process.pid for process in processes)
            if grouped is None:
                grown = machine_shared_bytes() - self._shared_before
                shared = shared_pages(processes, grown)
                self._hidden = shared.seen + shared.areas + buffer_bytes(processes)
                self._possible = shared.possible
        usage = replace(usage, memory_bytes=max(usage.memory_bytes + self._hidden, grouped or 0))
        if not with_disk:
            return usage
        disk = folder_usage(self._budget.folders, self._budget.files)
        scratch = scratch_use(processes)
        return replace(
            usage,
            disk_bytes=disk.disk_bytes + unlinked_bytes(processes),
            files=disk.files,
            files_in_memory=scratch.files if scratch else 0,
            hidden=disk.hidden,
        )

    def _grouped(self, processes: list[psutil.Process]) -> int | None:
        """Measure the memory of the control group, without the sandbox's folders in memory; None if unknown."""
        group = self._confinement.group
        size = group.memory_bytes() if group is not None and group.in_use else None
        if size is None or size <= self._budget.memory_bytes:
            return size
        # Another sandbox may have the same folders; then this figure says nothing about this one.
        scratch = scratch_use(processes)
        return max(0, size - scratch.size) if scratch else None

    def _count(self, counters: Counters) -> None:
        """Take over what Linux counted."""
        if counters.out_of_memory and counters.peak_bytes:
            self.peak_mib = max(self.peak_mib, counters.peak_bytes / _MIB)
        if counters.machine_out_of_memory and not self.fault:
            self.fault = "Linux ended a process of the sandbox, because this machine ran out of memory"

    def _unmeasured(self, used: int) -> str:
        """Return a reason to end a sandbox that may be over budget; only root could know."""
        if used <= self._budget.memory_bytes < used + self._possible:
            return f"it shares up to {self._possible / _MIB:,.0f} MiB of memory, which only root can measure exactly"
        return ""

    def _floor(self, grown: int) -> str:
        if grown > self._budget.grader_bytes:
            return f"the grader's own memory grew by {grown / _MIB:,.0f} MiB while it read the sandbox's messages"
        free = free_bytes(self._budget.folders)
        if free is not None and free < self._budget.free_bytes:
            return f"the disk has only {free / _MIB:,.0f} MiB left"
        # Not that of a control group: there, a full file cache looks like used memory.
        available = int(psutil.virtual_memory().available)
        if available < self._budget.free_memory_bytes:
            return f"this machine has only {available / _MIB:,.0f} MiB of memory left"
        return ""


def _go_first(cores: frozenset[int] | None) -> None:
    """Let this thread run before ordinary programs, however many processes a sandbox starts; only root may.

    It then runs on the sandbox's cores, since measuring many processes takes time that their sandbox should lose.
    """
    with suppress(OSError):
        policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(threading.get_native_id(), policy, os.sched_param(1))
        if cores is not None:
            os.sched_setaffinity(0, cores)


def _blocks(entry: "os.DirEntry[str]") -> int:
    with suppress(FileNotFoundError):
        return entry.stat(follow_symlinks=False).st_blocks * 512
    return 0


def _with_descendants(root: int | psutil.Process, *, quick: bool) -> list[psutil.Process]:
    with suppress(psutil.Error):
        root = psutil.Process(root) if isinstance(root, int) else root
        if quick:
            return with_descendants(root)
        if root.is_running():
            return [root, *root.children(recursive=True)]
    return []


def _proportional(process: psutil.Process, most_tables: int) -> int:
    """Read the PSS of a process; its resident memory if that is not possible or takes too long."""
    with suppress(psutil.Error, OSError, AttributeError):
        if table_bytes([process]) <= most_tables:
            return int(process.memory_full_info().pss)
    with suppress(psutil.Error, OSError):
        return int(process.memory_info().rss)
    return 0

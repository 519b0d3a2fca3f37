"""Keeps a sandbox's processes within their budget of memory, processes and disk.

Memory is the sum of resident memory over the process tree. Where that sum is over the budget, the proportional share
(PSS, shared pages counted once) decides, since forked workers share most of theirs. Reading PSS costs the student's
process time, so it is not read before it matters. Memory kept in a sandbox's `/tmp` and home is limited by their size
and is not counted here.

Files that were unlinked while a process holds them open take room that no folder shows; they count as disk. What a
clever program still hides (a file in flight between two sockets, say) is met by a floor: where this machine itself runs
out of disk, or the grader's own process out of memory, the sandbox ends, and that is never called the student's doing.
"""

import errno
import os
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

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
"""Every how many polls the folders are measured."""
_MIB = 1 << 20
_UNSEEN = frozenset({errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP})
"""Errors of a folder that is there but cannot be measured."""
_LONGEST_PATH = 1000
"""Below a folder that is measured; a deeper nest costs more to measure than to make."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What all processes of one sandbox may use together."""

    memory_bytes: int
    processes: int = 400
    threads: int = 3000
    disk_bytes: int = 4 << 30
    files: int = 50_000
    folders: tuple[Path, ...] = ()
    """The folders and files of this machine that the sandbox writes."""
    free_bytes: int = 256 << 20
    """What must stay free on the disk below them."""
    grader_bytes: int = 3 << 29
    """How much the grader's own process may grow while the sandbox runs: what it sends must be read somewhere."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a sandbox uses at one moment."""

    memory_bytes: int = 0
    processes: int = 0
    threads: int = 0
    disk_bytes: int = 0
    files: int = 0
    hidden: bool = False
    """Whether it keeps files where nobody can measure them."""


def judge(usage: Usage, budget: Budget) -> str:
    """Say which budget is exceeded; empty when none is."""
    exceeded = (
        (usage.memory_bytes > budget.memory_bytes, f"used more than {budget.memory_bytes / _MIB:,.0f} MiB of memory"),
        (usage.processes > budget.processes, f"started more than {budget.processes:,} processes"),
        (usage.threads > budget.threads, f"started more than {budget.threads:,} threads"),
        (usage.disk_bytes > budget.disk_bytes, f"wrote more than {budget.disk_bytes / _MIB:,.0f} MiB to disk"),
        (usage.files > budget.files, f"wrote more than {budget.files:,} files"),
        (usage.hidden, "made folders that cannot be measured: closed to their owner, or nested too deeply"),
    )
    return next((f"it {what}" for over, what in exceeded if over), "")


def tree(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """List a process of ours and all its descendants, parents first; empty once it has ended.

    It is asked first whether it has ended, since its number may belong to a stranger by then. A guest (a process that
    entered the sandbox instead of being started in it) belongs to it, with its own descendants.
    """
    found = [] if process.poll() is not None else _with_descendants(process.pid)
    guest = getattr(process, "guest", None)
    if isinstance(guest, psutil.Process):
        known = {member.pid for member in found}
        found += [member for member in _with_descendants(guest) if member.pid not in known]
    return found


def usage_of(processes: Iterable[psutil.Process], budget: Budget) -> Usage:
    """Measure memory, processes and threads; a process that ends meanwhile counts nothing.

    Args:
        processes: The tree.
        budget: Decides whether the costly measure of memory is taken.
    """
    listed = list(processes)
    if len(listed) > budget.processes:
        # Measuring each one would only give a fork bomb time to grow.
        return Usage(processes=len(listed))
    memory = threads = 0
    for process in listed:
        with suppress(psutil.Error, OSError), process.oneshot():
            memory += process.memory_info().rss
            threads += process.num_threads()
    if memory > budget.memory_bytes:
        memory = sum(map(_proportional, listed))
    return Usage(memory_bytes=memory, processes=len(listed), threads=threads)


def folder_usage(folders: Iterable[Path], most_files: int) -> Usage:
    """Add up folders without following links.

    Args:
        folders: Folders or files.
        most_files: Counting ends soon after this many.

    Returns:
        Bytes on disk, number of entries, and whether there is a folder that cannot be looked into.
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
    """Add up what open files without a name take, in memory (`memfd_create`) or on disk, each once."""
    found: dict[tuple[int, int], int] = {}
    for process in processes:
        with suppress(OSError), os.scandir(f"/proc/{process.pid}/fd") as entries:
            for entry in entries:
                with suppress(OSError):
                    facts = entry.stat()
                    if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 0:
                        found[facts.st_dev, facts.st_ino] = facts.st_blocks * 512
    return sum(found.values())


def free_bytes(folders: Iterable[Path]) -> int | None:
    """Return the least room on the disks below some folders; None where it cannot be read."""
    left = []
    for folder in folders:
        with suppress(OSError):
            facts = os.statvfs(folder)
            left.append(facts.f_bavail * facts.f_frsize)
    return min(left, default=None)


class Watchdog(threading.Thread):
    """Polls a process tree and ends it when it goes over its budget.

    Attributes:
        verdict: What was exceeded, in words; empty as long as nothing was.
        fault: Why the sandbox was ended through no proven fault of its own, in words; empty as long as it was not.
        peak_mib: Largest memory of all processes together, in MiB.
    """

    def __init__(self, process: subprocess.Popen[bytes], budget: Budget, end: Callable[[], None]) -> None:
        """Prepare to watch.

        Args:
            process: The process that was started.
            budget: What it may use.
            end: Ends the sandbox; called once, from this thread.
        """
        super().__init__(name=f"watchdog-{process.pid}", daemon=True)
        self.verdict = ""
        self.fault = ""
        self.peak_mib = 0.0
        self._process = process
        self._budget = budget
        self._end = end
        self._stopped = threading.Event()

    def run(self) -> None:
        """Poll until stopped."""
        grader = psutil.Process()
        before = grader.memory_info().rss
        turn = 0
        while not self._stopped.is_set():
            begun = time.monotonic()
            try:
                usage = self._measure(with_disk=turn % DISK_EVERY == 0)
                self.fault = self._floor(grader.memory_info().rss - before)
            except Exception as error:  # noqa: BLE001 — a sandbox must not go on unwatched, whatever failed
                usage, self.fault = Usage(), f"the sandbox could not be watched ({type(error).__name__}: {error})"
            self.peak_mib = max(self.peak_mib, usage.memory_bytes / _MIB)
            self.verdict = judge(usage, self._budget)
            if self.verdict or self.fault:
                self._end()
                return
            turn += 1
            # A measure that is slow (many processes) must not become a load of its own.
            self._stopped.wait(max(POLL_SECONDS, 2 * (time.monotonic() - begun)))

    def stop(self) -> None:
        """End the watch and wait for it."""
        self._stopped.set()
        if self.is_alive():
            self.join()

    def _measure(self, *, with_disk: bool) -> Usage:
        processes = tree(self._process)
        usage = usage_of(processes, self._budget)
        if not with_disk or usage.processes > self._budget.processes:
            return usage
        disk = folder_usage(self._budget.folders, self._budget.files)
        return replace(
            usage,
            disk_bytes=disk.disk_bytes + unlinked_bytes(processes),
            files=disk.files,
            hidden=disk.hidden,
        )

    def _floor(self, grown: int) -> str:
        if grown > self._budget.grader_bytes:
            return f"the grader's own memory grew by {grown / _MIB:,.0f} MiB while it read what the sandbox sent"
        free = free_bytes(self._budget.folders)
        if free is not None and free < self._budget.free_bytes:
            return f"the disk has only {free / _MIB:,.0f} MiB left"
        return ""


def _blocks(entry: "os.DirEntry[str]") -> int:
    with suppress(FileNotFoundError):
        return entry.stat(follow_symlinks=False).st_blocks * 512
    return 0


def _with_descendants(root: int | psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        root = psutil.Process(root) if isinstance(root, int) else root
        if root.is_running():
            return [root, *root.children(recursive=True)]
    return []


def _proportional(process: psutil.Process) -> int:
    with suppress(psutil.Error, OSError, AttributeError):
        return int(process.memory_full_info().pss)
    with suppress(psutil.Error, OSError):
        return int(process.memory_info().rss)
    return 0

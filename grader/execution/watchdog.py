"""Keeps a sandbox's processes within their budget of memory, processes and disk.

Memory is the sum of resident memory over the process tree. Where that sum is over the budget, the proportional share
(PSS, shared pages counted once) decides, since forked workers share most of theirs. Reading PSS costs the student's
process time, so it is not read before it matters. Memory kept in a sandbox's `/tmp` and home is limited by their size
and is not counted here.
"""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

__all__ = ["Budget", "Usage", "Watchdog", "folder_usage", "judge", "tree", "usage_of"]

POLL_SECONDS = 0.2
DISK_EVERY = 5
"""Every how many polls the folders are measured."""
_MIB = 1 << 20


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


@dataclass(frozen=True, slots=True)
class Usage:
    """What a sandbox uses at one moment."""

    memory_bytes: int = 0
    processes: int = 0
    threads: int = 0
    disk_bytes: int = 0
    files: int = 0


def judge(usage: Usage, budget: Budget) -> str:
    """Say which budget is exceeded; empty when none is."""
    if usage.memory_bytes > budget.memory_bytes:
        return f"it used more than {budget.memory_bytes / _MIB:,.0f} MiB of memory"
    if usage.processes > budget.processes:
        return f"it started more than {budget.processes:,} processes"
    if usage.threads > budget.threads:
        return f"it started more than {budget.threads:,} threads"
    if usage.disk_bytes > budget.disk_bytes:
        return f"it wrote more than {budget.disk_bytes / _MIB:,.0f} MiB to disk"
    if usage.files > budget.files:
        return f"it wrote more than {budget.files:,} files"
    return ""


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


def folder_usage(folders: Iterable[Path], most_files: int) -> tuple[int, int]:
    """Add up folders without following links.

    Args:
        folders: Folders or files.
        most_files: Counting ends soon after this many.

    Returns:
        Bytes on disk and number of entries.
    """
    size = count = 0
    waiting: list[str] = []
    for folder in folders:
        if folder.is_dir():
            waiting.append(str(folder))
        else:
            with suppress(OSError):
                size += folder.lstat().st_size
    while waiting and count <= most_files:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                count += 1
                with suppress(OSError):
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                if count > most_files:
                    break
    return size, count


class Watchdog(threading.Thread):
    """Polls a process tree and ends it when it goes over its budget.

    Attributes:
        verdict: What was exceeded, in words; empty as long as nothing was.
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
        self.peak_mib = 0.0
        self._process = process
        self._budget = budget
        self._end = end
        self._stopped = threading.Event()

    def run(self) -> None:
        """Poll until stopped."""
        turn = 0
        while not self._stopped.is_set():
            begun = time.monotonic()
            usage = self._measure(with_disk=turn % DISK_EVERY == 0)
            self.peak_mib = max(self.peak_mib, usage.memory_bytes / _MIB)
            self.verdict = judge(usage, self._budget)
            if self.verdict:
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
        usage = usage_of(tree(self._process), self._budget)
        if not with_disk:
            return usage
        size, files = folder_usage(self._budget.folders, self._budget.files)
        return Usage(usage.memory_bytes, usage.processes, usage.threads, size, files)


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

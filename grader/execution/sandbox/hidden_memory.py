"""Measure memory of a sandbox that is in no process's resident memory.

Each function reads `/proc` and skips what it may not read. The kernel shows the size of shared pages and of open
sockets only to root or to the same user; for the rest, the watchdog has a limit on the machine's free memory.
"""

import os
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

__all__ = [
    "Scratch",
    "SharedPages",
    "buffer_bytes",
    "machine_shared_bytes",
    "scratch_use",
    "shared_pages",
    "table_bytes",
]

_STATUS = re.compile(rb"^(VmPTE|RssShmem):\s+(\d+) kB", re.MULTILINE)
_UNNAMED = re.compile(rb"^([0-9a-f]+-[0-9a-f]+) ..[^ ]s ([0-9a-f]+) (\S+ [1-9]\d*) +/.* \(deleted\)$", re.MULTILINE)
"""A shared mapping of a file without a name, such as the pages of `MAP_SHARED | MAP_ANONYMOUS`: its addresses, its
offset in the file, and the file's device and number."""
_MEMORY = Path("/proc/meminfo")
_SHARED = re.compile(rb"^Shmem:\s+(\d+) kB", re.MULTILINE)
_ORDINARY_SOCKETS = 200
"""Sockets of an ordinary notebook with its kernel and workers; their buffers are nearly empty."""
_BUFFER_SETTING = Path("/proc/sys/net/core/wmem_default")
"""Size of a socket's buffer; the filter of system calls keeps programs from enlarging it."""
_DEFAULT_BUFFER = 212_992
_LONGEST_READING = 1.0
"""Seconds for reading the mappings of all processes. A process that forks all the time keeps the reader waiting."""
_ORDINARY_AREAS = 40_000
"""Areas of memory of an ordinary notebook with its workers; a process that imported TensorFlow has about 2,000."""
_AREA_BYTES = 200
"""Linux needs 192 to 256 bytes for an area."""
_IN_MEMORY = re.compile(rb"^\d+ \d+ (\S+) \S+ (/tmp|/dev/shm|/home/student) .* - (\S+) ", re.MULTILINE)
"""A mount of a folder that a sandbox can keep in memory: its device, the folder, and the type of its file system."""


def table_bytes(processes: Iterable[psutil.Process]) -> int:
    """Add up the page tables of processes."""
    return sum(_status(process.pid).get("VmPTE", 0) for process in processes)


class SharedPages(NamedTuple):
    """Pages that processes share without a named file, beyond those in their resident memory, in bytes."""

    seen: int
    """As Linux counts them."""
    possible: int
    """As many there may be in addition, because only root may read their number."""
    areas: int = 0
    """Memory of Linux for the areas of the processes' memory, without the usual amount of an ordinary program."""


def shared_pages(processes: Iterable[psutil.Process], grown: int = 0) -> SharedPages:
    """Add up the pages that processes share without a named file.

    A process can drop such pages from its resident memory, and they still take memory. Only root may read their number.
    For any other user it is at most the size of the mappings, and at most the growth of all shared memory. If reading
    takes too long, the other processes are taken to have as many areas of memory as those that were read.

    Args:
        processes: The processes of a sandbox.
        grown: Growth of the machine's shared memory since the sandbox's start.
    """
    sizes: dict[tuple[int, int], int] = {}
    unseen: dict[bytes, int] = {}
    resident = areas = 0
    ends = time.monotonic() + _LONGEST_READING
    listed = list(processes)
    count = len(listed)
    for number, process in enumerate(listed):
        if time.monotonic() > ends:
            count = number
            break
        resident += _status(process.pid).get("RssShmem", 0)
        with suppress(OSError):
            content = Path(f"/proc/{process.pid}/maps").read_bytes()
            areas += content.count(b"\n")
            for found in _UNNAMED.finditer(content):
                try:
                    facts = Path(f"/proc/{process.pid}/map_files/{found[1].decode()}").stat()
                    sizes[facts.st_dev, facts.st_ino] = facts.st_blocks * 512
                except PermissionError:
                    start, end = (int(part, 16) for part in found[1].split(b"-"))
                    unseen[found[3]] = max(unseen.get(found[3], 0), int(found[2], 16) + end - start)
                except OSError:
                    continue
    seen = sum(sizes.values())
    possible = min(sum(unseen.values()), max(0, grown))
    more = max(0, areas * len(listed) // max(1, count) - _ORDINARY_AREAS) * _AREA_BYTES
    return SharedPages(max(0, seen - resident), max(0, possible - max(0, resident - seen)), more)


def machine_shared_bytes(source: Path = _MEMORY) -> int:
    """Read the size of all shared memory of this machine, files in memory included; 0 if it is unknown.

    Args:
        source: The kernel's file.
    """
    with suppress(OSError):
        if found := _SHARED.search(source.read_bytes()):
            return int(found[1]) * 1024
    return 0


def buffer_bytes(processes: Iterable[psutil.Process]) -> int:
    """Estimate the buffers of sockets: what all but the first 200 sockets could hold."""
    sockets: set[str] = set()
    for process in processes:
        with suppress(OSError), os.scandir(f"/proc/{process.pid}/fd") as entries:
            for entry in entries:
                with suppress(OSError):
                    target = str(Path(entry.path).readlink())
                    if target.startswith("socket:"):
                        sockets.add(target)
    return max(0, len(sockets) - _ORDINARY_SOCKETS) * _buffer()


class Scratch(NamedTuple):
    """Content of the folders that a sandbox keeps in memory."""

    files: int
    size: int
    """In bytes."""


def scratch_use(processes: Iterable[psutil.Process]) -> Scratch | None:
    """Measure the folders that a sandbox keeps in memory; None without a sandbox of its own root."""
    own = Path("/").stat()
    for process in processes:
        root = f"/proc/{process.pid}/root"
        with suppress(OSError):
            facts = Path(root).stat()
            if (facts.st_dev, facts.st_ino) == (own.st_dev, own.st_ino):
                continue
            mounts = Path(f"/proc/{process.pid}/mountinfo").read_bytes()
            used: dict[bytes, Scratch] = {}
            for device, folder, kind in _IN_MEMORY.findall(mounts):
                if kind == b"tmpfs":
                    place = os.statvfs(f"{root}{folder.decode()}")
                    size = (place.f_blocks - place.f_bfree) * place.f_frsize
                    used[device] = Scratch(place.f_files - place.f_ffree, size)
            return Scratch(sum(one.files for one in used.values()), sum(one.size for one in used.values()))
    return None


def _status(pid: int) -> dict[str, int]:
    try:
        content = Path(f"/proc/{pid}/status").read_bytes()
    except OSError:
        return {}
    return {found[1].decode(): int(found[2]) * 1024 for found in _STATUS.finditer(content)}


def _buffer() -> int:
    try:
        return int(_BUFFER_SETTING.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return _DEFAULT_BUFFER

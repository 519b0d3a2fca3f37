"""Measure memory of a sandbox that is in no process's resident memory.

Each function reads `/proc` and skips what it may not read. The kernel shows the size of shared pages and of open
sockets only to root or to the same user; for the rest, the watchdog has a limit on the machine's free memory.
"""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

__all__ = ["buffer_bytes", "files_in_memory", "shared_bytes", "table_bytes"]

_STATUS = re.compile(rb"^(VmPTE|RssShmem):\s+(\d+) kB", re.MULTILINE)
_UNNAMED = re.compile(rb"^([0-9a-f]+-[0-9a-f]+) \S+ \S+ \S+ [1-9]\d* +/.* \(deleted\)$", re.MULTILINE)
"""A mapping of a file without a name, such as the pages of `MAP_SHARED | MAP_ANONYMOUS`."""
_ORDINARY_SOCKETS = 200
"""Sockets of an ordinary notebook with its kernel and workers; their buffers are nearly empty."""
_BUFFER_SETTING = Path("/proc/sys/net/core/wmem_default")
"""Size of a socket's buffer; the filter of system calls keeps programs from enlarging it."""
_DEFAULT_BUFFER = 212_992
_IN_MEMORY = re.compile(rb"^\d+ \d+ (\S+) \S+ (/tmp|/dev/shm|/home/student) .* - (\S+) ", re.MULTILINE)
"""A mount of a folder that a sandbox can keep in memory: its device, the folder, and the type of its file system."""


def table_bytes(processes: Iterable[psutil.Process]) -> int:
    """Add up the page tables of processes."""
    return sum(_status(process.pid).get("VmPTE", 0) for process in processes)


def shared_bytes(processes: Iterable[psutil.Process]) -> int:
    """Add up the pages that processes share without a named file, beyond those in their resident memory.

    A process can drop such pages from its resident memory, and they still take memory. Only root may read their number.
    """
    sizes: dict[tuple[int, int], int] = {}
    resident = 0
    for process in processes:
        resident += _status(process.pid).get("RssShmem", 0)
        with suppress(OSError):
            for found in _UNNAMED.finditer(Path(f"/proc/{process.pid}/maps").read_bytes()):
                with suppress(OSError):
                    facts = Path(f"/proc/{process.pid}/map_files/{found[1].decode()}").stat()
                    sizes[facts.st_dev, facts.st_ino] = facts.st_blocks * 512
    return max(0, sum(sizes.values()) - resident)


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


def files_in_memory(processes: Iterable[psutil.Process]) -> int:
    """Count the files in the folders that a sandbox keeps in memory; 0 without a sandbox of its own root."""
    own = Path("/").stat()
    used: dict[bytes, int] = {}
    for process in processes:
        root = f"/proc/{process.pid}/root"
        with suppress(OSError):
            facts = Path(root).stat()
            if (facts.st_dev, facts.st_ino) == (own.st_dev, own.st_ino):
                continue
            mounts = Path(f"/proc/{process.pid}/mountinfo").read_bytes()
            for device, folder, kind in _IN_MEMORY.findall(mounts):
                if kind == b"tmpfs":
                    place = os.statvfs(f"{root}{folder.decode()}")
                    used[device] = place.f_files - place.f_ffree
            break
    return sum(used.values())


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

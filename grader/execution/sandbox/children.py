"""Finds the children of a process without reading about every process of the machine."""

import os
from contextlib import suppress
from pathlib import Path

import psutil

__all__ = ["children_of", "with_descendants"]


def children_of(process: psutil.Process) -> list[psutil.Process]:
    """List the children of a process, the oldest first.

    Linux keeps a list for each thread, which may lack a child while another one ends. So a caller that must find
    everyone asks again. A Linux without these lists is asked through psutil.

    Raises:
        psutil.Error: The process has ended.
    """
    try:
        pids = _listed(process.pid)
    except OSError:
        pids = [child.pid for child in process.children()]
    found: list[tuple[float, int, psutil.Process]] = []
    for pid in pids:
        with suppress(psutil.Error):  # it has ended meanwhile
            child = psutil.Process(pid)
            found.append((child.create_time(), pid, child))
    return [child for _, _, child in sorted(found, key=lambda one: one[:2])]


def with_descendants(root: psutil.Process) -> list[psutil.Process]:
    """List a process and all its descendants, parents first; empty after it has ended."""
    if not root.is_running():
        return []
    found = [root]
    for process in found:
        with suppress(psutil.Error):
            found += children_of(process)
    return found


def _listed(pid: int) -> list[int]:
    """Read the children of every thread.

    Raises:
        OSError: The process has ended, or Linux has no such lists.
    """
    numbers: list[int] = []
    with os.scandir(f"/proc/{pid}/task") as threads:
        for thread in threads:
            # A thread may end meanwhile; its children then belong to another one.
            with suppress(FileNotFoundError, ProcessLookupError):
                numbers += map(int, Path(thread.path, "children").read_bytes().split())
    if not numbers and not Path(f"/proc/{pid}/task/{pid}/children").exists():
        raise FileNotFoundError(pid)
    return numbers

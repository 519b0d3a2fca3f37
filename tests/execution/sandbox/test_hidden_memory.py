"""Memory that is in no process's resident memory counts against the budget; each program here is a real one."""

import os
import subprocess
import sys
from collections.abc import Iterable

import psutil
import pytest

from grader.execution.sandbox import hidden_memory
from grader.execution.sandbox import watchdog as watchdog_module
from grader.execution.sandbox.watchdog import Budget, Watchdog, tree
from tests.support.says import says

_MIB = 1 << 20
SHARED = """
import mmap, time
held = mmap.mmap(-1, 96 << 20)
for at in range(0, 96 << 20, 4 << 20):
    held[at:at + (4 << 20)] = b'1' * (4 << 20)
    held.madvise(mmap.MADV_DONTNEED, at, 4 << 20)
print(flush=True); time.sleep(600)
"""
"""Shared pages that are dropped from the resident memory, and are still there."""
TABLES = """
import ctypes, time
libc = ctypes.CDLL(None); libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
size = 1 << 35
start = libc.mmap(None, size, 1, 0x4022, -1, 0)
libc.madvise(start, size, 15)
for at in range(start, start + size, 1 << 21):
    ctypes.c_char.from_address(at).value
print(flush=True); time.sleep(600)
"""
"""One read of the zero page in each 2 MiB of 32 GiB: 64 MiB of page tables."""
SOCKETS = """
import socket, time
held = [end for _ in range(300) for end in socket.socketpair()]
print(flush=True); time.sleep(600)
"""


AREAS = """
import ctypes, os, time
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
place = libc.mmap(None, 30_000 * 16384, 0, 0x4022, -1, 0)
for number in range(30_000): libc.mprotect(place + number * 16384, 4096, 1)
reading, writing = os.pipe()
for _ in range(7):
    if os.fork() == 0: os.close(writing); os.read(reading, 1); os._exit(0)
time.sleep(600)
"""
"""60,000 areas without pages in each of 8 processes: about 100 MiB."""


def watched(code: str, megabytes: int) -> Watchdog:
    """Watch a program until it ends."""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL) as process:
        watchdog = Watchdog(process, Budget(memory_bytes=megabytes * _MIB), process.kill)
        watchdog.start()
        process.wait()
        watchdog.stop()
    return watchdog


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(
            SHARED, id="shared pages", marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root may see these")
        ),
        pytest.param(TABLES, id="page tables"),
        pytest.param(AREAS, id="areas of memory"),
        pytest.param(SOCKETS, id="buffers of sockets"),
    ],
)
def test_a_program_with_hidden_memory_ends_over_budget(code: str) -> None:
    watchdog = watched(code, 64)
    assert watchdog.verdict is not None
    assert says(watchdog.verdict, "it used more than {limit:size} of memory", limit=64 * _MIB)
    assert watchdog.fault == ""


def test_shared_pages_that_nobody_may_see_end_the_sandbox_and_blame_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    real = hidden_memory.shared_pages

    def unseen(processes: Iterable[psutil.Process], grown: int) -> hidden_memory.SharedPages:
        seen = real(processes, grown)
        return hidden_memory.SharedPages(0, seen.seen + seen.possible)

    monkeypatch.setattr(watchdog_module, "shared_pages", unseen)
    watchdog = watched(SHARED, 64)
    assert watchdog.verdict is None
    assert "only root can measure" in watchdog.fault


def test_an_ordinary_program_has_next_to_no_hidden_memory() -> None:
    code = "import socket, time; held = socket.socketpair(); print(flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        members = tree(process)
        assert 0 < hidden_memory.table_bytes(members) < 2 * _MIB
        assert hidden_memory.shared_pages(members) == (0, 0, 0)
        assert hidden_memory.buffer_bytes(members) == 0
        assert hidden_memory.scratch_use(members) is None  # it has no root of its own
        process.kill()


def test_a_machine_without_free_memory_ends_the_sandbox_and_blames_nobody() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        watchdog = Watchdog(process, Budget(memory_bytes=1 << 40, free_memory_bytes=1 << 50), process.kill)
        watchdog.start()
        process.wait()
        watchdog.stop()
    assert watchdog.verdict is None
    assert watchdog.fault.startswith("this machine has only ")

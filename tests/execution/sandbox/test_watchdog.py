"""Budgets: measurements and limits; real bombs are in `test_sandbox`."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from grader.execution.sandbox import watchdog as watchdog_module
from grader.execution.sandbox.watchdog import Budget, Usage, Watchdog, folder_usage, judge, tree, usage_of
from tests.support.says import says
from tests.support.waiting import until

BUDGET = Budget(memory_bytes=100 << 20, processes=5, threads=50, disk_bytes=10 << 20, files=100)


@pytest.mark.parametrize(
    ("usage", "text", "limit"),
    [
        (Usage(memory_bytes=101 << 20), "it used more than {limit:size} of memory", 100 << 20),
        (Usage(processes=6), "it started more than {limit:number} processes", 5),
        (Usage(threads=51), "it started more than {limit:number} threads", 50),
        (Usage(disk_bytes=11 << 20), "it wrote more than {limit:size} to disk", 10 << 20),
        (Usage(files=101), "it wrote more than {limit:number} files", 100),
        (Usage(files_in_memory=200_001), "it wrote more than {limit:number} files", 200_000),
    ],
)
def test_each_budget_has_its_message(usage: Usage, text: str, limit: int) -> None:
    excess = judge(usage, BUDGET)
    assert excess is not None
    assert says(excess, text, limit=limit)


def test_what_just_fits_is_allowed() -> None:
    assert judge(Usage(100 << 20, 5, 50, 10 << 20, 100), BUDGET) is None


def test_folders_are_added_up_without_following_links(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "usr").symlink_to("/usr")
    usage = folder_usage([tmp_path, tmp_path / "missing"], 1000)
    size, count = usage.disk_bytes, usage.files
    assert not usage.hidden
    assert 100_000 <= size < 200_000
    assert count == 4


def test_counting_files_ends_when_there_are_too_many(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / str(number)).touch()
    assert folder_usage([tmp_path], 10).files == 11


def test_a_file_with_a_hole_counts_what_it_takes(tmp_path: Path) -> None:
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(1 << 30)
    assert folder_usage([tmp_path], 10).disk_bytes < 1 << 20


def test_shared_memory_of_forked_workers_counts_once() -> None:
    code = """
import os, sys
held = bytearray(os.urandom(1 << 20)) * 60
for _ in range(4):
    if os.fork() == 0:
        sys.stdin.read(); os._exit(0)
print("ready", flush=True); sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        resident = usage_of(tree(process), Budget(memory_bytes=1 << 40)).memory_bytes
        shared = usage_of(tree(process), Budget(memory_bytes=1)).memory_bytes
        process.communicate(b"")
    assert resident > 280 << 20
    assert shared < 150 << 20


def test_the_shares_of_a_process_with_large_page_tables_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[psutil.Process] = []

    def refuse(process: psutil.Process) -> None:
        read.append(process)
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "memory_full_info", refuse)
    process = psutil.Process()
    for tables, times in ((100 << 20, 0), (10 << 20, 1)):
        monkeypatch.setattr(watchdog_module, "table_bytes", lambda _, tables=tables: tables)
        used = usage_of([process], Budget(memory_bytes=1 << 20)).memory_bytes
        assert used > tables + process.memory_info().rss // 2
        assert len(read) == times


def test_a_process_that_ended_has_no_tree() -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        process.wait()
        assert tree(process) == []


def test_a_watchdog_without_cause_ends_nothing() -> None:
    ended = []
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        watchdog = Watchdog(process, Budget(memory_bytes=1 << 30), lambda: ended.append(1))
        watchdog.start()
        until(lambda: watchdog.peak_mib)
        process.communicate(b"\n")
        watchdog.stop()
    assert ended == []
    assert watchdog.verdict is None
    assert watchdog.peak_mib > 0


def test_reading_the_memory_of_many_processes_ends_in_time() -> None:
    """Memory that is not read in time counts as nothing, so nobody is charged with it."""
    seconds = iter([0.0, 0.5, 2.0])
    own = psutil.Process()
    once = usage_of([own], Budget(memory_bytes=1), clock=lambda: 0.0).memory_bytes
    twice = usage_of([own, own], Budget(memory_bytes=1), clock=lambda: next(seconds)).memory_bytes
    assert 0 < twice < 1.5 * once


def test_the_memory_that_linux_counted_replaces_the_shares_of_processes() -> None:
    assert usage_of([psutil.Process()], Budget(memory_bytes=1), grouped=123).memory_bytes == 123
    assert usage_of([psutil.Process()], Budget(memory_bytes=1 << 40), grouped=123).memory_bytes > 1 << 20

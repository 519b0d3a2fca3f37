"""Budgets: what is measured and when it is too much; real bombs are in `test_sandbox`."""

import subprocess
import sys
from pathlib import Path

import pytest

from grader.execution.sandbox.watchdog import Budget, Usage, Watchdog, folder_usage, judge, tree, usage_of
from tests.support.waiting import until

BUDGET = Budget(memory_bytes=100 << 20, processes=5, threads=50, disk_bytes=10 << 20, files=100)


@pytest.mark.parametrize(
    ("usage", "said"),
    [
        (Usage(memory_bytes=101 << 20), "100 MiB of memory"),
        (Usage(processes=6), "5 processes"),
        (Usage(threads=51), "50 threads"),
        (Usage(disk_bytes=11 << 20), "10 MiB to disk"),
        (Usage(files=101), "100 files"),
    ],
)
def test_each_budget_has_its_sentence(usage: Usage, said: str) -> None:
    assert said in judge(usage, BUDGET)


def test_what_just_fits_is_allowed() -> None:
    assert judge(Usage(100 << 20, 5, 50, 10 << 20, 100), BUDGET) == ""


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
    assert watchdog.verdict == ""
    assert watchdog.peak_mib > 0

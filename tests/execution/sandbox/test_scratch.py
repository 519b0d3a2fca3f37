"""Locked temporary folders, and their removal when no process holds the lock."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from grader.execution.sandbox import scratch
from grader.execution.sandbox.isolation import Isolation, ProcessLimits
from grader.execution.sandbox.layout import make_layout
from grader.execution.sandbox.scratch import held_folder, hold_folder, runtime_folder, sweep
from grader.schema.errors import SandboxError
from tests.execution.conftest import PYTHON
from tests.support.waiting import DEADLOCK_SECONDS, until
from tests.support.wrapping import expanded


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a separate folder for temporary files and sockets."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(scratch, "_SOCKETS", str(tmp_path))
    return tmp_path


def _kept_by_another(temp: Path) -> "subprocess.Popen[bytes]":
    code = """
import sys, time
from grader.execution.sandbox.scratch import hold_folder
held = hold_folder(sys.argv[1])
(held.path / "deep").mkdir()
(held.path / "deep" / "file").write_text("x")
print("held", flush=True)
time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", code, str(temp)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    process.stdout.close()
    return process


def test_what_is_held_stays_and_what_a_killed_process_held_goes(temp: Path) -> None:
    process = _kept_by_another(temp)
    try:
        with held_folder() as own:
            assert sweep() == 0
            assert len(list(temp.iterdir())) == 2
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert sweep() == 1
            assert list(temp.iterdir()) == [own]
    finally:
        process.kill()
        process.wait()
    assert list(temp.iterdir()) == []


def test_a_folder_that_may_not_be_opened_is_left_alone(temp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = hold_folder()
    os.close(left.descriptor)
    real = os.open

    def opened(path: Path, *more: int) -> int:
        if path == left.path:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *more)

    with monkeypatch.context() as patch:
        patch.setattr("os.open", opened)
        assert sweep() == 0
    assert list(temp.iterdir()) == [left.path]
    assert sweep() == 1


def test_a_sandbox_that_was_not_tied_to_its_grader_yet_is_ended_with_its_folder(
    temp: Path, bubblewrap: Isolation
) -> None:
    left = hold_folder()
    own = bubblewrap.for_run()
    layout = make_layout(left.path / "s", own)
    binds, cwd = layout.binds(PYTHON), layout.inner("work")
    command = own.wrap(["sleep", "60"], binds=binds, env={"MINE": "1"}, cwd=cwd, limits=ProcessLimits())
    process = subprocess.Popen([word for word in expanded(command) if word != "--die-with-parent"])
    try:
        until(lambda: "sleep" in [one.name() for one in psutil.Process(process.pid).children(recursive=True)])
        (inner,) = psutil.Process(process.pid).children()
        process.kill()
        process.wait()
        assert inner.is_running()
        os.close(left.descriptor)
        assert sweep() == 1
        inner.wait(DEADLOCK_SECONDS)
    finally:
        process.kill()
        process.wait()
    assert list(temp.iterdir()) == []


def test_a_program_that_outlived_its_sandbox_is_ended_with_its_folder(temp: Path) -> None:
    left = hold_folder()
    inner = left.path / "work"
    inner.mkdir()
    stray = subprocess.Popen(["/bin/sleep", "600"], env={"HOME": str(inner)})
    other = subprocess.Popen(["/bin/sleep", "600"], env={"HOME": f"{left.path}-other"})
    try:
        for process in (stray, other):
            until(Path(f"/proc/{process.pid}/environ").read_bytes)  # before, it is not the program yet
        os.close(left.descriptor)
        assert sweep() == 1
        assert stray.wait(DEADLOCK_SECONDS) == -signal.SIGKILL
        assert other.poll() is None
    finally:
        for process in (stray, other):
            process.kill()
            process.wait()
    assert list(temp.iterdir()) == []


def test_folders_that_are_not_the_graders_stay(temp: Path) -> None:
    for name in ("grader-homework", "grader-held-short", "grader-held-too_long_", "held-abcdefgh"):
        (temp / name).mkdir()
    (temp / "grader-held-abcdefgh").symlink_to(temp / "grader-homework")
    (temp / "grader-held-a_file__").write_text("x")
    assert sweep() == 0
    assert len(list(temp.iterdir())) == 6


def test_a_folder_that_is_swept_before_it_is_locked_is_made_again(temp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, times = scratch._locked, iter([True, False])

    def late(path: Path, *, must: bool) -> int | None:
        if not must and next(times):
            assert sweep() == 1
        return real(path, must=must)

    monkeypatch.setattr(scratch, "_locked", late)
    held = hold_folder()
    assert list(temp.iterdir()) == [held.path]
    held.let_go()


def test_no_room_for_a_folder_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "_SOCKETS", "/not/there")
    with pytest.raises(SandboxError, match="/not/there"):
        runtime_folder()
    monkeypatch.setattr("tempfile.tempdir", "/not/there")
    with pytest.raises(SandboxError, match="temporary files") as caught, scratch.scratch_folder():
        time.sleep(0)
    assert "TMPDIR" in caught.value.advice

"""Signals: what is done is kept, and nothing is left running."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.support.command import COMMAND, NOTEBOOKS, grade_of, grader, needs_bubblewrap
from tests.support.waiting import DEADLOCK_SECONDS, until

sandboxed = pytest.mark.bubblewrap

pytestmark = pytest.mark.slow

INTERRUPTED = """
import importlib.abc, os, signal, sys

class Interrupt(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

# A shell lets its background jobs ignore this signal.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupt())
from grader.cli import main
{before}
main(["rubric", "list"])
"""
"""A command that gets the signal of Ctrl+C while it imports a module."""


Endless = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def endless(rubric: Path, out: Path) -> Iterator[Endless]:
    """Start a grading whose notebook does not end, and wait until its kernel is there; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*more: str, **env: str) -> "subprocess.Popen[str]":
        words = ["grade", str(NOTEBOOKS / "endless.ipynb"), "--rubric", str(rubric), "--out", str(out)]
        process = subprocess.Popen(
            [str(COMMAND), *words, *more, "--isolation", "none"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **env},
        )
        started.append(process)
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("endless: started"):
                break
        # Until the program itself is there, its sandbox is not tied to the grader yet.
        until(lambda: _in_sandbox(process))
        return process

    yield start
    for process in started:
        with process:
            process.kill()


@sandboxed
def test_ctrl_c_ends_what_runs_and_keeps_what_is_done(rubric: Path, out: Path, tmp_path: Path) -> None:
    needs_bubblewrap()
    temp = tmp_path / "t"
    temp.mkdir()
    notebooks = [str(NOTEBOOKS / f"{name}.ipynb") for name in ("plain", "endless", "raises")]
    process = subprocess.Popen(
        [str(COMMAND), "grade", *notebooks, "--rubric", str(rubric), "--out", str(out), "--jobs", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temp)},
    )
    with process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if line.startswith("endless: started"):
                    break
            running = until(lambda: _in_sandbox(process))
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=DEADLOCK_SECONDS)
        finally:
            process.kill()
    assert process.returncode == 130
    command = shlex.join(["grader", "grade", *notebooks, "--rubric", str(rubric), "--out", str(out), "--jobs", "1"])
    assert "".join(line for line in said.splitlines(keepends=True) if not _is_activity(line)) == (
        "stopping … a second signal stops at once\n"
        f"stopped. Finished results are stored. This command continues:\n{command}\n"
    )
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in running)
    assert list(temp.iterdir()) == []
    assert grade_of(out, "plain")["score"] == 3
    assert sorted(path.name for path in out.iterdir() if path.is_dir() and (path / "grade.json").exists()) == ["plain"]
    assert not (out / "raises").exists()


@pytest.mark.parametrize(
    ("module", "before"),
    [
        # While the command line is imported.
        ("grader.cli.app", ""),
        # While a command imports what it needs: in extension modules, the exception of a signal would get lost.
        ("grader.pipeline.rubrics", ""),
        # Between imports, while the command line is put together.
        ("no module", "import typer.main\ntyper.main.get_command = lambda _: os.kill(os.getpid(), signal.SIGINT)"),
    ],
    ids=["imports", "imports of a command", "between imports"],
)
def test_ctrl_c_in_the_first_moment_prints_nothing(module: str, before: str) -> None:
    code = INTERRUPTED.format(module=module, before=before)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=DEADLOCK_SECONDS
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_other_signals_that_ask_it_to_end_do_the_same(endless: Endless, number: signal.Signals, code: int) -> None:
    process = endless()
    process.send_signal(number)
    _, said = process.communicate(timeout=DEADLOCK_SECONDS)
    assert process.returncode == code
    assert "Finished results are stored" in said


def test_the_command_that_goes_on_does_not_begin_again(endless: Endless, out: Path) -> None:
    process = endless("--no-resume")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=DEADLOCK_SECONDS)
    assert f"--out {out} --isolation none\n" in said
    assert said.endswith("--no-resume was dropped: submissions not re-executed yet keep their earlier results.\n")


def test_a_second_ctrl_c_stops_at_once_and_the_next_run_tidies_up(
    endless: Endless, rubric: Path, out: Path, tmp_path: Path
) -> None:
    process = endless(TMPDIR=str(tmp_path))
    running = psutil.Process(process.pid).children(recursive=True)
    # What holds up the first one: the grader's own wait for a kernel that does not answer.
    assert running
    for one in running:
        one.suspend()
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    said = next(line for line in process.stderr if not _is_activity(line))
    assert said == "stopping … a second signal stops at once\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLOCK_SECONDS)
    assert process.returncode == 130
    psutil.wait_procs(running, timeout=DEADLOCK_SECONDS)
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in running)
    done = grader("grade", NOTEBOOKS / "not-json.ipynb", "--rubric", rubric, "--out", out, "--isolation", "none",
                  env={"TMPDIR": str(tmp_path)})  # fmt: skip
    assert done.code == 0
    assert not list(tmp_path.glob("grader-held-*"))


def test_two_graders_do_not_work_in_one_folder(endless: Endless, rubric: Path, out: Path) -> None:
    process = endless()
    words = ("grade", NOTEBOOKS / "plain.ipynb", "--rubric", rubric, "--out", out, "--isolation", "none")
    done = grader(*words)
    assert (done.code, done.out) == (2, "")
    assert "another grader is using this folder" in done.err
    process.kill()
    process.communicate()
    assert grader(*words).code == 0


def _is_activity(line: str) -> bool:
    """Whether a line is among those that a command prints from time to time."""
    return line.startswith("running: ")


def _in_sandbox(grader: "subprocess.Popen[str]") -> list[psutil.Process]:
    """List the processes below a grader, once its kernel runs: a look at the kernel's Python comes before it."""
    assert grader.poll() is None, grader.communicate()
    processes = psutil.Process(grader.pid).children(recursive=True)
    return processes if any(map(_is_kernel, processes)) else []


def _is_kernel(process: psutil.Process) -> bool:
    """Whether a process is a kernel, or the warm process that a kernel is forked from."""
    with suppress(psutil.Error):
        command = " ".join(process.cmdline())
        return "python" in process.name() and ("inside.kernel" in command or "inside.warm" in command)
    return False

"""A kernel or predictor that was ended from outside is not the student's failure, unlike one that ended by itself."""

import os
import shutil
import signal
import subprocess
import textwrap
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import psutil
import pytest

from grader.execution.predict import PredictionJob, predict
from grader.execution.runner import ExecutionRequest, Progress, execute
from grader.execution.sandbox import layout
from grader.execution.sandbox.container import Container
from grader.execution.sandbox.isolation import Isolation
from grader.execution.sandbox.processes import ended_from_outside, marked_processes
from grader.execution.sandbox.unprotected import NoIsolation
from grader.schema.errors import PredictorError, SandboxError
from grader.schema.message import say
from grader.schema.rubric import RunSettings
from tests.support.says import says

pytestmark = pytest.mark.bubblewrap
BOTH = pytest.mark.parametrize("isolation", ["bubblewrap", "none"], indirect=True)
WAIT = "import time; time.sleep(600)"


def _execute(tmp_path: Path, isolation: Isolation, cell: str, listener: Callable[[Progress], None], **more: Any) -> Any:
    request = ExecutionRequest(
        notebook=nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)]),
        scratch=tmp_path / "s",
        isolation=isolation,
        settings=RunSettings(time=600, memory=1 << 30),
        kernel_module="ipykernel_launcher",
        **{"finish_code": None, **more},
    )
    return execute(request, listener)


def _kill(marks: list[str], when: str) -> Callable[[Progress], None]:
    """Kill the kernel as the operating system does when memory runs out."""

    def listen(step: Progress) -> None:
        if step.kind == when:
            for process in (one for mark in marks for one in marked_processes(mark)):
                # Bubblewrap's own processes are among them, and the first takes the others along.
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    return listen


@BOTH
def test_a_kernel_killed_from_outside_is_the_graders_failure(
    isolation: Isolation, tmp_path: Path, marks: list[str]
) -> None:
    with pytest.raises(SandboxError, match=r"killed \(SIGKILL\), and not by the grader") as caught:
        _execute(tmp_path, isolation, WAIT, _kill(marks, "running"))
    assert caught.value.where == "cell 1"
    assert "fewer at a time" in caught.value.advice


@BOTH
def test_so_it_is_while_the_record_is_closed(isolation: Isolation, tmp_path: Path, marks: list[str]) -> None:
    with pytest.raises(SandboxError, match="not by the grader") as caught:
        _execute(tmp_path, isolation, "1", _kill(marks, "finishing"), finish_code=WAIT)
    assert caught.value.where == "after the last cell"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_sandbox_that_got_a_signal_from_outside_is_the_graders_failure(
    bubblewrap: Isolation, tmp_path: Path, number: signal.Signals
) -> None:
    others = psutil.Process().children()  # such as the warm processes of all tests

    def listen(step: Progress) -> None:
        if step.kind == "running":
            for child in psutil.Process().children():
                if child not in others:
                    child.send_signal(number)

    with pytest.raises(SandboxError, match="the kernel was ended"):
        _execute(tmp_path, bubblewrap, WAIT, listen)


def test_a_kernel_that_kills_itself_gains_nothing_but_a_look(bubblewrap: Isolation, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="not by the grader"):
        _execute(tmp_path, bubblewrap, "import os; os.kill(os.getpid(), 9)", lambda _: None)


def test_other_ends_are_the_programs_own(bubblewrap: Isolation, tmp_path: Path) -> None:
    outcome = _execute(tmp_path, bubblewrap, "import os; os.kill(os.getpid(), 15)", lambda _: None)
    assert outcome.run.status == "died"
    assert says(outcome.run.reason, "the kernel ended in {cell:cell} ({cause})", cell=0)
    assert says(outcome.run.reason, "exit code {code:raw}", code=143)


def test_in_a_container_sigkill_is_how_its_own_limit_of_memory_ends_a_program() -> None:
    with subprocess.Popen(["/bin/sh", "-c", "kill -9 $$"]) as process:
        process.wait()
    assert ended_from_outside(process, Container()) == ""
    assert "SIGKILL" in ended_from_outside(process, NoIsolation())


STAND_IN = "import os, sys, json; exec(open(json.load(open(sys.argv[1]))['jobs'][0]['model']).read())"


@BOTH
@pytest.mark.parametrize(("code", "lost"), [("os.kill(os.getpid(), 9)", True), ("os._exit(3)", False)])
def test_no_model_is_blamed_for_a_predictor_that_was_killed(
    isolation: Isolation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    lost: bool,  # noqa: FBT001 — a table
) -> None:
    package = tmp_path / "stand-in"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copyfile(layout._INSIDE / "calls.py", package / "calls.py")
    (package / "predictor.py").write_text(textwrap.dedent(STAND_IN), encoding="utf-8")
    monkeypatch.setattr(layout, "_INSIDE", package)
    np.save(tmp_path / "x.npy", np.zeros((2, 3), dtype="float32"))
    (tmp_path / "m.keras").write_text(code, encoding="utf-8")
    job = PredictionJob("m1", tmp_path / "m.keras", "keras", "keras3", tmp_path / "x.npy")
    if lost:
        with pytest.raises(PredictorError, match="the predictor was ended: it was killed"):
            predict([job], isolation=isolation, scratch=tmp_path / "p")
    else:
        (result,) = predict([job], isolation=isolation, scratch=tmp_path / "p")
        assert result.error == say("the model crashed the predictor (exit code {code:raw})", code=3)
    assert os.path.lexists(tmp_path / "p")

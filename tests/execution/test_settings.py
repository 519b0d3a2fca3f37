"""Effects of the rubric's `run` settings on a real notebook and on the predictor."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grader.execution.runner import ExecutionOutcome
from grader.execution.sandbox.isolation import Isolation
from grader.pipeline import execution
from grader.pipeline.execution import Executor
from grader.schema.rubric import OutputSettings, RunSettings
from tests.support.says import says

Cells = Callable[..., ExecutionOutcome]


def printed(outcome: ExecutionOutcome, cell: int = 0) -> str:
    return "".join(out.get("text", "") for out in outcome.notebook.cells[cell].outputs)


def test_a_notebook_may_write_as_much_as_the_rubric_says(bubblewrap: Isolation, run_cells: Cells) -> None:
    code = "import time\nwith open('big', 'wb') as file: file.write(b'x' * (30 << 20))\ntime.sleep(20)"
    outcome = run_cells(bubblewrap, code, disk=20 << 20)
    assert outcome.run.status == "memory"
    assert says(outcome.run.reason, "it wrote more than {limit:size} to disk", limit=20 << 20)


def test_a_notebook_may_start_as_many_processes_as_the_rubric_says(bubblewrap: Isolation, run_cells: Cells) -> None:
    code = """
import subprocess, time
held = [subprocess.Popen(["sleep", "20"]) for _ in range(30)]
time.sleep(20)
"""
    outcome = run_cells(bubblewrap, code, processes=20)
    assert outcome.run.status == "memory"
    assert says(outcome.run.reason, "it started more than {limit:number} processes", limit=20)


def test_output_is_kept_as_far_as_the_rubric_says(bubblewrap: Isolation, run_cells: Cells) -> None:
    output = OutputSettings(cell_text=1_000, total_text=1_500, total_images=1)
    show = "from IPython.display import Image, display\nfor _ in range(3): display(Image(data=b'x', format='png'))"
    session = "import os; print(open(os.environ['GRADER_SESSION']).read())"
    outcome = run_cells(bubblewrap, "print('x' * 5000)", "print('y' * 5000)", show, session, output=output)
    assert 900 <= printed(outcome, 0).count("x") <= 1_000
    assert printed(outcome, 1).count("y") <= 600
    shown = [out for out in outcome.notebook.cells[2].outputs if "image/png" in out.get("data", {})]
    assert len(shown) == 1
    assert "too many images" in printed(outcome, 2)


def test_the_recorder_has_the_caps_of_the_rubric(bubblewrap: Isolation, run_cells: Cells) -> None:
    session = "import os; print(open(os.environ['GRADER_SESSION']).read())"
    outcome = run_cells(bubblewrap, session, kept_models=64 << 20, output=OutputSettings(cell_text=51_200))
    facts = json.loads(printed(outcome))
    assert (facts["max_models_mib"], facts["max_output_kib"]) == (64, 50)


class _Any:
    """An object that accepts any attribute, in addition to the given ones."""

    def __init__(self, **given: Any) -> None:
        self.__dict__.update(given)

    def __getattr__(self, name: str) -> Any:
        return _Any()


def test_the_predictor_is_given_the_limits_of_the_rubric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def predict(_jobs: Any, **keys: Any) -> list[Any]:
        asked.update(keys)
        return []

    monkeypatch.setattr(execution, "predict", predict)
    monkeypatch.setattr(execution, "plan_inputs", lambda *_: np.zeros((2, 4), np.float32))
    run = RunSettings(predictor_time=60, predictor_memory=1 << 30)
    course: Any = _Any(loaded=_Any(rubric=_Any(run=run)))
    plan: Any = _Any(id="p", format="keras", dialect="keras3", artefact="models/m.keras")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "m.keras").write_bytes(b"")
    bench: Any = _Any()
    executor = Executor(course, bench, bench, lambda _: None)
    assert list(executor._predicted([plan], tmp_path, tmp_path)) == []
    assert (asked["limits"].process_seconds, asked["limits"].memory_bytes) == (60, 1 << 30)

"""Predictions of the models that a record names."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from grader.evidence.prediction_plans import PredictionPlan
from grader.execution.sandbox.device import Device
from grader.execution.sandbox.unprotected import NoIsolation
from grader.pipeline import execution
from grader.pipeline.execution import Executor
from grader.pipeline.setup import Bench, Options
from grader.schema.rubric import RunSettings
from tests.support.says import says


@pytest.mark.parametrize("artefact", ["models/never.keras", "models/link.keras", "../outside.keras"])
def test_a_model_that_cannot_be_used_has_no_predictions_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, artefact: str
) -> None:
    (tmp_path / "evidence" / "models").mkdir(parents=True)
    (tmp_path / "outside.keras").touch()
    (tmp_path / "evidence" / "models" / "link.keras").symlink_to(tmp_path / "outside.keras")
    monkeypatch.setattr(execution, "plan_inputs", lambda *_: np.zeros((2, 2)))
    values: dict[str, Any] = {"preparation": None, "preprocessing": "", "input_shape": (2,), "dialect": "keras3"}
    plan = PredictionPlan("p1", "m1", "tiny", "test", artefact, "keras", **values)
    rubric = SimpleNamespace(run=RunSettings())
    course = SimpleNamespace(indexes={}, loaded=SimpleNamespace(rubric=rubric))
    bench = Bench(NoIsolation(), Device("cpu"), threads=1, options=Options(), python=Path("python"))
    executor = Executor(cast("Any", course), bench, cast("Any", None), lambda _: None)
    (tmp_path / "scratch").mkdir()
    (result,) = executor._predicted([plan], tmp_path / "evidence", tmp_path / "scratch")
    assert result.outputs is None
    assert says(result.error, "its file cannot be used: {reason}")

"""Evidence of one trained and kept model, and the plan for it."""

from collections.abc import Mapping
from typing import Any

from grader.evidence.prediction_plans import PredictionPlan, plan_predictions
from grader.evidence.provenance import DatasetIndex
from grader.schema.evidence import (
    ArrayFact,
    EvaluateFact,
    Evidence,
    FitFact,
    ModelFact,
    RowsFact,
    TransformFact,
)
from grader.schema.submission import Run

__all__ = ["DIVIDED", "Indexes", "array", "evidence_of", "only_plan"]


Indexes = Mapping[str, DatasetIndex]


DIVIDED = TransformFact(kind="affine", scale=1 / 255, shift=0.0)


def array(transform: TransformFact | None = DIVIDED, dataset: str = "mnist", **more: Any) -> ArrayFact:
    rows = RowsFact(dataset=dataset, counts={"train": 100, "test": 0}, matched=1.0, method="fingerprint")
    given: dict[str, Any] = {"shape": (100, 28, 28), "dtype": "float32", "rows": rows, "transform": transform} | more
    return ArrayFact(**given)


def evidence_of(run: Run, x: ArrayFact | None = None, *, evaluated: ArrayFact | None = None, **more: Any) -> Evidence:
    """One trained and kept model."""
    model: dict[str, Any] = {
        "id": "m1",
        "name": "cnn",
        "cls": "Sequential",
        "dialect": "keras3",
        "input_shape": (28, 28, 1),
        "output_shape": (10,),
        "parameters": 5,
        "artefact": "models/m1.keras",
        "artefact_format": "keras",
    }
    fit = FitFact(event=3, cell=1, model="m1", status="completed", x=x)
    seen = () if evaluated is None else (EvaluateFact(event=4, cell=2, model="m1", x=evaluated),)
    return Evidence(run=run, models=(ModelFact(**model | more),), fits=(fit,), evaluations=seen)


def only_plan(evidence: Evidence, indexes: Indexes, **more: Any) -> PredictionPlan:
    plans = plan_predictions(evidence, "mnist", ("test",), indexes, **more)
    assert len(plans) == 1
    return plans[0]

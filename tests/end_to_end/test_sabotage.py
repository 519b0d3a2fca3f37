"""A training that takes place never looks like none, whatever part of the recorder fails while it runs."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from grader.checks import all_checks, all_diagnostics
from grader.evidence.artefacts import ArtefactFolder
from grader.evidence.build import build_evidence
from grader.facts.case import Case
from grader.facts.roles import resolve_roles
from grader.grading import grade
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade
from tests.support.factories import a_rubric, a_run, a_stamp, a_submission
from tests.support.forked_python import forked_python
from tests.support.recorded import environment, make_data, read_events, write_session

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

FITS = "inside.watch.fits"
PARTS = {
    "begins": f"{FITS}:FitWatch._begin",
    "starts": f"{FITS}:FitWatch.started",
    "epochs": f"{FITS}:FitWatch.epoch_begun",
    "steps": f"{FITS}:FitWatch.step_begun",
    "epoch_ends": f"{FITS}:FitWatch.epoch_ended",
    "ends": f"{FITS}:FitWatch._end",
    "settles": f"{FITS}:FitWatch._settle",
    "digests": f"{FITS}:digests",
    "masks": f"{FITS}:trainable_mask",
    "announced": "inside.watch.model_book:ModelBook.announce",
    "held": "inside.watch.model_book:ModelBook.hold",
    "trained": "inside.watch.model_book:ModelBook.trained",
    "shared": "inside.watch.artefacts:Keeper.keep_sharers",
    "changed": "inside.watch.artefacts:Keeper.changed",
    "rebased": "inside.watch.loops:LoopWatch.rebase",
    "compiled": "inside.watch.keras_hooks:Watch._compiled",
}
"""Variable and name of a model → the part that raises when it is given this model."""
MODELS = ("whole", *PARTS)
FIRST = """\
# %% data
import numpy as np
from tensorflow import keras
x, y = np.random.rand(60, 8).astype("float32"), np.arange(60) % 3

def build(name):
    return keras.Sequential([keras.layers.Input(shape=(8,)), keras.layers.Dense(3, activation="softmax")], name=name)
"""
CELL = """\
# %% {name}
{name} = build("{name}")
{name}.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history_of_{name} = {name}.fit(x, y, epochs=2, batch_size=20, verbose=0)
assert len(history_of_{name}.history["loss"]) == 2
"""


@pytest.fixture(scope="module", params=["keras3", pytest.param("keras2", marks=pytest.mark.slow)])
def evidence(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Evidence:
    """The record of a notebook that trains each model in a kernel with a failing recorder."""
    folder = tmp_path_factory.mktemp(request.param)
    script, parts = folder / "cells.py", folder / "parts.json"
    script.write_text(FIRST + "".join(CELL.format(name=name) for name in MODELS), encoding="utf-8")
    parts.write_text(json.dumps(PARTS), encoding="utf-8")
    session = write_session(folder, make_data(folder / "data"), request.param)
    here = Path(__file__).parents[1] / "support"
    words = [here / "drive_kernel.py", script, folder / "seen.json", here / "sabotaged_kernel.py", parts]
    variables = environment(session)
    done = forked_python(request.param, [*words], variables, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((folder / "seen.json").read_text(encoding="utf-8"))["errors"] == {}
    return build_evidence(
        run=a_run(cell_map=tuple(range(len(MODELS) + 1)), dialect=request.param),
        notebook={"cells": []},
        submitted=None,
        events=read_events(folder / "out"),
        arrays=ArtefactFolder(folder / "out"),
        indexes={},
    )


def graded(evidence: Evidence, name: str) -> Grade:
    """Grade the notebook by a rubric about one of its models."""
    role = {"model": "graded"}
    criteria: list[dict[str, Any]] = [
        {"id": "trained", "points": 1, "check": "trained", "with": role | {"epochs_at_least": 2}},
        {"id": "layer", "points": 1, "check": "has_layer", "with": role | {"layer": "Dense"}},
        {"id": "input", "points": 1, "check": "input_shape", "with": role | {"shape": [8]}},
        {"id": "loss", "points": 1, "check": "loss", "with": role | {"name": "sparse_categorical_crossentropy"}},
        {"id": "optimizer", "points": 1, "check": "optimizer", "with": role | {"cls": "SGD"}},
        {"id": "runs", "points": 1, "check": "runs"},
    ]
    rubric = a_rubric(*criteria, roles={"graded": {"name": name, "trained": True}})
    return grade(
        Case(evidence=evidence, rubric=rubric, roles=resolve_roles(rubric, evidence)),
        submission=a_submission(),
        stamp=a_stamp(),
        checks=all_checks(),
        diagnostics=all_diagnostics(),
        reference=None,
    )


def test_each_part_that_raises_is_a_gap(evidence: Evidence) -> None:
    hooks = {gap.hook for gap in evidence.gaps}
    # These two are parts of `FitWatch._begin`, which is named instead.
    assert {part.partition(":")[2] for part in PARTS.values()} - hooks == {"trainable_mask", "Keeper.keep_sharers"}
    assert all(gap.lost for gap in evidence.gaps)
    assert max(Counter(gap.hook for gap in evidence.gaps).values()) <= 5


def test_each_training_is_recorded_once(evidence: Evidence) -> None:
    assert len(evidence.fits) == len(MODELS)
    assert len({fit.model for fit in evidence.fits}) == len(MODELS)


def test_a_training_beside_the_failures_is_recorded_whole(evidence: Evidence) -> None:
    (model,) = [model for model in evidence.models if model.name == "whole"]
    (fit,) = evidence.fits_of(model.id)
    assert (fit.status, fit.epochs_done, len(fit.history["loss"])) == ("completed", 2, 2)
    assert fit.changed_layers
    assert model.artefact is not None


@pytest.mark.parametrize("name", [name for name in MODELS if name not in {"changed", "settles", "announced"}])
def test_a_model_is_kept_whatever_else_fails(evidence: Evidence, name: str) -> None:
    (model,) = [model for model in evidence.models if model.name == name]
    assert model.artefact is not None


@pytest.mark.parametrize("name", MODELS)
def test_no_criterion_is_failed(evidence: Evidence, name: str) -> None:
    result = graded(evidence, name)
    assert {c.id: c.status for c in result.criteria if c.status not in {"passed", "pending"}} == {}
    assert not any("never trained" in c.message for c in result.criteria)
    assert any("recorder failed" in problem for problem in result.problems)
    assert result.criteria[-1].status == "passed"


def test_what_was_recorded_whole_passes(evidence: Evidence) -> None:
    assert {c.status for c in graded(evidence, "whole").criteria} == {"passed"}

"""A record that was damaged on its way to the grader never makes a criterion failed."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from grader.checks import all_checks, all_diagnostics
from grader.evidence.artefacts import ArtefactFolder
from grader.evidence.build import build_evidence
from grader.execution.collect import read_record
from grader.facts.case import Case
from grader.facts.roles import resolve_roles
from grader.grading import grade
from grader.schema.grade import Grade
from tests.support.factories import a_rubric, a_run, a_stamp, a_submission
from tests.support.forked_python import forked_python
from tests.support.recorded import environment, make_data, write_session

pytestmark = [pytest.mark.tensorflow, pytest.mark.xdist_group("damaged")]

NOTEBOOK = """\
# %% data
import numpy as np, matplotlib.pyplot as plt
from tensorflow import keras
(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, x_test = x_train / 255.0, x_test / 255.0
# %% model
model = keras.Sequential([
    keras.layers.Input(shape=(28, 28)), keras.layers.Flatten(), keras.layers.Dropout(0.2),
    keras.layers.Dense(10, activation="softmax"),
])
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
# %% training
history = model.fit(x_train, y_train, epochs=3, validation_split=0.1, verbose=0)
model.evaluate(x_test, y_test, verbose=0)
# %% curves
plt.plot(history.history["loss"], label="training")
plt.plot(history.history["val_loss"], label="validation")
plt.xlabel("epoch")
plt.ylabel("loss")
plt.legend()
plt.show()
"""
MODEL = {"model": "net"}
CRITERIA: tuple[dict[str, Any], ...] = (
    {"id": "runs", "points": 1, "check": "runs"},
    {"id": "input", "points": 1, "check": "input_shape", "with": MODEL | {"shape": [28, 28]}},
    {"id": "output", "points": 1, "check": "output_shape", "with": MODEL | {"shape": [10]}},
    {"id": "dropout", "points": 1, "check": "has_layer", "with": MODEL | {"layer": "Dropout"}},
    {"id": "parameters", "points": 1, "check": "parameters", "with": MODEL | {"at_most": 8000}},
    {"id": "loss", "points": 1, "check": "loss", "with": MODEL | {"name": "sparse_categorical_crossentropy"}},
    {"id": "optimizer", "points": 1, "check": "optimizer", "with": MODEL | {"cls": "Adam"}},
    {"id": "trained", "points": 1, "check": "trained", "with": MODEL | {"epochs_at_least": 3, "loss_falls": True}},
    {"id": "curve", "points": 1, "check": "plots", "with": MODEL | {"metric": "loss"}},
)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record of a notebook that meets every criterion."""
    folder = tmp_path_factory.mktemp("record")
    (folder / "cells.py").write_text(NOTEBOOK, encoding="utf-8")
    session = write_session(folder, make_data(folder / "data"), "keras3")
    driver = Path(__file__).parents[1] / "support" / "drive_kernel.py"
    variables = environment(session) | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    done = forked_python("keras3", [driver, folder / "cells.py", folder / "seen.json"], variables, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((folder / "seen.json").read_text(encoding="utf-8"))["errors"] == {}
    return folder / "out"


@pytest.fixture(scope="module")
def lines(out: Path) -> list[bytes]:
    return (out / "events.jsonl").read_bytes().splitlines(keepends=True)


def graded(out: Path, record: bytes) -> Grade:
    """Grade the notebook by its record, which replaces the recorder's."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        path.write_bytes(record)
        claims = read_record(path)
    evidence = build_evidence(
        run=a_run(cell_map=(0, 1, 2, 3), cells_run=4, cells_total=4),
        notebook={"cells": []},
        submitted=None,
        events=claims.events,
        arrays=ArtefactFolder(out),
        indexes={},
        unread=claims.problems,
    )
    rubric = a_rubric(*CRITERIA, roles={"net": {"outputs": 10, "pick": "last_trained"}})
    return grade(
        Case(evidence=evidence, rubric=rubric, roles=resolve_roles(rubric, evidence)),
        submission=a_submission(),
        stamp=a_stamp(),
        checks=all_checks(),
        diagnostics=all_diagnostics(),
        reference=None,
    )


def statuses(result: Grade) -> dict[str, str]:
    return {line.id: line.status for line in result.criteria}


def test_the_whole_record_passes(out: Path, lines: list[bytes]) -> None:
    result = graded(out, b"".join(lines))
    assert set(statuses(result).values()) == {"passed"}
    assert result.problems == ()


def test_a_missing_line_fails_nothing_and_is_a_problem(out: Path, lines: list[bytes]) -> None:
    for number in range(len(lines)):
        result = graded(out, b"".join(lines[:number] + lines[number + 1 :]))
        assert set(statuses(result).values()) <= {"passed", "pending"}, lines[number]
        assert result.problems, lines[number]


def test_a_damaged_line_fails_nothing_and_is_a_problem(out: Path, lines: list[bytes]) -> None:
    for number, line in enumerate(lines):
        for damaged in (b"\x00" * 20 + b"\n", line[: len(line) // 2] + b"\n", b'{"n": 1}\n'):
            result = graded(out, b"".join([*lines[:number], damaged, *lines[number + 1 :]]))
            assert set(statuses(result).values()) <= {"passed", "pending"}, (line, damaged)
            assert result.problems, (line, damaged)


def test_a_record_that_ends_early_fails_nothing(out: Path, lines: list[bytes]) -> None:
    whole = b"".join(lines)
    for length in range(0, len(whole), max(1, len(whole) // 200)):
        result = graded(out, whole[:length])
        assert set(statuses(result).values()) <= {"passed", "pending"}, whole[max(0, length - 200) : length]
        assert result.problems


def test_a_lost_key_of_an_event_fails_nothing(out: Path, lines: list[bytes]) -> None:
    wrong = []
    for number, line in enumerate(lines):
        event = json.loads(line)
        for name in event:
            rest = json.dumps({key: value for key, value in event.items() if key != name}).encode() + b"\n"
            result = graded(out, b"".join([*lines[:number], rest, *lines[number + 1 :]]))
            wrong += [(number, event["kind"], name, *one) for one in statuses(result).items() if one[1] == "failed"]
    assert wrong == []

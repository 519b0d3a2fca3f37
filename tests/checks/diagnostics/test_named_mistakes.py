"""Each mistake that the assignments name: its diagnostic, its hand-made cases, and a real cell with the mistake.

Two notebooks go through the real kernel, the recorder, the evidence and the grade. One makes every mistake, the other
only resembles it.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from grader.checks import all_diagnostics
from grader.datasets.store import DatasetStore
from grader.intake.find import find_submissions
from grader.pipeline.course import load_course
from grader.pipeline.rubrics import find_rubric
from grader.pipeline.setup import Options, set_up
from grader.schema.errors import IsolationRefusedError
from grader.schema.grade import Grade
from grader.store.results import ResultsFolder
from tests.support.diagnosing import tables
from tests.support.warm_grading import grade_warm

NOTEBOOKS = Path(__file__).parents[2] / "notebooks" / "cells"

NAMED: Mapping[str, str] = {
    # The flaws of the bad model in the first assignment.
    "all-zero kernel initialisers": "zero-kernel-initialiser",
    "far too many filters in a first 3 by 3 layer": "too-many-first-filters",
    "filters shrinking with depth": "filters-shrink-with-depth",
    "10 by 10 kernels": "large-kernels",
    "a kernel larger than the feature map it gets": "kernel-larger-than-map",
    "softmax in a hidden layer": "softmax-in-hidden-layer",
    "sigmoid on a one-of-ten output": "sigmoid-on-one-of-many",
    "dropout after the output probabilities": "dropout-after-output",
    # Mistakes in any assignment.
    "softmax output with a from_logits=True loss": "softmax-with-from-logits",
    "logits with a loss that expects probabilities": "logits-with-probability-loss",
    "pixels left at 0 to 255": "raw-pixels",
    "a normalised array that is never used": "normalised-array-unused",
    "validation on the test set": "validation-on-test-set",
    "test images in the training data": "test-images-in-training-data",
    "trainable changed without a new compile": "trainable-without-compile",
    "shared layers changed by training the copy": "shared-layers-changed",
    "an optimizer reused across models": "optimizer-reused",
    "MC dropout evaluated with dropout off": "mc-dropout-off",
    "SELU without LeCun initialiser": "selu-without-lecun",
    "SELU without standardised inputs": "selu-inputs-not-standardised",
    "SELU with plain dropout": "selu-with-plain-dropout",
    "early stopping without restore_best_weights": "early-stopping-without-best-weights",
    "accuracy still rising when training stopped": "still-rising",
    "cells executed out of order in the submitted file": "cells-out-of-order",
    "names that exist only through it": "name-from-elsewhere",
    "unfinished YOUR CODE HERE cells": "unfinished-cell",
    "a report figure without axis labels": "figure-without-labels",
    # Mistakes that the record of a run shows.
    "evaluation on 0 to 255 after training on 0 to 1": "evaluation-on-other-scale",
    "a clone that is never used": "clone-unused",
    "validation_split on sorted labels": "validation-split-on-sorted-labels",
    "an automatic layer name from another run": "automatic-layer-name",
    "names of Databricks": "databricks-only",
    "conflict markers in a cell": "conflict-markers",
}

ALSO = {("normalised-array-unused", "raw-pixels"), ("trainable-without-compile", "frozen-layers-changed")}
"""(cell, diagnostic) of two further notes that follow from the mistakes: a raw training, changed frozen layers."""

RUBRIC = """
version: 1
id: mistakes
title: Mistakes
dataset: mnist
run: {dialect: keras3, seed: 3, time: 10 min, fit_time: 2 min}
criteria:
  - {id: runs, points: 1, check: runs}
"""


def cells_of(name: str) -> list[tuple[str, str]]:
    """List (title, source) of each cell of a file in which cells start with `# %% title`."""
    text = (NOTEBOOKS / f"{name}.py").read_text(encoding="utf-8")
    parts = re.split(r"^# %% (.*)$", text, flags=re.MULTILINE)[1:]
    return [(title.partition(":")[0], source.strip()) for title, source in zip(parts[::2], parts[1::2], strict=True)]


def write_notebook(name: str, folder: Path) -> None:
    """Write a notebook as Jupyter saves it after a run; the cells of the mistaken notebook ran in another order."""
    cells = []
    for number, (title, source) in enumerate(cells_of(name), start=1):
        cell = new_code_cell(source)
        out_of_order = title == "cells-out-of-order" and name == "mistaken"
        cell["execution_count"] = 2 if out_of_order else 3 * number
        cells.append(cell)
    path = folder / name / f"{name}.ipynb"
    path.parent.mkdir(parents=True)
    kernel = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


@pytest.mark.parametrize("mistake", NAMED)
def test_each_named_mistake_has_a_diagnostic_and_cases_of_both_kinds(mistake: str) -> None:
    name = NAMED[mistake]
    assert name in all_diagnostics()
    mistakes, lookalikes = tables(all_diagnostics()[name].run.__module__.rpartition(".")[2])
    assert mistakes[name]
    assert lookalikes[name]
    for notebook in ("mistaken", "lookalike"):
        assert name in [title for title, _ in cells_of(notebook)], notebook


def test_no_diagnostic_is_named_twice() -> None:
    assert len(set(NAMED.values())) == len(NAMED)


@pytest.fixture(scope="module")
def grades(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Grade]:
    root = tmp_path_factory.mktemp("mistakes")
    (root / "mistakes.yaml").write_text(RUBRIC, encoding="utf-8")
    loaded = find_rubric(str(root / "mistakes.yaml"))
    try:
        bench = set_up(loaded, Options(isolation="bubblewrap", jobs=1))
    except IsolationRefusedError as error:
        pytest.skip(str(error))
    for name in ("mistaken", "lookalike"):
        write_notebook(name, root / "notebooks")
    submissions = find_submissions([root / "notebooks"], unpack_to=root / "unpacked")
    course = load_course(loaded, DatasetStore())
    out = ResultsFolder(root / "results")
    grade_warm(submissions, course, bench, out)
    return {name: grade for name in out.submissions() if (grade := out.read_grade(name)) is not None}


def really(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that executes the notebooks."""
    for mark in (
        pytest.mark.slow,
        pytest.mark.tensorflow,
        pytest.mark.bubblewrap,
        pytest.mark.timeout(900),
    ):
        test = mark(test)
    return test


def noted(grade: Grade, name: str) -> set[tuple[str, str]]:
    """List (title of the cell, diagnostic) of each note."""
    titles = [title for title, _ in cells_of(name)]
    return {("" if note.cell is None else titles[note.cell], note.id) for note in grade.diagnostics}


@really
def test_each_mistake_is_noted_at_its_cell(grades: dict[str, Grade]) -> None:
    grade = grades["mistaken"]
    assert grade.status == "graded", grade.reason
    assert noted(grade, "mistaken") == {(name, name) for name in NAMED.values()} | ALSO


@really
def test_a_notebook_without_mistakes_gets_no_note(grades: dict[str, Grade]) -> None:
    grade = grades["lookalike"]
    assert grade.status == "graded", grade.reason
    assert grade.execution is not None
    assert grade.execution.errors == ()
    assert noted(grade, "lookalike") == set()

"""Small versions of the official tutorials of Keras and TensorFlow, through the whole grader: no note is false.

Each file in `tests/notebooks/cells/tutorials` has the code of one tutorial in its own idioms, with little data, one or
two epochs, and no download. Most tutorials get no note. The few notes that are true are listed below, with the reason.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from grader.datasets.store import DatasetStore
from grader.intake.find import find_submissions
from grader.pipeline.course import load_course
from grader.pipeline.rubrics import find_rubric
from grader.pipeline.setup import Options, set_up
from grader.schema.errors import IsolationRefusedError
from grader.schema.grade import Grade
from grader.store.results import ResultsFolder
from tests.support.warm_grading import grade_warm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.tensorflow,
    pytest.mark.bubblewrap,
    pytest.mark.timeout(3600),
]

TUTORIALS = Path(__file__).parents[1] / "notebooks" / "cells" / "tutorials"
NAMES = sorted(path.stem for path in TUTORIALS.glob("*.py"))

TRUE: Mapping[str, frozenset[tuple[str, str]]] = {
    # The distiller does not freeze its teacher, so it trains the teacher, too.
    "keras_knowledge_distillation": frozenset({("student", "shared-layers-changed")}),
    # These pass the test images as validation data.
    "keras_blog_autoencoders": frozenset(
        {(cell, "validation-on-test-set") for cell in ("data", "sparse and deep", "convolutional")}
    ),
    "tf_autoencoder": frozenset({("train basic", "validation-on-test-set")}),
    "tf_cifar_cnn": frozenset({("train", "validation-on-test-set")}),
    "tf_save_and_load": frozenset({(cell, "validation-on-test-set") for cell in ("checkpoints", "options")}),
    # In Keras 3, `predict` switches dropout off even in layers that were called with `training=True`.
    "keras_monte_carlo_dropout": frozenset({("passes", "mc-dropout-off")}),
    # Photographs from 0 to 255 go into the first convolution.
    "keras_segmentation": frozenset({("train", "raw-pixels")}),
    # Bars of probabilities, curves and a histogram without labels.
    "tf_fashion_classifier": frozenset({("one prediction", "figure-without-labels")}),
    "tf_flowers": frozenset({("results", "figure-without-labels")}),
    "tf_overfit_and_underfit": frozenset({("data", "figure-without-labels")}),
}
"""Tutorial → (title of the cell, diagnostic) of its notes; the others get none."""

RUBRIC = """
version: 1
id: tutorials
title: Tutorials
dataset: mnist
datasets: [mnist, fashion_mnist, cifar10]
stand_in: [fashion_mnist, cifar10]
run: {dialect: auto, seed: 7, time: 10 min, fit_time: 5 min}
criteria:
  - {id: runs, title: Runs, points: 1, check: runs}
"""


def cells_of(name: str) -> list[tuple[str, str]]:
    """List (title, source) of each cell of a tutorial."""
    parts = re.split(r"^# %% (.*)$", (TUTORIALS / f"{name}.py").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return [(title, source.strip()) for title, source in zip(parts[::2], parts[1::2], strict=True)]


@pytest.fixture(scope="module")
def grades(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Grade]:
    """Grade every tutorial once."""
    root = tmp_path_factory.mktemp("tutorials")
    (root / "tutorials.yaml").write_text(RUBRIC, encoding="utf-8")
    loaded = find_rubric(str(root / "tutorials.yaml"))
    try:
        bench = set_up(loaded, Options(isolation="bubblewrap", jobs=1))
    except IsolationRefusedError as error:
        pytest.skip(str(error))
    kernel = {"name": "python3", "display_name": "Python 3"}
    (root / "notebooks").mkdir()
    for name in NAMES:
        cells = [new_code_cell(source) for _, source in cells_of(name)]
        nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), root / "notebooks" / f"{name}.ipynb")
    submissions = find_submissions([root / "notebooks"], unpack_to=root / "unpacked")
    out = ResultsFolder(root / "results")
    grade_warm(submissions, load_course(loaded, DatasetStore()), bench, out)
    return {name: grade for name in out.submissions() if (grade := out.read_grade(name)) is not None}


def test_the_list_of_true_notes_names_existing_tutorials_and_cells() -> None:
    for name, notes in TRUE.items():
        titles = [title for title, _ in cells_of(name)]
        assert notes
        assert {cell for cell, _ in notes} <= set(titles), name


@pytest.mark.parametrize("name", NAMES)
def test_a_tutorial_runs_and_gets_no_false_note(grades: dict[str, Grade], name: str) -> None:
    grade = grades[name]
    assert grade.status == "graded", grade.reason
    assert grade.execution is not None
    assert grade.execution.errors == ()
    titles = [title for title, _ in cells_of(name)]
    notes = {("" if note.cell is None else titles[note.cell], note.id) for note in grade.diagnostics}
    assert notes == TRUE.get(name, frozenset())

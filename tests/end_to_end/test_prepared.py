"""A preparation that nobody trains on, from a real kernel to the grade, on a machine without the data set."""

import dataclasses
from pathlib import Path

import nbformat
import pytest

from grader.datasets.sources import Source, local_sources
from grader.datasets.store import DatasetStore
from grader.intake.find import find_submissions
from grader.pipeline.course import Course, load_course
from grader.pipeline.execution import keys_of
from grader.pipeline.rubrics import find_rubric
from grader.pipeline.setup import Options, set_up
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade
from grader.schema.submission import Submission
from grader.store.results import ResultsFolder
from tests.support.command import needs_bubblewrap, small_digits
from tests.support.warm_grading import grade_warm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.tensorflow,
    pytest.mark.bubblewrap,
    pytest.mark.timeout(900),
]

RUBRIC = """\
version: 1
id: prep
title: Preparation only
dataset: digits
datasets: [cifar10]
stand_in: [cifar10]
run: {time: 5 min, memory: 5 GiB, dialect: keras3}
criteria:
  - id: prepared
    points: 3
    check: prepared
    with:
      dataset: cifar10
      parts: {train: 0.7, validation: 0.3}
      images: 50000
      scale: {divide_by: 255, add: -0.5}
      labels: {one_hot: true, classes: 10}
      partial: true
"""
LOAD = "import numpy as np\nfrom keras.datasets import cifar10\n(x, y), (x_test, y_test) = cifar10.load_data()\n"
RIGHT = {
    # Split first; both steps for each part.
    "split-first": """
from sklearn.model_selection import train_test_split
from keras.utils import to_categorical
x_train, x_val, y_train, y_val = train_test_split(x, y, test_size=0.3, random_state=3)
x_train, x_val = (part.astype("float32") / 255 - 0.5 for part in (x_train, x_val))
y_train, y_val = to_categorical(y_train), to_categorical(y_val)
""",
    # Scaled in place, cut without shuffling, one-hot by hand, all of it in tuples.
    "sliced": """
x = x.astype(np.float32)
x /= 255
x -= 0.5
hot = np.eye(10, dtype=np.uint8)[y.ravel()]
train, held = (x[:35000], hot[:35000]), (x[35000:], hot[35000:])
del x, hot
""",
    # Indices drawn first; doubles; labels as a tensor.
    "permuted": """
import tensorflow as tf
order = np.random.permutation(50000)
big = x[order[15000:]] / 255.0 - 0.5
small = x[order[:15000]] / 255.0 - 0.5
hot = tf.one_hot(y[:, 0], 10)
big_hot, small_hot = tf.gather(hot, order[15000:]), tf.gather(hot, order[:15000])
""",
}
WRONG = {
    # The labels were shuffled on their own, the validation images overlap, and only one part is scaled as asked.
    "wrong": """
rng = np.random.default_rng(5)
x_train, x_val = x[:35000] / np.float32(255) - np.float32(0.5), x[30000:45000] / np.float32(255)
y_train, y_val = np.eye(10)[rng.permutation(y[:35000, 0])], np.eye(10)[y[30000:45000, 0]]
del x_test, y_test
""",
}


def nowhere(name: str, kept: Path) -> tuple[Source, ...]:
    """Only what the store itself keeps: not what this machine happens to have."""
    gone = kept / "nowhere"
    return local_sources(name, kept, cache=gone, system=gone, packaged=gone)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A course with generated images instead of CIFAR-10."""
    folder = tmp_path_factory.mktemp("course")
    store = DatasetStore(folder / "data", sources=nowhere)
    store.import_file("digits", small_digits(folder / "digits.npz"))
    (folder / "prep.yaml").write_text(RUBRIC, encoding="utf-8")
    return load_course(find_rubric(str(folder / "prep.yaml")), store)


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory, course: Course) -> dict[str, tuple[Grade, Evidence]]:
    """Grade every notebook once."""
    needs_bubblewrap()
    folder = tmp_path_factory.mktemp("prepared")
    for name, code in (RIGHT | WRONG).items():
        cells = [nbformat.v4.new_code_cell(source) for source in (LOAD, code)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{name}.ipynb")
    bench = set_up(course.loaded, Options(isolation="bubblewrap"))
    found = find_submissions(sorted(folder.glob("*.ipynb")), unpack_to=folder / "unpacked")
    out = ResultsFolder(folder / "out")
    grade_warm(found, course, bench, out)
    kept = {name: (out.read_grade(name), out.read_evidence(name)) for name in out.submissions()}
    return {name: (grade, evidence) for name, (grade, evidence) in kept.items() if grade and evidence}


@pytest.mark.parametrize("name", RIGHT)
def test_every_way_of_doing_it_right_gets_full_marks(graded: dict[str, tuple[Grade, Evidence]], name: str) -> None:
    grade, evidence = graded[name]
    (line,) = grade.criteria
    assert (evidence.run.status, line.status, line.points) == ("completed", "passed", 3), line.message
    assert "35,000 and 15,000 images (70 % and 30 %) from the training set, with no image in common" in line.message
    assert {pointer.cell for pointer in line.evidence} == {1}


def test_every_flaw_of_a_wrong_one_is_measured(graded: dict[str, tuple[Grade, Evidence]]) -> None:
    grade, evidence = graded["wrong"]
    (line,) = grade.criteria
    # Of `x_train` alone the scale is right.
    assert (line.status, line.measured["missed"]) == ("partial", ["split", "labels"]), line.message
    assert "`y_train` (cell 2) names the true class of only" in line.message
    arrays = {array.name: array for array in evidence.arrays}
    assert arrays["x_train"].common["x_val"] == 5_000
    transforms = [arrays[name].transform for name in ("x_train", "x_val", "x")]
    assert [(fact.scale, fact.shift) for fact in transforms if fact] == [(1 / 255, -0.5), (1 / 255, 0.0), (1.0, 0.0)]
    labels = {label.name: label for label in evidence.labels}
    assert labels["y_val"].right["x_val"] == 1
    assert labels["y_train"].right["x_train"] < 0.2


def test_the_stand_in_is_said_and_no_accuracy_is_known(graded: dict[str, tuple[Grade, Evidence]]) -> None:
    grade, evidence = graded["split-first"]
    assert evidence.stand_ins == ("cifar10",)
    assert "so it used a stand-in of the same shape" in grade.criteria[0].message
    assert grade.execution is not None
    assert [text for text in grade.execution.emulations if "made-up images" in text]
    assert evidence.accuracies == ()


def test_a_stand_in_is_no_source_of_true_labels(course: Course) -> None:
    assert set(course.labels()) == set(course.images()) == {"digits/test"}
    assert list(course.stand_ins) == ["cifar10"]


def test_the_real_data_set_has_everything_executed_again(course: Course, tmp_path: Path) -> None:
    bench = set_up(course.loaded, Options(isolation="none"))
    submission = Submission(id="a", student="a", notebook=tmp_path / "a.ipynb", sha256="0" * 64)
    real = dataclasses.replace(course.prepared["cifar10"], source="downloaded", sha256="1" * 64)
    arrived = dataclasses.replace(course, prepared={**course.prepared, "cifar10": real})
    made_up = keys_of(submission, course, bench)
    assert keys_of(submission, course, bench) == made_up
    assert keys_of(submission, arrived, bench) != made_up

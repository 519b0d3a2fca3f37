"""The sample submissions through the whole grader: the verdict that is expected for each criterion, and why."""

from dataclasses import dataclass

import pytest

from grader.datasets.store import DatasetStore
from grader.intake.find import find_submissions
from grader.pipeline.course import load_course
from grader.pipeline.reference import read_reference
from grader.pipeline.rubrics import find_rubric
from grader.pipeline.setup import Options, set_up
from grader.resources import share
from grader.schema.errors import IsolationRefusedError
from grader.schema.grade import Grade
from grader.store.results import ResultsFolder
from tests.support.same_figures import assert_same_figures
from tests.support.warm_grading import grade_warm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.tensorflow,
    pytest.mark.bubblewrap,
    pytest.mark.timeout(1800),
]

STUDENTS = ("amara", "ben", "chiara", "dmitri", "elif", "felix")
# passed +, partial /, failed -, pending for a person .
VERDICTS = """
    runs               + + + - - +
    input-shape        + + - + + +
    ten-outputs        + + + + + +
    convolution        + + - + + +
    dropout            + + + + - +
    training-data      + + + + - -
    validation         + + + + - -
    accuracy           + / / / - -
    loss-curve         + - + - - -
    accuracy-curve     + / + - - -
    architecture-text  + + + + - +
    curves-text        + + + - - +
    critique-text      + - - + - -
    cifar-prepared     + / - - - -
    critique           . . . . . .
    explanation        . . . . . .
    sketch             . . . . . .
"""
SIGNS = {"+": "passed", "/": "partial", "-": "failed", ".": "pending"}


@dataclass(frozen=True)
class Expected:
    """Expected results of one sample in addition to its verdicts."""

    accuracy: tuple[float, float] | None
    """Bounds of the verified accuracy; None where nothing was trained."""
    status: str
    diagnostics: frozenset[str]


EXPECTED = {
    # Two convolutions, batch normalisation, dropout.
    "amara": Expected((0.990, 0.997), "completed", frozenset()),
    # One convolution; a figure whose axes say nothing.
    "ben": Expected((0.975, 0.9899), "completed", frozenset({"figure-without-labels"})),
    # Flattened to 784 numbers, without a convolution, watched on the test set.
    "chiara": Expected((0.970, 0.985), "completed", frozenset({"validation-on-test-set"})),
    # Keras 2, and each mistake of the first assignment's own code.
    "dmitri": Expected(
        (0.970, 0.9899),
        "cell_error",
        frozenset(
            {
                "cells-out-of-order",
                "dropout-after-output",
                "filters-shrink-with-depth",
                "kernel-larger-than-map",
                "large-kernels",
                "normalised-array-unused",
                "raw-pixels",
                "sigmoid-on-one-of-many",
                "softmax-in-hidden-layer",
                "softmax-with-from-logits",
                "too-many-first-filters",
                "unfinished-cell",
                "validation-on-test-set",
                "zero-kernel-initialiser",
            }
        ),
    ),
    # Ends at a gap that was never filled in.
    "elif": Expected(None, "cell_error", frozenset({"unfinished-cell"})),
    # Prints `accuracy: 0.995` and trains nothing.
    "felix": Expected(None, "completed", frozenset({"printed-accuracy-contradicted"})),
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> ResultsFolder:
    """Grade every sample once, two at a time, as `grader demo` does."""
    loaded = find_rubric("mnist-cnn")
    options = Options(isolation="bubblewrap", jobs=2)
    try:
        bench = set_up(loaded, options)
    except IsolationRefusedError as error:
        pytest.skip(str(error))
    root = tmp_path_factory.mktemp("samples")
    found = find_submissions([share("examples") / loaded.rubric.id], unpack_to=root / "unpacked")
    course = load_course(loaded, DatasetStore())
    out = ResultsFolder(root / "results")
    grade_warm(found, course, bench, out)
    return out


@pytest.fixture(scope="module")
def grades(out: ResultsFolder) -> dict[str, Grade]:
    """The grade of every sample."""
    return {name: grade for name in out.submissions() if (grade := out.read_grade(name)) is not None}


def table() -> dict[str, dict[str, str]]:
    """The table as student → criterion → status."""
    lines = [line.split() for line in VERDICTS.strip().splitlines()]
    return {student: {words[0]: SIGNS[words[1 + column]] for words in lines} for column, student in enumerate(STUDENTS)}


def test_the_table_is_about_every_sample_and_every_criterion() -> None:
    loaded = find_rubric("mnist-cnn")
    assert {path.stem for path in (share("examples") / "mnist-cnn").glob("*.ipynb")} == set(STUDENTS) == set(EXPECTED)
    for verdicts in table().values():
        assert list(verdicts) == [criterion.id for criterion in loaded.rubric.criteria]


@pytest.mark.parametrize("student", STUDENTS)
def test_each_criterion_gets_the_expected_verdict(grades: dict[str, Grade], student: str) -> None:
    grade = grades[student]
    assert grade.status == "graded", grade.reason
    assert {c.id: c.status for c in grade.criteria} == table()[student], {c.id: c.message for c in grade.criteria}


@pytest.mark.parametrize("student", STUDENTS)
def test_each_accuracy_is_the_real_one(grades: dict[str, Grade], student: str) -> None:
    expected = EXPECTED[student].accuracy
    measured = [model.accuracy["mnist/test"] for model in grades[student].models if "mnist/test" in model.accuracy]
    if expected is None:
        assert measured == []
        return
    low, high = expected
    assert [(low <= found.value <= high, found.assurance, found.total) for found in measured] == [
        (True, "verified", 10_000)
    ], measured


@pytest.mark.parametrize("student", STUDENTS)
def test_each_place_shows_the_same_model_and_figures(
    out: ResultsFolder, grades: dict[str, Grade], student: str
) -> None:
    reference = read_reference(find_rubric("mnist-cnn"))
    shown = assert_same_figures(grades[student], out.read_evidence(student), reference)
    assert (shown.accuracy_on == "mnist/test") == (EXPECTED[student].accuracy is not None)


@pytest.mark.parametrize("student", STUDENTS)
def test_each_mistake_is_found_and_no_other(grades: dict[str, Grade], student: str) -> None:
    assert {note.id for note in grades[student].diagnostics} == EXPECTED[student].diagnostics


@pytest.mark.parametrize("student", STUDENTS)
def test_each_execution_ends_as_expected(grades: dict[str, Grade], student: str) -> None:
    execution = grades[student].execution
    assert execution is not None
    assert execution.status == EXPECTED[student].status, execution.reason


def test_the_samples_stand_in_the_order_of_their_work(grades: dict[str, Grade]) -> None:
    scores = {student: grade.score or 0.0 for student, grade in grades.items()}
    assert scores["amara"] == 85
    assert scores["amara"] > max(scores["ben"], scores["chiara"], scores["dmitri"])
    assert min(scores["ben"], scores["chiara"], scores["dmitri"]) > scores["felix"] > scores["elif"]

"""The rubric of the first assignment, on notebooks as students hand them in."""

from pathlib import Path
from typing import Any

import pytest

from grader.checks import all_checks, all_diagnostics
from grader.facts.case import Case
from grader.grading import grade, load_rubric
from grader.schema.base import Assurance
from grader.schema.evidence import Evidence, NamedArrayFact, NamedLabelFact, TransformFact
from grader.schema.grade import Grade, RoleMatch
from tests.support.factories import (
    HISTORY,
    a_cell,
    a_compile,
    a_figure,
    a_fit,
    a_model,
    a_named_array,
    a_run,
    a_stamp,
    a_submission,
    an_accuracy,
    an_array,
    an_error,
    an_evidence,
    conv,
    dense,
    dropout,
    layer,
    rows,
)

RUBRIC = load_rubric(
    Path(__file__).parent.parent.parent / "rubrics" / "mnist-cnn.yaml", all_checks(), all_diagnostics()
).rubric
REPORT = (
    "Two convolutions with 16 and 32 filters find strokes and shapes, max pooling after each makes the maps smaller, "
    "batch normalisation keeps the scale, dropout before the output prevents overfitting, and softmax turns ten "
    "numbers into probabilities. The learning curve of the loss falls quickly in the first epoch and then slowly; the "
    "validation accuracy stays close to the training accuracy, so nothing is overfitted yet."
)
CRITIQUE = (
    "What is wrong with the warm-up network: zero initialisers make all filters copies of each other, there are far "
    "too many filters in the first layer and fewer with depth, the kernels are too large, softmax in a hidden layer "
    "switches units off, sigmoid on the output lets several classes win, and dropout comes after the output."
)
HALF = (
    "Wrong are the zero initialisers, far too many filters in the first layer, fewer with depth, and kernels that are "
    "too large. Everything else in it is fine and I would leave it as it is."
)
TEXT = (a_cell(0, CRITIQUE, "markdown"), a_cell(7, REPORT, "markdown"))


def photos(name: str, count: int, shift: float = -0.5) -> NamedArrayFact:
    """A part of CIFAR-10's training images, divided by 255 and shifted."""
    return a_named_array(
        name,
        "cifar10/train",
        shape=(count, 32, 32, 3),
        low=shift,
        high=1 + shift,
        rows=rows(train=count, dataset="cifar10"),
        transform=TransformFact(kind="affine", scale=1 / 255, shift=shift),
    )


def answers(name: str, count: int, of: str) -> NamedLabelFact:
    """Their labels, one-hot."""
    classes = {str(digit): count // 10 for digit in range(10)}
    return NamedLabelFact(name=name, shape=(count, 10), dtype="float64", one_hot=True, classes=classes, right={of: 1.0})


PREPARED: dict[str, Any] = {
    "arrays": (photos("x", 35_000), photos("v", 15_000)),
    "labels": (answers("y", 35_000, "x"), answers("w", 15_000, "v")),
}


def judged(evidence: Evidence) -> Grade:
    trained = evidence.fits[-1].model if evidence.fits else None
    message = "" if trained else "no network is the `network` that is meant (trained)"
    case = Case(evidence, RUBRIC, {"network": RoleMatch(role="network", model=trained, message=message)})
    return grade(
        case,
        submission=a_submission(),
        stamp=a_stamp(),
        checks=all_checks(),
        diagnostics=all_diagnostics(),
        reference=an_evidence(),
    )


def missed(graded: Grade) -> set[str]:
    return {c.id for c in graded.criteria if c.status not in {"passed", "pending"}}


def notes(graded: Grade) -> set[str]:
    return {note.id for note in graded.diagnostics}


def test_it_is_worth_a_hundred_points() -> None:
    assert RUBRIC.max_score == 100
    assert sum(c.points for c in RUBRIC.criteria if c.manual) == 15


def test_every_criterion_a_check_judges_has_advice() -> None:
    assert [c.id for c in RUBRIC.criteria if not c.manual and not c.advice] == []


def test_a_good_notebook_gets_everything_but_what_a_person_judges() -> None:
    graded = judged(an_evidence(cells=TEXT, **PREPARED))
    assert missed(graded) == set()
    assert notes(graded) == set()
    assert (graded.score, graded.pending) == (85, 15)


def test_one_convolution_gets_most_of_the_accuracy() -> None:
    model = a_model(conv(16), layer("MaxPooling2D"), layer("Flatten"), dense(48, "relu"), dropout(0.3), dense(10))
    evidence = an_evidence(
        cells=TEXT,
        **PREPARED,
        models=(model,),
        compiles=(a_compile(from_logits=True),),
        accuracies=(an_accuracy(9_850),),
        figures=(a_figure(HISTORY["accuracy"], xlabel="", ylabel=""),),
    )
    graded = judged(evidence)
    assert missed(graded) == {"accuracy", "loss-curve", "accuracy-curve"}
    assert next(c.points for c in graded.criteria if c.id == "accuracy") == 24.75
    assert next(c.points for c in graded.criteria if c.id == "accuracy-curve") == 2
    assert notes(graded) == {"figure-without-labels"}


def test_a_flattened_network_misses_the_shape_and_the_convolution() -> None:
    model = a_model(
        dense(256, "relu", inputs=784, name="a"), dropout(0.2), dense(10, "softmax", inputs=256), input_shape=(784,)
    )
    test_images = a_fit(val_x=an_array(10_000, of=rows(test=10_000)))
    graded = judged(
        an_evidence(cells=TEXT, **PREPARED, models=(model,), fits=(test_images,), accuracies=(an_accuracy(9_800),))
    )
    assert missed(graded) == {"input-shape", "convolution", "accuracy"}
    assert notes(graded) == {"validation-on-test-set"}


def test_an_unfinished_notebook_keeps_what_it_has() -> None:
    evidence = an_evidence(
        run=a_run(status="cell_error", errors=(an_error(4, "SyntaxError", "invalid syntax"),)),
        cells=(a_cell(4, "history = ### YOUR CODE HERE", error="SyntaxError"), a_cell(6, "*your answer*", "markdown")),
        fits=(),
        accuracies=(),
        figures=(),
    )
    graded = judged(evidence)
    assert graded.score == 0
    assert notes(graded) == {"unfinished-cell"}
    assert all("SyntaxError" in c.message for c in graded.criteria if c.id == "input-shape")


def test_a_printed_accuracy_without_training_earns_nothing_for_it() -> None:
    invented = (0.95, 0.975, 0.984, 0.995)
    evidence = an_evidence(
        cells=(a_cell(3, "print('accuracy: 0.995')", output="accuracy: 0.995\n"), TEXT[1]),
        fits=(),
        accuracies=(),
        figures=(a_figure(invented),),
    )
    graded = judged(evidence)
    assert graded.score == 9
    assert missed(graded) >= {"accuracy", "accuracy-curve", "training-data"}
    assert notes(graded) == {"printed-accuracy-contradicted"}


@pytest.mark.parametrize(
    ("change", "criterion"),
    [
        ({"x": an_array(70_000, of=rows(train=60_000, test=10_000))}, "training-data"),
        ({"history": {"loss": (2.3, 2.4), "accuracy": (0.1, 0.1), "val_loss": (2.3, 2.3)}}, "training-data"),
        ({"epochs_done": 1, "epochs_asked": 1}, "training-data"),
        ({"validation": "none", "val_x": None, "history": {"loss": (2.0, 1.0)}}, "validation"),
    ],
)
def test_each_flaw_of_a_training_is_missed_by_its_criterion(change: dict[str, Any], criterion: str) -> None:
    assert criterion in missed(judged(an_evidence(cells=TEXT, **PREPARED, fits=(a_fit(**change),))))


@pytest.mark.parametrize(
    "layers",
    [
        (conv(), dense(10, "softmax"), dropout(0.5)),
        (dropout(0.2), conv(), dense(10, "softmax")),
        (conv(), dropout(0.9), dense(10, "softmax")),
        (conv(), dense(10, "softmax")),
    ],
)
def test_dropout_in_the_wrong_place_or_dose_is_missed(layers: tuple[Any, ...]) -> None:
    graded = judged(an_evidence(cells=TEXT, **PREPARED, models=(a_model(*layers, input_shape=(28, 28, 1)),)))
    assert missed(graded) == {"dropout"}


def test_an_accuracy_that_was_only_recorded_waits_for_a_person_and_says_why() -> None:
    graded = judged(
        an_evidence(cells=TEXT, **PREPARED, accuracies=(an_accuracy(assurance=Assurance.RECORDED, note="custom"),))
    )
    line = next(c for c in graded.criteria if c.id == "accuracy")
    assert (line.status, line.points, line.assurance) == ("pending", 0, Assurance.RECORDED)
    assert "could not verify" in line.message


@pytest.mark.parametrize(
    ("changes", "points", "said"),
    [
        ({"arrays": (), "labels": ()}, 0, "The notebook never loads CIFAR-10."),
        ({"arrays": (photos("x", 35_000, 0.0), photos("v", 15_000, 0.0))}, 6, "the pixels must be `x / 255 - 0.5`"),
        ({"arrays": (photos("x", 40_000), photos("v", 10_000))}, 6, "the shares must be 70 % and 30 %"),
        ({"labels": (answers("y", 35_000, "x"),)}, 6, "no variable holds labels for the images in `v`"),
    ],
)
def test_split_scale_and_labels_of_the_preparation_count_three_points_each(
    changes: dict[str, Any], points: float, said: str
) -> None:
    graded = judged(an_evidence(cells=TEXT, **(PREPARED | changes)))
    line = next(c for c in graded.criteria if c.id == "cifar-prepared")
    assert line.points == points
    assert said in line.message
    assert missed(graded) == {"cifar-prepared"}


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        (CRITIQUE, True),
        (HALF, True),
        ("It is bad because of softmax and sigmoid. " + 30 * "The rest is as one would expect it to be. ", False),
        (REPORT, False),
        ("It is wrong.", False),
    ],
)
def test_a_critique_names_at_least_half_of_the_flaws(text: str, *, passes: bool) -> None:
    graded = judged(an_evidence(cells=(a_cell(0, text, "markdown"),), **PREPARED))
    assert ("critique-text" not in missed(graded)) is passes


def test_accuracy_is_worth_more_than_anything_else() -> None:
    points = {c.id: c.points for c in RUBRIC.criteria}
    assert points.pop("accuracy") > 3 * max(points.values())

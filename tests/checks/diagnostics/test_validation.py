"""The diagnostics in `validation`, on notebooks with the mistakes and on notebooks that only resemble them."""

from collections.abc import Mapping

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence, LabelFact
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, each, notes_of
from tests.support.factories import a_fit, an_evidence
from tests.support.says import says

EVEN = {str(digit): 100 for digit in range(10)}


def split(held_back: Mapping[str, int], classes: Mapping[str, int] = EVEN, validation: str = "split") -> Evidence:
    """Make a training whose `validation_split` holds back these rows of each class."""
    labels = LabelFact(
        shape=(sum(classes.values()),), dtype="uint8", one_hot=False, classes=classes, held_back=held_back
    )
    return an_evidence(fits=(a_fit(y=labels, validation=validation, validation_split=0.2),))


MISTAKES: Cases = {
    "validation-split-on-sorted-labels": (
        split({"8": 100, "9": 100}),
        # The cut is inside of a class.
        split({"8": 50, "9": 100}),
        # Cats, then dogs: dogs are in both parts, cats only in the training.
        split({"1": 40}, {"0": 100, "1": 100}),
    ),
}


LOOKALIKES: Cases = {
    "validation-split-on-sorted-labels": (
        split({str(digit): 20 for digit in range(10)}),
        # A rare class is only in the validation part by chance.
        split({"0": 20, "1": 19, "2": 1}, {"0": 100, "1": 99, "2": 1}),
        # All images are of one class.
        split({"0": 20}, {"0": 100}),
        # Few images, and by chance of one class.
        split({"1": 4}, {"0": 10, "1": 10}),
        # The labels are no classes, or unknown.
        split({}, {}),
        split({"8": 100, "9": 100}, validation="data"),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    assert_noted(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)


def test_the_note_names_the_classes_without_training_images() -> None:
    (note,) = notes_of("validation-split-on-sorted-labels", split({"8": 50, "9": 100}))
    assert says(
        note.message,
        "In {cell:cell}, all images of {count:number} class ({classes}) are in the validation part, so the training "
        "saw none of them.",
        count=1,
    )
    (note,) = notes_of("validation-split-on-sorted-labels", split({"1": 40}, {"0": 100, "1": 100}))
    assert says(
        note.message,
        "In {cell:cell}, the validation part has images of only one class ({name:code}); the training has images of "
        "{classes:number} classes.",
        name="1",
        classes=2,
    )

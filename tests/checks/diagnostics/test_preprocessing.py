"""The diagnostics in `preprocessing`, on notebooks with the mistakes and on notebooks that only resemble them."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, each, notes_of
from tests.support.factories import (
    a_fit,
    a_model,
    a_named_array,
    an_array,
    an_evidence,
    conv,
    dense,
    layer,
    operation,
    rows,
)
from tests.support.says import says

RAW = an_array(54_000, of=rows(train=54_000), low=0.0, high=255.0, dtype="uint8", names=("X_train",))
MISTAKES: Cases = {
    "raw-pixels": (
        an_evidence(fits=(a_fit(x=RAW),), models=(a_model(conv(), dense(10)),)),
        an_evidence(fits=(a_fit(x=RAW),), models=(a_model(operation("Reshape"), conv(), operation("Exp"), dense(10)),)),
    ),
    "normalised-array-unused": (
        an_evidence(fits=(a_fit(x=RAW),), arrays=(a_named_array("X_trainX"), a_named_array("X_testX", "mnist/test"))),
        # The other model was trained on scaled pixels that are older than the copy.
        an_evidence(
            fits=(a_fit(x=RAW), a_fit(event=9, x=an_array(of=rows(60_000), names=("x",)))),
            arrays=(a_named_array("x", cell=1, used=True), a_named_array("x_scaled", cell=3)),
        ),
    ),
}


LOOKALIKES: Cases = {
    "raw-pixels": (
        an_evidence(),
        an_evidence(fits=(a_fit(x=RAW),), models=(a_model(layer("Rescaling"), conv(), dense(10)),)),
        an_evidence(fits=(a_fit(x=RAW),), models=(a_model(layer("BatchNormalization", parameters=4), conv()),)),
        an_evidence(fits=(a_fit(x=RAW),), models=(a_model(operation("TrueDivide", None, 255.0), conv(), dense(10)),)),
        an_evidence(fits=(a_fit(x=RAW),), models=(a_model(operation("math.add", cls="TFOpLambda"), dense(10)),)),
        an_evidence(fits=(a_fit(x=RAW.model_copy(update={"mapped": True})),)),
        an_evidence(fits=(a_fit(x=an_array(of=rows(train=60_000), low=-128.0, high=127.0)),)),
    ),
    "normalised-array-unused": (
        an_evidence(arrays=(a_named_array("copy"),)),
        an_evidence(fits=(a_fit(x=RAW),), arrays=(a_named_array("x", used=True),)),
        # Another model was trained on a part of the copy.
        an_evidence(
            fits=(a_fit(x=RAW), a_fit(event=9, x=an_array(48_000, of=rows(48_000), names=("x_part",)))),
            arrays=(a_named_array("x_scaled", cell=3), a_named_array("x_part", cell=3, used=True)),
        ),
        an_evidence(fits=(a_fit(x=RAW),), arrays=(a_named_array("x", low=0, high=255, dtype="uint8"),)),
        an_evidence(fits=(a_fit(x=RAW),), arrays=(a_named_array("x", "cifar10/train"),)),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    assert_noted(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)


def test_the_message_names_the_copies_and_the_images_that_were_used() -> None:
    (note,) = notes_of("normalised-array-unused", MISTAKES["normalised-array-unused"][0])
    assert says(
        note.message,
        "{arrays:code} contains scaled pixels, but no model used it.",
        arrays=["X_trainX", "X_testX"],
        count=2,
    )
    assert says(note.message, "{cell:Cell} trained on {array:code} instead.", array="X_train")


def test_the_note_has_the_range_of_the_pixels() -> None:
    (note,) = notes_of("raw-pixels", MISTAKES["raw-pixels"][0])
    assert says(
        note.message,
        "The training in {cell:cell} used {array:code} with pixels from {low:number} to {high:number}.",
        array="X_train",
        low=0,
        high=255,
    )

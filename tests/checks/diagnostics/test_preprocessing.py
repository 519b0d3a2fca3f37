"""The diagnostics in `preprocessing`, on notebooks with the mistakes and on notebooks that only resemble them."""

from typing import Any

import pytest

from grader.facts.case import Case
from grader.schema.evidence import ArrayFact, CallFact, EvaluateFact, Evidence, PredictFact
from grader.schema.message import as_message
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, each, notes_of
from tests.support.factories import (
    a_cell,
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

RAW_TEST = an_array(10_000, of=rows(test=10_000), low=0.0, high=255.0, dtype="uint8", names=("X_test",))
RAW = an_array(54_000, of=rows(train=54_000), low=0.0, high=255.0, dtype="uint8", names=("X_train",))
SCALED = an_array(54_000, of=rows(train=54_000), names=("x_train",))
STANDARDISED = an_array(54_000, of=rows(train=54_000), low=-0.42, high=2.82)


def assessed(trained: ArrayFact, used: ArrayFact | None, *more: ArrayFact, called: bool = False) -> Evidence:
    """Make a notebook that trains on some images and evaluates, or calls, the model with others."""
    fits = tuple(a_fit(event=6 + place, x=x) for place, x in enumerate((trained, *more)))
    if called:
        return an_evidence(fits=fits, calls=(CallFact(event=20, cell=6, model="m1", training=None, count=1, x=used),))
    return an_evidence(fits=fits, evaluations=(EvaluateFact(event=20, cell=6, model="m1", x=used),))


def standardised(*sources: str, x: ArrayFact = SCALED, of: str = "mnist/train", **keys: Any) -> Evidence:
    """Make a notebook with a standardized copy `x_std` of the training images that no model used."""
    cells = ("x_std = (x_train - x_train.mean()) / x_train.std()", *sources)
    copy = a_named_array("x_std", of, **({"low": -0.42, "high": 2.82, "cell": 0} | keys))
    return an_evidence(
        cells=tuple(a_cell(place, source) for place, source in enumerate(cells)), fits=(a_fit(x=x),), arrays=(copy,)
    )


MISTAKES: Cases = {
    "evaluation-on-other-scale": (
        assessed(SCALED, RAW_TEST),
        assessed(STANDARDISED, RAW_TEST),
        assessed(SCALED, RAW_TEST, called=True),
        assessed(RAW, SCALED),
        an_evidence(fits=(a_fit(x=SCALED),), predictions=(PredictFact(event=20, cell=6, model="m1", x=RAW_TEST),)),
    ),
    "raw-pixels": (
        an_evidence(fits=(a_fit(x=RAW),), models=(a_model(conv(), dense(10)),)),
        # Photographs of the student's own, and flattened ones.
        an_evidence(fits=(a_fit(x=an_array(shape=(90, 64, 48, 3), high=255.0)),), models=(a_model(conv(), dense()),)),
        an_evidence(fits=(a_fit(x=an_array(shape=(90, 3072), high=255.0)),), models=(a_model(dense(64), dense(2)),)),
        an_evidence(fits=(a_fit(x=RAW),), models=(a_model(operation("Reshape"), conv(), operation("Exp"), dense(10)),)),
    ),
    "normalised-array-unused": (
        an_evidence(fits=(a_fit(x=RAW),), arrays=(a_named_array("X_trainX"), a_named_array("X_testX", "mnist/test"))),
        # The other model was trained on scaled pixels that are older than the copy.
        an_evidence(
            fits=(a_fit(x=RAW), a_fit(event=9, x=an_array(of=rows(60_000), names=("x",)))),
            arrays=(a_named_array("x", cell=1, used=True), a_named_array("x_scaled", cell=3)),
        ),
        # Standardized after the division by 255, and only looked at.
        standardised(),
        standardised("print(x_std.shape, x_std.mean(), x_std.std())\nprint(len(x_std), x_std)"),
    ),
}


LOOKALIKES: Cases = {
    "evaluation-on-other-scale": (
        assessed(SCALED, SCALED),
        assessed(RAW, RAW_TEST),
        # A `Rescaling` layer: both are raw.
        assessed(RAW, RAW_TEST, called=True),
        assessed(SCALED, STANDARDISED),
        # Trained on both.
        assessed(SCALED, RAW_TEST, RAW),
        # A pipeline may scale the images.
        assessed(SCALED, RAW_TEST.model_copy(update={"mapped": True})),
        assessed(SCALED.model_copy(update={"mapped": True}), RAW_TEST),
        assessed(SCALED, None),
        # A single black image.
        assessed(RAW, an_array(1, low=0.0, high=0.0)),
        # Dark raw images have no large numbers either.
        assessed(RAW, an_array(1, low=0.0, high=2.0, dtype="uint8")),
    ),
    "raw-pixels": (
        an_evidence(),
        an_evidence(fits=(a_fit(x=RAW),), models=(a_model(layer("Rescaling"), conv(), dense(10)),)),
        an_evidence(fits=(a_fit(x=RAW),), models=(a_model(layer("BatchNormalization", parameters=4), conv()),)),
        an_evidence(fits=(a_fit(x=RAW),), models=(a_model(operation("TrueDivide", None, 255.0), conv(), dense(10)),)),
        an_evidence(fits=(a_fit(x=RAW),), models=(a_model(operation("math.add", cls="TFOpLambda"), dense(10)),)),
        an_evidence(fits=(a_fit(x=RAW.model_copy(update={"mapped": True})),)),
        an_evidence(fits=(a_fit(x=an_array(of=rows(train=60_000), low=-128.0, high=127.0)),)),
        # A table, words by number, and a series; no pixels.
        an_evidence(fits=(a_fit(x=an_array(shape=(404, 13), high=711.0)),), models=(a_model(dense(64), dense(1)),)),
        an_evidence(fits=(a_fit(x=an_array(shape=(25_000, 256), high=9_999.0)),), models=(a_model(dense(2)),)),
        an_evidence(fits=(a_fit(x=an_array(shape=(500, 30, 4), high=180.0)),), models=(a_model(dense(2)),)),
        # Letters by number, as many in a row as a square image has pixels.
        an_evidence(
            fits=(a_fit(x=an_array(shape=(900, 256), high=122.0, dtype="int32")),),
            models=(a_model(layer("Embedding", parameters=2_048), dense(2)),),
        ),
    ),
    "normalised-array-unused": (
        an_evidence(arrays=(a_named_array("copy"),)),
        an_evidence(fits=(a_fit(x=RAW),), arrays=(a_named_array("x", used=True),)),
        # The model divides by 255 itself; the copy is for a plot.
        an_evidence(
            fits=(a_fit(x=RAW),),
            models=(a_model(layer("Rescaling"), conv(), dense(10)),),
            arrays=(a_named_array("x_shown"),),
        ),
        # Another model was trained on a part of the copy.
        an_evidence(
            fits=(a_fit(x=RAW), a_fit(event=9, x=an_array(48_000, of=rows(48_000), names=("x_part",)))),
            arrays=(a_named_array("x_scaled", cell=3), a_named_array("x_part", cell=3, used=True)),
        ),
        an_evidence(fits=(a_fit(x=RAW),), arrays=(a_named_array("x", low=0, high=255, dtype="uint8"),)),
        an_evidence(fits=(a_fit(x=RAW),), arrays=(a_named_array("x", "cifar10/train"),)),
        # The standardized copy goes to another function, a list, or a plot.
        standardised("pca = PCA(20).fit(x_std.reshape(len(x_std), -1))"),
        standardised("for images in (x_train, x_std):\n    show(images)"),
        standardised("x_all = np.concatenate([x_std, x_std])"),
        # A model used it, or was trained on such images.
        standardised(used=True),
        standardised(x=STANDARDISED),
        standardised(x=SCALED.model_copy(update={"mapped": True})),
        # Of the test images only.
        standardised(of="mnist/test"),
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


def test_the_note_about_two_scales_has_both_ranges() -> None:
    (note,) = notes_of("evaluation-on-other-scale", assessed(SCALED, RAW_TEST))
    assert as_message(note.message).values == {
        "model": "model",
        "low": 0,
        "high": 1,
        "cell": 6,
        "other_low": 0,
        "other_high": 255,
    }

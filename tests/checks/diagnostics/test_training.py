"""The diagnostics in `training`, on notebooks with the mistakes and on notebooks that only resemble them."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence
from grader.schema.message import as_message
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, each, notes_of
from tests.support.factories import HISTORY, a_compile, a_fit, an_evidence, callback
from tests.support.says import says, values

RISING = {"accuracy": (0.5, 0.6, 0.7, 0.8), "val_accuracy": (0.6, 0.7, 0.8, 0.9)}
STOPPED = {"loss": (1.0, 0.5, 0.4, 0.3), "val_loss": (0.9, 0.4, 0.6, 0.7)}
MISTAKES: Cases = {
    "stopped-by-grader": (an_evidence(fits=(a_fit(status="stopped_by_budget", epochs_asked=300),)),),
    "still-rising": (an_evidence(fits=(a_fit(history=RISING),)),),
    "early-stopping-without-best-weights": (
        an_evidence(fits=(a_fit(status="stopped_early", history=STOPPED, callbacks=(callback("EarlyStopping"),)),)),
    ),
    "trainable-without-compile": (
        an_evidence(compiles=(a_compile(trainable={"base": False}),), fits=(a_fit(trainable={"base": True}),)),
    ),
}


LOOKALIKES: Cases = {
    "stopped-by-grader": (
        an_evidence(),
        an_evidence(fits=(a_fit(status="stopped_early"),)),
        an_evidence(fits=(a_fit(status="interrupted"),)),
    ),
    "still-rising": (
        an_evidence(),
        an_evidence(fits=(a_fit(history=RISING, status="stopped_by_budget"),)),
        an_evidence(fits=(a_fit(history=RISING), a_fit(event=9))),
        # Two adversaries that are trained in turns.
        an_evidence(
            fits=tuple(a_fit(event=n, model=f"m{n}", history=RISING, kind="custom_loop") for n in (5, 6)),
        ),
        an_evidence(fits=(a_fit(history=RISING, step_rates=(0.005, 0.05, 0.005, 0.0001)),)),
        an_evidence(fits=(a_fit(history={"accuracy": (0.9, 0.95, 0.99), "val_accuracy": (0.8, 0.9, 0.99)}),)),
    ),
    "early-stopping-without-best-weights": tuple(
        an_evidence(fits=(a_fit(status=status, history=history, callbacks=callbacks),))
        for status, history, callbacks in (
            ("stopped_early", STOPPED, (callback("EarlyStopping", restore_best_weights=True),)),
            ("stopped_early", STOPPED, (callback("EarlyStopping"), callback("ModelCheckpoint", save_best_only=True))),
            (
                "stopped_early",
                STOPPED,
                (callback("EarlyStopping"), callback("EarlyStopping", restore_best_weights=True)),
            ),
            ("completed", STOPPED, (callback("EarlyStopping"),)),
            ("stopped_early", HISTORY, (callback("EarlyStopping"),)),
        )
    ),
    "trainable-without-compile": (
        an_evidence(compiles=(a_compile(trainable={"base": True}),), fits=(a_fit(trainable={"base": True}),)),
        an_evidence(compiles=(), fits=(a_fit(trainable={"base": True}),)),
        an_evidence(
            compiles=(a_compile(trainable={"base": False}),),
            fits=(a_fit(trainable={"base": True}, kind="custom_loop"),),
        ),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    assert_noted(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)


def test_the_message_has_the_best_epoch_and_the_last_figure() -> None:
    (note,) = notes_of("early-stopping-without-best-weights", MISTAKES["early-stopping-without-best-weights"][0])
    figures = as_message(note.message).values
    assert (figures["best"], figures["best_value"], figures["last_value"]) == (2, 0.4, 0.7)


def test_the_note_has_the_rise_in_percentage_points() -> None:
    (note,) = notes_of("still-rising", MISTAKES["still-rising"][0])
    rise = values(
        note.message,
        "The mean accuracy of the last quarter of the epochs is {rise:number} percentage points higher than in the "
        "quarter before.",
    )
    assert rise["rise"] == pytest.approx(10)


def test_the_note_has_the_epochs_and_the_seconds_of_a_stopped_training() -> None:
    fit = a_fit(status="stopped_by_budget", epochs_asked=300, seconds=600.0)
    (note,) = notes_of("stopped-by-grader", an_evidence(fits=(fit,)))
    assert says(
        note.message,
        "The time limit of the grader stopped the training in {cell:cell} after {done:number} of {count:number} epoch.",
        count=300,
        done=fit.epochs_done,
    )
    assert says(note.message, "It ran for {seconds:seconds}.", seconds=600)

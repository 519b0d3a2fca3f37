"""The diagnostics in `training`, on notebooks that make the mistake and on notebooks that only look like it."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence
from tests.support.diagnosing import Cases, each, found, left_alone, recognised
from tests.support.factories import HISTORY, a_compile, a_fit, an_evidence, callback

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
    "stopped-by-grader": (an_evidence(), an_evidence(fits=(a_fit(status="stopped_early"),))),
    "still-rising": (
        an_evidence(),
        an_evidence(fits=(a_fit(history=RISING, status="stopped_by_budget"),)),
        an_evidence(fits=(a_fit(history=RISING), a_fit(event=9))),
        an_evidence(fits=(a_fit(history=RISING, step_rates=(0.005, 0.05, 0.005, 0.0001)),)),
        an_evidence(fits=(a_fit(history={"accuracy": (0.9, 0.95, 0.99), "val_accuracy": (0.8, 0.9, 0.99)}),)),
    ),
    "early-stopping-without-best-weights": tuple(
        an_evidence(fits=(a_fit(status=status, history=history, callbacks=callbacks),))
        for status, history, callbacks in (
            ("stopped_early", STOPPED, (callback("EarlyStopping", restore_best_weights=True),)),
            ("stopped_early", STOPPED, (callback("EarlyStopping"), callback("ModelCheckpoint", save_best_only=True))),
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
def test_the_mistake_is_recognised(name: str, one: Evidence | Case) -> None:
    recognised(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_what_only_looks_like_the_mistake_is_left_alone(name: str, one: Evidence | Case) -> None:
    left_alone(name, one)


def test_the_message_has_the_best_epoch_and_the_last_figure() -> None:
    (note,) = found("early-stopping-without-best-weights", MISTAKES["early-stopping-without-best-weights"][0])
    assert "best in epoch 2 (0.4) and 0.7" in note.message


def test_a_rise_is_told_in_percentage_points() -> None:
    (note,) = found("still-rising", MISTAKES["still-rising"][0])
    assert "percentage points more than shortly before." in note.message

"""The diagnostics in `callbacks`, on notebooks with the mistakes and on notebooks that only resemble them."""

from collections.abc import Mapping

import pytest

from grader.facts.case import Case
from grader.schema.evidence import CallbackFact, Evidence
from grader.schema.message import as_message
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, each, notes_of
from tests.support.factories import a_fit, an_evidence, callback

TRAINED = {"loss": (1.0, 0.5), "accuracy": (0.5, 0.7)}
VALIDATED = TRAINED | {"val_loss": (1.0, 0.6), "val_accuracy": (0.4, 0.6)}


def training(one: CallbackFact, history: Mapping[str, tuple[float, ...]] = TRAINED, **keys: object) -> Evidence:
    """Make a training with a callback, by default without validation data."""
    facts: dict[str, object] = {
        "history": history,
        "callbacks": (one,),
        "validation": "data" if "val_loss" in history else "none",
    }
    return an_evidence(fits=(a_fit(**(facts | keys)),))


MISTAKES: Cases = {
    "monitor-not-logged": (
        training(callback("EarlyStopping")),
        training(callback("EarlyStopping", monitor="val_accuracy")),
        training(callback("ReduceLROnPlateau", monitor="val_loss")),
        training(callback("ModelCheckpoint", monitor="val_loss", save_best_only=True)),
        training(callback("EarlyStopping", monitor="val_f1"), VALIDATED),
    ),
}


LOOKALIKES: Cases = {
    "monitor-not-logged": (
        training(callback("EarlyStopping"), VALIDATED),
        training(callback("EarlyStopping", monitor="loss")),
        # Two names of one metric.
        training(callback("EarlyStopping", monitor="val_acc"), VALIDATED),
        training(callback("EarlyStopping", monitor="acc"), TRAINED | {"sparse_categorical_accuracy": (0.5, 0.7)}),
        # Saves after each epoch, or compares batches.
        training(callback("ModelCheckpoint", monitor="val_loss")),
        training(callback("ModelCheckpoint", monitor="val_loss", save_best_only=True, save_freq=100)),
        # A class of the student may look at other values.
        training(callback("MyStopping", monitor="val_loss")),
        # Validation has not taken place yet (`validation_freq`).
        training(callback("EarlyStopping"), validation="data"),
        # What was logged is unknown.
        training(callback("EarlyStopping"), {}),
        training(callback("EarlyStopping"), kind="custom_loop"),
        training(callback("EarlyStopping"), epochs_done=0),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    assert_noted(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)


def test_the_advice_is_validation_data_only_if_there_are_none() -> None:
    without, *_, other = (notes_of("monitor-not-logged", one)[0] for one in MISTAKES["monitor-not-logged"])
    assert "validation_data" in as_message(without.advice).id
    assert "validation_data" not in as_message(other.advice).id
    assert "val_accuracy" in str(as_message(other.message).values)

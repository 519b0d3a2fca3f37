"""The check `callback`."""

from typing import Any

import pytest

from grader.schema.evidence import Evidence
from tests.support.factories import a_fit, an_evidence, callback
from tests.support.judging import fails, fitted, judge, lacks_its_model, passes

GOOD: tuple[tuple[Evidence, dict[str, Any]], ...] = (
    (
        fitted(callbacks=(callback("EarlyStopping", monitor="val_loss", patience=5, restore_best_weights=True),)),
        {"cls": "EarlyStopping", "patience": {"at_least": 3}, "restore_best_weights": True, "monitor": "val_loss"},
    ),
    (
        fitted(callbacks=(callback("EarlyStopping", monitor="val_acc"),)),
        {"cls": "EarlyStopping", "monitor": ["val_accuracy", "val_loss"]},
    ),
    (fitted(callbacks=(callback("ModelCheckpoint", save_best_only=True),)), {"cls": ["ModelCheckpoint", "X"]}),
)


BAD: tuple[tuple[Evidence, dict[str, Any], str], ...] = (
    (an_evidence(), {"cls": "EarlyStopping"}, "no EarlyStopping among its callbacks (none at all)"),
    (
        fitted(callbacks=(callback("EarlyStopping", restore_best_weights=False),)),
        {"cls": "EarlyStopping", "restore_best_weights": True},
        "whose restore_best_weights is False",
    ),
    (
        fitted(a_fit(), a_fit(event=9, callbacks=(callback("EarlyStopping", patience=1),))),
        {"cls": "EarlyStopping", "patience": {"at_least": 3}},
        "whose patience is not 3 or more",
    ),
)


@pytest.mark.parametrize(("evidence", "params"), GOOD)
def test_what_is_as_asked_passes(evidence: Evidence, params: dict[str, Any]) -> None:
    passes(judge("callback", evidence, **params))


@pytest.mark.parametrize(("evidence", "params", "said"), BAD)
def test_what_is_not_as_asked_fails_and_says_why(evidence: Evidence, params: dict[str, Any], said: str) -> None:
    fails(judge("callback", evidence, **params), said)


def test_a_role_that_no_network_fills_is_said() -> None:
    lacks_its_model("callback", cls="EarlyStopping")

"""The check `callback`."""

from typing import Any

import pytest

from grader.facts.language import english
from grader.schema.evidence import Evidence
from grader.schema.message import Message, say
from tests.support.factories import a_fit, an_evidence, callback
from tests.support.judging import fails, fitted, judge, lacks_its_model, passes
from tests.support.says import says

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


SETTING = "its {setting:code} is {value:code}, not {required:code}"


BAD: tuple[tuple[Evidence, dict[str, Any], Message], ...] = (
    (an_evidence(), {"cls": "EarlyStopping"}, say("{classes:code or} is required", classes=["EarlyStopping"])),
    (
        fitted(callbacks=(callback("EarlyStopping", restore_best_weights=False),)),
        {"cls": "EarlyStopping", "restore_best_weights": True},
        say(SETTING, setting="restore_best_weights", value="False", required="True"),
    ),
    (
        fitted(a_fit(), a_fit(event=9, callbacks=(callback("EarlyStopping", patience=1),))),
        {"cls": "EarlyStopping", "patience": {"at_least": 3}},
        say("its {setting:code} is not {range}", setting="patience", range=say("{low:number} or more", low=3)),
    ),
    (
        fitted(callbacks=(callback("EarlyStopping", monitor="loss"),)),
        {"cls": "EarlyStopping", "monitor": ["val_accuracy", "val_loss"]},
        say("it does not monitor {metrics:code or}", metrics=["val_accuracy", "val_loss"]),
    ),
)


@pytest.mark.parametrize(("evidence", "params"), GOOD)
def test_a_callback_that_meets_the_conditions_passes(evidence: Evidence, params: dict[str, Any]) -> None:
    passes(judge("callback", evidence, **params))


@pytest.mark.parametrize(("evidence", "params", "fault"), BAD)
def test_a_callback_with_a_fault_fails_with_the_fault(
    evidence: Evidence, params: dict[str, Any], fault: Message
) -> None:
    finding = judge("callback", evidence, **params)
    fails(finding, fault.id, **fault.values)
    assert finding.measured["faults"] == [english(fault)]


def test_the_message_names_the_callback_with_its_settings() -> None:
    used = fitted(callbacks=(callback("EarlyStopping", monitor="val_loss", patience=5),))
    finding = judge("callback", used, cls="EarlyStopping")
    assert says(finding.message, "{callback:code} ({settings:list})", callback="EarlyStopping")
    assert english(finding.message) == (
        "The training in cell 5 used `EarlyStopping` (monitor='val_loss', patience=5), as required."
    )


def test_the_message_names_the_callbacks_of_another_class() -> None:
    finding = judge("callback", fitted(callbacks=(callback("CSVLogger"),)), cls="EarlyStopping")
    message = "The training in {cell:cell} used only the callback {callbacks:code}"
    assert says(finding.message, message, count=1, callbacks=["CSVLogger"])
    assert says(judge("callback", cls="EarlyStopping").message, "The training in {cell:cell} used no callback", cell=4)


def test_a_missing_model_fails() -> None:
    lacks_its_model("callback", cls="EarlyStopping")

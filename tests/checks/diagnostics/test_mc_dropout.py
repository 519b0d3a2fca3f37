"""The diagnostics in `mc_dropout`, on notebooks with the mistakes and on notebooks that only resemble them."""

from typing import Any

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence
from grader.schema.message import as_message
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, each, notes_of
from tests.support.factories import a_model, an_evidence, conv, dense, some_passes


def repeated(**keys: Any) -> Evidence:
    """Make a notebook with ten equal passes."""
    values = {"way": "predict", "training": None, "passes": 10, "averaged": 10, "differ": False}
    return an_evidence(repeated_passes=(some_passes(**values | keys),))


MISTAKES: Cases = {
    "mc-dropout-off": (
        repeated(),
        repeated(average="median"),
        repeated(average="sum"),
        repeated(way="call", passes=50, averaged=50),
    ),
}


LOOKALIKES: Cases = {
    "mc-dropout-off": (
        repeated(differ=True),
        repeated(average=None, averaged=None),
        repeated(average="accuracies"),
        repeated(passes=2, averaged=2),
        repeated().model_copy(update={"models": (a_model(conv(), dense(10)),)}),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    assert_noted(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)


def test_the_note_counts_the_passes() -> None:
    for one, count in ((MISTAKES["mc-dropout-off"][0], 10), (MISTAKES["mc-dropout-off"][-1], 50)):
        (note,) = notes_of("mc-dropout-off", one)
        assert as_message(note.message).values["passes"] == count

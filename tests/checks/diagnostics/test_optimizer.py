"""The diagnostics in `optimizer`, on notebooks with the mistakes and on notebooks that only resemble them."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence, IgnoredFact
from grader.schema.message import as_message
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, each, notes_of
from tests.support.factories import a_cell, an_evidence

UNREAD = IgnoredFact(event=5, cell=4, form="optimizer.lr", optimizer="Adam", value=0.0001)
IGNORED = IgnoredFact(event=3, cell=2, form="optimizer.decay", optimizer="SGD", value=1e-06)
MISTAKES: Cases = {
    "optimizer-lr-unread": (
        an_evidence(ignored=(UNREAD,)),
        an_evidence(ignored=(UNREAD.model_copy(update={"value": None}),)),
    ),
    "optimizer-decay-ignored": (an_evidence(ignored=(IGNORED,)),),
}


LOOKALIKES: Cases = {
    "optimizer-lr-unread": (
        an_evidence(ignored=(IGNORED,)),
        an_evidence(cells=(a_cell(0, "model.optimizer.learning_rate = 1e-4\nlr = 1e-4"),)),
    ),
    "optimizer-decay-ignored": (
        an_evidence(ignored=(UNREAD,)),
        an_evidence(cells=(a_cell(0, "SGD(learning_rate=schedules.InverseTimeDecay(0.01, 1, decay_rate=1e-6))"),)),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    assert_noted(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)


def test_the_messages_have_the_ignored_values() -> None:
    (note,) = notes_of("optimizer-lr-unread", an_evidence(ignored=(UNREAD,)))
    assert as_message(note.message).values == {"cell": 4, "optimizer": "Adam", "value": 0.0001}
    (note,) = notes_of("optimizer-decay-ignored", an_evidence(ignored=(IGNORED,)))
    assert as_message(note.message).values == {"cell": 2, "optimizer": "SGD", "value": 1e-06}

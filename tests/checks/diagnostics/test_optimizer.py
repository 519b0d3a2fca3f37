"""The diagnostics in `optimizer`, on notebooks that make the mistake and on notebooks that only look like it."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence, IgnoredFact
from tests.support.diagnosing import Cases, each, found, left_alone, recognised
from tests.support.factories import an_evidence

UNREAD = IgnoredFact(event=5, cell=4, form="optimizer.lr", optimizer="Adam", value=0.0001)
UNHEEDED = IgnoredFact(event=3, cell=2, form="optimizer.decay", optimizer="SGD", value=1e-06)
MISTAKES: Cases = {
    "optimizer-lr-unread": (
        an_evidence(ignored=(UNREAD,)),
        an_evidence(ignored=(UNREAD.model_copy(update={"value": None}),)),
    ),
    "optimizer-decay-ignored": (an_evidence(ignored=(UNHEEDED,)),),
}


LOOKALIKES: Cases = {
    "optimizer-lr-unread": (an_evidence(ignored=(UNHEEDED,)),),
    "optimizer-decay-ignored": (an_evidence(ignored=(UNREAD,)),),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_recognised(name: str, one: Evidence | Case) -> None:
    recognised(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_what_only_looks_like_the_mistake_is_left_alone(name: str, one: Evidence | Case) -> None:
    left_alone(name, one)


def test_the_messages_have_the_ignored_values() -> None:
    (note,) = found("optimizer-lr-unread", an_evidence(ignored=(UNREAD,)))
    assert "In cell 5 the attribute `lr` of Adam was set to 0.0001." in note.message
    (note,) = found("optimizer-decay-ignored", an_evidence(ignored=(UNHEEDED,)))
    assert "In cell 3 SGD was given `decay` = 1e-06." in note.message

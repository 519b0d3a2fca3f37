"""The diagnostics in `data_leaks`, on notebooks with the mistakes and on notebooks that only resemble them."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence
from grader.schema.message import as_message
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, each, notes_of
from tests.support.factories import a_fit, an_array, an_evidence, rows

MISTAKES: Cases = {
    "validation-on-test-set": (an_evidence(fits=(a_fit(val_x=an_array(10_000, of=rows(test=10_000))),)),),
    "test-images-in-training-data": (an_evidence(fits=(a_fit(x=an_array(of=rows(train=60_000, test=10_000))),)),),
}


LOOKALIKES: Cases = {
    "validation-on-test-set": (
        an_evidence(),
        an_evidence(fits=(a_fit(val_x=an_array(6_000, of=rows(6_000, 5, method="neighbour"))),)),
    ),
    "test-images-in-training-data": (
        an_evidence(),
        an_evidence(fits=(a_fit(val_x=an_array(10_000, of=rows(test=10_000))),)),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    assert_noted(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)


@pytest.mark.parametrize("name", MISTAKES)
def test_the_note_counts_the_test_images(name: str) -> None:
    (note,) = notes_of(name, MISTAKES[name][0])
    figures = as_message(note.message).values
    assert (figures["count"], figures["dataset"]) == (10_000, "mnist")
    assert figures.get("total", 70_000) == 70_000

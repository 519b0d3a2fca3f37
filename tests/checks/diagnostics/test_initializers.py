"""The diagnostics in `initializers`, on notebooks with the mistakes and on notebooks that only resemble them."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence
from grader.schema.message import as_message
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, built, each, notes_of
from tests.support.factories import an_evidence, conv, dense

ZEROS = {"class_name": "Zeros", "config": {}}
MISTAKES: Cases = {
    "zero-kernel-initialiser": (
        built(conv(kernel_initializer=ZEROS), dense(10)),
        built(dense(9, kernel_initializer={"class_name": "Constant", "config": {"value": 0.5}}), dense(10)),
        built(dense(9, kernel_initializer="zeros"), dense(10)),
    ),
}


LOOKALIKES: Cases = {
    "zero-kernel-initialiser": (
        an_evidence(),
        built(conv(bias_initializer=ZEROS), dense(10)),
        built(dense(10, "softmax", kernel_initializer=ZEROS)),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    assert_noted(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)


@pytest.mark.parametrize(("one", "value"), list(zip(MISTAKES["zero-kernel-initialiser"], (0, 0.5, 0), strict=True)))
def test_the_note_has_the_initial_value(one: Evidence | Case, value: float) -> None:
    (note,) = notes_of("zero-kernel-initialiser", one)
    assert as_message(note.message).values["values"] == [value]
    assert len(as_message(note.message).values["layers"]) == 1

"""The diagnostics in `reuse`, on notebooks with the mistakes and on notebooks that only resemble them."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence, OptimizerFact
from grader.schema.message import as_message
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, each, notes_of
from tests.support.factories import a_compile, a_model, an_evidence


def optimised(*ids: tuple[str, str]) -> Evidence:
    """Make a notebook with these compiles of (model, optimizer)."""
    models = tuple(a_model(model_id=model, name=model) for model in dict.fromkeys(model for model, _ in ids))
    compiles = tuple(
        a_compile(event=place, model=model, optimizer=OptimizerFact(cls="Nadam", id=optimizer))
        for place, (model, optimizer) in enumerate(ids, start=5)
    )
    return an_evidence(models=models, compiles=compiles)


MISTAKES: Cases = {
    "optimizer-reused": (optimised(("m1", "o1"), ("m2", "o1")), optimised(("m1", "o1"), ("m1", "o1"), ("m2", "o1"))),
}


LOOKALIKES: Cases = {
    "optimizer-reused": (
        optimised(("m1", "o1"), ("m2", "o2")),
        optimised(("m1", "o1"), ("m1", "o1")),
        optimised(("m1", ""), ("m2", "")),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    assert_noted(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)


def test_the_note_names_the_models_and_each_cell_once() -> None:
    (note,) = notes_of("optimizer-reused", MISTAKES["optimizer-reused"][1])
    values = as_message(note.message).values
    assert (values["optimizer"], values["models"]) == ("Nadam", ["m1", "m2"])
    assert len(values["cells"]) == 1

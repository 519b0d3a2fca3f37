"""The diagnostics in `reuse`, on notebooks with the mistakes and on notebooks that only resemble them."""

from typing import Any

import pytest

from grader.facts.case import Case
from grader.schema.evidence import EvaluateFact, Evidence, OptimizerFact, PredictFact, SaveFact
from grader.schema.message import as_message
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, each, notes_of
from tests.support.factories import a_compile, a_fit, a_model, an_evidence


def optimised(*ids: tuple[str, str]) -> Evidence:
    """Make a notebook with these compiles of (model, optimizer)."""
    models = tuple(a_model(model_id=model, name=model) for model in dict.fromkeys(model for model, _ in ids))
    compiles = tuple(
        a_compile(event=place, model=model, optimizer=OptimizerFact(cls="Nadam", id=optimizer))
        for place, (model, optimizer) in enumerate(ids, start=5)
    )
    return an_evidence(models=models, compiles=compiles)


def cloned(*, shared: bool = True, saves: tuple[SaveFact, ...] = (), trained: int = 12, **keys: Any) -> Evidence:
    """Make a notebook with a copy `m2` of the model `m1`, and a model `m3` that shares layers with `m1`."""
    copy = SaveFact(event=8, cell=3, action="clone", model="m2", other="m1")
    return an_evidence(
        models=(
            a_model(),
            a_model(model_id="m2", name="clone", **keys.pop("copy", {})),
            a_model(model_id="m3", name="b", shares_layers_with=("m1",) if shared else ("m2",)),
        ),
        fits=(a_fit(), a_fit(event=trained, model="m3")),
        saves=(copy, SaveFact(event=9, cell=3, action="set_weights", model="m2", other="m1"), *saves),
        **keys,
    )


MISTAKES: Cases = {
    "clone-unused": (
        cloned(),
        # The copy is compiled, which is no use of it.
        cloned(compiles=(a_compile(), a_compile(event=10, model="m2"))),
    ),
    "optimizer-reused": (optimised(("m1", "o1"), ("m2", "o1")), optimised(("m1", "o1"), ("m1", "o1"), ("m2", "o1"))),
}


LOOKALIKES: Cases = {
    "clone-unused": (
        # The new model is built from the copy.
        cloned(shared=False),
        cloned(copy={"shares_layers_with": ("m4",)}),
        # The copy keeps the weights from before, and gives them back.
        cloned(saves=(SaveFact(event=14, cell=5, action="set_weights", model="m1", other="m2"),)),
        cloned(evaluations=(EvaluateFact(event=14, cell=5, model="m2"),)),
        cloned(predictions=(PredictFact(event=14, cell=5, model="m2"),)),
        cloned(saves=(SaveFact(event=14, cell=5, action="save", model="m2", path="a.keras"),)),
        # A copy that nothing needs, since no other model was trained after it.
        cloned(trained=7),
    ),
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


def test_the_note_names_the_copy_the_original_and_the_model_with_its_layers() -> None:
    (note,) = notes_of("clone-unused", cloned())
    assert as_message(note.message).values == {"cell": 3, "copy": "clone", "original": "model", "other": "b"}
    assert (note.cell, note.model) == (3, "m2")

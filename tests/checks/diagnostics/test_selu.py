"""The diagnostics in `selu`, on notebooks with the mistakes and on notebooks that only resemble them."""

from collections.abc import Mapping

import pytest

from grader.facts.case import Case
from grader.schema.evidence import ArrayFact, Evidence, LayerFact
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, built, each, notes_of
from tests.support.factories import a_fit, a_model, an_array, an_evidence, dense, dropout, layer, operation, rows
from tests.support.says import ids, says, values

STANDARDISED = an_array(of=rows(60_000), low=-2.1, high=2.4, mean=0.0, std=1.0)


def selu(*following: LayerFact, initialiser: str = "LecunNormal", x: ArrayFact | None = STANDARDISED) -> Evidence:
    """Make a notebook with a trained model that has one hidden SELU layer."""
    hidden = dense(100, "selu", name="hidden", kernel_initializer={"class_name": initialiser, "config": {}})
    return an_evidence(models=(a_model(hidden, *following, dense(10, "softmax", name="out")),), fits=(a_fit(x=x),))


MISTAKES: Mapping[str, tuple[Evidence, ...]] = {
    "selu-without-lecun": (selu(initialiser="GlorotUniform"), selu(initialiser="HeNormal")),
    "selu-inputs-not-standardised": (
        selu(x=an_array(of=rows(60_000), mean=0.13, std=0.31)),
        selu(x=an_array(of=rows(60_000), high=255.0, mean=33.3, std=78.6)),
    ),
    "selu-with-plain-dropout": (selu(dropout()), selu(layer("GaussianDropout", config={"rate": 0.1}))),
}


LOOKALIKES: Cases = {
    "selu-without-lecun": (
        selu(),
        selu(initialiser="lecun_uniform"),
        built(dense(100, "elu"), dense(10, "softmax")),
        built(dense(10, "selu", name="only")),
    ),
    "selu-inputs-not-standardised": (
        selu(),
        selu(x=None),
        selu(x=an_array(of=rows(60_000), mean=0.02, std=0.9)),
        an_evidence(
            models=(a_model(operation("Subtract"), dense(100, "selu"), dense(10)),),
            fits=(a_fit(x=an_array(of=rows(60_000), mean=0.13, std=0.31)),),
        ),
        an_evidence(),
    ),
    "selu-with-plain-dropout": (
        selu(layer("AlphaDropout", config={"rate": 0.1})),
        built(dense(100, "relu"), dropout(), dense(10)),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    assert_noted(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)


def test_several_models_with_the_same_inputs_are_one_note() -> None:
    one = MISTAKES["selu-inputs-not-standardised"][0]
    models = tuple(one.models[0].model_copy(update={"id": name, "name": name}) for name in ("m1", "m2"))
    fits = tuple(
        one.fits[0].model_copy(update={"model": name, "event": 9 + place}) for place, name in enumerate(("m1", "m2"))
    )
    (note,) = notes_of("selu-inputs-not-standardised", one.model_copy(update={"models": models, "fits": fits}))
    figures = values(
        note.message,
        "{model:code} uses SELU, but {cell:cell} trained it on images with mean {mean:number} and standard deviation "
        "{std:number}.",
    )
    assert (figures["model"], figures["mean"], figures["std"]) == ("m1", 0.13, 0.31)
    assert "The same applies to {models}." in ids(note.message)
    assert says(note.message, "{model:code} ({cell:cell})", model="m2")


def test_models_with_the_same_initializer_are_one_note_and_another_initializer_has_its_own() -> None:
    ones, other = (selu(initialiser=name).models[0] for name in ("GlorotUniform", "HeNormal"))
    models = (
        ones.model_copy(update={"id": "m1", "name": "first"}),
        other.model_copy(update={"id": "m2", "name": "he"}),
        ones.model_copy(update={"id": "m3", "name": "copy", "cell": 4}),
    )
    glorot, he = notes_of("selu-without-lecun", an_evidence(models=models, fits=()))
    assert says(
        glorot.message,
        "In {model:code}, {count:number} layer with SELU starts with {initializers:code}.",
        model="first",
        count=1,
        initializers=["glorot_uniform"],
    )
    assert says(glorot.message, "{model:code} ({cell:cell})", model="copy", cell=4)
    assert he.model == "m2"

"""The diagnostics in `selu`, on notebooks that make the mistake and on notebooks that only look like it."""

from collections.abc import Mapping

import pytest

from grader.facts.case import Case
from grader.schema.evidence import ArrayFact, Evidence, LayerFact
from tests.support.diagnosing import Cases, built, each, found, left_alone, recognised
from tests.support.factories import a_fit, a_model, an_array, an_evidence, dense, dropout, layer, operation, rows

STANDARDISED = an_array(of=rows(60_000), low=-2.1, high=2.4, mean=0.0, std=1.0)


def selu(*behind: LayerFact, initialiser: str = "LecunNormal", x: ArrayFact | None = STANDARDISED) -> Evidence:
    """A trained network with one hidden SELU layer."""
    hidden = dense(100, "selu", name="hidden", kernel_initializer={"class_name": initialiser, "config": {}})
    return an_evidence(models=(a_model(hidden, *behind, dense(10, "softmax", name="out")),), fits=(a_fit(x=x),))


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
def test_the_mistake_is_recognised(name: str, one: Evidence | Case) -> None:
    recognised(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_what_only_looks_like_the_mistake_is_left_alone(name: str, one: Evidence | Case) -> None:
    left_alone(name, one)


def test_several_networks_with_the_same_inputs_are_one_note() -> None:
    one = MISTAKES["selu-inputs-not-standardised"][0]
    models = tuple(one.models[0].model_copy(update={"id": name, "name": name}) for name in ("m1", "m2"))
    fits = tuple(
        one.fits[0].model_copy(update={"model": name, "event": 9 + place}) for place, name in enumerate(("m1", "m2"))
    )
    (note,) = found("selu-inputs-not-standardised", one.model_copy(update={"models": models, "fits": fits}))
    assert "`m1` uses SELU" in note.message
    assert "It is the same with `m2`" in note.message


def test_several_networks_that_begin_alike_are_one_note_and_another_has_its_own() -> None:
    ones, other = (selu(initialiser=name).models[0] for name in ("GlorotUniform", "HeNormal"))
    models = (
        ones.model_copy(update={"id": "m1", "name": "first"}),
        other.model_copy(update={"id": "m2", "name": "he"}),
        ones.model_copy(update={"id": "m3", "name": "copy", "cell": 4}),
    )
    glorot, he = found("selu-without-lecun", an_evidence(models=models, fits=()))
    assert glorot.message == (
        "In `first`, 1 layer with SELU begins with glorot_uniform. It is the same with `copy` (cell 5)."
    )
    assert he.model == "m2"

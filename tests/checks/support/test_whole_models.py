"""Models that are parts of others get no notes of their own."""

from typing import Any

from grader.checks.support.whole_models import whole_models
from grader.schema.evidence import LayerFact
from tests.support.factories import a_compile, a_model, an_evidence, conv, dense, layer

LAYERS = (conv(name="first"), conv(name="second"), dense(name="scores"))


def kept(*parts: tuple[tuple[LayerFact, ...], tuple[str, ...]], **keys: Any) -> list[str]:
    """List the whole models among models `m1`, `m2` … with these layers and sharers."""
    models = tuple(
        a_model(*layers, model_id=f"m{number}", shares_layers_with=sharers)
        for number, (layers, sharers) in enumerate(parts, start=1)
    )
    facts: dict[str, Any] = {"compiles": (), "fits": (), "accuracies": (), **keys}
    return [model.id for model in whole_models(an_evidence(models=models, **facts))]


def test_a_model_with_the_first_layers_of_another_is_left_out() -> None:
    assert kept((LAYERS[:2], ()), (LAYERS, ("m1",))) == ["m2"]
    assert kept((LAYERS, ()), (LAYERS[:2], ("m1",))) == ["m1"]


def test_a_compiled_model_is_whole() -> None:
    compiles = (a_compile(model="m1"),)
    assert kept((LAYERS[:2], ()), (LAYERS, ("m1",)), compiles=compiles) == ["m1", "m2"]


def test_of_two_models_with_the_same_layers_the_compiled_one_is_kept_else_the_first() -> None:
    softmax = (*LAYERS, layer("Softmax"))
    assert kept((LAYERS, ()), (softmax, ("m1",))) == ["m1"]
    assert kept((LAYERS, ()), (softmax, ("m1",)), compiles=(a_compile(model="m2"),)) == ["m2"]


def test_models_with_equal_names_that_share_nothing_are_kept() -> None:
    assert kept((LAYERS, ()), (LAYERS, ())) == ["m1", "m2"]


def test_a_model_with_a_layer_of_its_own_is_whole() -> None:
    assert kept((LAYERS, ()), ((*LAYERS[:2], dense(name="other")), ("m1",))) == ["m1", "m2"]

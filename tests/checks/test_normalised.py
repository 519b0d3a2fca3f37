"""The check `normalised`."""

from typing import Any

import pytest

from grader.schema.evidence import Evidence, LayerFact
from tests.support.factories import a_fit, a_model, a_named_array, an_array, an_evidence, dense, layer, operation
from tests.support.judging import fails, fitted, judge, lacks_its_model, passes, waits
from tests.support.says import says


def raw(*first: LayerFact) -> Evidence:
    """A network that was given raw pixels, with these layers before its first weights."""
    return an_evidence(
        models=(a_model(*first, dense(10), cls="Functional"),),
        fits=(a_fit(x=an_array(high=255.0, mean=33.3, std=78.6)),),
    )


def rescaling(scale: Any = 1 / 255, offset: float = 0.0) -> LayerFact:
    return layer("Rescaling", config={"scale": scale, "offset": offset})


GOOD: tuple[tuple[Evidence, dict[str, Any]], ...] = (
    (an_evidence(), {"to": "unit"}),
    (fitted(x=an_array(low=-0.5, high=0.5)), {"to": "centred"}),
    (fitted(x=an_array(low=-2.0, high=2.1, mean=0.01, std=0.98)), {"to": "standardised"}),
    (raw(rescaling()), {"to": "unit"}),
    (raw(rescaling(1 / 127.5, -1.0)), {"to": "symmetric"}),
    (raw(rescaling(), layer("BatchNormalization")), {"to": "standardised"}),
    (an_evidence(models=(a_model(rescaling(), dense(10)),), fits=(a_fit(x=an_array(low=None)),)), {"to": "unit"}),
    (raw(operation("TrueDivide", None, 255.0)), {"to": "unit"}),
    (raw(operation("math.truediv", None, 255.0, cls="TFOpLambda")), {"to": "unit"}),
    (raw(operation("Multiply", 1 / 255, None), operation("Subtract", 1.0, None)), {"to": "unit"}),
    (raw(operation("Subtract", None, 127.5), operation("Divide", None, 127.5)), {"to": "symmetric"}),
    (raw(operation("Subtract", None, 33.3), operation("TrueDivide", None, 78.6)), {"to": "standardised"}),
    (an_evidence(models=(a_model(operation("Exp"), dense(10)),)), {"to": "unit"}),
    (an_evidence(arrays=(a_named_array("x", "cifar10/train", low=-0.5, high=0.5),)), {"variables": "cifar10"}),
)


RANGE = "{low:number} to {high:number}"


NUMBERS = "numbers from {low:number} to {high:number} (mean {mean:number}, standard deviation {std:number})"


SCALED = "{subject}, which {operations:code} in the model scales to {low:number} to {high:number}"


BAD: tuple[tuple[Evidence, dict[str, Any], str, dict[str, Any]], ...] = (
    (fitted(x=an_array(low=0.0, high=255.0)), {"to": "unit"}, RANGE, {"low": 0.0, "high": 1.0}),
    (an_evidence(), {"to": "standardised"}, "mean 0 with standard deviation 1", {}),
    (
        an_evidence(),
        {"variables": "cifar10"},
        "No variable of the notebook holds images of {dataset:dataset}.",
        {"dataset": "cifar10"},
    ),
    (raw(operation("TrueDivide", None, 2.0)), {"to": "unit"}, SCALED, {"low": 0.0, "high": 127.5}),
    (raw(operation("TrueDivide", None, 2.0)), {"to": "unit"}, RANGE, {"low": 0.0, "high": 1.0}),
    (
        an_evidence(models=(a_model(operation("TrueDivide", None, 255.0), dense(10)),)),
        {},
        SCALED,
        {"low": 0.0, "high": 1 / 255},
    ),
    (an_evidence(models=(a_model(rescaling(), dense(10)),)), {}, SCALED, {"low": 0.0, "high": 1 / 255}),
    (raw(rescaling()), {"to": "standardised"}, SCALED, {"low": 0.0, "high": 1.0}),
    (
        raw(operation("TrueDivide", None, 255.0)),
        {"by_layer": False},
        NUMBERS,
        {"low": 0.0, "high": 255.0, "mean": 33.3},
    ),
    (raw(operation("Reshape")), {}, NUMBERS, {"low": 0.0, "high": 255.0, "mean": 33.3}),
)


UNSEEN: tuple[Evidence, dict[str, Any]] = (fitted(x=an_array(low=None, high=None, mapped=True)), {"to": "unit"})


NEVER_ADAPTED = "04d82eb70c138c5230cbc52a2c85a94e"
"""Digest of the first weights of a `Normalization` layer with three means, as the recorder computes it."""


def normalized_by_layer(digest: str, **array: Any) -> Evidence:
    """A network with a `Normalization` layer before its first weights."""
    model = a_model(layer("Normalization", name="norm", parameters=7), dense(10), cls="Functional")
    fit = a_fit(x=an_array(**({"high": 255.0} | array)), digests_before={"norm": digest})
    return an_evidence(models=(model,), fits=(fit,))


def test_a_normalization_layer_that_was_never_adapted_does_not_count() -> None:
    passes(judge("normalised", normalized_by_layer("0" * 32)))
    fault = "{subject}, and {layer:code} was never adapted to images"
    fails(judge("normalised", normalized_by_layer(NEVER_ADAPTED)), fault, layer="norm")
    passes(judge("normalised", normalized_by_layer(NEVER_ADAPTED, high=1.0)))
    waits(judge("normalised", normalized_by_layer(NEVER_ADAPTED, low=None, high=None)))


@pytest.mark.parametrize(("evidence", "params"), GOOD)
def test_what_is_as_asked_passes(evidence: Evidence, params: dict[str, Any]) -> None:
    passes(judge("normalised", evidence, **params))


@pytest.mark.parametrize(("evidence", "params", "fault", "values"), BAD)
def test_what_is_not_as_asked_fails_and_says_why(
    evidence: Evidence, params: dict[str, Any], fault: str, values: dict[str, Any]
) -> None:
    fails(judge("normalised", evidence, **params), fault, **values)


def test_what_cannot_be_seen_waits_for_a_person() -> None:
    evidence, params = UNSEEN
    waits(judge("normalised", evidence, **params))


def test_a_role_that_no_network_fills_is_said() -> None:
    lacks_its_model("normalised")


@pytest.mark.parametrize(
    "first",
    [
        operation("TrueDivide"),
        operation("TrueDivide", None, 0.0),
        operation("Add", cls="TFOpLambda"),
        operation("Relu"),
        layer("Lambda"),
        layer("Layer", custom="Scaled"),
        rescaling([1 / 255, 1 / 128, 1 / 255]),
    ],
)
def test_images_that_something_unknown_may_bring_into_range_wait_for_a_person(first: LayerFact) -> None:
    finding = judge("normalised", raw(first, operation("Subtract", None, 1.0)))
    assert finding.status == "pending"
    assert says(finding.message, "their range after {layer:code}", layer=first.name)
    assert judge("normalised", raw(first), by_layer=False).status == "failed"


def test_raw_images_that_a_call_of_the_students_may_scale_wait_for_a_person() -> None:
    model, x = a_model(dense(64, "relu", name="hidden"), dense(10), cls="Net"), an_array(high=255.0)
    finding = judge("normalised", an_evidence(models=(model,), fits=(a_fit(x=x),)))
    assert finding.status == "pending"
    assert says(finding.message, "their range in the notebook's own `call`")
    passes(judge("normalised", an_evidence(models=(model,))))

"""The check `dropout`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import Range, Whole, WithModel
from grader.facts.case import Case
from grader.facts.layers import DROPOUTS, Network, is_transform, own_activation
from grader.facts.operations import is_opaque
from grader.schema.base import Pointer
from grader.schema.evidence import LayerFact
from grader.schema.grade import Finding, MeasureLabel
from grader.schema.message import Message, say, say_count, sentences

__all__ = ["DropoutParams", "activation_before", "dropout"]

_MOST_LISTED = 3
"""Dropout layers that do not count and are explained, at most."""


class DropoutParams(WithModel):
    """Parameters of `dropout`."""

    kind: Literal["any", "alpha", "plain"] = "any"
    """`alpha` for `AlphaDropout`, `plain` for every other kind."""
    at_least: Annotated[Whole, Field(ge=1)] = 1
    """The smallest number of such layers."""
    rate: Range | None = None
    """Bounds of the rate."""
    hidden: bool = True
    """Whether there must be layers with weights before and after it."""
    suits_activation: bool = True
    """Whether alpha dropout must follow SELU, and no other dropout may follow SELU."""


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "found": measure(say("Dropout layers that meet the conditions"), "number"),
    "of_this_kind": measure(say("Dropout layers"), "number"),
    "layers": measure(say("Layers"), "code list"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("dropout", measures=_MEASURES)
def dropout(case: Case, params: DropoutParams) -> Finding:
    """The model has dropout of the right kind, at a sensible rate, between its layers.

    What it does:
        Counts the dropout layers that meet every condition. A student's subclass counts as its base class. Alpha
        dropout belongs to SELU: it keeps the mean and the standard deviation that SELU needs.

    Why it matters:
        Dropout on the input erases pixels, and dropout after the output erases answers. Plain dropout breaks the
        normalization of SELU.

    Example:
        `{check: dropout, with: {model: alpha, kind: alpha, rate: {at_most: 0.5}}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    network = Network(model)
    judged = [
        (layer, tuple(_faults(network, position, params)))
        for position, layer in enumerate(network.layers)
        if layer.cls in DROPOUTS
    ]
    counting = [layer for layer, faults in judged if not faults]
    passed = len(counting) >= params.at_least
    return Finding.scored(
        sentences(
            _count(model.name, counting, params.at_least),
            *([] if passed else [_explained(layer, faults) for layer, faults in judged if faults][:_MOST_LISTED]),
        ),
        1.0 if passed else 0.0,
        assurance=model.assurance,
        measured={"found": len(counting), "of_this_kind": len(judged)},
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )


def _count(model: str, layers: list[LayerFact], wanted: int) -> Message:
    if not layers:
        return say_count(
            "{model:code} has no dropout layer that meets the conditions; {count:number} is required.",
            "{model:code} has no dropout layer that meets the conditions; {count:number} are required.",
            wanted,
            model=model,
        )
    return say_count(
        "{model:code} has {count:number} dropout layer that meets the conditions ({layers}); "
        "required: {wanted:number}.",
        "{model:code} has {count:number} dropout layers that meet the conditions ({layers}); "
        "required: {wanted:number}.",
        len(layers),
        model=model,
        layers=[_named(layer) for layer in layers],
        wanted=wanted,
    )


def _explained(layer: LayerFact, faults: tuple[Message, ...]) -> Message:
    return say("{layer} does not count: {faults}.", layer=_named(layer), faults=faults)


def _faults(network: Network, position: int, params: DropoutParams) -> Iterator[Message]:
    layer = network.layers[position]
    alpha = layer.cls == "AlphaDropout"
    if params.kind == "alpha" and not alpha:
        yield say("it is not alpha dropout")
    if params.kind == "plain" and alpha:
        yield say("it is alpha dropout")
    rate = layer.config.get("rate")
    if params.rate is not None and not (isinstance(rate, (int, float)) and params.rate.holds(rate)):
        yield say("its rate is not {range}", range=params.rate.said)
    if params.hidden and not any(map(is_transform, network.behind(position))):
        yield say("no layer with weights follows it")
    if params.hidden and not any(map(is_transform, network.before(position))):
        yield say("no layer with weights comes before it")
    activation = activation_before(network, position)
    if params.suits_activation and activation is not None and alpha != (activation == "selu"):
        if alpha:
            yield say("it follows {activation:code}, but alpha dropout belongs to SELU", activation=activation)
        else:
            yield say("it follows SELU, which needs alpha dropout")


def activation_before(network: Network, position: int) -> str | None:
    """Find the last activation before a layer; None if there is none or it is unknown."""
    for layer in reversed(network.before(position)):
        activation = own_activation(layer)
        if activation not in {None, "linear"}:
            return activation
        if layer.operation is not None and is_opaque(layer):
            return None
        if is_transform(layer):
            return activation
    return None


def _named(layer: LayerFact) -> Message:
    rate = layer.config.get("rate")
    if isinstance(rate, (int, float)):
        return say("{layer:code} (rate {rate:number})", layer=layer.name, rate=rate)
    return say("{layer:code}", layer=layer.name)

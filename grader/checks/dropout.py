"""The check `dropout`."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.conditions import CandidateLayer, Condition, Conditions
from grader.checks.support.measures import measure
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import Range, Whole, WithModel
from grader.facts.case import Case
from grader.facts.layers import DROPOUTS, Network, is_transform, may_match, own_activation
from grader.facts.operations import is_opaque, is_unreadable
from grader.schema.base import Pointer
from grader.schema.evidence import Evidence, LayerFact
from grader.schema.grade import Finding, FindingDetails, MeasureLabel
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


_FUNCTION: Final = re.compile(r"\b(?:nn|K|backend|ops|random|F|functional|experimental)\.(?:\w+_)?dropout(?:_v2)?\(")
"""A call of a function of TensorFlow or Keras for dropout."""


@check("dropout", measures=_MEASURES)
def dropout(case: Case, params: DropoutParams) -> Finding:
    """The model has dropout of the right kind, at a sensible rate, between its layers.

    What it does:
        Counts the dropout layers that meet every condition. A student's subclass counts as its base class. Alpha
        dropout belongs to SELU: it keeps the mean and the standard deviation that SELU needs. If the student's own
        code decides (the order of the layers in a `call`, an activation function before alpha dropout, what a layer
        class of the student's does, `tf.nn.dropout` in a `call`), a person must judge it.

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
    candidates = [
        CandidateLayer(layer, Conditions.of(_conditions(network, position, params)))
        for position, layer in enumerate(network.layers)
        if layer.cls in DROPOUTS or may_match(layer, "any_dropout")
    ]
    counting = [candidate.layer for candidate in candidates if candidate.counts]
    unknown = sum(candidate.counts is None for candidate in candidates)
    passed = len(counting) >= params.at_least
    misses = [] if passed else [candidate for candidate in candidates if not candidate.counts]
    explained = [miss.explained(_named(miss.layer)) for miss in misses[:_MOST_LISTED]]
    function = not passed and not network.has_known_order and _calls_function(case.evidence)
    in_call = say("The grader could not see whether its `call` uses a function for dropout.") if function else None
    message = sentences(_count(model.name, counting, params.at_least), *explained, in_call)
    details: FindingDetails = {
        "assurance": model.assurance,
        "measured": {"found": len(counting), "of_this_kind": len(candidates)},
        "evidence": (Pointer(cell=model.cell, event=model.event),),
    }
    if len(counting) < params.at_least <= len(counting) + unknown + function:
        return Finding.pending(say("{message} A person must judge it.", message=message), **details)
    return Finding.scored(message, 1.0 if passed else 0.0, **details)


def _calls_function(evidence: Evidence) -> bool:
    """Whether the notebook calls a function for dropout, such as `tf.nn.dropout`."""
    return any(cell.kind == "code" and _FUNCTION.search(cell.source) for cell in evidence.cells)


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


def _conditions(network: Network, position: int, params: DropoutParams) -> Iterator[Condition]:
    """Yield the conditions that a dropout layer misses, or that are unknown."""
    if network.layers[position].cls not in DROPOUTS:
        yield Condition("kind", None, say("the grader could not see what the notebook's own code in it does"))
        yield from _hidden(network, position, params)
        return
    yield from (Condition("settings", holds=False, seen=fault) for fault in _setting_faults(network, position, params))
    yield from _hidden(network, position, params)
    if params.suits_activation:
        yield from _activation(network, position)


def _hidden(network: Network, position: int, params: DropoutParams) -> Iterator[Condition]:
    # The order of layers in a `call` of the student's is unknown.
    holds = None if network.is_called_by_student(network.layers[position]) else False
    if params.hidden and not any(map(is_transform, network.behind(position))):
        yield Condition("hidden", holds, say("no layer with weights follows it") if holds is False else _NOT_SEEN_AFTER)
    if params.hidden and not any(map(is_transform, network.before(position))):
        seen = say("no layer with weights comes before it") if holds is False else _NOT_SEEN_BEFORE
        yield Condition("hidden", holds, seen)


_NOT_SEEN_AFTER = say("the grader could not see whether a layer with weights follows it in `call`")
_NOT_SEEN_BEFORE = say("the grader could not see whether a layer with weights comes before it in `call`")
_NOT_SEEN_ACTIVATION = say("the grader could not see which activation comes before it")


def _setting_faults(network: Network, position: int, params: DropoutParams) -> Iterator[Message]:
    layer = network.layers[position]
    alpha = layer.cls == "AlphaDropout"
    if params.kind == "alpha" and not alpha:
        yield say("it is not alpha dropout")
    if params.kind == "plain" and alpha:
        yield say("it is alpha dropout")
    rate = layer.config.get("rate")
    if params.rate is not None and not (isinstance(rate, (int, float)) and params.rate.holds(rate)):
        yield say("its rate is not {range}", range=params.rate.said)


def _activation(network: Network, position: int) -> Iterator[Condition]:
    """Yield the condition on the activation before a dropout layer, unless it holds."""
    layer = network.layers[position]
    alpha = layer.cls == "AlphaDropout"
    activation = activation_before(network, position)
    if alpha == (activation == "selu") or (activation is None and not alpha):
        return
    if network.is_called_by_student(layer) or (activation is None and _is_unreadable_before(network, position)):
        yield Condition("activation", None, _NOT_SEEN_ACTIVATION)
    elif activation is not None and alpha:
        wrong = say("it follows {activation:code}, but alpha dropout belongs to SELU", activation=activation)
        yield Condition("activation", holds=False, seen=wrong)
    elif not alpha:
        yield Condition("activation", holds=False, seen=say("it follows SELU, which needs alpha dropout"))


def _is_unreadable_before(network: Network, position: int) -> bool:
    """Whether code that the grader cannot read is the last to change the numbers before a layer."""
    opaque = next((layer for layer in reversed(network.before(position)) if is_opaque(layer)), None)
    return opaque is not None and is_unreadable(opaque)


def activation_before(network: Network, position: int) -> str | None:
    """Find the last activation before a layer; None if there is none or it is unknown."""
    for layer in reversed(network.before(position)):
        activation = own_activation(layer)
        if activation not in {None, "linear"}:
            return activation
        if is_opaque(layer):
            return None
        if is_transform(layer):
            return activation
    return None


def _named(layer: LayerFact) -> Message:
    rate = layer.config.get("rate")
    if isinstance(rate, (int, float)):
        return say("{layer:code} (rate {rate:number})", layer=layer.name, rate=rate)
    return say("{layer:code}", layer=layer.name)

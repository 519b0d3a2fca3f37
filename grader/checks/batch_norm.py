"""The check `batch_norm`."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Annotated, Final, Literal

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import Whole, WithModel
from grader.facts.case import Case
from grader.facts.layers import Network, is_transform, may_match, own_activation
from grader.facts.operations import is_unreadable
from grader.schema.base import Pointer
from grader.schema.evidence import LayerFact
from grader.schema.grade import Finding, FindingDetails, MeasureLabel
from grader.schema.message import Message, say, say_count, sentences

__all__ = ["BatchNormParams", "Place", "batch_norm", "places_of"]

Place = Literal["input", "before_activation", "after_activation", "linear"]

_PLACES: Mapping[Place, Message] = {
    "input": say("on the input"),
    "before_activation": say("before an activation"),
    "after_activation": say("after an activation"),
    "linear": say("without an activation next to it"),
}
_UNKNOWN = say("in an unknown place, because the notebook's own code decides")


class BatchNormParams(WithModel):
    """Parameters of `batch_norm`."""

    at_least: Annotated[Whole, Field(ge=1)] = 1
    """The smallest number of such layers."""
    place: Place | tuple[Place, ...] | None = None
    """`before_activation` (between weights and activation), `after_activation`, `input` (before the first weights),
    `linear`, or a list; the default is any place."""


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "found": measure(say("Batch normalization layers"), "number"),
    "fitting": measure(say("Of these, in the required place"), "number"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("batch_norm", measures=_MEASURES)
def batch_norm(case: Case, params: BatchNormParams) -> Finding:
    """The model has batch normalization in the required place.

    What it does:
        Determines for each `BatchNormalization` whether it is between weights and their activation, after an
        activation, or on the input. If a `call` of the student's applies it, or a function or layer class of the
        student's next to it may be an activation, its place is unknown, and a person must judge it. So must a layer
        class of the student's with weights, which may be batch normalization itself.

    Why it matters:
        Batch normalization keeps the scale of the values in a deep model. Before the activation, it also makes the
        bias of the previous layer superfluous.

    Example:
        `{check: batch_norm, with: {model: normalised, at_least: 20}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    network = Network(model)
    places = places_of(network)
    required = (params.place,) if isinstance(params.place, str) else params.place
    fitting = [place for place in places if required is None or place in required]
    message = sentences(_described(model.name, places), _required(params.at_least, required))
    details: FindingDetails = {
        "assurance": model.assurance,
        "measured": {"found": len(places), "fitting": len(fitting), "places": [place or "unknown" for place in places]},
        "evidence": (Pointer(cell=model.cell, event=model.event),),
    }
    own = [layer.name for layer in network.layers if may_match(layer, "BatchNormalization")]
    open_places = places.count(None) if required else 0
    if len(fitting) < params.at_least <= len(fitting) + open_places + len(own):
        code = say("The grader could not see what the notebook's own code in {layers:code} does.", layers=own)
        seen = sentences(message, code) if params.at_least > len(fitting) + open_places else message
        return Finding.pending(say("{message} A person must judge it.", message=seen), **details)
    return Finding.scored(message, 1.0 if len(fitting) >= params.at_least else 0.0, **details)


def _described(model: str, places: Sequence[Place | None]) -> Message:
    if not places:
        return say("{model:code} has no batch normalization layer.", model=model)
    return say_count(
        "{model:code} has {count:number} batch normalization layer: {places}.",
        "{model:code} has {count:number} batch normalization layers: {places}.",
        len(places),
        model=model,
        places=[
            say("{layers:number} {place}", layers=places.count(place), place=_PLACES[place] if place else _UNKNOWN)
            for place in dict.fromkeys(places)
        ],
    )


def _required(at_least: int, places: Sequence[Place] | None) -> Message:
    if places is None:
        return say("Required: at least {layers:number}.", layers=at_least)
    return say(
        "Required: at least {layers:number} {places:or}.",
        layers=at_least,
        places=[_PLACES[place] for place in places],
    )


def places_of(network: Network) -> tuple[Place | None, ...]:
    """List the places of the batch normalization layers, in order; None for an unknown place.

    Args:
        network: The layers in order.
    """
    return tuple(
        _place(network, position) for position, layer in enumerate(network.layers) if layer.cls == "BatchNormalization"
    )


def _place(network: Network, position: int) -> Place | None:
    if network.is_called_by_student(network.layers[position]):
        return None
    before = network.before(position)
    if not any(is_transform(layer) for layer in before):
        return "input"
    follows = _has_activation(reversed(before))
    precedes = _has_activation(takewhile(lambda layer: not is_transform(layer), network.behind(position)))
    if follows is None or (precedes is None and not follows):
        return None
    if follows:
        return "after_activation"
    return "before_activation" if precedes else "linear"


def _has_activation(layers: Iterable[LayerFact]) -> bool | None:
    """Whether one of some layers applies an activation, up to the first layer with weights; None if it is unknown."""
    for layer in layers:
        if own_activation(layer) not in {None, "linear"}:
            return True
        if is_unreadable(layer):
            return None
        if is_transform(layer):
            break
    return False

"""The check `has_layer`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from grader.checks.registry import check
from grader.checks.support.conditions import CandidateLayer, Condition, Conditions
from grader.checks.support.measures import measure
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import Range, Whole, WithModel
from grader.facts.case import Case
from grader.facts.initializers import initialiser_of, regulariser_of
from grader.facts.keras_names import (
    ActivationName,
    InitializerName,
    bare_name,
    canonical_activation,
    canonical_initializer,
    is_activation,
)
from grader.facts.language import english
from grader.facts.layers import LayerName, Network, kernel_size, layer_matches, may_match, own_activation
from grader.schema.base import Json, Pointer
from grader.schema.evidence import LayerFact
from grader.schema.grade import Finding, FindingDetails, MeasureLabel
from grader.schema.message import Message, say, say_count, sentences

__all__ = ["HasLayerParams", "has_layer"]

_MOST_EXPLAINED = 3
"""Layers that do not count and are explained, at most."""
_MOST_LISTED = 6
"""Layers that count and are named, at most."""
_Names = LayerName | tuple[LayerName, ...]


class HasLayerParams(WithModel):
    """Parameters of `has_layer`."""

    layer: _Names
    """A layer class (`Conv2D`), a family (`any_convolution`, `any_dropout`, `any_normalization`, `any_pooling`),
    `custom:Name` for a class that is not in Keras, or a list of accepted ones."""
    at_least: Annotated[Whole, Field(ge=0)] = 1
    """The smallest number of such layers."""
    at_most: Annotated[Whole, Field(ge=0)] | None = None
    """The largest number of such layers."""
    before: _Names | None = None
    """A layer of this kind must follow, directly or later."""
    after: _Names | None = None
    """A layer of this kind must come before it, directly or earlier."""
    rate: Range | None = None
    """Bounds of the rate of a dropout layer."""
    filters: Range | None = None
    """Bounds of the number of filters of a convolution."""
    units: Range | None = None
    """Bounds of the number of units of a dense layer."""
    kernel_size: Annotated[tuple[Whole, ...], Field(min_length=1)] | Range | None = None
    """The kernel of a convolution: its exact sides, or bounds for every side."""
    activation: ActivationName | tuple[ActivationName, ...] | None = None
    """Its activation, which may also be an activation layer that follows, by any Keras name (`silu`, `swish`) or as
    `custom:name`; or a list of accepted ones."""
    initialiser: InitializerName | tuple[InitializerName, ...] | None = None
    """Its kernel_initializer by either Keras name (`he_normal`, `HeNormal`) or as `custom:name`, or a list of accepted
    ones."""
    regulariser: Literal["any", "none", "l1", "l2", "l1_l2"] | None = None
    """Its kernel_regularizer; `any` accepts every kind. A regularizer with the factor 0 is `none`."""
    config: Mapping[str, Json] = Field(default_factory=dict)
    """Other settings of the layer, compared for equality."""

    @model_validator(mode="after")
    def _some_number_fits(self) -> Self:
        if self.at_most is not None and self.at_most < self.at_least:
            message = f"at_most {self.at_most} is below at_least {self.at_least}"
            raise ValueError(message)
        return self


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "found": measure(say("Layers that meet the conditions"), "number"),
    "of_this_kind": measure(say("Layers of this kind"), "number"),
    "layers": measure(say("Layers"), "code list"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("has_layer", measures=_MEASURES)
def has_layer(case: Case, params: HasLayerParams) -> Finding:
    """The model has layers of a kind, with given settings, in a given place.

    What it does:
        Counts the layers that meet every condition, including layers of nested models. For the other layers of the
        kind, the message names the missed conditions. If the student's own code decides (the order of the layers in a
        `call`, an activation function between them, what a layer class of the student's does), a person must judge it.

    Why it matters:
        The layers determine what a model can learn. Convolutions share weights across the image. Dropout and
        normalization help the model to generalize, but only in the right place.

    Example:
        `{check: has_layer, with: {layer: any_dropout, rate: {at_most: 0.6}, before: Dense}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    candidates = tuple(_candidates(Network(model), params))
    fitting = [c.layer for c in candidates if c.counts]
    unknown = sum(c.counts is None for c in candidates)
    verdicts = {_is_enough(count, params) for count in range(len(fitting), len(fitting) + unknown + 1)}
    message = _message(model.name, candidates, fitting, params)
    details: FindingDetails = {
        "assurance": model.assurance,
        "measured": {
            "found": len(fitting),
            "of_this_kind": len(candidates),
            "layers": [layer.name for layer in fitting],
            "near_misses": {
                c.layer.name: [english(miss.seen) for miss in c.missed.items] for c in candidates if not c.counts
            },
        },
        "evidence": (Pointer(cell=model.cell, event=model.event),),
    }
    if len(verdicts) > 1:
        return Finding.pending(say("{message} A person must judge it.", message=message), **details)
    return Finding.scored(message, 1.0 if verdicts == {True} else 0.0, **details)


def _is_enough(count: int, params: HasLayerParams) -> bool:
    return params.at_least <= count and (params.at_most is None or count <= params.at_most)


def _candidates(network: Network, params: HasLayerParams) -> Iterator[CandidateLayer]:
    for position, layer in enumerate(network.layers):
        if layer_matches(layer, params.layer):
            faults = (
                *_setting_faults(layer, params),
                *_kernel_faults(layer, params),
                *_regularizer_faults(layer, params),
            )
            missed = (
                *(Condition("settings", holds=False, seen=fault) for fault in faults),
                *_activation(network, position, params),
                *_initializer(layer, params),
                *_place(network, position, params),
            )
            yield CandidateLayer(layer, Conditions.of(missed))
        elif may_match(layer, params.layer):
            own = Condition("kind", None, say("the grader could not see what the notebook's own code in it does"))
            yield CandidateLayer(layer, Conditions.of((own, *_place(network, position, params))))


def _setting_faults(layer: LayerFact, params: HasLayerParams) -> Iterator[Message]:
    for name, bounds in (("rate", params.rate), ("filters", params.filters), ("units", params.units)):
        if bounds is None:
            continue
        value = layer.config.get(name)
        if not isinstance(value, (int, float)):
            yield say("it has no setting {setting:code}", setting=name)
        elif not bounds.holds(value):
            yield say("its {setting:code} is {value:number}, not {range}", setting=name, value=value, range=bounds.said)
    for name, required in params.config.items():
        value = layer.config.get(name)
        if _listless(value) != _listless(required):
            yield say(
                "its {setting:code} is {value:code}, not {required:code}",
                setting=name,
                value=repr(value),
                required=repr(required),
            )


def _listless(value: Json) -> Json:
    return tuple(_listless(item) for item in value) if isinstance(value, (list, tuple)) else value


def _kernel_faults(layer: LayerFact, params: HasLayerParams) -> Iterator[Message]:
    required = params.kernel_size
    if required is None:
        return
    sides = kernel_size(layer)
    if sides is None:
        yield say("it has no kernel")
    elif isinstance(required, Range):
        if not all(required.holds(side) for side in sides):
            yield say("its kernel is {kernel:shape}, but every side must be {range}", kernel=sides, range=required.said)
    elif sides != required:
        yield say("its kernel is {kernel:shape}, not {required:shape}", kernel=sides, required=required)


def _activation(network: Network, position: int, params: HasLayerParams) -> Iterator[Condition]:
    """Yield the condition on the activation, unless it holds."""
    if params.activation is None:
        return
    layer = network.layers[position]
    names = (params.activation,) if isinstance(params.activation, str) else params.activation
    activation = network.activation(position)
    if activation and canonical_activation(activation) in {canonical_activation(name) for name in names}:
        return
    names = tuple(bare_name(name) for name in names)
    if activation and is_activation(activation):
        wrong = say(
            "its activation is {activation:code}, not {required:code or}", activation=activation, required=names
        )
        yield Condition("activation", holds=False, seen=wrong)
    elif own_activation(layer) is None and "activation" not in layer.config:
        yield Condition("activation", holds=False, seen=say("it has no setting {setting:code}", setting="activation"))
    else:
        unknown = say(
            "the grader could not see whether its activation is {required:code or}, because the notebook's own code "
            "may apply it",
            required=names,
        )
        yield Condition("activation", None, unknown)


def _initializer(layer: LayerFact, params: HasLayerParams) -> Iterator[Condition]:
    """Yield the condition on the initializer, unless it holds."""
    if params.initialiser is None:
        return
    names = (params.initialiser,) if isinstance(params.initialiser, str) else params.initialiser
    initializer = initialiser_of(layer)
    if initializer not in {canonical_initializer(name) for name in names}:
        known = bool(initializer) or "kernel_initializer" not in layer.config
        names = tuple(bare_name(name) for name in names)
        yield Condition("initializer", False if known else None, _wrong_initializer(initializer, names))


def _regularizer_faults(layer: LayerFact, params: HasLayerParams) -> Iterator[Message]:
    if params.regulariser is None:
        return
    kind = regulariser_of(layer)
    effect = "none" if kind == "zero" else kind
    if effect != params.regulariser and not (params.regulariser == "any" and effect != "none"):
        yield say(
            "it has {regularizer}, but {required} is required",
            regularizer=_regularizer(kind),
            required=_regularizer(params.regulariser),
        )


def _wrong_initializer(initializer: str | None, required: tuple[str, ...]) -> Message:
    if not initializer:
        return say("its kernel_initializer is unknown, not {required:code or}", required=required)
    return say(
        "its kernel_initializer is {initializer:code}, not {required:code or}",
        initializer=initializer,
        required=required,
    )


def _regularizer(kind: str) -> Message:
    if kind == "none":
        return say("no kernel_regularizer")
    if kind == "zero":
        return say("a kernel_regularizer with the factor 0")
    if kind in {"any", "other"}:
        return say("a kernel_regularizer")
    return say("the kernel_regularizer {name:code}", name=kind)


def _place(network: Network, position: int, params: HasLayerParams) -> Iterator[Condition]:
    """Yield the conditions on the layers before and after it that do not hold, or that are unknown."""
    sides: tuple[tuple[Literal["before", "after"], _Names | None, tuple[LayerFact, ...]], ...] = (
        ("before", params.before, network.behind(position)),
        ("after", params.after, network.before(position)),
    )
    for side, names, others in sides:
        if names is None or any(layer_matches(other, names) for other in others):
            continue
        own = next((other for other in others if may_match(other, names)), None)
        if network.is_called_by_student(network.layers[position]):
            yield Condition(side, None, _missing(names, side, holds=None))
        elif own is not None:
            yield Condition(side, None, say("the grader could not see what {layer:code} does", layer=own.name))
        else:
            yield Condition(side, holds=False, seen=_missing(names, side, holds=False))


def _missing(names: str | tuple[str, ...], place: Literal["before", "after"], *, holds: bool | None) -> Message:
    """Say that no layer of a kind follows a layer or comes before it, or that this is unknown."""
    kinds = _kinds(names)
    if holds is None and place == "before":
        return say("the grader could not see whether a {kind:or} layer follows it in `call`", kind=kinds)
    if holds is None:
        return say("the grader could not see whether a {kind:or} layer comes before it in `call`", kind=kinds)
    if place == "before":
        return say("no {kind:or} layer follows it", kind=kinds)
    return say("no {kind:or} layer comes before it", kind=kinds)


_FAMILIES: Mapping[str, Message] = {
    "any_convolution": say("convolution"),
    "any_dropout": say("dropout"),
    "any_normalization": say("normalization"),
    "any_pooling": say("pooling"),
}


def _kinds(names: str | tuple[str, ...]) -> list[Message]:
    """Name layer classes and families."""
    return [
        _FAMILIES.get(name) or say("{layer:code}", layer=name.removeprefix("any_").removeprefix("custom:"))
        for name in ((names,) if isinstance(names, str) else names)
    ]


def _message(
    model: str, candidates: tuple[CandidateLayer, ...], fitting: list[LayerFact], params: HasLayerParams
) -> Message:
    misses = [candidate for candidate in candidates if not candidate.counts]
    explained = misses[:_MOST_EXPLAINED] if len(fitting) < params.at_least else []
    return sentences(
        _counted(model, candidates, fitting, params),
        _required(params),
        *(miss.explained(_described(miss.layer)) for miss in explained),
    )


def _counted(
    model: str, candidates: tuple[CandidateLayer, ...], fitting: list[LayerFact], params: HasLayerParams
) -> Message:
    kind = _kinds(params.layer)
    if not candidates:
        return say("{model:code} has no {kind:or} layer.", model=model, kind=kind)
    if not fitting and any(candidate.counts is None for candidate in candidates):
        return say("{model:code} has no {kind:or} layer that surely meets the conditions.", model=model, kind=kind)
    if not fitting:
        return say("{model:code} has no {kind:or} layer that meets the conditions.", model=model, kind=kind)
    layers = [_described(layer) for layer in fitting[:_MOST_LISTED]]
    if len(fitting) > _MOST_LISTED:
        layers.append(say("{count:number} more", count=len(fitting) - _MOST_LISTED))
    return say_count(
        "{model:code} has {count:number} {kind:or} layer that meets the conditions: {layers}.",
        "{model:code} has {count:number} {kind:or} layers that meet the conditions: {layers}.",
        len(fitting),
        model=model,
        kind=kind,
        layers=layers,
    )


def _required(params: HasLayerParams) -> Message:
    if params.at_most is None:
        return say("Required: at least {layers:number}.", layers=params.at_least)
    if params.at_most == 0:
        return say("Required: none.")
    if params.at_most == params.at_least:
        return say("Required: exactly {layers:number}.", layers=params.at_least)
    return say("Required: {low:number} to {high:number}.", low=params.at_least, high=params.at_most)


def _described(layer: LayerFact) -> Message:
    settings = [
        say("{name:raw} {value:number}", name=name, value=value)
        for name in ("filters", "units", "rate")
        if isinstance(value := layer.config.get(name), (int, float))
    ]
    if not settings:
        return say("{layer:code}", layer=layer.name)
    return say("{layer:code} ({settings:list})", layer=layer.name, settings=settings)

"""The check `has_layer`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from grader.checks.registry import check
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import Range, Whole, WithModel
from grader.facts.case import Case
from grader.facts.initializers import initialiser_name, initialiser_of, regulariser_of
from grader.facts.layers import LayerName, Network, activation_name, kernel_size, layer_matches
from grader.facts.wording import listed, plural, spoken_shape
from grader.schema.base import Json, Pointer
from grader.schema.evidence import LayerFact
from grader.schema.grade import Finding

__all__ = ["HasLayerParams", "has_layer"]

_SHOWN = 3
_Names = LayerName | tuple[LayerName, ...]


class HasLayerParams(WithModel):
    """Parameters of `has_layer`."""

    layer: _Names
    """A layer class (`Conv2D`), a family (`any_convolution`, `any_dropout`, `any_normalization`, `any_pooling`),
    `custom:Name` for a class Keras does not have, or a list of these of which any will do."""
    at_least: Annotated[Whole, Field(ge=0)] = 1
    """Fewest such layers."""
    at_most: Annotated[Whole, Field(ge=0)] | None = None
    """Most such layers."""
    before: _Names | None = None
    """A layer of this kind comes somewhere behind it."""
    after: _Names | None = None
    """A layer of this kind comes somewhere in front of it."""
    rate: Range | None = None
    """A dropout's rate."""
    filters: Range | None = None
    """A convolution's number of filters."""
    units: Range | None = None
    """A dense layer's number of units."""
    kernel_size: Annotated[tuple[Whole, ...], Field(min_length=1)] | Range | None = None
    """A convolution's kernel: its sides exactly, or bounds that every side lies within."""
    activation: str | tuple[str, ...] | None = None
    """The activation behind it, its own or that of an activation layer that follows."""
    initialiser: str | tuple[str, ...] | None = None
    """The kernel's initialiser by Keras's name in either form (`he_normal`, `HeNormal`), or a list."""
    regulariser: Literal["any", "none", "l1", "l2", "l1_l2"] | None = None
    """The kernel's regulariser; `any` for one of whatever kind. One whose factor is 0 is `none`."""
    config: Mapping[str, Json] = Field(default_factory=dict)
    """Any other settings of the layer, compared for equality."""

    @model_validator(mode="after")
    def _some_number_fits(self) -> Self:
        if self.at_most is not None and self.at_most < self.at_least:
            message = f"at_most {self.at_most} is below at_least {self.at_least}"
            raise ValueError(message)
        return self


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A layer of the right kind, and what else about it is not as asked."""

    layer: LayerFact
    faults: tuple[str, ...]


@check("has_layer")
def has_layer(case: Case, params: HasLayerParams) -> Finding:
    """The network has layers of a kind, with given settings, in a given place.

    What it does:
        Counts the layers that fulfil every condition, nested networks opened, and says of the others what is missing.

    Why it matters:
        What a network can learn follows from its layers: convolutions share weights over the picture, dropout and
        normalisation help it to generalise, and both only help in the right place.

    Example:
        `{check: has_layer, with: {layer: any_dropout, rate: {at_most: 0.6}, before: Dense}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    candidates = tuple(_candidates(Network(model), params))
    fitting = [c.layer for c in candidates if not c.faults]
    enough = len(fitting) >= params.at_least
    passed = enough and (params.at_most is None or len(fitting) <= params.at_most)
    return Finding.scored(
        _message(model.name, candidates, fitting, params),
        1.0 if passed else 0.0,
        assurance=model.assurance,
        measured={
            "found": len(fitting),
            "of_this_kind": len(candidates),
            "layers": [layer.name for layer in fitting],
            "near_misses": {c.layer.name: list(c.faults) for c in candidates if c.faults},
        },
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )


def _candidates(network: Network, params: HasLayerParams) -> Iterator[_Candidate]:
    for position, layer in enumerate(network.layers):
        if layer_matches(layer, params.layer):
            faults = (
                *_setting_faults(layer, params),
                *_kernel_faults(layer, params),
                *_activation_faults(network, position, params),
                *_weight_faults(layer, params),
                *_place_faults(network, position, params),
            )
            yield _Candidate(layer, faults)


def _setting_faults(layer: LayerFact, params: HasLayerParams) -> Iterator[str]:
    for name, bounds in (("rate", params.rate), ("filters", params.filters), ("units", params.units)):
        if bounds is None:
            continue
        value = layer.config.get(name)
        if not isinstance(value, (int, float)):
            yield f"has no {name}"
        elif not bounds.holds(value):
            yield f"has {name} {value:g}, not {bounds}"
    for name, wanted in params.config.items():
        value = layer.config.get(name)
        if _listless(value) != _listless(wanted):
            yield f"has {name} {value!r}, not {wanted!r}"


def _listless(value: Json) -> Json:
    return tuple(_listless(item) for item in value) if isinstance(value, (list, tuple)) else value


def _kernel_faults(layer: LayerFact, params: HasLayerParams) -> Iterator[str]:
    wanted = params.kernel_size
    if wanted is None:
        return
    sides = kernel_size(layer)
    spoken = spoken_shape(sides)
    if sides is None:
        yield "has no kernel"
    elif isinstance(wanted, Range):
        if not all(wanted.holds(side) for side in sides):
            yield f"has a {spoken} kernel, not {wanted} a side"
    elif sides != wanted:
        yield f"has a {spoken} kernel, not {spoken_shape(wanted)}"


def _activation_faults(network: Network, position: int, params: HasLayerParams) -> Iterator[str]:
    if params.activation is None:
        return
    names = (params.activation,) if isinstance(params.activation, str) else params.activation
    found = network.activation(position)
    if found not in {activation_name(name) for name in names}:
        yield f"has activation {found or 'unknown'}, not {listed(names, 'or')}"


def _weight_faults(layer: LayerFact, params: HasLayerParams) -> Iterator[str]:
    if params.initialiser is not None:
        names = (params.initialiser,) if isinstance(params.initialiser, str) else params.initialiser
        found = initialiser_of(layer)
        if found not in {initialiser_name(name) for name in names}:
            yield f"has initialiser {found or 'unknown'}, not {listed(names, 'or')}"
    if params.regulariser is not None:
        kind = regulariser_of(layer)
        effect = "none" if kind == "zero" else kind
        if effect != params.regulariser and not (params.regulariser == "any" and effect != "none"):
            named = "a regulariser whose factor is 0" if kind == "zero" else f"regulariser {kind}"
            yield f"has {named}, not {params.regulariser}"


def _place_faults(network: Network, position: int, params: HasLayerParams) -> Iterator[str]:
    if params.before is not None and not any(layer_matches(x, params.before) for x in network.behind(position)):
        yield f"has no {_spoken(params.before)} behind it"
    if params.after is not None and not any(layer_matches(x, params.after) for x in network.before(position)):
        yield f"has no {_spoken(params.after)} in front of it"


def _spoken(names: str | tuple[str, ...]) -> str:
    given = (names,) if isinstance(names, str) else names
    family = {"any_normalization": "normalisation"}
    return listed((family.get(n, n.removeprefix("any_").removeprefix("custom:")) for n in given), "or")


def _message(model: str, candidates: tuple[_Candidate, ...], fitting: list[LayerFact], params: HasLayerParams) -> str:
    kind = _spoken(params.layer)
    asked = f"at least {params.at_least}" if params.at_most is None else f"{params.at_least} to {params.at_most}"
    if params.at_most == params.at_least:
        asked = f"exactly {params.at_least}" if params.at_least else "none"
    text = f"`{model}` has {plural(len(fitting), f'{kind} layer')} as asked for ({asked} wanted)"
    if not candidates:
        text = f"`{model}` has no {kind} layer ({asked} wanted)"
    elif fitting:
        text += f": {listed(_described(layer) for layer in fitting[: 2 * _SHOWN])}"
        text += " …" if len(fitting) > 2 * _SHOWN else ""
    misses = [c for c in candidates if c.faults]
    if misses and len(fitting) < params.at_least:
        text += "; " + "; ".join(f"{_described(c.layer)} {listed(c.faults)}" for c in misses[:_SHOWN])
    return text + "."


def _described(layer: LayerFact) -> str:
    settings = []
    for name in ("filters", "units", "rate"):
        value = layer.config.get(name)
        if isinstance(value, (int, float)):
            settings.append(f"{name} {value:g}")
    return f"`{layer.name}`" + (f" ({', '.join(settings)})" if settings else "")

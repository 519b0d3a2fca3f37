"""Compare two models layer by layer, with equal kinds of layers in one row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grader.facts.alignment import Layer, aligned_rows, layer_class, outer_layers, setting
from grader.facts.language import Language
from grader.report.text import ENGLISH, cut, shape
from grader.schema.message import Message, literal, say, say_count

__all__ = ["LayerPair", "LayerView", "aligned", "layer_view"]

_MOST_LAYERS = 400
_MOST_AXES = 3


@dataclass(frozen=True, slots=True)
class LayerView:
    """One layer in the form that the template shows."""

    kind: str
    """Class name; for a subclass, the student's class name."""
    detail: str
    """Its most important settings, such as width, kernel and activation."""
    output: str
    parameters: int
    frozen: bool


@dataclass(frozen=True, slots=True)
class LayerPair:
    """One row of the table; None if a model has no such layer."""

    student: LayerView | None
    reference: LayerView | None
    same: bool
    """Whether both layers exist and look the same."""


def layer_view(layer: Layer, language: Language = ENGLISH) -> LayerView:
    """Describe a layer for the table."""
    return LayerView(
        kind=cut(layer_class(layer), 60),
        detail=cut(language.text(say("{details:list}", details=_details(layer.config))), 120),
        output=shape(layer.output_shape, language),
        parameters=layer.parameters,
        frozen=not layer.trainable and layer.parameters > 0,
    )


def _details(config: Mapping[str, Any]) -> list[Message]:
    """List the settings that distinguish layers."""
    parts: list[Message] = []
    if isinstance(config.get("filters"), int):
        parts.append(say_count("{count} filter", "{count} filters", config["filters"]))
    if isinstance(config.get("units"), int):
        parts.append(say_count("{count} unit", "{count} units", config["units"]))
    parts += [
        say("{size:shape}", size=size) for key in ("kernel_size", "pool_size") if (size := _size(config.get(key)))
    ]
    strides = _size(config.get("strides"))
    if strides and "pool_size" not in config and set(strides) != {1}:
        parts.append(say("strides {size:shape}", size=strides))
    if config.get("padding") == "same":
        parts.append(say("same padding"))
    if isinstance(config.get("rate"), int | float):
        parts.append(say("rate {rate}", rate=config["rate"]))
    activation = setting(config.get("activation"))
    if activation and activation != "linear":
        parts.append(literal(str(activation)))
    return parts


def _size(size: object) -> tuple[int, ...]:
    """Return a size as a tuple; empty if it is not a usual size."""
    if isinstance(size, int) and not isinstance(size, bool):
        return (size,)
    if isinstance(size, list | tuple) and 0 < len(size) <= _MOST_AXES and all(isinstance(n, int) for n in size):
        return tuple(size)
    return ()


def aligned(
    student: Sequence[Layer], reference: Sequence[Layer], language: Language = ENGLISH
) -> tuple[LayerPair, ...]:
    """Describe the layers of two models, aligned by `aligned_rows`.

    Args:
        student: The submission's layers, in order.
        reference: The reference's layers; empty without a reference.
        language: The language of the texts.

    Returns:
        Rows in order. Each layer of both models occurs in exactly one row, except input layers and those after the
        first 400 of a model.
    """
    rows = aligned_rows(outer_layers(student)[:_MOST_LAYERS], outer_layers(reference)[:_MOST_LAYERS])
    return tuple(_pair(*(None if layer is None else layer_view(layer, language) for layer in row)) for row in rows)


def _pair(student: LayerView | None, reference: LayerView | None) -> LayerPair:
    return LayerPair(student, reference, same=student is not None and student == reference)

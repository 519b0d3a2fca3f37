"""Compare two models layer by layer, with equal kinds of layers in one row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grader.facts.alignment import Layer, aligned_rows, layer_class, outer_layers, setting
from grader.facts.wording import spoken_shape
from grader.report.text import cut, figure, shape

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


def layer_view(layer: Layer) -> LayerView:
    """Describe a layer for the table."""
    return LayerView(
        kind=cut(layer_class(layer), 60),
        detail=cut(", ".join(_details(layer.config)), 120),
        output=shape(layer.output_shape),
        parameters=layer.parameters,
        frozen=not layer.trainable and layer.parameters > 0,
    )


def _details(config: Mapping[str, Any]) -> list[str]:
    """List the settings that distinguish layers."""
    parts: list[str] = []
    for key, unit in (("filters", "filters"), ("units", "units")):
        if isinstance(config.get(key), int):
            parts.append(f"{config[key]} {unit}")
    parts += [size for key in ("kernel_size", "pool_size") if (size := _size(config.get(key)))]
    strides = config.get("strides")
    if (text := _size(strides)) and "pool_size" not in config and text not in {"1", spoken_shape((1, 1))}:
        parts.append(f"strides {text}")
    if config.get("padding") == "same":
        parts.append("same padding")
    if isinstance(config.get("rate"), int | float):
        parts.append(f"rate {figure(float(config['rate']))}")
    activation = setting(config.get("activation"))
    if activation and activation != "linear":
        parts.append(str(activation))
    return parts


def _size(size: object) -> str:
    if isinstance(size, int) and not isinstance(size, bool):
        return str(size)
    if isinstance(size, list | tuple) and 0 < len(size) <= _MOST_AXES and all(isinstance(n, int) for n in size):
        return spoken_shape(size)
    return ""


def aligned(student: Sequence[Layer], reference: Sequence[Layer]) -> tuple[LayerPair, ...]:
    """Describe the layers of two models, aligned by `aligned_rows`.

    Args:
        student: The submission's layers, in order.
        reference: The reference's layers; empty without a reference.

    Returns:
        Rows in order. Each layer of both models occurs in exactly one row, except input layers and those after the
        first 400 of a model.
    """
    rows = aligned_rows(outer_layers(student)[:_MOST_LAYERS], outer_layers(reference)[:_MOST_LAYERS])
    return tuple(_pair(*(None if layer is None else layer_view(layer) for layer in row)) for row in rows)


def _pair(student: LayerView | None, reference: LayerView | None) -> LayerPair:
    return LayerPair(student, reference, same=student is not None and student == reference)

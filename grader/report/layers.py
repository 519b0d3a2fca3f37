"""Two networks side by side, layer by layer, equal kinds of layers on one line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from grader.report.text import TIMES, cut, figure, shape
from grader.schema.evidence import LayerFact
from grader.schema.grade import LayerGrade

__all__ = ["LayerPair", "LayerView", "aligned", "layer_view"]

_MOST_LAYERS = 400
_MOST_AXES = 3


@dataclass(frozen=True, slots=True)
class LayerView:
    """One layer as the template shows it."""

    kind: str
    """Class name; the student's own for a subclass."""
    detail: str
    """Its settings in a few words: its width, its kernel, its activation."""
    output: str
    parameters: int
    frozen: bool


@dataclass(frozen=True, slots=True)
class LayerPair:
    """One line of the table; None where one network has no such layer."""

    student: LayerView | None
    reference: LayerView | None
    same: bool
    """Both are there and read the same."""


def layer_view(layer: LayerGrade | LayerFact) -> LayerView:
    """Put a layer into words."""
    custom = layer.custom if isinstance(layer, LayerFact) else None
    return LayerView(
        kind=cut(custom or layer.cls, 60),
        detail=cut(", ".join(_details(layer.config)), 120),
        output=shape(layer.output_shape),
        parameters=layer.parameters,
        frozen=not layer.trainable and layer.parameters > 0,
    )


def _details(config: Mapping[str, Any]) -> list[str]:
    """Pick the settings that tell one layer from another."""
    said: list[str] = []
    for key, unit in (("filters", "filters"), ("units", "units")):
        if isinstance(config.get(key), int):
            said.append(f"{config[key]} {unit}")
    said += [size for key in ("kernel_size", "pool_size") if (size := _pair(config.get(key)))]
    strides = config.get("strides")
    if (text := _pair(strides)) and "pool_size" not in config and text not in {"1", f"1 {TIMES} 1"}:
        said.append(f"strides {text}")
    if config.get("padding") == "same":
        said.append("same padding")
    if isinstance(config.get("rate"), int | float):
        said.append(f"rate {figure(float(config['rate']))}")
    activation = _name(config.get("activation"))
    if activation and activation != "linear":
        said.append(activation)
    return said


def _pair(given: object) -> str:
    if isinstance(given, int) and not isinstance(given, bool):
        return str(given)
    if isinstance(given, list | tuple) and 0 < len(given) <= _MOST_AXES and all(isinstance(n, int) for n in given):
        return f" {TIMES} ".join(map(str, given))
    return ""


def _name(given: object) -> str:
    """Name a serialised Keras object, or what a plain word says."""
    if isinstance(given, str):
        return given
    if isinstance(given, Mapping):
        inner = given.get("config")
        return inner if isinstance(inner, str) else str(given.get("class_name", ""))
    return ""


def aligned(
    student: Sequence[LayerGrade | LayerFact], reference: Sequence[LayerGrade | LayerFact]
) -> tuple[LayerPair, ...]:
    """Line two networks up: equal kinds of layers on one line, as many as possible, equal settings first.

    The heaviest common subsequence (Needleman and Wunsch 1970 with no cost for gaps). What is left between two common
    layers stands side by side too, so that what one network has instead of the other is seen.

    Args:
        student: The submission's layers, in order.
        reference: The reference's; empty when there is none.

    Returns:
        Lines in order, every layer of both networks but their input layers on exactly one of them (at most
        400 a network).
    """
    ours, theirs = _views(student), _views(reference)
    pairs: list[LayerPair] = []
    row = column = 0
    for left, right in (*_common(ours, theirs), (len(ours), len(theirs))):
        between = zip_longest(ours[row:left], theirs[column:right])
        pairs += [LayerPair(one, other, same=False) for one, other in between]
        if left < len(ours):
            pairs.append(LayerPair(ours[left], theirs[right], same=ours[left] == theirs[right]))
        row, column = left + 1, right + 1
    return tuple(pairs)


def _views(layers: Sequence[LayerGrade | LayerFact]) -> list[LayerView]:
    """Put layers into words; an input layer does nothing and is left out."""
    return [layer_view(layer) for layer in layers if layer.cls != "InputLayer"][:_MOST_LAYERS]


def _likeness(one: LayerView, other: LayerView) -> int:
    """Weigh a pair: 0 for different kinds, more for equal settings and equal shapes."""
    if one.kind != other.kind:
        return 0
    return 2 + (one.detail == other.detail) + (one.output == other.output)


def _common(ours: Sequence[LayerView], theirs: Sequence[LayerView]) -> list[tuple[int, int]]:
    """Find the heaviest common subsequence, as pairs of places."""
    best = [[0] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
    for i in reversed(range(len(ours))):
        for j in reversed(range(len(theirs))):
            weight = _likeness(ours[i], theirs[j])
            paired = best[i + 1][j + 1] + weight if weight else 0
            best[i][j] = max(paired, best[i + 1][j], best[i][j + 1])
    found: list[tuple[int, int]] = []
    i = j = 0
    while i < len(ours) and j < len(theirs):
        weight = _likeness(ours[i], theirs[j])
        if weight and best[i][j] == best[i + 1][j + 1] + weight:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return found

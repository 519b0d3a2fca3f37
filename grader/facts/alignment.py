"""Align the layers of two models."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from grader.schema.base import Json
from grader.schema.evidence import LayerFact
from grader.schema.grade import LayerGrade

__all__ = ["SETTINGS", "Layer", "aligned_layers", "aligned_rows", "layer_class", "outer_layers", "setting"]

Layer = LayerFact | LayerGrade
"""A layer of the evidence or of a grade."""

SETTINGS = ("filters", "kernel_size", "strides", "padding", "pool_size", "units", "rate", "activation", "momentum")
"""Settings of a layer that are compared."""
_SAME_CLASS = 2
"""Weight of a pair of layers of one class; equal settings and equal shapes add one each."""


def layer_class(layer: Layer) -> str:
    """Return the class of a layer; a student's subclass has its own name."""
    return layer.custom or layer.cls if isinstance(layer, LayerFact) else layer.cls


def outer_layers(layers: Sequence[Layer]) -> list[Layer]:
    """Drop input layers, which do nothing."""
    return [layer for layer in layers if layer.cls != "InputLayer"]


def setting(value: Json) -> Json:
    """Convert a setting to plain JSON; a serialized Keras object, such as an activation, becomes its name."""
    if isinstance(value, Mapping):
        inner = value.get("config")
        return inner if isinstance(inner, str) else value.get("class_name")
    return [setting(item) for item in value] if isinstance(value, (list, tuple)) else value


def aligned_rows(student: Sequence[Layer], reference: Sequence[Layer]) -> list[tuple[Layer | None, Layer | None]]:
    """Align the layers of two models: as many pairs of one class as possible, equal settings first.

    The alignment is the heaviest common subsequence (Needleman and Wunsch 1970 with no cost for gaps), so an added or a
    missing layer does not shift other pairs. Layers between two pairs share rows too: they show the layers at the same
    place of both models.

    Args:
        student: The submission's layers, in order.
        reference: The reference's layers; empty without a reference.

    Returns:
        Rows in order. Every layer except input layers is in exactly one row.
    """
    ours, theirs = outer_layers(student), outer_layers(reference)
    rows: list[tuple[Layer | None, Layer | None]] = []
    row = column = 0
    for left, right in (*_common(ours, theirs), (len(ours), len(theirs))):
        rows += zip_longest(ours[row:left], theirs[column:right])
        if left < len(ours):
            rows.append((ours[left], theirs[right]))
        row, column = left + 1, right + 1
    return rows


def _common(ours: Sequence[Layer], theirs: Sequence[Layer]) -> list[tuple[int, int]]:
    """Find the heaviest common subsequence, as pairs of positions."""
    left, right = ([(layer_class(one), _settings(one), one.output_shape) for one in side] for side in (ours, theirs))
    best = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i in reversed(range(len(left))):
        for j in reversed(range(len(right))):
            weight = _likeness(left[i], right[j])
            paired = best[i + 1][j + 1] + weight if weight else 0
            best[i][j] = max(paired, best[i + 1][j], best[i][j + 1])
    pairs: list[tuple[int, int]] = []
    i = j = 0
    while i < len(left) and j < len(right):
        weight = _likeness(left[i], right[j])
        if weight and best[i][j] == best[i + 1][j + 1] + weight:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


def _likeness(one: tuple[str, Json, Json], other: tuple[str, Json, Json]) -> int:
    """Weigh a pair: 0 for different classes, more for equal settings and equal shapes."""
    return _SAME_CLASS + (one[1] == other[1]) + (one[2] == other[2]) if one[0] == other[0] else 0


def aligned_layers(student: Sequence[LayerFact], reference: Sequence[LayerFact]) -> list[dict[str, Json]]:
    """Compare the layers of two models as JSON, aligned as by `aligned_rows`.

    Args:
        student: The layers of one model, in order.
        reference: The layers of the other model, in order.

    Returns:
        Rows `{"student": layer or null, "reference": layer or null, "same": bool, "differences": [names]}`. A layer is
        `{"name", "class", "output_shape", "parameters", "settings"}`; `differences` names the settings that differ.
        Layers of different classes share no row: between two pairs the student's layers come first.
    """
    rows: list[dict[str, Json]] = []
    theirs: list[Layer] = []
    for one, other in aligned_rows(student, reference):
        if one is not None and other is not None and layer_class(one) == layer_class(other):
            rows += [*(_row(None, layer) for layer in theirs), _row(one, other)]
            theirs = []
            continue
        rows += [_row(one, None)] if one is not None else []
        theirs += [other] if other is not None else []
    return [*rows, *(_row(None, layer) for layer in theirs)]


def _row(student: Layer | None, reference: Layer | None) -> dict[str, Json]:
    ours, theirs = _described(student), _described(reference)
    differences: list[str] = []
    if ours is not None and theirs is not None:
        names = [name for name in SETTINGS if name in ours["settings"] or name in theirs["settings"]]
        differences = [n for n in names if ours["settings"].get(n) != theirs["settings"].get(n)]
        differences += [name for name in ("output_shape", "parameters") if ours[name] != theirs[name]]
    same = student is not None and reference is not None and not differences
    return {"student": ours, "reference": theirs, "same": same, "differences": differences}


def _described(layer: Layer | None) -> dict[str, Json] | None:
    if layer is None:
        return None
    return {
        "name": layer.name,
        "class": layer_class(layer),
        "output_shape": None if layer.output_shape is None else list(layer.output_shape),
        "parameters": layer.parameters,
        "settings": _settings(layer),
    }


def _settings(layer: Layer) -> dict[str, Json]:
    return {name: setting(layer.config[name]) for name in SETTINGS if layer.config.get(name) is not None}

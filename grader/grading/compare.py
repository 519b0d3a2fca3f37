"""A submission beside the reference solution: figures, a test of the difference, layers, learning curves."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from grader.facts.statistics import mcnemar_p_value
from grader.schema.base import Json
from grader.schema.evidence import AccuracyFact, Evidence, FitFact, LayerFact, ModelFact

__all__ = ["Classes", "McNemar", "aligned_layers", "compare", "learning_curves", "mcnemar", "mcnemar_p_value"]

Classes = Sequence[int] | npt.NDArray[Any]
"""Classes of images, one whole number each."""

_ACCURACIES = frozenset({"acc", "accuracy", "categorical_accuracy", "sparse_categorical_accuracy", "binary_accuracy"})
_CURVES = ("loss", "val_loss", "accuracy", "val_accuracy")
_SETTINGS = ("filters", "kernel_size", "strides", "padding", "pool_size", "units", "rate", "activation", "momentum")
"""Settings of a layer that are told side by side."""


@dataclass(frozen=True, slots=True)
class McNemar:
    """Two classifiers on the same images, and how likely so lopsided a disagreement is by chance.

    Attributes:
        student_only: Images that only the student's network has right (b).
        reference_only: Images that only the reference has right (c).
        both_right: Images that both have right.
        both_wrong: Images that both have wrong.
        p_value: Two-sided exact p-value, 0 to 1.
    """

    student_only: int
    reference_only: int
    both_right: int
    both_wrong: int
    p_value: float


def mcnemar(student: Classes, reference: Classes, labels: Classes) -> McNemar:
    """Compare two classifiers' predictions of the same images.

    Args:
        student: Predicted classes, one an image.
        reference: Predicted classes, in the same order.
        labels: True classes, in the same order.

    Raises:
        ValueError: They are not equally many.
    """
    if not len(student) == len(reference) == len(labels):
        msg = f"{len(student)}, {len(reference)} and {len(labels)} images cannot be compared one by one"
        raise ValueError(msg)
    true = np.asarray(labels, dtype=np.int64)
    ours, theirs = (np.asarray(given, dtype=np.int64) == true for given in (student, reference))
    b, c = int(np.count_nonzero(ours & ~theirs)), int(np.count_nonzero(theirs & ~ours))
    both = int(np.count_nonzero(ours & theirs))
    return McNemar(b, c, both, len(labels) - b - c - both, mcnemar_p_value(b, c))


def compare(
    student: tuple[Evidence, ModelFact | None],
    reference: tuple[Evidence, ModelFact | None],
    labels: Mapping[str, Classes] | None = None,
) -> dict[str, Json]:
    """Put a submission's network beside the reference's.

    Args:
        student: The submission's evidence and its graded network, if there is one.
        reference: The reference's evidence and its network, if there is one.
        labels: True classes of the graded splits, keyed like `mnist/test`; without them there is no McNemar test.

    Returns:
        Plain JSON:

        - `models`: `{"student": {"id", "name"} or null, "reference": …}`
        - `accuracy`: for each split both were tested on, `{"student", "reference", "difference", "mcnemar"}`, the last
          one null or `{"student_only", "reference_only", "both_right", "both_wrong", "p_value"}`
        - `parameters`, `epochs`, `seconds`: `{"student", "reference"}`, null where not known
        - `layers`: rows of `aligned_layers`
        - `curves`: `{"student": {metric: [numbers]}, "reference": …}` as of `learning_curves`
    """
    sides = {"student": student, "reference": reference}
    fits = {side: evidence.fits_of(model.id) if model else () for side, (evidence, model) in sides.items()}
    layers = {side: _outer_layers(model) for side, (_, model) in sides.items()}
    return {
        "models": {side: {"id": m.id, "name": m.name} if m else None for side, (_, m) in sides.items()},
        "accuracy": _accuracies(student, reference, labels or {}),
        "parameters": {side: model.parameters if model else None for side, (_, model) in sides.items()},
        "epochs": {side: sum(f.epochs_done for f in found) if found else None for side, found in fits.items()},
        "seconds": {side: _seconds(found) for side, found in fits.items()},
        "layers": aligned_layers(layers["student"], layers["reference"]),
        "curves": {side: learning_curves(found) for side, found in fits.items()},
    }


def _seconds(fits: Iterable[FitFact]) -> float | None:
    known = [fit.seconds for fit in fits if fit.seconds is not None]
    return round(sum(known), 3) if known else None


def _accuracies(
    student: tuple[Evidence, ModelFact | None],
    reference: tuple[Evidence, ModelFact | None],
    labels: Mapping[str, Classes],
) -> dict[str, Json]:
    ours, theirs = _facts(*student), _facts(*reference)
    return {
        key: {
            "student": ours[key].value,
            "reference": theirs[key].value,
            "difference": round(ours[key].value - theirs[key].value, 10),
            "mcnemar": _paired(ours[key], theirs[key], labels.get(key)),
        }
        for key in sorted(ours.keys() & theirs.keys())
    }


def _facts(evidence: Evidence, model: ModelFact | None) -> dict[str, AccuracyFact]:
    if model is None:
        return {}
    return {a.key: a for a in evidence.accuracies if a.model == model.id}


def _paired(ours: AccuracyFact, theirs: AccuracyFact, labels: Classes | None) -> dict[str, Json] | None:
    if labels is None or not len(ours.predicted) == len(theirs.predicted) == len(labels) > 0:
        return None
    return asdict(mcnemar(ours.predicted, theirs.predicted, labels))


def learning_curves(fits: Iterable[FitFact]) -> dict[str, list[float | None]]:
    """Loss and accuracy over all epochs of a network's trainings, one after the other.

    Args:
        fits: The trainings, in order.

    Returns:
        `loss`, `val_loss`, `accuracy`, `val_accuracy`, whatever Keras called them, each with one value an epoch and
        None where that epoch has none; metrics that were never recorded are left out.
    """
    curves: dict[str, list[float | None]] = {name: [] for name in _CURVES}
    for fit in fits:
        found = {_curve_name(name): values for name, values in fit.history.items()}
        epochs = max((len(values) for values in found.values()), default=0)
        for name, curve in curves.items():
            values = [value if math.isfinite(value) else None for value in found.get(name, ())]
            curve.extend(values + [None] * (epochs - len(values)))
    return {name: curve for name, curve in curves.items() if any(value is not None for value in curve)}


def _curve_name(name: str) -> str:
    prefix = "val_" if name.startswith("val_") else ""
    stem = name.removeprefix("val_")
    return prefix + ("accuracy" if stem in _ACCURACIES else stem)


def aligned_layers(student: Sequence[LayerFact], reference: Sequence[LayerFact]) -> list[dict[str, Json]]:
    """Put two networks' layers side by side, aligned by kind.

    The alignment is a longest common subsequence of the layers' classes, so that an added or a missing layer shifts
    nothing else.

    Args:
        student: One network's layers, in order.
        reference: The other's.

    Returns:
        Rows `{"student": layer or null, "reference": layer or null, "same": bool, "differences": [names]}`. A layer is
        `{"name", "class", "output_shape", "parameters", "settings"}`; `differences` names the settings that differ.
    """
    rows: list[dict[str, Json]] = []
    left = right = 0
    for i, j in [*_common(student, reference), (len(student), len(reference))]:
        rows += [_row(layer, None) for layer in student[left:i]]
        rows += [_row(None, layer) for layer in reference[right:j]]
        if i < len(student) and j < len(reference):
            rows.append(_row(student[i], reference[j]))
        left, right = i + 1, j + 1
    return rows


def _common(student: Sequence[LayerFact], reference: Sequence[LayerFact]) -> list[tuple[int, int]]:
    """Positions of a longest common subsequence of classes, by the usual table of suffix lengths."""
    rows, columns = len(student), len(reference)
    longest = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            if student[i].cls == reference[j].cls:
                longest[i][j] = longest[i + 1][j + 1] + 1
            else:
                longest[i][j] = max(longest[i + 1][j], longest[i][j + 1])
    pairs = []
    i = j = 0
    while i < rows and j < columns:
        if student[i].cls == reference[j].cls:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif longest[i + 1][j] >= longest[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def _outer_layers(model: ModelFact | None) -> tuple[LayerFact, ...]:
    return tuple(layer for layer in model.counted_layers() if layer.cls != "InputLayer") if model else ()


def _row(student: LayerFact | None, reference: LayerFact | None) -> dict[str, Json]:
    ours, theirs = _described(student), _described(reference)
    differences: list[str] = []
    if ours is not None and theirs is not None:
        names = [name for name in _SETTINGS if name in ours["settings"] or name in theirs["settings"]]
        differences = [n for n in names if ours["settings"].get(n) != theirs["settings"].get(n)]
        differences += [name for name in ("output_shape", "parameters") if ours[name] != theirs[name]]
    same = student is not None and reference is not None and not differences
    return {"student": ours, "reference": theirs, "same": same, "differences": differences}


def _described(layer: LayerFact | None) -> dict[str, Json] | None:
    if layer is None:
        return None
    return {
        "name": layer.name,
        "class": layer.custom or layer.cls,
        "output_shape": None if layer.output_shape is None else list(layer.output_shape),
        "parameters": layer.parameters,
        "settings": {name: _plain(layer.config[name]) for name in _SETTINGS if layer.config.get(name) is not None},
    }


def _plain(value: Json) -> Json:
    """A setting as JSON; a serialised activation is reduced to its name."""
    if isinstance(value, Mapping):
        inner = value.get("config")
        return inner if value.get("class_name") == "function" and isinstance(inner, str) else value.get("class_name")
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value

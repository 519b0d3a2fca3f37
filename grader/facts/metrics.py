"""Find metrics and learning curves in the histories of trainings, under any of their names."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from grader.schema.evidence import FitFact

__all__ = [
    "CURVES",
    "canonical_metric",
    "epochs_trained",
    "finite",
    "fit_curves",
    "is_accuracy",
    "is_accuracy_class",
    "is_computable",
    "is_metric_key",
    "metric_in",
    "metric_of",
    "metrics_of",
    "seconds_trained",
    "series",
]

_Values = TypeVar("_Values")

CURVES = ("accuracy", "val_accuracy", "loss", "val_loss")
"""The canonical names of the learning curves."""
_LARGEST = 1e100
"""Largest figure to compute with: the product of three does not overflow. A model's own numbers end at 3.4e38."""
_ACCURACIES = ("accuracy", "acc", "sparse_categorical_accuracy", "categorical_accuracy", "binary_accuracy")
"""Keras's names of the accuracy, preferred ones first."""
_VALIDATION = "val_"


def is_computable(value: float) -> bool:
    """Whether sums, differences and products of a few such values are finite; no number of a model is larger."""
    return -_LARGEST <= value <= _LARGEST


def canonical_metric(name: str) -> str:
    """Normalize a metric's name: `val_acc` and `val_sparse_categorical_accuracy` become `val_accuracy`.

    A number that Keras appends to repeated names (`accuracy_1`) is dropped. `top_k_categorical_accuracy` is another
    metric and keeps its name.
    """
    prefix, stem = _split(name)
    return prefix + ("accuracy" if stem in _ACCURACIES else stem)


def _split(name: str) -> tuple[str, str]:
    """Split a name into its prefix (`val_` or nothing) and the rest without its number."""
    prefix = _VALIDATION if name.startswith(_VALIDATION) else ""
    stem = name.removeprefix(_VALIDATION)
    return prefix, stem.rstrip("0123456789").removesuffix("_") if stem[-1:].isdigit() else stem


def is_accuracy_class(cls: str) -> bool:
    """Whether a metric's Keras class is an accuracy that counts the largest output."""
    return cls in {"Accuracy", "BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy"}


def is_metric_key(key: str, name: str) -> bool:
    """Whether a key of a history belongs to a metric: its name, with `val_` or an output's name before it."""
    stem = _split(key)[1]
    return stem in {name, _split(name)[1]} or stem.endswith(f"_{name}")


def is_accuracy(name: str) -> bool:
    """Whether a metric is an accuracy of training or validation, by Keras's name or a student's (`my_acc`)."""
    return _rank(name) is not None


def _rank(name: str) -> int | None:
    """Return the place of an accuracy's name in the order of preference; None for any other metric."""
    _, stem = _split(name)
    if stem in _ACCURACIES:
        return _ACCURACIES.index(stem)
    words = stem.lower().split("_")
    ranked_among_several = any(word.startswith("top") for word in words)
    return len(_ACCURACIES) if any("acc" in word for word in words) and not ranked_among_several else None


def metric_in(recorded: Mapping[str, _Values], metric: str) -> _Values | None:
    """Find a metric in a history or in the results of an evaluation.

    Args:
        recorded: Values by Keras's names.
        metric: A canonical name, such as `val_accuracy`. Among several accuracies, Keras's names are preferred to a
            student's name.

    Returns:
        The values; None if the metric was not recorded.
    """
    prefix, stem = _split(metric)
    if stem != "accuracy":
        return next((values for name, values in recorded.items() if canonical_metric(name) == metric), None)
    ranked = [(rank, name) for name in recorded if _split(name)[0] == prefix and (rank := _rank(name)) is not None]
    return recorded[min(ranked, key=lambda pair: pair[0])[1]] if ranked else None


def metric_of(fit: FitFact, metric: str) -> tuple[float, ...]:
    """Return a metric's values over the epochs of a training; empty if it was not recorded."""
    return metric_in(fit.history, metric) or next(iter(_by_class(fit, metric)), ())


def _by_class(fit: FitFact, metric: str) -> list[tuple[float, ...]]:
    """List the values of metrics that are accuracies by their class and not by their name."""
    prefix, stem = _split(metric)
    if stem != "accuracy":
        return []
    return [fit.history[name] for name in fit.accuracies if name in fit.history and _split(name)[0] == prefix]


def metrics_of(fit: FitFact, metric: str) -> tuple[tuple[float, ...], ...]:
    """List the values of every metric of a training that counts as one, such as the accuracies of two outputs.

    Args:
        fit: The training.
        metric: A canonical name, such as `val_accuracy`.

    Returns:
        The values of each, the preferred one first.
    """
    prefix, stem = _split(metric)
    first = metric_of(fit, metric)
    same = [values for name, values in fit.history.items() if _split(name)[0] == prefix and _counts_as(name, stem)]
    return tuple(dict.fromkeys(values for values in (first, *_by_class(fit, metric), *same) if values))


def _counts_as(name: str, stem: str) -> bool:
    return is_accuracy(name) if stem == "accuracy" else _split(name)[1].endswith(f"_{stem}")


def series(fits: Iterable[FitFact], metric: str) -> tuple[float, ...]:
    """Join a metric's values over the epochs of several trainings.

    Args:
        fits: Trainings, in order.
        metric: A canonical name, such as `val_accuracy`.
    """
    return tuple(value for fit in fits for value in metric_of(fit, metric))


def fit_curves(fit: FitFact, epochs: int) -> dict[str, tuple[float | None, ...]]:
    """Return the learning curves of one training, all of the same length.

    Args:
        fit: The training.
        epochs: Length of every curve; values of later epochs are dropped.

    Returns:
        Each of `CURVES` with its values; None for an epoch without a value, or with one that cannot be drawn.
    """
    curves = {name: metric_of(fit, name)[:epochs] for name in CURVES}
    return {name: (*map(_drawable_or_none, values), *_gap(epochs - len(values))) for name, values in curves.items()}


def _drawable_or_none(value: float) -> float | None:
    return value if is_computable(value) else None


def _gap(epochs: int) -> tuple[None, ...]:
    return (None,) * epochs


def epochs_trained(fits: Sequence[FitFact]) -> int | None:
    """Count the epochs of all trainings; None without a training."""
    return sum(fit.epochs_done for fit in fits) if fits else None


def seconds_trained(fits: Sequence[FitFact]) -> float | None:
    """Add up the seconds of all trainings, rounded to milliseconds; None if no duration was recorded."""
    durations = [fit.seconds for fit in fits if fit.seconds is not None]
    return round(sum(durations), 3) if durations else None


def finite(values: Iterable[float]) -> tuple[float, ...]:
    """Drop values that are not finite."""
    return tuple(value for value in values if math.isfinite(value))

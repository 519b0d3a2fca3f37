"""Metric names and the series that trainings recorded under them."""

import math
from collections.abc import Iterable

from grader.schema.evidence import FitFact

__all__ = ["canonical_metric", "finite", "metric_of", "series"]

_ACCURACIES = frozenset({"acc", "accuracy", "categorical_accuracy", "sparse_categorical_accuracy", "binary_accuracy"})
_VALIDATION = "val_"


def canonical_metric(name: str) -> str:
    """Give a metric its one name: `val_acc` and `val_sparse_categorical_accuracy` are `val_accuracy`.

    A number that Keras appends to tell several apart (`accuracy_1`) is dropped.
    """
    prefix = _VALIDATION if name.startswith(_VALIDATION) else ""
    stem = name.removeprefix(_VALIDATION)
    bare = stem.rstrip("0123456789").removesuffix("_") if stem[-1:].isdigit() else stem
    return prefix + ("accuracy" if bare in _ACCURACIES else bare)


def series(fits: Iterable[FitFact], metric: str) -> tuple[float, ...]:
    """A metric's values over all the epochs of several trainings, one after the other.

    Args:
        fits: Trainings, in order.
        metric: A canonical name, such as `val_accuracy`.
    """
    return tuple(value for fit in fits for value in metric_of(fit, metric))


def metric_of(fit: FitFact, metric: str) -> tuple[float, ...]:
    """A metric's values over one training's epochs; empty where it was not recorded."""
    return next((values for name, values in fit.history.items() if canonical_metric(name) == metric), ())


def finite(values: Iterable[float]) -> tuple[float, ...]:
    """The values that are numbers."""
    return tuple(value for value in values if math.isfinite(value))

"""Compare the errors of models: two models with the same errors are one model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grader.facts.traces import ErrorsTrace

__all__ = ["Overlap", "overlaps"]

_LEAST_MODELS = 6
"""The difficulty of images is unknown with fewer models."""
_LEAST_ERRORS = 20
_LEAST_EXCESS = 0.6
"""Part of the errors beyond those expected that must be common."""
_MOST_MODELS = 3_000


@dataclass(frozen=True, slots=True)
class Overlap:
    """The common errors of two models."""

    first: int
    """Position of the first submission."""
    second: int
    key: str
    errors: tuple[int, int]
    """Number of errors of each."""
    common: int
    expected: float
    """Common errors of two independent models with so many errors, given the difficulty of each image."""
    excess: float
    """Common errors beyond the expected ones, as a fraction of the possible ones."""


def overlaps(errors: Mapping[int, Sequence[ErrorsTrace]]) -> tuple[Overlap, ...]:
    """Find pairs of submissions whose models make nearly the same errors.

    The difficulty of an image is the fraction of all other models that misclassify it.

    Args:
        errors: Position of a submission → errors of its models. The last model for each key is compared.
    """
    rows: dict[str, dict[int, ErrorsTrace]] = {}
    for place, traces in errors.items():
        for trace in traces:
            if len(trace.wrong) >= _LEAST_ERRORS:
                rows.setdefault(trace.key, {})[place] = trace
    return tuple(
        overlap
        for key, models in rows.items()
        if _LEAST_MODELS <= len(models) <= _MOST_MODELS
        for overlap in _of_key(key, models)
    )


def _of_key(key: str, models: Mapping[int, ErrorsTrace]) -> list[Overlap]:
    places = list(models)
    wrong = _matrix(list(models.values()))
    common = wrong @ wrong.T
    expected = _expected(wrong, common)
    sizes = np.diag(common)
    possible = np.minimum(sizes[:, None], sizes[None, :])
    excess = (common - expected) / np.maximum(possible - expected, 1.0)
    found = np.argwhere(np.triu(excess >= _LEAST_EXCESS, 1))
    return [
        Overlap(
            first=places[a],
            second=places[b],
            key=key,
            errors=(int(sizes[a]), int(sizes[b])),
            common=int(common[a, b]),
            expected=float(expected[a, b]),
            excess=min(1.0, float(excess[a, b])),
        )
        for a, b in found.tolist()
        if _similar_sizes(int(sizes[a]), int(sizes[b]))
    ]


def _similar_sizes(first: int, second: int) -> bool:
    """Return whether the numbers of errors differ by a third at most; the errors of a bad model contain all others."""
    return 3 * abs(first - second) <= max(first, second)


def _matrix(models: Sequence[ErrorsTrace]) -> NDArray[np.float32]:
    """Write the errors as one row for each model, with columns only for images that some model misclassifies."""
    columns = {image: column for column, image in enumerate(sorted(frozenset().union(*(one.wrong for one in models))))}
    wrong = np.zeros((len(models), len(columns)), np.float32)
    for row, model in enumerate(models):
        wrong[row, [columns[image] for image in model.wrong]] = 1.0
    return wrong


def _expected(wrong: NDArray[np.float32], common: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute the expected common errors of each two models.

    With the difficulty h of an image, a model with n errors misclassifies the image with probability n · h / Σh. The
    expected number of common errors is then n₁ · n₂ · Σh² / (Σh)². Of m other models c misclassify the image; then
    c / m estimates h, and c · (c - 1) / (m · (m - 1)) estimates h² without the bias of (c / m)².
    """
    size = np.diag(common).astype(float)
    counts = wrong.sum(axis=0, dtype=float)
    with_counts = wrong @ counts
    squares = (counts @ counts) - 2 * (with_counts[:, None] + with_counts[None, :])
    squares = squares + size[:, None] + size[None, :] + 2 * common
    total = counts.sum() - size[:, None] - size[None, :]
    others = len(wrong) - 2
    squares = np.maximum(squares - total, 0.0) * others / (others - 1)
    expected: NDArray[np.float64] = size[:, None] * size[None, :] * squares / np.maximum(total, 1.0) ** 2
    return expected

"""Weigh fingerprints by their rarity in a class; those of the starter and of everybody do not count."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grader.facts.code_prints import Prints, Scheme

__all__ = ["PrintLayer", "print_layer"]

_LEAST_COMMON = 3
_SMALL_CLASS = 6
"""In a smaller class, rarity says nothing."""


@dataclass(frozen=True, slots=True)
class PrintLayer:
    """The fingerprints of one kind over the class."""

    scheme: Scheme
    prints: tuple[Prints, ...]
    ignored: NDArray[np.uint64]
    """Sorted hashes of the starter and of common passages."""
    marks: tuple[NDArray[np.uint64], ...]
    """Own fingerprints of each submission, sorted."""
    weights: tuple[NDArray[np.float64], ...]
    """Weight of each of them: 1 for a rare one, less for one that more submissions have."""

    def own(self, place: int) -> float:
        """Return the weight of all own fingerprints of a submission."""
        return float(self.weights[place].sum())

    def shared(self, first: int, second: int) -> tuple[float, float]:
        """Weigh the common fingerprints of two submissions, also as a fraction of the smaller one's weight."""
        _, at, _ = np.intersect1d(self.marks[first], self.marks[second], assume_unique=True, return_indices=True)
        weight, least = float(self.weights[first][at].sum()), min(self.own(first), self.own(second))
        return weight, min(1.0, weight / least) if least else 0.0


def _common_from(units: int) -> int:
    """Return the number of submissions from which on something belongs to everybody: a third of them, at least 3.

    Args:
        units: Number of submissions; a group counts once.
    """
    return max(_LEAST_COMMON, math.ceil(units / 3))


def _rarity(holders: NDArray[np.intp], units: int) -> NDArray[np.float64]:
    """Weigh fingerprints: 1 if one or two submissions have it, 0 if everybody has it."""
    weights = np.ones(len(holders))
    if units >= _SMALL_CLASS:
        weights = np.clip(np.log(units / np.maximum(holders, 1)) / math.log(units / 2), 0.0, 1.0)
    return np.where(holders >= _common_from(units), 0.0, weights)


def print_layer(
    scheme: Scheme, prints: Sequence[Prints], starters: Sequence[Prints], units: Sequence[str]
) -> PrintLayer:
    """Weigh the fingerprints of a class.

    Args:
        scheme: Size of the fingerprints.
        prints: Fingerprints of each submission.
        starters: Fingerprints of notebooks that do not count.
        units: Unit of each submission; a fingerprint counts once for all submissions of a unit.
    """
    numbers = {unit: number for number, unit in enumerate(dict.fromkeys(units))}
    by_unit: dict[int, list[NDArray[np.uint64]]] = defaultdict(list)
    for one, unit in zip(prints, units, strict=True):
        by_unit[numbers[unit]].append(one.hashes)
    hashes, holders = np.unique(_joined([np.unique(_joined(parts)) for parts in by_unit.values()]), return_counts=True)
    rarity = _rarity(holders, len(numbers))
    ignored = np.union1d(hashes[rarity == 0.0], _joined([one.hashes for one in starters]))
    marks = tuple(np.setdiff1d(one.marks, ignored, assume_unique=True) for one in prints)
    weights = tuple(rarity[np.searchsorted(hashes, own)] for own in marks)
    return PrintLayer(scheme, tuple(prints), ignored, marks, weights)


def _joined(parts: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    return np.concatenate(parts) if parts else np.empty(0, np.uint64)

"""Made-up images in the place of a known data set that is not on the machine: for rubrics that only have it prepared.

Nothing of the real images is in them, and labels have nothing to do with images: whatever is trained on them learns
nothing. Shapes, types, counts and the layout of labels are the real ones.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grader.datasets.formats import Arrays
from grader.datasets.registry import KNOWN, SPLITS, DatasetInfo
from grader.datasets.sources import Source

__all__ = ["STAND_IN", "StandIn", "stand_ins"]

STAND_IN = "stand_in"
"""Kind of source of what is made up."""
_VERSION = 1
"""1: first version. A change of the images needs another number, so that they are made anew."""
_TILE = 4
"""Pixels along a tile's side: images are mosaics, so that nobody takes them for photographs."""


@dataclass(frozen=True, slots=True)
class StandIn(Source):
    """A source that makes its arrays up, always the same ones."""

    def read(self) -> Arrays:
        """Make the four arrays."""
        if self.info is None:
            return {}
        arrays: dict[str, NDArray[np.uint8]] = {}
        for number, split in enumerate(SPLITS):
            # The stream of raw numbers is the same in every version of NumPy; those of its distributions are not.
            stream = np.random.PCG64([number, *self.info.name.encode()])
            arrays[f"x_{split}"] = _mosaics(stream, self.info.shape(f"x_{split}"))
            arrays[f"y_{split}"] = _labels(stream, self.info, split)
        return arrays

    def state(self) -> list[list[str | int]]:
        """Tell one version of the made-up images from another."""
        return [[self.kind, _VERSION]]


def _bytes(stream: np.random.PCG64, count: int) -> NDArray[np.uint8]:
    raw: NDArray[np.uint64] = stream.random_raw(-(-count // 8))
    return raw.astype("<u8").view(np.uint8)[:count]


def _mosaics(stream: np.random.PCG64, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Images of tiles, each of one random colour."""
    rows, height, width = shape[:3]
    tiles = (rows, -(-height // _TILE), -(-width // _TILE), *shape[3:])
    small = _bytes(stream, int(np.prod(tiles))).reshape(tiles)
    return small.repeat(_TILE, axis=1).repeat(_TILE, axis=2)[:, :height, :width]


def _labels(stream: np.random.PCG64, info: DatasetInfo, split: str) -> NDArray[np.uint8]:
    """As many of each class as of any other, in random order."""
    shape = info.shape(f"y_{split}")
    order = np.argsort(stream.random_raw(shape[0]), kind="stable")
    return (order % len(info.labels)).astype(np.uint8).reshape(shape)


def stand_ins(name: str, kept: Path) -> tuple[Source, ...]:
    """List what can stand in for a data set: one source for a known one, none for a course's own.

    Args:
        name: The data set.
        kept: Where files of data sets are kept; nothing is read from there.
    """
    info = KNOWN.get(name)
    return (StandIn(kind=STAND_IN, path=kept, info=info),) if info else ()

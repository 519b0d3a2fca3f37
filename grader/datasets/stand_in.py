"""Generate artificial images in place of a known data set that is not on this machine.

They are for rubrics that need the data set only prepared. The images and labels are random and independent, so a model
cannot learn anything from them. Shapes, types, counts and the layout of labels are the real ones.
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
"""Source kind of generated data."""
_VERSION = 1
"""1: first version. Increase it when the images change, so that they are generated again."""
_TILE = 4
"""Side of a tile in pixels. Images are mosaics, so that nobody mistakes them for photographs."""


@dataclass(frozen=True, slots=True)
class StandIn(Source):
    """Source that generates the same arrays every time."""

    def read(self) -> Arrays:
        """Generate the four arrays."""
        if self.info is None:
            return {}
        arrays: dict[str, NDArray[np.uint8]] = {}
        for number, split in enumerate(SPLITS):
            # The raw numbers of a bit generator are the same in every NumPy version; its distributions may change.
            stream = np.random.PCG64([number, *self.info.name.encode()])
            arrays[f"x_{split}"] = _mosaics(stream, self.info.shape(f"x_{split}"))
            arrays[f"y_{split}"] = _labels(stream, self.info, split)
        return arrays

    def state(self) -> list[list[str | int]]:
        """Return the version of the generated images."""
        return [[self.kind, _VERSION]]


def _bytes(stream: np.random.PCG64, count: int) -> NDArray[np.uint8]:
    raw: NDArray[np.uint64] = stream.random_raw(-(-count // 8))
    return raw.astype("<u8").view(np.uint8)[:count]


def _mosaics(stream: np.random.PCG64, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Generate images of square tiles, each tile in one random color."""
    rows, height, width = shape[:3]
    tiles = (rows, -(-height // _TILE), -(-width // _TILE), *shape[3:])
    small = _bytes(stream, int(np.prod(tiles))).reshape(tiles)
    return small.repeat(_TILE, axis=1).repeat(_TILE, axis=2)[:, :height, :width]


def _labels(stream: np.random.PCG64, info: DatasetInfo, split: str) -> NDArray[np.uint8]:
    """Generate equally many labels of each class, in random order."""
    shape = info.shape(f"y_{split}")
    order = np.argsort(stream.random_raw(shape[0]), kind="stable")
    return (order % len(info.labels)).astype(np.uint8).reshape(shape)


def stand_ins(name: str, kept: Path) -> tuple[Source, ...]:
    """List the generated sources of a data set: one for a known data set, none for a course's own.

    Args:
        name: The data set.
        kept: Folder of downloads and imported files; nothing is read from it.
    """
    info = KNOWN.get(name)
    return (StandIn(kind=STAND_IN, path=kept, info=info),) if info else ()

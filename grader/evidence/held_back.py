"""Images that no code of a student ever saw, made from training images after the notebook was executed.

Each is a training image that was turned, scaled and shifted a little, by random numbers of which only the grader knows
the seed. A model that learned the classes from training images answers them about as well as the test images. A table
of answers to the test images, or a model that learned these, does not.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.evidence.prediction_plans import PredictionPlan, Task
from grader.evidence.provenance import DatasetIndex

__all__ = ["held_back_id", "held_back_plans", "held_back_task", "moved"]

_COUNT = 5000
_SOURCE = "train"
_MARGIN = 4
"""Pixels by which the edge is continued, so that what moves in from outside looks like the edge."""
_CHUNK = 500
MOST_DEGREES, MOST_SCALE, MOST_SHIFT = 2.0, 0.01, 0.5
"""Largest turn, largest part by which an image grows or shrinks, and largest shift in pixels. With larger ones, honest
models without convolutions lose too much."""


def held_back_plans(
    plans: Iterable[PredictionPlan],
    wanted: AbstractSet[tuple[str, str | None]],
    indexes: Mapping[str, DatasetIndex],
    seed: int,
    count: int = _COUNT,
) -> Iterator[PredictionPlan]:
    """Plan the predictions for held-back images, with the same preprocessing as for the test images.

    Args:
        plans: The plans for the test images.
        wanted: Data sets and tasks of the rubric for which held-back images were requested.
        indexes: Known data sets by name.
        seed: Seed of the images.
        count: Number of images.
    """
    tasks: dict[tuple[str, str | None], Task] = {}
    for plan in plans:
        key = plan.dataset, plan.part.name if plan.part is not None else None
        if plan.format == "predictions" or plan.moment != "trained" or key not in wanted:
            continue
        if key not in tasks:
            tasks[key] = held_back_task(indexes[plan.dataset], plan.part, seed, count)
        yield replace(plan, id=held_back_id(plan), part=tasks[key], held_back=seed)


def held_back_id(plan: PredictionPlan) -> str:
    """Return the id of the plan for held-back images that belongs to a plan for test images."""
    return f"{plan.id}-held"


def held_back_task(index: DatasetIndex, part: Task | None, seed: int, count: int = _COUNT) -> Task:
    """Make new images of all classes of a data set, or of those of a task.

    Args:
        index: The data set.
        part: The task; None for the whole data set.
        seed: Seed of the images: the same seed gives the same images.
        count: Number of images; fewer if there are not so many training images.
    """
    labels = index.labels[_SOURCE]
    usable = np.arange(len(labels)) if part is None else np.flatnonzero(np.isin(labels, part.members))
    generator = np.random.default_rng(seed)
    rows = np.sort(generator.choice(usable, min(count, len(usable)), replace=False))
    images = moved(index.images[_SOURCE][rows], generator)
    if part is not None:
        return replace(part, images=images, labels=labels[rows])
    return Task(index.name, _SOURCE, images, labels[rows], index.classes, binary=index.classes == 2)  # noqa: PLR2004 - two classes


def moved(images: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Turn, scale and shift each image a little, with bilinear interpolation.

    Args:
        images: Raw images of shape (n, h, w[, c]).
        generator: Source of the random numbers.
    """
    count = len(images)
    angles = np.radians(generator.uniform(-MOST_DEGREES, MOST_DEGREES, count))
    scales = generator.uniform(1 - MOST_SCALE, 1 + MOST_SCALE, count)
    shifts = generator.uniform(-MOST_SHIFT, MOST_SHIFT, (count, 2))
    result = np.empty_like(images)
    for start in range(0, count, _CHUNK):
        part = slice(start, start + _CHUNK)
        result[part] = _moved(images[part], angles[part], scales[part], shifts[part])
    return result


def _moved(
    images: NDArray[np.uint8], angles: NDArray[Any], scales: NDArray[Any], shifts: NDArray[Any]
) -> NDArray[np.uint8]:
    height, width = images.shape[1:3]
    y, x = np.meshgrid(np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2, indexing="ij")
    cosine, sine = ((scales * function(angles))[:, None, None] for function in (np.cos, np.sin))
    # The place in the old image of each pixel of the new one.
    rows = cosine * y - sine * x + (height - 1) / 2 + shifts[:, :1, None]
    columns = sine * y + cosine * x + (width - 1) / 2 + shifts[:, 1:, None]
    padding = ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN), *((0, 0),) * (images.ndim - 3))
    padded = np.pad(images, padding, mode="edge").astype(np.float32)
    rows, columns = (
        np.clip(place + _MARGIN, 0, size + 2 * _MARGIN - 1.001) for place, size in ((rows, height), (columns, width))
    )
    top, left = rows.astype(np.int64), columns.astype(np.int64)
    down, right = (rows - top).astype(np.float32), (columns - left).astype(np.float32)
    if images.ndim > 3:  # noqa: PLR2004 - n, h, w
        down, right = down[..., None], right[..., None]
    each = np.arange(len(images))[:, None, None]
    upper = padded[each, top, left] * (1 - right) + padded[each, top, left + 1] * right
    lower = padded[each, top + 1, left] * (1 - right) + padded[each, top + 1, left + 1] * right
    result: NDArray[np.uint8] = np.rint(upper * (1 - down) + lower * down).astype(np.uint8)
    return result

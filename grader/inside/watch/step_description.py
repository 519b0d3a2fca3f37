"""Describes the data of a training's steps, from what its graphs hold and what its eager steps used."""

import math
from collections.abc import Hashable, Iterable

from ..record.events import (
    MAX_STEP_ARRAYS,
    MAX_STEP_OPERATIONS,
    ArrayDescription,
    LabelDescription,
    StepDescription,
)
from .graph_reader import HeldData
from .image_search import ImageSearch
from .seen_images import SeenImages

__all__ = ["describe_step"]


def describe_step(parts: Iterable[HeldData], used: SeenImages, search: ImageSearch) -> StepDescription | None:
    """Describe the data of a training's steps.

    Args:
        parts: What its graphs hold.
        used: What its steps used, and the images and sources in its graphs.
        search: Describes images.

    Returns:
        None if there are none but those given to the training, as far as the recorder can see.
    """
    images, labels, numbers = _joined(parts)
    left = (*images[MAX_STEP_ARRAYS:], *labels[MAX_STEP_ARRAYS:])
    others = sum(numbers.values()) + sum(math.prod(each["shape"] or ()) for each in left)
    rows = search.describe(used)
    if rows is None:
        others += (len(used.seen) + used.passed) * search.smallest
    if not (images or labels or others or used.sources or rows):
        return None
    described = StepDescription(
        arrays=images[:MAX_STEP_ARRAYS],
        numbers=others,
        operations=sorted(used.sources)[:MAX_STEP_OPERATIONS],
        rows=rows,
    )
    if labels:
        described["labels"] = labels[:MAX_STEP_ARRAYS]
    return described


def _joined(
    parts: Iterable[HeldData],
) -> tuple[list[ArrayDescription], list[LabelDescription], dict[Hashable, int]]:
    """Join the data of several graphs, each array once: images, arrays that may be labels, and sizes of the others."""
    images: dict[tuple[Hashable, ...], ArrayDescription] = {}
    labels: dict[Hashable, LabelDescription] = {}
    others: dict[Hashable, int] = {}
    for held in parts:
        images |= held.images
        labels |= held.labels
        others |= held.numbers
    described = {key for keys in images for key in keys} | labels.keys()
    return list(images.values()), list(labels.values()), {key: n for key, n in others.items() if key not in described}

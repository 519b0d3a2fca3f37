"""Find altered copies of test images among training images: with noise, shifted, turned, mirrored.

Fingerprints recognize images of which only brightness and contrast changed. The others are compared with the nearest
images of each split. An altered training image fits its original, which is in the train split. An image that fits a
test image several times better than every training image was made from that test image.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.evidence.nearest_images import misfit, probes_of
from grader.evidence.provenance import DatasetIndex
from grader.evidence.transform import align
from grader.schema.evidence import CopiesFact

__all__ = ["MOST_COMPARED", "find_copies"]

MOST_COMPARED = 64
"""Number of images that are compared."""
_SMALLEST = 10
"""Smallest height and width of a data set's images. In smaller ones, too few pixels are left after a shift, a turn and
a change of contrast are fitted, so that altered training images fit images of the other split as well."""
_FEWEST = 4
"""Smallest number of copies that counts; `docs/trust.md` says how often altered training images look like copies."""
_RATIO = 0.25
"""Largest misfit of the test image, as a part of the misfit of the best training image."""
_EQUAL = 1e-3
"""Misfit, as a part of an image's power, below which differences do not count."""
_NOISE_RANGE = 0.3
"""Uncertainty of the noise of an image, as a part of its power."""
_LEAST_NOISE = 0.02
"""Smallest part of an image's power that counts as noise."""
_ONLY_NOISE = 1.2
"""Largest misfit of an original, as a multiple of the noise."""
_STEPS = 5.0
"""Distance between the best images of both splits, in standard deviations of the noise in that direction."""


def find_copies(images: NDArray[Any], rows: int, indexes: Iterable[DatasetIndex]) -> CopiesFact | None:
    """Count the copies of test images among images that no fingerprint recognized.

    Args:
        images: Some of these images, as passed to a model; at most `MOST_COMPARED` are compared.
        rows: The number of these images.
        indexes: The data sets that they may come from.

    Returns:
        The data set with most copies; None if there are none, too few to be sure, or if the images cannot be compared.
    """
    found = [fact for index in indexes if (fact := _copies_of(images[:MOST_COMPARED], rows, index)) is not None]
    return max(found, key=lambda fact: fact.copies, default=None)


def _copies_of(images: NDArray[Any], rows: int, index: DatasetIndex) -> CopiesFact | None:
    if min(index.image_shape[:2]) < _SMALLEST or not {"train", "test"} <= set(index.features):
        return None
    aligned = align(images.astype(np.float32), index.image_shape)
    probes = probes_of(images if aligned is None else aligned, index.image_shape)
    if probes is None or len(probes.images) < _FEWEST:
        return None
    train, test = (misfit(probes, index.features[split]) for split in ("train", "test"))
    power, noise = probes.power, probes.noise_power
    least = np.maximum(_EQUAL * power, _NOISE_RANGE * noise)
    clear = np.maximum(test - noise, least) < _RATIO * np.maximum(train - noise, least)
    # In strong noise the ratio shows nothing, but the distance between both originals does.
    apart = np.sqrt(np.maximum(train - test, 0)) > 2 * _STEPS * probes.noise
    noisy = (noise > _LEAST_NOISE * power) & (test <= _ONLY_NOISE * noise) & apart
    copies = int((clear | noisy).sum())
    if copies < _FEWEST:
        return None
    return CopiesFact(dataset=index.name, split="test", compared=len(probes.images), copies=copies, rows=rows)

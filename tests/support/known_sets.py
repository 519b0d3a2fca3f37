"""The three data sets, as far as they are on this machine, cut to a size that can be gone through again and again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.datasets.store import DatasetStore
from grader.evidence.provenance import DatasetIndex, make_index
from grader.inside.describe.fingerprint import fingerprint
from grader.schema.errors import DatasetMissingError

__all__ = ["SETS", "KnownSet", "known_set", "natural_images"]

SETS = ("mnist", "fashion_mnist", "cifar10")
_SHAPES = {"mnist": (28, 28), "fashion_mnist": (28, 28), "cifar10": (32, 32, 3)}
TRAIN, TEST = 3000, 600


@dataclass(frozen=True, eq=False)
class KnownSet:
    """A data set's first images, prepared for a session and for the grader."""

    index: DatasetIndex
    real: bool
    """Whether these are its own images; else they are made, since it is not on this machine."""

    @property
    def rows(self) -> int:
        """Rows of both splits."""
        return len(self.index.fingerprints)


def natural_images(count: int, shape: tuple[int, ...], seed: int) -> NDArray[np.uint8]:
    """Make images whose neighboring pixels and channels correlate as in photographs.

    The amplitude falls with the frequency (Field 1987); each image has a brightness and contrast of its own, and is cut
    off at black and white as photographs are.

    Args:
        count: How many.
        shape: (h, w) or (h, w, c).
        seed: Of all of them.
    """
    rng = np.random.default_rng(seed)
    height, width, channels = (*shape, 1)[:3]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    amplitude = 1 / np.maximum(frequency, 1 / height)
    noise = rng.normal(size=(count, height, width, channels)) + rng.normal(size=(count, height, width, 1))
    smooth = np.fft.ifft2(np.fft.fft2(noise, axes=(1, 2)) * amplitude[..., None], axes=(1, 2)).real
    smooth /= smooth.std(axis=(1, 2, 3), keepdims=True)
    contrast = rng.uniform(30, 70, (count, 1, 1, 1))
    brightness = rng.uniform(90, 150, (count, 1, 1, 1))
    images: NDArray[np.uint8] = np.clip(smooth * contrast + brightness, 0, 255).astype(np.uint8)
    return images.reshape(count, *shape)


def known_set(name: str, folder: Path) -> KnownSet:
    """Prepare a data set's first images under `folder`, as a session has them; made ones where it is not here."""
    parts, real = _parts(name)
    prints = np.concatenate([fingerprint(parts["x_train"]), fingerprint(parts["x_test"])])
    target = folder / name
    target.mkdir(parents=True)
    for part, array in {**parts, "fingerprints": prints}.items():
        np.save(target / f"{part}.npy", array)
    return KnownSet(make_index(name, **parts, fingerprints=prints), real)


def _parts(name: str) -> tuple[dict[str, NDArray[Any]], bool]:
    sizes = {"train": TRAIN, "test": TEST}
    store = DatasetStore()
    try:
        found = {
            f"{kind}_{split}": np.array(part(name, split)[:size])
            for split, size in sizes.items()
            for kind, part in (("x", store.images), ("y", store.labels))
        }
    except DatasetMissingError:
        images = natural_images(TRAIN + TEST, _SHAPES[name], seed=SETS.index(name))
        labels = np.random.default_rng(0).integers(0, 10, TRAIN + TEST)
        return {
            "x_train": images[:TRAIN],
            "y_train": labels[:TRAIN],
            "x_test": images[TRAIN:],
            "y_test": labels[TRAIN:],
        }, False
    return found, True

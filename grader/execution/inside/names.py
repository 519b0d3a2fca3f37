"""Which image-like arrays the notebook's variables hold at its end, and which of them a model was ever given."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .core import Recorder

__all__ = ["describe_array", "image_like", "install", "recognise", "scan"]

MIN_ROWS = 100
MIN_NUMBERS = 64
"""Numbers in one row: an 8 by 8 image."""
SEEN_ROWS = 2000
"""Rows from which the lowest and highest number are taken."""
COMPARED_ROWS = 16
MIN_RECOGNISED = 12
"""Of the compared rows, so many must be of one split."""
MAX_NAMES = 200

Prints = Mapping[str, np.ndarray]
"""`mnist/train` … → its images' fingerprints."""


def image_like(value: object) -> bool:
    """Whether a value is an array of enough rows with enough numbers each to be a set of images."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub" or value.ndim <= 1:
        return False
    return len(value) >= MIN_ROWS and value.size // len(value) >= MIN_NUMBERS


def scan(namespace: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Find the image-like arrays among a notebook's variables.

    Args:
        namespace: IPython's `user_ns`; names with a leading underscore are IPython's own.
    """
    found = {name: value for name, value in list(namespace.items()) if not name.startswith("_") and image_like(value)}
    return dict(list(found.items())[:MAX_NAMES])


def describe_array(name: str, array: np.ndarray, rows_of: str | None, *, used: bool) -> dict[str, Any]:
    """Make one item of the `arrays` event.

    Args:
        name: The variable.
        array: What it holds.
        rows_of: The split its first rows were recognised as, or None.
        used: Whether a model was ever given it.
    """
    seen = array[:SEEN_ROWS]
    return {
        "name": name,
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        "low": float(seen.min()),
        "high": float(seen.max()),
        "rows_of": rows_of,
        "used": used,
    }


def recognise(prints: np.ndarray, known: Prints) -> str | None:
    """Tell which split some images are of.

    Args:
        prints: Their fingerprints; 0 is a constant image, which tells nothing.
        known: Each split's fingerprints.
    """
    telling = prints[prints != 0]
    found = {split: int(np.isin(telling, held).sum()) for split, held in known.items()}
    best = max(found, key=lambda split: found[split], default=None)
    return best if best is not None and found[best] >= min(MIN_RECOGNISED, len(prints)) else None


def _load_prints(data: Path, datasets: tuple[str, ...]) -> dict[str, np.ndarray]:
    known: dict[str, np.ndarray] = {}
    for name in datasets:
        try:
            prints = np.load(data / name / "fingerprints.npy", allow_pickle=False)
            rows = len(np.load(data / name / "y_train.npy", mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError):
            continue
        known |= {f"{name}/train": prints[:rows], f"{name}/test": prints[rows:]}
    return known


def install(recorder: Recorder) -> None:
    """Write the `arrays` event when the last cell was run.

    Args:
        recorder: Holds the namespace and, as `arrays`, the book of arrays that models were given.
    """

    def write() -> None:
        found = scan(recorder.namespace)
        if not found:
            return
        from .fingerprint import fingerprint

        known = _load_prints(recorder.session.data, recorder.session.datasets)
        was_used: Callable[[np.ndarray], bool] = getattr(getattr(recorder, "arrays", None), "was_used", lambda _: False)
        facts = []
        for name, array in found.items():
            try:
                rows_of = recognise(fingerprint(array[:COMPARED_ROWS]), known)
            except (TypeError, ValueError):
                rows_of = None
            facts.append(describe_array(name, array, rows_of, used=bool(was_used(array))))
        recorder.log.write("arrays", arrays=facts)

    recorder.at_end(write)

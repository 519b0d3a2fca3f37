"""How checks and diagnostics say figures, shapes and lists, so that all of them say them alike."""

import math
from collections.abc import Callable, Iterable, Sequence

from grader.facts.language import DATASETS, TIMES

__all__ = [
    "decimal",
    "listed",
    "number",
    "percent",
    "plural",
    "spoken_dataset",
    "spoken_shape",
    "spoken_split",
]

_SPLITS = {"train": "training", "test": "test"}


def number(value: float) -> str:
    """Write a count with thousands separated, or another number with at most four significant decimals."""
    if isinstance(value, int) or (math.isfinite(value) and float(value).is_integer() and abs(value) < 1e15):  # noqa: PLR2004 - beyond it a float no longer tells whole numbers apart
        return f"{int(value):,}"
    return decimal(value)


def decimal(value: float) -> str:
    """Write a number with four significant digits, or "not a number"."""
    return f"{value:.4g}" if math.isfinite(value) else "not a number"


def percent(part: float) -> str:
    """Write a part of a whole as a percentage with two decimals, whole ones without: `98.52 %`, `99 %`."""
    if not math.isfinite(part):
        return "not a number"
    text = f"{100 * part:.2f}"
    return f"{text.rstrip('0').rstrip('.')} %"


def plural(count: int, word: str, several: str | None = None) -> str:
    """Write a count with its word: `1 epoch`, `20 epochs`."""
    return f"{count:,} {word if count == 1 else several or word + 's'}"


def listed(items: Iterable[str], last: str = "and") -> str:
    """Join words as a sentence does: `a, b and c`."""
    words = list(items)
    if len(words) <= 1:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def spoken_shape(
    shape: Sequence[int | None] | None,
    *,
    unknown: str = "an unknown shape",
    open_axis: str = "any",
    axis: Callable[[int], str] = str,
) -> str:
    """Write a shape with multiplication signs between its axes: `28 × 28 × 1`.

    Args:
        shape: Lengths of the axes; None for one of any length.
        unknown: What is written where there is no shape.
        open_axis: What is written for an axis of any length.
        axis: How a length is written.
    """
    if shape is None:
        return unknown
    if not shape:
        return "a single number"
    return TIMES.join(open_axis if length is None else axis(length) for length in shape)


def spoken_dataset(name: str) -> str:
    """Write a data set's name as people do."""
    return DATASETS.get(name, name)


def spoken_split(split: str) -> str:
    """Write a split's name as people do: `training` for `train`."""
    return _SPLITS.get(split, split)

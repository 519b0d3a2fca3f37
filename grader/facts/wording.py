"""Text helpers for third-party checks, kept for one version.

The grader's own checks make messages (`grader.schema.message.say`), whose values `grader.facts.language` formats.
"""

from collections.abc import Iterable, Sequence

from grader.facts.language import language

__all__ = ["decimal", "listed", "number", "percent", "plural", "spoken_dataset", "spoken_shape", "spoken_split"]

_ENGLISH = language("en")


def number(value: float) -> str:
    """Write a number with thousands separators, or with at most four significant digits."""
    return _ENGLISH.number(value)


def decimal(value: float) -> str:
    """Write a number with at most four significant digits."""
    return _ENGLISH.number(value)


def percent(part: float) -> str:
    """Write a part of a whole, from 0 to 1, as a percentage."""
    return _ENGLISH.percent(part)


def plural(count: int, word: str, several: str | None = None) -> str:
    """Write a count with its noun: `1 epoch`, `20 epochs`."""
    return f"{_ENGLISH.number(count)} {word if count == 1 else several or word + 's'}"


def listed(items: Iterable[str], last: str = "and") -> str:
    """Join words in a sentence: `a, b, and c`."""
    return _ENGLISH.value(list(items), f"raw {last}")


def spoken_shape(shape: Sequence[int | None] | None) -> str:
    """Write a shape with multiplication signs: `28 × 28 × 1`."""
    return _ENGLISH.value(None if shape is None else list(shape), "shape")


def spoken_dataset(name: str) -> str:
    """Write the usual name of a data set."""
    return _ENGLISH.value(name, "dataset")


def spoken_split(split: str) -> str:
    """Write the usual name of a split: `training` for `train`."""
    return _ENGLISH.value(split, "split")

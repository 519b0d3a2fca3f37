"""Read claims: convert untrusted values to the expected type, or to None.

The record comes from the student's process, so a number may be a list, and a list may have a million items. These
functions only raise `MalformedError`, and only if a claim is unusable without the value.

`claim` gives a JSON object its declared type from `grader.inside.record.events`, so that mypy checks each key. The
values are still untrusted: pass each of them to one of the functions here before use.
"""

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from grader.facts.controls import replaced
from grader.facts.metrics import is_computable
from grader.schema.evidence import Shape

__all__ = [
    "MalformedError",
    "Moment",
    "as_bool",
    "as_choice",
    "as_float",
    "as_floats",
    "as_int",
    "as_json",
    "as_list",
    "as_map",
    "as_shape",
    "as_text",
    "as_texts",
    "claim",
    "claims",
    "holds",
    "need_choice",
    "need_id",
    "need_int",
    "need_key",
]

_LARGEST = 2**53
_MAX_AXES = 16
_MAX_DEPTH = 12
_MAX_ITEMS = 2000
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


_Declared = TypeVar("_Declared", bound=Mapping[str, object])
"""A TypedDict of `grader.inside.record`."""
_Choice = TypeVar("_Choice", bound=str)


class MalformedError(ValueError):
    """A claim has no usable value for a required part."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The time of an event.

    Attributes:
        n: The event's number.
        cell: The notebook's index of the running cell; None before the first cell.
    """

    n: int
    cell: int | None


class _Claim(dict[str, Any]):
    """A JSON object in which a missing key reads as None."""

    def __missing__(self, key: str) -> None:
        """Read None for a key that an older recorder, or a forgery, does not have."""


def claim(declared: type[_Declared], value: object) -> _Declared:
    """View a JSON object by its declaration.

    Args:
        declared: The TypedDict that the recorder constructs.
        value: A value from JSON; anything but an object is read as an empty object.

    Returns:
        The object with clean keys. A missing key reads as None, and a value may be of any type.
    """
    del declared
    return cast("_Declared", value if isinstance(value, _Claim) else _Claim(as_map(value)))


def claims(declared: type[_Declared], value: object, cap: int) -> Iterator[_Declared]:
    """View at most `cap` objects of a list, as `claim` does."""
    return (claim(declared, item) for item in as_list(value, cap))


def holds(value: Mapping[str, object], key: str) -> bool:
    """Whether a claim has a key, even with the value None."""
    return key in value


def need_key(value: Mapping[str, object], key: str) -> None:
    """Require a key that may have the value None, so that a lost one is not taken for None.

    Raises:
        MalformedError: The claim lacks the key.
    """
    if not holds(value, key):
        msg = f"expected the key {key}"
        raise MalformedError(msg)


def as_int(value: object, low: int = 0, high: int = _LARGEST) -> int | None:
    """Read an integer between two bounds (inclusive), else None; `5.0` is an integer, True is not."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if low <= value <= high else None


def need_int(value: object, low: int = 0, high: int = _LARGEST) -> int:
    """Read an integer between two bounds (inclusive).

    Raises:
        MalformedError: It is not such an integer.
    """
    number = as_int(value, low, high)
    if number is None:
        msg = "expected an integer"
        raise MalformedError(msg)
    return number


def as_float(value: object) -> float | None:
    """Read a number that is neither infinite nor too large to compute with, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if is_computable(number) else None


def as_floats(value: object, cap: int) -> tuple[float, ...]:
    """Read at most `cap` numbers of a list; other items become NaN, so that positions stay valid."""
    if not isinstance(value, list):
        return ()
    numbers = (as_float(item) for item in value[:cap])
    return tuple(math.nan if number is None else number for number in numbers)


def as_bool(value: object) -> bool | None:
    """Read True or False, else None."""
    return value if isinstance(value, bool) else None


def as_choice(value: object, choices: Collection[_Choice]) -> _Choice | None:
    """Read one of several choices, else None."""
    return next((choice for choice in choices if choice == value), None)


def need_choice(value: object, choices: Collection[_Choice]) -> _Choice:
    """Read one of several choices.

    Raises:
        MalformedError: It is none of them.
    """
    choice = as_choice(value, choices)
    if choice is None:
        msg = f"expected one of {', '.join(choices)}"
        raise MalformedError(msg)
    return choice


def as_text(value: object, cap: int = 200) -> str:
    """Read text that steers neither a terminal nor its neighbors, at most `cap` long; empty for anything else."""
    return replaced(value[:cap]) if isinstance(value, str) else ""


def as_texts(value: object, cap: int, length: int = 200) -> tuple[str, ...]:
    """Read at most `cap` texts of a list, without empty ones."""
    return tuple(text for text in (as_text(item, length) for item in as_list(value, cap)) if text)


def need_id(value: object) -> str:
    """Read an identifier such as `m1`.

    Raises:
        MalformedError: It is not an identifier.
    """
    if not isinstance(value, str) or not _ID.fullmatch(value):
        msg = "expected an identifier"
        raise MalformedError(msg)
    return value


def as_list(value: object, cap: int = _MAX_ITEMS) -> list[Any]:
    """Read at most `cap` items of a list; an empty list for anything else."""
    return value[:cap] if isinstance(value, list) else []


def as_map(value: object, cap: int = _MAX_ITEMS) -> dict[str, Any]:
    """Read at most `cap` entries of an object, with clean keys; an empty one for anything else."""
    if not isinstance(value, dict):
        return {}
    return {as_text(key): item for key, item in list(value.items())[:cap] if isinstance(key, str)}


def as_shape(value: object) -> Shape | None:
    """Read a shape of at most 16 axes, each a length or None; None for anything else."""
    if not isinstance(value, list) or len(value) > _MAX_AXES:
        return None
    axes = [as_int(axis) for axis in value]
    if any(axis is None and item is not None for axis, item in zip(axes, value, strict=True)):
        return None
    return tuple(axes)


def as_json(value: object, depth: int = _MAX_DEPTH) -> Any:
    """Copy JSON with clean texts, numbers to compute with, capped lists and limited depth."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return as_text(value, 2000)
    if isinstance(value, (int, float)):
        return as_int(value, -_LARGEST) if isinstance(value, int) else as_float(value)
    if depth <= 0:
        return None
    if isinstance(value, list):
        return [as_json(item, depth - 1) for item in as_list(value)]
    return {key: as_json(item, depth - 1) for key, item in as_map(value).items()}

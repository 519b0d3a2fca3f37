"""Reading claims: values of any type become values of the wanted one, or nothing.

What the recorder wrote stood in the student's process, so a number may be a list and a list may hold a million items.
None of these functions raises anything but `MalformedError`, and that only where a claim is worthless without it.

`claim` gives a JSON object the type that `grader.inside.record.events` declares for it. mypy then checks every key that
is read against the declaration that the recorder writes by. The values are still claims: pass each to one of the
functions here before anything is done with it.
"""

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

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
]

_LARGEST = 2**53
_MAX_AXES = 16
_MAX_DEPTH = 12
_MAX_ITEMS = 2000
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


_Declared = TypeVar("_Declared", bound=Mapping[str, object])
"""A TypedDict of `grader.inside.record`."""
_Choice = TypeVar("_Choice", bound=str)


class MalformedError(ValueError):
    """A claim lacks what it cannot do without."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When an event happened.

    Attributes:
        n: The event's number.
        cell: The notebook's index of the running cell; None before the first.
    """

    n: int
    cell: int | None


class _Claim(dict[str, Any]):
    """A JSON object in which a missing key reads as None."""

    def __missing__(self, key: str) -> None:
        """Read a key that an older recorder, or a forger, left out."""


def claim(declared: type[_Declared], value: object) -> _Declared:
    """View a JSON object by its declaration.

    Args:
        declared: The TypedDict that the recorder constructs.
        value: What was read from JSON; anything but an object is an object without keys.

    Returns:
        The object with clean keys. A missing key reads as None, and a value may be of any type.
    """
    del declared
    return cast("_Declared", value if isinstance(value, _Claim) else _Claim(as_map(value)))


def claims(declared: type[_Declared], value: object, cap: int) -> Iterator[_Declared]:
    """View the objects of a list, at most `cap`, as `claim` does."""
    return (claim(declared, item) for item in as_list(value, cap))


def holds(given: Mapping[str, object], key: str) -> bool:
    """Whether a claim has a key, even with the value None."""
    return key in given


def as_int(value: object, low: int = 0, high: int = _LARGEST) -> int | None:
    """A whole number between two bounds (both allowed), else None; `5.0` is whole, True is no number."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if low <= value <= high else None


def need_int(value: object, low: int = 0, high: int = _LARGEST) -> int:
    """A whole number between two bounds.

    Raises:
        MalformedError: It is none.
    """
    found = as_int(value, low, high)
    if found is None:
        msg = "no whole number where one must stand"
        raise MalformedError(msg)
    return found


def as_float(value: object) -> float | None:
    """A finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def as_floats(value: object, cap: int) -> tuple[float, ...]:
    """Numbers of a list, at most `cap`; what is none becomes not-a-number, so that places keep their meaning."""
    if not isinstance(value, list):
        return ()
    found = (as_float(item) for item in value[:cap])
    return tuple(math.nan if number is None else number for number in found)


def as_bool(value: object) -> bool | None:
    """True or False, else None."""
    return value if isinstance(value, bool) else None


def as_choice(value: object, choices: Collection[_Choice]) -> _Choice | None:
    """One of some texts, else None."""
    return next((choice for choice in choices if choice == value), None)


def need_choice(value: object, choices: Collection[_Choice]) -> _Choice:
    """One of some texts.

    Raises:
        MalformedError: It is none of them.
    """
    found = as_choice(value, choices)
    if found is None:
        msg = f"expected one of {', '.join(choices)}"
        raise MalformedError(msg)
    return found


def as_text(value: object, cap: int = 200) -> str:
    """Text without control characters or halves of characters, at most `cap` long; empty for anything else."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", value[:cap]) if isinstance(value, str) else ""


def as_texts(value: object, cap: int, length: int = 200) -> tuple[str, ...]:
    """The texts of a list, at most `cap`, without the empty ones."""
    return tuple(text for text in (as_text(item, length) for item in as_list(value, cap)) if text)


def need_id(value: object) -> str:
    """An identifier such as `m1`.

    Raises:
        MalformedError: It is none.
    """
    if not isinstance(value, str) or not _ID.fullmatch(value):
        msg = "no identifier where one must stand"
        raise MalformedError(msg)
    return value


def as_list(value: object, cap: int = _MAX_ITEMS) -> list[Any]:
    """At most `cap` items of a list; nothing for anything else."""
    return value[:cap] if isinstance(value, list) else []


def as_map(value: object, cap: int = _MAX_ITEMS) -> dict[str, Any]:
    """At most `cap` entries of an object with clean keys; nothing for anything else."""
    if not isinstance(value, dict):
        return {}
    return {as_text(key): item for key, item in list(value.items())[:cap] if isinstance(key, str)}


def as_shape(value: object) -> Shape | None:
    """A shape: at most 16 axes, each a length or None; None for anything else."""
    if not isinstance(value, list) or len(value) > _MAX_AXES:
        return None
    axes = [as_int(axis) for axis in value]
    if any(axis is None and given is not None for axis, given in zip(axes, value, strict=True)):
        return None
    return tuple(axes)


def as_json(value: object, depth: int = _MAX_DEPTH) -> Any:
    """A copy that any JSON reader takes: clean texts, finite numbers, capped lists, limited depth."""
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

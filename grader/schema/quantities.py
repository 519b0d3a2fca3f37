"""Read a number with a unit, such as `30 min` or `6 GiB`."""

import re
from collections.abc import Mapping

__all__ = ["TIME_UNITS", "parse_quantity"]

TIME_UNITS: Mapping[str, float] = {"s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0}
"""Seconds of each unit."""
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")


def parse_quantity(text: str, units: Mapping[str, float], *, noun: str, advice: str) -> float:
    """Turn a number with a unit into a number of the base unit.

    Args:
        text: Such as `30 min`.
        units: The allowed units, each with its size in the base unit.
        noun: The quantity, for the error, such as `a duration`.
        advice: How to write it, for the error.

    Raises:
        ValueError: The text is not a number followed by one of the units.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None or match[2] not in units:
        msg = f"{text!r} is not {noun}: write a number and {advice}"
        raise ValueError(msg)
    return float(match[1]) * units[match[2]]

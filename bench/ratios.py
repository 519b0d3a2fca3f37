"""Compare measured ratios with stored ones, so that load that passes fails nothing and a real loss stays."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

__all__ = ["ALLOWED", "Measure", "Part", "measure"]

ALLOWED = 4 / 3
"""Largest quotient of a measured ratio and its stored one."""
_LEAST_ROUNDS, _MOST_ROUNDS = 2, 7

Measure = Callable[[], float]
"""A function that does some work and returns its processor seconds."""


@dataclass
class Part:
    """A measured part: the grader's work, and the bare work that it is compared with."""

    grader: Measure
    bare: Measure
    times: dict[str, list[float]] = field(default_factory=lambda: {"grader": [], "bare": []})

    def run(self) -> None:
        """Measure both sides once."""
        self.times["grader"].append(self.grader())
        self.times["bare"].append(self.bare())

    @property
    def ratio(self) -> float:
        """Quotient of the smallest times of both sides, since other load only adds time."""
        return min(self.times["grader"]) / min(self.times["bare"])


def measure(parts: Mapping[str, Part], stored: Mapping[str, float]) -> list[str]:
    """Measure every part, and those above their limit again.

    Args:
        parts: The parts by name.
        stored: Stored ratios by name; a part without one has no limit.

    Returns:
        Names of the parts that stay above their limit.
    """
    left = list(parts)
    for number in range(1, _MOST_ROUNDS + 1):
        for name in left:
            parts[name].run()
        if number >= _LEAST_ROUNDS:
            left = [name for name in left if name in stored and parts[name].ratio > ALLOWED * stored[name]]
    return left

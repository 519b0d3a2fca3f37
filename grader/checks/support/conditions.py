"""Several conditions of one criterion, each judged alone: which hold, and the verdict of all of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from grader.schema.base import Json
from grader.schema.grade import Finding, FindingDetails

__all__ = ["Condition", "Conditions"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition."""

    name: str
    """Its name in `measured`."""
    holds: bool | None
    """None where it could not be seen."""
    seen: str
    """What was seen, as a part of a sentence."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """All conditions of a criterion, in the order of the message."""

    items: tuple[Condition, ...]

    @classmethod
    def of(cls, items: Iterable[Condition]) -> "Conditions":
        """Collect conditions."""
        return cls(tuple(items))

    @property
    def met(self) -> tuple[Condition, ...]:
        """Those that hold."""
        return tuple(item for item in self.items if item.holds)

    @property
    def missed(self) -> tuple[Condition, ...]:
        """Those that do not hold or could not be seen."""
        return tuple(item for item in self.items if not item.holds)

    @property
    def unseen(self) -> tuple[Condition, ...]:
        """Those that could not be seen."""
        return tuple(item for item in self.items if item.holds is None)

    @property
    def text(self) -> str:
        """What was seen of the missed conditions, or of all where none is missed."""
        return "; ".join(item.seen for item in self.missed or self.items)

    @property
    def measured(self) -> dict[str, Json]:
        """The names of the conditions that hold and of those that do not."""
        return {"held": [item.name for item in self.met], "missed": [item.name for item in self.missed]}

    def fraction(self, *, partial: bool) -> float:
        """The part of the points: 1 where all hold, else the part that holds, or nothing.

        Args:
            partial: Whether each condition earns its part of the points.
        """
        return len(self.met) / len(self.items) if partial or not self.missed else 0.0

    def finding(self, message: str, details: FindingDetails, *, partial: bool) -> Finding:
        """The verdict of all conditions.

        Args:
            message: With the text.
            details: The other fields of the finding; `measured` gets the names of the conditions.
            partial: Whether each condition earns its part of the points.
        """
        measured = {**details.get("measured", {}), **self.measured}
        return Finding.scored(message, self.fraction(partial=partial), **(details | {"measured": measured}))

"""The conditions of one criterion, judged one by one, and the verdict that they add up to."""

from collections.abc import Iterable
from dataclasses import dataclass

from grader.schema.base import Json
from grader.schema.evidence import LayerFact
from grader.schema.grade import Finding, FindingDetails
from grader.schema.message import Message, MessageLike, say

__all__ = ["CandidateLayer", "Condition", "Conditions"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition."""

    name: str
    """Its name in `measured`."""
    holds: bool | None
    """None if the evidence does not decide it."""
    seen: MessageLike
    """The observation: a clause without a full stop."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of a criterion, in the order of the message."""

    items: tuple[Condition, ...]

    @classmethod
    def of(cls, items: Iterable[Condition]) -> "Conditions":
        """Collect conditions."""
        return cls(tuple(items))

    @property
    def met(self) -> tuple[Condition, ...]:
        """The conditions that hold."""
        return tuple(item for item in self.items if item.holds)

    @property
    def missed(self) -> tuple[Condition, ...]:
        """The conditions that do not hold, or that evidence does not decide."""
        return tuple(item for item in self.items if not item.holds)

    @property
    def unseen(self) -> tuple[Condition, ...]:
        """The conditions that evidence does not decide."""
        return tuple(item for item in self.items if item.holds is None)

    @property
    def message(self) -> Message:
        """The observations about the missed conditions, or about all if none is missed; without a full stop."""
        return say("{observations:clauses}", observations=[item.seen for item in self.missed or self.items])

    @property
    def measured(self) -> dict[str, Json]:
        """The names of the conditions, grouped by whether they hold."""
        return {"held": [item.name for item in self.met], "missed": [item.name for item in self.missed]}

    def fraction(self, *, partial: bool) -> float:
        """Compute the fraction of the points: 1 if all conditions hold, else the fraction that holds, or 0.

        Args:
            partial: Whether each condition earns its share of the points.
        """
        return len(self.met) / len(self.items) if partial or not self.missed else 0.0

    def finding(self, message: MessageLike, details: FindingDetails, *, partial: bool) -> Finding:
        """Make the finding that the conditions add up to; a person must judge it if an unseen condition may change it.

        Args:
            message: The complete message.
            details: The other fields of the finding; `measured` gets the names of the conditions.
            partial: Whether each condition earns its share of the points.
        """
        measured = {**details.get("measured", {}), **self.measured}
        wrong = len(self.missed) > len(self.unseen)
        if self.unseen and (partial or not wrong):
            judge = say("{message} A person must judge the open points.", message=message)
            return Finding.pending(judge, **(details | {"measured": measured}))
        return Finding.scored(message, self.fraction(partial=partial), **(details | {"measured": measured}))


@dataclass(frozen=True, slots=True)
class CandidateLayer:
    """A layer of the right kind, and the conditions that it misses or that are unknown."""

    layer: LayerFact
    missed: Conditions

    @property
    def counts(self) -> bool | None:
        """Whether it meets every condition; None if that is unknown."""
        if len(self.missed.unseen) < len(self.missed.items):
            return False
        return None if self.missed.items else True

    def explained(self, name: Message) -> Message:
        """Explain why it does not count, or may not.

        Args:
            name: The layer, as the message names it.
        """
        faults = [item.seen for item in self.missed.items]
        if self.counts is None:
            return say("{layer} may count: {faults}.", layer=name, faults=faults)
        return say("{layer} does not count: {faults}.", layer=name, faults=faults)

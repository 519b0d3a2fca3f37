"""Results of a sensitivity test: which criteria of a rubric react to which mistakes."""

from typing import Literal

from grader.schema.base import Document

__all__ = ["SENSITIVITY_VERSION", "CriterionSensitivity", "MutationResult", "Reaction", "Sensitivity"]

SENSITIVITY_VERSION = 1
"""1: first version."""


class Reaction(Document):
    """The change of one criterion by one mutation."""

    criterion: str
    status: Literal["failed", "partial", "pending", "passed", "skipped"]
    lost: float
    """Points that the mistake costs."""
    message: str
    """The message of the criterion with the mistake."""
    models: tuple[str, ...] = ()
    """Ids of the models with the mistake; empty for a mistake in the notebook."""


class MutationResult(Document):
    """The effect of one mutation on a rubric."""

    id: str
    title: str
    applied: bool
    reason: str = ""
    """Reason why the mutation could not be applied."""
    lost: float = 0.0
    """Most points that the mistake costs, in one model or in all of them."""
    reactions: tuple[Reaction, ...] = ()
    """For each criterion that reacts, the change that costs the most points."""
    missing: tuple[str, ...] = ()
    """Ids of criteria that should react, by their check and its parameters, and do not."""

    @property
    def detected(self) -> bool:
        """Whether the mistake costs points, or a person must look at it."""
        return bool(self.reactions)


class CriterionSensitivity(Document):
    """The mistakes to which one criterion reacts."""

    id: str
    points: float
    """Points of the unchanged solution."""
    max_points: float
    state: Literal["reacts", "never_reacts", "only_pending", "manual", "not_passed", "unknown_check"]
    """`never_reacts`: no mistake changes it, so it cannot fail; `only_pending`: mistakes leave it to a person, but cost
    no points; `manual`: a person judges it; `not_passed`: the solution itself misses it; `unknown_check`: no mutation
    is made for its check, which is not a part of the grader."""
    reacts_to: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """Ids of mutations to which it should react and does not."""

    @property
    def cannot_fail(self) -> bool:
        """Whether no mistake costs points, although the criterion is judged by a check of the grader."""
        return self.state in {"never_reacts", "only_pending", "not_passed"}


class Sensitivity(Document):
    """The sensitivity of a rubric: a table of criteria and mutations."""

    version: Literal[1] = 1
    rubric: str
    criteria: tuple[CriterionSensitivity, ...]
    mutations: tuple[MutationResult, ...]

    @property
    def undetected(self) -> tuple[str, ...]:
        """Ids of mutations that no criterion detects."""
        return tuple(one.id for one in self.mutations if one.applied and not one.detected)

    @property
    def defects(self) -> tuple[str, ...]:
        """Ids of criteria that cannot fail, that the solution misses, or that overlook a mistake."""
        return tuple(one.id for one in self.criteria if one.cannot_fail or one.missing)

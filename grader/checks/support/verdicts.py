"""Judging several things of which one, or each, has to be as asked: trainings, compiles, callbacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from grader.checks.support.no_model import missing_model
from grader.facts.case import Case
from grader.facts.wording import listed
from grader.schema.base import Assurance, Json, Pointer
from grader.schema.evidence import FitFact, ModelFact
from grader.schema.grade import Finding

__all__ = ["Candidate", "Which", "chosen_fits", "judge", "never_trained"]

Which = Literal["any", "all", "first", "last"]
"""Which of several have to be as asked."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing that may be what the criterion asks for.

    Attributes:
        said: What it is, with figures, as the subject of a sentence.
        faults: What of it is not as asked, each in words that follow `said`.
        unseen: What could not be seen of it and so neither holds nor fails.
        pointer: Where it happened.
        measured: Its figures.
        distance: How far it is from what is asked for, beside the number of its faults.
    """

    said: str
    faults: tuple[str, ...]
    pointer: Pointer
    unseen: tuple[str, ...] = ()
    measured: Mapping[str, Json] = field(default_factory=dict)
    distance: int = 0


def judge(
    candidates: Sequence[Candidate], *, nothing: str, which: Which = "any", assurance: Assurance = Assurance.RECORDED
) -> Finding:
    """Pass where the asked ones are as asked; wait for a person where what was seen does not decide it.

    Args:
        candidates: In the order in which they happened.
        nothing: The message when there are none.
        which: Whether one of them, each, the first or the last has to be as asked.
        assurance: Of what was seen.
    """
    if not candidates:
        return Finding.failed(nothing, measured={"found": 0})
    asked = {"first": candidates[:1], "last": candidates[-1:]}.get(which, candidates)
    ranked = sorted(asked, key=_badness)
    # Of each the worst decides, of any the best.
    decisive = ranked[-1] if which == "all" else ranked[0]
    verdict = Finding.failed if decisive.faults else Finding.pending if decisive.unseen else Finding.passed
    return verdict(
        _message(decisive, len(asked), which),
        assurance=assurance,
        measured={**decisive.measured, "found": len(candidates), "faults": list(decisive.faults)},
        evidence=(decisive.pointer,),
    )


def _badness(candidate: Candidate) -> tuple[int, int]:
    return len(candidate.faults) + candidate.distance, len(candidate.unseen)


def _message(decisive: Candidate, asked: int, which: Which) -> str:
    said = decisive.said[:1].upper() + decisive.said[1:]
    if decisive.faults:
        nearest = f" (of {asked}, the nearest)" if asked > 1 and which == "any" else ""
        return f"{said}{nearest} {listed(decisive.faults)}."
    if decisive.unseen:
        return f"{said}: {listed(decisive.unseen)} could not be seen, so a person has to judge it."
    return f"{said}, as asked for."


def chosen_fits(
    case: Case, role: str | None, *, everywhere: bool = False
) -> tuple[ModelFact | None, tuple[FitFact, ...], Finding | None]:
    """Find the trainings a criterion asks about.

    Args:
        case: The case.
        role: A role of the rubric.
        everywhere: Whether no role means every training of the notebook, not only those of the network trained last.

    Returns:
        The network (None for all of them), its trainings, and what to say where there is no such network.
    """
    if role is None and everywhere:
        return None, case.evidence.fits, None
    model, _ = case.model(role)
    if model is None:
        return None, (), missing_model(case, role)
    return model, case.evidence.fits_of(model.id), None


def never_trained(model: ModelFact | None) -> str:
    """The message when there is no training to look at."""
    return f"`{model.name}` was never trained." if model is not None else "No network was trained."

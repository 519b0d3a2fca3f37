"""Judge several candidates of which one, or each, must meet a criterion: trainings, compiles, callbacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from grader.checks.support.no_model import missing_model
from grader.facts.case import Case
from grader.facts.language import english
from grader.facts.weights import trainings_of
from grader.schema.base import Assurance, Json, Pointer
from grader.schema.evidence import FitFact, ModelFact
from grader.schema.grade import Finding, Lacks
from grader.schema.message import Message, MessageLike, say, sentences

__all__ = ["Candidate", "Which", "chosen_fits", "judge", "never_trained"]

Which = Literal["any", "all", "first", "last"]
"""Which of several candidates must meet the conditions."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing that may meet the criterion.

    Attributes:
        subject: The observation with its figures: a clause that starts with a capital letter and has no full stop,
            such as "The training in cell 5 used Adam". It can be a noun phrase if `unseen` is given.
        faults: The conditions that it misses, each a complete clause, such as "the optimizer is not Nadam".
        pointer: Where it happened.
        unseen: The facts that evidence lacks, each a noun phrase; the candidate then neither passes nor fails.
        measured: Its figures.
        distance: Added to the number of faults when candidates are ranked.
    """

    subject: MessageLike
    faults: tuple[MessageLike, ...]
    pointer: Pointer
    unseen: tuple[MessageLike, ...] = ()
    measured: Mapping[str, Json] = field(default_factory=dict)
    distance: int = 0


def judge(
    candidates: Sequence[Candidate],
    *,
    nothing: MessageLike,
    which: Which = "any",
    assurance: Assurance = Assurance.RECORDED,
    lacks: Lacks | None = None,
) -> Finding:
    """Pass if the chosen candidates have no fault; leave it to a person if evidence does not decide.

    Args:
        candidates: In the order in which they happened.
        nothing: The message if there are no candidates.
        which: Whether one of them, each, the first or the last must meet the conditions.
        assurance: How far the observations can be trusted.
        lacks: What the notebook lacks if there are no candidates.
    """
    if not candidates:
        return Finding.failed(nothing, measured={"found": 0}, lacks=lacks)
    chosen = {"first": candidates[:1], "last": candidates[-1:]}.get(which, candidates)
    ranked = sorted(chosen, key=_badness)
    # The worst candidate decides about "all", the best one about "any".
    decisive = ranked[-1] if which == "all" else ranked[0]
    verdict = Finding.failed if decisive.faults else Finding.pending if decisive.unseen else Finding.passed
    return verdict(
        _message(decisive, len(chosen), which),
        assurance=assurance,
        measured={
            **decisive.measured,
            "found": len(candidates),
            "faults": [english(fault) for fault in decisive.faults],
        },
        evidence=(decisive.pointer,),
    )


def _badness(candidate: Candidate) -> tuple[int, int]:
    return len(candidate.faults) + candidate.distance, len(candidate.unseen)


def _message(decisive: Candidate, candidates: int, which: Which) -> Message:
    subject = decisive.subject
    if decisive.faults:
        closest = say("This is the closest of {candidates:number}.", candidates=candidates)
        return sentences(
            say("{subject}, but {faults}.", subject=subject, faults=decisive.faults),
            closest if candidates > 1 and which == "any" else None,
        )
    if decisive.unseen:
        return say(
            "{subject}: the grader could not see {unseen}, so a person must judge it.",
            subject=subject,
            unseen=decisive.unseen,
        )
    return say("{subject}, as required.", subject=subject)


def chosen_fits(
    case: Case, role: str | None, *, everywhere: bool = False
) -> tuple[ModelFact | None, tuple[FitFact, ...], Finding | None]:
    """Find the trainings that a criterion is about.

    Args:
        case: The case.
        role: A role of the rubric.
        everywhere: Without a role, choose every training of the notebook, not only those of the last trained model.

    Returns:
        The model (None for all models), its trainings, and the finding if there is no such model.
    """
    if role is None and everywhere:
        return None, case.evidence.fits, None
    model, _ = case.model(role)
    if model is None:
        return None, (), missing_model(case, role)
    return model, trainings_of(case.evidence, model.id), None


def never_trained(case: Case, model: ModelFact | None) -> Message:
    """Make the message for a model, or a notebook, without a training.

    Args:
        case: The case, with the calls of `fit` that raised an error.
        model: The model; None for the whole notebook.
    """
    failed = [fit for fit in case.evidence.failed_fits if model is None or fit.model == model.id]
    never = say("No model was trained") if model is None else say("{model:code} was never trained", model=model.name)
    if not failed:
        return say("{never}.", never=never)
    return say(
        "{never}: {call:code} in {cell:cell} raised {error:code}.",
        never=never,
        call="fit",
        cell=failed[-1].cell,
        error=(failed[-1].error or "").partition(":")[0] or "an error",
    )

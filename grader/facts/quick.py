"""What a quick run cannot know: the one place that decides which verdicts it gives.

A quick run executes every cell but only a few batches of each epoch, of each `evaluate`, and of each `predict`. It sees
what the student wrote: the models, the data, the requested epochs, the callbacks, the figures. It does not see how far
a training gets. Each verdict is computed as always, together with the facts that the check read; a verdict is dropped
if other values of the unknown facts could change it.
"""

from collections.abc import Iterator
from typing import Final

from grader.facts.follow_ups import defines_missing, follow_ups
from grader.schema.evidence import Evidence, GapFact
from grader.schema.grade import CriterionGrade, CriterionStatus, Grade
from grader.schema.message import Message, say
from grader.schema.submission import CellError

__all__ = [
    "ENDED",
    "LIMITED",
    "NOT_JUDGED",
    "OUTCOMES",
    "QUICK",
    "as_quick",
    "error_doubt",
    "hides_in_quick_run",
    "is_quick_doubt",
    "is_unjudged",
    "quick_doubt",
]

OUTCOMES: Final = frozenset({"accuracies", "fits.learning_rates", "fits.step_rates"})
"""Facts that a quick run does not have at all: no verdict may depend on them."""
LIMITED: Final = OUTCOMES | {"fits.history"}
"""Facts that a quick run has only from the first steps: no points may depend on them. Checks that miss something in
them treat the training as one that was cut short, and leave the criterion to a person."""
QUICK: Final = GapFact(what=say("this was a quick run"))
"""The gap that takes the place of the unknown facts."""
NOT_JUDGED: Final = say(
    "Not judged in a quick run, because it depends on how far the training goes. A full run judges it."
)
ENDED: Final = say(
    "Not judged in a quick run: the run ended early, perhaps only because it was a quick one. A full run judges it."
)
_OWN_MISTAKES: Final = frozenset(
    {
        "AttributeError",
        "ImportError",
        "IndentationError",
        "ModuleNotFoundError",
        "NameError",
        "NotImplementedError",
        "SyntaxError",
        "TabError",
        "TypeError",
        "UnboundLocalError",
    }
)
"""Exceptions that depend on no results, unless they are about a name or a value that code sets only for good ones."""


def as_quick(evidence: Evidence) -> Evidence:
    """Mark the evidence of a quick run, and the trainings that it shortened."""
    fits = tuple(
        fit.model_copy(update={"shortened": True}) if fit.status == "stopped_by_budget" else fit
        for fit in evidence.fits
    )
    return evidence.model_copy(update={"quick": True, "fits": fits})


def quick_doubt(evidence: Evidence, status: CriterionStatus, read: frozenset[str]) -> tuple[GapFact, ...]:
    """Decide whether a full run could give another verdict.

    Args:
        evidence: The evidence.
        status: The verdict of a check.
        read: The parts of the evidence that the check read, named as in `grader.facts.gaps`.

    Returns:
        A gap if it could; always empty for a full run.
    """
    if not evidence.quick:
        return ()
    missed = status in {"failed", "partial"}
    if missed and _ended_early(evidence):
        return (QUICK.model_copy(update={"what": ENDED}),)
    unknown = OUTCOMES if status == "failed" else LIMITED
    return () if unknown.isdisjoint(read) else (QUICK.model_copy(update={"what": NOT_JUDGED}),)


def hides_in_quick_run(evidence: Evidence, read: frozenset[str]) -> bool:
    """Whether a quick run leaves out the notes of a diagnostic that read these parts of the evidence."""
    return evidence.quick and not (LIMITED | {"fits.status", "fits.seconds"}).isdisjoint(read)


def is_quick_doubt(gap: GapFact) -> bool:
    """Whether a gap comes from `quick_doubt`."""
    return gap.what in {NOT_JUDGED, ENDED}


def error_doubt(grade: Grade) -> Message | None:
    """Say that the errors of a run may come from its short trainings; None if they do not, or if it was a full run."""
    return ENDED if any(criterion.says == ENDED for criterion in grade.criteria) else None


def is_unjudged(criterion: CriterionGrade) -> bool:
    """Whether a quick run left a criterion to a full run, so that it waits for no person."""
    return criterion.status == "pending" and criterion.says in {NOT_JUDGED, ENDED}


def _ended_early(evidence: Evidence) -> bool:
    """Whether the end of the run, or an error that depends on results, may come from the shortened trainings."""
    if evidence.run.status == "timeout":
        return True
    first = min(_results(evidence), default=None)
    if first is None:
        return False
    follow = follow_ups(evidence)
    for error in evidence.run.errors:
        reason = None if error.cell is None else follow.get(error.cell)
        if reason is not None and reason.root is not None:
            continue
        if error.cell is None or (error.cell >= first and _may_follow(evidence, error)):
            return True
    return False


def _results(evidence: Evidence) -> Iterator[int]:
    """List the cells of shortened trainings and of few images, whose results a full run may give otherwise."""
    yield from (fit.cell for fit in evidence.fits if fit.shortened and fit.cell is not None)
    for facts in (evidence.evaluations, evidence.predictions, evidence.calls):
        yield from (fact.cell for fact in facts if fact.cell is not None)


def _may_follow(evidence: Evidence, error: CellError) -> bool:
    """Whether an error may come from results: a threshold that was not reached can leave a name or a value unset."""
    if error.name not in _OWN_MISTAKES:
        return True
    return "NoneType" in error.message or defines_missing(evidence, error)

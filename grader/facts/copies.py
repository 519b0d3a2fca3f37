"""Trainings on altered copies of test images."""

from collections.abc import Iterable, Iterator

from grader.facts.weights import trainings_behind
from grader.schema.evidence import CopiesFact, Evidence, FitFact
from grader.schema.message import Message, say

__all__ = ["any_copies", "copies_behind", "copies_in", "describe_copies"]


def copies_in(fits: Iterable[FitFact]) -> Iterator[CopiesFact]:
    """Find the altered copies of test images in trainings."""
    for fit in fits:
        if fit.x is not None and fit.x.copies is not None:
            yield fit.x.copies


def any_copies(evidence: Evidence) -> bool:
    """Whether a training used altered copies of test images."""
    return next(copies_in(evidence.fits), None) is not None


def copies_behind(evidence: Evidence, model: str, dataset: str, split: str) -> Iterator[CopiesFact]:
    """Find the altered copies of a split's images in the trainings that produced a model's weights.

    Args:
        evidence: The evidence of one execution.
        model: The model's id.
        dataset: The data set.
        split: Its split.
    """
    if not any_copies(evidence):
        return
    for copies in copies_in(trainings_behind(evidence, model) or evidence.fits_of(model)):
        if (copies.dataset, copies.split) == (dataset, split):
            yield copies


def describe_copies(copies: CopiesFact) -> Message:
    """Describe altered copies as a clause about a training."""
    return say(
        "of {compared:number} unrecognized training images, {copies:number} are altered copies of {dataset:dataset} "
        "{split:split} images",
        compared=copies.compared,
        copies=copies.copies,
        dataset=copies.dataset,
        split=copies.split,
    )

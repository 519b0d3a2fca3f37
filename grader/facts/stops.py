"""Trainings that the grader cut short. A result that only such a training missed is unknown and not a failure."""

import re
from collections.abc import Iterable

from grader.facts.metrics import CURVES, finite, metric_of
from grader.facts.weights import trainings_behind
from grader.schema.evidence import Evidence, FitFact
from grader.schema.message import Message, say, say_count
from grader.schema.submission import CellError

__all__ = ["could_improve", "cut_behind", "cut_trainings", "describe_cut", "follows_from_a_stop", "is_cut"]

_CUT = frozenset({"stopped_by_budget", "interrupted", "unfinished"})
_LENGTHS = re.compile(r"same first dimension|same length|same size|inhomogeneous|shape mismatch|could not be broadcast")
"""Errors of plots and tables with fewer epochs than the code expects."""
_LEAST_EPOCHS = 10
"""Shorter curves do not show whether a training had converged."""
_LITTLE_LOSS = 0.01
"""A smaller relative fall of the loss in the last fifth of the epochs is no improvement."""
_LITTLE_ACCURACY = 0.001
"""A smaller rise of the accuracy in the last fifth of the epochs is no improvement."""


def is_cut(fit: FitFact) -> bool:
    """Whether the grader or the end of the kernel cut a training short: it lacks epochs, or batches in a quick run."""
    if fit.status not in _CUT:
        return False
    return fit.shortened or fit.epochs_asked is None or fit.epochs_done < fit.epochs_asked


def cut_trainings(fits: Iterable[FitFact]) -> tuple[FitFact, ...]:
    """Choose the trainings that were cut short."""
    return tuple(fit for fit in fits if is_cut(fit))


def cut_behind(evidence: Evidence, *models: str) -> FitFact | None:
    """Find the last training that was cut short among those that made the weights of some models.

    Args:
        evidence: The evidence of one execution.
        models: Ids of the models.
    """
    behind = {fit.event: fit for model in models for fit in trainings_behind(evidence, model)}
    cut = cut_trainings(behind[event] for event in sorted(behind))
    return cut[-1] if cut else None


def could_improve(fit: FitFact) -> bool:
    """Whether more epochs might have given a better model: its recorded curve was still improving, or is too short."""
    for metric in sorted(CURVES, key=lambda name: not name.startswith("val_")):
        values = finite(metric_of(fit, metric))
        if values:
            break
    else:
        return True
    if len(values) < _LEAST_EPOCHS:
        return True
    late = len(values) - len(values) // 5
    if metric.endswith("loss"):
        return min(values[late:]) < (1 - _LITTLE_LOSS) * min(values[:late])
    return max(values[late:]) > max(values[:late]) + _LITTLE_ACCURACY


def describe_cut(fit: FitFact) -> Message:
    """Describe where a training was cut short, as a sentence."""
    if fit.kind == "custom_loop" or not fit.epochs_asked:
        if not fit.total_steps:
            return say("The time limit of the grader stopped the training in {cell:cell}.", cell=fit.cell)
        return say_count(
            "The time limit of the grader stopped the training in {cell:cell} after {count:number} step.",
            "The time limit of the grader stopped the training in {cell:cell} after {count:number} steps.",
            fit.total_steps,
            cell=fit.cell,
        )
    return say_count(
        "The time limit of the grader stopped the training in {cell:cell} after {done:number} of {count:number} epoch.",
        "The time limit of the grader stopped the training in {cell:cell} after {done:number} of {count:number} "
        "epochs.",
        fit.epochs_asked,
        cell=fit.cell,
        done=fit.epochs_done,
    )


def follows_from_a_stop(evidence: Evidence, error: CellError) -> FitFact | None:
    """Find the training that was cut short and thereby caused an error, such as a plot over all planned epochs.

    Args:
        evidence: The evidence of one execution.
        error: An exception that ended a cell.
    """
    if error.cell is None or not _LENGTHS.search(error.message):
        return None
    numbers = set(re.findall(r"\d+", error.message))
    for fit in cut_trainings(evidence.fits):
        if fit.cell is None or fit.cell > error.cell:
            continue
        if fit.epochs_asked is None or {str(fit.epochs_asked), str(fit.epochs_done)} <= numbers:
            return fit
    return None

"""The check `learning_rate`."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

from grader.checks.registry import check
from grader.checks.support.params import Params, Range
from grader.checks.support.verdicts import Candidate, Which, chosen_fits, judge, never_trained
from grader.facts.case import Case
from grader.facts.metrics import finite
from grader.facts.wording import decimal, plural
from grader.schema.base import Pointer, spoken_cell
from grader.schema.evidence import FitFact
from grader.schema.grade import Finding

__all__ = ["LearningRateParams", "Shape", "learning_rate", "rates_of", "shape_of"]

Shape = Literal["constant", "decays", "rises", "one_cycle", "varies"]

_SAME = 1e-3
"""Rates closer than this part of the largest one are the same."""
_ODD_STEPS = 0.05
"""Part of the steps that may go the other way: a warm restart is more than that, a rounding is less."""
_INSIDE = 0.05
"""A peak within this part of either end is no peak but a fall or a rise."""
_LOW = 0.5
"""Both ends of a cycle lie below this part of its peak."""
_FEWEST = 2
_FAR = 100
"""Any training that took a step is nearer to what is asked for than one that took none."""
_HARMLESS = frozenset({"EarlyStopping", "ModelCheckpoint", "CSVLogger", "TensorBoard", "TerminateOnNaN", "History"})
"""Callbacks that never change the rate."""


class LearningRateParams(Params):
    """Parameters of `learning_rate`."""

    model: str | None = None
    """A role of this rubric; left out: every training of the notebook."""
    shape: Shape | tuple[Shape, ...] | None = None
    """How the rate changed: `constant`, `decays`, `rises`, `one_cycle` (rises and falls), `varies`, or a list."""
    highest: Range | None = None
    """Bounds of the highest rate that was used."""
    lowest: Range | None = None
    """Bounds of the lowest rate that was used."""
    first: Range | None = None
    """Bounds of the rate of the first step."""
    trainings: Which = "any"
    """Which of the trainings: `any`, `all`, `first` or `last`."""


@check("learning_rate")
def learning_rate(case: Case, params: LearningRateParams) -> Finding:
    """The learning rate that was really used rises, falls or stays as asked for.

    What it does:
        Looks at the rate that the optimizer held when steps and epochs began, whether a schedule, a callback or the
        student's own code set it. A training that the grader's time budget cut off before its rate could fall is left
        to a person.

    Why it matters:
        A schedule that is written and never reaches the optimizer changes nothing.

    Example:
        `{check: learning_rate, with: {shape: one_cycle, highest: {at_least: 0.01}}}`
    """
    model, fits, missing = chosen_fits(case, params.model, everywhere=True)
    if missing is not None:
        return missing
    candidates = [_candidate(fit, params) for fit in fits]
    return judge(candidates, nothing=never_trained(model), which=params.trainings)


def rates_of(fit: FitFact) -> tuple[float, ...]:
    """The rates a training used, step by step where they were read so, else epoch by epoch."""
    steps = finite(fit.step_rates)
    return steps if len(steps) >= _FEWEST else finite(fit.learning_rates)


def shape_of(rates: Sequence[float]) -> Shape | None:
    """How a sequence of rates changes; None for fewer than two.

    Args:
        rates: In the order in which they were used.
    """
    if len(rates) < _FEWEST:
        return None
    high, low = max(rates), min(rates)
    if high - low <= _SAME * abs(high):
        return "constant"
    peak = max(range(len(rates)), key=rates.__getitem__)
    rising = _steps_against(rates[: peak + 1], high, sign=1)
    falling = _steps_against(rates[peak:], high, sign=-1)
    if rising + falling > _ODD_STEPS * len(rates):
        return "varies"
    edge = _INSIDE * (len(rates) - 1)
    if peak <= edge and rates[0] >= _LOW * high:
        return "decays"
    if len(rates) - 1 - peak <= edge and rates[-1] >= _LOW * high:
        return "rises"
    return "one_cycle" if rates[0] <= _LOW * high and rates[-1] <= _LOW * high else "varies"


def _steps_against(rates: Sequence[float], high: float, *, sign: int) -> int:
    return sum(sign * (after - before) < -_SAME * high for before, after in pairwise(rates))


def _candidate(fit: FitFact, params: LearningRateParams) -> Candidate:
    rates = rates_of(fit)
    if not rates and fit.status == "error" and not fit.epochs_done and (fit.total_steps or 0) <= 1:
        said = f"the training in {spoken_cell(fit.cell)} raised an error"
        pointer = Pointer(cell=fit.cell, event=fit.event)
        return Candidate(said, ("in its first step",), pointer, measured={"shape": None}, distance=_FAR)
    shape = shape_of(rates)
    if shape is None and rates and fit.kind == "fit" and all(c.cls in _HARMLESS for c in fit.callbacks):
        # Rates are read at every step wherever a schedule or a callback might change them by step.
        shape = "constant"
    shapes = (params.shape,) if isinstance(params.shape, str) else params.shape or ()
    cut = fit.status == "stopped_by_budget" and "one_cycle" in shapes and shape == "rises"
    said = f"the learning rate of the training in {spoken_cell(fit.cell)} {_described(rates, shape)}"
    unseen = []
    if not rates:
        unseen.append("which rates it used")
    elif cut:
        said += f", until the grader's time budget ended it after {plural(fit.epochs_done, 'epoch')}"
        unseen.append("how it would have gone on")
    elif shape is None and shapes:
        unseen.append("how it changes over a single epoch")
    return Candidate(
        subject=said,
        faults=() if unseen else tuple(_faults(rates, shape, shapes, params)),
        pointer=Pointer(cell=fit.cell, event=fit.event),
        unseen=tuple(unseen),
        measured={"shape": shape, **({"highest": max(rates), "first": rates[0], "last": rates[-1]} if rates else {})},
    )


def _described(rates: Sequence[float], shape: Shape | None) -> str:
    if not rates:
        return "is not known"
    first, last, high = decimal(rates[0]), decimal(rates[-1]), decimal(max(rates))
    if shape == "one_cycle":
        return f"rose from {first} to {high} and fell to {last}"
    words = {"constant": "stayed at", "decays": "fell", "rises": "rose", "varies": "varied"}
    if shape is None or shape == "constant":
        return f"{'was' if shape is None else words[shape]} {first}"
    return f"{words[shape]} from {first} to {last}" + (f" with a highest of {high}" if shape == "varies" else "")


def _faults(
    rates: Sequence[float], shape: Shape | None, shapes: Sequence[Shape], params: LearningRateParams
) -> Iterator[str]:
    if shapes and shape not in shapes:
        words = {"one_cycle": "did not rise and then fall", "decays": "did not fall", "rises": "did not rise"}
        yield f"and {words.get(shapes[0], f'is not {shapes[0]}')}"
    for name, bounds, value in (
        ("highest", params.highest, max(rates)),
        ("lowest", params.lowest, min(rates)),
        ("first", params.first, rates[0]),
    ):
        if bounds is not None and not bounds.holds(value):
            yield f"whose {name} rate is {decimal(value)} and not {bounds}"

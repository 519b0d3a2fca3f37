"""The check `learning_rate`."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, Literal, get_args

from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.params import Params, Range
from grader.checks.support.verdicts import Candidate, Which, chosen_fits, judge, never_trained
from grader.facts.case import Case
from grader.facts.metrics import finite
from grader.facts.optimizers import SCHEDULES
from grader.facts.stops import is_cut
from grader.schema.base import Pointer
from grader.schema.evidence import FitFact
from grader.schema.grade import Finding, MeasureLabel
from grader.schema.message import Message, say, say_count

__all__ = ["LearningRateParams", "Shape", "learning_rate", "rate_at_start", "rates_of", "shape_of"]

Shape = Literal["constant", "decays", "rises", "one_cycle", "varies"]

_SAME = 1e-3
"""Rates count as equal within this fraction of the largest rate."""
_ODD_STEPS = 0.05
"""The fraction of steps that may change in the other direction: rounding stays below it, a warm restart does not."""
_INSIDE = 0.05
"""A peak within this fraction of either end makes the shape a fall or a rise."""
_LOW = 0.5
"""Both ends of a cycle are at most this fraction of its peak."""
_FEWEST = 2
_FAR = 100
"""Ranks a training without a step below every training with one."""
_HARMLESS = frozenset({"EarlyStopping", "ModelCheckpoint", "CSVLogger", "TensorBoard", "TerminateOnNaN", "History"})
"""Callbacks that never change the rate."""
_LATER: Mapping[Shape, frozenset[Shape]] = {
    "constant": frozenset[Shape](get_args(Shape)) - {"constant"},
    "decays": frozenset({"varies"}),
    "rises": frozenset({"decays", "one_cycle", "varies"}),
    "one_cycle": frozenset({"varies"}),
    "varies": frozenset({"decays", "rises", "one_cycle"}),
}
"""The shapes that the course of a training that was cut short could still have become."""


class LearningRateParams(Params):
    """Parameters of `learning_rate`."""

    model: str | None = None
    """A role of this rubric; the default is every training of the notebook."""
    shape: Shape | tuple[Shape, ...] | None = None
    """How the rate changed: `constant`, `decays`, `rises`, `one_cycle` (rises and falls), `varies`, or a list."""
    highest: Range | None = None
    """Bounds of the highest rate."""
    lowest: Range | None = None
    """Bounds of the lowest rate."""
    first: Range | None = None
    """Bounds of the rate of the first step."""
    trainings: Which = "any"
    """Which trainings must match: `any`, `all`, `first` or `last`."""


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "highest": measure(say("Highest learning rate"), "number"),
    "first": measure(say("First learning rate"), "number"),
    "last": measure(say("Last learning rate"), "number"),
    "found": measure(say("Trainings"), "number"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("learning_rate", measures=_MEASURES)
def learning_rate(case: Case, params: LearningRateParams) -> Finding:
    """The learning rate of a training changes in the required way.

    What it does:
        Looks at the optimizer's rate at the start of each step and epoch, whether a schedule, a callback or the
        student's code set it. Trainings with a constant rate each, without a `compile` between them, count as one
        training, too. If the grader's time budget ends a training before its rate could change as required, a person
        must judge it.

    Why it matters:
        A schedule that is written but never reaches the optimizer changes nothing.

    Example:
        `{check: learning_rate, with: {shape: one_cycle, highest: {at_least: 0.01}}}`
    """
    model, fits, missing = chosen_fits(case, params.model, everywhere=True)
    if missing is not None:
        return missing
    chosen = [*fits, *_joined(fits)] if params.trainings == "any" else fits
    candidates = [_candidate(fit, params) for fit in chosen]
    return judge(candidates, nothing=never_trained(case, model), which=params.trainings, lacks="training")


def _joined(fits: Sequence[FitFact]) -> Iterator[FitFact]:
    """Join the trainings of a model after one `compile`, if the notebook set the rate between them, and only there."""
    together: dict[tuple[str, int], list[FitFact]] = {}
    for fit in fits:
        if fit.compiled is not None and rates_of(fit):
            together.setdefault((fit.model, fit.compiled), []).append(fit)
    for parts in together.values():
        if len(parts) > 1 and all(shape_of(rates_of(fit)) in {None, "constant"} for fit in parts):
            rates = tuple(rate for fit in parts for rate in rates_of(fit))
            callbacks = tuple(callback for fit in parts for callback in fit.callbacks)
            joined = {"learning_rates": rates, "step_rates": (), "callbacks": callbacks}
            yield parts[-1].model_copy(update=joined)


def rates_of(fit: FitFact) -> tuple[float, ...]:
    """List the rates of a training: per step if they were recorded per step, else per epoch."""
    steps = finite(fit.step_rates)
    return steps if len(steps) >= _FEWEST else finite(fit.learning_rates)


def shape_of(rates: Sequence[float]) -> Shape | None:
    """Classify how a sequence of rates changes; None for fewer than two rates.

    Args:
        rates: In order of use.
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
    pointer = Pointer(cell=fit.cell, event=fit.event)
    if not rates and fit.status == "error" and not fit.epochs_done and (fit.total_steps or 0) <= 1:
        subject = say("The training in {cell:cell} started", cell=fit.cell)
        fault = say("it raised an error in its first step")
        return Candidate(subject, (fault,), pointer, measured={"shape": None}, distance=_FAR)
    shape = shape_of(rates)
    if shape is None and rates and fit.kind == "fit" and _without_callbacks(fit):
        # Rates are read at every step if a schedule or a callback can change them within an epoch.
        shape = "constant"
    shapes = (params.shape,) if isinstance(params.shape, str) else params.shape or ()
    subject = _described(fit.cell, rates, shape) if rates else say("The training in {cell:cell}", cell=fit.cell)
    faults: list[Message] = []
    unseen: list[Message] = []
    if not rates:
        unseen.append(say("its learning rates"))
    elif shape is None and shapes:
        unseen.append(say("how the rate changes within a single epoch"))
    else:
        might = is_cut(fit) and not _is_fixed(fit)
        faults = [*_faults(rates, shape, shapes, params, final=not might)]
        if might and not faults and _is_open(rates, shape, shapes, params):
            subject = _cut_course(subject, fit)
            unseen.append(say("how the rate would have continued"))
    return Candidate(
        subject=subject,
        faults=tuple(faults),
        pointer=pointer,
        unseen=tuple(unseen),
        measured={"shape": shape, **({"highest": max(rates), "first": rates[0], "last": rates[-1]} if rates else {})},
    )


def _without_callbacks(fit: FitFact) -> bool:
    """Whether no callback of a training can change the rate."""
    return all(callback.cls in _HARMLESS for callback in fit.callbacks)


def _is_fixed(fit: FitFact) -> bool:
    """Whether neither a schedule nor a callback can change the rate during a training."""
    fixed = fit.kind == "fit" and not fit.step_rates and _without_callbacks(fit)
    return fixed and shape_of(rates_of(fit)) in {None, "constant"}


def rate_at_start(fit: FitFact) -> float | None:
    """Return the rate of a `fit` in its first epoch; None if a callback or schedule may have changed it in the epoch.

    It is another one than the compiled rate if code after `compile` or a callback before the first epoch set it.
    """
    rates = finite(fit.learning_rates)
    if fit.kind != "fit" or fit.step_rates or not rates:
        return None
    between_epochs = all(callback.cls in _HARMLESS.union(SCHEDULES) for callback in fit.callbacks)
    return rates[0] if between_epochs or shape_of(rates) == "constant" else None


def _cut_course(course: Message, fit: FitFact) -> Message:
    if fit.status != "stopped_by_budget":
        return course
    return say_count(
        "{course}, until the grader's time budget ended the training after {count:number} epoch",
        "{course}, until the grader's time budget ended the training after {count:number} epochs",
        fit.epochs_done,
        course=course,
    )


def _is_open(rates: Sequence[float], shape: Shape | None, shapes: Sequence[Shape], params: LearningRateParams) -> bool:
    """Whether more steps might decide about a training that was cut short."""
    if shapes and (shape == "constant" or shape not in shapes):
        return True
    return any(True for _ in _faults(rates, shape, shapes, params, final=True))


def _described(cell: int | None, rates: Sequence[float], shape: Shape | None) -> Message:
    if shape is None:
        return say("The learning rate of the training in {cell:cell} was {rate:number}", cell=cell, rate=rates[0])
    if shape == "constant":
        return say("The learning rate of the training in {cell:cell} stayed at {rate:number}", cell=cell, rate=rates[0])
    first, last, highest = rates[0], rates[-1], max(rates)
    if shape == "one_cycle":
        return say(
            "The learning rate of the training in {cell:cell} rose from {first:number} to {highest:number} "
            "and fell to {last:number}",
            cell=cell,
            first=first,
            highest=highest,
            last=last,
        )
    if shape == "varies":
        return say(
            "The learning rate of the training in {cell:cell} varied from {first:number} to {last:number} "
            "with a maximum of {highest:number}",
            cell=cell,
            first=first,
            last=last,
            highest=highest,
        )
    if shape == "rises":
        return say(
            "The learning rate of the training in {cell:cell} rose from {first:number} to {last:number}",
            cell=cell,
            first=first,
            last=last,
        )
    return say(
        "The learning rate of the training in {cell:cell} fell from {first:number} to {last:number}",
        cell=cell,
        first=first,
        last=last,
    )


_REQUIRED: Mapping[Shape, Message] = {
    "constant": say("it must stay constant"),
    "decays": say("it must fall"),
    "rises": say("it must rise"),
    "one_cycle": say("it must rise and then fall"),
    "varies": say("it must vary"),
}


def _faults(
    rates: Sequence[float], shape: Shape | None, shapes: Sequence[Shape], params: LearningRateParams, *, final: bool
) -> Iterator[Message]:
    """List the faults of a course; if it is not final, only those that later steps cannot undo."""
    could_become = frozenset[Shape]() if final or shape is None else _LATER[shape]
    if shapes and shape not in shapes and could_become.isdisjoint(shapes):
        yield _REQUIRED[shapes[0]]
    high, low, first = max(rates), min(rates), rates[0]
    highest, lowest = params.highest, params.lowest
    if highest is not None and not highest.holds(high) and (final or _is_above(high, highest)):
        yield say("its highest value is {rate:number}, not {range}", rate=high, range=highest.said)
    if lowest is not None and not lowest.holds(low) and (final or not _is_above(low, lowest)):
        yield say("its lowest value is {rate:number}, not {range}", rate=low, range=lowest.said)
    if params.first is not None and not params.first.holds(first):
        yield say("its first value is {rate:number}, not {range}", rate=first, range=params.first.said)


def _is_above(rate: float, bounds: Range) -> bool:
    return bounds.at_most is not None and rate > bounds.at_most

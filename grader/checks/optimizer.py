"""The check `optimizer`."""

from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import Field

from grader.checks.learning_rate import rate_at_start, rates_of
from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.params import Range, WithModel
from grader.checks.support.verdicts import Candidate, Which, chosen_fits, judge, never_trained
from grader.facts.case import Case
from grader.facts.keras_names import OptimizerName, bare_name
from grader.facts.optimizers import ADAPTIVE, CLIPPING
from grader.schema.base import Json, Pointer
from grader.schema.evidence import FitFact, OptimizerFact
from grader.schema.grade import Finding, MeasureLabel
from grader.schema.message import Message, say

__all__ = ["ADAPTIVE", "OptimizerParams", "initial_rate", "optimizer"]

"""Optimizers that adapt the step size of each weight."""


class OptimizerParams(WithModel):
    """Parameters of `optimizer`."""

    cls: OptimizerName | tuple[OptimizerName, ...] | None = None
    """A class of Keras such as `Nadam`, `custom:Name` for another class, `adaptive` for any adaptive optimizer, or a
    list of which any one is enough."""
    learning_rate: Range | None = None
    """Bounds of the learning rate; for a schedule, of its initial rate after a warm-up."""
    momentum: Range | None = None
    """Bounds of the momentum."""
    nesterov: bool | None = None
    """Whether it must use Nesterov momentum."""
    clipping: bool | None = None
    """Whether it must clip gradients, by norm or by value."""
    clipnorm: Range | None = None
    """Bounds of the norm to which gradients are clipped (`clipnorm` or `global_clipnorm`)."""
    clipvalue: Range | None = None
    """Bounds of the value to which gradients are clipped."""
    config: Mapping[str, Json] = Field(default_factory=dict)
    """Any other settings, compared for equality."""
    trainings: Which = "any"
    """Which of the model's trainings: `any`, `all`, `first` or `last`."""


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "optimizer": measure(say("Optimizer"), "code"),
    "learning_rate": measure(say("First learning rate"), "number"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("optimizer", measures=_MEASURES)
def optimizer(case: Case, params: OptimizerParams) -> Finding:
    """The model is trained with the required optimizer and settings.

    What it does:
        Looks at the optimizer that was compiled when each training started, or that a custom training loop used to
        apply gradients. It compares the class and the configuration, so that `"nadam"` and `Nadam()` are the same. A
        learning rate that was set between `compile` and the first epoch counts instead of the compiled one. Of a
        schedule that warms up, and of one that the student wrote, the highest rate counts. A
        wrapper such as mixed precision's `LossScaleOptimizer` counts as the optimizer in it. If a loop updates the
        weights without an optimizer, or the optimizer is the student's own class or one of TensorFlow 1, a person must
        judge it.

    Why it matters:
        The optimizer and the learning rate decide whether a model learns at all, and how fast.

    Example:
        `{check: optimizer, with: {model: plain, cls: Nadam, learning_rate: {at_most: 0.001}}}`
    """
    model, fits, missing = chosen_fits(case, params.model)
    if missing is not None:
        return missing
    candidates = [_candidate(case, fit, params) for fit in fits]
    return judge(candidates, nothing=never_trained(case, model), which=params.trainings, lacks="training")


def _candidate(case: Case, fit: FitFact, params: OptimizerParams) -> Candidate:
    compiled = case.evidence.compile_of(fit)
    pointer = Pointer(cell=fit.cell, event=fit.event)
    used = fit.optimizer or (compiled.optimizer if compiled is not None else None)
    if used is None:
        subject = say("The training in {cell:cell} did not use a compiled optimizer", cell=fit.cell)
        return Candidate(subject, (), pointer, unseen=(say("which optimizer it used"),))
    used = _at_start(used, fit)
    unseen = []
    if params.cls is not None and not _is_known(used.cls):
        unseen.append(say("which method its own optimizer class uses"))
    if params.learning_rate is not None and initial_rate(used) is None:
        unseen.append(say("its initial learning rate"))
    return Candidate(
        subject=say("The training in {cell:cell} used {optimizer}", cell=fit.cell, optimizer=_described(used)),
        faults=tuple(_faults(used, params)),
        pointer=pointer,
        unseen=tuple(unseen),
        measured={"optimizer": used.cls, "learning_rate": initial_rate(used)},
    )


def _at_start(used: OptimizerFact, fit: FitFact) -> OptimizerFact:
    """Give an optimizer the rate with which the training started, if the compiled rate is another one or unknown."""
    if initial_rate(used) is None:
        rate = max(rates_of(fit), default=None) if fit.kind == "fit" else None
    else:
        rate = None if used.learning_rate is None or used.config.get("decay") else rate_at_start(fit)
    return used if rate is None else used.model_copy(update={"learning_rate": rate})


def _described(used: OptimizerFact) -> Message:
    rate = initial_rate(used)
    settings = [] if rate is None else [say("a learning rate of {rate:number}", rate=rate)]
    settings += [
        say("{setting:raw} {value:number}", setting=name, value=_number(used, name))
        for name in ("momentum", *CLIPPING)
        if _number(used, name)
    ]
    if used.config.get("nesterov"):
        settings.append(say("Nesterov momentum"))
    if not settings:
        return say("{optimizer:raw}", optimizer=used.cls)
    return say("{optimizer:raw} with {settings}", optimizer=used.cls, settings=settings)


def _faults(used: OptimizerFact, params: OptimizerParams) -> Iterator[Message]:
    if params.cls is not None and _is_known(used.cls) and not _is_a(used.cls, params.cls):
        names = (params.cls,) if isinstance(params.cls, str) else params.cls
        yield say("the optimizer must be {optimizers:or}", optimizers=[_wanted(name) for name in names])
    if params.learning_rate is not None:
        rate = initial_rate(used)
        if rate is not None and not params.learning_rate.holds(rate):
            yield say("the learning rate must be {range}", range=params.learning_rate.said)
    momentum = _number(used, "momentum")
    if params.momentum is not None and not params.momentum.holds(momentum):
        yield say("its momentum is {momentum:number}, not {range}", momentum=momentum, range=params.momentum.said)
    if params.nesterov is not None and bool(used.config.get("nesterov")) != params.nesterov:
        if params.nesterov:
            yield say("it does not use Nesterov momentum")
        else:
            yield say("it must not use Nesterov momentum")
    yield from _clip_faults(used, params)
    for name, wanted in params.config.items():
        if used.config.get(name) != wanted:
            value = used.config.get(name)
            yield say(
                "its {setting:code} is {value:code}, not {wanted:code}",
                setting=name,
                value=repr(value),
                wanted=repr(wanted),
            )


def _wanted(name: str) -> Message:
    return say("an adaptive one") if name == "adaptive" else say("{optimizer:raw}", optimizer=bare_name(name))


def _clip_faults(used: OptimizerFact, params: OptimizerParams) -> Iterator[Message]:
    clips = any(_number(used, name) for name in CLIPPING)
    if params.clipping is not None and clips != params.clipping:
        if params.clipping:
            yield say("it does not clip gradients")
        else:
            yield say("it must not clip gradients")
    norm = _number(used, "clipnorm") or _number(used, "global_clipnorm")
    if params.clipnorm is not None and not (norm and params.clipnorm.holds(norm)):
        if norm:
            yield say("its clip norm is {norm:number}, not {range}", norm=norm, range=params.clipnorm.said)
        else:
            yield say("it does not clip gradients by norm")
    value = _number(used, "clipvalue")
    if params.clipvalue is not None and not (value and params.clipvalue.holds(value)):
        if value:
            yield say("its clip value is {value:number}, not {range}", value=value, range=params.clipvalue.said)
        else:
            yield say("it does not clip gradients by value")


def _number(used: OptimizerFact, name: str) -> float:
    value = used.config.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0


def initial_rate(used: OptimizerFact) -> float | None:
    """Return the initial learning rate, also of a schedule, after its warm-up; None if it is unknown."""
    if used.learning_rate is not None:
        return used.learning_rate
    schedule = used.config.get("learning_rate")
    settings = schedule.get("config") if isinstance(schedule, Mapping) else None
    if not isinstance(settings, Mapping):
        return None
    values = settings.get("values")
    first = values[0] if isinstance(values, (list, tuple)) and values else settings.get("initial_learning_rate")
    first = settings.get("warmup_target") or first
    return float(first) if isinstance(first, (int, float)) else None


def _is_known(cls: str) -> bool:
    """Whether a class is one of Keras's methods: not a student's class, nor one of TensorFlow 1."""
    return not cls.lower().rstrip("v0123456789").endswith("optimizer")


def _is_a(cls: str, wanted: str | tuple[str, ...]) -> bool:
    names = (wanted,) if isinstance(wanted, str) else wanted
    return any(cls.lower() in ADAPTIVE if n == "adaptive" else cls.lower() == bare_name(n).lower() for n in names)

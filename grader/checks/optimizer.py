"""The check `optimizer`."""

from collections.abc import Iterator, Mapping

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.params import Range, WithModel
from grader.checks.support.verdicts import Candidate, Which, chosen_fits, judge, never_trained
from grader.facts.case import Case
from grader.facts.wording import decimal, listed
from grader.schema.base import Json, Pointer, spoken_cell
from grader.schema.evidence import FitFact, OptimizerFact
from grader.schema.grade import Finding

__all__ = ["ADAPTIVE", "OptimizerParams", "initial_rate", "optimizer"]

ADAPTIVE = frozenset({"adam", "adamw", "nadam", "adamax", "rmsprop", "adagrad", "adadelta", "ftrl", "lion"})
"""Optimizers that give each weight a step size of its own."""
_CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")


class OptimizerParams(WithModel):
    """Parameters of `optimizer`."""

    cls: str | tuple[str, ...] | None = None
    """Class name such as `Nadam`, `adaptive` for any that adapts its steps, or a list of which any will do."""
    learning_rate: Range | None = None
    """Bounds of the rate it was compiled with; of a schedule its initial rate."""
    momentum: Range | None = None
    """Bounds of its momentum."""
    nesterov: bool | None = None
    """Whether it uses Nesterov's momentum."""
    clipping: bool | None = None
    """Whether it clips gradients, by norm or by value."""
    clipnorm: Range | None = None
    """Bounds of the norm (`clipnorm` or `global_clipnorm`) that gradients are clipped to."""
    clipvalue: Range | None = None
    """Bounds of the value that gradients are clipped to."""
    config: Mapping[str, Json] = Field(default_factory=dict)
    """Any other settings, compared for equality."""
    trainings: Which = "any"
    """Which of the network's trainings: `any`, `all`, `first` or `last`."""


@check("optimizer")
def optimizer(case: Case, params: OptimizerParams) -> Finding:
    """The network is trained with an optimizer of a kind and with given settings.

    What it does:
        Looks at the optimizer that was compiled when each training began, or that a loop of the student's own applied
        its gradients with, by its class and its own configuration, so that `"nadam"` and `Nadam()` are the same. Where
        a loop subtracts gradients by itself, there is none, and a person has to judge it.

    Why it matters:
        Optimizer and rate decide whether a network learns at all, and how fast.

    Example:
        `{check: optimizer, with: {model: plain, cls: Nadam, learning_rate: {at_most: 0.001}}}`
    """
    model, fits, missing = chosen_fits(case, params.model)
    if missing is not None:
        return missing
    candidates = [_candidate(case, fit, params) for fit in fits]
    return judge(candidates, nothing=never_trained(model), which=params.trainings)


def _candidate(case: Case, fit: FitFact, params: OptimizerParams) -> Candidate:
    compiled = case.evidence.compile_of(fit)
    pointer = Pointer(cell=fit.cell, event=fit.event)
    used = fit.optimizer or (compiled.optimizer if compiled is not None else None)
    if used is None:
        said = f"the training in {spoken_cell(fit.cell)} did not use a compiled optimizer"
        return Candidate(said, (), pointer, unseen=("which one it used",))
    return Candidate(
        subject=f"the training in {spoken_cell(fit.cell)} used {_described(used)}",
        faults=tuple(_faults(used, params)),
        pointer=pointer,
        measured={"optimizer": used.cls, "learning_rate": initial_rate(used)},
    )


def _described(used: OptimizerFact) -> str:
    rate = initial_rate(used)
    words = [] if rate is None else [f"a learning rate of {decimal(rate)}"]
    words += [f"{name} {used.config[name]:g}" for name in ("momentum", *_CLIPS) if _number(used, name)]
    if used.config.get("nesterov"):
        words.append("Nesterov's momentum")
    return f"{used.cls}{f' with {listed(words)}' if words else ''}"


def _faults(used: OptimizerFact, params: OptimizerParams) -> Iterator[str]:
    if params.cls is not None and not _is_a(used.cls, params.cls):
        names = (params.cls,) if isinstance(params.cls, str) else params.cls
        yield f"and not {listed((('an adaptive one' if n == 'adaptive' else n) for n in names), 'or')}"
    if params.learning_rate is not None:
        rate = initial_rate(used)
        if rate is None or not params.learning_rate.holds(rate):
            yield f"whose rate is {'unknown' if rate is None else decimal(rate)} and not {params.learning_rate}"
    if params.momentum is not None and not params.momentum.holds(_number(used, "momentum")):
        yield f"whose momentum is {_number(used, 'momentum'):g} and not {params.momentum}"
    if params.nesterov is not None and bool(used.config.get("nesterov")) != params.nesterov:
        yield f"{'without' if params.nesterov else 'with'} Nesterov's momentum"
    yield from _clip_faults(used, params)
    for name, wanted in params.config.items():
        if used.config.get(name) != wanted:
            yield f"whose {name} is {used.config.get(name)!r} and not {wanted!r}"


def _clip_faults(used: OptimizerFact, params: OptimizerParams) -> Iterator[str]:
    clips = any(_number(used, name) for name in _CLIPS)
    if params.clipping is not None and clips != params.clipping:
        yield "which clips no gradients" if params.clipping else "which clips gradients"
    norm = _number(used, "clipnorm") or _number(used, "global_clipnorm")
    for name, bounds, value in (
        ("norm", params.clipnorm, norm),
        ("value", params.clipvalue, _number(used, "clipvalue")),
    ):
        if bounds is not None and not (value and bounds.holds(value)):
            yield f"which does not clip gradients by {name}" if not value else f"whose clip {name} is {value:g}"


def _number(used: OptimizerFact, name: str) -> float:
    value = used.config.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0


def initial_rate(used: OptimizerFact) -> float | None:
    """The rate an optimizer begins with: its own, or its schedule's first; None where it cannot be told."""
    if used.learning_rate is not None:
        return used.learning_rate
    schedule = used.config.get("learning_rate")
    settings = schedule.get("config") if isinstance(schedule, Mapping) else None
    first = settings.get("initial_learning_rate") if isinstance(settings, Mapping) else None
    return float(first) if isinstance(first, (int, float)) else None


def _is_a(cls: str, wanted: str | tuple[str, ...]) -> bool:
    names = (wanted,) if isinstance(wanted, str) else wanted
    return any(cls.lower() in ADAPTIVE if n == "adaptive" else cls.lower() == n.lower() for n in names)

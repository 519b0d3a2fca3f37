"""The check `callback`."""

from collections.abc import Iterator, Mapping

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.params import Range, WithModel
from grader.checks.support.verdicts import Candidate, Which, chosen_fits, judge, never_trained
from grader.facts.case import Case
from grader.facts.metrics import canonical_metric
from grader.facts.wording import listed
from grader.schema.base import Json, Pointer, spoken_cell
from grader.schema.evidence import CallbackFact, FitFact
from grader.schema.grade import Finding

__all__ = ["CallbackParams", "callback"]

_FAR = 100
"""Any callback of the kind is nearer to what is asked for than none."""
_SHOWN = ("monitor", "patience", "restore_best_weights", "save_best_only", "factor")


class CallbackParams(WithModel):
    """Parameters of `callback`."""

    cls: str | tuple[str, ...]
    """Class name such as `EarlyStopping`, or a list of which any will do; `Callback` for one of the student's own."""
    monitor: str | tuple[str, ...] | None = None
    """What it watches, such as `val_loss`."""
    patience: Range | None = None
    """Bounds of its patience, in epochs."""
    restore_best_weights: bool | None = None
    """Whether it brings back the best epoch's weights."""
    save_best_only: bool | None = None
    """Whether it saves only when the network got better."""
    factor: Range | None = None
    """Bounds of the factor that it reduces the learning rate by."""
    config: Mapping[str, Json] = Field(default_factory=dict)
    """Any other plain settings, compared for equality."""
    trainings: Which = "any"
    """Which of the network's trainings: `any`, `all`, `first` or `last`."""


@check("callback")
def callback(case: Case, params: CallbackParams) -> Finding:
    """A training was given a callback of a kind, with given settings.

    What it does:
        Looks at the callbacks that each training was really given, and at their settings; one that was made and never
        given to `fit` does not count.

    Why it matters:
        Early stopping, checkpoints and schedules save the best network instead of the last one.

    Example:
        `{check: callback, with: {model: plain, cls: EarlyStopping, restore_best_weights: true}}`
    """
    model, fits, missing = chosen_fits(case, params.model, everywhere=True)
    if missing is not None:
        return missing
    candidates = [_best(fit, params) for fit in fits]
    return judge(candidates, nothing=never_trained(model), which=params.trainings)


def _best(fit: FitFact, params: CallbackParams) -> Candidate:
    """The training's callback that comes nearest."""
    names = (params.cls,) if isinstance(params.cls, str) else params.cls
    pointer = Pointer(cell=fit.cell, event=fit.event)
    where = f"the training in {spoken_cell(fit.cell)}"
    of_kind = [given for given in fit.callbacks if given.cls in names or given.custom in names]
    if not of_kind:
        others = listed(dict.fromkeys(given.custom or given.cls for given in fit.callbacks)) or "none at all"
        said = f"{where} had no {listed(names, 'or')} among its callbacks"
        return Candidate(said, (f"({others})",), pointer, distance=_FAR)
    ranked = sorted(of_kind, key=lambda given: len(list(_faults(given, params))))
    nearest = ranked[0]
    return Candidate(
        subject=f"{where} had {_described(nearest)}",
        faults=tuple(_faults(nearest, params)),
        pointer=pointer,
        measured={"callback": nearest.custom or nearest.cls, "config": dict(nearest.config)},
    )


def _described(given: CallbackFact) -> str:
    settings = [f"{name}={given.config[name]!r}" for name in _SHOWN if given.config.get(name) is not None]
    said = f" ({', '.join(settings)})" if settings else ""
    return f"{given.custom or given.cls}{said}"


def _faults(given: CallbackFact, params: CallbackParams) -> Iterator[str]:
    monitors = (params.monitor,) if isinstance(params.monitor, str) else params.monitor
    watched = canonical_metric(str(given.config.get("monitor")))
    if monitors is not None and watched not in map(canonical_metric, monitors):
        yield f"which does not watch {listed(monitors, 'or')}"
    for name, bounds in (("patience", params.patience), ("factor", params.factor)):
        value = given.config.get(name)
        if bounds is not None and not (isinstance(value, (int, float)) and bounds.holds(value)):
            yield f"whose {name} is not {bounds}"
    flags = {"restore_best_weights": params.restore_best_weights, "save_best_only": params.save_best_only}
    asked = {name: flag for name, flag in flags.items() if flag is not None}
    for name, wanted in {**asked, **params.config}.items():
        if given.config.get(name) != wanted:
            yield f"whose {name} is {given.config.get(name)!r} and not {wanted!r}"

"""The check `callback`."""

from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.params import Range, WithModel
from grader.checks.support.verdicts import Candidate, Which, chosen_fits, judge, never_trained
from grader.facts.case import Case
from grader.facts.keras_names import CallbackName, MetricName, bare_name
from grader.facts.metrics import canonical_metric
from grader.schema.base import Json, Pointer
from grader.schema.evidence import CallbackFact, FitFact
from grader.schema.grade import Finding, MeasureLabel
from grader.schema.message import Message, say, say_count

__all__ = ["CallbackParams", "callback"]

_FAR = 100
"""Ranks a training without such a callback below every training with one."""
_SHOWN = ("monitor", "patience", "restore_best_weights", "save_best_only", "factor")


class CallbackParams(WithModel):
    """Parameters of `callback`."""

    cls: CallbackName | tuple[CallbackName, ...]
    """Class name such as `EarlyStopping`, or a list of accepted names; `Callback` for a class the student wrote. A
    name that is almost that of a Keras class is an error, unless it is written as `custom:Name`."""
    monitor: MetricName | tuple[MetricName, ...] | None = None
    """The metric that it monitors, such as `val_loss`, or a list of accepted ones. A name that is almost that of a
    Keras metric is an error, unless it is written as `custom:name`."""
    patience: Range | None = None
    """Bounds of its patience, in epochs."""
    restore_best_weights: bool | None = None
    """Whether it restores the weights of the best epoch."""
    save_best_only: bool | None = None
    """Whether it saves only when the model has improved."""
    factor: Range | None = None
    """Bounds of the factor by which it reduces the learning rate."""
    config: Mapping[str, Json] = Field(default_factory=dict)
    """Other plain settings, compared for equality."""
    trainings: Which = "any"
    """Which trainings of the model must match: `any`, `all`, `first` or `last`."""


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "callback": measure(say("Callback"), "code"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("callback", measures=_MEASURES)
def callback(case: Case, params: CallbackParams) -> Finding:
    """A training used a callback of a given class, with given settings.

    What it does:
        Looks at the callbacks that each training received, and at their settings. A callback that was created but not
        passed to `fit` does not count.

    Why it matters:
        Early stopping, checkpoints and schedules keep the best model instead of the last one.

    Example:
        `{check: callback, with: {model: plain, cls: EarlyStopping, restore_best_weights: true}}`
    """
    model, fits, missing = chosen_fits(case, params.model, everywhere=True)
    if missing is not None:
        return missing
    candidates = [_best(fit, params) for fit in fits]
    return judge(candidates, nothing=never_trained(case, model), which=params.trainings, lacks="training")


def _best(fit: FitFact, params: CallbackParams) -> Candidate:
    """Judge the callback of a training that has the fewest faults."""
    names = [bare_name(name) for name in ((params.cls,) if isinstance(params.cls, str) else params.cls)]
    pointer = Pointer(cell=fit.cell, event=fit.event)
    matching = [used for used in fit.callbacks if used.cls in names or used.custom in names]
    if not matching:
        required = say("{classes:code or} is required", classes=names)
        return Candidate(_other_callbacks(fit), (required,), pointer, distance=_FAR)
    best = min(matching, key=lambda used: len(list(_faults(used, params))))
    return Candidate(
        subject=say("The training in {cell:cell} used {callback}", cell=fit.cell, callback=_described(best)),
        faults=tuple(_faults(best, params)),
        pointer=pointer,
        measured={"callback": best.custom or best.cls, "config": dict(best.config)},
    )


def _other_callbacks(fit: FitFact) -> Message:
    others = list(dict.fromkeys(used.custom or used.cls for used in fit.callbacks))
    if not others:
        return say("The training in {cell:cell} used no callback", cell=fit.cell)
    return say_count(
        "The training in {cell:cell} used only the callback {callbacks:code}",
        "The training in {cell:cell} used only the callbacks {callbacks:code}",
        len(others),
        cell=fit.cell,
        callbacks=others,
    )


def _described(used: CallbackFact) -> Message:
    name = used.custom or used.cls
    settings = [
        say("{name:raw}={value:raw}", name=setting, value=repr(used.config[setting]))
        for setting in _SHOWN
        if used.config.get(setting) is not None
    ]
    if not settings:
        return say("{callback:code}", callback=name)
    return say("{callback:code} ({settings:list})", callback=name, settings=settings)


def _faults(used: CallbackFact, params: CallbackParams) -> Iterator[Message]:
    wanted = (params.monitor,) if isinstance(params.monitor, str) else params.monitor or ()
    monitors = [bare_name(name) for name in wanted]
    monitored = canonical_metric(str(used.config.get("monitor")))
    if monitors and monitored not in map(canonical_metric, monitors):
        yield say("it does not monitor {metrics:code or}", metrics=monitors)
    for name, bounds in (("patience", params.patience), ("factor", params.factor)):
        value = used.config.get(name)
        if bounds is not None and not (isinstance(value, (int, float)) and bounds.holds(value)):
            yield say("its {setting:code} is not {range}", setting=name, range=bounds.said)
    flags = {"restore_best_weights": params.restore_best_weights, "save_best_only": params.save_best_only}
    required = {name: flag for name, flag in flags.items() if flag is not None}
    for name, value in {**required, **params.config}.items():
        if used.config.get(name) != value:
            yield say(
                "its {setting:code} is {value:code}, not {required:code}",
                setting=name,
                value=repr(used.config.get(name)),
                required=repr(value),
            )

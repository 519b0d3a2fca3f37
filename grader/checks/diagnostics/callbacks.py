"""Callbacks without an effect."""

from collections.abc import Mapping
from typing import Final

from grader.checks.registry import diagnostic
from grader.facts.case import Case
from grader.facts.metrics import canonical_metric
from grader.schema.evidence import CallbackFact, FitFact
from grader.schema.grade import Diagnostic
from grader.schema.message import Message, say, sentences

__all__ = ["monitor_not_logged"]

_EFFECTS: Final[Mapping[str, Message]] = {
    "EarlyStopping": say("So it never stops the training, and restores no weights."),
    "ModelCheckpoint": say("So it never saves the model."),
    "ReduceLROnPlateau": say("So it never lowers the learning rate."),
}
"""What a callback does not do without its value, by class."""


@diagnostic("monitor-not-logged")
def monitor_not_logged(case: Case) -> tuple[Diagnostic, ...]:
    """A callback watches a value that the training did not compute.

    What it does:
        Compares the `monitor` of `EarlyStopping`, `ReduceLROnPlateau` and `ModelCheckpoint(save_best_only=True)` with
        the history of the training. Different names of the same metric (`acc`, `accuracy`) count as equal.

    Why it matters:
        Keras only prints a warning, and the callback does nothing.

    Example:
        `EarlyStopping(monitor="val_loss")` in a `fit` without validation data.
    """
    return tuple(
        _note(fit, callback)
        for fit in case.evidence.fits
        if fit.kind == "fit" and fit.epochs_done and "loss" in fit.history
        for callback in fit.callbacks
        if _has_no_value(fit, callback)
    )


def _has_no_value(fit: FitFact, callback: CallbackFact) -> bool:
    watches = callback.cls in _EFFECTS and (callback.cls != "ModelCheckpoint" or _saves_best(callback))
    # Validation that does not take place after every epoch may not have taken place yet.
    validated = fit.validation == "none" or any(name.startswith("val_") for name in fit.history)
    monitor = canonical_metric(_monitor(callback))
    return watches and validated and monitor not in {canonical_metric(name) for name in fit.history}


def _saves_best(callback: CallbackFact) -> bool:
    """Whether a checkpoint compares epochs; `save_freq` in batches would look at other values."""
    return callback.config.get("save_best_only") is True and callback.config.get("save_freq", "epoch") == "epoch"


def _monitor(callback: CallbackFact) -> str:
    name = callback.config.get("monitor")
    return name if isinstance(name, str) else "val_loss"


def _note(fit: FitFact, callback: CallbackFact) -> Diagnostic:
    monitor = _monitor(callback)
    unvalidated = fit.validation == "none" and monitor.startswith("val_")
    return Diagnostic(
        id="monitor-not-logged",
        title=say("A callback watches a value that does not exist"),
        cell=fit.cell,
        message=sentences(
            say(
                "In {cell:cell}, {callback:code} watches {monitor:code}, but the training had no validation data.",
                cell=fit.cell,
                callback=callback.cls,
                monitor=monitor,
            )
            if unvalidated
            else say(
                "In {cell:cell}, {callback:code} watches {monitor:code}, but the training logged only {logged:code}.",
                cell=fit.cell,
                callback=callback.cls,
                monitor=monitor,
                logged=sorted(fit.history),
            ),
            _EFFECTS[callback.cls],
        ),
        advice=say(
            "Give `fit` validation data: `validation_split=0.1`, or `validation_data`. If a value does not exist, "
            "Keras prints a warning, and the callback does nothing."
        )
        if unvalidated
        else say(
            "Choose a `monitor` among the keys of `history.history`. If a value does not exist, Keras prints a "
            "warning, and the callback does nothing."
        ),
        model=fit.model,
    )

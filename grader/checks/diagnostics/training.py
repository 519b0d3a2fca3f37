"""The ends of trainings, and changes between them."""

import math
from collections.abc import Iterable

from pydantic import Field

from grader.checks.learning_rate import rates_of
from grader.checks.registry import diagnostic
from grader.checks.support.names import first_names
from grader.checks.support.params import Params, Part, Whole
from grader.facts.case import Case
from grader.facts.metrics import canonical_metric, finite, metric_of
from grader.facts.stops import describe_cut
from grader.schema.base import Json
from grader.schema.evidence import CallbackFact, FitFact
from grader.schema.grade import Diagnostic
from grader.schema.message import Message, say, say_count, sentences

__all__ = [
    "StillRisingParams",
    "early_stopping_without_best",
    "still_rising",
    "stopped_by_grader",
    "trainable_without_compile",
]


@diagnostic("stopped-by-grader")
def stopped_by_grader(case: Case) -> tuple[Diagnostic, ...]:
    """The time limit of the grader ended a training.

    What it does:
        Reports each training that the grader stopped because its time limit had passed: a `fit` at the end of an epoch,
        a custom training loop between two steps.

    Why it matters:
        The graded model was trained for fewer epochs than the notebook requests.

    Example:
        `epochs=300` with a limit of ten minutes per training.
    """
    return tuple(
        Diagnostic(
            id="stopped-by-grader",
            title=say("The grader stopped a training"),
            cell=fit.cell,
            message=sentences(
                describe_cut(fit),
                None if fit.seconds is None else say("It ran for {seconds:seconds}.", seconds=fit.seconds),
                say("The model is graded with the training it has."),
            ),
            advice=say(
                "This is no mistake in the code, but the training takes longer than this assignment allows. Use fewer "
                "epochs, or `EarlyStopping` to end a training that no longer improves."
            ),
            model=fit.model,
        )
        for fit in case.evidence.fits
        if fit.status == "stopped_by_budget"
    )


class StillRisingParams(Params):
    """Parameters of `still-rising`."""

    rise: Part = 0.005
    """Smallest difference between the mean accuracies of the last two quarters of a training. Half a percentage point
    is more than noise on thousands of images."""
    epochs: Whole = Field(default=4, ge=4)
    """Smallest number of epochs of a training that is judged."""
    spent_at: Part = 0.02
    """A training is not reported if its learning rate ends at or below this part of its highest value."""


@diagnostic("still-rising")
def still_rising(case: Case, parameters: StillRisingParams) -> tuple[Diagnostic, ...]:
    """Accuracy was still rising when the training ended.

    What it does:
        Compares the mean accuracy of the last quarter of the epochs with the quarter before, on validation data if
        there is any. Looks only at the last training of a model, and only if it completed all its epochs. Ignores
        training loops of several models in one cell, such as those of a GAN.

    Why it matters:
        A few more epochs would have raised the accuracy without other work.

    Example:
        A training that ends after 0.90, 0.92, 0.94, 0.955.
    """
    notes = []
    for model in dict.fromkeys(fit.model for fit in case.evidence.fits):
        fit = case.evidence.fits_of(model)[-1]
        validated, values = _watched_accuracy(fit)
        quarter = len(values) // 4
        if fit.status != "completed" or len(values) < parameters.epochs or len(finite(values)) < len(values):
            continue
        before = sum(values[-2 * quarter : -quarter]) / quarter
        last = sum(values[-quarter:]) / quarter
        if last - before < parameters.rise or values[-1] < max(values) or _ended_by_its_rate(fit, parameters.spent_at):
            continue
        if _is_one_of_several(fit, case.evidence.fits):
            continue
        notes.append(
            Diagnostic(
                id="still-rising",
                title=say("Accuracy was still rising when training stopped"),
                cell=fit.cell,
                message=sentences(
                    _highest_at_the_end(fit.cell, values, validated=validated),
                    say(
                        "The mean accuracy of the last quarter of the epochs is {rise:number} percentage points higher "
                        "than in the quarter before.",
                        rise=100 * (last - before),
                    ),
                ),
                advice=say(
                    "Train for more epochs, until the validation accuracy no longer rises. `EarlyStopping` with "
                    "`restore_best_weights=True` finds that point automatically."
                ),
                model=model,
            )
        )
    return tuple(notes)


def _is_one_of_several(fit: FitFact, fits: Iterable[FitFact]) -> bool:
    """Whether a loop is one of several models' loops in a cell: two adversaries do not become better and better."""
    loops = {other.model for other in fits if other.kind == "custom_loop" and other.cell == fit.cell}
    return fit.kind == "custom_loop" and len(loops) > 1


def _highest_at_the_end(cell: int | None, values: tuple[float, ...], *, validated: bool) -> Message:
    if validated:
        return say(
            "In {cell:cell}, the validation accuracy was highest ({accuracy:percent}) in the last of {epochs:number} "
            "epochs.",
            cell=cell,
            accuracy=values[-1],
            epochs=len(values),
        )
    return say(
        "In {cell:cell}, the training accuracy was highest ({accuracy:percent}) in the last of {epochs:number} epochs.",
        cell=cell,
        accuracy=values[-1],
        epochs=len(values),
    )


def _ended_by_its_rate(fit: FitFact, spent_at: float) -> bool:
    """Whether a schedule (1cycle, a decay) had lowered the rate so far that further epochs would change little."""
    rates = rates_of(fit)
    return bool(rates) and rates[-1] <= spent_at * max(rates)


def _watched_accuracy(fit: FitFact) -> tuple[bool, tuple[float, ...]]:
    """Return the validation accuracies after True; without any, the training accuracies after False."""
    validated = metric_of(fit, "val_accuracy")
    return (True, validated) if validated else (False, metric_of(fit, "accuracy"))


@diagnostic("early-stopping-without-best-weights")
def early_stopping_without_best(case: Case) -> tuple[Diagnostic, ...]:
    """Early stopping kept the last weights although earlier weights were better.

    What it does:
        Looks at trainings that `EarlyStopping` ended and whose best epoch was not the last, if no `EarlyStopping` of
        the training has `restore_best_weights`. Ignores a training that saved the best model with
        `ModelCheckpoint(save_best_only=True)`.

    Why it matters:
        The model keeps the weights after `patience` epochs without improvement.

    Example:
        `EarlyStopping(patience=5)`
    """
    notes = []
    for fit in case.evidence.fits:
        stoppers = [c for c in fit.callbacks if c.cls == "EarlyStopping"]
        # In Keras 3 each of them restores its best weights, whichever ended the training.
        restores = any(one.config.get("restore_best_weights") for one in stoppers)
        if not stoppers or restores or fit.status != "stopped_early":
            continue
        if any(c.cls == "ModelCheckpoint" and c.config.get("save_best_only") for c in fit.callbacks):
            continue
        stopper = stoppers[0]
        monitor, values = _monitored(fit, stopper)
        best = _best_epoch(values, monitor, stopper.config.get("mode"))
        if best is None or best == len(values) - 1:
            continue
        notes.append(
            Diagnostic(
                id="early-stopping-without-best-weights",
                title=say("Early stopping without restore_best_weights"),
                cell=fit.cell,
                message=say(
                    "The training in {cell:cell} stopped early after {epochs:number} epochs. {monitor:code} was best "
                    "in epoch {best:number} ({best_value:number}); the model kept the weights of the last epoch "
                    "({last_value:number}).",
                    cell=fit.cell,
                    epochs=len(values),
                    monitor=monitor,
                    best=best + 1,
                    best_value=values[best],
                    last_value=values[-1],
                ),
                advice=say(
                    "Set `restore_best_weights=True` in `EarlyStopping`. Otherwise the model keeps the weights of the "
                    "last epoch, after `patience` epochs without improvement."
                ),
                model=fit.model,
            )
        )
    return tuple(notes)


def _monitored(fit: FitFact, stopper: CallbackFact) -> tuple[str, tuple[float, ...]]:
    name = stopper.config.get("monitor")
    monitor = name if isinstance(name, str) else "val_loss"
    return monitor, metric_of(fit, canonical_metric(monitor))


def _best_epoch(values: tuple[float, ...], monitor: str, mode: Json) -> int | None:
    numbers = [(value, -epoch) for epoch, value in enumerate(values) if math.isfinite(value)]
    if not numbers:
        return None
    rising = mode == "max" or (mode != "min" and "acc" in monitor)
    best = max(numbers) if rising else min(numbers, key=lambda pair: (pair[0], -pair[1]))
    return -best[1]


@diagnostic("trainable-without-compile")
def trainable_without_compile(case: Case) -> tuple[Diagnostic, ...]:
    """Layers were frozen or unfrozen, and the model was not compiled again.

    What it does:
        Compares which layers were trainable at `compile` and at the start of the training. Ignores custom training
        loops, which do not depend on `compile`.

    Why it matters:
        Keras guarantees that `trainable` takes effect only at `compile`. The result of such a training depends on the
        version of Keras.

    Example:
        `base.trainable = True`, then `model.fit(…)` without a new `compile`.
    """
    notes = []
    for fit in case.evidence.fits:
        compiled = case.evidence.compile_of(fit)
        if compiled is None or fit.kind == "custom_loop":
            continue
        changed = [n for n, now in fit.trainable.items() if compiled.trainable.get(n, now) != now]
        if not changed:
            continue
        notes.append(
            Diagnostic(
                id="trainable-without-compile",
                title=say("Layers were frozen or unfrozen without a new compile"),
                cell=fit.cell,
                message=say_count(
                    "Between the `compile` in {compiled:cell} and the training in {cell:cell}, `trainable` changed for "
                    "{count:number} layer ({layers}).",
                    "Between the `compile` in {compiled:cell} and the training in {cell:cell}, `trainable` changed for "
                    "{count:number} layers ({layers}).",
                    len(changed),
                    compiled=compiled.cell,
                    cell=fit.cell,
                    layers=first_names(changed),
                ),
                advice=say(
                    "Call `compile` again after each change of `trainable`, usually with a smaller learning rate. "
                    "Keras reads `trainable` when it compiles, so otherwise the change may have no effect."
                ),
                model=fit.model,
            )
        )
    return tuple(notes)

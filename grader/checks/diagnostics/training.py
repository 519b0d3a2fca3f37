"""How trainings ended, and what was changed between them."""

import math

from pydantic import Field

from grader.checks.learning_rate import rates_of
from grader.checks.registry import diagnostic
from grader.checks.support.params import Params, Part, Whole
from grader.facts.case import Case
from grader.facts.metrics import canonical_metric, finite, metric_of
from grader.facts.wording import decimal, listed, percent, plural
from grader.schema.base import Json, spoken_cell
from grader.schema.evidence import CallbackFact, FitFact
from grader.schema.grade import Diagnostic

__all__ = [
    "StillRisingParams",
    "early_stopping_without_best",
    "still_rising",
    "stopped_by_grader",
    "trainable_without_compile",
]


@diagnostic("stopped-by-grader")
def stopped_by_grader(case: Case) -> tuple[Diagnostic, ...]:
    """The grader's time budget ended a training.

    What it does:
        Names every training that was stopped at an epoch's end because its budget had run out.

    Why it matters:
        The network graded is the one trained so far, not the one that all epochs would have made.

    Example:
        `epochs=300` with ten minutes for a training.
    """
    return tuple(
        Diagnostic(
            id="stopped-by-grader",
            title="The grader stopped a training",
            cell=fit.cell,
            message=(
                f"The training in {spoken_cell(fit.cell)} was stopped by the grader's time budget after "
                f"{plural(fit.epochs_done, 'epoch')}{_of(fit)}{_after(fit)}; what was trained until then is graded."
            ),
            advice=(
                "Nothing is wrong with the code, it only takes longer than this assignment allows. `EarlyStopping` or "
                "fewer epochs end the training where it no longer improves."
            ),
            model=fit.model,
        )
        for fit in case.evidence.fits
        if fit.status == "stopped_by_budget"
    )


def _of(fit: FitFact) -> str:
    return f" of {fit.epochs_asked}" if fit.epochs_asked else ""


def _after(fit: FitFact) -> str:
    return "" if fit.seconds is None else f" ({plural(round(fit.seconds), 'second')})"


class StillRisingParams(Params):
    """Parameters of `still-rising`."""

    rise: Part = 0.005
    """Smallest difference between the mean accuracies of the last two quarters of a training. Half a percentage point
    is more than noise on thousands of images."""
    epochs: Whole = Field(default=4, ge=4)
    """Fewest epochs of a training that is judged."""
    spent_at: Part = 0.02
    """Part of its highest value down to which the learning rate falls at the end of its schedule; such a training is
    not reported."""


@diagnostic("still-rising")
def still_rising(case: Case, parameters: StillRisingParams) -> tuple[Diagnostic, ...]:
    """Accuracy was still rising when the training ended.

    What it does:
        Compares the mean of the last quarter of the epochs with that of the quarter before, on validation data where
        there is some. Only a network's last training counts, and only one that went through all its epochs.

    Why it matters:
        A few more epochs would have given points for nothing.

    Example:
        0.90, 0.92, 0.94, 0.955 and no further.
    """
    notes = []
    for model in dict.fromkeys(fit.model for fit in case.evidence.fits):
        fit = case.evidence.fits_of(model)[-1]
        side, values = _watched_accuracy(fit)
        quarter = len(values) // 4
        if fit.status != "completed" or len(values) < parameters.epochs or len(finite(values)) < len(values):
            continue
        before = sum(values[-2 * quarter : -quarter]) / quarter
        last = sum(values[-quarter:]) / quarter
        if last - before < parameters.rise or values[-1] < max(values) or _ended_by_its_rate(fit, parameters.spent_at):
            continue
        notes.append(
            Diagnostic(
                id="still-rising",
                title="Accuracy was still rising when training stopped",
                cell=fit.cell,
                message=(
                    f"In {spoken_cell(fit.cell)} the {side} accuracy was at its highest ({percent(values[-1])}) in the "
                    f"last of {plural(len(values), 'epoch')}, {decimal(100 * (last - before))} "
                    "percentage points more than shortly before."
                ),
                advice=(
                    "Train for more epochs until the validation accuracy no longer rises. `EarlyStopping` with "
                    "`restore_best_weights=True` finds that point by itself."
                ),
                model=model,
            )
        )
    return tuple(notes)


def _ended_by_its_rate(fit: FitFact, spent_at: float) -> bool:
    """Whether the rate had fallen so far by design (1cycle, a decay) that further epochs would change little."""
    rates = rates_of(fit)
    return bool(rates) and rates[-1] <= spent_at * max(rates)


def _watched_accuracy(fit: FitFact) -> tuple[str, tuple[float, ...]]:
    validated = metric_of(fit, "val_accuracy")
    return ("validation", validated) if validated else ("training", metric_of(fit, "accuracy"))


@diagnostic("early-stopping-without-best-weights")
def early_stopping_without_best(case: Case) -> tuple[Diagnostic, ...]:
    """Early stopping kept the last weights although earlier ones were better.

    What it does:
        Looks at trainings that `EarlyStopping` ended without `restore_best_weights`, whose best epoch was an earlier
        one, and that did not save the best network with `ModelCheckpoint(save_best_only=True)`.

    Why it matters:
        The network that is left has gone through all the epochs of patience in which it got no better.

    Example:
        `EarlyStopping(patience=5)`
    """
    notes = []
    for fit in case.evidence.fits:
        stopper = next((c for c in fit.callbacks if c.cls == "EarlyStopping"), None)
        if stopper is None or stopper.config.get("restore_best_weights") or fit.status != "stopped_early":
            continue
        if any(c.cls == "ModelCheckpoint" and c.config.get("save_best_only") for c in fit.callbacks):
            continue
        monitor, values = _monitored(fit, stopper)
        best = _best_epoch(values, monitor, stopper.config.get("mode"))
        if best is None or best == len(values) - 1:
            continue
        notes.append(
            Diagnostic(
                id="early-stopping-without-best-weights",
                title="Early stopping without `restore_best_weights`",
                cell=fit.cell,
                message=(
                    f"The training in {spoken_cell(fit.cell)} stopped early after {plural(len(values), 'epoch')}; "
                    f"{monitor} was best in epoch {best + 1} ({decimal(values[best])}) and {decimal(values[-1])} in "
                    "the last one, whose weights were kept."
                ),
                advice=(
                    "Give `EarlyStopping` the setting `restore_best_weights=True`. Otherwise the network keeps the "
                    "weights from after all the epochs of patience, in which it only got worse."
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
    """Layers were frozen or unfrozen, and the network was not compiled again.

    What it does:
        Compares which layers were trainable when the network was compiled and when its training began. A loop of the
        student's own does not go by `compile` and is passed over.

    Why it matters:
        Keras promises to heed `trainable` only at `compile`; what such a training changes depends on its version.

    Example:
        `base.trainable = True`, then `model.fit(…)` at once.
    """
    notes = []
    for fit in case.evidence.fits:
        compiled = case.evidence.compile_of(fit)
        if compiled is None or fit.kind == "custom_loop":
            continue
        changed = [n for n, now in fit.trainable.items() if compiled.trainable.get(n, now) != now]
        if not changed:
            continue
        shown = listed(f"`{name}`" for name in changed[:3]) + (" …" if len(changed) > 3 else "")  # noqa: PLR2004 - a few names are enough
        notes.append(
            Diagnostic(
                id="trainable-without-compile",
                title="`trainable` was changed without a new `compile`",
                cell=fit.cell,
                message=(
                    f"Between the `compile` in {spoken_cell(compiled.cell)} and the training in "
                    f"{spoken_cell(fit.cell)}, `trainable` changed for {plural(len(changed), 'layer')} ({shown})."
                ),
                advice=(
                    "Call `compile` again after every change of `trainable`, usually with a smaller learning rate. "
                    "Keras looks at `trainable` when it compiles, so without it the change may have no effect."
                ),
                model=fit.model,
            )
        )
    return tuple(notes)

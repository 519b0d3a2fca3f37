"""The check `training`."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.params import Range, WithModel
from grader.checks.support.verdicts import Candidate, Which, chosen_fits, judge, never_trained
from grader.facts.case import Case
from grader.schema.base import Pointer
from grader.schema.evidence import FitFact
from grader.schema.grade import Finding, MeasureLabel
from grader.schema.message import Message, say, say_count

__all__ = ["TrainingParams", "training"]


class TrainingParams(WithModel):
    """Parameters of `training`."""

    kind: Literal["fit", "custom_loop"] | None = None
    """`fit` for Keras's `fit`, `custom_loop` for a loop that the student wrote (`GradientTape`, `train_on_batch`)."""
    epochs: Range | None = None
    """Bounds of the number of epochs, including those that the grader's time budget cut off."""
    batch_size: Range | None = None
    """Bounds of the number of images in a batch."""
    steps: Range | None = None
    """Bounds of the total number of steps."""
    rows: Range | None = None
    """Bounds of the number of training images."""
    trainings: Which = "any"
    """Which of the model's trainings: `any`, `all`, `first` or `last`."""


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "kind": measure(say("Kind of training"), "raw"),
    "epochs": measure(say("Epochs"), "number"),
    "steps": measure(say("Steps"), "number"),
    "batch_size": measure(say("Images in a batch"), "number"),
    "rows": measure(say("Images"), "number"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("training", measures=_MEASURES)
def training(case: Case, params: TrainingParams) -> Finding:
    """A training is of the required kind, with the required numbers of epochs, steps and images, and batch size.

    What it does:
        Looks at each training alone, whether `fit` or a custom loop; one training must meet all the conditions. The
        optimizer counts the steps of a loop. If a figure of a loop is unknown, such as its number of images, a person
        must judge it.

    Why it matters:
        Batch size and steps decide how often the weights change. A custom loop shows how `fit` works.

    Example:
        `{check: training, with: {model: cnn, kind: custom_loop, steps: {at_least: 300}}}`
    """
    model, fits, missing = chosen_fits(case, params.model)
    if missing is not None:
        return missing
    return judge(
        [_candidate(fit, params) for fit in fits],
        nothing=never_trained(case, model),
        which=params.trainings,
        lacks="training",
    )


_FIGURES: Mapping[str, Callable[[int], Message]] = {
    "epochs": lambda count: say_count("{count:number} epoch", "{count:number} epochs", count),
    "batch_size": lambda count: say("batch size {size:number}", size=count),
    "steps": lambda count: say_count("{count:number} step", "{count:number} steps", count),
    "rows": lambda count: say_count("{count:number} image", "{count:number} images", count),
}
_FAULTS: Mapping[str, Callable[[Range], Message]] = {
    "epochs": lambda bounds: say("the number of epochs must be {range}", range=bounds.said),
    "batch_size": lambda bounds: say("the batch size must be {range}", range=bounds.said),
    "steps": lambda bounds: say("the number of steps must be {range}", range=bounds.said),
    "rows": lambda bounds: say("the number of images must be {range}", range=bounds.said),
}
_UNSEEN: Mapping[str, Message] = {
    "epochs": say("its number of epochs"),
    "batch_size": say("its batch size"),
    "steps": say("its number of steps"),
    "rows": say("its number of images"),
}


def _candidate(fit: FitFact, params: TrainingParams) -> Candidate:
    figures = {
        "epochs": _epochs(fit),
        "batch_size": fit.batch_size,
        "steps": fit.steps_asked,
        "rows": fit.rows_trained,
    }
    wanted = {name: bounds for name in figures if (bounds := getattr(params, name)) is not None}
    return Candidate(
        subject=_subject(fit, [_FIGURES[name](value) for name, value in figures.items() if value is not None]),
        faults=(*_kind_faults(fit, params), *_faults(figures, wanted)),
        pointer=Pointer(cell=fit.cell, event=fit.event),
        unseen=tuple(_UNSEEN[name] for name in wanted if figures[name] is None),
        measured={"kind": fit.kind, **figures},
    )


def _subject(fit: FitFact, figures: list[Message]) -> Message:
    if fit.kind == "fit":
        training = say("The training in {cell:cell} used `fit`", cell=fit.cell)
    else:
        training = say("The training in {cell:cell} was a custom loop", cell=fit.cell)
    return say("{training} ({figures:list})", training=training, figures=figures) if figures else training


def _kind_faults(fit: FitFact, params: TrainingParams) -> Iterator[Message]:
    if params.kind is not None and fit.kind != params.kind:
        yield say("it must use `fit`") if params.kind == "fit" else say("it must be a custom loop")


def _epochs(fit: FitFact) -> int | None:
    if fit.status == "stopped_by_budget" and fit.epochs_asked:
        return max(fit.epochs_done, fit.epochs_asked)
    return fit.epochs_done or None if fit.kind == "custom_loop" else fit.epochs_done


def _faults(figures: Mapping[str, int | None], wanted: Mapping[str, Range]) -> Iterator[Message]:
    for name, bounds in wanted.items():
        value = figures[name]
        if value is not None and not bounds.holds(value):
            yield _FAULTS[name](bounds)

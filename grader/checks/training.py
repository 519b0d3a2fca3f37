"""The check `training`."""

from collections.abc import Iterator
from typing import Literal

from grader.checks.registry import check
from grader.checks.support.params import Range, WithModel
from grader.checks.support.verdicts import Candidate, Which, chosen_fits, judge, never_trained
from grader.facts.case import Case
from grader.facts.wording import number, plural
from grader.schema.base import Pointer, spoken_cell
from grader.schema.evidence import FitFact
from grader.schema.grade import Finding

__all__ = ["TrainingParams", "training"]


class TrainingParams(WithModel):
    """Parameters of `training`."""

    kind: Literal["fit", "custom_loop"] | None = None
    """Whether it is Keras's `fit` or a loop of the student's own (`GradientTape`, `train_on_batch`)."""
    epochs: Range | None = None
    """Bounds of the epochs, those that the grader's time budget cut off included."""
    batch_size: Range | None = None
    """Bounds of the images in a batch."""
    steps: Range | None = None
    """Bounds of the steps done in all."""
    rows: Range | None = None
    """Bounds of the images trained on."""
    trainings: Which = "any"
    """Which of the network's trainings: `any`, `all`, `first` or `last`."""


@check("training")
def training(case: Case, params: TrainingParams) -> Finding:
    """One training is of a kind, with so many epochs, steps and images, and with batches of a size.

    What it does:
        Looks at each training alone, `fit` or a loop of the student's own, and asks all the conditions of the same one.
        Steps of a loop are counted by the optimizer. What cannot be seen of a loop (how many images it goes through)
        is left to a person.

    Why it matters:
        Batch size and steps decide how often the weights are changed; a loop of one's own shows what `fit` does.

    Example:
        `{check: training, with: {model: cnn, kind: custom_loop, steps: {at_least: 300}}}`
    """
    model, fits, missing = chosen_fits(case, params.model)
    if missing is not None:
        return missing
    return judge([_candidate(fit, params) for fit in fits], nothing=never_trained(model), which=params.trainings)


def _candidate(fit: FitFact, params: TrainingParams) -> Candidate:
    kind = "`fit`" if fit.kind == "fit" else "a loop of its own"
    figures = {
        "epochs": _epochs(fit),
        "batch_size": fit.batch_size,
        "steps": fit.total_steps,
        "rows": fit.rows_trained,
    }
    said = [f"{number(value)} {name.replace('_', ' ')}" for name, value in figures.items() if value is not None]
    asked = {name: bounds for name in figures if (bounds := getattr(params, name)) is not None}
    wrong_kind = params.kind is not None and fit.kind != params.kind
    return Candidate(
        subject=f"the training in {spoken_cell(fit.cell)} was {kind} ({', '.join(said) or 'no figures known'})",
        faults=(
            *((f"and not {'`fit`' if params.kind == 'fit' else 'a loop of its own'}",) if wrong_kind else ()),
            *_faults(figures, asked),
        ),
        pointer=Pointer(cell=fit.cell, event=fit.event),
        unseen=tuple(f"its {name.replace('_', ' ')}" for name in asked if figures[name] is None),
        measured={"kind": fit.kind, **figures},
    )


def _epochs(fit: FitFact) -> int | None:
    if fit.status == "stopped_by_budget" and fit.epochs_asked:
        return max(fit.epochs_done, fit.epochs_asked)
    return fit.epochs_done or None if fit.kind == "custom_loop" else fit.epochs_done


def _faults(figures: dict[str, int | None], asked: dict[str, Range]) -> Iterator[str]:
    for name, bounds in asked.items():
        value = figures[name]
        if value is not None and not bounds.holds(value):
            what = {"epochs": "epoch", "steps": "step", "rows": "image"}.get(name)
            yield f"with {plural(value, what)} instead of {bounds}" if what else f"with {value} a batch, not {bounds}"

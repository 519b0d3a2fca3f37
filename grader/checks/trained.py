"""The check `trained`."""

import math
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.conditions import Condition, Conditions
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import MeasuredOn, Whole, WithModel
from grader.facts.case import Case
from grader.facts.metrics import finite, series
from grader.facts.recognition import known_rows
from grader.facts.weights import trainings_behind
from grader.facts.wording import decimal, listed, number, percent, plural, spoken_dataset, spoken_split
from grader.schema.base import Assurance, Pointer
from grader.schema.evidence import ArrayFact, Evidence, FitFact
from grader.schema.grade import Finding

__all__ = ["TrainedParams", "trained"]


class TrainedParams(WithModel):
    """Parameters of `trained`."""

    epochs_at_least: Annotated[Whole, Field(ge=0)] = 1
    """Fewest epochs, over all trainings of this network."""
    dataset: MeasuredOn | None = None
    """Data set; left out: the rubric's own."""
    only_split: str | None = None
    """The one split whose rows may be trained on, such as `train`."""
    rows_at_least: Annotated[Whole, Field(ge=1)] | None = None
    """Fewest images in the largest training."""
    loss_falls: bool = False
    """Whether the training loss has to be lower at the end than after the first epoch."""
    validation: Literal["any", "not_test"] | None = None
    """Whether data was watched that was not trained on; `not_test`: and it was not the test set."""
    partial: bool = False
    """Give the part of the points that corresponds to the part of the conditions that hold."""


@check("trained")
def trained(case: Case, params: TrainedParams) -> Finding:
    """The network was trained: long enough, on the right rows, with a falling loss, watched on other data.

    What it does:
        Goes through what was recorded of every training of the network. Rows are recognised by their pixels, so that
        it does not matter how arrays are named or scaled. The past of a network that was loaded or copied and trained
        further belongs to it: what its weights were trained on elsewhere in the notebook counts too. Images that cannot
        be recognised (augmented ones, say) contradict nothing, and the finding says that they could not be confirmed;
        the same holds for what cannot be seen of a generator or of a training loop of the student's own. Epochs that
        the grader itself cut off count as done.

    Why it matters:
        What a network was trained on decides what its test accuracy means.

    Example:
        `{check: trained, with: {model: cnn, epochs_at_least: 3, only_split: train, loss_falls: true}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    fits = case.evidence.fits_of(model.id)
    if not fits:
        return Finding.failed(
            f"`{model.name}` was {_made(case.evidence, model.id)} but never trained in this notebook.",
            advice="Call `compile` and `fit` on it in this notebook.",
            measured={"epochs": 0},
            evidence=(Pointer(cell=model.cell, event=model.event),),
        )
    dataset = params.dataset or case.rubric.dataset
    behind = trainings_behind(case.evidence, model.id)
    looks = _looks(case.evidence, model.id)
    conditions = Conditions.of(_conditions(fits, behind, params, dataset, looks=looks))
    return conditions.finding(
        f"`{model.name}`: {conditions.text}.",
        {
            "assurance": Assurance.RECORDED,
            "measured": {
                "epochs": sum(f.epochs_done for f in fits),
                "trainings": len(fits),
                "rows": max((f.rows_trained or 0 for f in fits), default=0),
            },
            "evidence": tuple(Pointer(cell=f.cell, event=f.event) for f in fits),
        },
        partial=params.partial,
    )


def _made(evidence: Evidence, model: str) -> str:
    """Where an untrained network comes from."""
    loaded = next((s for s in evidence.saves if s.model == model and s.action in {"load", "load_weights"}), None)
    if loaded is None:
        return "built"
    return f"loaded from `{PurePath(loaded.path).name}`" if loaded.path else "loaded from a file"


def _looks(evidence: Evidence, model: str) -> int:
    """How often the network was tried on data outside a training: by `evaluate`, `predict` or a call."""
    tried = [fact.model for fact in evidence.evaluations] + [fact.model for fact in evidence.predictions]
    return [*tried, *(call.model for call in evidence.calls if not call.training)].count(model)


def _conditions(
    fits: tuple[FitFact, ...], behind: tuple[FitFact, ...], params: TrainedParams, dataset: str, *, looks: int
) -> Iterator[Condition]:
    yield _epochs(behind, params.epochs_at_least)
    if params.only_split is not None:
        yield _only_split(behind, dataset, params.only_split)
    if params.rows_at_least is not None:
        yield _enough_rows(behind, params.rows_at_least)
    if params.loss_falls:
        # Another network's loss may be of another kind: it only helps where one epoch alone shows nothing.
        yield _loss(behind if len(series(fits, "loss")) == 1 else fits)
    if params.validation is not None:
        yield _validation(fits, dataset, params.validation, looks=looks)


def _epochs_of(fit: FitFact) -> int | None:
    """Epochs of a training; in a loop of one's own the images seen over the images there are. None: not known."""
    if fit.kind == "fit" or fit.epochs_done:
        return fit.epochs_done
    if not (fit.total_steps and fit.batch_size and _rows(fit.x)):
        return None
    return round(fit.total_steps * fit.batch_size / _rows(fit.x))


def _epochs(fits: tuple[FitFact, ...], wanted: int) -> Condition:
    known = [epochs for epochs in map(_epochs_of, fits) if epochs is not None]
    if len(known) < len(fits):
        return Condition("epochs", holds=True, seen="trained in a loop of its own, whose epochs could not be counted")
    done = sum(known)
    cut = [f for f in fits if f.status == "stopped_by_budget" and f.epochs_asked]
    granted = done + sum(max(0, (f.epochs_asked or 0) - f.epochs_done) for f in cut)
    said = f"trained for {plural(done, 'epoch')} in {plural(len(fits), 'training')}"
    if cut:
        said += f", cut off by the grader's time budget ({plural(granted, 'epoch')} asked for)"
    if granted < wanted:
        said += f" (at least {wanted} wanted)"
    return Condition("epochs", granted >= wanted, said)


def _enough_rows(fits: tuple[FitFact, ...], wanted: int) -> Condition:
    """The largest training's images; of those that were not seen as an array, all batches together are the bound."""
    rows = max(f.rows_trained or 0 for f in fits)
    said = f"trained on {plural(rows, 'image')} (at least {number(wanted)} wanted)"
    unseen = [f for f in fits if not _rows(f.x)]
    if rows >= wanted or not unseen:
        return Condition("rows", rows >= wanted, said)
    batches = [(f.total_steps or 0) * f.batch_size if f.batch_size else None for f in unseen]
    most = sum(batch for batch in batches if batch is not None)
    if None not in batches and most < wanted:
        said = f"its batches held {plural(most, 'image')} in all (at least {number(wanted)} different ones wanted)"
        return Condition("rows", holds=False, seen=said)
    said = "trained on batches of which it could not be seen how many different images they hold"
    return Condition("rows", holds=True, seen=said)


def _rows(array: ArrayFact | None) -> int:
    return (array.shape[0] or 0) if array is not None and array.shape else 0


def _known(array: ArrayFact | None, dataset: str) -> dict[str, int] | None:
    rows = known_rows(array)
    if rows is None:
        return None
    return {split: count for split, count in rows.counts.items() if count} if rows.dataset == dataset else {}


def _learned(fit: FitFact, dataset: str) -> dict[str, int] | None:
    """Rows of each split that a training learned from; those held back cannot be told apart where there are several."""
    known = _known(fit.x, dataset)
    if known is None or len(known) != 1 or fit.rows_trained is None:
        return known
    return {split: min(count, fit.rows_trained) for split, count in known.items()}


def _only_split(fits: tuple[FitFact, ...], dataset: str, split: str) -> Condition:
    name = f"only-{split}"
    known = [rows for rows in (_learned(f, dataset) for f in fits) if rows is not None]
    wrong = [rows for rows in known if set(rows) - {split}]
    strangers = [rows for rows in known if not rows]
    if wrong:
        return Condition(name, holds=False, seen=f"trained on {_spoken_rows(wrong[0])} of {spoken_dataset(dataset)}")
    if strangers:
        return Condition(name, holds=False, seen=f"trained on images that are not from {spoken_dataset(dataset)}")
    if len(known) < len(fits):
        text = f"no {spoken_dataset(dataset)} image outside the {spoken_split(split)} images was recognised"
        return Condition(name, holds=True, seen=f"{text}, but not every image could be recognised")
    largest = max(known, key=lambda rows: rows[split])
    return Condition(name, holds=True, seen=f"trained on {_spoken_rows(largest)} of {spoken_dataset(dataset)}")


def _spoken_rows(rows: dict[str, int]) -> str:
    return listed(f"{number(count)} {spoken_split(split)} images" for split, count in sorted(rows.items()))


def _loss(fits: tuple[FitFact, ...]) -> Condition:
    losses = series(fits, "loss")
    numbers = finite(losses)
    if not losses and any(f.kind == "custom_loop" for f in fits):
        return Condition("loss", holds=True, seen="the loss of a loop of its own could not be followed")
    if not losses:
        return Condition("loss", holds=False, seen="no training loss was recorded")
    if len(numbers) < len(losses):
        return Condition("loss", holds=False, seen="the training loss became not a number")
    if len(losses) == 1:
        return Condition("loss", holds=False, seen="one epoch alone does not show whether the loss falls")
    first, last = numbers[0], numbers[-1]
    verb = "fell" if last < first else "did not fall"
    return Condition(
        "loss", last < first and math.isfinite(last), f"the training loss {verb} ({decimal(first)} to {decimal(last)})"
    )


def _validation(fits: tuple[FitFact, ...], dataset: str, wanted: str, *, looks: int) -> Condition:
    watched = [f for f in fits if f.validation != "none" or series((f,), "val_loss")]
    if not watched and looks and any(f.kind == "custom_loop" for f in fits):
        said = f"trained in a loop of its own, and tried outside its steps in {plural(looks, 'place')}"
        return Condition("validation", holds=True, seen=said)
    if not watched:
        return Condition("validation", holds=False, seen="no validation data was watched during the training")
    last = watched[-1]
    if last.overlap:
        said = f"{plural(last.overlap, 'validation image')} were also trained on"
        return Condition("validation", holds=False, seen=said)
    test = _test_rows(watched, dataset)
    if wanted == "not_test" and test:
        return Condition("validation", holds=False, seen=f"validated on {number(test)} test images")
    return Condition("validation", holds=True, seen=f"validated on {_watched(last, test)}")


def _test_rows(fits: Iterable[FitFact], dataset: str) -> int:
    return max(((_known(f.val_x, dataset) or {}).get("test", 0) for f in fits), default=0)


def _watched(fit: FitFact, test: int) -> str:
    if fit.validation_split:
        return f"{percent(fit.validation_split)} of the training data, held back"
    rows = plural(_rows(fit.val_x), "image") if _rows(fit.val_x) else "other data"
    return f"{rows}, {number(test)} of them from the test set" if test else rows

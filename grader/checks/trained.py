"""The check `trained`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Annotated, Final, Literal

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.conditions import Condition, Conditions
from grader.checks.support.measures import measure
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import MeasuredOn, Whole, WithModel
from grader.checks.support.verdicts import never_trained
from grader.facts.case import Case
from grader.facts.copies import copies_in, describe_copies
from grader.facts.keras_names import canonical_loss
from grader.facts.metrics import finite, series
from grader.facts.recognition import known_rows
from grader.facts.step_data import step_doubts
from grader.facts.stops import cut_trainings
from grader.facts.uses import images_outside
from grader.facts.weights import trainings_behind, trainings_of
from grader.schema.base import Assurance, Pointer
from grader.schema.evidence import ArrayFact, Evidence, FitFact, ModelFact
from grader.schema.grade import Finding, MeasureLabel
from grader.schema.message import Message, say, say_count

__all__ = ["TrainedParams", "trained"]


class TrainedParams(WithModel):
    """Parameters of `trained`."""

    epochs_at_least: Annotated[Whole, Field(ge=0)] = 1
    """The smallest number of epochs, over all trainings of the model."""
    dataset: MeasuredOn | None = None
    """Data set; by default the rubric's."""
    only_split: str | None = None
    """The only split whose images are allowed for training, such as `train`."""
    rows_at_least: Annotated[Whole, Field(ge=1)] | None = None
    """The smallest number of images in the largest training."""
    loss_falls: bool = False
    """Whether the training loss must be lower at the end than after the first epoch."""
    validation: Literal["any", "not_test"] | None = None
    """`any`: the training must have validation data without training images; `not_test`: nor test images."""
    partial: bool = False
    """Whether each condition earns its share of the points."""

    @property
    def needs_dataset(self) -> bool:
        """Whether the check uses the rubric's `dataset`."""
        return self.dataset is None and (self.only_split, self.validation) != (None, None)


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "epochs": measure(say("Epochs"), "number"),
    "trainings": measure(say("Trainings"), "number"),
    "rows": measure(say("Images of the largest training"), "number"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("trained", measures=_MEASURES)
def trained(case: Case, params: TrainedParams) -> Finding:
    """The model was trained long enough, on the right images, with a falling loss and with validation data.

    What it does:
        Looks at every training of the model. It recognizes images by their pixels, so names and scaling do not matter.
        If the model was loaded or copied, the earlier trainings of its weights count too. If only some layers come from
        another model, that model's trainings only count for the question which images were used. Images that the
        grader does not recognize, such as augmented ones, contradict nothing; the message says that they are not
        confirmed. But if some of them are altered copies of images of another split, a person must judge it. Unknown
        figures of a generator or a custom training loop contradict nothing, either. A loop is validated if the model is
        used on other images than those of the training; `not_test` needs others than test images. Epochs that the
        grader cut off count as done. If the loss did not fall in a training that the grader cut short, a person must
        judge it. Only losses of the same loss function are compared.

    Why it matters:
        A test accuracy only means something if the training images are known.

    Example:
        `{check: trained, with: {model: cnn, epochs_at_least: 3, only_split: train, loss_falls: true}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    fits = trainings_of(case.evidence, model.id)
    if not fits:
        return Finding.failed(
            _never_trained(case, model),
            advice=say("Call `compile` and `fit` on it in this notebook."),
            measured={"epochs": 0},
            evidence=(Pointer(cell=model.cell, event=model.event),),
            lacks="training",
        )
    dataset = params.dataset or case.rubric.dataset
    behind = trainings_behind(case.evidence, model.id) or fits
    continued = trainings_behind(case.evidence, model.id, continued=True) or fits
    looks = images_outside(case.evidence, model.id, fits)
    conditions = Conditions.of(_conditions(case.evidence, fits, behind, continued, params, dataset, looks=looks))
    return conditions.finding(
        say("{model:code}: {observations}.", model=model.name, observations=conditions.message),
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


def _never_trained(case: Case, model: ModelFact) -> Message:
    evidence = case.evidence
    if any(fit.model == model.id for fit in evidence.failed_fits):
        return never_trained(case, model)
    loads = (s for s in evidence.saves if s.model == model.id and s.action in {"load", "load_weights"})
    load = next(loads, None)
    if load is None:
        return say("{model:code} was created but never trained in this notebook.", model=model.name)
    if not load.path:
        return say("{model:code} was loaded from a file but never trained in this notebook.", model=model.name)
    return say(
        "{model:code} was loaded from {file:code} but never trained in this notebook.",
        model=model.name,
        file=PurePath(load.path).name,
    )


def _conditions(  # noqa: PLR0913, PLR0917 - the trainings, by what they count for
    evidence: Evidence,
    fits: tuple[FitFact, ...],
    behind: tuple[FitFact, ...],
    continued: tuple[FitFact, ...],
    params: TrainedParams,
    dataset: str,
    *,
    looks: Sequence[ArrayFact | None],
) -> Iterator[Condition]:
    yield _epochs(continued, params.epochs_at_least)
    if params.only_split is not None:
        yield _only_split(behind, dataset, params.only_split)
    if params.rows_at_least is not None:
        yield _enough_rows(continued, params.rows_at_least)
    if params.loss_falls:
        # An earlier model can have another loss function, so use its loss only if one epoch alone shows nothing.
        chosen = continued if len(series(fits, "loss")) == 1 else fits
        compared = _with_one_loss(evidence, chosen)
        yield _loss(compared, own=all(_computes_own_loss(evidence, fit) for fit in compared))
    if params.validation is not None:
        yield _validation(fits, dataset, params.validation, looks=looks)


def _with_one_loss(evidence: Evidence, fits: tuple[FitFact, ...]) -> tuple[FitFact, ...]:
    """Choose the last trainings in a row with the same loss function, if possible with several epochs."""
    groups: list[list[FitFact]] = []
    last = None
    for fit in fits:
        loss = _loss_of(evidence, fit)
        if groups and (loss is None or last in {None, loss}):
            groups[-1].append(fit)
        else:
            groups.append([fit])
        last = loss or last
    several = [group for group in groups if len(series(group, "loss")) > 1]
    return tuple((several or groups)[-1])


def _computes_own_loss(evidence: Evidence, fit: FitFact) -> bool:
    """Whether a `fit` had a compiled model without a loss, so that code of the student's computed it."""
    compiled = evidence.compile_of(fit)
    return fit.kind == "fit" and compiled is not None and compiled.loss is None


def _loss_of(evidence: Evidence, fit: FitFact) -> tuple[str, str] | None:
    """Identify the loss function of a training by its name and label smoothing; None if it is unknown."""
    compiled = evidence.compile_of(fit)
    loss = fit.loss or (compiled.loss if compiled is not None else None)
    return None if loss is None else (canonical_loss(loss.name), str(loss.config.get("label_smoothing") or 0))


def _epochs_of(fit: FitFact) -> float | None:
    """Count the epochs of a training; None if unknown. In a custom loop, divide its images by the size of the array."""
    if fit.kind == "fit" or fit.epochs_done:
        return fit.epochs_done
    if not (fit.total_steps and fit.batch_size and _rows(fit.x)):
        return None
    return fit.total_steps * fit.batch_size / _rows(fit.x)


def _epochs(fits: tuple[FitFact, ...], wanted: int) -> Condition:
    counts = [epochs for epochs in map(_epochs_of, fits) if epochs is not None]
    if len(counts) < len(fits):
        loop = say("it was trained in a custom loop, so the grader could not count its epochs")
        return Condition("epochs", holds=True, seen=loop)
    # A loop may use only a part of the images. Its first epoch counts from its first step.
    done = sum(count if isinstance(count, int) else max(1, round(count)) for count in counts)
    cut = [f for f in fits if f.status == "stopped_by_budget" and f.epochs_asked]
    unknown = [f for f in cut_trainings(fits) if f not in cut]
    if done < wanted and unknown and all((f.epochs_asked or wanted) >= wanted for f in unknown):
        early = say_count(
            "it was stopped after {count:number} epoch, so it is unknown how long it would have been trained",
            "it was stopped after {count:number} epochs, so it is unknown how long it would have been trained",
            done,
        )
        return Condition("epochs", holds=None, seen=early)
    granted = done + sum(max(0, (f.epochs_asked or 0) - f.epochs_done) for f in cut)
    seen = say(
        "it was trained for {epochs} in {trainings}",
        epochs=_counted_epochs(done) if all(isinstance(count, int) for count in counts) else _about(sum(counts)),
        trainings=say_count("{count:number} training", "{count:number} trainings", len(fits)),
    )
    if granted > done:
        seen = say(
            "{training} (planned: {epochs}; the grader's time budget stopped it)",
            training=seen,
            epochs=_counted_epochs(granted),
        )
    if granted < wanted:
        seen = say("{training} ({count:number} or more required)", training=seen, count=wanted)
    return Condition("epochs", granted >= wanted, seen)


def _about(epochs: float) -> Message:
    """Say how many epochs the steps of a custom loop are."""
    return say("about {epochs:number} epochs", epochs=round(epochs, 1 if epochs >= 1 else 2))


def _counted_epochs(count: int) -> Message:
    return say_count("{count:number} epoch", "{count:number} epochs", count)


def _enough_rows(fits: tuple[FitFact, ...], wanted: int) -> Condition:
    """Count the images of the largest training; for generators, all batches together are an upper bound."""
    rows = max(f.rows_trained or 0 for f in fits)
    unseen = [f for f in fits if not _rows(f.x)]
    if rows >= wanted or not unseen:
        seen = say_count(
            "it was trained on {count:number} image ({wanted:number} or more required)",
            "it was trained on {count:number} images ({wanted:number} or more required)",
            rows,
            wanted=wanted,
        )
        return Condition("rows", rows >= wanted, seen)
    batches = [f.steps_asked * f.batch_size if f.batch_size and f.steps_asked is not None else None for f in unseen]
    most = sum(batch for batch in batches if batch is not None)
    if None not in batches and most < wanted:
        few = say_count(
            "all its batches together had {count:number} image ({wanted:number} different images or more required)",
            "all its batches together had {count:number} images ({wanted:number} different images or more required)",
            most,
            wanted=wanted,
        )
        return Condition("rows", holds=False, seen=few)
    return Condition("rows", holds=True, seen=say("the grader could not see how many different images its batches had"))


def _rows(array: ArrayFact | None) -> int:
    return (array.shape[0] or 0) if array is not None and array.shape else 0


def _counts(array: ArrayFact | None, dataset: str) -> dict[str, int] | None:
    rows = known_rows(array)
    if rows is None:
        return None
    return {split: count for split, count in rows.counts.items() if count} if rows.dataset == dataset else {}


def _learned(fit: FitFact, dataset: str) -> dict[str, int] | None:
    """Count the training images of each split; with several splits, include the images that were held back."""
    counts = _counts(fit.x, dataset)
    if counts is None or len(counts) != 1 or fit.rows_trained is None:
        return counts
    return {split: min(count, fit.rows_trained) for split, count in counts.items()}


def _only_split(fits: tuple[FitFact, ...], dataset: str, split: str) -> Condition:
    name = f"only-{split}"
    counts = [rows for rows in (_learned(f, dataset) for f in fits) if rows is not None]
    wrong = [rows for rows in counts if set(rows) - {split}]
    strangers = [rows for rows in counts if not rows]
    if wrong:
        others = say(
            "{training}, but only {split:split} images are allowed",
            training=_trained_on(wrong[0], dataset),
            split=split,
        )
        return Condition(name, holds=False, seen=others)
    if strangers:
        other = say("it was trained on images that are not from {dataset:dataset}", dataset=dataset)
        return Condition(name, holds=False, seen=other)
    copies = next((c for c in copies_in(fits) if c.dataset == dataset and c.split != split), None)
    if copies is not None:
        return Condition(name, holds=None, seen=describe_copies(copies))
    doubt = next(step_doubts(fits, dataset, lambda other: other != split), None)
    if doubt is not None:
        return Condition(name, holds=None, seen=doubt)
    if len(counts) < len(fits):
        unconfirmed = say(
            "the grader recognized no {dataset:dataset} image outside the {split:split} images, "
            "but it could not recognize every image",
            dataset=dataset,
            split=split,
        )
        return Condition(name, holds=True, seen=unconfirmed)
    return Condition(name, holds=True, seen=_trained_on(max(counts, key=lambda rows: rows[split]), dataset))


def _trained_on(rows: dict[str, int], dataset: str) -> Message:
    images = [
        say_count("{count:number} {split:split} image", "{count:number} {split:split} images", count, split=split)
        for split, count in sorted(rows.items())
    ]
    return say("it was trained on {images} of {dataset:dataset}", images=images, dataset=dataset)


def _loss(fits: tuple[FitFact, ...], *, own: bool) -> Condition:
    losses = series(fits, "loss")
    if own and not any(losses):
        # Keras 3 reports its own mean, which stays 0, instead of the loss that a `train_step` returns.
        losses = ()
    numbers = finite(losses)
    cut = bool(cut_trainings(fits))
    if len(losses) == len(numbers) and len(numbers) > 1:
        return _change(numbers[0], numbers[-1], cut=cut)
    loop = any(f.kind == "custom_loop" for f in fits)
    if cut and (losses or not loop):
        stopped = say("the grader's time limit stopped it before it could show whether the loss falls")
        return Condition("loss", holds=None, seen=stopped)
    if not losses:
        return _without_losses(fits)
    if len(numbers) < len(losses):
        return Condition("loss", holds=False, seen=say("the training loss became not a number"))
    single = say("a single epoch does not show whether the training loss falls")
    return Condition("loss", holds=False, seen=single)


def _change(first: float, last: float, *, cut: bool) -> Condition:
    """Judge the change of the loss; in a training that the grader cut short, it might have fallen later."""
    if last < first:
        fell = say("the training loss fell from {first:number} to {last:number}", first=first, last=last)
        return Condition("loss", holds=True, seen=fell)
    rose = say("the training loss did not fall ({first:number} to {last:number})", first=first, last=last)
    if cut:
        rose = say("{loss} before the grader's time limit stopped it", loss=rose)
    return Condition("loss", holds=None if cut else False, seen=rose)


def _without_losses(fits: tuple[FitFact, ...]) -> Condition:
    if any(f.kind == "custom_loop" for f in fits):
        return Condition("loss", holds=True, seen=say("the grader could not see the loss of a custom loop"))
    if any(f.epochs_done for f in fits):
        return Condition("loss", None, say("the grader could not see the training loss"))
    return Condition("loss", holds=False, seen=say("no training loss was recorded"))


def _validation(
    fits: tuple[FitFact, ...], dataset: str, wanted: str, *, looks: Sequence[ArrayFact | None]
) -> Condition:
    validated = [f for f in fits if f.validation != "none" or series((f,), "val_loss")]
    if not validated and looks and any(f.kind == "custom_loop" for f in fits):
        return _looked(looks, dataset, wanted)
    if not validated and any(f.kind == "custom_loop" for f in cut_trainings(fits)):
        stopped = say("the grader's time limit stopped its loop, which might have used validation data later")
        return Condition("validation", holds=None, seen=stopped)
    if not validated:
        return Condition("validation", holds=False, seen=say("its training had no validation data"))
    last = validated[-1]
    if last.overlap:
        common = say_count(
            "{count:number} validation image was also a training image",
            "{count:number} validation images were also training images",
            last.overlap,
        )
        return Condition("validation", holds=False, seen=common)
    test = _test_rows(validated, dataset)
    if wanted == "not_test" and test:
        on_test = say_count(
            "it was validated on {count:number} test image, which is not allowed",
            "it was validated on {count:number} test images, which is not allowed",
            test,
        )
        return Condition("validation", holds=False, seen=on_test)
    return Condition("validation", holds=True, seen=_validated_on(last, test))


def _looked(looks: Sequence[ArrayFact | None], dataset: str, wanted: str) -> Condition:
    """Judge the uses of a model from a custom loop on other images; unknown images contradict nothing."""
    loop = say_count(
        "it was trained in a custom loop and used on other data in {count:number} place",
        "it was trained in a custom loop and used on other data in {count:number} places",
        len(looks),
    )
    if wanted == "not_test" and all(set(_counts(x, dataset) or {}) == {"test"} for x in looks):
        seen = say("{loop}, always on test images, which is not allowed", loop=loop)
        return Condition("validation", holds=False, seen=seen)
    return Condition("validation", holds=True, seen=loop)


def _test_rows(fits: Iterable[FitFact], dataset: str) -> int:
    return max(((_counts(f.val_x, dataset) or {}).get("test", 0) for f in fits), default=0)


def _validated_on(fit: FitFact, test: int) -> Message:
    if fit.validation_split:
        return say(
            "it was validated on {part:percent} of the training data, which was held back", part=fit.validation_split
        )
    rows = _rows(fit.val_x)
    if not rows:
        return say("it was validated on other data")
    if test:
        return say_count(
            "it was validated on {count:number} image ({test:number} from the test set)",
            "it was validated on {count:number} images ({test:number} from the test set)",
            rows,
            test=test,
        )
    return say_count("it was validated on {count:number} image", "it was validated on {count:number} images", rows)

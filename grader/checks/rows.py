"""The check `rows`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.conditions import Condition, Conditions
from grader.checks.support.measures import measure
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import RoleName, TaskName, Whole, WithModel
from grader.checks.support.verdicts import never_trained
from grader.facts.case import Case
from grader.facts.lineage import with_past
from grader.facts.recognition import known_rows
from grader.facts.tasks import missing_classes, of_task, task_part
from grader.facts.uses import images_outside
from grader.facts.weights import trainings_of
from grader.schema.base import Assurance, Pointer
from grader.schema.evidence import ArrayFact, FitFact, ModelFact, RowsFact
from grader.schema.grade import Finding, MeasureLabel
from grader.schema.message import Message, say, say_count

__all__ = ["RowsParams", "rows"]


class RowsParams(WithModel):
    """Parameters of `rows`."""

    task: TaskName | None = None
    """Task whose images are allowed for training; by default any image of the rubric's data set."""
    split: str | None = "train"
    """Split of these images; null for any."""
    exactly: Annotated[Whole, Field(ge=1)] | None = None
    """Number of training images."""
    at_least: Annotated[Whole, Field(ge=1)] | None = None
    """The smallest number of training images."""
    at_most: Annotated[Whole, Field(ge=1)] | None = None
    """The largest number of training images."""
    validated: bool = False
    """Whether the training must have validation images of the same task."""
    not_test: bool = False
    """Whether the validation images that `validated` requires must be free of test images."""
    disjoint: bool = True
    """Whether training and validation images must have no image in common."""
    apart_from: RoleName | None = None
    """Role of a model that must have been trained on other images."""
    trainings: Literal["all", "first", "last"] = "all"
    """Which of the model's trainings."""
    partial: bool = False
    """Whether each condition earns its share of the points."""

    @property
    def needs_dataset(self) -> bool:
        """Whether the check uses the rubric's `dataset`."""
        return self.task is None


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "rows": measure(say("Images of each training"), "number list"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("rows", measures=_MEASURES)
def rows(case: Case, params: RowsParams) -> Finding:
    """The model was trained on the required images: their classes, their split and their number.

    What it does:
        Recognizes the images of every training by their pixels, and looks up their classes and splits. Labels and
        variable names do not matter. It counts the images, looks at the validation data, and can require that another
        model was trained on other images. If the images are not recognized, or the images on which a custom training
        loop was validated may overlap with them, a person must judge the criterion.

    Why it matters:
        Transfer learning is about little data. With more images than the task has, or with images of another task, a
        comparison shows nothing.

    Example:
        `{check: rows, with: {model: scratch, task: b, exactly: 200, validated: true, apart_from: first}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    fits = _chosen(trainings_of(case.past(params.model), model.id), params.trainings)
    if not fits:
        return Finding.failed(
            never_trained(case, model),
            advice=say("Call `compile` and `fit` on it in this notebook."),
            measured={"rows": []},
            evidence=(Pointer(cell=model.cell, event=model.event),),
            lacks="training",
        )
    conditions = Conditions.of(_conditions(case, params, fits))
    return conditions.finding(
        say("{model:code}: {observations}.", model=model.name, observations=conditions.message),
        {
            "assurance": Assurance.RECORDED,
            "measured": {"rows": [fit.rows_trained for fit in fits]},
            "evidence": tuple(Pointer(cell=f.cell, event=f.event) for f in fits),
        },
        partial=params.partial,
    )


def _chosen(fits: tuple[FitFact, ...], which: str) -> tuple[FitFact, ...]:
    return fits[:1] if which == "first" else fits[-1:] if which == "last" else fits


def _count(array: ArrayFact | None) -> int | None:
    return array.shape[0] if array is not None and array.shape else None


def _conditions(case: Case, params: RowsParams, fits: tuple[FitFact, ...]) -> Iterator[Condition]:
    yield _images(case, params, fits)
    if params.split is not None:
        yield _split(params.split, fits)
    if (params.exactly, params.at_least, params.at_most) != (None, None, None):
        yield _number(params, fits)
    if params.validated:
        yield _validated(case, params, fits)
    if params.disjoint:
        yield _disjoint(case, fits)
    if params.apart_from is not None:
        yield _apart(case, params.apart_from, fits)


def _is_wanted(case: Case, params: RowsParams, array: ArrayFact | None) -> bool | None:
    images = known_rows(array)
    if images is None:
        return None
    return images.dataset == case.rubric.dataset if params.task is None else of_task(images, case.rubric, params.task)


def _meant(case: Case, params: RowsParams) -> Message:
    if params.task is None:
        return say("images of {dataset:dataset}", dataset=case.rubric.dataset)
    return say("images of the task {task:code}", task=params.task)


def _images(case: Case, params: RowsParams, fits: tuple[FitFact, ...]) -> Condition:
    meant = _meant(case, params)
    for fit in fits:
        wanted = _is_wanted(case, params, fit.x)
        if wanted is None:
            unknown = say(
                "the grader could not recognize the training images in {cell:cell} as {images}",
                cell=fit.cell,
                images=meant,
            )
            return Condition("images", None, unknown)
        if not wanted:
            rows = fit.x.rows if fit.x else None
            missing = missing_classes(rows, case.rubric, params.task) if params.task else ()
            part = task_part(rows, case.rubric, params.task) if params.task else 0.0
            if missing and part:
                classes = say_count(
                    "the training in {cell:cell} has no images of the class {classes:raw} of the task {task:code}",
                    "the training in {cell:cell} has no images of the classes {classes:raw} of the task {task:code}",
                    len(missing),
                    cell=fit.cell,
                    classes=missing,
                    task=params.task,
                )
                return Condition("images", holds=False, seen=classes)
            others = say(
                "only {part:percent} of the training images in {cell:cell} are {images}",
                part=part or 0.0,
                cell=fit.cell,
                images=meant,
            )
            return Condition("images", holds=False, seen=others)
    return Condition("images", holds=True, seen=say("it was trained only on {images}", images=meant))


def _split(split: str, fits: tuple[FitFact, ...]) -> Condition:
    for fit in fits:
        images = known_rows(fit.x)
        others = {name: count for name, count in images.counts.items() if count and name != split} if images else {}
        if others:
            counts = [
                say_count(
                    "{count:number} {split:split} image", "{count:number} {split:split} images", count, split=name
                )
                for name, count in others.items()
            ]
            used = say("the training in {cell:cell} used {images}", cell=fit.cell, images=counts)
            return Condition("split", holds=False, seen=used)
    if all(known_rows(fit.x) for fit in fits):
        return Condition(
            "split",
            holds=True,
            seen=say("all its images come from the {split:split} part of the data set", split=split),
        )
    return Condition("split", None, say("the grader could not see their split"))


def _number(params: RowsParams, fits: tuple[FitFact, ...]) -> Condition:
    for fit in fits:
        count = fit.rows_trained
        if count is None:
            unknown = say(
                "the number of training images in {cell:cell} is unknown ({wanted} required)",
                cell=fit.cell,
                wanted=_wanted(params),
            )
            return Condition("number", None, unknown)
        in_bounds = (params.at_least or 0) <= count <= (params.at_most or count)
        if not (in_bounds and count == (params.exactly or count)):
            wrong = say_count(
                "the training in {cell:cell} used {count:number} image ({wanted} required)",
                "the training in {cell:cell} used {count:number} images ({wanted} required)",
                count,
                cell=fit.cell,
                wanted=_wanted(params),
            )
            return Condition("number", holds=False, seen=wrong)
    counts = sorted({fit.rows_trained or 0 for fit in fits})
    return Condition("number", holds=True, seen=say("images per training: {counts:number}", counts=counts))


def _wanted(params: RowsParams) -> Message:
    if params.exactly is not None:
        return say("exactly {count:number}", count=params.exactly)
    if params.at_least is not None and params.at_most is not None:
        return say("{low:number} to {high:number}", low=params.at_least, high=params.at_most)
    if params.at_least is not None:
        return say("{low:number} or more", low=params.at_least)
    return say("{high:number} or less", high=params.at_most)


def _validated(case: Case, params: RowsParams, fits: tuple[FitFact, ...]) -> Condition:
    for fit in fits:
        if fit.validation == "split":
            continue  # These are training images, which `_images` judges.
        if fit.validation == "none":
            return _without_validation(fit)
        images = known_rows(fit.val_x)
        if params.not_test and images is not None and images.counts.get("test"):
            on_test = say_count(
                "the training in {cell:cell} was validated on {count:number} test image",
                "the training in {cell:cell} was validated on {count:number} test images",
                images.counts["test"],
                cell=fit.cell,
            )
            return Condition("validation", holds=False, seen=on_test)
        wanted = _is_wanted(case, params, fit.val_x)
        if wanted is None:
            unknown = say(
                "the grader could not recognize the validation images in {cell:cell} as {images}",
                cell=fit.cell,
                images=_meant(case, params),
            )
            return Condition("validation", None, unknown)
        if not wanted:
            others = say(
                "the validation images in {cell:cell} are not {images}", cell=fit.cell, images=_meant(case, params)
            )
            return Condition("validation", holds=False, seen=others)
    count = _count(fits[-1].val_x)
    if count is None:
        held_back = say("it was validated on a part of the training data that was held back")
        return Condition("validation", holds=True, seen=held_back)
    validated = say_count(
        "it was validated on {count:number} other such image",
        "it was validated on {count:number} other such images",
        count,
    )
    return Condition("validation", holds=True, seen=validated)


def _without_validation(fit: FitFact) -> Condition:
    if fit.kind == "custom_loop":
        unseen = say("the grader could not see the validation data of the custom loop in {cell:cell}", cell=fit.cell)
        return Condition("validation", None, unseen)
    without = say("the training in {cell:cell} had no validation data", cell=fit.cell)
    return Condition("validation", holds=False, seen=without)


def _disjoint(case: Case, fits: tuple[FitFact, ...]) -> Condition:
    for fit in fits:
        if fit.validation != "none" and fit.overlap:
            common = say_count(
                "{count:number} image was used for both training and validation in {cell:cell}",
                "{count:number} images were used for both training and validation in {cell:cell}",
                fit.overlap,
                cell=fit.cell,
            )
            return Condition("disjoint", holds=False, seen=common)
    unseen = any(fit.validation != "none" and fit.overlap is None for fit in fits)
    # The validation of a custom loop is not recorded, only that its model was used.
    loops = tuple(fit for fit in fits if fit.kind == "custom_loop" and fit.validation == "none")
    if unseen or (loops and _may_overlap(images_outside(case.evidence, loops[0].model, loops), loops)):
        return Condition("disjoint", None, say("the grader could not see whether training and validation overlap"))
    return Condition("disjoint", holds=True, seen=say("no image was used for both training and validation"))


def _may_overlap(uses: Iterable[ArrayFact | None], loops: Iterable[FitFact]) -> bool:
    """Whether images on which a model was used may be training images of its custom loops: in no other split."""
    trained = [_splits(fit.x) for fit in loops]
    return any(not _splits(use) or any(not other or _splits(use) & other for other in trained) for use in uses)


def _splits(array: ArrayFact | None) -> set[tuple[str, str]]:
    """Return the data sets and splits of an array's images; empty if they are unknown."""
    images = known_rows(array)
    return set() if images is None else {(images.dataset, split) for split, count in images.counts.items() if count}


def _apart(case: Case, role: str, fits: tuple[FitFact, ...]) -> Condition:
    match = case.resolve(role)
    # If it is unclear which model has the role, the answer can still be the same for each of them.
    ids = match.candidates if match.model is None else (match.model,)
    answers = [
        _apart_from(case, role, other, fits) for model in ids if (other := case.evidence.model(model)) is not None
    ]
    if answers and len({answer.holds for answer in answers}) == 1:
        return answers[-1]
    unclear = say("it is unclear which model is {role:code} ({reason})", role=role, reason=match.message)
    if not ids and not match.unseen:
        return Condition("apart", holds=False, seen=unclear)
    return Condition("apart", None, unclear)


def _apart_from(case: Case, role: str, other: ModelFact, fits: tuple[FitFact, ...]) -> Condition:
    past = with_past(case.evidence, other.id, case.resolve(role).candidates)
    theirs = [known_rows(fit.x) for fit in past.fits_of(other.id)]
    ours = [known_rows(fit.x) for fit in fits]
    common = [_common(one, two) for one in ours for two in theirs if one is not None and two is not None]
    if not theirs or None in theirs or None in ours or None in common:
        unknown = say("the grader could not see whether {model:code} was trained on other images", model=other.name)
        return Condition("apart", None, unknown)
    if any(common):
        same = say("{model:code} was trained on images of the same classes", model=other.name)
        return Condition("apart", holds=False, seen=same)
    return Condition("apart", holds=True, seen=say("{model:code} was trained on other images", model=other.name))


def _common(one: RowsFact, two: RowsFact) -> bool | None:
    """Whether two arrays may hold the same images; None if their classes are unknown."""
    if one.dataset != two.dataset:
        return False
    if not one.classes or not two.classes:
        return None
    # A data set can have the same image in two classes, so a few such images do not make a common class.
    return any(two.classes.get(name, 0) > _strays(two) and count > _strays(one) for name, count in one.classes.items())


def _strays(images: RowsFact) -> float:
    return 0.002 * sum(images.classes.values())

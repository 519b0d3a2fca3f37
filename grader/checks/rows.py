"""The check `rows`."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.conditions import Condition, Conditions
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import RoleName, TaskName, Whole, WithModel
from grader.facts.case import Case
from grader.facts.language import english
from grader.facts.recognition import known_rows
from grader.facts.tasks import of_task, task_part
from grader.facts.wording import listed, number, percent, plural, spoken_dataset, spoken_split
from grader.schema.base import Assurance, Pointer, spoken_cell
from grader.schema.evidence import ArrayFact, FitFact, RowsFact
from grader.schema.grade import Finding

__all__ = ["RowsParams", "rows"]


class RowsParams(WithModel):
    """Parameters of `rows`."""

    task: TaskName | None = None
    """Task whose images alone may be trained on; left out: any of the rubric's data set."""
    split: str | None = "train"
    """Split that they are of."""
    exactly: Annotated[Whole, Field(ge=1)] | None = None
    """Number of training images."""
    at_least: Annotated[Whole, Field(ge=1)] | None = None
    """Fewest training images."""
    at_most: Annotated[Whole, Field(ge=1)] | None = None
    """Most training images."""
    validated: bool = False
    """Whether validation images of the same task have to be watched."""
    disjoint: bool = True
    """Whether no image may be both trained on and watched as validation data."""
    apart_from: RoleName | None = None
    """Role of a network that has to have been trained on other images."""
    trainings: Literal["all", "first", "last"] = "all"
    """Which of the network's trainings."""
    partial: bool = False
    """Give the part of the points that corresponds to the part of the conditions that hold."""


@check("rows")
def rows(case: Case, params: RowsParams) -> Finding:
    """The network was trained on the images it was meant to see: these classes, this split, so many.

    What it does:
        Recognises the images of every training by their pixels and looks up which class and which split they belong
        to, whatever labels or names the notebook gave them. Counts them; says what was watched as validation data; and
        looks whether another network was trained on other images. What cannot be recognised does not count as held.

    Why it matters:
        Transfer learning is about little data. With more images than the task has, or with the other task's, a
        comparison shows nothing.

    Example:
        `{check: rows, with: {model: scratch, task: b, exactly: 200, validated: true, apart_from: first}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    fits = _chosen(case.past(params.model).fits_of(model.id), params.trainings)
    if not fits:
        return Finding.failed(
            f"`{model.name}` was never trained.",
            advice="Call `compile` and `fit` on it in this notebook.",
            measured={"rows": []},
            evidence=(Pointer(cell=model.cell, event=model.event),),
        )
    conditions = Conditions.of(_conditions(case, params, fits))
    return conditions.finding(
        f"`{model.name}`: {conditions.text}.",
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
        yield _disjoint(fits)
    if params.apart_from is not None:
        yield _apart(case, params.apart_from, fits)


def _is_wanted(case: Case, params: RowsParams, array: ArrayFact | None) -> bool | None:
    found = known_rows(array)
    if found is None:
        return None
    return found.dataset == case.rubric.dataset if params.task is None else of_task(found, case.rubric, params.task)


def _meant(case: Case, params: RowsParams) -> str:
    if params.task is None:
        return f"images of {spoken_dataset(case.rubric.dataset)}"
    return f"images of the task `{params.task}`"


def _images(case: Case, params: RowsParams, fits: tuple[FitFact, ...]) -> Condition:
    meant = _meant(case, params)
    for fit in fits:
        wanted = _is_wanted(case, params, fit.x)
        if wanted is None:
            said = f"the images of the training in {spoken_cell(fit.cell)} could not be recognised as {meant}"
            return Condition("images", None, said)
        if not wanted:
            part = task_part(fit.x.rows if fit.x else None, case.rubric, params.task) if params.task else 0.0
            said = f"of the images trained on in {spoken_cell(fit.cell)} only {percent(part or 0.0)} are {meant}"
            return Condition("images", holds=False, seen=said)
    return Condition("images", holds=True, seen=f"trained on {meant} alone")


def _split(split: str, fits: tuple[FitFact, ...]) -> Condition:
    for fit in fits:
        found = known_rows(fit.x)
        others = {name: count for name, count in found.counts.items() if count and name != split} if found else {}
        if others:
            told = listed(f"{number(count)} {spoken_split(name)} images" for name, count in others.items())
            return Condition("split", holds=False, seen=f"{told} were trained on in {spoken_cell(fit.cell)}")
    seen = all(known_rows(fit.x) for fit in fits)
    told = f"all of them {spoken_split(split)} images" if seen else "their split could not be told"
    return Condition("split", seen or None, told)


def _number(params: RowsParams, fits: tuple[FitFact, ...]) -> Condition:
    wanted = f"exactly {number(params.exactly)}" if params.exactly is not None else _bounds(params)
    for fit in fits:
        count = fit.rows_trained
        if count is None:
            said = f"the number of images in {spoken_cell(fit.cell)} is not known ({wanted} wanted)"
            return Condition("number", None, said)
        fits_in = (params.at_least or 0) <= count <= (params.at_most or count)
        if not (fits_in and count == (params.exactly or count)):
            said = f"trained on {plural(count, 'image')} in {spoken_cell(fit.cell)} ({wanted} wanted)"
            return Condition("number", holds=False, seen=said)
    counts = sorted({fit.rows_trained or 0 for fit in fits})
    return Condition("number", holds=True, seen=f"{listed(number(c) for c in counts)} images in each training")


def _bounds(params: RowsParams) -> str:
    low = f"at least {number(params.at_least)}" if params.at_least is not None else ""
    high = f"at most {number(params.at_most)}" if params.at_most is not None else ""
    return listed(part for part in (low, high) if part)


def _validated(case: Case, params: RowsParams, fits: tuple[FitFact, ...]) -> Condition:
    for fit in fits:
        if fit.validation == "split":
            continue  # a part of the training images, which are judged by themselves
        if fit.validation == "none":
            return Condition("validation", holds=False, seen=f"no validation data in {spoken_cell(fit.cell)}")
        wanted = _is_wanted(case, params, fit.val_x)
        if not wanted:
            verb = "are not" if wanted is False else "could not be recognised as"
            said = f"the validation images in {spoken_cell(fit.cell)} {verb} {_meant(case, params)}"
            return Condition("validation", wanted, said)
    count = _count(fits[-1].val_x)
    told = f"watched on {number(count)} more of them" if count is not None else "watched on a part held back"
    return Condition("validation", holds=True, seen=told)


def _disjoint(fits: tuple[FitFact, ...]) -> Condition:
    for fit in fits:
        if fit.validation != "none" and fit.overlap:
            said = f"{plural(fit.overlap, 'image')} were both trained on and watched in {spoken_cell(fit.cell)}"
            return Condition("disjoint", holds=False, seen=said)
    unknown = any(fit.validation != "none" and fit.overlap is None for fit in fits)
    told = "whether training and validation images overlap could not be told" if unknown else "none of them watched too"
    return Condition("disjoint", None if unknown else True, told)


def _apart(case: Case, role: str, fits: tuple[FitFact, ...]) -> Condition:
    other, reason = case.model(role)
    if other is None:
        return Condition("apart", None, f"the `{role}` it is to be apart from is not clear ({english(reason)})")
    theirs = [known_rows(fit.x) for fit in case.past(role).fits_of(other.id)]
    ours = [known_rows(fit.x) for fit in fits]
    common = [_common(one, two) for one in ours for two in theirs if one is not None and two is not None]
    if not theirs or None in theirs or None in ours or None in common:
        return Condition("apart", None, f"whether `{other.name}` was trained on other images could not be told")
    if any(common):
        return Condition("apart", holds=False, seen=f"`{other.name}` was trained on images of the same classes")
    return Condition("apart", holds=True, seen=f"`{other.name}` was trained on other images")


def _common(one: RowsFact, two: RowsFact) -> bool | None:
    """Whether two arrays may hold the same images; None where their classes are not known."""
    if one.dataset != two.dataset:
        return False
    if not one.classes or not two.classes:
        return None
    # Identical images of two classes can be taken for each other, so a few strays do not make a common class.
    return any(two.classes.get(name, 0) > _strays(two) and count > _strays(one) for name, count in one.classes.items())


def _strays(found: RowsFact) -> float:
    return 0.002 * sum(found.classes.values())

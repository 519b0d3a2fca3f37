"""The check `prepared`."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field, model_validator

from grader.checks.registry import check
from grader.checks.support.conditions import Condition, Conditions
from grader.checks.support.params import Number, Params, Part, Whole
from grader.facts.case import Case
from grader.facts.wording import decimal, listed, number, percent, spoken_dataset, spoken_shape, spoken_split
from grader.schema.base import Assurance, Pointer, spoken_cell
from grader.schema.evidence import NamedArrayFact, NamedLabelFact
from grader.schema.grade import Finding, FindingDetails
from grader.schema.rubric import Slug

__all__ = ["LabelForm", "PreparedParams", "Scale", "prepared"]

_NEARLY_ALL = 0.99
"""Part of an array's images, or of its labels, that has to be as asked: a data set can hold an image twice."""
_SAME = 1e-3
"""How far scale (relatively) and shift (absolutely) may lie from what is asked."""
_MOST_ARRAYS = 30
"""Arrays that are tried as parts, the latest ones; with two parts that makes 870 pairs."""


class Scale(Params):
    """A formula for pixels: `x / divide_by + add`."""

    divide_by: Annotated[Number, Field(gt=0)] = 255.0
    """What raw pixels (0 to 255) are divided by."""
    add: Number = 0.0
    """What is added then; -0.5 for `x / 255 - 0.5`."""

    def __str__(self) -> str:
        """Say the formula."""
        return f"x / {self.divide_by:g}" + (f" {'-' if self.add < 0 else '+'} {abs(self.add):g}" if self.add else "")


class LabelForm(Params):
    """What labels have to look like."""

    one_hot: bool = True
    """Whether each label is a row with a single 1; else a number."""
    classes: Annotated[Whole, Field(ge=2)] | None = None
    """Columns of a one-hot table, or different numbers."""


class PreparedParams(Params):
    """Parameters of `prepared`."""

    dataset: Slug
    """The data set whose images are looked for among the notebook's variables."""
    of: Annotated[str, Field(min_length=1)] | None = "train"
    """Split of the data set that they have to come from; null for any."""
    parts: Mapping[str, Annotated[Number, Field(gt=0, le=1)]] = Field(default_factory=dict, max_length=3)
    """Names of the parts and the part of all images in each, such as `{train: 0.7, validation: 0.3}`; they add up to 1.
    Left out: one array will do."""
    tolerance: Part = 0.01
    """How far each part may be from that."""
    images: Annotated[Whole, Field(ge=1)] | None = None
    """How many images the parts hold together; left out: any number."""
    disjoint: bool = True
    """Whether no image may be in two parts."""
    scale: Scale | None = None
    """How raw pixels have to be scaled; left out: in any way."""
    labels: LabelForm | None = None
    """The form of the labels that belong to the images; left out: none are looked for."""
    partial: bool = False
    """Give the part of the points that corresponds to the part of the conditions that hold: split, scale, labels."""

    @model_validator(mode="after")
    def _parts_are_a_whole(self) -> Self:
        if self.parts and not math.isclose(sum(self.parts.values()), 1.0, abs_tol=1e-6):
            message = f"the parts add up to {sum(self.parts.values()):g}, not 1"
            raise ValueError(message)
        return self


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Arrays that may be the parts, in the order of the parts, with what holds of them."""

    arrays: tuple[NamedArrayFact, ...]
    conditions: Conditions
    labels: tuple[NamedLabelFact, ...]
    distance: float
    """How far the sizes are from what is asked."""

    def rank(self) -> tuple[int, int, int, float]:
        """The better, the larger; what could not be seen may be right."""
        faults = len(self.conditions.missed) - len(self.conditions.unseen)
        return -faults, len(self.conditions.met), len(self.arrays), -self.distance


@check("prepared")
def prepared(case: Case, params: PreparedParams) -> Finding:
    """The notebook's variables hold a data set that was split, scaled and labelled as asked, trained on or not.

    What it does:
        Looks at what the variables held when the notebook ended. Images are recognised by their pixels, whatever they
        are called and in whatever order the steps were done: which rows of the data set each array holds, by which
        formula they were made from raw pixels, and which images two arrays share. Labels belong to images where they
        name the true class in the same row. Of all arrays those are judged that fulfil most of the conditions. Arrays
        that were too many or too large to be compared are left to a person.

    Why it matters:
        A preparation can be wrong without an error: a validation part that overlaps the training part, labels that
        were not shuffled along with the images, pixels that were scaled twice.

    Example:
        `{check: prepared, with: {dataset: cifar10, parts: {train: 0.7, validation: 0.3}, scale: {add: -0.5},
        labels: {classes: 10}}}`
    """
    arrays = [a for a in case.evidence.arrays if (a.rows_of or "").partition("/")[0] == params.dataset]
    if not arrays:
        return _nothing(case, params)
    tuples = _choices(arrays[-_MOST_ARRAYS:], max(1, len(params.parts)))
    best = max((_judged(chosen, case, params) for chosen in tuples), key=_Candidate.rank)
    details: FindingDetails = {
        "assurance": Assurance.RECORDED,
        "measured": {
            "arrays": [a.name for a in best.arrays],
            "images": [a.shape[0] if a.shape else None for a in best.arrays],
            "labels": [label.name for label in best.labels],
        },
        "evidence": _pointers(best),
    }
    message = _message(case, params, best)
    if best.conditions.unseen:
        return Finding.pending(message, **details | {"measured": {**details["measured"], **best.conditions.measured}})
    return best.conditions.finding(message, details, partial=params.partial)


def _choices(arrays: Sequence[NamedArrayFact], count: int) -> Iterator[tuple[NamedArrayFact, ...]]:
    """Every way to take arrays for the parts, and for the first parts alone."""
    for taken in range(1, min(count, len(arrays)) + 1):
        yield from itertools.permutations(arrays, taken)


def _pointers(best: _Candidate) -> tuple[Pointer, ...]:
    cells = (*(a.cell for a in best.arrays), *(label.cell for label in best.labels))
    return tuple(Pointer(cell=cell) for cell in dict.fromkeys(cells) if cell is not None)


def _message(case: Case, params: PreparedParams, best: _Candidate) -> str:
    told = best.conditions.text
    text = f"{told[:1].upper()}{told[1:]}."
    if best.conditions.unseen:
        text += " A person has to judge what could not be seen."
    return text + _stand_in(case, params)


def _stand_in(case: Case, params: PreparedParams) -> str:
    if params.dataset not in case.evidence.stand_ins:
        return ""
    title = spoken_dataset(params.dataset)
    return f" Judged on a stand-in of the same shape: {title} itself was not on the grader's machine."


def _nothing(case: Case, params: PreparedParams) -> Finding:
    title = spoken_dataset(params.dataset)
    loads = [d for d in case.evidence.datasets if d.dataset == params.dataset]
    served = next((d for d in loads if d.served), None)
    message = f"No variable of the notebook holds images that are recognised as {title}'s"
    if served is None:
        message += f", and {title} was {'asked for and not served' if loads else 'never loaded'}"
    elif case.evidence.run.cut_short:
        message += " (the notebook did not reach its end, where its variables are looked at)"
    else:
        message += f", although it was loaded in {spoken_cell(served.cell)}"
    return Finding.failed(
        f"{message}.{_stand_in(case, params) if served else ''}",
        advice="Keep the prepared arrays in variables until the notebook's end.",
        assurance=Assurance.RECORDED,
        measured={"arrays": []},
        evidence=(Pointer(cell=served.cell, event=served.event),) if served else (),
    )


def _judged(arrays: tuple[NamedArrayFact, ...], case: Case, params: PreparedParams) -> _Candidate:
    conditions = [_origin(arrays, params)]
    labels: tuple[NamedLabelFact, ...] = ()
    if params.scale is not None:
        conditions.append(_scale(arrays, params.scale))
    if params.labels is not None:
        condition, labels = _labels(arrays, case.evidence.labels, params.labels)
        conditions.append(condition)
    return _Candidate(arrays, Conditions.of(conditions), labels, _distance(arrays, params))


def _named(fact: NamedArrayFact | NamedLabelFact) -> str:
    return f"`{fact.name}`" + (f" ({spoken_cell(fact.cell)})" if fact.cell is not None else "")


def _size(array: NamedArrayFact) -> int:
    return array.shape[0] or 0 if array.shape else 0


def _distance(arrays: tuple[NamedArrayFact, ...], params: PreparedParams) -> float:
    total = sum(_size(a) for a in arrays)
    wanted = list(params.parts.values()) or [1.0]
    return sum(abs(_size(a) / total - part) for a, part in zip(arrays, wanted, strict=False)) if total else 1.0


# --- which images ----------------------------------------------------------------------------------------------


def _origin(arrays: tuple[NamedArrayFact, ...], params: PreparedParams) -> Condition:
    sizes = [_size(array) for array in arrays]
    total = sum(sizes)
    said = f"{listed(_named(a) for a in arrays)} {_holding(sizes, total)}"
    faults = list(_size_faults(arrays, params, total))
    if not faults and any(array.rows is None for array in arrays):
        return Condition("split", None, f"{said}; which images these are was not compared one by one")
    faults += _row_faults(arrays, params)
    if faults:
        return Condition("split", holds=False, seen=f"{said}, {listed(faults)}")
    apart = ", none in common" if len(arrays) > 1 and params.disjoint else ""
    of = f" of {spoken_dataset(params.dataset)}'s {spoken_split(params.of)} set" if params.of else ""
    return Condition("split", holds=True, seen=f"{said}{of}{apart}")


def _holding(sizes: Sequence[int], total: int) -> str:
    if len(sizes) == 1:
        return f"holds {number(total)} images"
    shares = listed(percent(size / total) for size in sizes) if total else "none"
    return f"hold {listed(number(size) for size in sizes)} images ({shares})"


def _size_faults(arrays: tuple[NamedArrayFact, ...], params: PreparedParams, total: int) -> Iterator[str]:
    wanted = params.parts
    if len(arrays) < len(wanted):
        yield f"and not {listed(f'{percent(part)} {name}' for name, part in wanted.items())} in variables of their own"
        return
    if wanted and any(
        abs(_size(a) / max(1, total) - part) > params.tolerance for a, part in zip(arrays, wanted.values(), strict=True)
    ):
        yield f"and not {listed(percent(part) for part in wanted.values())}"
    if params.images is not None and abs(total - params.images) > params.tolerance * params.images:
        yield f"{number(total)} together instead of {number(params.images)}"


def _row_faults(arrays: tuple[NamedArrayFact, ...], params: PreparedParams) -> Iterator[str]:
    for array in arrays:
        rows = array.rows
        if rows is None:
            continue
        size = max(1, _size(array))
        if rows.matched < _NEARLY_ALL:
            yield f"of which in `{array.name}` only {percent(rows.matched)} are recognised"
        elif params.of is not None and rows.counts.get(params.of, 0) < _NEARLY_ALL * size:
            others = {split: count for split, count in rows.counts.items() if split != params.of and count}
            told = listed(f"{number(count)} of the {spoken_split(split)} set" for split, count in others.items())
            yield f"of which `{array.name}` has {told}"
        if rows.duplicates > (1 - _NEARLY_ALL) * size:
            yield f"of which `{array.name}` holds {number(rows.duplicates)} more than once"
    if params.disjoint:
        for one, other in itertools.combinations(arrays, 2):
            shared = one.common.get(other.name, 0)
            if shared:
                yield f"with {number(shared)} of them both in `{one.name}` and in `{other.name}`"


# --- how they are scaled ---------------------------------------------------------------------------------------


def _scale(arrays: tuple[NamedArrayFact, ...], wanted: Scale) -> Condition:
    holds = [_is_scaled(array, wanted) for array in arrays]
    wrong = [array for array, held in zip(arrays, holds, strict=True) if held is False]
    if wrong:
        seen = listed(f"{_named(array)} holds {_range(array)}" for array in wrong)
        return Condition("scale", holds=False, seen=f"{seen}, which is not {wanted}")
    if None in holds:
        unseen = listed(_named(array) for array, held in zip(arrays, holds, strict=True) if held is None)
        return Condition("scale", None, f"how the pixels of {unseen} were scaled was not compared")
    return Condition("scale", holds=True, seen=f"the pixels are {wanted}")


def _is_scaled(array: NamedArrayFact, wanted: Scale) -> bool | None:
    fact = array.transform
    if fact is None:
        return None if array.rows is None and _in_range(array, wanted) else False
    if fact.kind != "affine" or fact.scale is None or fact.shift is None:
        return False
    return abs(fact.scale * wanted.divide_by - 1) <= _SAME and abs(fact.shift - wanted.add) <= _SAME


def _in_range(array: NamedArrayFact, wanted: Scale) -> bool:
    """Whether the numbers that were seen could come from the formula."""
    if array.low is None or array.high is None:
        return False
    return wanted.add - _SAME <= array.low and array.high <= 255 / wanted.divide_by + wanted.add + _SAME


def _range(array: NamedArrayFact) -> str:
    if array.low is None or array.high is None:
        return "numbers that are not all finite"
    return f"numbers from {decimal(array.low)} to {decimal(array.high)}"


# --- their labels ----------------------------------------------------------------------------------------------


def _labels(
    arrays: tuple[NamedArrayFact, ...], labels: Sequence[NamedLabelFact], wanted: LabelForm
) -> tuple[Condition, tuple[NamedLabelFact, ...]]:
    """Judge the labels of each array, and name those that were judged."""
    if any(array.rows is None for array in arrays):
        return Condition("labels", None, "which labels belong to the images was not compared"), ()
    chosen = [(array, _fitting(array, labels, wanted)) for array in arrays]
    faults = [fault for array, label in chosen if (fault := _label_fault(array, label, wanted))]
    found = tuple(label for _, label in chosen if label is not None)
    if faults:
        return Condition("labels", holds=False, seen=listed(faults)), found
    shapes = listed(f"{_named(label)} of shape {spoken_shape(label.shape)}" for label in found)
    form = "one-hot" if wanted.one_hot else "numbers"
    return Condition("labels", holds=True, seen=f"{shapes}: the labels of these images, {form}"), found


def _fitting(array: NamedArrayFact, labels: Sequence[NamedLabelFact], wanted: LabelForm) -> NamedLabelFact | None:
    """The labels that belong to an array of images: of the right ones those of the right form, else the nearest."""
    as_many = [label for label in labels if array.name in label.right]

    def rank(label: NamedLabelFact) -> tuple[bool, bool, float]:
        right = label.right[array.name]
        return right >= _NEARLY_ALL, _form_fault(label, wanted) is None, right

    return max(as_many, key=rank, default=None)


def _label_fault(array: NamedArrayFact, label: NamedLabelFact | None, wanted: LabelForm) -> str | None:
    if label is None:
        return f"no variable holds labels for the images in `{array.name}`"
    right = label.right[array.name]
    if right < _NEARLY_ALL:
        return f"{_named(label)} names the true class of only {percent(right)} of the images in `{array.name}`"
    return _form_fault(label, wanted)


def _form_fault(label: NamedLabelFact, wanted: LabelForm) -> str | None:
    if label.one_hot != wanted.one_hot:
        form = "one-hot rows, not numbers" if label.one_hot else "numbers, not one-hot rows"
        return f"{_named(label)} holds {form} (shape {spoken_shape(label.shape)})"
    columns = label.shape[1] if wanted.one_hot and len(label.shape) > 1 else len(label.classes)
    if wanted.classes is not None and columns != wanted.classes:
        return f"{_named(label)} tells {columns} classes apart, not {wanted.classes}"
    return None

"""The check `prepared`."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from grader.checks.registry import check
from grader.checks.support.conditions import Condition, Conditions
from grader.checks.support.measures import measure
from grader.checks.support.params import Number, Params, Part, Whole
from grader.facts.case import Case
from grader.facts.recognition import known_rows
from grader.schema.base import Assurance, Pointer
from grader.schema.evidence import DatasetFact, Evidence, FitFact, NamedArrayFact, NamedLabelFact, PipelineFact
from grader.schema.grade import Finding, FindingDetails, MeasureLabel
from grader.schema.message import Message, MessageLike, say, say_count, sentences
from grader.schema.rubric import Slug

__all__ = ["LabelForm", "PreparedParams", "Scale", "prepared"]

_NEARLY_ALL = 0.99
"""Part of an array's images or labels that must be right; not all, since a data set can hold an image twice."""
_SAME = 1e-3
"""Allowed difference of the scale (relative) and the shift (absolute)."""
_SHOWN = 3
"""Arrays that a message names."""
_MOST_ARRAYS = 30
"""Arrays that are tried as parts, the latest ones; with two parts these are 870 pairs."""


class Scale(Params):
    """A formula for pixels: `x / divide_by + add`."""

    divide_by: Annotated[Number, Field(gt=0)] = 255.0
    """Divisor of the raw pixels (0 to 255)."""
    add: Number = 0.0
    """Number that is added afterwards; -0.5 for `x / 255 - 0.5`."""

    def __str__(self) -> str:
        """Write the formula."""
        return f"x / {self.divide_by:g}" + (f" {'-' if self.add < 0 else '+'} {abs(self.add):g}" if self.add else "")


class LabelForm(Params):
    """The required form of labels."""

    one_hot: bool = True
    """Whether each label must be a row with a single 1, not a number."""
    classes: Annotated[Whole, Field(ge=2)] | None = None
    """Number of columns of one-hot labels, or of different numbers."""


class PreparedParams(Params):
    """Parameters of `prepared`."""

    dataset: Slug
    """The data set whose images the notebook's variables must hold."""
    of: Annotated[str, Field(min_length=1)] | None = "train"
    """Split of the data set that the images must come from; null for any."""
    parts: Mapping[str, Annotated[Number, Field(gt=0, le=1)]] = Field(default_factory=dict, max_length=3)
    """Names of the parts with their shares of all images, such as `{train: 0.7, validation: 0.3}`; the shares add up
    to 1. Without parts, one array is enough."""
    tolerance: Part = 0.01
    """Allowed difference of each share."""
    images: Annotated[Whole, Field(ge=1)] | None = None
    """Number of images in all parts together; by default any."""
    disjoint: bool = True
    """Whether the parts must have no image in common."""
    scale: Scale | None = None
    """The required scaling of raw pixels; by default any."""
    labels: LabelForm | None = None
    """The required form of the images' labels; by default labels are not judged."""
    partial: bool = False
    """Whether each condition (split, scale, labels) earns its share of the points."""

    @model_validator(mode="after")
    def _parts_are_a_whole(self) -> Self:
        if self.parts and not math.isclose(sum(self.parts.values()), 1.0, abs_tol=1e-6):
            message = f"the parts add up to {sum(self.parts.values()):g}, not 1"
            raise ValueError(message)
        return self


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Arrays that may be the parts, in the order of the parts, with their conditions."""

    arrays: tuple[NamedArrayFact, ...]
    conditions: Conditions
    labels: tuple[NamedLabelFact, ...]
    distance: float
    """Difference between their shares and the required ones."""

    def rank(self) -> tuple[int, int, int, float]:
        """Rank candidates, better ones higher; an open condition is no fault."""
        faults = len(self.conditions.missed) - len(self.conditions.unseen)
        return -faults, len(self.conditions.met), len(self.arrays), -self.distance

    def unless_hidden(self) -> "_Candidate":
        """Leave each missed condition open, because images that the grader cannot see may meet it."""
        items = (item if item.holds else replace(item, holds=None) for item in self.conditions.items)
        return replace(self, conditions=Conditions.of(items))


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "arrays": measure(say("Variables with images"), "code list"),
    "images": measure(say("Images in each of them"), "number list"),
    "labels": measure(say("Variables with their labels"), "code list"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("prepared", measures=_MEASURES)
def prepared(case: Case, params: PreparedParams) -> Finding:
    """The notebook's variables hold a data set that is split, scaled and labeled as required; no model has to use it.

    What it does:
        Looks at the variables at the end of the notebook. It recognizes images by their pixels, so names and the order
        of the steps do not matter. It finds the rows of the data set in each array, the formula that scaled the raw
        pixels, and the images that two arrays share. Labels belong to images if they name the true class in the same
        row. The check judges the arrays that meet the most conditions. A person must judge arrays that are too many or
        too large to compare, and images that only a `tf.data` pipeline, a generator or a training got.

    Why it matters:
        Preprocessing can be wrong without an error: a validation part with training images, labels that were not
        shuffled with the images, pixels that were scaled twice.

    Example:
        `{check: prepared, with: {dataset: cifar10, parts: {train: 0.7, validation: 0.3}, scale: {add: -0.5},
        labels: {classes: 10}}}`
    """
    arrays = [a for a in case.evidence.arrays if (a.rows_of or "").partition("/")[0] == params.dataset]
    if not arrays:
        return _nothing(case, params)
    tuples = _choices(arrays[-_MOST_ARRAYS:], max(1, len(params.parts)))
    best = max((_judged(chosen, case, params) for chosen in tuples), key=_Candidate.rank)
    hidden = _hidden(case.evidence, params.dataset)
    if hidden is not None:
        best = best.unless_hidden()
    details: FindingDetails = {
        "assurance": Assurance.RECORDED,
        "measured": {
            "arrays": [a.name for a in best.arrays],
            "images": [a.shape[0] if a.shape else None for a in best.arrays],
            "labels": [label.name for label in best.labels],
        },
        "evidence": _pointers(best),
    }
    message = _message(case, params, best, hidden if best.conditions.unseen else None)
    return best.conditions.finding(message, details, partial=params.partial)


def _choices(arrays: Sequence[NamedArrayFact], count: int) -> Iterator[tuple[NamedArrayFact, ...]]:
    """List every choice of arrays for the parts, or for the first parts only."""
    for length in range(1, min(count, len(arrays)) + 1):
        yield from itertools.permutations(arrays, length)


def _pointers(best: _Candidate) -> tuple[Pointer, ...]:
    cells = (*(a.cell for a in best.arrays), *(label.cell for label in best.labels))
    return tuple(Pointer(cell=cell) for cell in dict.fromkeys(cells) if cell is not None)


def _message(case: Case, params: PreparedParams, best: _Candidate, hidden: Message | None) -> Message:
    return sentences(
        say("{dataset:dataset}: {observations}.", dataset=params.dataset, observations=best.conditions.message),
        hidden,
        _stand_in(case, params),
    )


def _stand_in(case: Case, params: PreparedParams) -> MessageLike:
    if params.dataset not in case.evidence.stand_ins:
        return ""
    return say(
        "The grader's machine has no copy of {dataset:dataset}, so it used a stand-in of the same shape.",
        dataset=params.dataset,
    )


def _nothing(case: Case, params: PreparedParams) -> Finding:
    dataset = params.dataset
    loads = [d for d in case.evidence.datasets if d.dataset == dataset]
    served = next((d for d in loads if d.served), None)
    if loads and (hidden := _hidden(case.evidence, dataset)):
        reason, seen = hidden, False
    elif served is None and loads:
        reason = say("The notebook loads {dataset:dataset}, but the grader did not provide it.", dataset=dataset)
        seen = False
    elif served is None:
        reason, seen = say("The notebook never loads {dataset:dataset}.", dataset=dataset), True
    elif strangers := [a for a in case.evidence.arrays if a.rows_of is None]:
        return _unrecognized(strangers, dataset)
    elif case.evidence.run.cut_short:
        reason = say("The notebook did not reach its end, where the grader looks at its variables.")
        seen = True
    else:
        reason, seen = _loaded_only(served), False
    message = sentences(
        say("The grader recognizes no {dataset:dataset} images in the notebook's variables.", dataset=dataset),
        reason,
        _stand_in(case, params) if served else None,
    )
    details: FindingDetails = {
        "advice": say("Keep the preprocessed arrays in variables until the end of the notebook."),
        "assurance": Assurance.RECORDED,
        "measured": {"arrays": []},
        "evidence": (Pointer(cell=served.cell, event=served.event),) if served else (),
    }
    if seen:
        return Finding.failed(message, **details)
    return Finding.pending(sentences(message, say("A person must judge it.")), **details)


def _loaded_only(load: DatasetFact) -> Message:
    return say(
        "{dataset:dataset} was loaded in {cell:cell}, but at the end no variable holds its images: the grader cannot "
        "see how they were prepared.",
        dataset=load.dataset,
        cell=load.cell,
    )


def _hidden(evidence: Evidence, dataset: str) -> Message | None:
    """Name the places where the grader cannot see how images of a data set are prepared; None if there are none.

    These are pipelines and generators, whose code is not run for the record, and images that only a training used.
    """
    given = [p for p in evidence.pipelines if p.rows_of is None or p.rows_of.partition("/")[0] == dataset]
    if given:
        return say_count(
            "The grader does not run the pipeline or generator {pipelines}, which may prepare them.",
            "The grader does not run the pipelines and generators {pipelines}, which may prepare them.",
            len(given),
            pipelines=[_named(pipeline) for pipeline in given[:_SHOWN]],
        )
    sizes = {_size(array) for array in evidence.arrays}
    parts = [fit for fit in evidence.fits if _trains_on(fit, dataset, sizes)]
    if parts:
        return say(
            "The training in {cells:cell} used other images of {dataset:dataset}, which no variable holds.",
            cells=list(dict.fromkeys(fit.cell for fit in parts)),
            dataset=dataset,
        )
    return None


def _trains_on(fit: FitFact, dataset: str, sizes: set[int]) -> bool:
    """Whether a training used an array of a data set's images with another size than all the variables."""
    rows = known_rows(fit.x)
    count = fit.x.shape[0] if fit.x is not None and fit.x.shape else None
    return rows is not None and rows.dataset == dataset and count is not None and count not in sizes


def _unrecognized(arrays: Sequence[NamedArrayFact], dataset: str) -> Finding:
    return Finding.pending(
        say(
            "The grader recognizes no {dataset:dataset} images in the notebook's variables, but it could not recognize "
            "the images in {arrays}. A person must judge them.",
            dataset=dataset,
            arrays=[_named(array) for array in arrays[:_SHOWN]],
        ),
        assurance=Assurance.RECORDED,
        measured={"arrays": []},
        evidence=tuple(Pointer(cell=array.cell) for array in arrays[:_SHOWN] if array.cell is not None),
    )


def _judged(arrays: tuple[NamedArrayFact, ...], case: Case, params: PreparedParams) -> _Candidate:
    conditions = [_origin(arrays, params, _strangers(arrays, case.evidence))]
    labels: tuple[NamedLabelFact, ...] = ()
    if params.scale is not None:
        conditions.append(_scale(arrays, params.scale))
    if params.labels is not None:
        condition, labels = _labels(arrays, case.evidence.labels, params.labels)
        conditions.append(condition)
    return _Candidate(arrays, Conditions.of(conditions), labels, _distance(arrays, params))


def _named(fact: NamedArrayFact | NamedLabelFact | PipelineFact) -> Message:
    if fact.cell is None:
        return say("{variable:code}", variable=fact.name)
    return say("{variable:code} ({cell:cell})", variable=fact.name, cell=fact.cell)


def _size(array: NamedArrayFact) -> int:
    return array.shape[0] or 0 if array.shape else 0


def _distance(arrays: tuple[NamedArrayFact, ...], params: PreparedParams) -> float:
    total = sum(_size(a) for a in arrays)
    wanted = list(params.parts.values()) or [1.0]
    return sum(abs(_size(a) / total - part) for a, part in zip(arrays, wanted, strict=False)) if total else 1.0


# --- which images ----------------------------------------------------------------------------------------------


def _strangers(arrays: tuple[NamedArrayFact, ...], evidence: Evidence) -> list[NamedArrayFact]:
    """List unrecognized arrays with images of the same shape, which may be the missing parts."""
    shapes = {array.shape[1:] for array in arrays}
    return [array for array in evidence.arrays if array.rows_of is None and array.shape[1:] in shapes]


def _origin(
    arrays: tuple[NamedArrayFact, ...], params: PreparedParams, strangers: Sequence[NamedArrayFact]
) -> Condition:
    total = sum(_size(array) for array in arrays)
    images = _holding(arrays, total)
    faults = list(_size_faults(arrays, params, total))
    if not faults and any(array.rows is None for array in arrays):
        unseen = say("{observation}, but the grader did not compare them one by one", observation=images)
        return Condition("split", None, unseen)
    if faults and strangers:
        unseen = say(
            "{observation}, but the grader could not recognize the images in {arrays}",
            observation=images,
            arrays=[_named(array) for array in strangers[:_SHOWN]],
        )
        return Condition("split", None, unseen)
    faults += _row_faults(arrays, params)
    if faults:
        return Condition(
            "split", holds=False, seen=say("{observation}, but {faults}", observation=images, faults=faults)
        )
    if params.of:
        images = say("{observation} from the {split:split} set", observation=images, split=params.of)
    if len(arrays) > 1 and params.disjoint:
        images = say("{observation}, with no image in common", observation=images)
    return Condition("split", holds=True, seen=images)


def _holding(arrays: tuple[NamedArrayFact, ...], total: int) -> Message:
    names = [_named(array) for array in arrays]
    sizes = [_size(array) for array in arrays]
    if len(sizes) == 1:
        return say_count(
            "{array} holds {count:number} image", "{array} holds {count:number} images", total, array=names[0]
        )
    if not total:
        return say("{arrays} hold no images", arrays=names)
    return say(
        "{arrays} hold {sizes:number} images ({shares:percent})",
        arrays=names,
        sizes=sizes,
        shares=[size / total for size in sizes],
    )


def _size_faults(arrays: tuple[NamedArrayFact, ...], params: PreparedParams, total: int) -> Iterator[Message]:
    wanted = params.parts
    if len(arrays) < len(wanted):
        parts = [say("{share:percent} {part:raw}", share=share, part=name) for name, share in wanted.items()]
        yield say("separate variables must hold {parts}", parts=parts)
        return
    if wanted and any(
        abs(_size(a) / max(1, total) - part) > params.tolerance for a, part in zip(arrays, wanted.values(), strict=True)
    ):
        yield say("the shares must be {shares:percent}", shares=list(wanted.values()))
    if params.images is not None and abs(total - params.images) > params.tolerance * params.images:
        yield say(
            "together they hold {images:number} images instead of {wanted:number}", images=total, wanted=params.images
        )


def _row_faults(arrays: tuple[NamedArrayFact, ...], params: PreparedParams) -> Iterator[Message]:
    for array in arrays:
        yield from _faults_of_rows(array, params)
    if params.disjoint:
        for one, other in itertools.combinations(arrays, 2):
            shared = one.common.get(other.name, 0)
            if shared:
                yield say_count(
                    "{count:number} image is in both {first:code} and {second:code}",
                    "{count:number} images are in both {first:code} and {second:code}",
                    shared,
                    first=one.name,
                    second=other.name,
                )


def _faults_of_rows(array: NamedArrayFact, params: PreparedParams) -> Iterator[Message]:
    rows = array.rows
    if rows is None:
        return
    size = max(1, _size(array))
    if rows.matched < _NEARLY_ALL:
        yield say(
            "the grader recognizes only {part:percent} of the images in {array:code}",
            part=rows.matched,
            array=array.name,
        )
    elif params.of is not None and rows.counts.get(params.of, 0) < _NEARLY_ALL * size:
        others = [
            say_count("{count:number} {split:split} image", "{count:number} {split:split} images", count, split=split)
            for split, count in rows.counts.items()
            if split != params.of and count
        ]
        yield say("{array:code} has {images}", array=array.name, images=others)
    if rows.duplicates > (1 - _NEARLY_ALL) * size:
        yield say_count(
            "{array:code} holds {count:number} image more than once",
            "{array:code} holds {count:number} images more than once",
            rows.duplicates,
            array=array.name,
        )


# --- how they are scaled ---------------------------------------------------------------------------------------


def _scale(arrays: tuple[NamedArrayFact, ...], wanted: Scale) -> Condition:
    holds = [_is_scaled(array, wanted) for array in arrays]
    wrong = [array for array, held in zip(arrays, holds, strict=True) if held is False]
    if wrong:
        ranges = [_range(array) for array in wrong]
        fault = say("{ranges}, but the pixels must be {formula:code}", ranges=ranges, formula=str(wanted))
        return Condition("scale", holds=False, seen=fault)
    if None in holds:
        unseen = [_named(array) for array, held in zip(arrays, holds, strict=True) if held is None]
        return Condition("scale", None, say("the grader did not compare the scale of {arrays}", arrays=unseen))
    return Condition("scale", holds=True, seen=say("the pixels are {formula:code}", formula=str(wanted)))


def _is_scaled(array: NamedArrayFact, wanted: Scale) -> bool | None:
    fact = array.transform
    if fact is None:
        return None if array.rows is None and _in_range(array, wanted) else False
    if fact.kind != "affine" or fact.scale is None or fact.shift is None:
        return False
    return abs(fact.scale * wanted.divide_by - 1) <= _SAME and abs(fact.shift - wanted.add) <= _SAME


def _in_range(array: NamedArrayFact, wanted: Scale) -> bool:
    """Whether the range of the numbers fits the formula."""
    if array.low is None or array.high is None:
        return False
    return wanted.add - _SAME <= array.low and array.high <= 255 / wanted.divide_by + wanted.add + _SAME


def _range(array: NamedArrayFact) -> Message:
    if array.low is None or array.high is None:
        return say("{array} holds numbers that are not all finite", array=_named(array))
    return say(
        "{array} holds numbers from {low:number} to {high:number}", array=_named(array), low=array.low, high=array.high
    )


# --- their labels ----------------------------------------------------------------------------------------------


def _labels(
    arrays: tuple[NamedArrayFact, ...], labels: Sequence[NamedLabelFact], wanted: LabelForm
) -> tuple[Condition, tuple[NamedLabelFact, ...]]:
    """Judge the labels of each array; also return the judged labels."""
    if any(array.rows is None for array in arrays):
        return Condition("labels", None, say("the grader did not compare the labels with the images")), ()
    if any(_not_compared(array, labels) for array in arrays):
        return Condition("labels", None, say("the grader did not compare all labels with the images")), ()
    chosen = [(array, _fitting(array, labels, wanted)) for array in arrays]
    faults = [fault for array, label in chosen if (fault := _label_fault(array, label, wanted))]
    judged = tuple(label for _, label in chosen if label is not None)
    if faults:
        return Condition("labels", holds=False, seen=say("{faults}", faults=faults)), judged
    shapes = [say("{labels} of shape {shape:shape}", labels=_named(label), shape=label.shape) for label in judged]
    if wanted.one_hot:
        return Condition("labels", holds=True, seen=say("the labels are one-hot: {labels}", labels=shapes)), judged
    return Condition("labels", holds=True, seen=say("the labels are numbers: {labels}", labels=shapes)), judged


def _not_compared(array: NamedArrayFact, labels: Sequence[NamedLabelFact]) -> bool:
    """Whether the labels of an array may be among those that were compared with no images."""
    return all(array.name not in label.right for label in labels) and any(
        not label.right and label.shape[:1] == array.shape[:1] for label in labels
    )


def _fitting(array: NamedArrayFact, labels: Sequence[NamedLabelFact], wanted: LabelForm) -> NamedLabelFact | None:
    """Find the labels of an array of images; prefer right labels of the required form."""
    candidates = [label for label in labels if array.name in label.right]

    def rank(label: NamedLabelFact) -> tuple[bool, bool, float]:
        right = label.right[array.name]
        return right >= _NEARLY_ALL, _form_fault(label, wanted) is None, right

    return max(candidates, key=rank, default=None)


def _label_fault(array: NamedArrayFact, label: NamedLabelFact | None, wanted: LabelForm) -> Message | None:
    if label is None:
        return say("no variable holds labels for the images in {array:code}", array=array.name)
    right = label.right[array.name]
    if right < _NEARLY_ALL:
        return say(
            "{labels} names the true class of only {part:percent} of the images in {array:code}",
            labels=_named(label),
            part=right,
            array=array.name,
        )
    return _form_fault(label, wanted)


def _form_fault(label: NamedLabelFact, wanted: LabelForm) -> Message | None:
    if label.one_hot != wanted.one_hot:
        if label.one_hot:
            return say(
                "{labels} holds one-hot rows, not numbers (shape {shape:shape})",
                labels=_named(label),
                shape=label.shape,
            )
        return say(
            "{labels} holds numbers, not one-hot rows (shape {shape:shape})", labels=_named(label), shape=label.shape
        )
    columns = label.shape[1] if wanted.one_hot and len(label.shape) > 1 else len(label.classes)
    if wanted.classes is not None and columns != wanted.classes:
        return say(
            "{labels} has {classes:number} classes, not {wanted:number}",
            labels=_named(label),
            classes=columns,
            wanted=wanted.classes,
        )
    return None

"""The check `split`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Final

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.params import Part, WithModel
from grader.checks.support.verdicts import Candidate, Which, chosen_fits, judge, never_trained
from grader.facts.case import Case
from grader.schema.base import Pointer
from grader.schema.evidence import Evidence, FitFact, NamedArrayFact
from grader.schema.grade import Finding, MeasureLabel
from grader.schema.message import Message, say, say_count
from grader.schema.rubric import Slug

__all__ = ["SplitParams", "split"]


class SplitParams(WithModel):
    """Parameters of `split`."""

    train: Annotated[Part, Field(gt=0, lt=1)]
    """The training part of all images, between 0 and 1; the other images are for validation."""
    tolerance: Part = 0.01
    """Allowed difference from that part."""
    disjoint: bool = True
    """Whether the parts must have no image in common."""
    not_test: bool = False
    """Whether both parts must be free of test images."""
    variables: Slug | None = None
    """A data set: judge the sizes of the notebook's variables that hold its images, instead of a training."""
    trainings: Which = "any"
    """Which of the model's trainings: `any`, `all`, `first` or `last`."""


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "train": measure(say("Images for training"), "number"),
    "validation": measure(say("Images for validation"), "number"),
    "overlap": measure(say("Images in both"), "number"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("split", measures=_MEASURES)
def split(case: Case, params: SplitParams) -> Finding:
    """The images are split into a training part and a validation part of the required sizes, with no common image.

    What it does:
        Counts the training images and the validation images of each training, and compares them by their pixels. For
        variables that no model was trained on, it only compares the sizes; `prepared` compares their images too.

    Why it matters:
        A validation accuracy on training images does not show how the model does on new images.

    Example:
        `{check: split, with: {model: cnn, train: 0.7, tolerance: 0.005}}`
    """
    if params.variables is not None:
        return judge(
            list(_pairs(case.evidence, params.variables, params)),
            nothing=say("No two variables of the notebook hold images of {dataset:dataset}.", dataset=params.variables),
        )
    model, fits, missing = chosen_fits(case, params.model)
    if missing is not None:
        return missing
    return judge(
        [_candidate(fit, params) for fit in fits],
        nothing=never_trained(case, model),
        which=params.trainings,
        lacks="training",
    )


def _candidate(fit: FitFact, params: SplitParams) -> Candidate:
    pointer = Pointer(cell=fit.cell, event=fit.event)
    if fit.validation == "none":
        return _without_validation(fit, pointer)
    sizes = _sizes(fit)
    if sizes is None:
        subject = say("The training in {cell:cell}", cell=fit.cell)
        return Candidate(subject, (), pointer, unseen=(say("how many images it used"),))
    train, held = sizes
    overlap = "unknown" if fit.overlap is None else f"{fit.overlap:,}"
    unseen = say("whether an image is in both parts")
    return Candidate(
        subject=say(
            "The training in {cell:cell} used {training} and {validation} ({part:percent} for training)",
            cell=fit.cell,
            training=say_count("{count:number} training image", "{count:number} training images", train),
            validation=say_count("{count:number} validation image", "{count:number} validation images", held),
            part=train / (train + held),
        ),
        faults=(*_size_faults(train, held, params), *_row_faults(fit, params)),
        pointer=pointer,
        unseen=(unseen,) if params.disjoint and fit.overlap is None else (),
        measured={"train": train, "validation": held, "overlap": overlap},
    )


def _without_validation(fit: FitFact, pointer: Pointer) -> Candidate:
    if fit.kind == "custom_loop":
        subject = say("The training in {cell:cell} was a custom loop", cell=fit.cell)
        return Candidate(subject, (), pointer, unseen=(say("its validation data"),))
    subject = say("{cell:Cell} trained the model", cell=fit.cell)
    return Candidate(subject, (say("the training had no validation data"),), pointer)


def _sizes(fit: FitFact) -> tuple[int, int] | None:
    rows = fit.x.shape[0] if fit.x is not None and fit.x.shape else None
    if fit.validation == "split" and rows and fit.validation_split:
        train = fit.rows_trained or 0
        return train, rows - train
    held = fit.val_x.shape[0] if fit.val_x is not None and fit.val_x.shape else None
    return (rows, held) if rows and held else None


def _size_faults(train: int, held: int, params: SplitParams) -> Iterator[Message]:
    if abs(train / (train + held) - params.train) > params.tolerance:
        yield say("the training part must be {part:percent}", part=params.train)


def _row_faults(fit: FitFact, params: SplitParams) -> Iterator[Message]:
    if params.disjoint and fit.overlap:
        yield say_count("{count:number} image is in both parts", "{count:number} images are in both parts", fit.overlap)
    arrays = (fit.x, fit.val_x)
    test = sum(x.rows.counts.get("test", 0) for x in arrays if x is not None and x.rows is not None)
    if params.not_test and test:
        yield say_count("{count:number} of them is a test image", "{count:number} of them are test images", test)


def _pairs(evidence: Evidence, dataset: str, params: SplitParams) -> Iterator[Candidate]:
    arrays = [a for a in evidence.arrays if (a.rows_of or "").partition("/")[0] == dataset]
    sized = [(array, size) for array in arrays if array.shape and (size := array.shape[0])]
    for one, train in sized:
        for other, rest in sized:
            if one.name != other.name and train >= rest:
                yield _pair((one, train), (other, rest), params)


def _pair(one: tuple[NamedArrayFact, int], other: tuple[NamedArrayFact, int], params: SplitParams) -> Candidate:
    (first, train), (second, rest) = one, other
    return Candidate(
        subject=say(
            "{first:code} holds {training} and {second:code} holds {validation} ({part:percent} are in {first:code})",
            first=first.name,
            training=say_count("{count:number} image", "{count:number} images", train),
            second=second.name,
            validation=say_count("{count:number} image", "{count:number} images", rest),
            part=train / (train + rest),
        ),
        faults=tuple(_size_faults(train, rest, params)),
        pointer=Pointer(cell=first.cell),
        measured={"train": train, "validation": rest},
    )

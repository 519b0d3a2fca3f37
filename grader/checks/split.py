"""The check `split`."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.params import Part, WithModel
from grader.checks.support.verdicts import Candidate, Which, chosen_fits, judge, never_trained
from grader.facts.case import Case
from grader.facts.wording import number, percent, plural
from grader.schema.base import Pointer, spoken_cell
from grader.schema.evidence import Evidence, FitFact, NamedArrayFact
from grader.schema.grade import Finding
from grader.schema.rubric import Slug

__all__ = ["SplitParams", "split"]


class SplitParams(WithModel):
    """Parameters of `split`."""

    train: Annotated[Part, Field(gt=0, lt=1)]
    """The part of the images that is trained on; the rest is for validation."""
    tolerance: Part = 0.01
    """How far the part may be from that."""
    disjoint: bool = True
    """Whether no image may be in both parts."""
    not_test: bool = False
    """Whether no test image may be in either part."""
    variables: Slug | None = None
    """A data set: judge the sizes of the notebook's variables that hold its images, instead of a training."""
    trainings: Which = "any"
    """Which of the network's trainings: `any`, `all`, `first` or `last`."""


@check("split")
def split(case: Case, params: SplitParams) -> Finding:
    """The images were divided into a training part and a validation part of the right sizes, without a common image.

    What it does:
        Looks at how many images each training was given for training and for validation, and by their pixels whether
        any image is in both. Of variables that no network was given, only the sizes are looked at; `prepared`
        compares their images too.

    Why it matters:
        A validation accuracy on images that were also trained on tells nothing.

    Example:
        `{check: split, with: {model: cnn, train: 0.7, tolerance: 0.005}}`
    """
    if params.variables is not None:
        return judge(
            list(_pairs(case.evidence, params.variables, params)),
            nothing=f"No two variables of the notebook hold images of {params.variables}.",
        )
    model, fits, missing = chosen_fits(case, params.model)
    if missing is not None:
        return missing
    return judge([_candidate(fit, params) for fit in fits], nothing=never_trained(model), which=params.trainings)


def _candidate(fit: FitFact, params: SplitParams) -> Candidate:
    where = f"the training in {spoken_cell(fit.cell)}"
    pointer = Pointer(cell=fit.cell, event=fit.event)
    if fit.validation == "none":
        unseen = ("what it was validated on",) if fit.kind == "custom_loop" else ()
        return Candidate(f"{where} had no validation data", () if unseen else ("of its own",), pointer, unseen=unseen)
    sizes = _sizes(fit)
    if sizes is None:
        return Candidate(where, (), pointer, unseen=("how many images it was given",))
    train, held = sizes
    overlap = "unknown" if fit.overlap is None else number(fit.overlap)
    return Candidate(
        subject=(
            f"{where} was given {plural(train, 'image')} to train on and {number(held)} for validation "
            f"({percent(train / (train + held))} to train on)"
        ),
        faults=(*_size_faults(train, held, params), *_row_faults(fit, params)),
        pointer=pointer,
        unseen=("whether an image is in both parts",) if params.disjoint and fit.overlap is None else (),
        measured={"train": train, "validation": held, "overlap": overlap},
    )


def _sizes(fit: FitFact) -> tuple[int, int] | None:
    rows = fit.x.shape[0] if fit.x is not None and fit.x.shape else None
    if fit.validation == "split" and rows and fit.validation_split:
        train = fit.rows_trained or 0
        return train, rows - train
    held = fit.val_x.shape[0] if fit.val_x is not None and fit.val_x.shape else None
    return (rows, held) if rows and held else None


def _size_faults(train: int, held: int, params: SplitParams) -> Iterator[str]:
    if abs(train / (train + held) - params.train) > params.tolerance:
        yield f"and not {percent(params.train)}"


def _row_faults(fit: FitFact, params: SplitParams) -> Iterator[str]:
    if params.disjoint and fit.overlap:
        yield f"with {plural(fit.overlap, 'image')} in both parts"
    arrays = (fit.x, fit.val_x)
    test = sum(x.rows.counts.get("test", 0) for x in arrays if x is not None and x.rows is not None)
    if params.not_test and test:
        yield f"with {plural(test, 'test image')} among them"


def _pairs(evidence: Evidence, dataset: str, params: SplitParams) -> Iterator[Candidate]:
    held = [a for a in evidence.arrays if (a.rows_of or "").partition("/")[0] == dataset]
    sized = [(array, size) for array in held if array.shape and (size := array.shape[0])]
    for one, train in sized:
        for other, rest in sized:
            if one.name != other.name and train >= rest:
                yield _pair((one, train), (other, rest), params)


def _pair(one: tuple[NamedArrayFact, int], other: tuple[NamedArrayFact, int], params: SplitParams) -> Candidate:
    (first, train), (second, rest) = one, other
    return Candidate(
        subject=(
            f"`{first.name}` and `{second.name}` hold {number(train)} and {plural(rest, 'image')} "
            f"({percent(train / (train + rest))} in the first)"
        ),
        faults=tuple(_size_faults(train, rest, params)),
        pointer=Pointer(cell=first.cell),
        measured={"train": train, "validation": rest},
    )

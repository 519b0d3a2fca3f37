"""Pixels that were not scaled."""

import ast
import math
from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field

from grader.checks.registry import diagnostic
from grader.checks.support.params import Number, Params
from grader.checks.support.source_code import called_name, read_code
from grader.facts.case import Case
from grader.facts.layers import SCALING_LAYERS, Network, is_transform
from grader.facts.operations import is_opaque
from grader.schema.evidence import (
    ArrayFact,
    CallFact,
    CellFact,
    EvaluateFact,
    Evidence,
    FitFact,
    ModelFact,
    NamedArrayFact,
    PredictFact,
)
from grader.schema.grade import Diagnostic
from grader.schema.message import Message, say, say_count, sentences

__all__ = [
    "NormalisedArrayUnusedParams",
    "OtherScaleParams",
    "RawPixelsParams",
    "normalised_array_unused",
    "other_scale",
    "raw_pixels",
]


class RawPixelsParams(Params):
    """Parameters of `raw-pixels`."""

    high_above: Number = Field(default=100.0, gt=0)
    """Images count as raw if their largest pixel is above this. Scaled pixels stay far below 100; raw pixels reach 255
    in almost every batch."""


@diagnostic("raw-pixels")
def raw_pixels(case: Case, parameters: RawPixelsParams) -> tuple[Diagnostic, ...]:
    """The model was trained on pixels from 0 to 255.

    What it does:
        Looks at the range of each training's inputs, if they are images. Ignores a model that scales them before its
        first weights, in a layer or an operation such as `inputs / 255`, or that starts with an `Embedding`, whose
        inputs are the numbers of words or letters.

    Why it matters:
        Initializers and learning rates are made for inputs near 1. With inputs up to 255, the first steps are far too
        large.

    Example:
        `model.fit(X_train, y_train)` with the loaded `X_train`.
    """
    notes = []
    for fit in case.evidence.fits:
        if not _raw(fit, parameters.high_above) or fit.x is None or _scaled_inside(case, fit):
            continue
        notes.append(
            Diagnostic(
                id="raw-pixels",
                title=say("Pixels left at 0 to 255"),
                cell=fit.cell,
                message=sentences(_pixel_range(fit.cell, fit.x), say("The model does not scale them.")),
                advice=say(
                    "Divide the images by 255, or start the model with `Rescaling(1 / 255)`. Weights are initialized "
                    "for inputs near 1; larger inputs make the first training steps too large."
                ),
                model=fit.model,
            )
        )
    return tuple(notes)


def _pixel_range(cell: int | None, x: ArrayFact) -> Message:
    if x.names:
        return say(
            "The training in {cell:cell} used {array:code} with pixels from {low:number} to {high:number}.",
            cell=cell,
            array=x.names[0],
            low=x.low,
            high=x.high,
        )
    return say(
        "The training in {cell:cell} used pixels from {low:number} to {high:number}.", cell=cell, low=x.low, high=x.high
    )


def _raw(fit: FitFact, high_above: float) -> bool:
    return (
        fit.x is not None
        and not fit.x.mapped
        and fit.x.low is not None
        and fit.x.high is not None
        and fit.x.low >= 0
        and fit.x.high > high_above
        and _has_pixels(fit.x)
    )


def _has_pixels(x: ArrayFact) -> bool:
    """Whether an array holds images, and not columns of a table, words or series."""
    if x.rows is not None:
        return True
    row = tuple(size or 0 for size in x.shape[1:])
    if len(row) == 1:
        # A flattened square image, gray or in color.
        sides = (math.isqrt(row[0]), math.isqrt(row[0] // 3))
        square = row[0] in {sides[0] ** 2, 3 * sides[1] ** 2} and sides[1] >= _SMALLEST_SIDE
        return square and (x.high or 0) <= _BRIGHTEST
    return len(row) > 2 or (len(row) > 1 and min(row) >= _SMALLEST_SIDE and (x.high or 0) <= _BRIGHTEST)  # noqa: PLR2004 - height, width, channels


_BRIGHTEST = 255
_SMALLEST_SIDE = 8
"""Smallest side of an image; series have fewer columns."""


def _scaled_inside(case: Case, fit: FitFact) -> bool:
    model = case.evidence.model(fit.model)
    return model is not None and _scales_itself(model)


def _scales_itself(model: ModelFact) -> bool:
    for layer in Network(model).layers:
        if (
            layer.cls in {"Embedding", *SCALING_LAYERS}
            or is_opaque(layer)
            or layer.custom is not None
            or layer.cls == "Layer"
        ):
            return True
        if is_transform(layer):
            return False
    return False


class OtherScaleParams(RawPixelsParams):
    """Parameters of `evaluation-on-other-scale`."""

    scaled_up_to: Number = Field(default=20.0, gt=0)
    """Images count as scaled if no pixel is above this. Standardized pixels rarely exceed 20."""


@diagnostic("evaluation-on-other-scale")
def other_scale(case: Case, parameters: OtherScaleParams) -> tuple[Diagnostic, ...]:
    """The model was tested on pixels from 0 to 255 after a training on scaled pixels, or the reverse.

    What it does:
        Compares the range of the images in `evaluate`, `predict` and calls of a model with the range of all its
        trainings. Ignores data whose range is unknown, and models that were trained on both.

    Why it matters:
        The model has never seen such numbers, so its results on them mean nothing.

    Example:
        `model.fit(x_train / 255, y_train)`, then `model.evaluate(x_test, y_test)`.
    """
    notes: dict[str, Diagnostic] = {}
    evidence = case.evidence
    uses: list[EvaluateFact | PredictFact | CallFact] = [*evidence.evaluations, *evidence.predictions, *evidence.calls]
    for use in sorted(uses, key=lambda use: use.event):
        inputs = [fit.x for fit in evidence.fits_of(use.model)]
        scales = {_scale(x, parameters) for x in inputs}
        scale = _scale(use.x, parameters)
        model = evidence.model(use.model)
        if model is None or use.model in notes or None in {scale, *scales} or not scales or scale in scales:
            continue
        first = next(x for x in inputs if x is not None)
        notes[use.model] = Diagnostic(
            id="evaluation-on-other-scale",
            title=say("Tested on pixels of another scale"),
            cell=use.cell,
            message=_two_scales(model.name, use, first),
            advice=say(
                "Prepare all images in the same way: divide the test images by 255 if you divided the training images. "
                "A `Rescaling(1 / 255)` layer at the start of the model does this for every input."
            ),
            model=use.model,
        )
    return tuple(notes.values())


def _scale(x: ArrayFact | None, parameters: OtherScaleParams) -> Literal["raw", "scaled"] | None:
    """Return whether images have raw or scaled pixels; None if that is unknown or unclear."""
    if x is None or x.mapped or x.low is None or x.high is None or x.low == x.high or not _has_pixels(x):
        return None
    if x.low >= 0 and x.high > parameters.high_above:
        return "raw"
    return "scaled" if "int" not in x.dtype and x.high <= parameters.scaled_up_to else None


def _two_scales(model: str, use: EvaluateFact | PredictFact | CallFact, trained: ArrayFact) -> Message:
    tested = use.x
    return say(
        "{model:code} was trained on pixels from {low:number} to {high:number}. {cell:Cell} gave it pixels from "
        "{other_low:number} to {other_high:number}.",
        model=model,
        low=trained.low,
        high=trained.high,
        cell=use.cell,
        other_low=None if tested is None else tested.low,
        other_high=None if tested is None else tested.high,
    )


class NormalisedArrayUnusedParams(RawPixelsParams):
    """Parameters of `normalised-array-unused`."""

    span_up_to: Number = Field(default=20.0, gt=0)
    """Largest difference between the largest and the smallest value of a scaled array. Standardized MNIST pixels span
    about 3.3, and standardized columns rarely more than 20."""


@diagnostic("normalised-array-unused")
def normalised_array_unused(case: Case, parameters: NormalisedArrayUnusedParams) -> tuple[Diagnostic, ...]:
    """A scaled copy of the images was computed, but the images without this step were used.

    What it does:
        Looks for variables with a scaled copy of the images of a raw training that no model used. Ignores the trainings
        of a model that scales its inputs itself. Ignores a copy if another training used scaled pixels of the same
        images from a variable that is not older than the copy. That variable is probably a part of the copy. Also looks
        for a standardized copy (with values below 0) that no later code uses, if all trainings used pixels without
        values below 0.

    Why it matters:
        The scaling in the notebook never reached the model.

    Example:
        `X_trainX = X_train / 255.0`, then `model.fit(X_train, …)`.
    """
    unscaled = [fit for fit in case.evidence.fits if _raw(fit, parameters.high_above)]
    if not unscaled:
        return _standardised_unused(case.evidence, parameters.span_up_to)
    raw = [fit for fit in unscaled if not _scaled_inside(case, fit)]
    if not raw:
        return ()
    splits = {f"{f.x.rows.dataset}/{s}" for f in raw if f.x and f.x.rows for s, n in f.x.rows.counts.items() if n}
    datasets = {split.partition("/")[0] for split in splits}
    copies = [a for a in case.evidence.arrays if _scaled_copy(a, parameters.span_up_to)]
    unused = [a for a in copies if not a.used and not _in_part(case.evidence, a)]
    related = [a for a in unused if a.rows_of is not None and a.rows_of.partition("/")[0] in datasets]
    if not any(a.rows_of in splits for a in related):
        return ()
    first = raw[0]
    return (
        Diagnostic(
            id="normalised-array-unused",
            title=say("A normalized array is never used"),
            cell=first.cell,
            message=sentences(
                say_count(
                    "{arrays:code} contains scaled pixels, but no model used it.",
                    "{arrays:code} contain scaled pixels, but no model used them.",
                    len(related),
                    arrays=[array.name for array in related],
                ),
                _trained_on(first),
            ),
            advice=say(
                "Pass the scaled arrays to `fit` and `evaluate`. If you reuse one name (`x_train = x_train / 255`), no "
                "raw array is left that you could use by mistake."
            ),
            model=first.model,
        ),
    )


def _standardised_unused(evidence: Evidence, span_up_to: float) -> tuple[Diagnostic, ...]:
    """Note standardized copies of the training images that nothing uses, if no training used such images."""
    inputs = [fit.x for fit in evidence.fits]
    known = [x for x in inputs if x is not None and not x.mapped and x.low is not None and x.low >= 0]
    splits = {f"{x.rows.dataset}/{split}" for x in known if x.rows for split, n in x.rows.counts.items() if n}
    copies = [
        array
        for array in evidence.arrays
        if not array.used
        and array.rows_of in splits
        and (array.low or 0) < 0 < (array.high or 0)
        and _scaled_copy(array, span_up_to)
        and not _is_mentioned(evidence.cells, array.name)
    ]
    if len(known) < len(inputs) or not copies:
        return ()
    first = evidence.fits[0]
    return (
        Diagnostic(
            id="normalised-array-unused",
            title=say("A standardized array is never used"),
            cell=first.cell,
            message=sentences(
                say_count(
                    "{arrays:code} contains standardized pixels, but no later code uses it.",
                    "{arrays:code} contain standardized pixels, but no later code uses them.",
                    len(copies),
                    arrays=[array.name for array in copies],
                ),
                _trained_on(first),
            ),
            advice=say(
                "Pass the standardized arrays to `fit` and `evaluate`, or delete the step. If you reuse one name, no "
                "other array is left that you could use by mistake."
            ),
            model=first.model,
        ),
    )


_LOOKS = frozenset({"dtype", "max", "mean", "min", "ndim", "shape", "size", "std", "var"})
"""Attributes that only describe an array."""


def _is_mentioned(cells: Sequence[CellFact], name: str) -> bool:
    """Whether code may use an array: it reads the variable, except to describe or print it."""
    trees = read_code(cells)
    return trees is None or any(name in _reads(tree) for tree in trees.values())


def _reads(tree: ast.Module) -> Iterator[str]:
    shown = {
        id(inner)
        for node in ast.walk(tree)
        for inner in (
            (node.value,)
            if isinstance(node, ast.Attribute) and node.attr in _LOOKS
            else node.args
            if isinstance(node, ast.Call) and called_name(node) in {"print", "len", *_LOOKS}
            else ()
        )
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in shown:
            yield node.id


def _trained_on(fit: FitFact) -> Message:
    if fit.x is not None and fit.x.names:
        return say("{cell:Cell} trained on {array:code} instead.", cell=fit.cell, array=fit.x.names[0])
    return say("{cell:Cell} trained on other images instead.", cell=fit.cell)


def _in_part(evidence: Evidence, copy: NamedArrayFact) -> bool:
    """Whether a training may have used a part of a copy, which is a separate array."""
    made = {array.name: array.cell or 0 for array in evidence.arrays}
    inputs = (fit.x for fit in evidence.fits if fit.x is not None)
    return any(_within(x, copy) and any(made.get(name, -1) >= (copy.cell or 0) for name in x.names) for x in inputs)


def _within(x: ArrayFact, copy: NamedArrayFact) -> bool:
    """Whether an array contains only images and values of a scaled copy."""
    if x.rows is None or None in {x.low, x.high, copy.low, copy.high}:
        return False
    splits = {f"{x.rows.dataset}/{split}" for split, number in x.rows.counts.items() if number}
    return splits == {copy.rows_of} and (copy.low or 0) <= (x.low or 0) and (x.high or 0) <= (copy.high or 0)


def _scaled_copy(array: NamedArrayFact, span_up_to: float) -> bool:
    return "int" not in array.dtype and _small_span(array.low, array.high, span_up_to)


def _small_span(low: float | None, high: float | None, span_up_to: float) -> bool:
    return low is not None and high is not None and 0 < high - low <= span_up_to

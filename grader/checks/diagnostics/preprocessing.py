"""Pixels that were left as they were."""

from pydantic import Field

from grader.checks.registry import diagnostic
from grader.checks.support.params import Number, Params
from grader.facts.case import Case
from grader.facts.layers import SCALING_LAYERS, Network, is_transform
from grader.facts.operations import is_opaque
from grader.facts.wording import decimal, listed, number
from grader.schema.base import spoken_cell
from grader.schema.evidence import ArrayFact, Evidence, FitFact, ModelFact, NamedArrayFact
from grader.schema.grade import Diagnostic

__all__ = ["NormalisedArrayUnusedParams", "RawPixelsParams", "normalised_array_unused", "raw_pixels"]


class RawPixelsParams(Params):
    """Parameters of `raw-pixels`."""

    high_above: Number = Field(default=100.0, gt=0)
    """Images count as raw if their largest pixel is above this. Pixels brought to a small range stay far below 100;
    raw ones reach 255 in nearly every batch."""


@diagnostic("raw-pixels")
def raw_pixels(case: Case, parameters: RawPixelsParams) -> tuple[Diagnostic, ...]:
    """The network was trained on pixels from 0 to 255.

    What it does:
        Looks at the range of what each training was given, and whether the network scales it, in a layer or an
        operation such as `inputs / 255`, before its first weights.

    Why it matters:
        Initialisers and learning rates are made for inputs around 1; at 255 times that the first steps are far too
        large.

    Example:
        `model.fit(X_train, y_train)` with `X_train` as it was loaded.
    """
    notes = []
    for fit in case.evidence.fits:
        model = case.evidence.model(fit.model)
        if not _raw(fit, parameters.high_above) or fit.x is None or (model is not None and _scales_itself(model)):
            continue
        named = f" (`{fit.x.names[0]}`)" if fit.x.names else ""
        notes.append(
            Diagnostic(
                id="raw-pixels",
                title="Pixels left at 0 to 255",
                cell=fit.cell,
                message=(
                    f"The training in {spoken_cell(fit.cell)} was given pixels{named} from {_figure(fit.x.low)} to "
                    f"{_figure(fit.x.high)}, and the network does not scale them."
                ),
                advice=(
                    "Divide the images by 255, or begin the network with `Rescaling(1 / 255)`. Weights are initialised "
                    "for inputs around 1, and larger ones make the first steps of the training too large."
                ),
                model=fit.model,
            )
        )
    return tuple(notes)


def _figure(value: float | None) -> str:
    return "?" if value is None else number(value) if float(value).is_integer() else decimal(value)


def _raw(fit: FitFact, high_above: float) -> bool:
    return (
        fit.x is not None
        and not fit.x.mapped
        and fit.x.low is not None
        and fit.x.high is not None
        and fit.x.low >= 0
        and fit.x.high > high_above
    )


def _scales_itself(model: ModelFact) -> bool:
    for layer in Network(model).layers:
        if layer.cls in SCALING_LAYERS or is_opaque(layer) or layer.custom is not None or layer.cls == "Layer":
            return True
        if is_transform(layer):
            return False
    return False


class NormalisedArrayUnusedParams(RawPixelsParams):
    """Parameters of `normalised-array-unused`."""

    span_up_to: Number = Field(default=20.0, gt=0)
    """Largest distance between the smallest and the largest value of a scaled array. Standardised MNIST pixels span
    about 3.3, and standardised columns rarely more than 20."""


@diagnostic("normalised-array-unused")
def normalised_array_unused(case: Case, parameters: NormalisedArrayUnusedParams) -> tuple[Diagnostic, ...]:
    """A scaled copy of the images was computed, and the raw images were used.

    What it does:
        Looks for variables with a scaled copy of the same rows that a training was given raw, which no model was given.
        A copy is passed over where another training was given scaled pixels of its rows by a variable that was made no
        earlier: a part of the copy, most likely.

    Why it matters:
        The scaling that the notebook describes never reached the network.

    Example:
        `X_trainX = X_train / 255.0`, then `model.fit(X_train, …)`.
    """
    raw = [fit for fit in case.evidence.fits if _raw(fit, parameters.high_above)]
    if not raw:
        return ()
    splits = {f"{f.x.rows.dataset}/{s}" for f in raw if f.x and f.x.rows for s, n in f.x.rows.counts.items() if n}
    datasets = {split.partition("/")[0] for split in splits}
    copies = [a for a in case.evidence.arrays if _scaled_copy(a, parameters.span_up_to)]
    unused = [a for a in copies if not a.used and not _in_part(case.evidence, a)]
    beside = [a for a in unused if a.rows_of is not None and a.rows_of.partition("/")[0] in datasets]
    if not any(a.rows_of in splits for a in beside):
        return ()
    first = raw[0]
    names = listed(f"`{array.name}`" for array in beside)
    trained = f"`{first.x.names[0]}`" if first.x and first.x.names else "the raw images"
    return (
        Diagnostic(
            id="normalised-array-unused",
            title="A normalised array is never used",
            cell=first.cell,
            message=(
                f"{names} {'holds' if len(beside) == 1 else 'hold'} scaled pixels, but no model was ever given "
                f"{'it' if len(beside) == 1 else 'them'}: {spoken_cell(first.cell)} trained on {trained}."
            ),
            advice=(
                "Give the scaled arrays to `fit` and `evaluate`. Reusing one name (`x_train = x_train / 255`) leaves "
                "no raw array behind that can be taken by mistake."
            ),
            model=first.model,
        ),
    )


def _in_part(evidence: Evidence, copy: NamedArrayFact) -> bool:
    """Whether a training may have been given a part of a copy, which is then an array of its own."""
    made = {array.name: array.cell or 0 for array in evidence.arrays}
    given = (fit.x for fit in evidence.fits if fit.x is not None)
    return any(_within(x, copy) and any(made.get(name, -1) >= (copy.cell or 0) for name in x.names) for x in given)


def _within(x: ArrayFact, copy: NamedArrayFact) -> bool:
    """Whether an array holds no other images and no other values than a scaled copy does."""
    if x.rows is None or None in {x.low, x.high, copy.low, copy.high}:
        return False
    splits = {f"{x.rows.dataset}/{split}" for split, number in x.rows.counts.items() if number}
    return splits == {copy.rows_of} and (copy.low or 0) <= (x.low or 0) and (x.high or 0) <= (copy.high or 0)


def _scaled_copy(array: NamedArrayFact, span_up_to: float) -> bool:
    return "int" not in array.dtype and _small_span(array.low, array.high, span_up_to)


def _small_span(low: float | None, high: float | None, span_up_to: float) -> bool:
    return low is not None and high is not None and 0 < high - low <= span_up_to

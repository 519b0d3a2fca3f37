"""The check `normalised`."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import Number, Params
from grader.checks.support.verdicts import Candidate, Which, judge, never_trained
from grader.facts.case import Case
from grader.facts.layers import Network, is_transform
from grader.facts.operations import is_opaque, scaling_of
from grader.facts.weights import never_adapted, trainings_of
from grader.schema.base import Pointer
from grader.schema.evidence import ArrayFact, FitFact, LayerFact, ModelFact, NamedArrayFact
from grader.schema.grade import Finding, MeasureLabel
from grader.schema.message import Message, say, say_count
from grader.schema.rubric import Slug

__all__ = ["NormalisedParams", "normalised"]

Kind = Literal["unit", "centred", "symmetric", "standardised"]

_RANGES: dict[Kind, tuple[float, float]] = {"unit": (0.0, 1.0), "centred": (-0.5, 0.5), "symmetric": (-1.0, 1.0)}
_NORMALIZING = frozenset({"Normalization", "BatchNormalization"})


class NormalisedParams(Params):
    """Parameters of `normalised`."""

    model: str | None = None
    """A role of the rubric; by default the model that was trained last."""
    to: Kind | tuple[Kind, ...] = ("unit", "centred", "symmetric", "standardised")
    """`unit` (0 to 1), `centred` (-0.5 to 0.5), `symmetric` (-1 to 1), `standardised` (mean 0, standard deviation 1), a
    list."""
    tolerance: Annotated[Number, Field(ge=0, le=0.5)] = 0.02
    """Allowed difference of both ends from the range; for `standardised` five times that for mean and deviation."""
    by_layer: bool = True
    """Whether a scaling or normalizing layer or operation before the model's first weights counts too."""
    variables: Slug | None = None
    """A data set: judge the notebook's variables that hold its images, instead of the training images."""
    trainings: Which = "any"
    """Which of the model's trainings (or of the variables): `any`, `all`, `first` or `last`."""


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "low": measure(say("Smallest value"), "number"),
    "high": measure(say("Largest value"), "number"),
    "mean": measure(say("Mean"), "number"),
    "std": measure(say("Standard deviation"), "number"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("normalised", measures=_MEASURES)
def normalised(case: Case, params: NormalisedParams) -> Finding:
    """The images are scaled to the required range before the model sees them.

    What it does:
        Looks at the minimum, maximum, mean and standard deviation of each training's images, or of the variables that
        hold a data set's images. With `by_layer`, a normalizing layer before the first weights counts, but not a
        `Normalization` that never saw data in `adapt`: it changes nothing. `Rescaling` and operations with a number,
        such as `inputs / 255`, count too: the check judges their result, unless the images that `Rescaling` gets are
        unknown. If another operation, a `Lambda`, a `call` or a layer class of the student's may scale the images, a
        person must judge it.

    Why it matters:
        Initializers and learning rates are made for inputs around 0 with a size around 1. SELU normalizes itself only
        if its inputs are standardized.

    Example:
        `{check: normalised, with: {model: selu, to: standardised, by_layer: false}}`
    """
    if params.variables is not None:
        arrays = [a for a in case.evidence.arrays if (a.rows_of or "").partition("/")[0] == params.variables]
        return judge(
            [_variable(array, params) for array in arrays],
            nothing=say("No variable of the notebook holds images of {dataset:dataset}.", dataset=params.variables),
            which=params.trainings,
        )
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    candidates = [_training_images(fit, model, params) for fit in trainings_of(case.evidence, model.id)]
    return judge(candidates, nothing=never_trained(case, model), which=params.trainings, lacks="training")


def _training_images(fit: FitFact, model: ModelFact, params: NormalisedParams) -> Candidate:
    pointer = Pointer(cell=fit.cell, event=fit.event)
    front = _front(model, fit) if params.by_layer else _Front()
    x = fit.x
    if front.layer is not None:
        return Candidate(_scaled_by(model, front.layer), (), pointer)
    if x is None or x.low is None or x.high is None:
        if front.rescaling is not None and front.opaque is None:
            return Candidate(_scaled_by(model, front.rescaling), (), pointer)
        images = say("The images of the training in {cell:cell}", cell=fit.cell)
        return Candidate(images, (), pointer, unseen=(say("their range"),))
    subject = say("{cell:Cell} trained {model:code} on {numbers}", cell=fit.cell, model=model.name, numbers=_numbers(x))
    faults = tuple(_faults(x.low, x.high, x.mean, x.std, params))
    unseen: tuple[Message, ...] = ()
    if front.opaque is not None:
        if faults:
            faults, unseen = (), (front.opaque,)
    elif front.operations:
        low, high = sorted((front.applied(x.low), front.applied(x.high)))
        mean = None if x.mean is None else front.applied(x.mean)
        faults = tuple(_faults(low, high, mean, None if x.std is None else abs(front.factor) * x.std, params))
        subject = _after_operations(subject, front.operations, low, high)
    if faults and front.idle is not None:
        subject = say("{subject}, and {layer:code} was never adapted to images", subject=subject, layer=front.idle)
    measured = {"low": x.low, "high": x.high, "mean": x.mean, "std": x.std}
    return Candidate(subject, faults, pointer, unseen=unseen, measured=measured)


def _scaled_by(model: ModelFact, layer: str) -> Message:
    return say("{model:code} scales its images with the layer {layer:code}", model=model.name, layer=layer)


def _numbers(x: ArrayFact | NamedArrayFact) -> Message:
    mean, std = (x.mean, x.std) if isinstance(x, ArrayFact) else (None, None)
    if mean is None or std is None:
        return say("numbers from {low:number} to {high:number}", low=x.low, high=x.high)
    return say(
        "numbers from {low:number} to {high:number} (mean {mean:number}, standard deviation {std:number})",
        low=x.low,
        high=x.high,
        mean=mean,
        std=std,
    )


def _after_operations(subject: Message, operations: tuple[str, ...], low: float, high: float) -> Message:
    return say_count(
        "{subject}, which {operations:code} in the model scales to {low:number} to {high:number}",
        "{subject}, which {operations:code} in the model scale to {low:number} to {high:number}",
        len(operations),
        subject=subject,
        operations=operations,
        low=low,
        high=high,
    )


def _variable(array: NamedArrayFact, params: NormalisedParams) -> Candidate:
    pointer = Pointer(cell=array.cell)
    if array.low is None or array.high is None:
        return Candidate(say("{variable:code}", variable=array.name), (), pointer, unseen=(say("its range"),))
    return Candidate(
        subject=say("{variable:code} holds {numbers}", variable=array.name, numbers=_numbers(array)),
        faults=tuple(_faults(array.low, array.high, None, None, params)),
        pointer=pointer,
        measured={"low": array.low, "high": array.high},
    )


@dataclass(frozen=True, slots=True)
class _Front:
    """The layers and operations before a model's first weights.

    Attributes:
        layer: A normalizing layer.
        rescaling: A `Rescaling` layer.
        opaque: The range that a layer or operation with an unknown effect makes unknown, as a noun phrase.
        idle: A `Normalization` layer that changes nothing, because `adapt` was not called.
        operations: Operations and `Rescaling` layers that together multiply by `factor` and then add `offset`.
    """

    layer: str | None = None
    rescaling: str | None = None
    opaque: Message | None = None
    idle: str | None = None
    operations: tuple[str, ...] = ()
    factor: float = 1.0
    offset: float = 0.0

    def applied(self, value: float) -> float:
        return self.factor * value + self.offset

    def then(self, layer: LayerFact) -> "_Front":
        """Add one more layer or operation."""
        if layer.cls in _NORMALIZING:
            return replace(self, layer=self.layer or layer.name)
        if layer.cls == "Rescaling":
            return replace(self._with(layer, _rescaling(layer)), rescaling=self.rescaling or layer.name)
        step = scaling_of(layer)
        return self if step is None and not is_opaque(layer) else self._with(layer, step)

    def _with(self, layer: LayerFact, step: tuple[float, float] | None) -> "_Front":
        if step is None:
            return replace(self, opaque=self.opaque or say("their range after {layer:code}", layer=layer.name))
        if step == (1.0, 0.0):
            return self
        factor, offset = step
        return replace(
            self,
            operations=(*self.operations, layer.name),
            factor=factor * self.factor,
            offset=factor * self.offset + offset,
        )


def _rescaling(layer: LayerFact) -> tuple[float, float] | None:
    """Return the factor and offset of a `Rescaling` layer; None if each channel has its own."""
    scale, offset = layer.config.get("scale"), layer.config.get("offset", 0.0)
    if isinstance(scale, (int, float)) and isinstance(offset, (int, float)):
        return float(scale), float(offset)
    return None


def _front(model: ModelFact, fit: FitFact) -> _Front:
    network = Network(model)
    front = _Front()
    for layer in network.layers:
        if network.is_called_by_student(layer) and front.opaque is None:
            front = replace(front, opaque=say("their range in the notebook's own `call`"))
        if is_transform(layer):
            break
        front = replace(front, idle=layer.name) if never_adapted(fit, layer) else front.then(layer)
    return front


def _faults(
    low: float, high: float, mean: float | None, std: float | None, params: NormalisedParams
) -> Iterator[Message]:
    kinds = (params.to,) if isinstance(params.to, str) else params.to
    if not any(_is(kind, low, high, mean, std, params.tolerance) for kind in kinds):
        yield say("the required range is {ranges:or}", ranges=[_range(kind) for kind in kinds])


def _range(kind: Kind) -> Message:
    if kind == "standardised":
        return say("mean 0 with standard deviation 1")
    low, high = _RANGES[kind]
    return say("{low:number} to {high:number}", low=low, high=high)


def _is(kind: Kind, low: float, high: float, mean: float | None, std: float | None, tolerance: float) -> bool:  # noqa: PLR0913, PLR0917 - four figures of one array
    if kind == "standardised":
        if mean is None or std is None:
            return False
        return abs(mean) <= 5 * tolerance and math.isclose(std, 1.0, abs_tol=5 * tolerance)
    wanted = _RANGES[kind]
    return abs(low - wanted[0]) <= tolerance and abs(high - wanted[1]) <= tolerance

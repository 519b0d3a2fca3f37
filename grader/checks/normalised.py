"""The check `normalised`."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import Number, Params
from grader.checks.support.verdicts import Candidate, Which, judge
from grader.facts.case import Case
from grader.facts.layers import Network, is_transform
from grader.facts.operations import is_opaque, scaling_of
from grader.facts.wording import decimal, listed
from grader.schema.base import Pointer, spoken_cell
from grader.schema.evidence import ArrayFact, LayerFact, ModelFact, NamedArrayFact
from grader.schema.grade import Finding
from grader.schema.rubric import Slug

__all__ = ["NormalisedParams", "normalised"]

Kind = Literal["unit", "centred", "symmetric", "standardised"]

_RANGES: dict[Kind, tuple[float, float]] = {"unit": (0.0, 1.0), "centred": (-0.5, 0.5), "symmetric": (-1.0, 1.0)}
_SCALING = frozenset({"Rescaling", "Normalization", "BatchNormalization"})


class NormalisedParams(Params):
    """Parameters of `normalised`."""

    model: str | None = None
    """A role of this rubric; left out: the network trained last."""
    to: Kind | tuple[Kind, ...] = ("unit", "centred", "symmetric", "standardised")
    """`unit` (0 to 1), `centred` (-0.5 to 0.5), `symmetric` (-1 to 1), `standardised` (mean 0, deviation 1), a list."""
    tolerance: Annotated[Number, Field(ge=0, le=0.5)] = 0.02
    """How far both ends may lie from the range; for `standardised` five times that for mean and deviation."""
    by_layer: bool = True
    """Whether a scaling or normalising layer or operation before the network's first weights counts as well."""
    variables: Slug | None = None
    """A data set: judge the notebook's variables that hold its images, instead of what a training was given."""
    trainings: Which = "any"
    """Which of the network's trainings (or of the variables): `any`, `all`, `first` or `last`."""


@check("normalised")
def normalised(case: Case, params: NormalisedParams) -> Finding:
    """The images were brought to the range asked for before a network saw them.

    What it does:
        Looks at the smallest and the largest number, the mean and the deviation of what each training was given, or of
        the variables that hold a data set's images. A `Rescaling` or normalising layer in front counts where
        `by_layer` allows it, and so do operations with a number, such as `inputs / 255`: what comes out of them is
        judged. Where another operation, a `Lambda` or a layer of the student's own stands in front of images that are
        not in range, a person has to judge it.

    Why it matters:
        Initialisers and learning rates are made for inputs around 0 with a size around 1; SELU keeps its promise only
        for standardised ones.

    Example:
        `{check: normalised, with: {model: selu, to: standardised, by_layer: false}}`
    """
    if params.variables is not None:
        held = [a for a in case.evidence.arrays if (a.rows_of or "").partition("/")[0] == params.variables]
        return judge(
            [_variable(array, params) for array in held],
            nothing=f"No variable of the notebook holds images of {params.variables}.",
            which=params.trainings,
        )
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    candidates = [
        _given(fit.x, model, spoken_cell(fit.cell), Pointer(cell=fit.cell, event=fit.event), params)
        for fit in case.evidence.fits_of(model.id)
    ]
    return judge(candidates, nothing=f"`{model.name}` was never trained.", which=params.trainings)


def _given(x: ArrayFact | None, model: ModelFact, cell: str, pointer: Pointer, params: NormalisedParams) -> Candidate:
    front = _front(model) if params.by_layer else _Front()
    if front.layer is not None:
        return Candidate(f"`{model.name}` brings its images into range with `{front.layer}`", (), pointer)
    if x is None or x.low is None or x.high is None:
        return Candidate(f"the images that {cell} trained on", (), pointer, unseen=("their range",))
    spread = "" if x.mean is None or x.std is None else f", mean {decimal(x.mean)}, deviation {decimal(x.std)}"
    said = f"{cell} trained on numbers from {decimal(x.low)} to {decimal(x.high)}{spread}"
    faults = tuple(_faults(x.low, x.high, x.mean, x.std, params))
    unseen: tuple[str, ...] = ()
    if front.opaque is not None:
        if faults:
            faults, unseen = (), (f"what `{front.opaque}` of `{model.name}` makes of them",)
    elif front.operations:
        low, high = sorted((front.applied(x.low), front.applied(x.high)))
        said += f", which {listed(f'`{name}`' for name in front.operations)} of `{model.name}` "
        said += f"{'brings' if len(front.operations) == 1 else 'bring'} to {decimal(low)} to {decimal(high)}"
        mean = None if x.mean is None else front.applied(x.mean)
        faults = tuple(_faults(low, high, mean, None if x.std is None else abs(front.factor) * x.std, params))
    measured = {"low": x.low, "high": x.high, "mean": x.mean, "std": x.std}
    return Candidate(said, faults, pointer, unseen=unseen, measured=measured)


def _variable(array: NamedArrayFact, params: NormalisedParams) -> Candidate:
    pointer = Pointer(cell=array.cell)
    if array.low is None or array.high is None:
        return Candidate(f"`{array.name}`", (), pointer, unseen=("its range",))
    return Candidate(
        subject=f"`{array.name}` holds numbers from {decimal(array.low)} to {decimal(array.high)}",
        faults=tuple(_faults(array.low, array.high, None, None, params)),
        pointer=pointer,
        measured={"low": array.low, "high": array.high},
    )


@dataclass(frozen=True, slots=True)
class _Front:
    """What stands before a network's first weights.

    Attributes:
        layer: A scaling or normalising layer.
        opaque: What may bring the images into range and cannot be seen to.
        operations: Operations that multiply by `factor` and then add `offset`, all together.
    """

    layer: str | None = None
    opaque: str | None = None
    operations: tuple[str, ...] = ()
    factor: float = 1.0
    offset: float = 0.0

    def applied(self, value: float) -> float:
        return self.factor * value + self.offset

    def then(self, layer: LayerFact) -> "_Front":
        """What it is with one more layer or operation."""
        if layer.cls in _SCALING:
            return replace(self, layer=self.layer or layer.name)
        step = scaling_of(layer)
        if step is None:
            return replace(self, opaque=self.opaque or layer.name) if is_opaque(layer) else self
        if step == (1.0, 0.0):
            return self
        factor, offset = step
        return replace(
            self,
            operations=(*self.operations, layer.name),
            factor=factor * self.factor,
            offset=factor * self.offset + offset,
        )


def _front(model: ModelFact) -> _Front:
    front = _Front()
    for layer in itertools.takewhile(lambda layer: not is_transform(layer), Network(model).layers):
        front = front.then(layer)
    return front


def _faults(low: float, high: float, mean: float | None, std: float | None, params: NormalisedParams) -> Iterator[str]:
    kinds = (params.to,) if isinstance(params.to, str) else params.to
    if any(_is(kind, low, high, mean, std, params.tolerance) for kind in kinds):
        return
    words = {kind: f"{a:g} to {b:g}" for kind, (a, b) in _RANGES.items()} | {"standardised": "mean 0 and deviation 1"}
    yield f"and not {listed((words[kind] for kind in kinds), 'or')}"


def _is(kind: Kind, low: float, high: float, mean: float | None, std: float | None, tolerance: float) -> bool:  # noqa: PLR0913, PLR0917 - four figures of one array
    if kind == "standardised":
        if mean is None or std is None:
            return False
        return abs(mean) <= 5 * tolerance and math.isclose(std, 1.0, abs_tol=5 * tolerance)
    wanted = _RANGES[kind]
    return abs(low - wanted[0]) <= tolerance and abs(high - wanted[1]) <= tolerance

"""The check `input_shape`."""

import math

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import Whole, WithModel
from grader.facts.case import Case
from grader.facts.layers import Network, is_transform
from grader.facts.wording import spoken_shape
from grader.schema.base import Pointer
from grader.schema.evidence import ModelFact, Shape
from grader.schema.grade import Finding

__all__ = ["InputShapeParams", "input_shape", "shape_fits"]


class InputShapeParams(WithModel):
    """Parameters of `input_shape`."""

    shape: tuple[Whole | None, ...] = Field(min_length=1)
    """Shape of one input without the batch axis; null stands for any size."""


@check("input_shape")
def input_shape(case: Case, params: InputShapeParams) -> Finding:
    """The network takes inputs of a given shape.

    What it does:
        Compares the shape of one input, without the batch axis, with the shape asked for. A network that is given the
        same picture with other axes and brings it into that shape itself, before its first weights, takes it too;
        a picture that was flattened beforehand does not count.

    Why it matters:
        A convolution needs height, width and channels; a picture flattened beforehand has lost what lies beside what.

    Example:
        `{check: input_shape, with: {model: cnn, shape: [28, 28, 1]}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    seen, wanted = model.input_shape, params.shape
    inside = _reshaped_inside(model, wanted)
    passed = seen is not None and (shape_fits(seen, wanted) or inside is not None)
    if inside is not None:
        message = (
            f"`{model.name}` takes inputs of {spoken_shape(seen)} and makes {spoken_shape(inside)} of them itself."
        )
    elif passed:
        message = f"`{model.name}` takes inputs of {spoken_shape(seen)}."
    elif seen is None:
        message = f"`{model.name}` has no single input shape: it was never built, or it takes several inputs."
    else:
        message = f"`{model.name}` takes inputs of {spoken_shape(seen)}; {spoken_shape(wanted)} was asked for."
    return Finding.scored(
        message,
        1.0 if passed else 0.0,
        advice="" if passed else _advice(seen, wanted),
        assurance=model.assurance,
        measured={"input_shape": _plain(seen), "wanted": _plain(wanted)},
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )


def shape_fits(seen: Shape, wanted: Shape) -> bool:
    """Whether a shape is the one asked for; None on the wanted side stands for any size."""
    return len(seen) == len(wanted) and all(w is None or s == w for s, w in zip(seen, wanted, strict=True))


def _reshaped_inside(model: ModelFact, wanted: Shape) -> Shape | None:
    """The shape asked for, where a network reaches it from the same numbers on other axes before its first weights."""
    seen = model.input_shape
    if seen is None or len(seen) < 2 or None in seen or shape_fits(seen, wanted):  # noqa: PLR2004 - a picture has two axes
        return None
    first = next((layer for layer in Network(model).layers if is_transform(layer)), None)
    given = first.input_shape if first is not None else None
    if given is None or None in given or not shape_fits(given, wanted):
        return None
    return given if _numbers(given) == _numbers(seen) else None


def _numbers(shape: Shape) -> int:
    return math.prod(axis for axis in shape if axis is not None)


def _plain(shape: Shape | None) -> list[int | None] | None:
    return None if shape is None else list(shape)


def _advice(seen: Shape | None, wanted: Shape) -> str:
    if seen is None or None in seen or None in wanted:
        return ""
    if math.prod(n for n in seen if n) != math.prod(n for n in wanted if n):
        return ""
    if len(seen) == 1:
        return "The images were flattened before the network; keep their height and width and let the network flatten."
    return "The numbers are all there and only the axes differ: reshape the images, or start with a `Reshape` layer."

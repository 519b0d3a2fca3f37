"""The check `input_shape`."""

import math
from collections.abc import Mapping
from typing import Final

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import Whole, WithModel
from grader.facts.case import Case
from grader.facts.layers import Network, is_transform
from grader.facts.uses import was_run
from grader.facts.weights import trainings_of
from grader.schema.base import Pointer
from grader.schema.evidence import ModelFact, Shape
from grader.schema.grade import Finding, MeasureLabel
from grader.schema.message import Message, MessageLike, say

__all__ = ["InputShapeParams", "input_shape", "shape_fits"]


class InputShapeParams(WithModel):
    """Parameters of `input_shape`."""

    shape: tuple[Whole | None, ...] = Field(min_length=1)
    """Shape of one input without the batch axis; null accepts any size."""


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "input_shape": measure(say("Input shape"), "shape"),
    "wanted": measure(say("Required shape"), "shape"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("input_shape", measures=_MEASURES)
def input_shape(case: Case, params: InputShapeParams) -> Finding:
    """The model takes inputs of a given shape.

    What it does:
        Compares the shape of one input, without the batch axis, with the required shape. A model also passes if it
        takes the same image with other axes and reshapes it before its first weights, or if its first weights have
        the setting `channels_first` and it takes the image in that form. Flattened images do not count.
        One input of a model with several must have the required shape. If a model takes images of any size, the size
        of its training images counts; if that is unknown, a person must judge it.

    Why it matters:
        A convolution needs height, width and channels. A flattened image has lost which pixels are neighbors.

    Example:
        `{check: input_shape, with: {model: cnn, shape: [28, 28, 1]}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    wanted = params.shape
    seen = _with_size_of_images(case, model) if _is_open(model.input_shape, wanted) else model.input_shape
    inputs = _inputs(model)
    if seen is None and len(inputs) > 1:
        return _several(model, inputs, wanted)
    if seen is None and was_run(case.evidence, model.id):
        return _unseen(model, wanted)
    if _is_open(seen, wanted):
        return _unseen(model, wanted)
    inside = _reshaped_inside(model, wanted)
    passed = seen is not None and (
        shape_fits(seen, wanted) or inside is not None or _fits_with_channels_first(model, seen, wanted)
    )
    return Finding.scored(
        _message(model, seen, wanted, inside, passed=passed),
        1.0 if passed else 0.0,
        advice="" if passed else _advice(seen, wanted),
        assurance=model.assurance,
        measured={"input_shape": _plain(seen), "wanted": _plain(wanted)},
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )


def _is_open(seen: Shape | None, wanted: Shape) -> bool:
    """Whether a shape only differs from the required one in axes that accept any size."""
    if seen is None or shape_fits(seen, wanted):
        return False
    return len(seen) == len(wanted) and all(None in {s, w} or s == w for s, w in zip(seen, wanted, strict=True))


def _with_size_of_images(case: Case, model: ModelFact) -> Shape | None:
    """Give the open axes of a model's input shape the sizes of its last training images, if they are known."""
    arrays = (fit.x for fit in reversed(trainings_of(case.evidence, model.id)))
    x = next((x for x in arrays if x is not None and not x.mapped), None)
    seen = model.input_shape
    if x is None or seen is None or not shape_fits(x.shape[1:], seen):
        return seen
    return x.shape[1:]


def _inputs(model: ModelFact) -> tuple[Shape | None, ...]:
    return tuple(layer.output_shape for layer in model.layers if layer.cls == "InputLayer")


def _several(model: ModelFact, inputs: tuple[Shape | None, ...], wanted: Shape) -> Finding:
    """Judge a model with several inputs: one of them must have the required shape."""
    shapes = [shape for shape in inputs if shape is not None]
    if len(shapes) < len(inputs):
        return _unseen(model, wanted)
    passed = any(shape_fits(shape, wanted) for shape in shapes)
    seen = say(
        "{model:code} takes inputs of the shapes {shapes}",
        model=model.name,
        shapes=[say("{shape:shape}", shape=shape) for shape in shapes],
    )
    return Finding.scored(
        say("{inputs}.", inputs=seen)
        if passed
        else say("{inputs}, but none of the shape {required:shape}.", inputs=seen, required=wanted),
        1.0 if passed else 0.0,
        assurance=model.assurance,
        measured={"input_shape": None, "inputs": [list(shape) for shape in shapes], "wanted": _plain(wanted)},
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )


def _unseen(model: ModelFact, wanted: Shape) -> Finding:
    unseen = say(
        "The grader could not see the input shape of {model:code}. A person must judge it; required: {required:shape}.",
        model=model.name,
        required=wanted,
    )
    return Finding.pending(
        unseen,
        measured={"input_shape": None, "wanted": _plain(wanted)},
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )


def _message(model: ModelFact, seen: Shape | None, wanted: Shape, inside: Shape | None, *, passed: bool) -> Message:
    name = model.name
    if inside is not None:
        return say(
            "{model:code} takes inputs of shape {shape:shape} and reshapes them to {inside:shape} itself.",
            model=name,
            shape=seen,
            inside=inside,
        )
    if passed:
        return say("{model:code} takes inputs of shape {shape:shape}.", model=name, shape=seen)
    if seen is None:
        return say("{model:code} has no input shape: it was never built.", model=name)
    return say(
        "{model:code} takes inputs of shape {shape:shape}, not {required:shape}.",
        model=name,
        shape=seen,
        required=wanted,
    )


def shape_fits(seen: Shape, wanted: Shape) -> bool:
    """Whether a shape is the required one; None in the required shape accepts any size."""
    return len(seen) == len(wanted) and all(w is None or s == w for s, w in zip(seen, wanted, strict=True))


def _reshaped_inside(model: ModelFact, wanted: Shape) -> Shape | None:
    """Find the required shape at the first weights of a model that only rearranges the axes of its inputs."""
    seen = model.input_shape
    if seen is None or len(seen) < 2 or None in seen or shape_fits(seen, wanted):  # noqa: PLR2004 - an image has two axes
        return None
    first = next((layer for layer in Network(model).layers if is_transform(layer)), None)
    inside = first.input_shape if first is not None else None
    if inside is None or None in inside or not shape_fits(inside, wanted):
        return None
    return inside if _numbers(inside) == _numbers(seen) else None


def _fits_with_channels_first(model: ModelFact, seen: Shape, wanted: Shape) -> bool:
    """Whether a shape is the required one with the channels first, as the model's first weights expect them."""
    first = next((layer for layer in Network(model).layers if is_transform(layer)), None)
    channels_first = first is not None and first.config.get("data_format") == "channels_first"
    return channels_first and shape_fits(seen, (wanted[-1], *wanted[:-1]))


def _numbers(shape: Shape) -> int:
    return math.prod(axis for axis in shape if axis is not None)


def _plain(shape: Shape | None) -> list[int | None] | None:
    return None if shape is None else list(shape)


def _advice(seen: Shape | None, wanted: Shape) -> MessageLike:
    if seen is None or None in seen or None in wanted:
        return ""
    if math.prod(n for n in seen if n) != math.prod(n for n in wanted if n):
        return ""
    if len(seen) == 1:
        return say(
            "The images were flattened before the model. Keep their height and width, and let the model flatten them."
        )
    return say(
        "The size is right, and only the axes differ: reshape the images, or start the model with a `Reshape` layer."
    )

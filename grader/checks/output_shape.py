"""The check `output_shape`."""

from collections.abc import Mapping
from typing import Final

from pydantic import Field

from grader.checks.input_shape import shape_fits
from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import Whole, WithModel
from grader.facts.case import Case
from grader.facts.uses import was_run
from grader.schema.base import Pointer
from grader.schema.evidence import ModelFact, Shape
from grader.schema.grade import Finding, MeasureLabel
from grader.schema.message import MessageLike, say

__all__ = ["OutputShapeParams", "output_shape"]


class OutputShapeParams(WithModel):
    """Parameters of `output_shape`."""

    shape: tuple[Whole | None, ...] = Field(min_length=1)
    """Shape of one output without the batch axis; null for any size."""


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "output_shape": measure(say("Output shape"), "shape"),
    "wanted": measure(say("Required shape"), "shape"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("output_shape", measures=_MEASURES)
def output_shape(case: Case, params: OutputShapeParams) -> Finding:
    """The model's outputs have the required shape.

    What it does:
        Compares the shape of one output, without the batch axis, with the required shape. If a model has several
        outputs, one of them must have the required shape.

    Why it matters:
        A classifier needs one output per class. With fewer outputs it can never predict some classes.

    Example:
        `{check: output_shape, with: {model: cnn, shape: [10]}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    seen, wanted = model.output_shape, params.shape
    if len(model.output_shapes) > 1:
        return _of_several(model, wanted)
    passed = seen is not None and shape_fits(seen, wanted)
    if seen is None and was_run(case.evidence, model.id):
        return Finding.pending(
            say(
                "{model:code} has several outputs, or the grader could not see its output shape. A person must judge "
                "it; required: {wanted:shape}.",
                model=model.name,
                wanted=wanted,
            ),
            measured={"output_shape": None, "wanted": list(wanted)},
            evidence=(Pointer(cell=model.cell, event=model.event),),
        )
    if seen is None:
        message = say(
            "{model:code} has no single output shape: it was never built, or it has several outputs.", model=model.name
        )
    else:
        message = say(
            "The output shape of {model:code} is {shape:shape}; required: {wanted:shape}.",
            model=model.name,
            shape=seen,
            wanted=wanted,
        )
    advice: MessageLike = ""
    if seen is not None and len(seen) > len(wanted):
        advice = say(
            "Turn the feature maps into one vector (`Flatten` or `GlobalAveragePooling2D`) before the output layer."
        )
    return Finding.scored(
        message,
        1.0 if passed else 0.0,
        advice=advice,
        assurance=model.assurance,
        measured={"output_shape": None if seen is None else list(seen), "wanted": list(wanted)},
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )


def _of_several(model: ModelFact, wanted: Shape) -> Finding:
    fitting = next((o for o in model.outputs if o.shape is not None and shape_fits(o.shape, wanted)), None)
    if fitting is not None:
        message = say(
            "{model:code} has {count:number} outputs; {output:code} has the required shape {wanted:shape}.",
            model=model.name,
            count=len(model.outputs),
            output=fitting.name,
            wanted=wanted,
        )
    else:
        message = say(
            "None of the {count:number} outputs of {model:code} has the required shape {wanted:shape}: {shapes}.",
            count=len(model.outputs),
            model=model.name,
            wanted=wanted,
            shapes=[say("{shape:shape}", shape=shape) for shape in model.output_shapes],
        )
    return Finding.scored(
        message,
        0.0 if fitting is None else 1.0,
        assurance=model.assurance,
        measured={"output_shape": None, "outputs": [list(s) for s in model.output_shapes], "wanted": list(wanted)},
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )

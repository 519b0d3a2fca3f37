"""The check `output_shape`."""

from pydantic import Field

from grader.checks.input_shape import shape_fits
from grader.checks.registry import check
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import Whole, WithModel
from grader.facts.case import Case
from grader.facts.wording import spoken_shape
from grader.schema.base import Pointer
from grader.schema.grade import Finding

__all__ = ["OutputShapeParams", "output_shape"]


class OutputShapeParams(WithModel):
    """Parameters of `output_shape`."""

    shape: tuple[Whole | None, ...] = Field(min_length=1)
    """Shape of one output without the batch axis; null stands for any size."""


@check("output_shape")
def output_shape(case: Case, params: OutputShapeParams) -> Finding:
    """The network gives outputs of a given shape.

    What it does:
        Compares the shape of one output, without the batch axis, with the shape asked for.

    Why it matters:
        A classifier has one output a class; with fewer, some classes can never be predicted.

    Example:
        `{check: output_shape, with: {model: cnn, shape: [10]}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    seen, wanted = model.output_shape, params.shape
    passed = seen is not None and shape_fits(seen, wanted)
    if passed:
        message = f"`{model.name}` gives {spoken_shape(seen)} numbers for each input."
    elif seen is None:
        message = f"`{model.name}` has no single output shape: it was never built, or it has several outputs."
    else:
        message = f"`{model.name}` gives {spoken_shape(seen)} numbers an input; {spoken_shape(wanted)} was asked for."
    advice = ""
    if seen is not None and len(seen) > len(wanted):
        advice = "Bring the feature maps down to one vector (`Flatten` or `GlobalAveragePooling2D`) before the output."
    return Finding.scored(
        message,
        1.0 if passed else 0.0,
        advice=advice,
        assurance=model.assurance,
        measured={"output_shape": None if seen is None else list(seen), "wanted": list(wanted)},
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )

"""The check `parameters`."""

from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import Range, Whole, WithModel
from grader.facts.case import Case
from grader.facts.uses import was_run
from grader.schema.base import Pointer
from grader.schema.grade import Finding, MeasureLabel
from grader.schema.message import Message, say, say_count

__all__ = ["ParametersParams", "parameters"]

_Count = Annotated[Whole, Field(ge=0)]


class ParametersParams(WithModel):
    """Parameters of `parameters`."""

    at_least: _Count | None = None
    """The smallest number of parameters."""
    at_most: _Count | None = None
    """The largest number of parameters."""
    trainable_only: bool = False
    """Whether only trainable parameters count."""

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        if self.at_least is None and self.at_most is None:
            message = "give at_least, at_most or both"
            raise ValueError(message)
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            message = f"at_least {self.at_least} is above at_most {self.at_most}"
            raise ValueError(message)
        return self


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "parameters": measure(say("Parameters"), "number"),
    "at_least": measure(say("At least"), "number"),
    "at_most": measure(say("At most"), "number"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("parameters", measures=_MEASURES)
def parameters(case: Case, params: ParametersParams) -> Finding:
    """The number of the model's parameters is within bounds.

    What it does:
        Counts the model's parameters; if the trained model can be loaded, outside the student's process.

    Why it matters:
        Parameters are the cost of a model: memory, time, and examples to learn them from.

    Example:
        `{check: parameters, with: {model: cnn, at_most: 300000}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    count = model.trainable_parameters if params.trainable_only else model.parameters
    pointers = (Pointer(cell=model.cell, event=model.event),)
    if count is None and was_run(case.evidence, model.id):
        unseen = say(
            "The grader could not see the number of parameters of {model:code}. A person must judge it; required: "
            "{bounds}.",
            model=model.name,
            bounds=_bounds(params),
        )
        return Finding.pending(unseen, measured={"parameters": None}, evidence=pointers)
    if count is None:
        return Finding.failed(
            say(
                "{model:code} was never built, so its parameters cannot be counted; required: {bounds}.",
                model=model.name,
                bounds=_bounds(params),
            ),
            advice=say("Give the first layer its input shape, or train the model."),
            measured={"parameters": None},
            evidence=pointers,
        )
    passed = (params.at_least is None or count >= params.at_least) and (
        params.at_most is None or count <= params.at_most
    )
    return Finding.scored(
        _message(model.name, count, params),
        1.0 if passed else 0.0,
        assurance=model.assurance,
        measured={"parameters": count, "at_least": params.at_least, "at_most": params.at_most},
        evidence=pointers,
    )


def _message(model: str, count: int, params: ParametersParams) -> Message:
    if params.trainable_only:
        return say_count(
            "{model:code} has {count:number} trainable parameter; required: {bounds}.",
            "{model:code} has {count:number} trainable parameters; required: {bounds}.",
            count,
            model=model,
            bounds=_bounds(params),
        )
    return say_count(
        "{model:code} has {count:number} parameter; required: {bounds}.",
        "{model:code} has {count:number} parameters; required: {bounds}.",
        count,
        model=model,
        bounds=_bounds(params),
    )


def _bounds(params: ParametersParams) -> Message:
    return Range(at_least=params.at_least, at_most=params.at_most).said

"""The check `parameters`."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from grader.checks.registry import check
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import Whole, WithModel
from grader.facts.case import Case
from grader.facts.wording import number, plural
from grader.schema.base import Pointer
from grader.schema.grade import Finding

__all__ = ["ParametersParams", "parameters"]

_Count = Annotated[Whole, Field(ge=0)]


class ParametersParams(WithModel):
    """Parameters of `parameters`."""

    at_least: _Count | None = None
    """Fewest parameters allowed."""
    at_most: _Count | None = None
    """Most parameters allowed."""
    trainable_only: bool = False
    """Count only what training may change."""

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        if self.at_least is None and self.at_most is None:
            message = "give at_least, at_most or both"
            raise ValueError(message)
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            message = f"at_least {self.at_least} is above at_most {self.at_most}"
            raise ValueError(message)
        return self


@check("parameters")
def parameters(case: Case, params: ParametersParams) -> Finding:
    """The network has a number of parameters within bounds.

    What it does:
        Counts the network's parameters, outside the student's process where the trained network could be loaded.

    Why it matters:
        Parameters are what a network costs: memory, time, and examples to learn them from.

    Example:
        `{check: parameters, with: {model: cnn, at_most: 300000}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    count = model.trainable_parameters if params.trainable_only else model.parameters
    kind = "trainable parameter" if params.trainable_only else "parameter"
    wanted = _bounds(params)
    pointers = (Pointer(cell=model.cell, event=model.event),)
    if count is None:
        return Finding.failed(
            f"`{model.name}` was never built, so its parameters cannot be counted; {wanted} were asked for.",
            advice="Give the first layer its input shape, or train the network.",
            measured={"parameters": None},
            evidence=pointers,
        )
    passed = (params.at_least is None or count >= params.at_least) and (
        params.at_most is None or count <= params.at_most
    )
    return Finding.scored(
        f"`{model.name}` has {plural(count, kind)}; {wanted} were asked for.",
        1.0 if passed else 0.0,
        assurance=model.assurance,
        measured={"parameters": count, "at_least": params.at_least, "at_most": params.at_most},
        evidence=pointers,
    )


def _bounds(params: ParametersParams) -> str:
    parts = []
    if params.at_least is not None:
        parts.append(f"at least {number(params.at_least)}")
    if params.at_most is not None:
        parts.append(f"at most {number(params.at_most)}")
    return " and ".join(parts)

"""Types and base classes for the parameters of checks."""

from typing import Annotated, Self

from pydantic import Field, Strict, model_validator

from grader.schema.described import Described
from grader.schema.message import Message, say
from grader.schema.rubric import Slug

__all__ = ["EXPECTED", "MeasuredOn", "Number", "Params", "Part", "Range", "RoleName", "TaskName", "Whole", "WithModel"]

Number = Annotated[float, Strict()]
"""A number that is not given as text."""
Whole = Annotated[int, Strict()]
"""An integer that is not given as text."""
Part = Annotated[float, Strict(), Field(ge=0, le=1)]
"""A fraction, 0 to 1."""


class Params(Described):
    """Base of the parameters in a criterion's `with`; field docstrings become descriptions in the JSON Schema."""

    @property
    def needs_dataset(self) -> bool:
        """Whether the check uses the rubric's `dataset`."""
        return False


RoleName = Annotated[Slug, Field(json_schema_extra={"names": "roles"})]
"""A role of the rubric; an unknown role is an error in the rubric file."""
TaskName = Annotated[Slug, Field(json_schema_extra={"names": "tasks"})]
"""A task of the rubric."""


MeasuredOn = Annotated[Slug, Field(json_schema_extra={"names": "measured"})]
"""A data set for accuracies; a data set with a stand-in is an error in the rubric file."""


EXPECTED = Field(json_schema_extra={"expected": True})
"""Annotates a parameter that gives the answer away, such as keywords. Its check needs a text for students without it
(`Finding.student`), and `grader rubric publish` leaves the criterion to a person."""


class WithModel(Params):
    """Parameters of a check of one model."""

    model: str | None = None
    """A role of this rubric; the default is the model that was trained last."""


class Range(Params):
    """Inclusive bounds; each of them is optional."""

    at_least: Number | None = None
    """Lower bound."""
    at_most: Number | None = None
    """Upper bound."""

    @model_validator(mode="after")
    def _some_number_fits(self) -> Self:
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            message = f"at_least {self.at_least:g} is above at_most {self.at_most:g}"
            raise ValueError(message)
        return self

    def holds(self, value: float) -> bool:
        """Whether a value is within the bounds."""
        above = self.at_least is None or value >= self.at_least
        return above and (self.at_most is None or value <= self.at_most)

    @property
    def said(self) -> Message:
        """The bounds as a part of a sentence."""
        if self.at_least is not None and self.at_least == self.at_most:
            return say("exactly {number:number}", number=self.at_least)
        if self.at_least is not None and self.at_most is not None:
            return say("{low:number} to {high:number}", low=self.at_least, high=self.at_most)
        if self.at_least is not None:
            return say("{low:number} or more", low=self.at_least)
        return say("anything") if self.at_most is None else say("{high:number} or less", high=self.at_most)

    def __str__(self) -> str:
        """Write the bounds in words."""
        if self.at_least is not None and self.at_least == self.at_most:
            return f"exactly {self.at_least:g}"
        if self.at_least is not None and self.at_most is not None:
            return f"{self.at_least:g} to {self.at_most:g}"
        if self.at_least is not None:
            return f"{self.at_least:g} or more"
        return "anything" if self.at_most is None else f"{self.at_most:g} or less"

"""What the parameters of checks have in common."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, Strict, model_validator

from grader.schema.base import Document
from grader.schema.message import Message, say
from grader.schema.rubric import Slug

__all__ = ["MeasuredOn", "Number", "Params", "Part", "Range", "RoleName", "TaskName", "Whole", "WithModel"]

Number = Annotated[float, Strict()]
"""A number that was written as a number, not as text."""
Whole = Annotated[int, Strict()]
"""A whole number that was written as one."""
Part = Annotated[float, Strict(), Field(ge=0, le=1)]
"""A part of a whole, 0 to 1."""


class Params(Document):
    """Base of what may stand under a criterion's `with`; field docstrings become the JSON Schema's descriptions."""

    model_config = ConfigDict(use_attribute_docstrings=True)


RoleName = Annotated[Slug, Field(json_schema_extra={"names": "roles"})]
"""A role of the rubric; one that the rubric does not have is an error in the file."""
TaskName = Annotated[Slug, Field(json_schema_extra={"names": "tasks"})]
"""A task of the rubric."""


MeasuredOn = Annotated[Slug, Field(json_schema_extra={"names": "measured"})]
"""A data set that networks are judged on; one that the rubric has a stand-in for is an error in the file."""


class WithModel(Params):
    """Parameters of a check that looks at one network."""

    model: str | None = None
    """A role of this rubric; left out: the network that was trained last."""


class Range(Params):
    """Bounds, both included; either may be left out."""

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
        """Whether a value lies within the bounds."""
        above = self.at_least is None or value >= self.at_least
        return above and (self.at_most is None or value <= self.at_most)

    @property
    def said(self) -> Message:
        """The bounds as a part of a sentence."""
        if self.at_least is not None and self.at_most is not None:
            return say("{low:number} to {high:number}", low=self.at_least, high=self.at_most)
        if self.at_least is not None:
            return say("{low:number} or more", low=self.at_least)
        return say("anything") if self.at_most is None else say("{high:number} or less", high=self.at_most)

    def __str__(self) -> str:
        """Say the bounds in words."""
        if self.at_least is not None and self.at_most is not None:
            return f"{self.at_least:g} to {self.at_most:g}"
        if self.at_least is not None:
            return f"{self.at_least:g} or more"
        return "anything" if self.at_most is None else f"{self.at_most:g} or less"

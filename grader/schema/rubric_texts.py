"""A rubric's texts in another language, from a file next to the rubric, such as `mnist-cnn.de.yaml`."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from grader.schema.described import Described

__all__ = ["CriterionTexts", "RubricTexts"]


class CriterionTexts(Described):
    """The texts of one criterion; a text that is left out stays English."""

    title: str = ""
    """Title that the student reads."""
    advice: str = ""
    """Advice for a student who missed the criterion."""
    guide: str = ""
    """Instructions for the person who judges the criterion (`manual.guide` in the rubric)."""


class RubricTexts(Described):
    """The texts of a rubric in one language."""

    version: Literal[1]
    """Version of the format."""
    title: str = ""
    """Title of the assignment."""
    criteria: Mapping[str, CriterionTexts] = Field(default_factory=dict)
    """The texts of the criteria, by their ids in the rubric."""

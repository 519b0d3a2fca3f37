"""A rubric's texts in another language, from a file next to the rubric, such as `mnist-cnn.de.yaml`."""

from collections.abc import Mapping
from typing import Literal

from pydantic import ConfigDict, Field

from grader.schema.base import Document

__all__ = ["CriterionTexts", "RubricTexts"]


class CriterionTexts(Document):
    """The texts of one criterion; a text that is left out stays English."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    title: str = ""
    """Title that the student reads."""
    advice: str = ""
    """Advice for a student who missed the criterion."""
    guide: str = ""
    """Instructions for the person who judges the criterion (`manual.guide` in the rubric)."""


class RubricTexts(Document):
    """The texts of a rubric in one language."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    version: Literal[1]
    """Version of the format."""
    title: str = ""
    """Title of the assignment."""
    criteria: Mapping[str, CriterionTexts] = Field(default_factory=dict)
    """The texts of the criteria, by their ids in the rubric."""

"""Base of all documents: frozen, typed, and without unknown keys."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

__all__ = ["Assurance", "Document", "Json", "Pointer"]

Json = Any
"""A value that JSON can hold (str, int, float, bool, None, list, dict)."""


class Document(BaseModel):
    """A frozen document; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=True, ser_json_inf_nan="null")


class Assurance(StrEnum):
    """How reliable a fact is."""

    VERIFIED = "verified"
    """Computed outside the student's process, from artefacts."""
    RECORDED = "recorded"
    """Observed by the recorder inside the student's process: a claim."""
    STATED = "stated"
    """Taken from the notebook's text and printed output."""
    JUDGED = "judged"
    """Decided by a person."""


class Pointer(Document):
    """Source of a fact."""

    cell: int | None = None
    """Index into the notebook's `cells`, from 0."""
    event: int | None = None
    """The `n` of a line in `evidence/events.jsonl`, from 1."""

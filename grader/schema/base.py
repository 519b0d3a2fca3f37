"""What every document shares: frozen, typed, and closed to keys it does not know."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

__all__ = ["Assurance", "Document", "Json", "Pointer", "spoken_cell"]

Json = Any
"""A value that JSON can hold (str, int, float, bool, None, list, dict)."""


class Document(BaseModel):
    """A frozen record; a key it does not know is an error, not a surprise."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=True, ser_json_inf_nan="null")


class Assurance(StrEnum):
    """How far a fact can be trusted."""

    VERIFIED = "verified"
    """Computed outside the student's process, from artefacts."""
    RECORDED = "recorded"
    """Seen by the recorder inside the student's process: a claim."""
    STATED = "stated"
    """What the notebook's own text and printed output say."""


class Pointer(Document):
    """Where a fact was seen."""

    cell: int | None = None
    """Index into the notebook's `cells`, from 0."""
    event: int | None = None
    """The `n` of a line in `evidence/events.jsonl`, from 1."""


def spoken_cell(index: int | None) -> str:
    """Name a cell as a person counts: the first one is "cell 1".

    Args:
        index: Index into the notebook's `cells`, from 0; None when it is not known.

    Returns:
        A phrase such as "cell 12", or "an unknown cell".
    """
    return "an unknown cell" if index is None else f"cell {index + 1}"

"""Similarity of submissions: hints that two submissions may share work, with the evidence on both sides."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from grader.schema.base import Document, Json
from grader.schema.message import MessageLike

__all__ = ["SIMILARITY_VERSION", "Lines", "Passage", "Sign", "SignKind", "SimilarPair", "Similarity", "Strength"]

SIMILARITY_VERSION = 1
"""1: first version."""

SignKind = Literal["file", "code", "text", "weights", "history", "errors", "counts"]
"""`file`: the same file. `code`, `text`: similar code, similar texts and comments. `weights`: equal trained weights.
`history`: equal loss values. `errors`: errors on the same test images. `counts`: equal execution counts."""

Strength = Literal["strong", "moderate", "weak", "explained"]
"""`explained`: the equal results have an honest cause, such as the starter code and the grader's seed."""


class Lines(Document):
    """Some lines of one cell."""

    cell: int
    """Position in the notebook's `cells`, from 0."""
    first: int
    """First line, from 1."""
    last: int


class Passage(Document):
    """Lines of one submission that are the same as lines of another, up to names, numbers and comments."""

    first: Lines
    second: Lines
    tokens: int
    """Length in tokens of code, or in words."""


class Sign(Document):
    """One kind of evidence about two submissions."""

    kind: SignKind
    score: float = Field(ge=0, le=1)
    """Contribution to the strength of the hint; 0 if it is explained."""
    says: MessageLike
    figures: Mapping[str, Json] = Field(default_factory=dict)
    """The numbers of the message, and more."""
    passages: tuple[Passage, ...] = ()
    """The longest similar passages of code or text, without the starter's."""


class SimilarPair(Document):
    """A hint that two submissions may share work; it shows evidence and is not a verdict."""

    first: str
    """Id of a submission."""
    second: str
    strength: Strength
    score: float = Field(ge=0, le=1)
    """All signs together; pairs are listed by it."""
    reason: MessageLike
    signs: tuple[Sign, ...]
    """The strongest first."""


class Similarity(Document):
    """The similar pairs of a class."""

    version: Literal[1] = 1
    submissions: int
    """Number of compared submissions."""
    starter: tuple[str, ...] = ()
    """Names of the notebooks whose code and texts were left out."""
    pairs: tuple[SimilarPair, ...] = ()
    """Strong hints first, explained pairs last."""
    left_out: int = 0
    """Number of further pairs that are not listed."""

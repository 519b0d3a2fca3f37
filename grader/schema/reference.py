"""Stored evidence of a reference solution; it is distributed with the notebook and renewed when that changes."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from grader.schema.base import Document
from grader.schema.evidence import Evidence

__all__ = ["REFERENCE_VERSION", "ReferenceRecord"]

REFERENCE_VERSION = 1
"""1: first version."""


class ReferenceRecord(Document):
    """Evidence of one execution of a reference notebook."""

    version: Literal[1] = 1
    rubric: str
    """Id of the rubric."""
    notebook: str
    """File name of the notebook."""
    notebook_sha256: str
    """SHA-256 of the executed notebook; a different digest makes the record stale."""
    files: Mapping[str, str] = Field(default_factory=dict)
    """Files of the course that the notebook got: path → SHA-256; another content makes the record stale."""
    evidence: Evidence

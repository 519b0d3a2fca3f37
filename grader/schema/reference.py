"""The kept evidence of a reference solution: it travels with the project and is re-made when the notebook changes."""

from typing import Literal

from grader.schema.base import Document
from grader.schema.evidence import Evidence

__all__ = ["REFERENCE_VERSION", "ReferenceRecord"]

REFERENCE_VERSION = 1
"""1: first version."""


class ReferenceRecord(Document):
    """What one execution of a reference notebook showed."""

    version: Literal[1] = 1
    rubric: str
    """Id of the rubric it was executed for."""
    notebook: str
    """File name of the notebook."""
    notebook_sha256: str
    """Of the notebook as it was executed; another digest makes the record stale."""
    evidence: Evidence

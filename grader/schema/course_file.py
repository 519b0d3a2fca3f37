"""A file of the course that every notebook gets."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["CourseFile"]


@dataclass(frozen=True, slots=True)
class CourseFile:
    """One file that a rubric lists in `files`."""

    source: Path
    """Path of the file on this machine."""
    target: str
    """Path relative to the notebook's folder, with `/`."""
    sha256: str
    """Digest of the file's content when the rubric was read."""

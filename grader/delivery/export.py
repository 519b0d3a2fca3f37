"""Exports: the graded submissions that a format reads, and the description of a format."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from grader.delivery.pseudonyms import Pseudonyms
from grader.schema.data import StudentRow
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade

__all__ = ["Export", "Exported", "Format", "Record"]


@dataclass(frozen=True, slots=True)
class Record:
    """One submission of a results folder."""

    submission: str
    grade: Grade | None
    """None if it cannot be read."""
    problem: str
    """Why the grade or the evidence cannot be used; empty if both can."""
    read_evidence: Callable[[], Evidence | None]
    """Reads the evidence; None if there is none.

    Raises:
        ArtefactError: It is damaged.
    """


@dataclass(frozen=True, slots=True)
class Export:
    """The tables to write, and their folder."""

    results: Path
    """The results folder."""
    target: Path
    """An empty folder for the files."""
    tables: tuple[str, ...] = ()
    """Names of the tables to write; empty for all."""
    pseudonyms: Pseudonyms | None = None
    """Replaces people and submissions; None to name them."""
    students: tuple[StudentRow, ...] = ()
    """The students of the roster."""


@dataclass(frozen=True, slots=True)
class Exported:
    """The result of an export."""

    rows: dict[str, int]
    """Number of rows by name of the table; the file's name is this name with the format's suffix."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format of `grader export`. Each module of `grader.delivery.formats` defines one as `FORMAT`."""

    name: str
    """The name after `--to`."""
    title: str
    """One line for `--help`."""
    suffix: str
    """Suffix of its files, such as `.csv`."""
    tables: tuple[str, ...]
    """Names of the tables that it can write; the first one is written if `--out` is a single file."""
    require: Callable[[], None]
    """Fails with advice if an optional package is missing.

    Raises:
        UsageError: A package is missing.
    """
    write: Callable[[Iterable[Record], Export], Exported]
    """Writes the submissions into the empty folder `Export.target`, reading each of them once."""

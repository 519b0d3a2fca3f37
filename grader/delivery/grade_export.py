"""Exports of grades to other tools: the rows of a class, what a format needs, and what it reports."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from grader.delivery.editions import Editions
from grader.delivery.roster import Student
from grader.schema.grade_list import EntryStatus

__all__ = ["ExportState", "GradeExport", "GradeFormat", "GradeRow", "RowReport", "Worksheet", "reports_of"]

ExportState = Literal["written", "unchanged", "held", "missing", "unmatched", "left"]
"""`written`: the file has the grade. `unchanged`: the worksheet had it already. `held`: a grade that is held back.
`missing`: the student handed in nothing. `unmatched`: no place for the grade was found. `left`: a row of the worksheet
without a grade here, which stays as it is."""


@dataclass(frozen=True, slots=True)
class GradeRow:
    """A student with the grade that counts, or a submission of nobody in the roster."""

    status: EntryStatus
    submission: str
    """Id of the submission; empty if the student handed in nothing."""
    handed_in_as: str
    """Name under which it was handed in; empty if the student handed in nothing."""
    student: Student | None
    """None without a roster, or if nobody in the roster matches."""
    score: float | None
    """With the deduction for a late submission; None without a grade."""
    max_score: float
    pending: float
    read: Callable[[], Editions]
    """Reads the grade of a row with the status `graded`, `not_graded` or `excused` and a submission."""
    report: Path | None = None
    """The student's edition of the report; None if there is no file."""
    held: str = ""
    """Why no score is written, in English; empty if it may be written."""

    @property
    def label(self) -> str:
        """The name for lists."""
        return self.student.label if self.student is not None else self.handed_in_as or self.submission

    @property
    def remark(self) -> str:
        """A remark about a score that is written; empty without one."""
        return f"{self.pending:g} points are pending" if self.pending else ""

    @property
    def writable(self) -> bool:
        """Whether there is a score that may be written."""
        return self.status == "graded" and not self.held and self.score is not None


@dataclass(frozen=True, slots=True)
class Worksheet:
    """A file of the other tool, downloaded by the instructor."""

    path: Path
    content: bytes
    """Empty for a database, which is not read as a whole."""


@dataclass(frozen=True, slots=True)
class GradeExport:
    """A class, and the options of an export."""

    rows: tuple[GradeRow, ...]
    rubric: str
    """Id of the rubric."""
    title: str
    """Title of the assignment."""
    max_score: float
    target: Path
    """The file to write, or an empty folder."""
    now: datetime
    worksheet: Worksheet | None = None
    column: str = ""
    """The column or the assignment in the other tool; empty to find it by its title."""
    scale: bool = False
    """Whether scores are converted if the other tool has another maximum."""
    python: str = ""
    """Interpreter that has the other tool; empty for the grader's own."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that the other tool sets."""


@dataclass(frozen=True, slots=True)
class RowReport:
    """The result for one row."""

    student: str
    """Name for lists."""
    submission: str
    """Empty if the student handed in nothing, or for a row of the worksheet."""
    state: ExportState
    value: str = ""
    """The written value."""
    why: str = ""
    """Why nothing was written, or a remark."""
    place: str = ""
    """The line of the worksheet, or the file."""


@dataclass(frozen=True, slots=True)
class GradeFormat:
    """A format of `grader export` for grades. Its module in `grader.delivery.formats` defines it as `FORMAT`."""

    name: str
    """The name after `--to`."""
    title: str
    """One line for `--help`."""
    file: str
    """Name of its file; empty for a folder with the files of each submission."""
    write: Callable[[GradeExport], Sequence[RowReport]]
    """Writes `GradeExport.target`, and reports each row of the class and of the worksheet.

    Raises:
        UsageError: The worksheet or an option is wrong.
    """
    worksheet: str = ""
    """The file of `--worksheet`, such as `the gradebook that Canvas exports`; empty if the format needs none."""
    worksheet_is_database: bool = False
    """Whether the worksheet is a database, which the format opens itself."""
    optional: bool = False
    """Whether the worksheet may be left out."""
    options: frozenset[str] = frozenset()
    """Names of the options that it uses, of `column`, `scale` and `python`."""


def reports_of(row: GradeRow) -> RowReport:
    """Report a row without a score that may be written.

    Args:
        row: The row.
    """
    if row.status == "missing":
        return RowReport(row.label, "", "missing", why="nothing was handed in")
    return RowReport(row.label, row.submission, "held", why=row.held or "there is no score")

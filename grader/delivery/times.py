"""Read a CSV file with the times of submission, such as Moodle's grading worksheet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import cached_property
from pathlib import Path

from grader.delivery.roster import Matcher, Student, Submitted, read_table, students_of, table_content
from grader.facts.nearest import did_you_mean
from grader.facts.times import moment_of
from grader.schema.errors import UsageError
from grader.schema.problems import joined_problems

__all__ = ["Times", "parse_times", "read_times"]

_HEADINGS = frozenset(
    {"submitted", "submitted at", "submission time", "time of submission", "last modified (submission)"}
    | {"zuletzt geändert (abgabe)", "abgegeben", "abgabezeit"}
)
_NOTHING = frozenset({"", "-", "–"})
_ADVICE = "docs/course-folder.md describes the file"


@dataclass(frozen=True)
class Times:
    """The times of submission of a class."""

    students: tuple[Student, ...] = ()
    by_line: Mapping[int, datetime] = field(default_factory=dict)
    """Time by the line of the student in the file."""

    @cached_property
    def _matcher(self) -> Matcher:
        return Matcher(self.students)

    def of(self, submission: Submitted) -> datetime | None:
        """Find the time of a submission; None if the file has none, or no single student."""
        student, _ = self._matcher.student_of(submission)
        return None if student is None else self.by_line.get(student.line)

    def of_student(self, student: Student) -> datetime | None:
        """Find the time of a student of the roster; None if the file has none."""
        texts = (student.id, student.sis_id, student.login, student.email, student.moodle_participant)
        for text in filter(None, texts):
            if (moment := self.of(_Named(text, student.name or text))) is not None:
                return moment
        return self.of(_Named(student.name, student.name)) if student.name else None


@dataclass(frozen=True, slots=True)
class _Named:
    """A student by an id and the name."""

    id: str
    student: str


def read_times(path: Path, zone: tzinfo) -> Times:
    """Read a file with times of submission.

    Args:
        path: The CSV file.
        zone: Time zone of times without one.

    Raises:
        UsageError: The file cannot be read or is wrong; each problem has its line.
    """
    return parse_times(table_content(path, "file with times of submission"), zone, name=str(path))


def parse_times(content: bytes, zone: tzinfo, *, name: str = "times.csv") -> Times:
    """Parse a CSV file with times of submission.

    Students are named as in a roster. A time of `-` or an empty one is a student who submitted nothing.

    Args:
        content: Bytes of the CSV file.
        zone: Time zone of times without one.
        name: Name of the file in errors.

    Raises:
        UsageError: The file is wrong; each problem has its line.
    """
    table = read_table(content, name=name)
    cells = [" ".join(cell.casefold().replace("_", " ").split()) for cell in table.heading]
    column = next((index for index, cell in enumerate(cells) if cell in _HEADINGS), None)
    if column is None:
        msg = f"line 1: there is no column `submitted`{did_you_mean('submitted', table.heading)}"
        raise UsageError(msg, where=name, advice=_ADVICE)
    students = students_of(table, name=name, addresses=False)
    rows = zip(table.lines, table.rows, strict=True)
    texts = {line: row[column].strip() if column < len(row) else "" for line, row in rows}
    by_line: dict[int, datetime] = {}
    problems = list[str]()
    for student in students:
        text = texts[student.line]
        moment = moment_of(text, zone)
        if moment is not None:
            by_line[student.line] = moment
        elif text not in _NOTHING:
            problems.append(f"line {student.line}: {text!r} is not a time, such as `2026-11-08 18:00`")
    if problems:
        raise UsageError(joined_problems(problems), where=name, advice=_ADVICE)
    return Times(students, by_line)

"""Marks of people as a CSV table: one row for each criterion of a submission that a person judges."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from grader.delivery.roster import RosterTable, read_table
from grader.facts.nearest import did_you_mean
from grader.report.csvfile import guarded
from grader.schema.errors import UsageError
from grader.schema.problems import joined_problems

__all__ = ["MARK_COLUMNS", "Mark", "MarkLine", "cell_text", "columns_of", "listed", "marks_csv", "parse_marks"]

MARK_COLUMNS = (
    *("submission", "student", "notebook", "criterion", "title", "max_points", "points", "comment", "why"),
    *("judged_by", "judged_at"),
)
_NEEDED = ("submission", "notebook", "criterion", "points")
_MOST_PROBLEMS = 50
_ADVICE = "nothing was imported; docs/judgements.md describes the file"


@dataclass(frozen=True, slots=True)
class Mark:
    """One row of an exported table."""

    submission: str
    student: str
    notebook: str
    """SHA-256 of the submission."""
    criterion: str
    title: str
    max_points: float
    points: float | None = None
    """The person's points; None before anybody judged."""
    comment: str = ""
    why: str = ""
    """Reason of an override."""
    judged_by: str = ""
    judged_at: str = ""


@dataclass(frozen=True, slots=True)
class MarkLine:
    """One row of a table to import."""

    line: int
    """Line of the file, from 1."""
    submission: str
    notebook: str
    criterion: str
    points: float | None
    comment: str
    why: str
    judged_at: str | None
    """When the exported judgement was made; None if the table has no such column."""


def marks_csv(marks: Iterable[Mark]) -> bytes:
    """Write marks as CSV (RFC 4180) in UTF-8 with a mark, which spreadsheet programs recognize.

    Texts that a spreadsheet would evaluate get a leading apostrophe; `parse_marks` removes it.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(MARK_COLUMNS)
    for mark in marks:
        texts = (mark.submission, mark.student, mark.notebook, mark.criterion, mark.title)
        points = "" if mark.points is None else f"{mark.points:g}"
        rest = (mark.comment, mark.why, mark.judged_by, mark.judged_at)
        writer.writerow((*map(_guard, texts), f"{mark.max_points:g}", points, *map(_guard, rest)))
    return buffer.getvalue().encode("utf-8-sig", "replace")


def _guard(text: str) -> str:
    """Guard a text like `grades.csv`, and a text that begins like a guarded one, so that `_unguard` is exact."""
    return f"'{text}" if text.startswith("'") else guarded(text)


def _unguard(text: str) -> str:
    rest = text[1:]
    return rest if text.startswith("'") and (rest.startswith("'") or guarded(rest) != rest) else text


def parse_marks(content: bytes, *, name: str = "marks.csv") -> tuple[MarkLine, ...]:
    """Read a table of marks.

    The separator is a comma, a semicolon or a tab; the encoding is UTF-8, UTF-16 or a code page of Windows, as in a
    roster. Points may have a decimal comma.

    Args:
        content: Bytes of the file.
        name: Name of the file in errors.

    Raises:
        UsageError: The table is wrong; all problems are listed with their lines.
    """
    table, columns = columns_of(content, MARK_COLUMNS, _NEEDED, name=name, advice=_ADVICE)
    problems: list[str] = []
    marks: list[MarkLine] = []
    first: dict[tuple[str, str], int] = {}
    for row, line in zip(table.rows, table.lines, strict=True):
        cells = {column: cell_text(row[index]) if index < len(row) else "" for column, index in columns.items()}
        if not any(cells.values()):
            continue
        mark = _mark(line, cells, problems)
        if mark is None:
            continue
        earlier = first.setdefault((mark.submission, mark.criterion), line)
        if earlier != line:
            problems.append(f"line {line}: {mark.submission}, {mark.criterion} is already on line {earlier}")
        marks.append(mark)
    if problems:
        raise UsageError(listed(problems), where=name, advice=_ADVICE)
    return tuple(marks)


def columns_of(
    content: bytes, known: Sequence[str], needed: Sequence[str], *, name: str, advice: str
) -> tuple[RosterTable, Mapping[str, int]]:
    """Read a table, and find its columns by their headings.

    Args:
        content: Bytes of the file.
        known: Names of columns; others are ignored.
        needed: Names of columns that must be there.
        name: Name of the file in errors.
        advice: Advice in errors.

    Raises:
        UsageError: It is not a CSV file, or a column is missing or there twice.
    """
    try:
        table = read_table(content, name=name)
    except UsageError as error:
        raise UsageError(error.message, where=name, advice=advice) from error
    headings = ["_".join(cell.casefold().split()) for cell in table.heading]
    twice = sorted({one for one in headings if one in known and headings.count(one) > 1})
    problems = [f"line 1: two columns are named {one!r}" for one in twice]
    problems += [
        f"line 1: there is no column {one!r}{did_you_mean(one, [cell for cell in headings if cell])}"
        for one in needed
        if one not in headings
    ]
    if problems:
        raise UsageError(listed(problems), where=name, advice=advice)
    return table, {column: headings.index(column) for column in known if column in headings}


def cell_text(cell: str) -> str:
    """Return the text of a cell without the guard of an export, and with plain line ends."""
    return _unguard(cell.replace("\r\n", "\n").replace("\r", "\n")).strip().replace("\x00", "")


def listed(problems: Sequence[str]) -> str:
    """Join problems, at most fifty of them."""
    return joined_problems(problems, _MOST_PROBLEMS)


def _mark(line: int, cells: Mapping[str, str], problems: list[str]) -> MarkLine | None:
    """Convert a row; list a mistake among the problems instead."""
    empty = [name for name in ("submission", "criterion") if not cells[name]]
    if empty:
        problems.append(f"line {line}: {' and '.join(empty)} must not be empty")
        return None
    try:
        points = _number(cells["points"])
    except ValueError:
        problems.append(f"line {line}: {cells['points']!r} is not a number of points")
        return None
    return MarkLine(
        line=line,
        submission=cells["submission"],
        notebook=cells["notebook"],
        criterion=cells["criterion"],
        points=points,
        comment=cells.get("comment", ""),
        why=cells.get("why", ""),
        judged_at=cells.get("judged_at"),
    )


def _number(text: str) -> float | None:
    """Read points with a decimal point or comma; None for an empty cell.

    Raises:
        ValueError: It is not a number.
    """
    if not text:
        return None
    number = float(text.replace(",", ".")) if text.replace(",", ".", 1).replace(".", "", 1).isdigit() else None
    if number is None or not isfinite(number):
        raise ValueError(text)
    return number

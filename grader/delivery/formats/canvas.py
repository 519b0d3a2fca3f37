"""The format `canvas`: the gradebook that Canvas exports, with the grades in the column of the assignment."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from grader.delivery.grade_export import GradeExport, GradeFormat, GradeRow, RowReport
from grader.delivery.pairing import Person
from grader.delivery.sheet import Sheet, read_sheet
from grader.delivery.worksheet import Column, Place, as_number, fill, heading_key, points_text, scaled
from grader.facts.nearest import did_you_mean
from grader.schema.errors import UsageError

__all__ = ["FORMAT"]

_EXCUSED: Final = "EX"
_POINTS: Final = "points possible"
_READ_ONLY: Final = re.compile(r"read\s+only", re.IGNORECASE)
_TITLE: Final = re.compile(r"(?P<title>.*)\s\((?P<id>\d+)\)", re.DOTALL)
"""The heading of an assignment's column: its title and its id."""
_PEOPLE: Final = {
    "student": "name",
    "lastname": "last",
    "firstname": "first",
    "id": "id",
    "sis user id": "sis_id",
    "sis login id": "login",
}
_ADVICE: Final = "export the gradebook of Canvas: Grades, Export, Export Entire Gradebook"
_MOST_LISTED: Final = 12


def _write(export: GradeExport) -> Sequence[RowReport]:
    if export.worksheet is None:
        msg = "no worksheet"
        raise ValueError(msg)
    name = str(export.worksheet.path)
    sheet = read_sheet(export.worksheet.content, name=name)
    headings = [(index, _PEOPLE.get(heading_key(cell))) for index, cell in _headings(sheet)]
    columns = {column: index for index, column in reversed(headings) if column is not None}
    points_row = next((i for i in range(1, len(sheet.rows)) if _POINTS in sheet.value(i, 0).casefold()), None)
    if "id" not in columns or not {"name", "last"} & columns.keys() or points_row is None:
        msg = "this is no gradebook of Canvas: it has no columns `Student` and `ID`, or no row `Points Possible`"
        raise UsageError(msg, where=name, advice=_ADVICE)
    column = _column(sheet, export, points_row, name)
    most = as_number(sheet.value(points_row, column))
    where = f"{name}, {sheet.value(0, column)}"
    scaled(0.0, export, most, where=where)
    people = dict(_people(sheet, columns, points_row))
    return fill(export, sheet, Column(column), people, lambda row: _value(row, export, most, where))


def _value(row: GradeRow, export: GradeExport, most: Decimal | None, where: str) -> str:
    if row.status == "excused":
        return _EXCUSED
    return points_text(scaled(row.score, export, most, where=where)) if row.writable and row.score is not None else ""


def _headings(sheet: Sheet) -> list[tuple[int, str]]:
    return [(index, cell.value.strip()) for index, cell in enumerate(sheet.rows[0])]


def _people(sheet: Sheet, columns: dict[str, int], points_row: int) -> Iterator[tuple[Person, Place]]:
    """Read the students below the row with the maximum points."""
    for row in range(points_row + 1, len(sheet.rows)):
        values = {key: sheet.value(row, index) for key, index in columns.items()}
        name = values.get("name", "") or ", ".join(filter(None, (values.get("last", ""), values.get("first", ""))))
        if name or values["id"]:
            person = Person(
                line=sheet.lines[row],
                name=name,
                ids=(values["id"],),
                sis_id=values.get("sis_id", ""),
                login=values.get("login", ""),
            )
            yield person, Place(row)


def _column(sheet: Sheet, export: GradeExport, points_row: int, name: str) -> int:
    """Find the column of the assignment by its heading, its title or its id.

    Raises:
        UsageError: There is no such column, there are several, or it is read-only.
    """
    assignments = {index: cell for index, cell in _headings(sheet) if _TITLE.fullmatch(cell)}
    wanted = export.column or export.title
    found = _named(assignments, wanted) or ([] if export.column else _named(assignments, export.rubric))
    if len(found) == 1:
        if _READ_ONLY.search(sheet.value(points_row, found[0])):
            msg = f"the column {assignments[found[0]]!r} is read-only"
            raise UsageError(msg, where=name, advice="choose the column of an assignment with `--column`")
        return found[0]
    open_columns = [
        cell for index, cell in assignments.items() if not _READ_ONLY.search(sheet.value(points_row, index))
    ]
    known = ", ".join(map(repr, open_columns[:_MOST_LISTED])) or "none"
    if found:
        msg = f"several columns match {wanted!r}: {', '.join(repr(assignments[index]) for index in found)}"
    else:
        msg = f"no column is the assignment {wanted!r}{did_you_mean(wanted, open_columns)}; assignments: {known}"
    raise UsageError(msg, where=name, advice="choose one with `--column`: its title, or the id in its heading")


def _named(assignments: dict[int, str], wanted: str) -> list[int]:
    """List the columns whose heading, else whose id, else whose title is the wanted one."""
    key = heading_key(wanted)
    parts = {index: match for index, cell in assignments.items() if (match := _TITLE.fullmatch(cell))}
    for matches in (
        [index for index, cell in assignments.items() if heading_key(cell) == key],
        [index for index, match in parts.items() if match["id"] == key],
        [index for index, match in parts.items() if heading_key(match["title"]) == key],
    ):
        if matches:
            return matches
    return []


FORMAT = GradeFormat(
    name="canvas",
    title="the gradebook that Canvas exports, filled in",
    file="gradebook.csv",
    write=_write,
    worksheet="the gradebook that Canvas exports",
    options=frozenset({"column", "scale"}),
)

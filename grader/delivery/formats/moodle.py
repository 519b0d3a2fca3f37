"""The format `moodle`: the grading worksheet of a Moodle assignment, with the grades filled in."""

from collections.abc import Sequence
from decimal import Decimal

from grader.delivery.grade_export import GradeExport, GradeFormat, GradeRow, RowReport
from grader.delivery.moodle_sheet import MoodleSheet, read_moodle_sheet
from grader.delivery.worksheet import Column, as_number, fill, points_text, scaled
from grader.schema.errors import UsageError

__all__ = ["FORMAT"]


def _write(export: GradeExport) -> Sequence[RowReport]:
    if export.worksheet is None:
        msg = "no worksheet"
        raise ValueError(msg)
    moodle = read_moodle_sheet(export.worksheet.content, name=str(export.worksheet.path))
    if "scale" in moodle.columns:
        msg = "the assignment is graded with a scale of words, not with points"
        raise UsageError(msg, where=moodle.name, advice="change the type of its grade to points in Moodle")
    column, most = moodle.column_of_grades(export.column), _maximum(moodle)
    scaled(0.0, export, most, where=moodle.name)
    limit = Decimal(str(export.max_score)) if most is None else most
    people = dict(moodle.people())
    return fill(export, moodle.sheet, Column(column, limit), people, lambda row: _value(row, export, most, moodle.name))


def _value(row: GradeRow, export: GradeExport, most: Decimal | None, where: str) -> str:
    if not row.writable or row.score is None:
        return ""
    return points_text(scaled(row.score, export, most, where=where))


def _maximum(moodle: MoodleSheet) -> Decimal | None:
    """Read the maximum grade, which every row has; None if the worksheet does not have it.

    Raises:
        UsageError: The rows have different ones.
    """
    index = moodle.columns.get("maximum")
    texts = {text for row in range(1, len(moodle.sheet.rows)) if (text := moodle.sheet.value(row, index))}
    numbers = {as_number(text) for text in texts} - {None}
    if len(numbers) > 1:
        msg = f"the rows have different maximum grades: {', '.join(sorted(texts))}"
        raise UsageError(msg, where=moodle.name)
    return next(iter(numbers), None)


FORMAT = GradeFormat(
    name="moodle",
    title="the grading worksheet of a Moodle assignment, filled in",
    file="worksheet.csv",
    write=_write,
    worksheet="the grading worksheet of the Moodle assignment",
    options=frozenset({"column", "scale"}),
)

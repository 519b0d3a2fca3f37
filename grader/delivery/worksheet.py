"""Fill grades into a worksheet of another tool."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from grader.delivery.grade_export import GradeExport, GradeRow, RowReport, reports_of
from grader.delivery.pairing import Pairing, Person, pair_people
from grader.delivery.sheet import Sheet, filled
from grader.schema.errors import UsageError

__all__ = ["Column", "Place", "as_number", "fill", "heading_key", "points_text", "scaled"]

_LEFT = "nobody in the class matches; the row stays as it is"


@dataclass(frozen=True, slots=True)
class Place:
    """The row of a person in a worksheet."""

    row: int
    """Index of the row."""
    locked: str = ""
    """Why the row must not be changed; empty if it may."""


@dataclass(frozen=True, slots=True)
class Column:
    """The column of the grades."""

    index: int
    limit: Decimal | None = None
    """Largest grade that the other tool imports; None for any."""


def heading_key(heading: str) -> str:
    """Return the form of a heading for comparison: without case, and with single spaces.

    Args:
        heading: The heading.
    """
    return " ".join(heading.casefold().split())


def as_number(text: str) -> Decimal | None:
    """Read a number with a decimal point or comma; None if it is none.

    Args:
        text: The text of a cell.
    """
    plain = text.strip().replace("\N{NO-BREAK SPACE}", "").replace(" ", "")
    if "," in plain and "." in plain:
        plain = plain.replace("." if plain.rfind(",") > plain.rfind(".") else ",", "")
    plain = plain.replace(",", ".")
    return Decimal(plain) if plain.removeprefix("-").replace(".", "", 1).isdecimal() else None


def points_text(points: Decimal) -> str:
    """Write points without exponent and trailing zeros, with at most two decimals.

    Args:
        points: The points.
    """
    text = f"{points.quantize(Decimal('0.01'), ROUND_HALF_UP):f}"
    return text.rstrip("0").rstrip(".")


def scaled(score: float, export: GradeExport, most: Decimal | None, *, where: str) -> Decimal:
    """Return a score for a tool with its own maximum.

    Args:
        score: The score.
        export: The export, with the maximum of the rubric and the option to convert.
        most: The maximum of the tool; None if unknown.
        where: The place of the maximum, for the error.

    Raises:
        UsageError: The maximums differ, and scores should not be converted.
    """
    own = Decimal(str(export.max_score))
    if most is None or most == own:
        return Decimal(str(score))
    if not export.scale:
        msg = f"the assignment has {points_text(most)} points there, and {points_text(own)} here"
        raise UsageError(msg, where=where, advice="change it in one of them, or convert the scores with `--scale`")
    if not own:
        msg = "an assignment without points cannot be converted"
        raise UsageError(msg, where="--scale")
    return Decimal(str(score)) * most / own


def fill(
    export: GradeExport,
    sheet: Sheet,
    column: Column,
    people: Mapping[Person, Place],
    value_of: Callable[[GradeRow], str],
) -> tuple[RowReport, ...]:
    """Write the worksheet with the grades of the class.

    Args:
        export: The class.
        sheet: The worksheet.
        column: The column of the grades.
        people: The people of the worksheet, with their places.
        value_of: Returns what is written for a row; empty for nothing.
    """
    pairing = pair_people(export.rows, tuple(people))
    values: dict[tuple[int, int], str] = {}
    reports: list[RowReport] = []
    for index, row in enumerate(export.rows):
        value, person = value_of(row), pairing.pairs.get(index)
        refused = _refused(value, None if person is None else people[person], column.limit)
        if not value or person is None or refused:
            reports.append(_not_written(row, value, person, refused or pairing.reasons.get(index, "")))
            continue
        place = people[person]
        reports.append(_written(row, sheet, (place.row, column.index), value))
        if reports[-1].state == "written":
            values[place.row, column.index] = value
    reports += _left(pairing, people, sheet)
    export.target.write_bytes(filled(sheet, values))
    return tuple(reports)


def _written(row: GradeRow, sheet: Sheet, place: tuple[int, int], value: str) -> RowReport:
    before, line = sheet.value(*place), f"line {sheet.lines[place[0]]}"
    old, new = as_number(before), as_number(value)
    same = before == value or (old is not None and old == new)
    replaced = f"replaces {before}" if before and before != "-" and not same else ""
    why = "; ".join(filter(None, (row.remark if row.writable else "", replaced)))
    return RowReport(row.label, row.submission, "unchanged" if same else "written", value, why, line)


def _refused(value: str, place: Place | None, limit: Decimal | None) -> str:
    """Say why the other tool would not take a value; empty if it would."""
    number = as_number(value)
    if place is not None and place.locked:
        return place.locked
    if place is not None and limit is not None and number is not None and number > limit:
        return f"{value} is above the maximum of {points_text(limit)}, which the import ignores"
    return ""


def _not_written(row: GradeRow, value: str, person: Person | None, why: str) -> RowReport:
    if not value:
        return reports_of(row)
    return RowReport(row.label, row.submission, "unmatched" if person is None else "held", why=why)


def _left(pairing: Pairing, people: Mapping[Person, Place], sheet: Sheet) -> Iterable[RowReport]:
    """Report the people of the worksheet that nobody in the class matches."""
    for person in pairing.left:
        yield RowReport(person.label, "", "left", why=_LEFT, place=f"line {sheet.lines[people[person].row]}")

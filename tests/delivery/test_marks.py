"""Marks as a table: what is exported is read back, and every wrong row is named with its line."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.delivery.marks import MARK_COLUMNS, Mark, marks_csv, parse_marks
from grader.schema.errors import UsageError

_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=40)
_NAMES = _TEXTS.filter(lambda text: text == text.strip() and bool(text))


def a_mark(**values: Any) -> Mark:
    given_values = {"submission": "ada", "student": "Ada", "notebook": "0" * 64, "criterion": "sketch", "title": "A"}
    return Mark(**{**given_values, "max_points": 5.0, **values})


@settings(deadline=None)
@given(_NAMES, _TEXTS.map(str.strip), _TEXTS.map(str.strip), st.none() | st.integers(0, 500))
def test_every_exported_text_is_read_back_exactly(name: str, comment: str, why: str, cents: int | None) -> None:
    points = None if cents is None else cents / 100
    (line,) = parse_marks(marks_csv([a_mark(submission=name, points=points, comment=comment, why=why)]))
    assert (line.submission, line.points, line.comment, line.why) == (name, points, comment, why)


@given(_TEXTS)
def test_no_cell_of_an_export_is_a_formula(text: str) -> None:
    mark = a_mark(student=text, comment=text, why=text, title=text, judged_by=text)
    (_, row) = csv.reader(io.StringIO(marks_csv([mark]).decode("utf-8-sig"), newline=""))
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in row)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_of_spreadsheet_programs_are_read(encoding: str, separator: str) -> None:
    heading = ("Submission", "notebook", "criterion", "points", "comment")
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=separator).writerows([heading, ("ada", "00", "sketch", "2,5", "Schön!")])
    (line,) = parse_marks(buffer.getvalue().encode(encoding))
    assert (line.points, line.comment, line.line, line.judged_at) == (2.5, "Schön!", 2, None)


def test_all_problems_are_listed_with_their_lines() -> None:
    text = "submission,notebook,criterion,points\nada,0,a,x\n,0,a,1\nbo,0,a,1\nbo,0,a,2\ncleo,0,a,-1\ndora,0,a,1e2\n"
    with pytest.raises(UsageError) as caught:
        parse_marks(text.encode(), name="m.csv")
    problems = caught.value.message.split("; ")
    assert problems == [
        "line 2: 'x' is not a number of points",
        "line 3: submission must not be empty",
        "line 5: bo, a is already on line 4",
        "line 6: '-1' is not a number of points",
        "line 7: '1e2' is not a number of points",
    ]
    assert (caught.value.where, "nothing was imported" in caught.value.advice) == ("m.csv", True)


def test_a_missing_column_is_named_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="line 1: there is no column 'criterion'; did you mean 'criteron'"):
        parse_marks(b"submission,notebook,criteron,points\n")


def test_the_columns_of_an_export_are_those_of_the_documentation() -> None:
    names = "submission student notebook criterion title max_points points comment why judged_by judged_at"
    assert tuple(names.split()) == MARK_COLUMNS

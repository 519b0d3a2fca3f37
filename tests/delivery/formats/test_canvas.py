"""The gradebook of Canvas comes back with the grades in one column, and nothing else changed."""

import csv
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.delivery.formats.canvas import FORMAT
from grader.delivery.grade_export import GradeRow, RowReport
from grader.delivery.worksheet import as_number, points_text
from grader.schema.errors import UsageError
from tests.support.exporting import CANVAS, a_row, an_absent_row, an_export, states
from tests.support.mailing import a_grade, a_student

AMARA = a_row(student=a_student("1001", name="Amara Okafor"))
BEN = a_row(a_grade("b", 8.5), a_student("x", name="Ben B M\u00fcller", sis_id="s2"))


def export(
    tmp_path: Path, *rows: GradeRow, worksheet: str | bytes = CANVAS, **keys: Any
) -> tuple[str, list[RowReport]]:
    target = tmp_path / "gradebook.csv"
    reports = FORMAT.write(an_export(target, *rows, worksheet=worksheet, **keys))
    return target.read_bytes().decode("utf-8"), list(reports)


def test_only_the_column_of_the_assignment_changes(tmp_path: Path) -> None:
    text, reports = export(tmp_path, AMARA, BEN)
    assert text == CANVAS.replace("amara,CNN,9,,90", "amara,CNN,9,24,90").replace("CNN,8,12.5,80", "CNN,8,12.5,80")
    assert states(tuple(reports)) == {
        "Amara Okafor": ("written", "24"),
        "Ben B M\u00fcller": ("unchanged", "12.5"),
        "Chiara Rossi": ("left", ""),
        "Student, Test": ("left", ""),
    }
    assert reports[0].place == "line 4"


def test_an_excused_student_gets_ex_and_an_absent_one_nothing(tmp_path: Path) -> None:
    chiara, ben = a_student("1003", name="Chiara Rossi"), a_student("1002", name="Ben B M\u00fcller")
    text, reports = export(tmp_path, an_absent_row(chiara, "excused"), an_absent_row(ben))
    assert text == CANVAS.replace("chiara,CNN,,24.00", "chiara,CNN,,EX")
    assert (reports[0].state, reports[0].value, reports[0].why) == ("written", "EX", "replaces 24.00")
    assert (reports[1].state, reports[1].why) == ("missing", "nothing was handed in")


def test_a_held_grade_leaves_its_cell(tmp_path: Path) -> None:
    text, (report, *_) = export(
        tmp_path, a_row(student=a_student("1001", name="Amara Okafor"), held="5 points are pending")
    )
    assert text == CANVAS
    assert (report.state, report.why) == ("held", "5 points are pending")


@pytest.mark.parametrize("column", ["A sample (4711)", "a sample", "4711"])
def test_the_column_is_named_by_its_heading_its_title_or_its_id(tmp_path: Path, column: str) -> None:
    assert "amara,CNN,9,24,90" in export(tmp_path, AMARA, title="Another title", column=column)[0]


def test_an_unknown_column_lists_the_assignments_and_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"did you mean 'A sample \(4711\)'\?; assignments: 'Warm-up") as caught:
        export(tmp_path, AMARA, column="A sampel (4711)")
    assert "--column" in caught.value.advice


def test_two_columns_with_the_title_are_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="several columns match"):
        export(tmp_path, AMARA, worksheet=CANVAS.replace("Warm-up", "A sample"))


def test_a_read_only_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is read-only"):
        export(tmp_path, AMARA, worksheet=CANVAS.replace(",10,44,", ",10,(read only),"))


def test_another_maximum_is_an_error_or_is_converted(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has 10 points there, and 44 here") as caught:
        export(tmp_path, AMARA, column="101")
    assert "--scale" in caught.value.advice
    assert "amara,CNN,5.45,,90" in export(tmp_path, AMARA, column="101", scale=True)[0]


def test_last_and_first_names_in_two_columns_and_semicolons_work(tmp_path: Path) -> None:
    sheet = "LastName;FirstName;ID;Section;A sample (4711)\n    Points Possible;;;;44,0\nOkafor;Amara;1001;CNN;\n"
    assert export(tmp_path, AMARA, worksheet=sheet)[0] == sheet.replace("CNN;\n", "CNN;24\n")


@pytest.mark.parametrize("sheet", ["name,grade\nann,1\n", CANVAS.replace("    Points Possible", "Points")])
def test_another_file_is_an_error(tmp_path: Path, sheet: str) -> None:
    with pytest.raises(UsageError, match="no gradebook of Canvas"):
        export(tmp_path, AMARA, worksheet=sheet)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\n"), min_size=3, max_size=8)


@given(st.lists(NAMES, unique_by=str.casefold, min_size=1, max_size=6), st.data())
def test_a_round_trip_changes_only_the_cells_of_matched_students(names: list[str], data: st.DataObject) -> None:
    """Ids are unique here, so that each student is found whatever the names are."""
    scores = {number: data.draw(st.integers(0, 4400)) / 100 for number in range(len(names))}
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Other (1)", "A sample (2)"])
    writer.writerow(["    Points Possible", "", "", "", "", "5", "44"])
    writer.writerows([name, 5000 + number, "", "", "x;y", "=1+1", ""] for number, name in enumerate(names))
    content = buffer.getvalue()
    rows = [
        a_row(a_grade(f"submission {number}", score=scores[number]), a_student(str(5000 + number), name=name))
        for number, name in enumerate(names)
    ]
    target = Path("out.csv")
    with pytest.MonkeyPatch.context() as patch:
        written: list[bytes] = []
        patch.setattr(Path, "write_bytes", lambda _path, data: written.append(data))
        reports = FORMAT.write(an_export(target, *rows, worksheet=content))
    before = list(csv.reader(io.StringIO(content)))
    after = list(csv.reader(io.StringIO(written[0].decode(), newline="")))
    found = {int(one.submission.split()[1]) for one in reports if one.state == "written"}
    for number, (old, new) in enumerate(zip(before[2:], after[2:], strict=True)):
        assert new[:-1] == old[:-1]
        assert (float(new[-1]) == scores[number]) if number in found else (new[-1] == "")
    assert after[:2] == before[:2]
    assert {one.state for one in reports} <= {"written", "unmatched", "left"}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.234,50", "1234.50"),
        ("1,234.50", "1234.50"),
        ("85,5", "85.5"),
        (" 7 ", "7"),
        ("-", None),
        ("EX", None),
        ("", None),
        ("--5", None),
        ("-2,5", "-2.5"),
    ],
)
def test_numbers_of_both_decimal_signs_are_read(text: str, number: str | None) -> None:
    assert as_number(text) == (None if number is None else Decimal(number))


def test_points_have_at_most_two_decimals() -> None:
    assert [points_text(Decimal(text)) for text in ("85.00", "0", "7.125", "100", "0.10")] == [
        "85",
        "0",
        "7.13",
        "100",
        "0.1",
    ]

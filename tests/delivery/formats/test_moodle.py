"""The grading worksheet of Moodle comes back with the grades, in whatever language it is."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from grader.delivery.formats.moodle import FORMAT
from grader.delivery.grade_export import GradeRow, RowReport
from grader.schema.errors import UsageError
from tests.support.exporting import MOODLE, MOODLE_GERMAN, a_row, an_absent_row, an_export, states
from tests.support.mailing import a_grade, a_student

AMARA = a_row(student=a_student("x", name="Amara Okafor", email="amara@example.org"))
BEN = a_row(a_grade("b"), a_student("y", name="", email="ben@example.org"))
CHIARA = a_row(a_grade("c"), a_student("z", name="Chiara Rossi"))


def export(
    tmp_path: Path, *rows: GradeRow, worksheet: str | bytes = MOODLE, **keys: Any
) -> tuple[bytes, list[RowReport]]:
    target = tmp_path / "worksheet.csv"
    reports = FORMAT.write(an_export(target, *rows, worksheet=worksheet, **keys))
    return target.read_bytes(), list(reports)


def test_grades_are_filled_in_and_a_locked_grade_is_not(tmp_path: Path) -> None:
    content, reports = export(tmp_path, AMARA, BEN, CHIARA)
    assert content.decode() == MOODLE.replace(",,44.00,Yes", ",24,44.00,Yes").replace(",12.50,", ",24,")
    assert states(tuple(reports)) == {
        "Amara Okafor": ("written", "24"),
        "y": ("written", "24"),
        "Chiara Rossi": ("held", ""),
    }
    assert reports[1].why == "replaces 12.50"
    assert reports[2].why == "Moodle does not allow to change this grade"


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_german_worksheet_works_with_its_mark_and_its_decimal_commas(tmp_path: Path, mark: str) -> None:
    content, _ = export(tmp_path, AMARA, worksheet=(mark + MOODLE_GERMAN).encode())
    assert content.decode() == mark + MOODLE_GERMAN.replace(',,"44,00"', ',24,"44,00"', 1)


def test_any_other_language_needs_only_the_name_of_the_column(tmp_path: Path) -> None:
    finnish = (
        MOODLE.replace("Participant", "Osallistuja").replace(",Grade,", ",Arvosana,").replace("Identifier", "Tunniste")
    )
    with pytest.raises(UsageError, match="'Arvosana'") as caught:
        export(tmp_path, AMARA, worksheet=finnish)
    assert "--column" in caught.value.advice
    assert b",24,44.00,Yes" in export(tmp_path, AMARA, worksheet=finnish, column="arvosana")[0]


def test_an_anonymous_worksheet_is_filled_in_by_moodles_numbers(tmp_path: Path) -> None:
    heading = "Identifier,Status,Grade,Maximum Grade,Last modified (grade)"
    sheet = f"{heading}\nParticipant 31,,,44.00,-\nParticipant 32,,,44.00,-\n"
    row = a_row(a_grade("Participant 32"))
    content, reports = export(tmp_path, row, worksheet=sheet)
    assert content.decode() == sheet.replace("Participant 32,,,", "Participant 32,,24,")
    assert [one.state for one in reports] == ["written", "left"]


def test_another_maximum_is_an_error_or_is_converted(tmp_path: Path) -> None:
    sheet = MOODLE.replace("44.00", "10.00")
    with pytest.raises(UsageError, match="has 10 points there, and 44 here"):
        export(tmp_path, AMARA, worksheet=sheet)
    assert b",5.45,10.00,Yes" in export(tmp_path, AMARA, worksheet=sheet, scale=True)[0]


def test_rows_with_different_maximums_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"different maximum grades: 44\.00, 50\.00"):
        export(tmp_path, AMARA, worksheet=MOODLE.replace("44.00", "50.00", 1))


def test_a_grade_above_the_maximum_is_held_back_since_moodle_ignores_it(tmp_path: Path) -> None:
    bonus = a_row(a_grade(score=45.5), a_student("x", name="Amara Okafor"))
    content, (report, *_) = export(tmp_path, bonus)
    assert (content.decode(), report.state) == (MOODLE, "held")
    assert report.why == "45.5 is above the maximum of 44, which the import ignores"


def test_excused_and_absent_students_leave_their_cells(tmp_path: Path) -> None:
    ben = a_student("y", email="ben@example.org", name="")
    content, reports = export(tmp_path, an_absent_row(ben, "excused"))
    assert (content.decode(), reports[0].state, reports[0].why) == (MOODLE, "held", "the student is excused")


def test_a_scale_of_words_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="scale of words"):
        export(tmp_path, AMARA, worksheet=MOODLE.replace('"Maximum Grade"', "Scale"))


def test_another_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no grading worksheet of Moodle"):
        export(tmp_path, AMARA, worksheet="a,b\n1,2\n")


def test_moodles_importer_reads_the_number_of_each_row(tmp_path: Path) -> None:
    """Moodle cuts its word for participants off, whose length depends on the language, and reads a grade as a float."""
    for worksheet, word in ((MOODLE, "Participant "), (MOODLE_GERMAN, "Teilnehmer/in")):
        content, _ = export(tmp_path, AMARA, BEN, worksheet=worksheet)
        rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
        assert [int(row[0][len(word) :]) for row in rows[1:]] == [2001, 2002, 2003]
        assert [float(row[4]) for row in rows[1:3]] == [24.0, 24.0]

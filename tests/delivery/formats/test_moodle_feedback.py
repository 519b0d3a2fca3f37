"""The zip of feedback files has the names that Moodle's import expects."""

import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.delivery.formats.moodle_feedback import FORMAT, feedback_folder
from grader.delivery.grade_export import GradeRow
from grader.schema.grade import SubmissionStamp
from tests.support.exporting import MOODLE_GERMAN, a_row, an_export, states
from tests.support.mailing import a_grade, a_student


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A report for a student."""
    path = tmp_path / "report.html"
    path.write_text("<h1>A report</h1>", encoding="utf-8")
    return path


def imported(name: str) -> tuple[int, str, str] | None:
    """Read a path as Moodle does: the participant, the plugin, and the name of the file."""
    parts = name.split("/")
    if parts[-1].startswith((".", "~")):
        return None
    while parts:
        info = parts.pop(0).split("_", 4)
        if len(info) < 4 or not info[1].isdecimal():
            continue
        rest = [info[4] if len(info) == 5 else "", *parts]
        return int(info[1]), f"{info[2]}_{info[3]}", "/".join(rest)
    return None


@given(st.text(max_size=30), st.integers(1, 10**9))
def test_moodles_import_finds_the_student_in_any_name(name: str, participant: int) -> None:
    folder = feedback_folder(name, str(participant))
    assert imported(f"{folder}/report.html") == (participant, "assignsubmission_file", "/report.html")
    assert not re.search(r'[\x00-\x1f<>:"/\\|?*]', folder)
    assert folder[0] not in {".", "~"}


def test_the_worksheet_gives_the_numbers(tmp_path: Path, report: Path) -> None:
    rows = [
        a_row(student=a_student("x", name="Amara Okafor"), report=report),
        a_row(a_grade("b"), a_student("y", name="Somebody", email="b@x.org"), report=report),
        a_row(a_grade("c"), a_student("z", name="Chiara Rossi"), held="5 points are pending", report=report),
        a_row(a_grade("d"), a_student("w", email="ben@example.org", name="")),
    ]
    target = tmp_path / "feedback.zip"
    reports = FORMAT.write(an_export(target, *rows, worksheet=MOODLE_GERMAN))
    assert states(tuple(reports)) == {
        "Amara Okafor": ("written", "report.html"),
        "Somebody": ("unmatched", ""),
        "Chiara Rossi": ("held", ""),
        "w": ("held", ""),
    }
    with zipfile.ZipFile(target) as archive:
        (name,) = archive.namelist()
        assert imported(name) == (2001, "assignsubmission_file", "/report.html")
        assert archive.read(name) == report.read_bytes()


def test_without_a_worksheet_the_roster_and_the_names_of_submissions_give_the_numbers(
    tmp_path: Path, report: Path
) -> None:
    def submitted(name: str, student: str) -> GradeRow:
        stamp = SubmissionStamp(id=name, student=student, files=(), sha256="0" * 64)
        return a_row(a_grade(submission=stamp), report=report)

    rows = [
        a_row(student=a_student("x", name="Amara", moodle_participant="Participant 41"), report=report),
        submitted("Ben-Roth-42", "Ben Roth"),
        submitted("homework-2", "homework-2"),
        submitted("somebody", "somebody"),
        submitted("Dan-43", "Dan"),
        submitted("Eva-43", "Eva"),
    ]
    target = tmp_path / "feedback.zip"
    reports = FORMAT.write(an_export(target, *rows))
    assert [one.state for one in reports] == ["written", "written", *["unmatched"] * 4]
    with zipfile.ZipFile(target) as archive:
        assert [imported(name) for name in archive.namelist()] == [
            (41, "assignsubmission_file", "/report.html"),
            (42, "assignsubmission_file", "/report.html"),
        ]


def test_equal_reports_make_an_equal_zip(tmp_path: Path, report: Path) -> None:
    rows = [
        a_row(a_grade(name), a_student(name, moodle_participant=f"Participant {number}"), report=report)
        for number, name in enumerate(("amara", "ben"), 41)
    ]
    FORMAT.write(an_export(tmp_path / "one.zip", *rows))
    FORMAT.write(an_export(tmp_path / "two.zip", *reversed(rows)))
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()

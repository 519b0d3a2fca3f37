"""Rows of a class, and worksheets of other tools, for exports of grades."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grader.delivery.editions import editions_of
from grader.delivery.grade_export import GradeExport, GradeRow, RowReport, Worksheet
from grader.delivery.roster import Student
from grader.schema.grade import Grade
from tests.support.mailing import RUBRIC, a_grade

__all__ = ["CANVAS", "MOODLE", "MOODLE_GERMAN", "a_row", "an_absent_row", "an_export", "states"]

CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Warm-up (101),A sample (4711),Current Score,Final Points\r\n"
    ",,,,,,Manual Posting,,\r\n"
    "    Points Possible,,,,,10,44,(read only),(read only)\r\n"
    '"Okafor, Amara",1001,s1,amara,CNN,9,,90,9\r\n'
    '"Ben ""B"" M\u00fcller",1002,s2,ben@example.org,CNN,8,12.5,80,8\r\n'
    "Chiara Rossi,1003,s3,chiara,CNN,,24.00,70,7\r\n"
    '"Student, Test",1999,,,CNN,,,,\r\n'
)
"""A gradebook of Canvas, as Canvas exports it."""
MOODLE = (
    'Identifier,"Full name","Email address",Status,Grade,"Maximum Grade","Grade can be changed",'
    '"Last modified (submission)","Last modified (grade)","Feedback comments"\n'
    '"Participant 2001","Amara Okafor",amara@example.org,"Submitted for grading",,44.00,Yes,'
    '"Friday, 1 May 2026, 6:00 PM",-,"Well, ""good"""\n'
    '"Participant 2002","Ben M\u00fcller",ben@example.org,"Submitted for grading",12.50,44.00,Yes,-,-,\n'
    '"Participant 2003","Chiara Rossi",chiara@example.org,"No submission",,44.00,No,-,-,\n'
)
"""A grading worksheet of Moodle, as Moodle writes it in English."""
MOODLE_GERMAN = (
    MOODLE.replace("Participant ", "Teilnehmer/in")
    .replace("Identifier", "ID")
    .replace("Full name", "Vollst\u00e4ndiger Name")
    .replace("Email address", "E-Mail-Adresse")
    .replace("Grade can be changed", "Bewertung kann ge\u00e4ndert werden")
    .replace("Maximum Grade", "Bestwertung")
    .replace(",Grade,", ",Bewertung,")
    .replace("44.00,Yes", '"44,00",Ja')
    .replace("44.00,No", '"44,00",Nein')
    .replace(",12.50,", ',"12,50",')
)
"""The same in German."""


def a_row(grade: Grade | None = None, student: Student | None = None, **keys: Any) -> GradeRow:
    """The row of a graded submission."""
    grade = a_grade() if grade is None else grade
    values: dict[str, Any] = {
        "status": grade.status,
        "submission": grade.submission.id,
        "handed_in_as": grade.submission.student,
        "score": grade.score,
        "max_score": grade.max_score,
        "pending": grade.pending,
    }
    return GradeRow(student=student, read=lambda: editions_of(grade, RUBRIC), **(values | keys))


def an_absent_row(student: Student, status: str = "missing") -> GradeRow:
    """The row of a student who handed in nothing."""
    keys: dict[str, Any] = {"status": status, "submission": "", "handed_in_as": "", "score": None, "pending": 0.0}
    return a_row(student=student, held="the student is excused" if status == "excused" else "", **keys)


def an_export(target: Path, *rows: GradeRow, worksheet: str | bytes | Worksheet = b"", **keys: Any) -> GradeExport:
    """An export of rows into a file."""
    content = worksheet.encode() if isinstance(worksheet, str) else worksheet
    sheet = Worksheet(Path("worksheet.csv"), content) if isinstance(content, bytes) else content
    values: dict[str, Any] = {
        "rubric": "sample",
        "title": "A sample",
        "max_score": 44.0,
        "now": datetime(2026, 5, 2, 10, tzinfo=UTC),
        "worksheet": sheet if content else None,
    }
    return GradeExport(rows=rows, target=target, **(values | keys))


def states(reports: tuple[RowReport, ...]) -> dict[str, tuple[str, str]]:
    """State and value by the name of the student."""
    return {one.student: (one.state, one.value) for one in reports}

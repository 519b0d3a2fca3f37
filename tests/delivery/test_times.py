"""Files with times of submission."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from grader.delivery.roster import Student
from grader.delivery.times import parse_times, read_times
from grader.schema.errors import UsageError
from grader.schema.grade import SubmissionStamp

BERLIN = ZoneInfo("Europe/Berlin")
MOODLE = """\
Identifier,Full name,Email address,Status,Grade,Last modified (submission)
Participant 4711,Ann Lee,ann@x.org,Submitted for grading,-,"Sunday, 8 November 2026, 6:03 PM"
Participant 4712,Ben Roth,ben@x.org,No submission,-,-
"""


def stamp(name: str, student: str) -> SubmissionStamp:
    return SubmissionStamp(id=name, student=student, files=(), sha256="0")


def test_the_worksheet_of_moodle_has_the_times() -> None:
    times = parse_times(MOODLE.encode(), BERLIN)
    assert times.of(stamp("Ann-Lee-4711", "Ann Lee")) == datetime(2026, 11, 8, 17, 3, tzinfo=UTC)
    assert times.of(stamp("Ben-Roth-4712", "Ben Roth")) is None
    assert times.of(stamp("cleo", "Cleo")) is None


def test_a_student_of_the_roster_is_found_by_any_id() -> None:
    times = parse_times(b"sis id,submitted\nu1,2026-11-08 18:00\nu2,-\n", UTC)
    ann = Student("s1", "Ann Lee", "ann@x.org", None, "", 2, sis_id="u1")
    ben = Student("s2", "Ben Roth", "ben@x.org", None, "", 3, sis_id="u2")
    assert times.of_student(ann) == datetime(2026, 11, 8, 18, tzinfo=UTC)
    assert times.of_student(ben) is None


def test_a_wrong_time_is_named_with_its_line() -> None:
    with pytest.raises(UsageError, match=r"times.csv: line 3: 'soon' is not a time"):
        parse_times(b"id,submitted\nann,2026-11-08 18:00\nben,soon\n", UTC)


def test_a_file_without_times_and_a_missing_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no column `submitted`; did you mean 'Submited'"):
        parse_times(b"id,Submited\nann,2026-11-08 18:00\n", UTC)
    with pytest.raises(UsageError, match="cannot be read"):
        read_times(tmp_path / "times.csv", UTC)

"""`course.yaml`: what it may say, and errors with their line."""

from datetime import UTC, datetime
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # brought by nbformat, without types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.grading.course_settings import load_course_settings, read_course_settings
from grader.grading.json_schema import course_schema
from grader.grading.yamlnodes import read_yaml
from grader.schema.course import Deduction, latest_moment, parse_date, parse_period, parse_zone
from grader.schema.errors import UsageError

FULL = """\
version: 1
title: Deep Learning
language: de
timezone: Europe/Berlin
roster: roster.csv
judgements: decisions.jsonl
graders: [Ann Lee, Ben Roth]
mail: {sender: "DL <dl@example.org>", server: mail.example.org}
assignments:
  mnist-cnn:
    rubric: mnist-cnn
    due: 2026-11-08 18:00
    late: {grace: 30 min, per_day: 10 %, at_most: 50 %}
    files: [data/*.csv]
    starter: starter.ipynb
    times: times.csv
    groups: true
    reports_at: https://example.org/reports
    release: 2026-11-20
  second:
    rubric: rubrics/own.yaml
    due: 2026-12-01 12:00 +00:00
    late: {per_day: 2.5}
"""
FIRST = datetime.fromisoformat("1970-01-01")
SMALL = "version: 1\ntitle: Deep Learning\nassignments:\n  a: {rubric: mnist-cnn}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rubrics").mkdir()
    for name in ("roster.csv", "starter.ipynb", "times.csv", "rubrics/own.yaml"):
        (tmp_path / name).touch()
    return tmp_path


def problems(text: str, folder: Path | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        read_course_settings(text.encode(), ["mnist-cnn", "cifar-deep"], folder=folder)
    return str(caught.value)


def test_a_course_with_every_key_is_read(folder: Path) -> None:
    settings = read_course_settings(FULL.encode(), ["mnist-cnn"], folder=folder)
    first, second = settings.assignments.values()
    assert settings.graders == ("Ann Lee", "Ben Roth")
    assert settings.moment(first.due) == datetime(2026, 11, 8, 17, tzinfo=UTC)
    assert settings.moment(second.due) == datetime(2026, 12, 1, 12, tzinfo=UTC)
    assert first.late is not None
    assert second.late is not None
    assert first.late.grace == 1800
    assert first.late.per_day == Deduction(value=10, percent=True)
    assert second.late.per_day == Deduction(value=2.5)
    assert settings.moment(first.release) == datetime(2026, 11, 20, 22, 59, 59, tzinfo=UTC)


def test_a_small_course_has_defaults() -> None:
    settings = read_course_settings(SMALL.encode())
    assert (settings.timezone, settings.judgements, settings.roster) == ("UTC", "judgements.jsonl", None)
    assert settings.assignments["a"].late is None


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("graders:", "grader:", "7:1", "did you mean 'graders'?"),
        ("at_most", "atmost", "13:42", "did you mean 'at_most'?"),
        ("Europe/Berlin", "Europe/Berlim", "4:11", "did you mean 'Europe/Berlin'?"),
        ("language: de", "language: dd", "3:11", "dd"),
        ("30 min", "soon", "13:19", "is not a duration"),
        ("per_day: 10 %", "per_day: ten", "13:36", "is not a deduction"),
        ("2026-11-08 18:00", "2026-11-31", "12:10", "there is no day or time"),
        ("release: 2026-11-20", "release: 5", "19:14", "is not a date"),
        ("  second:", "  Second Part:", "21:5", "must consist of lower-case letters"),
        ("rubric: mnist-cnn", "rubric: mnist-cn", "11:13", "did you mean 'mnist-cnn'?"),
        ("own.yaml", "owl.yaml", "21:13", "did you mean"),
        ("roster.csv", "rooster.csv", "5:9", "there is no file 'rooster.csv'"),
        ("version: 1", "version: 2", "1:10", "this grader reads version 1"),
    ],
)
def test_a_mistake_is_named_with_its_line(folder: Path, old: str, new: str, place: str, words: str) -> None:
    error = problems(FULL.replace(old, new, 1), folder)
    assert f"course.yaml:{place}" in error
    assert words in error


def test_a_course_needs_an_assignment() -> None:
    assert "assignments" in problems("version: 1\ntitle: X\nassignments: {}\n")
    assert "'assignments' is missing" in problems("version: 1\ntitle: X\n")


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_course_settings(tmp_path / "course.yaml")


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2026-11-08", "2026-11-08T23:59:59"),
        ("2026-11-08 8:05", "2026-11-08T08:05:00"),
        ("2026-11-08T18:00:30", "2026-11-08T18:00:30"),
        ("2026-11-08 18:00Z", "2026-11-08T18:00:00+00:00"),
    ],
)
def test_forms_of_dates(text: str, when: str) -> None:
    assert parse_date(text) == datetime.fromisoformat(when)


@given(st.datetimes(min_value=FIRST, timezones=st.timezones()))
def test_a_date_with_an_offset_is_read_back(when: datetime) -> None:
    when = when.replace(microsecond=0)
    offset = when.utcoffset()
    if offset is None or offset.total_seconds() % 60:
        return  # zones of former centuries have odd offsets, which no one writes
    parsed = parse_date(when.isoformat())
    assert isinstance(parsed, datetime)
    assert parsed.isoformat() == when.isoformat()


@given(st.text(max_size=30))
def test_any_text_is_a_date_or_a_clear_error(text: str) -> None:
    for parse in (parse_date, parse_period):
        outcome = "is a value"
        try:
            parse(text)
        except ValueError as error:
            outcome = str(error)
        assert any(words in outcome for words in ("is a value", "is not a", "there is no", "unknown time zone"))


def test_the_json_schema_accepts_what_the_loader_accepts() -> None:
    validator = jsonschema.Draft202012Validator(course_schema())
    validator.check_schema(course_schema())
    assert [error.message for error in validator.iter_errors(read_yaml(FULL).data)] == []
    assert list(validator.iter_errors(read_yaml(FULL.replace("graders", "grader")).data))


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-10-25 02:30", 1),  # twice: as summer time at 0:30 UTC, and an hour later
        ("2026-10-25 02:30 Europe/Berlin", 1),
        ("2026-10-25 02:30 +02:00", 0),
        ("2026-03-29 02:30", 1),  # never: the clocks go from 2:00 to 3:00
    ],
)
def test_a_due_date_at_a_change_of_the_clocks_is_the_latest_that_it_can_mean(text: str, hour: int) -> None:
    when = parse_date(text)
    assert isinstance(when, datetime)
    moment = latest_moment(when, parse_zone("Europe/Berlin"))
    assert (moment.hour, moment.minute, moment.tzinfo) == (hour, 30, UTC)

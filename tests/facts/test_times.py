"""Points in time as platforms write them."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.facts.times import moment_of

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-01 10:00:00.000000 UTC", "2026-11-01T10:00:00Z"),
        ("2026-11-01 10:00:00 UTC", "2026-11-01T10:00:00Z"),
        ("2026-11-01 10:00:00.123456789 Z", "2026-11-01T10:00:00.123456Z"),
        ("2026-11-01 10:00:00 -0800", "2026-11-01T18:00:00Z"),
        ("20261101100000123", "2026-11-01T10:00:00Z"),
        ("2026-11-01-10-00-00", "2026-11-01T09:00:00Z"),
        ("Nov 1, 2026 1000 AM", "2026-11-01T09:00:00Z"),
        ("1 November, 2026 10:00", "2026-11-01T09:00:00Z"),
        ("Sunday, 8 November 2026, 6:03 PM", "2026-11-08T17:03:00Z"),
        ("Sonntag, 8. November 2026, 18:03", "2026-11-08T17:03:00Z"),
        ("2026-07-01", "2026-06-30T22:00:00Z"),
        ("mardi 8 décembre 2026, 18:03", "2026-12-08T17:03:00Z"),
        ("maandag 9 november 2026, 18:03", "2026-11-09T17:03:00Z"),
        ("martedì 13 gennaio 2026, 18:03", "2026-01-13T17:03:00Z"),
        ("2026-11-08 18:00:00.000000 CET", "2026-11-08T17:00:00Z"),
        ("2026-11-08 18:00 CET", "2026-11-08T17:00:00Z"),
        ("2026-10-25 02:30:00 CEST", "2026-10-25T00:30:00Z"),
        ("2026-10-25 02:30:00 CET", "2026-10-25T01:30:00Z"),
        ("2026-11-08 18:00:00 America/New_York", "2026-11-08T23:00:00Z"),
    ],
)
def test_a_time_is_read_in_the_zone_of_the_course_unless_it_names_its_own(text: str, moment: str) -> None:
    assert moment_of(text, BERLIN) == datetime.fromisoformat(moment)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-08 18:00:00 EST",
        "2026-07-08 18:00:00 CET",
        "2026-11-08 06:03:00 PM",
        "2026-11-08 6:03",
        "2026-11-08 18:00:00 Nowhere/Else",
        "2026-11-08T18:00:00+01:00 CET",
    ],
)
def test_a_time_in_an_unknown_zone_or_form_is_not_read_as_another_time(text: str) -> None:
    assert moment_of(text, BERLIN) is None


@pytest.mark.parametrize("text", ["", "-", "2026-02-30 10:00:00", "soon", "Never, 2026"])
def test_other_texts_are_no_time(text: str) -> None:
    assert moment_of(text, BERLIN) is None


@given(st.text(max_size=40))
def test_any_text_is_a_time_in_utc_or_none(text: str) -> None:
    moment = moment_of(text, BERLIN)
    assert moment is None or moment.tzinfo is UTC


@given(st.datetimes(min_value=datetime.fromisoformat("1000-01-02")), st.integers(-14 * 60, 14 * 60))
def test_a_time_with_an_offset_is_read_exactly(naive: datetime, minutes: int) -> None:
    when = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    expected = None
    try:
        expected = when.astimezone(UTC)
    except OverflowError:
        assert naive.year > 9000
    assert moment_of(when.isoformat(), BERLIN) == expected

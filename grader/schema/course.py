"""`course.yaml`: a class, its assignments, their due dates and the rules for late submissions."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, tzinfo
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from grader.schema.base import Document
from grader.schema.described import Described
from grader.schema.mail import MailSettings
from grader.schema.quantities import TIME_UNITS, parse_quantity

__all__ = [
    "COURSE_FILE",
    "COURSE_VERSION",
    "AssignmentSettings",
    "CourseSettings",
    "Deduction",
    "LateRules",
    "latest_moment",
    "parse_date",
    "parse_deduction",
    "parse_period",
    "parse_zone",
]

COURSE_FILE = "course.yaml"
COURSE_VERSION = 1
"""1: first version."""

_UNITS = {**TIME_UNITS, "day": 86400.0, "days": 86400.0}
_END_OF_DAY = time(23, 59, 59)
_DATE = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)(?:[T ]+(?P<clock>\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?))?\s*(?P<zone>\S+)?")
_OFFSET = re.compile(r"[+-]\d\d:?\d\d")
_DATE_EXAMPLE = "write it as `2026-11-08 18:00`, with a zone such as `+01:00` or `Europe/Berlin` if needed"


def parse_period(value: object) -> object:
    """Turn `30 min`, `2 h` or `1 day` into seconds; leave anything else to the validator.

    Raises:
        ValueError: The text is not a number followed by a unit.
    """
    if not isinstance(value, str):
        return value
    return parse_quantity(value, _UNITS, noun="a duration", advice="s, min, h or days, such as `30 min`")


def parse_zone(name: str) -> tzinfo:
    """Find a time zone by its IANA name, such as `Europe/Berlin`, or `UTC`.

    Raises:
        ValueError: There is no such zone.
    """
    if name.upper() in {"UTC", "Z"}:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = f"unknown time zone {name!r}"
        raise ValueError(msg) from None


def latest_moment(when: datetime, zone: tzinfo) -> datetime:
    """Convert a due date to UTC.

    Args:
        when: The date. In the hour that a change of the clocks repeats, it can mean two moments; it then is the later
            one, so that nobody is late by mistake.
        zone: Time zone of a date without one.
    """
    own = zone if when.tzinfo is None else when.tzinfo
    return max(when.replace(tzinfo=own, fold=fold).astimezone(UTC) for fold in (0, 1))


def parse_date(value: object) -> object:
    """Turn `2026-11-08 18:00` into a point in time; leave None to the validator.

    A date alone is the end of that day. The result has a zone only if the text has one: an offset such as `+01:00`,
    `Z`, or an IANA name.

    Raises:
        ValueError: The text is not a date.
    """
    if value is None or isinstance(value, datetime):
        return value
    match = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        msg = f"{value!r} is not a date: {_DATE_EXAMPLE}"
        raise ValueError(msg)
    try:
        day = date.fromisoformat(match["day"])
        clock = _END_OF_DAY if match["clock"] is None else time.fromisoformat(match["clock"].zfill(5))
    except ValueError:
        msg = f"there is no day or time {value!r}: {_DATE_EXAMPLE}"
        raise ValueError(msg) from None
    zone = match["zone"]
    if zone is None:
        return datetime.combine(day, clock)
    if _OFFSET.fullmatch(zone):
        return datetime.combine(day, clock, datetime.strptime(zone, "%z").tzinfo)
    return datetime.combine(day, clock, parse_zone(zone))


class Deduction(Document):
    """A number of points, or a percentage of the most points of the assignment."""

    value: float = Field(ge=0, allow_inf_nan=False)
    """The points, or the percentage."""
    percent: bool = False
    """Whether it is a percentage."""

    def of(self, most: float) -> float:
        """Return the points, not rounded.

        Args:
            most: The most points of the assignment.
        """
        return most * self.value / 100 if self.percent else self.value


def parse_deduction(value: object) -> object:
    """Turn `10 %` or a number of points into a deduction; leave anything else to the validator.

    Raises:
        ValueError: It is neither a number of points nor a percentage.
    """
    if isinstance(value, (Deduction, Mapping)) or value is None:
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"value": value}
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%|points?)?\s*", value) if isinstance(value, str) else None
    if match is None:
        msg = f"{value!r} is not a deduction: write points, such as 5, or a percentage, such as `10 %`"
        raise ValueError(msg)
    return {"value": float(match[1]), "percent": match[2] == "%"}


def _known_zone(name: str) -> str:
    parse_zone(name)
    return name


_Text = Annotated[str, StringConstraints(min_length=1)]
_Period = Annotated[
    float, BeforeValidator(parse_period, json_schema_input_type=float | str), Field(ge=0, allow_inf_nan=False)
]
_Date = Annotated[datetime, BeforeValidator(parse_date, json_schema_input_type=str)]
_Deduction = Annotated[Deduction, BeforeValidator(parse_deduction, json_schema_input_type=float | str)]
_Zone = Annotated[str, AfterValidator(_known_zone)]
_AssignmentId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]


class LateRules(Described):
    """Deduction for submissions after the due date."""

    grace: _Period = 0.0
    """Time after the due date in which a submission still counts as in time, such as `30 min`. After it, lateness
    counts from the end of this period."""
    per_day: _Deduction = Deduction(value=0.0)
    """Deduction for each started day (24 hours): points such as `5`, or a percentage of the most points of the
    assignment such as `10 %`."""
    at_most: _Deduction | None = None
    """Limit of the deduction, in points or as a percentage; without it, only the score limits it, since no score
    becomes negative."""


class AssignmentSettings(Described):
    """One assignment of a course."""

    rubric: _Text
    """Id of a shipped rubric, or the path of a YAML file."""
    due: _Date | None = None
    """Due date, such as `2026-11-08 18:00`. A date alone is the end of that day. It may end with a zone such as
    `+01:00` or `Europe/Berlin`; otherwise it is in the `timezone` of the course. In the hour that a change of the
    clocks repeats, it is the later one."""
    late: LateRules | None = None
    """Deduction for late submissions; without it, the grade names the lateness and deducts nothing."""
    files: tuple[_Text, ...] = ()
    """Files of the course that every notebook gets next to it, in addition to the rubric's `files`: paths of files,
    folders, or patterns such as `data/*.csv`."""
    starter: _Text | None = None
    """Path of the notebook that students started from. The search for similar submissions leaves its code out."""
    times: _Text | None = None
    """Path of a CSV file with the times of submission: a column that names the student (`id`, `name`, `email` or the
    heading of a platform) and a column `submitted`. Moodle's grading worksheet works as it is. These times replace
    the times in file names."""
    groups: bool = False
    """Whether students with the same value in the roster's column `group` share one submission."""
    reports_at: _Text | None = None
    """Address of the published reports, as `--reports-at` of `grader mail`."""
    release: _Date | None = None
    """Time before which `grader mail --send` sends nothing to students, written like `due`."""


class CourseSettings(Described):
    """A course: its assignments, its people, and defaults of commands for it."""

    version: Literal[1]
    """Version of the format."""
    title: _Text
    """Title for people."""
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(_[A-Z]{2})?$")] | None = None
    """Language of reports, class pages and mails: `en` or `de`. It overrides the language of the rubrics; `--language`
    overrides it."""
    timezone: _Zone = "UTC"
    """Time zone of dates and of times in file names without a zone: an IANA name such as `Europe/Berlin`."""
    roster: _Text | None = None
    """Path of the roster, a CSV file with the students of the class."""
    judgements: _Text = "judgements.jsonl"
    """Path of the file with the decisions of people."""
    graders: tuple[_Text, ...] = ()
    """Names of the people who grade. If there are any, commands accept only these names."""
    mail: MailSettings | None = None
    """Server and sender of `grader mail`; each key overrides the same key of the site file."""
    assignments: Annotated[dict[_AssignmentId, AssignmentSettings], Field(min_length=1)]
    """The assignments by id. `submissions/ID` and `results/ID` in the course folder belong to the assignment."""

    @property
    def zone(self) -> tzinfo:
        """The time zone of dates without a zone."""
        return parse_zone(self.timezone)

    def moment(self, when: datetime | None) -> datetime | None:
        """Convert a date of this file to UTC; a date without a zone is in the time zone of the course."""
        return None if when is None else latest_moment(when, self.zone)

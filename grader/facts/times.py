"""Read points in time as learning platforms write them, in several languages."""

import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

__all__ = ["moment_of", "sortable_time"]

_MONTHS = {
    month: number
    for number, names in enumerate(
        (
            "jan ene gen janv sty",
            "feb fev fév lut",
            "mar mär mrz maa mars",
            "apr abr avr avril kwi",
            "may mai mag mei maj",
            "jun juin giu cze",
            "jul juil lug lip",
            "aug ago aoû aout sie",
            "sep set wrz",
            "oct okt ott out paź",
            "nov lis",
            "dec dez dic déc gru",
        ),
        start=1,
    )
    for month in names.split()
}
_CLOCK = re.compile(
    r"(?P<hour>\d{1,2})(?P<sep>[:.h_ ]{0,3})(?P<minute>\d\d)(?:[:.](?P<second>\d\d))? ?(?P<half>[ap]\.?m\.?)?$"
)


_DIGITS = re.compile(r"(\d{14})\d{0,6}")
"""Sakai's form, in UTC: `20261101100000`."""
_WEEKDAY = re.compile(r"^[^\W\d_]+\.?,\s*")
_YEAR_FIRST = re.compile(r"\d{4}-\d\d-\d\d")
_WITHOUT_ZONE = re.compile(r"\d{4}-\d\d-\d\d[-T ]\d\d.\d\d.\d\d")
_NAMED_ZONE = re.compile(r"(?P<time>\d{4}-\d\d-\d\d.*?)\s+(?P<zone>[A-Za-z][\w/+-]*)")
"""A time with the name of its zone, such as nbgrader's `2026-11-01 10:00:00.000000 CET`."""
_IN_UTC = re.compile(r"(?:\bUTC|\bGMT|[+]00:?00|Z)$")


def moment_of(text: str, zone: tzinfo = UTC) -> datetime | None:
    """Read a point in time as a platform writes it; None if it cannot be read.

    Args:
        text: Such as `2026-11-01 10:00:00.000000 UTC`, `Nov 1, 2026 1000 AM` or `Sunday, 8 November 2026, 6:03 PM`.
        zone: Time zone of a text without one. A text may name it, such as `CET`; the short name of any other zone is
            not read, because several zones have the same one.
    """
    text = text.strip()
    if match := _DIGITS.fullmatch(text):
        text = f"{match[1][:4]}-{match[1][4:6]}-{match[1][6:8]}T{match[1][8:10]}:{match[1][10:12]}:{match[1][12:]}Z"
    try:
        read = datetime.fromisoformat(re.sub(r"\s+(?=[+-]\d\d:?\d\d$|Z$)|\s+(?:UTC|GMT)$", "", text))
    except ValueError:
        if named := _NAMED_ZONE.fullmatch(text):
            return _in_named_zone(named["time"], named["zone"], zone)
        if _YEAR_FIRST.match(text) and not _WITHOUT_ZONE.fullmatch(text):
            return None
        plain = sortable_time(_WEEKDAY.sub("", text))
        try:
            read = datetime.fromisoformat(plain)
        except ValueError:
            return None
    if read.tzinfo is None:
        read = read.replace(tzinfo=UTC if _IN_UTC.search(text) else zone)
    try:
        return read.astimezone(UTC)
    except OverflowError:
        return None


def _in_named_zone(text: str, name: str, zone: tzinfo) -> datetime | None:
    """Read a time in the zone of a name like `Europe/Berlin`, or in the given zone if it has this short name then."""
    try:
        naive = datetime.fromisoformat(text)
        own = ZoneInfo(name) if "/" in name else zone
    except (ValueError, LookupError, OSError):
        return None
    if naive.tzinfo is not None:
        return None
    # In the hour that a change of the clocks repeats, the short name tells which one is meant.
    times = (naive.replace(tzinfo=own, fold=fold) for fold in (0, 1))
    try:
        return next((one.astimezone(UTC) for one in times if "/" in name or one.tzname() == name.upper()), None)
    except OverflowError:
        return None


def sortable_time(text: str) -> str:
    """Convert the time in a platform's name to a text that sorts by time.

    Args:
        text: Such as `Nov 1, 2026 1000 AM`, `1 November, 2026 10:00` or `2026-11-01-10-00-00`.

    Returns:
        `2026-11-01 10:00:00`, or an empty text if the time cannot be read.
    """
    if match := re.match(r"(\d{4})-(\d\d)-(\d\d)(?:[-T ](\d\d).(\d\d).(\d\d))?", text):
        year, month, day, *clock = (part or "00" for part in match.groups())
        return f"{year}-{month}-{day} {':'.join(clock)}"
    found = re.search(r"\b((?:19|20)\d\d)\b", text)
    if found is None:
        return ""
    date = _month_and_day(text[: found.start()])
    time = _time_of_day(text[found.end() :].strip(" ,").lower())
    return f"{found[1]}-{date} {time}" if date and time else ""


def _month_and_day(date: str) -> str:
    numbers = [int(number) for number in re.findall(r"\d{1,2}", date)]
    words = re.findall(r"[^\W\d_]{3,}", date.lower())
    if not words or len(numbers) != 1:
        return ""
    # The last word: a day of the week comes before it, and may begin like a month (`mardi`, `maandag`).
    # The longest beginning decides: `juni` and `jun` are June, `juil` is July.
    month = max((name for name in _MONTHS if words[-1].startswith(name)), key=len, default="")
    return f"{_MONTHS[month]:02}-{numbers[0]:02}" if month else ""


def _time_of_day(text: str) -> str:
    if not text:
        return "00:00:00"
    match = _CLOCK.search(text)
    if match is None:
        return ""
    hour, half = int(match["hour"]), (match["half"] or "").replace(".", "")
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    return f"{hour:02}:{match['minute']}:{match['second'] or '00'}"

"""List the submissions of a class that need a person, and the most frequent notes and errors."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from grader.report.attempts import OUTCOMES
from grader.report.classrow import ClassRow, relative
from grader.schema.message import Message, literal, say_count

__all__ = ["Concern", "Group", "Student", "alike", "concerns", "error_groups", "marks_of", "note_groups", "students_of"]

_MOST_STUDENTS: Final = 30
"""Longest list of students on the page; the table shows all of them."""
_SUFFIX = re.compile(r"-[0-9a-f]{6}$")
"""The end of an id that was made unique."""


@dataclass(frozen=True, slots=True)
class Student:
    """A student in a list."""

    name: str
    href: str | None


@dataclass(frozen=True, slots=True)
class Concern:
    """Submissions that a person should look at for one reason."""

    mark: str
    """Letter of the filter that shows them in the table."""
    label: Message
    students: tuple[Student, ...]
    """The first of them."""
    more: int
    """Number of the others."""


@dataclass(frozen=True, slots=True)
class Group:
    """Submissions with the same note or error."""

    key: str
    """The diagnostic's id, or the name of the exception."""
    mark: str
    """Filter that shows them in the table, such as `n3`."""
    title: Message
    number: int
    students: tuple[Student, ...]
    more: int


def students_of(rows: Sequence[ClassRow]) -> tuple[tuple[Student, ...], int]:
    """List the first students of some rows, and count the others."""
    first = tuple(Student(row.student, relative(row.report)) for row in rows[:_MOST_STUDENTS])
    return first, len(rows) - len(first)


_Kind = tuple[str, Callable[[ClassRow], bool], Callable[[int], Message]]
_KINDS: Final[tuple[_Kind, ...]] = (
    (
        "w",
        lambda row: row.pending > 0,
        lambda number: say_count("{count:number} waits for a person", "{count:number} wait for a person", number),
    ),
    (
        "b",
        lambda row: row.borderline,
        lambda number: say_count("{count:number} is borderline", "{count:number} are borderline", number),
    ),
    (
        "e",
        lambda row: row.execution not in {"", "completed"},
        lambda number: say_count("{count:number} ran with errors", "{count:number} ran with errors", number),
    ),
    (
        "u",
        lambda row: not row.graded and not row.absent,
        lambda number: say_count("{count:number} was not graded", "{count:number} were not graded", number),
    ),
    (
        "m",
        lambda row: row.state == "missing",
        lambda number: say_count("{count:number} handed in nothing", "{count:number} handed in nothing", number),
    ),
    (
        "g",
        lambda row: row.problems > 0,
        lambda number: say_count(
            "{count:number} has a problem of the grader", "{count:number} have a problem of the grader", number
        ),
    ),
    (
        "h",
        lambda row: row.edited,
        lambda number: say_count(
            "{count:number} grade was edited by hand", "{count:number} grades were edited by hand", number
        ),
    ),
    (
        "q",
        lambda row: row.people is not None and bool(row.people.requests),
        lambda number: say_count("{count:number} has an open request", "{count:number} have an open request", number),
    ),
    (
        "r",
        lambda row: row.people is not None and bool(row.people.review),
        lambda number: say_count(
            "{count:number} has a judgement to review", "{count:number} have a judgement to review", number
        ),
    ),
    (
        "f",
        lambda row: row.people is not None and bool(row.people.flags),
        lambda number: say_count("{count:number} is flagged", "{count:number} are flagged", number),
    ),
)


def marks_of(row: ClassRow) -> tuple[str, ...]:
    """List the letters of the reasons for which a person should look at a submission."""
    return tuple(mark for mark, holds, _ in _KINDS if holds(row))


def concerns(rows: Sequence[ClassRow], same_name: frozenset[str]) -> tuple[Concern, ...]:
    """List the reasons for which a person should look at submissions.

    Args:
        rows: The class.
        same_name: Result of `alike`.
    """
    found = [_concern(mark, [row for row in rows if holds(row)], label) for mark, holds, label in _KINDS]
    twins = sorted((row for row in rows if row.id in same_name), key=lambda row: _name_key(row.student))
    found.append(_concern("c", twins, _same_name_label))
    return tuple(one for one in found if one is not None)


def _same_name_label(number: int) -> Message:
    return say_count("{count:number} has a name twice", "{count:number} share a name with another one", number)


def _concern(mark: str, rows: Sequence[ClassRow], label: Callable[[int], Message]) -> Concern | None:
    return Concern(mark, label(len(rows)), *students_of(rows)) if rows else None


def alike(rows: Iterable[ClassRow]) -> frozenset[str]:
    """Find the ids of submissions whose names collide, such as two files of one student, or two students of one name.

    Names are compared without case, accents and punctuation. An id that was made unique counts as the id it repeats.
    """
    groups: dict[str, list[str]] = {}
    for row in rows:
        if row.absent:
            continue
        if name := _name_key(row.student):
            groups.setdefault(f"name {name}", []).append(row.id)
        groups.setdefault(f"id {_SUFFIX.sub('', row.id).casefold()}", []).append(row.id)
    return frozenset(name for ids in groups.values() if len(ids) > 1 for name in ids)


def _name_key(name: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", name).casefold() if letter.isalnum())


def note_groups(rows: Sequence[ClassRow]) -> tuple[Group, ...]:
    """Group submissions by note, the most frequent note first."""
    having: dict[str, list[ClassRow]] = {}
    titles: dict[str, Counter[Message]] = {}
    for row in rows:
        for note in row.notes:
            having.setdefault(note.id, []).append(row)
            titles.setdefault(note.id, Counter())[note.title] += 1
    return _groups("n", having, {key: counter.most_common(1)[0][0] for key, counter in titles.items()})


def error_groups(rows: Sequence[ClassRow]) -> tuple[Group, ...]:
    """Group submissions by exception, or by the budget that stopped them, the most frequent first."""
    having: dict[str, list[ClassRow]] = {}
    for row in rows:
        for name in (*row.errors, *_ended_by(row)):
            having.setdefault(name, []).append(row)
    return _groups("r", having, {name: OUTCOMES.get(name, literal(name)) for name in having})


def _ended_by(row: ClassRow) -> tuple[str, ...]:
    """Name the budget that ended an execution, or the death of its kernel; empty if it ran to the end."""
    return () if row.execution in {"", "completed", "cell_error"} else (row.execution,)


def _groups(letter: str, having: Mapping[str, Sequence[ClassRow]], titles: Mapping[str, Message]) -> tuple[Group, ...]:
    ordered = sorted(having.items(), key=lambda pair: -len(pair[1]))
    return tuple(
        Group(key, f"{letter}{place}", titles[key], len(some), *students_of(some))
        for place, (key, some) in enumerate(ordered)
    )

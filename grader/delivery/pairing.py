"""Match the rows of a class with the people of another tool's file; nobody is guessed."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from grader.delivery.grade_export import GradeRow
from grader.delivery.roster import Matcher, Student, name_forms
from grader.facts.language import english

__all__ = ["Pairing", "Person", "pair_people"]

_NUMBER = re.compile(r"\d+(?=\D*$)")
"""The last number of a text."""
_NUMBERED = re.compile(r"(?P<name>.+?)\D(?P<number>\d+)")
_UNNAMED = re.compile(r"\D+\d+")
"""Moodle's name for a student of an anonymous assignment, such as `Participant 4711`."""


@dataclass(frozen=True, slots=True)
class Person:
    """A person in the file of another tool."""

    line: int
    """Line of the file, or another number that no other person has."""
    name: str = ""
    ids: tuple[str, ...] = ()
    """The tool's id of the person, and a number that the university gave."""
    sis_id: str = ""
    login: str = ""
    email: str = ""
    participant: str = ""
    """Moodle's number of the person in the assignment."""

    @property
    def label(self) -> str:
        """The name for lists."""
        return self.name or next((one for one in self.ids if one), "") or self.login or self.participant


@dataclass(frozen=True, slots=True)
class Pairing:
    """Which row of the class belongs to which person of the file."""

    pairs: Mapping[int, Person]
    """Person by the index of the row."""
    reasons: Mapping[int, str]
    """Why a row belongs to nobody, by its index."""
    left: tuple[Person, ...]
    """People without a row."""


def pair_people(rows: Sequence[GradeRow], people: Sequence[Person]) -> Pairing:
    """Match rows with people.

    A student of the roster is matched by the first of these that both sides have: the id of the student information
    system, Moodle's participant number, the id, the login, the e-mail address, the number in the name of the
    submission, the name. A submission without a student of the roster is matched by its name, as with a roster. A row
    stays without a person if several match, if a later rule contradicts an earlier one, or if two rows match the same
    person.

    Args:
        rows: The class.
        people: The people of the file.
    """
    indexes = tuple(_index(people, keys_of) for _, keys_of in _RULES)
    matcher = Matcher([_as_student(one) for one in people])
    by_line = {one.line: one for one in people}
    pairs: dict[int, Person] = {}
    reasons: dict[int, str] = {}
    for place, row in enumerate(rows):
        found = _of_student(row, indexes) if row.student is not None else _of_submission(row, matcher, by_line)
        if isinstance(found, str):
            reasons[place] = found
        else:
            pairs[place] = found
    for line, several in _shared(pairs).items():
        names = " and ".join(rows[place].label for place in several)
        for place in several:
            del pairs[place]
            reasons[place] = f"{names} both match {by_line[line].label}"
    taken = {one.line for one in pairs.values()}
    return Pairing(pairs, reasons, tuple(one for one in people if one.line not in taken))


_Index = Mapping[str, tuple[Person, ...]]
_NOBODY = "nobody in the file matches"


def _shared(pairs: Mapping[int, Person]) -> dict[int, list[int]]:
    """Find the people that several rows match, by their line."""
    places: defaultdict[int, list[int]] = defaultdict(list)
    for place, person in pairs.items():
        places[person.line].append(place)
    return {line: several for line, several in places.items() if len(several) > 1}


def _of_student(row: GradeRow, indexes: Sequence[_Index]) -> Person | str:
    """Find the person of a student in the roster, or the reason why there is none."""
    answers: list[tuple[Person, ...]] = []
    for (of_row, _), index in zip(_RULES, indexes, strict=True):
        keys = dict.fromkeys(form for text in of_row(row) for form in name_forms(text))
        answer = tuple(dict.fromkeys(person for key in keys for person in index.get(key, ())))
        if answer:
            answers.append(answer)
    if not answers:
        return _NOBODY
    if len(answers[0]) > 1:
        return f"several people match: {', '.join(one.label for one in answers[0])}"
    (person,) = answers[0]
    for answer in answers:
        if person not in answer:
            return f"the id and the name match different people: {person.label}, {answer[0].label}"
    return person


def _of_submission(row: GradeRow, matcher: Matcher, by_line: Mapping[int, Person]) -> Person | str:
    """Find the person of a submission without a student in the roster."""
    student, reason = matcher.student_of(_Stamp(row.submission, row.handed_in_as))
    if student is not None:
        return by_line[student.line]
    return _NOBODY if reason is None else english(reason).replace("in the roster", "in the file")


@dataclass(frozen=True, slots=True)
class _Stamp:
    id: str
    student: str


def _as_student(person: Person) -> Student:
    return Student(
        id=next((one for one in person.ids if one), ""),
        name=person.name,
        email=person.email,
        language=None,
        submission="",
        line=person.line,
        sis_id=person.sis_id,
        login=person.login,
        moodle_participant=person.participant,
    )


def _index(people: Iterable[Person], keys: Callable[[Person], Iterable[str]]) -> _Index:
    index: defaultdict[str, list[Person]] = defaultdict(list)
    for person in people:
        for key in dict.fromkeys(form for text in keys(person) for form in name_forms(text)):
            index[key].append(person)
    return {key: tuple(several) for key, several in index.items()}


def _of_roster(read: Callable[[Student], str]) -> Callable[[GradeRow], Iterable[str]]:
    return lambda row: () if row.student is None else (read(row.student),)


def _numbers(row: GradeRow) -> Iterable[str]:
    """Return the number that a platform put behind the student's name, as in `lee-4711`."""
    match = _NUMBERED.fullmatch(row.submission)
    if match is not None and name_forms(match["name"]) == name_forms(row.handed_in_as):
        yield match["number"]


_RULES: tuple[tuple[Callable[[GradeRow], Iterable[str]], Callable[[Person], Iterable[str]]], ...] = (
    (_of_roster(lambda student: student.sis_id), lambda person: (person.sis_id,)),
    (
        lambda row: () if row.student is None else _NUMBER.findall(row.student.moodle_participant),
        lambda person: _NUMBER.findall(person.participant),
    ),
    (_of_roster(lambda student: student.id), lambda person: person.ids),
    (_of_roster(lambda student: student.login), lambda person: (person.login,)),
    (_of_roster(lambda student: student.email), lambda person: (person.email, person.login)),
    (
        _numbers,
        lambda person: (*_NUMBER.findall(person.participant), *(one for one in person.ids if one.isdecimal())),
    ),
    (
        lambda row: _NUMBER.findall(row.handed_in_as) if _UNNAMED.fullmatch(row.handed_in_as) else (),
        lambda person: () if person.name else _NUMBER.findall(person.participant),
    ),
    (_of_roster(lambda student: student.name), lambda person: (person.name,)),
)
"""The keys of a row and of a person, in the order in which they count."""

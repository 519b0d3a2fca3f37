"""Read a class's roster (CSV), and match its students with the submissions."""

import csv
import io
import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.headerregistry import Address
from pathlib import Path
from typing import Protocol

from grader.facts.language import unknown_language
from grader.facts.nearest import did_you_mean
from grader.schema.errors import UsageError
from grader.schema.message import Message, say
from grader.schema.problems import joined_problems

__all__ = [
    "COLUMNS",
    "Matcher",
    "Matching",
    "RosterTable",
    "Student",
    "Submitted",
    "address_problem",
    "match",
    "name_forms",
    "parse_roster",
    "read_roster",
    "read_table",
    "sendable",
    "single_line",
    "students_of",
    "table_bytes",
    "table_content",
]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "student id", "student", "id number", "matrikelnummer", "kennung", "id-nummer"),
    "name": ("name", "full name", "student name", "vollständiger name"),
    "first": ("first name", "given name", "firstname", "vorname"),
    "last": ("last name", "surname", "family name", "lastname", "nachname"),
    "email": ("email", "e-mail", "mail", "email address", "e-mail address", "e-mail-adresse", "email-adresse"),
    "language": ("language", "lang", "sprache"),
    "submission": ("submission", "submitted as", "abgabe"),
    "sis_id": ("sis id", "sis user id"),
    "login": ("login", "sis login id", "login id", "username", "user name", "anmeldename", "nutzername"),
    "section": ("section", "sections", "section name", "abschnitt"),
    "group": ("group", "groups", "group name", "gruppe", "gruppen"),
    "moodle_participant": ("moodle participant", "identifier", "participant"),
}
"""Column → the headings it is recognized by, without case. Other columns of a learning platform are kept as they
are."""
_UNIQUE = ("id", "email", "submission", "sis_id", "login", "moodle_participant")
"""Columns with a different value for each student."""
_POINTS_ROW = "points possible"
"""Start of a row of Canvas's gradebook that is no student."""
_NUMBER = re.compile(r"\d{2,}")
_LARGEST = 16 << 20
_ADVICE = "docs/mail.md describes the roster"
_SEPARATORS = ",;\t"
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "æ": "ae", "œ": "oe"})
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_LONGEST_LOCAL, _LONGEST_ADDRESS = 64, 254
"""Limits of RFC 5321, in bytes."""


@dataclass(frozen=True, slots=True)
class Student:
    """One row of a roster."""

    id: str
    name: str
    email: str
    language: str | None
    """Code such as `de`; None if the roster does not say."""
    submission: str
    """Id of the student's submission or the name it was handed in under; empty if the roster does not say."""
    line: int
    """Line of the roster, from 1."""
    sis_id: str = ""
    """Id in the student information system, as Canvas exports it."""
    login: str = ""
    """Name to log in to the platform."""
    section: str = ""
    group: str = ""
    """Group that shares submissions; empty if the roster does not say."""
    moodle_participant: str = ""
    """Moodle's name for the student in one assignment, such as `Participant 4711`."""

    @property
    def label(self) -> str:
        """The name for lists: the student's name, else the id, else the address."""
        return self.name or self.id or self.email

    @property
    def key(self) -> str:
        """The name in judgements about a student without a submission: the id, else the address, else the name."""
        return self.id or self.email or self.name


@dataclass(frozen=True, slots=True)
class RosterTable:
    """All cells of a roster, so that it can be written again without a loss."""

    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """All rows after the heading, also empty ones."""
    separator: str = ","
    encoding: str = "utf-8"
    """`utf-8`, `utf-8-sig` (with a mark), `utf-16`, `cp1252` or `latin-1`."""
    line_end: str = "\r\n"
    lines: tuple[int, ...] = field(default=(), compare=False)
    """Line of the file at which each row ends, from 1."""


class Submitted(Protocol):
    """The parts of a submission by which a student is found."""

    @property
    def id(self) -> str:
        """Id of the submission."""

    @property
    def student(self) -> str:
        """The name under which it was handed in."""


@dataclass(frozen=True, slots=True)
class Matching:
    """Which submission belongs to which student."""

    pairs: Mapping[str, Student] = field(default_factory=dict)
    """Student by the submission's id."""
    unmatched: Mapping[str, Message] = field(default_factory=dict)
    """Reason by the id of each submission that belongs to no single student."""
    missing: tuple[Student, ...] = ()
    """Students of the roster without a submission."""
    members: Mapping[str, tuple[Student, ...]] = field(default_factory=dict)
    """All members of the group of a submission that several students share, by its id."""


# --- reading ---------------------------------------------------------------------------------------------------


def read_roster(path: Path, *, addresses: bool = True) -> tuple[Student, ...]:
    """Read a roster from a file.

    Args:
        path: The CSV file.
        addresses: Whether every student needs an e-mail address.

    Raises:
        UsageError: The file cannot be read or is wrong; each problem has its line.
    """
    return parse_roster(table_content(path, "roster"), name=str(path), addresses=addresses)


def table_content(path: Path, noun: str) -> bytes:
    """Read the bytes of a CSV file.

    Args:
        path: The file.
        noun: What it is, for errors.

    Raises:
        UsageError: The file cannot be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        msg = f"the {noun} cannot be read: {error.strerror or error}"
        raise UsageError(msg, where=str(path), advice=_ADVICE) from error
    if len(content) > _LARGEST:
        msg = f"the {noun} is larger than {_LARGEST >> 20} MiB"
        raise UsageError(msg, where=str(path), advice=_ADVICE)
    return content


def parse_roster(content: bytes, *, name: str = "roster.csv", addresses: bool = True) -> tuple[Student, ...]:
    """Parse a roster.

    The separator is a comma, a semicolon or a tab. The encoding is UTF-8, UTF-16 with a mark, or else Windows' Western
    European code page, in which spreadsheet programs store CSV files.

    Args:
        content: Bytes of the CSV file.
        name: Name of the file in errors.
        addresses: Whether every student needs an e-mail address.

    Raises:
        UsageError: The roster is wrong; each problem has its line.
    """
    return students_of(read_table(content, name=name), name=name, addresses=addresses)


def read_table(content: bytes, *, name: str = "roster.csv") -> RosterTable:
    """Read all cells of a roster; see `parse_roster`.

    Raises:
        UsageError: It is not a CSV file.
    """
    text, encoding = _decoded(content)
    first = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    try:
        heading = tuple(next(reader, []))
        for row in reader:
            rows.append(tuple(row))
            lines.append(reader.line_num)
    except csv.Error as error:
        msg = f"line {reader.line_num}: {error}"
        raise UsageError(msg, where=name, advice=_ADVICE) from error
    line_end = "\r\n" if first.endswith("\r") or "\n" not in text else "\n"
    return RosterTable(heading, tuple(rows), separator, encoding, line_end, tuple(lines))


def table_bytes(table: RosterTable) -> bytes:
    """Write a roster; `read_table` reads the same cells."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=table.separator, lineterminator=table.line_end)
    for row in (table.heading, *table.rows):
        writer.writerow(row)
    return buffer.getvalue().encode(table.encoding)


def students_of(table: RosterTable, *, name: str = "roster.csv", addresses: bool = True) -> tuple[Student, ...]:
    """Find the students in a roster.

    Args:
        table: The cells.
        name: Name of the file in errors.
        addresses: Whether every student needs an e-mail address.

    Raises:
        UsageError: The roster is wrong; each problem has its line.
    """
    problems: list[str] = []
    students: list[Student] = []
    columns = _columns(table.heading, problems, addresses=addresses)
    if not problems:
        students = list(_students(table, columns, problems, addresses=addresses))
    if not problems:
        problems = list(_duplicates(students))
    if not problems and not students:
        problems.append("line 2: the roster has no students")
    if problems:
        raise UsageError(joined_problems(problems), where=name, advice=_ADVICE)
    return tuple(students)


def _decoded(content: bytes) -> tuple[str, str]:
    """Return the text and the encoding."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace"), "utf-16"
    try:
        marked = content.startswith(b"\xef\xbb\xbf")
        return content.decode("utf-8-sig"), "utf-8-sig" if marked else "utf-8"
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("cp1252"), "cp1252"
    except UnicodeDecodeError:
        return content.decode("latin-1"), "latin-1"


def _columns(heading: Sequence[str], problems: list[str], *, addresses: bool) -> dict[str, int]:
    """Find the columns by their headings."""
    names = {alias: column for column, aliases in COLUMNS.items() for alias in aliases}
    cells = [" ".join(cell.casefold().replace("_", " ").split()) for cell in heading]
    if "student" in cells and {"id", "name"} & set(cells):
        names["student"] = "id" if "id" not in cells else "name"  # Canvas: the name, next to a number
    columns: dict[str, int] = {}
    for index, cell in enumerate(cells):
        column = names.get(cell)
        if column is not None and column in columns:
            problems.append(f"line 1: two columns are the student's {column}")
        elif column is not None:
            columns[column] = index
    if addresses and "email" not in columns:
        present = ", ".join(repr(cell.strip()) for cell in heading if cell.strip()) or "none"
        hint = did_you_mean("email", [cell.strip() for cell in heading])
        problems.append(f"line 1: there is no column `email`; the columns are {present}{hint}")
    named = {"id", "name", "first", "last", "submission", "sis_id", "login"}
    if not named & columns.keys() and not problems:
        problems.append("line 1: there is no column `id` or `name`")
    return columns


def _students(
    table: RosterTable, columns: Mapping[str, int], problems: list[str], *, addresses: bool
) -> Iterator[Student]:
    """Convert rows; a row with a mistake is listed among the problems instead."""
    lines = table.lines or tuple(range(2, len(table.rows) + 2))
    for line, row in zip(lines, table.rows, strict=True):
        if not any(cell.strip() for cell in row):
            continue
        values = {column: single_line(row[index]) if index < len(row) else "" for column, index in columns.items()}
        if values.get("name", values.get("id", "")).casefold().startswith(_POINTS_ROW):
            continue
        email = values.get("email", "")
        problem = address_problem(email) if email or addresses else None
        code = values.get("language", "").lower().replace("_", "-").partition("-")[0] or None
        if problem is not None or (code is not None and (problem := unknown_language(code))):
            problems.append(f"line {line}: {problem}")
        else:
            yield _student(values, email, code, line)


def _student(values: Mapping[str, str], email: str, language: str | None, line: int) -> Student:
    parts = (values.get("first", ""), values.get("last", ""))
    kept = {name: values.get(name, "") for name in ("sis_id", "login", "section", "group", "moodle_participant")}
    return Student(
        id=values.get("id", "") or kept["sis_id"] or kept["login"],
        name=values.get("name", "") or " ".join(part for part in parts if part),
        email=email,
        language=language,
        submission=values.get("submission", ""),
        line=line,
        **kept,
    )


def _duplicates(students: Iterable[Student]) -> Iterator[str]:
    """Find rows that share what must be unique."""
    repeated = set[tuple[int, int]]()
    for kind in _UNIQUE:
        lines: defaultdict[str, list[Student]] = defaultdict(list)
        for student in students:
            value = str(getattr(student, kind))
            if value:
                lines[value.casefold()].append(student)
        for same in lines.values():
            if len(same) > 1 and (same[0].line, same[1].line) not in repeated:
                repeated.add((same[0].line, same[1].line))
                value = getattr(same[0], kind)
                yield f"line {same[1].line}: the {kind} {value!r} is already on line {same[0].line}"


def single_line(text: str) -> str:
    """Clean a text: one line without control characters or characters that change the writing direction."""
    return " ".join(_STEERING.sub(" ", unicodedata.normalize("NFC", text)).split())


# --- addresses -------------------------------------------------------------------------------------------------


def address_problem(text: str) -> str | None:
    """Find what is wrong with an e-mail address; None if nothing is."""
    if not text:
        return "the e-mail address is missing"
    local, at, domain = text.rpartition("@")
    if not at or not local or ("." not in domain.strip(".") and domain.casefold() != "localhost"):
        return f"{text!r} is not an e-mail address"
    if re.search(r"[\s<>(),;:\\\"@\[\]]", local) or re.search(r"[^\w.-]", domain) or ".." in text:
        return f"{text!r} is not an e-mail address"
    try:
        Address(addr_spec=sendable(f"{local if local.isascii() else 'name'}@{domain}"))
    except (HeaderParseError, ValueError, UnicodeError, IndexError):
        return f"{text!r} is not an e-mail address"
    if len(local.encode()) > _LONGEST_LOCAL or len(text.encode()) > _LONGEST_ADDRESS:
        return f"{text[:40]!r}… is too long for an e-mail address"
    return None


def sendable(address: str) -> str:
    """Convert the domain of an address to ASCII (IDNA); the part before the `@` stays as it is.

    Raises:
        UnicodeError: The domain has no such form.
    """
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode('ascii')}" if not domain.isascii() else address


# --- matching --------------------------------------------------------------------------------------------------


def match(students: Sequence[Student], submissions: Iterable[Submitted]) -> Matching:
    """Match students with submissions, so that no student can get another one's grade.

    In this order: the roster's column `submission`; the ids; the e-mail address or its part before the `@`; the number
    that a platform adds to the name, such as `lee-4711`; the name.
    Names are compared without case, accents and order (`Müller, Jana` is `jana mueller`). A submission stays without a
    student if several match, or if a later rule contradicts an earlier one.

    Args:
        students: The roster.
        submissions: Submissions of the class.
    """
    matcher = Matcher(students)
    pairs: dict[str, Student] = {}
    unmatched: dict[str, Message] = {}
    for submission in submissions:
        student, reason = matcher.student_of(submission)
        if student is not None:
            pairs[submission.id] = student
        else:
            unmatched[submission.id] = reason or _NOBODY
    several: defaultdict[int, list[str]] = defaultdict(list)
    for name, student in pairs.items():
        several[student.line].append(name)
    for names in (names for names in several.values() if len(names) > 1):
        for name in names:
            student = pairs.pop(name)
            unmatched[name] = say(
                "{count:number} submissions match {student:raw}: {submissions:raw list}",
                count=len(names),
                student=student.label,
                submissions=names,
            )
    present = {student.line for student in pairs.values()} | set(several)
    return Matching(pairs, unmatched, tuple(one for one in students if one.line not in present))


_Index = Mapping[str, tuple[Student, ...]]
_NOBODY = say("nobody in the roster matches")
_NUMBER_RULE = 3
"""Place of the rule that compares only the last number of a submission's id."""


class Matcher:
    """Finds the student of a submission; see `match`."""

    def __init__(self, students: Sequence[Student]) -> None:
        """Prepare the roster for many submissions."""
        by_forms = [_index(students, keys) for keys in (_by_submission, _by_id, _by_email, _by_name)]
        self._rules = (*by_forms[:_NUMBER_RULE], _index(students, _by_number), *by_forms[_NUMBER_RULE:])

    def student_of(self, submission: Submitted) -> tuple[Student | None, Message | None]:
        """Find the student of a submission, or the reason why there is none."""
        plain = [name_forms(text) for text in dict.fromkeys((submission.id, submission.student))]
        number = [name_forms(number) for number in _NUMBER.findall(submission.id)[-1:]]
        by_rule = [
            [found for forms in (number if place == _NUMBER_RULE else plain) if (found := _found(rule, forms))]
            for place, rule in enumerate(self._rules)
        ]
        first = next((tuple(dict.fromkeys(itertools.chain(*answers))) for answers in by_rule if answers), ())
        if not first:
            return None, _NOBODY
        if len(first) > 1:
            return None, say("several students match: {students:raw list}", students=[one.label for one in first])
        if by_rule[0]:  # the roster names the submission
            return first[0], None
        for found in itertools.chain(*by_rule):
            if first[0] not in found:
                both = [first[0].label, found[0].label]
                return None, say("the id and the name match different students: {students:raw list}", students=both)
        return first[0], None


def _found(rule: _Index, forms: Sequence[str]) -> tuple[Student, ...]:
    return tuple(dict.fromkeys(student for form in forms for student in rule.get(form, ())))


def _index(students: Sequence[Student], keys: Callable[[Student], tuple[str, ...]]) -> _Index:
    index: defaultdict[str, list[Student]] = defaultdict(list)
    for student in students:
        for key in dict.fromkeys(form for text in keys(student) for form in name_forms(text)):
            index[key].append(student)
    return {key: tuple(rows) for key, rows in index.items()}


def _by_submission(student: Student) -> tuple[str, ...]:
    return (student.submission,)


def _by_id(student: Student) -> tuple[str, ...]:
    return (student.id, student.sis_id, student.login, student.moodle_participant)


def _by_number(student: Student) -> tuple[str, ...]:
    """List the numbers that platforms add to the name of a submission: the id, and Moodle's number."""
    own = (student.id,) if student.id.isdecimal() else ()
    return (*own, *_NUMBER.findall(student.moodle_participant)[-1:])


def _by_email(student: Student) -> tuple[str, ...]:
    return (student.email, student.email.rpartition("@")[0])


def _by_name(student: Student) -> tuple[str, ...]:
    return (student.name,)


def name_forms(text: str) -> tuple[str, ...]:
    """List the forms of a name for comparison: sorted words without case, umlauts written as `ae` and as `a`.

    Args:
        text: A name, an id or an address.
    """
    folded = unicodedata.normalize("NFC", text.removesuffix(".ipynb")).casefold()
    spellings = (folded.translate(_UMLAUTS), folded)
    plain = (
        "".join(c for c in unicodedata.normalize("NFKD", one) if not unicodedata.combining(c)) for one in spellings
    )
    return tuple(dict.fromkeys(" ".join(sorted(words)) for one in plain if (words := re.findall(r"[^\W_]+", one))))

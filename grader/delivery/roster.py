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

from grader.facts.language import unknown_language
from grader.facts.nearest import did_you_mean
from grader.schema.errors import UsageError
from grader.schema.grade import SubmissionStamp

__all__ = [
    "COLUMNS",
    "Matching",
    "Student",
    "address_problem",
    "match",
    "parse_roster",
    "read_roster",
    "sendable",
    "single_line",
]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "student id", "student", "id number", "sis user id", "login", "username", "matrikelnummer", "kennung"),
    "name": ("name", "full name", "student name", "vollständiger name"),
    "first": ("first name", "given name", "firstname", "vorname"),
    "last": ("last name", "surname", "family name", "lastname", "nachname"),
    "email": ("email", "e-mail", "mail", "email address", "e-mail address", "e-mail-adresse", "email-adresse"),
    "language": ("language", "lang", "sprache"),
    "submission": ("submission", "submitted as", "abgabe"),
}
"""Column → the headings it is recognized by, without case; further columns of a learning platform are ignored."""
_LARGEST = 16 << 20
_MOST_PROBLEMS = 20
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

    @property
    def label(self) -> str:
        """The name for lists: the student's name, else the id, else the address."""
        return self.name or self.id or self.email


@dataclass(frozen=True, slots=True)
class Matching:
    """Which submission belongs to which student."""

    pairs: Mapping[str, Student] = field(default_factory=dict)
    """Student by the submission's id."""
    unmatched: Mapping[str, str] = field(default_factory=dict)
    """Reason by the id of each submission that belongs to no single student."""
    missing: tuple[Student, ...] = ()
    """Students of the roster without a submission."""


# --- reading ---------------------------------------------------------------------------------------------------


def read_roster(path: Path) -> tuple[Student, ...]:
    """Read a roster from a file.

    Raises:
        UsageError: The file cannot be read or is wrong; each problem has its line.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        msg = f"the roster cannot be read: {error.strerror or error}"
        raise UsageError(msg, where=str(path), advice=_ADVICE) from error
    if len(content) > _LARGEST:
        msg = f"the roster is larger than {_LARGEST >> 20} MiB"
        raise UsageError(msg, where=str(path), advice=_ADVICE)
    return parse_roster(content, name=str(path))


def parse_roster(content: bytes, *, name: str = "roster.csv") -> tuple[Student, ...]:
    """Parse a roster.

    The separator is a comma, a semicolon or a tab. The encoding is UTF-8, UTF-16 with a mark, or else Windows' Western
    European code page, in which spreadsheet programs store CSV files.

    Args:
        content: Bytes of the CSV file.
        name: Name of the file in errors.

    Raises:
        UsageError: The roster is wrong; each problem has its line.
    """
    text = _decoded(content)
    first = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    problems: list[str] = []
    students: list[Student] = []
    try:
        columns = _columns(next(reader, []), problems)
        if not problems:
            students = list(_students(reader, columns, problems))
    except csv.Error as error:
        problems.append(f"line {reader.line_num}: {error}")
    if not problems:
        problems = list(_duplicates(students))
    if not problems and not students:
        problems.append("line 2: the roster has no students")
    if problems:
        more = len(problems) - _MOST_PROBLEMS
        shown = [*problems[:_MOST_PROBLEMS], *([f"and {more} more"] if more > 0 else [])]
        raise UsageError("; ".join(shown), where=name, advice=_ADVICE)
    return tuple(students)


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _columns(heading: Sequence[str], problems: list[str]) -> dict[str, int]:
    """Find the columns by their headings."""
    names = {alias: column for column, aliases in COLUMNS.items() for alias in aliases}
    columns: dict[str, int] = {}
    for index, cell in enumerate(heading):
        column = names.get(" ".join(cell.casefold().replace("_", " ").split()))
        if column is not None and column in columns:
            problems.append(f"line 1: two columns are the student's {column}")
        elif column is not None:
            columns[column] = index
    if "email" not in columns:
        present = ", ".join(repr(cell.strip()) for cell in heading if cell.strip()) or "none"
        hint = did_you_mean("email", [cell.strip() for cell in heading])
        problems.append(f"line 1: there is no column `email`; the columns are {present}{hint}")
    if not {"id", "name", "first", "last", "submission"} & columns.keys() and not problems:
        problems.append("line 1: there is no column `id` or `name`")
    return columns


def _students(rows: "Iterator[list[str]]", columns: Mapping[str, int], problems: list[str]) -> Iterator[Student]:
    """Convert rows; a row with a mistake is listed among the problems instead."""
    lines = rows  # the reader counts lines while it is read
    for row in lines:
        line: int = lines.line_num  # type: ignore[attr-defined]  # a `csv.reader`
        if not any(cell.strip() for cell in row):
            continue
        values = {column: single_line(row[index]) if index < len(row) else "" for column, index in columns.items()}
        problem = address_problem(values["email"])
        code = values.get("language", "").lower().replace("_", "-").partition("-")[0] or None
        if problem is not None or (code is not None and (problem := unknown_language(code))):
            problems.append(f"line {line}: {problem}")
        else:
            parts = (values.get("first", ""), values.get("last", ""))
            full = values.get("name", "") or " ".join(part for part in parts if part)
            yield Student(values.get("id", ""), full, values["email"], code, values.get("submission", ""), line)


def _duplicates(students: Iterable[Student]) -> Iterator[str]:
    """Find rows that share what must be unique."""
    for kind in ("id", "email", "submission"):
        lines: defaultdict[str, list[Student]] = defaultdict(list)
        for student in students:
            value = str(getattr(student, kind))
            if value:
                lines[value.casefold()].append(student)
        for same in lines.values():
            if len(same) > 1:
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


def match(students: Sequence[Student], submissions: Sequence[SubmissionStamp]) -> Matching:
    """Match students with submissions, so that no student can get another one's grade.

    In this order: the roster's column `submission`, the id, the e-mail address or its part before the `@`, the name.
    Names are compared without case, accents and order (`Müller, Jana` is `jana mueller`). A submission stays without a
    student if several match, or if a later rule contradicts an earlier one.

    Args:
        students: The roster.
        submissions: Submissions of the class.
    """
    rules = [_index(students, keys) for keys in (_by_submission, _by_id, _by_email, _by_name)]
    pairs: dict[str, Student] = {}
    unmatched: dict[str, str] = {}
    for submission in submissions:
        student, reason = _student_of(submission, rules)
        if student is None:
            unmatched[submission.id] = reason
        else:
            pairs[submission.id] = student
    several: defaultdict[int, list[str]] = defaultdict(list)
    for name, student in pairs.items():
        several[student.line].append(name)
    for names in (names for names in several.values() if len(names) > 1):
        for name in names:
            student = pairs.pop(name)
            unmatched[name] = f"{len(names)} submissions match {student.label}: {', '.join(names)}"
    present = {student.line for student in pairs.values()} | set(several)
    return Matching(pairs, unmatched, tuple(one for one in students if one.line not in present))


_Index = Mapping[str, tuple[Student, ...]]


def _student_of(submission: SubmissionStamp, rules: Sequence[_Index]) -> tuple[Student | None, str]:
    """Find the student of a submission, or the reason why there is none."""
    texts = [_forms(text) for text in dict.fromkeys((submission.id, submission.student))]
    by_rule = [[found for forms in texts if (found := _found(rule, forms))] for rule in rules]
    first = next((tuple(dict.fromkeys(itertools.chain(*answers))) for answers in by_rule if answers), ())
    if not first:
        return None, "nobody in the roster matches"
    if len(first) > 1:
        return None, f"several students match: {', '.join(one.label for one in first)}"
    if by_rule[0]:  # the roster names the submission
        return first[0], ""
    for found in itertools.chain(*by_rule):
        if first[0] not in found:
            return None, f"the id and the name match different students: {first[0].label}, {found[0].label}"
    return first[0], ""


def _found(rule: _Index, forms: Sequence[str]) -> tuple[Student, ...]:
    return tuple(dict.fromkeys(student for form in forms for student in rule.get(form, ())))


def _index(students: Sequence[Student], keys: Callable[[Student], tuple[str, ...]]) -> _Index:
    index: defaultdict[str, list[Student]] = defaultdict(list)
    for student in students:
        for key in dict.fromkeys(form for text in keys(student) for form in _forms(text)):
            index[key].append(student)
    return {key: tuple(rows) for key, rows in index.items()}


def _by_submission(student: Student) -> tuple[str, ...]:
    return (student.submission,)


def _by_id(student: Student) -> tuple[str, ...]:
    return (student.id,)


def _by_email(student: Student) -> tuple[str, ...]:
    return (student.email, student.email.rpartition("@")[0])


def _by_name(student: Student) -> tuple[str, ...]:
    return (student.name,)


def _forms(text: str) -> tuple[str, ...]:
    """List the forms of a name for comparison: sorted words without case, umlauts written as `ae` and as `a`."""
    folded = unicodedata.normalize("NFC", text.removesuffix(".ipynb")).casefold()
    spellings = (folded.translate(_UMLAUTS), folded)
    plain = (
        "".join(c for c in unicodedata.normalize("NFKD", one) if not unicodedata.combining(c)) for one in spellings
    )
    return tuple(dict.fromkeys(" ".join(sorted(words)) for one in plain if (words := re.findall(r"[^\W_]+", one))))

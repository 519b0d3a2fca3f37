"""Requests of students to look at a criterion again: a CSV table, or the text of a mail that somebody pasted."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.parser import HeaderParser
from email.utils import getaddresses

from grader.delivery.marks import cell_text, columns_of, listed
from grader.delivery.roster import Student, match
from grader.facts.nearest import did_you_mean
from grader.schema.errors import UsageError
from grader.schema.grade import SubmissionStamp
from grader.schema.judgement import WHOLE
from grader.schema.mail import MailRow

__all__ = [
    "REQUEST_COLUMNS",
    "Criteria",
    "Reply",
    "RequestLine",
    "criterion_of",
    "mail_text",
    "parse_reply",
    "parse_requests",
]

REQUEST_COLUMNS = ("submission", "student", "email", "criterion", "reason", "at")
_WHO = ("submission", "student", "email")
_ADVICE = "nothing was imported; docs/judgements.md describes the file"
_LONGEST = 20_000
"""Characters of a reason."""
_LONGEST_HEADER = 2_000
"""Characters of a sender that are read."""
_HEADERS = frozenset({"from", "von", "to", "subject", "date", "in-reply-to", "references", "message-id"})
_MESSAGE_ID = re.compile(r"<[^<>\s@]+@[^<>\s@]+>")
_QUOTED = re.compile(r"^\s*(>|\|)")
_QUOTE_BEGINS = re.compile(
    r"^\s*("
    r"-{2,}\s*(original message|ursprüngliche nachricht|forwarded message|weitergeleitete nachricht)\s*-{2,}"
    r"|(on|am|le|el)\b.{4,200}\b(wrote|schrieb|a écrit|escribió)\b.{0,200}:?"
    r"|_{10,}"
    r")\s*$",
    re.IGNORECASE,
)
_SIGNATURE = "--"

Criteria = Mapping[str, str]
"""Title by the id of each criterion that students see."""


@dataclass(frozen=True, slots=True)
class RequestLine:
    """One row of a table of requests, with the submission that it is about."""

    line: int
    submission: SubmissionStamp
    criterion: str
    """Id of the criterion, or `*` for the whole submission."""
    reason: str
    at: datetime | None
    """When the student asked; None if the table does not say."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A pasted mail, read as a request."""

    submission: str | None
    """Id of the submission; None if it is unknown."""
    criterion: str
    """Id of the criterion that the text names, or `*`."""
    reason: str
    """The student's text, without quotes and signature."""
    problem: str = ""
    """Why the submission is unknown; empty if it is known."""


# --- a table -----------------------------------------------------------------------------------------------------


def parse_requests(
    content: bytes,
    submissions: Sequence[SubmissionStamp],
    criteria: Criteria,
    students: Sequence[Student] = (),
    *,
    name: str = "requests.csv",
) -> tuple[RequestLine, ...]:
    """Read a table of requests, and find their submissions as a roster is matched.

    Args:
        content: Bytes of the CSV file, in any encoding and with any separator that a roster can have.
        submissions: Submissions of the class.
        criteria: Criteria that students see.
        students: The roster, by which addresses and ids are known; may be empty.
        name: Name of the file in errors.

    Raises:
        UsageError: The table is wrong; all problems are listed with their lines.
    """
    table, columns = columns_of(content, REQUEST_COLUMNS, ("reason",), name=name, advice=_ADVICE)
    if not set(_WHO) & columns.keys():
        msg = "line 1: there is no column `submission`, `student` or `email`"
        raise UsageError(msg, where=name, advice=_ADVICE)
    pairs = match(students, submissions).pairs
    problems: list[str] = []
    requests: list[RequestLine] = []
    for row, line in zip(table.rows, table.lines, strict=True):
        cells = {column: cell_text(row[index]) if index < len(row) else "" for column, index in columns.items()}
        if not any(cells.values()):
            continue
        try:
            requests.append(_request(line, cells, submissions, criteria, pairs))
        except ValueError as error:
            problems.append(f"line {line}: {error}")
    if problems:
        raise UsageError(listed(problems), where=name, advice=_ADVICE)
    return tuple(requests)


def _request(
    line: int,
    cells: Mapping[str, str],
    submissions: Sequence[SubmissionStamp],
    criteria: Criteria,
    pairs: Mapping[str, Student],
) -> RequestLine:
    """Convert a row.

    Raises:
        ValueError: It is wrong.
    """
    reason = cells["reason"]
    if not reason or len(reason) > _LONGEST:
        msg = "the reason is missing" if not reason else f"the reason has more than {_LONGEST:,} characters"
        raise ValueError(msg)
    submission = _submission(cells, submissions, pairs)
    return RequestLine(
        line, submission, criterion_of(cells.get("criterion", ""), criteria), reason, _at(cells.get("at", ""))
    )


def _submission(
    cells: Mapping[str, str], submissions: Sequence[SubmissionStamp], pairs: Mapping[str, Student]
) -> SubmissionStamp:
    """Find the submission of a row: by the roster, else by comparing the row itself with the submissions.

    Raises:
        ValueError: No submission matches, or several do.
    """
    who = [cells.get(column, "") for column in _WHO]
    words = {word.casefold() for word in who if word}
    if not words:
        msg = "the row names no student"
        raise ValueError(msg)
    by_id = {one.id: one for one in submissions}
    if who[0] in by_id:
        return by_id[who[0]]
    of_roster = {
        name
        for name, student in pairs.items()
        if words & {text.casefold() for text in (student.id, student.name, student.email, student.login) if text}
    }
    if len(of_roster) == 1:
        return by_id[of_roster.pop()]
    row = Student(id=who[1], name=who[1], email=who[2], language=None, submission=who[0], line=0)
    alone = {one.id for one in submissions if match([row], [one]).pairs}
    if len(alone) != 1 or len(of_roster) > 1:
        label = next(word for word in who if word)
        several = sorted(alone | of_roster)
        msg = f"several submissions match {label!r}: {', '.join(several)}" if several else _nobody(label, submissions)
        raise ValueError(msg)
    return by_id[alone.pop()]


def _nobody(label: str, submissions: Sequence[SubmissionStamp]) -> str:
    names = [name for one in submissions for name in (one.id, one.student)]
    return f"no submission matches {label!r}{did_you_mean(label, names)}"


def criterion_of(text: str, criteria: Criteria) -> str:
    """Find a criterion by its id or title; `*` for an empty text.

    Args:
        text: What somebody wrote.
        criteria: Criteria that students see.

    Raises:
        ValueError: There is no such criterion.
    """
    if text in {"", WHOLE} or text in criteria:
        return text or WHOLE
    wanted = " ".join(text.casefold().split())
    matching = [one for one, title in criteria.items() if wanted in _folded((one, title))]
    if len(matching) != 1:
        msg = f"there is no criterion {text!r}{did_you_mean(text, [*criteria, *criteria.values()])}"
        raise ValueError(msg)
    return matching[0]


def _at(text: str) -> datetime | None:
    """Read a time in ISO 8601; one without a zone is in UTC.

    Raises:
        ValueError: It is not a time.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        msg = f"{text!r} is not a time such as 2026-05-01 18:30"
        raise ValueError(msg) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


# --- a mail ------------------------------------------------------------------------------------------------------


def mail_text(content: bytes) -> str:
    """Return the headers and the plain text of a mail; other content is returned as it is.

    Args:
        content: A mail as mail programs save it (`.eml`), or a text.
    """
    try:
        text = _parsed(content)
    except Exception:  # noqa: BLE001 - a damaged mail can raise anything inside the library
        text = None
    return content.decode("utf-8-sig", "replace") if text is None else text


def _parsed(content: bytes) -> str | None:
    """Return the headers and the plain text of a mail; None if it is none."""
    message = message_from_bytes(content, policy=policy.default)
    body = message.get_body(("plain",))
    if not _HEADERS & {name.casefold() for name in message} or body is None:
        return None
    # The raw values: the library's own classes of headers fail for some wrong addresses.
    headers = (f"{name}: {' '.join(_decoded(str(value)).split())}" for name, value in message.raw_items())
    return "\n".join((*headers, "", str(body.get_content())))


def _decoded(header: str) -> str:
    """Decode a header with words in an encoding (RFC 2047), or in plain UTF-8."""
    plain = header.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    try:
        return str(make_header(decode_header(plain)))
    except (HeaderParseError, LookupError, ValueError):
        return plain


def parse_reply(
    text: str,
    rows: Sequence[MailRow],
    criteria: Criteria,
    addresses: Mapping[str, str] | None = None,
) -> Reply:
    """Read a pasted mail as a request: the reply of a student to the message with the grade.

    Args:
        text: The mail, with or without its headers.
        rows: The ledger of sent mail.
        criteria: Criteria that students see.
        addresses: Submission by the student's address in lower case, of the roster; may be None.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    headers, body = _split(text)
    reason = _own_words(body)[:_LONGEST]
    by_thread = _by_thread(text, rows)
    by_address = _by_address(headers, rows, addresses or {})
    criterion = _named(f"{headers.get('subject', '')}\n{reason}", criteria)
    candidates = by_thread & by_address if by_thread and by_address else by_thread or by_address
    if len(candidates) == 1:
        return Reply(min(candidates), criterion, reason)
    if by_thread and by_address and not candidates:
        problem = (
            f"the mail answers the message about {', '.join(sorted(by_thread))}, "
            f"but its sender belongs to {', '.join(sorted(by_address))}"
        )
    elif candidates:
        problem = f"it can be about several submissions: {', '.join(sorted(candidates))}"
    else:
        problem = "neither the sender nor a Message-ID in the text belongs to a message that the grader sent"
    return Reply(None, criterion, reason, problem)


def _split(text: str) -> tuple[dict[str, str], str]:
    """Separate the headers of a mail from its text; a text without headers has none."""
    text = text.lstrip("\n")
    head, _, body = text.partition("\n\n")
    names = [line.partition(":")[0].strip().casefold() for line in head.split("\n") if line[:1] not in {" ", "\t"}]
    if not names or not _HEADERS & set(names) or any(" " in name or not name for name in names):
        return {}, text
    message = HeaderParser(policy=policy.compat32).parsestr(f"{head}\n\n")
    headers = {name.casefold(): " ".join(str(value).split()) for name, value in message.items()}
    return ({"from": headers["von"], **headers} if "von" in headers else headers), body


def _own_words(body: str) -> str:
    """Leave out quoted lines, the line before them, everything after a quoted message, and the signature."""
    lines: list[str] = []
    for line in body.split("\n"):
        if line.rstrip() == _SIGNATURE or (_QUOTE_BEGINS.match(line) and not line.lstrip().startswith(">")):
            break
        if not _QUOTED.match(line):
            lines.append(line.rstrip())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _by_thread(text: str, rows: Sequence[MailRow]) -> frozenset[str]:
    """Find the submissions of the messages whose `Message-ID` the mail has anywhere."""
    present = set(_MESSAGE_ID.findall(text))
    return frozenset(row.about for row in rows if row.message in present)


def _by_address(headers: Mapping[str, str], rows: Sequence[MailRow], addresses: Mapping[str, str]) -> frozenset[str]:
    """Find the submissions of the sender."""
    senders = _addresses(headers.get("from", ""))
    sent = {row.about for row in rows if row.address.casefold() in senders}
    return frozenset(sent | {addresses[one] for one in senders if one in addresses})


def _addresses(header: str) -> set[str]:
    """Read the addresses of a header in lower case; none from one that the library cannot read."""
    try:
        return {address.casefold() for _, address in getaddresses([header[:_LONGEST_HEADER]]) if address}
    except Exception:  # noqa: BLE001 - a damaged header can raise anything inside the library
        return set()


def _named(text: str, criteria: Criteria) -> str:
    """Find the only criterion that a text names by its id or title; `*` if it names none or several."""
    folded = " ".join(text.casefold().split())
    named = {one for one, title in criteria.items() if _mentions(folded, one) or _mentions(folded, title)}
    # A title can be part of a longer one.
    longest = {one for one in named if not any(one != other and _part_of(one, other, criteria) for other in named)}
    return longest.pop() if len(longest) == 1 else WHOLE


def _mentions(text: str, name: str) -> bool:
    words = " ".join(name.casefold().split())
    return bool(words) and re.search(rf"(?<![\w-]){re.escape(words)}(?![\w-])", text) is not None


def _part_of(one: str, other: str, criteria: Criteria) -> bool:
    names = _folded((one, criteria[one]))
    return any(name != longer and name in longer for name in names for longer in _folded((other, criteria[other])))


def _folded(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(" ".join(name.casefold().split()) for name in names)

"""Build e-mail messages: headers that mail programs and servers understand, and that no name can change."""

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr

from grader.delivery.rendering import Rendered
from grader.delivery.roster import Student, address_problem, sendable, single_line
from grader.schema.errors import UsageError

__all__ = [
    "Envelope",
    "Sender",
    "Thread",
    "build",
    "content_id",
    "envelope",
    "message_id",
    "parse_address",
    "sender_of",
    "to_student",
]

_MOST_REFERENCES = 20
"""Most earlier messages in `References`."""
_LONGEST_NAME = 120
_REPORT, _ARCHIVE = "report.html", "report.zip"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends the messages, who reads replies, and who gets reports of undeliverable messages."""

    sender: Address
    reply_to: Address
    bounces_to: Address


@dataclass(frozen=True, slots=True)
class Thread:
    """The place of a message among the messages to a student."""

    message: str
    """Its `Message-ID`."""
    parents: tuple[str, ...] = ()
    """`Message-ID`s of the earlier messages, oldest first."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message as it is handed to a server."""

    message: str
    """Its `Message-ID`."""
    sender: str
    """Address for reports of undeliverable messages."""
    recipient: str
    content: bytes
    utf8: bool
    """Whether the server must accept addresses in UTF-8."""


def parse_address(text: str, *, where: str) -> Address:
    """Parse an address such as `Deep Learning <dl@example.org>`.

    Args:
        text: The address, with or without a name.
        where: The setting, for the error.

    Raises:
        UsageError: It is not an address.
    """
    name, plain = parseaddr(single_line(text))
    problem = address_problem(plain or text)
    if problem is not None:
        raise UsageError(problem, where=where, advice="write `name@example.org` or `Name <name@example.org>`")
    return _address(name, plain)


def sender_of(sender: str, reply_to: str | None, bounces_to: str | None) -> Sender:
    """Parse the three addresses of a sender.

    Args:
        sender: Address in `From`.
        reply_to: Address for replies; the sender if it is None.
        bounces_to: Address for reports of undeliverable messages; the sender if it is None.

    Raises:
        UsageError: One of them is not an address.
    """
    first = parse_address(sender, where="mail.sender")
    return Sender(
        first,
        first if reply_to is None else parse_address(reply_to, where="mail.reply_to"),
        first if bounces_to is None else parse_address(bounces_to, where="mail.bounces_to"),
    )


def message_id(student: Student, submission: str, rubric: str, digest: str, parents: Sequence[str], domain: str) -> str:  # noqa: PLR0913, PLR0917 - the parts of the name
    """Compute the `Message-ID` of a message, so that a second run recognizes it.

    Args:
        student: The student.
        submission: Id of the submission.
        rubric: Id of the rubric.
        digest: Digest of the grade.
        parents: The earlier messages of the thread: a grade that returns to an earlier value is another message.
        domain: Domain of the sender.
    """
    parts = [student.id or student.email.casefold(), submission, rubric, digest, list(parents)]
    return f"<{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]}@{domain}>"


def content_id(message: str) -> str:
    """Return the content id of the picture in a message, without brackets."""
    return f"curves.{message.strip('<>')}"


def build(  # noqa: PLR0913 - the parts of a message
    rendered: Rendered,
    to: Address,
    sender: Sender,
    thread: Thread,
    *,
    now: datetime,
    language: str,
    report: bytes | None = None,
) -> EmailMessage:
    """Build a message.

    Args:
        rendered: Subject, text and HTML.
        to: The recipient.
        sender: The addresses of the course.
        thread: Its `Message-ID`, and the earlier messages that it answers.
        now: Time of the message, with its zone.
        language: Language of the text.
        report: The student's report, to attach it in an archive.
    """
    message = EmailMessage(policy=SMTPUTF8 if _needs_utf8(to, sender.sender, sender.reply_to) else SMTP)
    subject = single_line(rendered.subject)
    message["Subject"] = f"Re: {subject}" if thread.parents else subject
    message["From"] = sender.sender
    message["To"] = to
    message["Reply-To"] = sender.reply_to
    message["Date"] = format_datetime(now)
    message["Message-ID"] = thread.message
    if thread.parents:
        message["In-Reply-To"] = thread.parents[-1]
        message["References"] = " ".join(thread.parents[-_MOST_REFERENCES:])
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "OOF, AutoReply"
    message.set_content(rendered.text, cte="quoted-printable")
    message.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
    if rendered.picture is not None:
        html = message.get_payload()[1]  # type: ignore[index]  # the second alternative
        html.add_related(  # type: ignore[union-attr]
            rendered.picture,
            "image",
            "png",
            cid=f"<{content_id(thread.message)}>",
            disposition="inline",
            filename="curves.png",
        )
    message["Content-Language"] = language
    if report is not None:
        message.add_attachment(_zipped(report), "application", "zip", filename=_ARCHIVE)
    return message


def envelope(message: EmailMessage, to: Address, sender: Sender) -> Envelope:
    """Prepare a message for a server.

    Args:
        message: The message.
        to: The recipient.
        sender: The addresses of the course.
    """
    return Envelope(
        message=str(message["Message-ID"]),
        sender=sender.bounces_to.addr_spec,
        recipient=to.addr_spec,
        content=message.as_bytes(),
        utf8=_needs_utf8(to, sender.sender, sender.reply_to, sender.bounces_to),
    )


def to_student(student: Student) -> Address:
    """Make the address of a student."""
    return _address(student.name, student.email)


def _address(name: str, plain: str) -> Address:
    local, _, domain = sendable(plain).rpartition("@")
    # `addr_spec` would reject characters beyond ASCII.
    return Address(display_name=single_line(name)[:_LONGEST_NAME], username=local, domain=domain)


def _needs_utf8(*addresses: Address) -> bool:
    return not all(address.addr_spec.isascii() for address in addresses)


def _zipped(report: bytes) -> bytes:
    """Pack a report; the same report always gives the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(_REPORT, (1980, 1, 1, 0, 0, 0)), report, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()

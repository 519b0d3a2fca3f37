"""Messages: their headers, whatever names and titles contain, and their parts."""

import re
from datetime import timedelta
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.delivery.messages import (
    Thread,
    build,
    content_id,
    envelope,
    message_id,
    parse_address,
    sender_of,
    to_student,
)
from grader.delivery.rendering import Rendered, render
from grader.facts.language import language
from grader.schema.errors import UsageError
from tests.support.mailing import NOW, TEMPLATES, a_letter, a_student

SENDER = sender_of("Deep Learning <course@example.org>", "ada@example.org", "bounces@example.org")
PLAIN = Rendered("Subject", "Text\n", "<p>Text</p>\n", None)
HEADERS = {
    "subject", "from", "to", "reply-to", "date", "message-id", "auto-submitted", "x-auto-response-suppress",
    "content-language", "mime-version", "content-type",
}  # fmt: skip


def sent(rendered: Rendered = PLAIN, *, name: str = "Amara", parents: tuple[str, ...] = ()) -> EmailMessage:
    """A message as its recipient parses it."""
    thread = Thread("<one@example.org>", parents)
    to = to_student(a_student("amara", name=name))
    content = build(rendered, to, SENDER, thread, now=NOW, language="en").as_bytes()
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_the_headers_of_a_message() -> None:
    message = sent()
    assert {name.lower() for name in message} == HEADERS
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Reply-To"] == "ada@example.org"
    assert message["Content-Language"] == "en"


def test_the_envelope_has_the_address_for_bounces() -> None:
    to = to_student(a_student("amara"))
    handed = envelope(build(PLAIN, to, SENDER, Thread("<m@x.org>"), now=NOW, language="en"), to, SENDER)
    assert (handed.sender, handed.recipient, handed.utf8) == ("bounces@example.org", "amara@example.org", False)


@given(st.text(), st.text())
def test_no_name_and_no_title_adds_a_header_or_a_recipient(name: str, title: str) -> None:
    message = sent(Rendered(title, "Text\n", "<p>Text</p>\n", None), name=name)
    assert {header.lower() for header in message} <= HEADERS
    assert [address.addr_spec for address in message["To"].addresses] == ["amara@example.org"]
    assert not re.search(r"[\r\n]", str(message["Subject"]))


@pytest.mark.parametrize(
    "name", ["Bcc: eve@x.org\r\nSubject: x", "A\nBcc: eve@x.org", '"Eve" <eve@x.org>', "a\x00b", "Jürgen\u202e"]
)
def test_an_attack_in_a_name_stays_a_name(name: str) -> None:
    message = sent(name=name)
    assert [address.addr_spec for address in message["To"].addresses] == ["amara@example.org"]
    assert message["Bcc"] is None


def test_the_message_id_follows_from_student_submission_and_grade() -> None:
    student = a_student("amara")
    first = message_id(student, "amara", "mnist", "d", (), "x.org")
    assert first == message_id(student, "amara", "mnist", "d", (), "x.org")
    assert re.fullmatch(r"<[0-9a-f]{40}@x\.org>", first)
    others = [
        message_id(a_student("ben"), "amara", "mnist", "d", (), "x.org"),
        message_id(student, "ben", "mnist", "d", (), "x.org"),
        message_id(student, "amara", "cifar", "d", (), "x.org"),
        message_id(student, "amara", "mnist", "e", (), "x.org"),
        message_id(student, "amara", "mnist", "d", (first,), "x.org"),
    ]
    assert len({first, *others}) == 6


def test_a_reply_names_the_earlier_messages() -> None:
    message = sent(parents=("<a@x.org>", "<b@x.org>"))
    assert (message["Subject"], message["In-Reply-To"]) == ("Re: Subject", "<b@x.org>")
    assert message["References"] == "<a@x.org> <b@x.org>"


def test_the_picture_is_a_part_that_the_html_names() -> None:
    rendered = render(a_letter(), language("en"), TEMPLATES, picture=f"cid:{content_id('<one@example.org>')}")
    message = sent(rendered)
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"]
    picture = list(message.walk())[-1]
    assert picture["Content-ID"] == "<curves.one@example.org>"
    html = message.get_body(("html",))
    assert html is not None
    assert 'src="cid:curves.one@example.org"' in html.get_content()


def test_there_is_no_score_in_the_subject_and_in_the_preview_line() -> None:
    rendered = render(a_letter(), language("en"), TEMPLATES, picture="")
    hidden = re.search(r'<div aria-hidden="true"[^>]*>(.*?)</div>', rendered.html)
    assert rendered.subject == "A sample: your feedback"
    assert hidden is not None
    assert not re.search(r"\d", hidden[1])


def test_a_sender_must_be_an_address() -> None:
    assert parse_address("Ada <ada@x.org>", where="x") == Address("Ada", "ada", "x.org")
    with pytest.raises(UsageError, match="not an e-mail address"):
        parse_address("Ada", where="mail.sender")


def test_the_date_has_its_zone() -> None:
    assert sent()["Date"].datetime.utcoffset() == timedelta(0)

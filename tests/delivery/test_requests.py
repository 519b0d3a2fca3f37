"""Requests of students: tables are matched like a roster, and mails are read as requests only."""

from typing import Any

import pytest

from grader.delivery.requests import mail_text, parse_reply, parse_requests
from grader.delivery.roster import Student
from grader.schema.errors import UsageError
from grader.schema.grade import SubmissionStamp
from grader.schema.mail import GradeSent, MailRow

CRITERIA = {"accuracy": "99 % of the test images", "sketch": "A sketch", "sketch-2": "A sketch of the model"}
_SENT = GradeSent(score=1.0, max_score=2.0, pending=0.0, criteria={})


def a_stamp(name: str, student: str) -> SubmissionStamp:
    return SubmissionStamp(id=name, student=student, files=(), sha256="0" * 64)


STAMPS = (a_stamp("ada-lovelace", "Ada Lovelace"), a_stamp("bo", "Bo Müller"), a_stamp("cleo", "Cleo"))
ROSTER = (
    Student("4711", "Ada Lovelace", "al@example.org", None, "", 2),
    Student("4712", "Bo Müller", "bm@example.org", None, "", 3),
)


@pytest.mark.parametrize(
    ("heading", "cell", "submission"),
    [
        ("submission", "bo", "bo"),
        ("student", "Mueller, Bo", "bo"),
        ("student", "4711", "ada-lovelace"),
        ("email", "AL@example.org", "ada-lovelace"),
        ("email", "cleo@example.org", "cleo"),
    ],
)
def test_a_row_finds_its_submission(heading: str, cell: str, submission: str) -> None:
    content = f'{heading};reason\n"{cell}";Please look again\n'.encode()
    (row,) = parse_requests(content, STAMPS, CRITERIA, ROSTER)
    assert (row.submission.id, row.criterion, row.reason, row.at) == (submission, "*", "Please look again", None)


def test_a_criterion_is_named_by_id_or_title_and_a_time_may_have_a_zone() -> None:
    rows = ("bo,SKETCH,a,2026-05-01 18:30", "bo,99 % of the test  images,b,2026-05-01T18:30+02:00")
    content = "\n".join(("student,criterion,reason,at", *rows)).encode()
    first, second = parse_requests(content, STAMPS, CRITERIA)
    assert (first.criterion, second.criterion) == ("sketch", "accuracy")
    assert [one.at and one.at.isoformat() for one in (first, second)] == [
        "2026-05-01T18:30:00+00:00",
        "2026-05-01T16:30:00+00:00",
    ]


def test_all_problems_of_a_table_are_listed_with_their_lines() -> None:
    content = b"student,criterion,reason,at\nquux,,x,\nbo,skech,x,\nbo,,,\n,,x,\nbo,,x,soon\n"
    with pytest.raises(UsageError) as caught:
        parse_requests(content, STAMPS, CRITERIA)
    assert caught.value.message.split("; line ") == [
        "line 2: no submission matches 'quux'",
        "3: there is no criterion 'skech'; did you mean 'sketch'?",
        "4: the reason is missing",
        "5: the row names no student",
        "6: 'soon' is not a time such as 2026-05-01 18:30",
    ]


# --- mails

ROW = MailRow(
    message="<abc@example.org>", about="bo", address="bm@example.org", rubric="r", digest="d", grade=_SENT, state="sent"
)


def a_mail(body: str, **headers: str) -> str:
    return "".join(f"{name.replace('_', '-')}: {text}\n" for name, text in headers.items()) + f"\n{body}"


def test_a_reply_is_about_the_submission_of_its_thread() -> None:
    body = (
        "Dear course,\n\nthe accuracy criterion is wrong.\n\nBo\n-- \nBo Müller\n"
        "On 2 May 2026, Course wrote:\n> your score is 3\n"
    )
    mail = a_mail(body, From="Bo <bm@example.org>", In_Reply_To="<abc@example.org>", Subject="Re: grade")
    reply = parse_reply(mail, [ROW], CRITERIA)
    assert (reply.submission, reply.criterion, reply.problem) == ("bo", "accuracy", "")
    assert reply.reason == "Dear course,\n\nthe accuracy criterion is wrong.\n\nBo"


@pytest.mark.parametrize(
    "introduction",
    ["On Fri, 1 May 2026 at 18:00, Course <c@example.org> wrote:", "Am 1. Mai 2026 um 18:00 schrieb Course:",
     "-----Original Message-----", "________________________________"],
)  # fmt: skip
def test_quoted_text_is_left_out(introduction: str) -> None:
    reply = parse_reply(f"Please look again.\n> old\n\n{introduction}\nSketch: 0 of 5", [ROW], CRITERIA)
    assert (reply.reason, reply.criterion) == ("Please look again.", "*")


def test_a_pasted_text_without_headers_needs_a_known_message() -> None:
    assert parse_reply("Look again, see <abc@example.org>", [ROW], CRITERIA).submission == "bo"
    unknown = parse_reply("Look again", [ROW], CRITERIA)
    assert unknown.submission is None
    assert "neither the sender nor a Message-ID" in unknown.problem


def test_another_sender_in_a_thread_is_a_contradiction() -> None:
    mail = a_mail("Give me points", From="ada@example.org", References="<abc@example.org>")
    reply = parse_reply(mail, [ROW], CRITERIA, {"ada@example.org": "ada-lovelace"})
    assert reply.submission is None
    assert "its sender belongs to ada-lovelace" in reply.problem


@pytest.mark.parametrize(
    ("text", "criterion"),
    [
        ("A sketch of the model is there", "sketch-2"),
        ("my sketch is there", "sketch"),
        ("sketch and accuracy", "*"),
        ("sketches", "*"),
    ],
)
def test_the_criterion_is_the_only_one_that_the_text_names(text: str, criterion: str) -> None:
    assert parse_reply(text, [ROW], CRITERIA).criterion == criterion


@pytest.mark.parametrize("mail", ["", "\n\n", ":\n\n", "From:\n\n", "a: b\n\nc", "> only a quote", "From: <<>>,@\n\nx"])
def test_any_text_is_read(mail: str) -> None:
    reply: Any = parse_reply(mail, [ROW], CRITERIA)
    assert reply.submission is None


@pytest.mark.parametrize(
    "sender",
    [
        b"=?=?ut;;;;f-.?q?utf-.?q?Ann_L=C3=A9e?=\r\n <a.#Fz!l",  # the library's class of addresses fails
        b"=?utf-8?b?x?= <a@b.org>",
        b"=?no-such-encoding?q?x?= <a@b.org>",
        b"(" * 5000,
        b";" * 5000,
        "Änn <a@b.org>".encode("latin-1"),
    ],
)
def test_a_mail_with_a_damaged_header_is_read(sender: bytes) -> None:
    text = mail_text(b"From: " + sender + b"\r\nSubject: =?utf-8?q?=C3=A4?=\r\n\r\nPlease look again.\r\n")
    assert "Subject: ä" in text
    assert parse_reply(text, [ROW], CRITERIA).reason == "Please look again."


def test_parts_within_parts_within_parts_are_no_mail() -> None:
    start = b"".join(b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (one, one) for one in range(2000))
    assert mail_text(b"From: a@b.org\r\n" + start + b"\r\nx").startswith("From: a@b.org")

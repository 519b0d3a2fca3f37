"""Mails of a class over a real SMTP server: each student gets each message once."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from grader.delivery.plan import Selection
from grader.delivery.roster import Student
from grader.facts.language import english
from grader.pipeline.mailing import Mailing, mail_class
from grader.pipeline.rubrics import note_language
from grader.schema.errors import DeliveryError, UsageError
from grader.schema.grade import Grade
from grader.store.results import ResultsFolder
from tests.support.mail_server import Inbox, mail_server, server_certificate
from tests.support.mailing import GUIDE, NOW, a_courier, a_grade, a_student, options

CLASS = (a_student("amara", 2), a_student("ben", 3), a_student("chiara", 4), a_student("zoe", 5))


def mail(
    out: ResultsFolder, inbox: Inbox | None, students: Sequence[Student] = CLASS, server: Any = None, **keys: Any
) -> Mailing:
    courier = None if inbox is None else a_courier(inbox, **(server or {}))
    return mail_class(out, students, options(**keys), courier, now=lambda: NOW, pause=0.0)


def states(result: Mailing) -> dict[str, str]:
    return {one.entry.submission: one.state for one in result.outcomes}


def parsed(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def rows(out: ResultsFolder) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(out.database_path)) as connection:
        return connection.execute("SELECT about, state FROM mail ORDER BY about").fetchall()


def test_without_a_server_there_is_only_a_preview(out: ResultsFolder) -> None:
    result = mail(out, None)
    assert states(result) == dict.fromkeys(("amara", "ben", "chiara"), "would be sent")
    assert [one.id for one in result.missing] == ["zoe"]
    assert sorted(path.name for path in result.preview.parent.glob("*.eml")) == ["amara.eml", "ben.eml", "chiara.eml"]
    page = result.preview.read_text(encoding="utf-8")
    assert "amara@example.org" in page
    assert "zoe@example.org" in page
    assert parsed((result.preview.parent / "ben.eml").read_bytes())["To"] == "Ben <ben@example.org>"
    assert rows(out) == []


def test_a_message_is_in_the_language_of_the_student_or_of_the_reports(out: ResultsFolder) -> None:
    texts = {"A sample": "Ein Beispiel", "Title of accuracy": "Titel der Genauigkeit", "Title of runs": "Es läuft"}
    known = options().rubric
    assert known is not None
    loaded = replace(known, translations={"de": texts})
    students = (a_student("amara", 2), a_student("ben", 3, language="en"))
    note_language(out, "de")
    result = mail(out, None, students, rubric=loaded)
    german, plain = (parsed((result.preview.parent / f"{one}.eml").read_bytes()) for one in ("amara", "ben"))
    assert (german["Content-Language"], plain["Content-Language"]) == ("de", "en")
    bodies = [message.get_body(("plain",)) for message in (german, plain)]
    assert all(bodies)
    first, second = (body.get_content() for body in bodies if body is not None)
    assert "Ein Beispiel" in german["Subject"]
    assert "Titel der Genauigkeit" in first
    assert "Title of accuracy" not in first
    assert "Title of accuracy" in second


def test_the_preview_is_in_the_language_of_the_option_or_of_the_reports(out: ResultsFolder) -> None:
    page = mail(out, None).preview.read_text(encoding="utf-8")
    assert '<html lang="en">' in page
    assert "In the roster, without a submission" in page
    page = mail(out, None, only=("ben",), language="de").preview.read_text(encoding="utf-8")
    assert '<html lang="de">' in page
    assert "In der Kursliste, ohne Abgabe" in page
    assert "ausgelassen wegen <code>--only</code>" in page
    assert "left out" not in page
    note_language(out, "de")
    assert '<html lang="de">' in mail(out, None).preview.read_text(encoding="utf-8")
    assert '<html lang="en">' in mail(out, None, language="en").preview.read_text(encoding="utf-8")


def test_a_second_run_sends_nothing(out: ResultsFolder) -> None:
    with mail_server() as inbox:
        assert states(mail(out, inbox)) == dict.fromkeys(("amara", "ben", "chiara"), "sent")
        assert states(mail(out, inbox)) == dict.fromkeys(("amara", "ben", "chiara"), "done")
    assert sorted(inbox.recipients()) == ["amara@example.org", "ben@example.org", "chiara@example.org"]
    assert {sender for sender, _, _ in inbox.messages} == {"bounces@example.org"}


def test_a_changed_grade_sends_one_reply_that_says_what_changed(out: ResultsFolder) -> None:
    with mail_server() as inbox:
        mail(out, inbox)
        out.write_grade(a_grade("ben", accuracy=33.0))
        selection = Selection(only_changed=True)
        assert states(mail(out, inbox, selection=selection)) == {"amara": "done", "ben": "sent", "chiara": "done"}
        assert states(mail(out, inbox)) == dict.fromkeys(("amara", "ben", "chiara"), "done")
    first, second = (parsed(content) for _, to, content in inbox.messages if to == "ben@example.org")
    assert second["In-Reply-To"] == first["Message-ID"] == second["References"]
    assert second["Subject"] == f"Re: {first['Subject']}"
    assert second["Message-ID"] != first["Message-ID"]
    body = second.get_body(("plain",))
    assert body is not None
    assert "Your score was 24 and is now 37." in body.get_content()
    assert "- Title of accuracy: 33 of 33 (before: 20 of 33)" in body.get_content()


def test_a_grade_that_returns_to_an_earlier_value_is_mailed_too(out: ResultsFolder) -> None:
    with mail_server() as inbox:
        for accuracy in (20.0, 33.0, 20.0):
            out.write_grade(a_grade("ben", accuracy=accuracy))
            mail(out, inbox, only=("ben",))
    messages = [parsed(content) for _, _, content in inbox.messages]
    assert len({message["Message-ID"] for message in messages}) == 3
    assert messages[2]["References"].split() == [messages[0]["Message-ID"], messages[1]["Message-ID"]]


def test_other_words_alone_send_no_message(out: ResultsFolder) -> None:
    with mail_server() as inbox:
        mail(out, inbox)
        grade = a_grade("ben")
        worded = tuple(one.model_copy(update={"message": "In other words."}) for one in grade.criteria)
        out.write_grade(grade.model_copy(update={"criteria": worded}))
        assert states(mail(out, inbox))["ben"] == "done"


def test_pending_points_hold_a_message_back_unless_it_is_requested(out: ResultsFolder) -> None:
    out.write_grade(a_grade("ben", pending=True))
    with mail_server() as inbox:
        result = mail(out, inbox)
        assert states(result) == {"amara": "sent", "ben": "held", "chiara": "sent"}
        assert "--with-pending" in next(english(one.detail) for one in result.outcomes if one.state == "held")
        assert states(mail(out, inbox, selection=Selection(with_pending=True)))["ben"] == "sent"


def test_a_failure_of_the_grader_is_not_mailed(out: ResultsFolder) -> None:
    out.write_grade(a_grade("ben", status="not_graded", score=None, reason="no sandbox"))
    out.grade_path("chiara").write_text("{", encoding="utf-8")
    assert states(mail(out, None)) == {"amara": "would be sent", "ben": "held", "chiara": "held"}


def test_a_temporary_rejection_is_tried_again_after_the_others(out: ResultsFolder) -> None:
    with mail_server() as inbox:
        inbox.to_recipient["amara@example.org"] = ["450 greylisted"]
        inbox.to_data["ben@example.org"] = ["451 try later", "451 try later"]
        assert states(mail(out, inbox)) == dict.fromkeys(("amara", "ben", "chiara"), "sent")
    assert inbox.recipients() == ["chiara@example.org", "amara@example.org", "ben@example.org"]


def test_a_rejection_that_stays_leaves_the_message_for_the_next_run(out: ResultsFolder) -> None:
    with mail_server() as inbox:
        inbox.to_recipient["ben@example.org"] = ["450 greylisted"] * 5
        result = mail(out, inbox)
        assert states(result) == {"amara": "sent", "ben": "waiting", "chiara": "sent"}
        assert [one.detail for one in result.outcomes if one.state == "waiting"] == ["450 greylisted"]
        assert states(mail(out, inbox))["ben"] == "sent"


def test_a_refused_recipient_is_listed_and_not_tried_again(out: ResultsFolder) -> None:
    with mail_server() as inbox:
        inbox.to_recipient["ben@example.org"] = ["550 no such user"]
        inbox.to_data["chiara@example.org"] = ["554 too large"]
        result = mail(out, inbox)
        assert states(result) == {"amara": "sent", "ben": "refused", "chiara": "refused"}
        assert {one.detail for one in result.outcomes} >= {"550 no such user", "554 too large"}
        assert states(mail(out, inbox)) == {"amara": "done", "ben": "refused", "chiara": "refused"}
        corrected = (*CLASS[:1], a_student("ben", 3, email="b.weiss@example.org"), *CLASS[2:])
        assert states(mail(out, inbox, corrected, resend=("Chiara",))) == {
            "amara": "done",
            "ben": "sent",
            "chiara": "sent",
        }
    assert inbox.recipients() == ["amara@example.org", "b.weiss@example.org", "chiara@example.org"]


def test_a_lost_answer_is_unknown_and_never_sent_again_by_itself(out: ResultsFolder) -> None:
    with mail_server() as inbox:
        inbox.drop_at_answer = True
        assert states(mail(out, inbox)) == {"amara": "unknown", "ben": "sent", "chiara": "sent"}
        result = mail(out, inbox)
        assert states(result) == {"amara": "unknown", "ben": "done", "chiara": "done"}
        assert "--resend amara" in english(result.outcomes[0].detail)
        assert "unknown: perhaps sent" in result.preview.read_text(encoding="utf-8")
        assert inbox.recipients().count("amara@example.org") == 1
        assert states(mail(out, inbox, resend=("amara",)))["amara"] == "sent"
        assert states(mail(out, inbox, resend=("amara",)))["amara"] == "done"
    first, second = (parsed(content) for _, to, content in inbox.messages if to == "amara@example.org")
    assert first["Message-ID"] == second["Message-ID"]


def test_a_message_to_me_changes_nothing_for_the_students(out: ResultsFolder) -> None:
    to_me = options().sender.reply_to
    with mail_server() as inbox:
        assert set(states(mail(out, inbox, to_me=to_me)).values()) == {"sent"}
        assert set(inbox.recipients()) == {"ada@example.org"}
        assert rows(out) == []
        assert set(states(mail(out, inbox)).values()) == {"sent"}
    assert len({parsed(content)["Message-ID"] for _, _, content in inbox.messages}) == 6


def test_only_names_choose_and_a_wrong_name_is_an_error(out: ResultsFolder) -> None:
    assert states(mail(out, None, only=("Ben", "amara@example.org"))) == {
        "amara": "would be sent",
        "ben": "would be sent",
        "chiara": "skipped",
    }
    with pytest.raises(UsageError, match=r"did you mean 'ben'\?"):
        mail(out, None, only=("bem",))


def test_starttls_with_a_login(out: ResultsFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, authority = server_certificate(tmp_path)
    login = {"security": "starttls", "user": "course", "password": "secret"}
    with mail_server(starttls=context, password=login["password"]) as inbox:
        with pytest.raises(DeliveryError, match="not secure"):
            mail(out, inbox, server=login)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        with pytest.raises(DeliveryError, match="login of course was refused"):
            mail(out, inbox, server=login | {"password": "wrong"})
        assert inbox.messages == []
        assert set(states(mail(out, inbox, server=login)).values()) == {"sent"}
    assert inbox.logins == ["course"] * len(inbox.logins)


def test_tls_from_the_start(out: ResultsFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, authority = server_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with mail_server(tls=context) as inbox:
        assert set(states(mail(out, inbox, server={"security": "tls"})).values()) == {"sent"}


def test_a_server_without_encryption_gets_no_message(out: ResultsFolder) -> None:
    with mail_server() as inbox:
        with pytest.raises(DeliveryError, match="STARTTLS"):
            mail(out, inbox, server={"security": "starttls"})
        assert inbox.messages == []
    assert {state for _, state in rows(out)} == {"planned"}


def test_a_server_that_is_out_of_reach_is_an_error_and_nothing_is_lost(out: ResultsFolder) -> None:
    with mail_server() as inbox:
        pass
    with pytest.raises(DeliveryError, match="cannot be reached"):
        mail(out, inbox)
    with mail_server() as inbox:
        assert set(states(mail(out, inbox)).values()) == {"sent"}


def test_an_address_beyond_ascii_is_sent_in_utf8(out: ResultsFolder) -> None:
    students = (a_student("amara", 2, email="ämara@üni.example"), *CLASS[1:])
    with mail_server() as inbox:
        assert states(mail(out, inbox, students))["amara"] == "sent"
    assert "ämara@xn--ni-wka.example" in inbox.recipients()


def test_nothing_that_a_student_must_not_see_is_mailed(out: ResultsFolder) -> None:
    out.write_grade(a_grade("ben", pending=True))
    with mail_server() as inbox:
        mail(out, inbox, selection=Selection(with_pending=True))
    everything = "".join(
        str(part.get_content())
        for _, _, content in inbox.messages
        for part in parsed(content).walk()
        if part.get_content_maintype() == "text"
    )
    assert "Title of accuracy" in everything
    assert [word for word in (GUIDE, "trap", "hidden trap") if word in everything] == []


def test_the_report_is_attached_only_on_request(out: ResultsFolder) -> None:
    for name in ("amara", "ben", "chiara"):
        out.write_report(name, "<p>report</p>")
    result = mail(out, None)
    plain = parsed((result.preview.parent / "ben.eml").read_bytes())
    assert [part.get_filename() for part in plain.iter_attachments()] == []
    result = mail(out, None, attach=True)
    (part,) = parsed((result.preview.parent / "ben.eml").read_bytes()).iter_attachments()
    assert part.get_filename() == "report.zip"


def test_a_course_replaces_single_templates(out: ResultsFolder) -> None:
    own = (("mail.txt.j2", "Dear {{ letter.name }}, see {{ letter.report }}"),)
    result = mail(out, None, templates=own, reports_at="https://example.org/r")
    message = parsed((result.preview.parent / "ben.eml").read_bytes())
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert text.get_content().strip() == "Dear Ben, see https://example.org/r/ben/report.html"
    assert "What brings the most points" in html.get_content()


def test_messages_of_an_earlier_preview_are_removed(out: ResultsFolder) -> None:
    folder = mail(out, None).preview.parent
    mail(out, None, only=("ben",))
    assert sorted(path.name for path in folder.iterdir()) == ["ben.eml", "ben.html", "index.html"]


def test_the_same_grade_has_the_same_message_id_on_another_machine(out: ResultsFolder, tmp_path: Path) -> None:
    other = ResultsFolder(tmp_path / "other")
    grade: Grade | None = out.read_grade("ben")
    assert grade is not None
    other.write_grade(grade)
    ids = [parsed((mail(one, None).preview.parent / "ben.eml").read_bytes())["Message-ID"] for one in (out, other)]
    assert ids[0] == ids[1]

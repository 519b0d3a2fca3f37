"""One submission: every decision can be made, needs what it needs, and is in the report and in the history."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest

from grader.desk.guard import Visitor
from grader.desk.needs import needs_of
from grader.desk.state import Desk, Draft
from grader.desk.submission import REPORT_POLICY
from grader.pipeline.course_folder import assignment_of
from grader.schema.grade import CriterionGrade
from grader.schema.mail import GradeSent, MailRow
from grader.store.database import Database
from grader.store.ledger import MailLedger
from grader.store.results import ResultsFolder
from tests.desk.conftest import Browser
from tests.support.desk_class import PORT

POSTS = ("judge", "comment", "flag", "excuse", "extension", "request", "answer")


def line(desk: Desk, criterion: str) -> CriterionGrade:
    return next(one for one in desk.grade("ada").criteria if one.id == criterion)


def sent(client: Browser, action: str, **fields: str) -> int:
    return client.submit(f"/submission/ada/{action}", fields).status_code


def test_the_list_names_the_class(browser_client: Browser) -> None:
    text = browser_client.get("/submission").text
    assert [name for name in ("Ada Abara", "Emre Eze", "17 open") if name not in text] == []


def test_the_list_has_students_without_a_submission(browser_client: Browser, desk: Desk, tmp_path: Path) -> None:
    assert "Without a submission" not in browser_client.get("/submission").text
    (tmp_path / "course.yaml").write_text(
        "version: 1\ntitle: DL\nroster: roster.csv\nassignments:\n  first: {rubric: mnist-cnn}\n"
    )
    (tmp_path / "roster.csv").write_text("id,name,email\nada,Ada Abara,ada@x.org\nzoe,Zoë Zimmer,zoe@x.org\n")
    desk.course = replace(desk.course, assignment=assignment_of(ResultsFolder(tmp_path / "results" / "first")))
    text = browser_client.get("/submission").text.partition("Without a submission")[2]
    assert ("Zoë Zimmer" in text, "missing" in text, "Ada Abara" in text) == (True, True, False)


def test_waiting_points_are_given_without_a_reason(browser_client: Browser, desk: Desk) -> None:
    assert sent(browser_client, "judge", criterion="critique", points="4", comment="Good.") == 303
    (one,) = desk.file.read().judgements
    assert (one.kind, one.points, one.comment) == ("points", 4, "Good.")
    report = browser_client.get("/submission/ada/report").text
    assert "Mara judged this" in report
    assert "Good." in report


def test_a_computed_verdict_is_overridden_only_with_a_reason(browser_client: Browser, desk: Desk) -> None:
    assert sent(browser_client, "judge", criterion="runs", points="1") == 400
    assert sent(browser_client, "judge", criterion="runs", points="1", why=" \n ") == 400
    assert sent(browser_client, "judge", criterion="runs", points="1", why="Copied cells.") == 303
    judged = line(desk, "runs")
    assert judged.judged is not None
    assert (judged.points, judged.judged.why, judged.judged.computed_points) == (1, "Copied cells.", 4)
    page = browser_client.get("/submission/ada").text
    assert "Copied cells." in page


def test_a_borderline_criterion_is_agreed_with_by_one_key(browser_client: Browser, desk: Desk) -> None:
    stored = desk.out.read_grade("ada")
    assert stored is not None
    (runs,) = [one for one in stored.criteria if one.id == "runs"]
    doubtful = runs.model_copy(update={"borderline": True, "status": "partial", "points": 3.0})
    lines = tuple(doubtful if one.id == "runs" else one for one in stored.criteria)
    desk.out.write_grade(stored.model_copy(update={"criteria": lines}))
    page = browser_client.get("/submission/ada").text
    assert 'action="/submission/ada/agree"' in page
    assert 'data-key="y">Agree' in page
    assert sent(browser_client, "agree", criterion="runs") == 303
    judged = line(desk, "runs")
    assert (judged.points, judged.status, judged.borderline) == (3, "partial", False)
    assert "borderline" not in {one.kind for one in needs_of(desk)}
    assert desk.grade("ada").review == ()
    assert "Confirmed by Mara" in browser_client.get("/submission/ada/report").text
    page = browser_client.get("/submission/ada").text
    assert ("/agree" in page, 'id="borderline"' in page) == (False, False)
    assert sent(browser_client, "agree", criterion="runs") == 400


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        (f"http://127.0.0.1:{PORT}/submission/ada?x=1", "/submission/ada?x=1"),
        ("http://other.example/submission/ada", "/"),
        (f"http://127.0.0.1:{PORT}//other.example", "/"),
        ("http://[", "/"),
    ],
)
def test_a_refused_form_has_keys_that_lead_on(browser_client: Browser, referer: str, back: str) -> None:
    refused = browser_client.submit("/submission/ada/judge", {"criterion": "runs", "points": "1"}, referer=referer)
    assert refused.status_code == 400
    assert f'href="{back}" data-key="b Enter"' in refused.text
    assert 'href="/" data-key="n"' in refused.text


def test_a_judgement_can_be_changed_without_losing_its_texts(browser_client: Browser) -> None:
    sent(browser_client, "judge", criterion="critique", points="4", comment="Good <5 cm>.")
    sent(browser_client, "judge", criterion="runs", points="1", why="Copied cells.", comment="See me.")
    page = browser_client.get("/submission/ada").text
    filled = [unescape(text) for text in re.findall(r"<textarea[^>]*>([^<]+)</textarea>", page)]
    assert filled == ["Copied cells.", "See me.", "Good <5 cm>."]


def test_a_judgement_is_taken_back_and_stays_in_the_history(browser_client: Browser, desk: Desk) -> None:
    sent(browser_client, "judge", criterion="runs", points="1", why="Copied cells.")
    assert sent(browser_client, "judge", criterion="runs", withdraw="1") == 303
    assert line(desk, "runs").points == 4
    page = browser_client.get("/submission/ada").text
    assert "Copied cells." in page
    assert "taken back" in page


@pytest.mark.parametrize("points", ["", "5.5", "-1", "nan", "many"])
def test_impossible_points_are_refused(browser_client: Browser, desk: Desk, points: str) -> None:
    assert sent(browser_client, "judge", criterion="critique", points=points) == 400
    assert not desk.file.path.exists()


@pytest.mark.parametrize("action", POSTS)
def test_nothing_is_recorded_for_a_submission_that_is_not_in_the_class(
    browser_client: Browser, desk: Desk, action: str
) -> None:
    fields = {
        "criterion": "critique",
        "points": "1",
        "why": "x",
        "comment": "x",
        "mail": "x",
        "answer": "x",
        "until": "2030-01-01T00:00",
    }
    for name in ("nobody", "..", "ada%0Aben", "ada%2F..%2Fben", "%00"):
        assert browser_client.submit(f"/submission/{name}/{action}", fields).status_code in {400, 404}
    assert not desk.file.path.exists()


@pytest.mark.parametrize("action", ["judge", "comment", "flag", "request", "answer"])
def test_nothing_is_recorded_for_an_unknown_criterion(browser_client: Browser, desk: Desk, action: str) -> None:
    fields = {"criterion": "critic", "points": "1", "why": "x", "comment": "x", "mail": "x", "answer": "x"}
    assert sent(browser_client, action, **fields) == 400
    assert not desk.file.path.exists()


@pytest.mark.parametrize("criterion", ["*", "critique"])
def test_comments_and_flags_are_set_and_removed(browser_client: Browser, desk: Desk, criterion: str) -> None:
    assert sent(browser_client, "comment", criterion=criterion, comment="See me.") == 303
    assert sent(browser_client, "flag", criterion=criterion, why="") == 303
    grade = desk.grade("ada")
    comments = grade.comments if criterion == "*" else line(desk, criterion).comments
    assert [one.text for one in comments] == ["See me."]
    assert [one.criterion for one in grade.flags] == [criterion]
    assert sent(browser_client, "comment", criterion=criterion, comment="") == 303
    assert sent(browser_client, "flag", criterion=criterion, remove="1") == 303
    grade = desk.grade("ada")
    assert (grade.comments, line(desk, "critique").comments, grade.flags) == ((), (), ())


def test_an_excuse_and_an_extension_need_their_details(browser_client: Browser, desk: Desk) -> None:
    assert sent(browser_client, "excuse") == 400
    assert sent(browser_client, "excuse", why="Ill.") == 303
    assert desk.grade("ada").excused == "Ill."
    assert sent(browser_client, "excuse", remove="1") == 303
    assert desk.grade("ada").excused is None
    assert sent(browser_client, "extension", until="") == 400
    assert sent(browser_client, "extension", until="tomorrow") == 400
    assert sent(browser_client, "extension", until="2030-05-11T23:59", why="Ill.") == 303
    assert desk.judgements("ada")[-1].until == datetime(2030, 5, 11, 23, 59, tzinfo=UTC)
    assert "until 11 May 2030, 23:59 UTC" in browser_client.get("/submission/ada").text
    assert sent(browser_client, "extension", remove="1") == 303


def test_a_pasted_mail_becomes_a_request_and_gets_an_answer(browser_client: Browser, desk: Desk) -> None:
    mail = "Subject: Re: grade\n\nThe critique of the model is complete.\nPlease look.\n\n> 0 of 5"
    assert sent(browser_client, "request", mail=mail) == 303
    (request,) = desk.grade("ada").requests
    assert (request.criterion, request.by, request.why) == (
        "critique",
        "Ada Abara",
        "The critique of the model is complete.\nPlease look.",
    )
    assert "open request" in browser_client.get("/").text
    assert sent(browser_client, "answer", criterion="critique", answer="") == 400
    assert sent(browser_client, "answer", criterion="runs", answer="x") == 400
    assert sent(browser_client, "answer", criterion="critique", answer="You are right.") == 303
    (request,) = desk.grade("ada").requests
    assert (request.answer, request.answered_by) == ("You are right.", "Mara")
    assert "open request" not in browser_client.get("/").text
    assert "You are right." in browser_client.get("/submission/ada").text


def test_an_answer_can_come_with_new_points(browser_client: Browser, desk: Desk) -> None:
    for criterion in ("critique", "runs"):
        sent(browser_client, "request", criterion=criterion, mail="Please look.")
    assert sent(browser_client, "answer", criterion="runs", answer="No.", points="2") == 400
    assert sent(browser_client, "answer", criterion="runs", answer="Yes.", points="2", why="It ran.") == 303
    assert sent(browser_client, "answer", criterion="critique", answer="Yes.", points="7") == 400
    assert sent(browser_client, "answer", criterion="critique", answer="Yes.", points="5") == 303
    assert (line(desk, "runs").points, line(desk, "critique").points) == (2, 5)
    assert {one.answer for one in desk.grade("ada").requests} == {"Yes."}
    browser_client.submit("/undo")
    assert line(desk, "critique").status == "pending"
    assert sorted(str(one.answer) for one in desk.grade("ada").requests) == ["None", "Yes."]


def test_a_mail_of_nobody_known_is_not_recorded(browser_client: Browser, desk: Desk) -> None:
    mail = "From: mallory@example.org\nSubject: Re: grade\n\nGive Ada 5 points."
    answer = browser_client.submit("/request", {"mail": mail})
    assert answer.status_code == 400
    assert "belongs to a message that the grader sent" in answer.text
    assert not desk.file.path.exists()


def test_a_mail_of_a_known_student_finds_its_submission(browser_client: Browser, desk: Desk) -> None:
    sent_grade = GradeSent(score=4, max_score=21, pending=17, criteria={})
    row = MailRow(
        message="<1@example.org>",
        about="ben",
        address="ben@example.org",
        rubric="essays",
        digest="d",
        grade=sent_grade,
        state="planned",
    )
    MailLedger(Database(desk.out.database_path)).plan([row])
    answer = browser_client.submit("/request", {"mail": "From: Ben <ben@example.org>\n\nThe critique is complete."})
    assert answer.headers["location"] == "/submission/ben#requests"
    (request,) = desk.grade("ben").requests
    assert (request.by, request.criterion, request.why) == ("Ben Berg", "critique", "The critique is complete.")
    assert sent(browser_client, "request", mail="From: ben@example.org\n\nWhy?") == 400


@pytest.mark.parametrize("mail", ["", "> only\n> quoted"])
def test_an_empty_request_is_refused(browser_client: Browser, desk: Desk, mail: str) -> None:
    assert sent(browser_client, "request", mail=mail) == 400
    assert not desk.file.path.exists()


def test_a_text_of_a_student_cannot_answer_a_request_or_give_points(browser_client: Browser, desk: Desk) -> None:
    forged = {"version": 1, "at": "2031-01-01T00:00:00Z", "by": "Mara", "submission": "ada", "points": 5}
    line_of_file = json.dumps(forged | {"criterion": "critique", "kind": "points"})
    mail = f'why?"}}\n{line_of_file}\n'
    assert sent(browser_client, "request", mail=mail) == 303
    assert [one.kind for one in desk.file.read().judgements] == ["request"]
    assert line(desk, "critique").status == "pending"
    assert desk.grade("ada").requests[0].answer is None


def test_the_report_is_in_a_sandbox_of_its_own(browser_client: Browser) -> None:
    answer = browser_client.get("/submission/ada/report")
    assert answer.headers["content-security-policy"] == REPORT_POLICY
    directives = dict(part.strip().partition(" ")[::2] for part in REPORT_POLICY.split(";"))
    assert directives["sandbox"] == ""
    assert directives["default-src"] == directives["form-action"] == directives["base-uri"] == "'none'"
    assert "script-src" not in directives
    page = browser_client.get("/submission/ada").text
    assert '<iframe src="/submission/ada/report" title="The instructor\'s report" sandbox></iframe>' in page.replace(
        "&#39;", "'"
    )


def test_unknown_submissions_have_no_page(browser_client: Browser) -> None:
    assert browser_client.get("/submission/nobody").status_code == 404
    assert browser_client.get("/submission/nobody/report").status_code == 404


def test_a_judgement_about_another_notebook_is_listed_to_look_at_again(browser_client: Browser, desk: Desk) -> None:
    desk.record(Visitor("t", "c", "Theo"), [Draft("ada", "points", "critique", points=3)])
    stored = desk.out.read_grade("ada")
    assert stored is not None
    desk.out.write_grade(
        stored.model_copy(update={"submission": stored.submission.model_copy(update={"sha256": "1" * 64})})
    )
    assert "another notebook was handed in" in browser_client.get("/submission/ada").text
    assert "judgement to review" in browser_client.get("/").text

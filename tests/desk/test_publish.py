"""The view "Publish": previews are complete, and nothing leaves the desk without a confirmation."""

import csv
import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from grader.desk.app import make_app
from grader.desk.mailer import Mailer, MailSetup
from grader.desk.state import Desk
from grader.desk.submission import REPORT_POLICY
from grader.desk.updates import Updates
from grader.pipeline.mail_settings import COURSE_SETTINGS
from grader.pipeline.rejudge import rejudge
from grader.schema.mail import MailSettings
from tests.desk.conftest import Browser
from tests.support.desk_class import Clock, a_door
from tests.support.mail_server import Inbox, mail_server

ROSTER = """\
id,name,email
ada,Ada Abara,ada@example.org
ben,Ben Berg,ben@example.org
dora,Dora Diaz,dora@example.org
"""


@pytest.fixture
def roster(root: Path) -> Path:
    """A roster without Cleo, who submitted, and with Dora, who did not."""
    path = root / "roster.csv"
    path.write_text(ROSTER, encoding="utf-8")
    return path


def setup_of(roster: Path, inbox: Inbox | None = None) -> MailSetup:
    server = {} if inbox is None else {"server": inbox.host, "port": inbox.port}
    settings = MailSettings.model_validate(
        {**server, "security": "none", "sender": "Course <course@example.org>", "rate": 1e6}
    )
    return MailSetup(settings=settings, roster=roster, pause=0.0)


def enter(desk: Desk, setup: MailSetup) -> Browser:
    desk.mailer = Mailer(setup, Clock())
    return Browser(make_app(desk, a_door())).enter()


def digest_in(browser: Browser) -> str:
    text = browser.get("/publish/mail").text
    return text.partition('name="digest" value="')[2].partition('"')[0]


# --- what is open ------------------------------------------------------------------------------------------------


def test_open_points_and_flags_are_named_on_every_page_before_publishing(desk: Desk, browser_client: Browser) -> None:
    browser_client.submit("/submission/ben/flag", {"criterion": "*", "why": "Look at it."})
    for path in ("/publish", "/publish/reports", "/publish/mail", "/publish/exports"):
        text = browser_client.get(path).text
        assert "<b>10</b> answers to read" in text
        assert "<b>1</b> flag<" in text
        assert 'href="/#answer"' in text
    assert "<b>0</b> of 5 grades are finished" in browser_client.get("/publish").text
    assert not desk.mailer.state.running


# --- reports -----------------------------------------------------------------------------------------------------


def test_a_report_is_shown_in_a_frame_where_nothing_runs(browser_client: Browser, desk: Desk) -> None:
    page = browser_client.get("/publish/reports/ben")
    assert '<iframe src="/publish/reports/ben/page" title="The student&#39;s report" sandbox>' in page.text.replace(
        "The student's", "The student&#39;s"
    )
    framed = browser_client.get("/publish/reports/ben/page")
    assert framed.content == desk.out.report_path("ben").read_bytes()
    assert framed.headers["content-security-policy"] == REPORT_POLICY
    assert 'href="/publish/reports/cleo" data-key="n"' in page.text
    assert 'href="/publish/reports/ada" data-key="p"' in page.text


@pytest.mark.parametrize(
    "path", ["/publish/reports/nobody", "/publish/reports/..%2Fclass/page", "/publish/mail/message/ada"]
)
def test_only_pages_of_the_class_are_shown(browser_client: Browser, path: str) -> None:
    assert browser_client.get(path).status_code == 404


def test_the_zip_has_finished_reports_and_others_only_if_asked_for(browser_client: Browser, desk: Desk) -> None:
    refused = browser_client.submit("/publish/reports")
    assert (refused.status_code, "no report is finished" in refused.text) == (400, True)
    answer = browser_client.submit("/publish/reports", {"unfinished": "1"})
    assert 'attachment; filename="essays-reports.zip"' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == [f"{name}/report.html" for name in ("ada", "ben", "cleo", "dan", "emre")]
        assert archive.read("ben/report.html") == desk.out.report_path("ben").read_bytes()


def test_nothing_is_published_while_pages_lack_judgements(browser_client: Browser, desk: Desk, roster: Path) -> None:
    desk.mailer = Mailer(setup_of(roster), Clock())
    browser_client.submit("/submission/ben/judge", {"criterion": "critique", "points": "3"})
    assert desk.updates.state().waiting == 1
    for path, fields in (
        ("/publish/reports", {"unfinished": "1"}),
        ("/publish/exports", {"format": "csv"}),
        ("/publish/mail/preview", {}),
        ("/publish/mail/send", {"words": "send 1"}),
    ):
        refused = browser_client.submit(path, fields)
        assert (refused.status_code, "do not have the latest judgements" in refused.text) == (400, True)


def test_a_new_judgement_is_in_the_pages_that_are_published(browser_client: Browser, desk: Desk) -> None:
    made = list[frozenset[str]]()
    desk.updates = Updates(made.append, quiet=1e6)
    desk.updates.start()
    browser_client.submit("/submission/ben/judge", {"criterion": "critique", "points": "3"})
    assert browser_client.submit("/publish/reports", {"unfinished": "1"}).status_code == 200
    assert made == [frozenset({"ben"})]
    desk.updates.finish()


# --- mail --------------------------------------------------------------------------------------------------------


def test_the_preview_shows_who_gets_what_who_is_held_and_who_is_missing(desk: Desk, roster: Path) -> None:
    browser = enter(desk, setup_of(roster))
    assert "Make the preview" in browser.get("/publish/mail").text
    assert browser.submit("/publish/mail/preview").headers["location"] == "/publish/mail#messages"
    text = browser.get("/publish/mail").text
    assert "0 messages would be sent" in text
    assert text.count("17 points are open") == 2
    assert "Dora Diaz" in text
    browser.submit("/publish/mail/preview", {"with_pending": "1"})
    text = browser.get("/publish/mail").text
    assert "2 messages would be sent" in text
    assert "ben@example.org" in text
    assert "held back" in text
    message = browser.get("/publish/mail/message/ben/page")
    assert message.content == (desk.out.root / "mail" / "ben.html").read_bytes()
    assert message.headers["content-security-policy"] == REPORT_POLICY
    assert browser.get("/publish/mail/message/cleo").status_code == 404


def test_messages_are_sent_once_after_the_words_were_typed(desk: Desk, roster: Path) -> None:
    with mail_server() as inbox:
        browser = enter(desk, setup_of(roster, inbox))
        browser.submit("/publish/mail/preview", {"with_pending": "1"})
        digest = digest_in(browser)
        for words in ("", "send", "yes", "send 3", "2"):
            refused = browser.submit("/publish/mail/send", {"words": words, "digest": digest})
            assert (refused.status_code, "type `send 2`" in refused.text) == (400, True)
        desk.mailer.wait()
        assert inbox.messages == []
        assert browser.submit("/publish/mail/send", {"words": " Send 2 ", "digest": digest}).status_code == 303
        desk.mailer.wait()
        assert inbox.recipients() == ["ada@example.org", "ben@example.org"]
        assert "<b>2</b> students have their message" in browser.get("/publish/mail").text
        # Neither the same form again nor another preview sends anything twice.
        assert browser.submit("/publish/mail/send", {"words": "send 2", "digest": digest}).status_code == 400
        browser.submit("/publish/mail/preview", {"with_pending": "1"})
        assert "has this grade already" in browser.get("/publish/mail").text
        refused = browser.submit("/publish/mail/send", {"words": "send 0", "digest": digest_in(browser)})
        assert refused.status_code == 400
        desk.mailer.wait()
        assert len(inbox.messages) == 2


def test_a_class_that_changed_after_the_preview_is_not_mailed(desk: Desk, roster: Path) -> None:
    with mail_server() as inbox:
        browser = enter(desk, setup_of(roster, inbox))
        browser.submit("/publish/mail/preview", {"with_pending": "1"})
        digest = digest_in(browser)
        roster.write_text(ROSTER.replace("ben@example.org", "mallory@example.org"), encoding="utf-8")
        assert browser.submit("/publish/mail/send", {"words": "send 2", "digest": digest}).status_code == 303
        desk.mailer.wait()
        assert "has changed since this preview" in desk.mailer.state.problem
        assert "Sending stopped" in browser.get("/publish/mail").text
        assert inbox.messages == []


def test_a_preview_of_somebody_else_does_not_confirm_mine(desk: Desk, roster: Path) -> None:
    with mail_server() as inbox:
        browser = enter(desk, setup_of(roster, inbox))
        browser.submit("/publish/mail/preview", {"with_pending": "1"})
        mine = digest_in(browser)
        roster.write_text(ROSTER.replace("ben@example.org", "ben.berg@example.org"), encoding="utf-8")
        browser.submit("/publish/mail/preview", {"with_pending": "1"})
        refused = browser.submit("/publish/mail/send", {"words": "send 2", "digest": mine})
        assert (refused.status_code, "has changed since this preview" in refused.text) == (400, True)
        desk.mailer.wait()
        assert inbox.messages == []


def test_a_server_that_does_not_answer_is_a_problem_on_the_page(desk: Desk, roster: Path) -> None:
    with mail_server() as inbox:
        setup = setup_of(roster, inbox)
    browser = enter(desk, setup)
    browser.submit("/publish/mail/preview", {"with_pending": "1"})
    assert browser.submit("/publish/mail/send", {"words": "send 2", "digest": digest_in(browser)}).status_code == 303
    desk.mailer.wait()
    assert desk.mailer.state.problem
    assert browser.get("/publish/mail/state").json()["running"] is False
    assert "Sending stopped" in browser.get("/publish/mail").text


def test_without_settings_a_roster_or_before_the_release_nothing_can_be_sent(desk: Desk, roster: Path) -> None:
    text = enter(desk, MailSetup()).get("/publish/mail").text
    assert "knows no roster" in text
    assert "The site file names no sender" in text
    in_course = enter(desk, MailSetup(settings_file=COURSE_SETTINGS)).get("/publish/mail").text
    assert "The course&#39;s course.yaml names no sender" in in_course
    assert 'action="/publish/mail/preview"' not in text
    release = datetime(2031, 1, 1, tzinfo=UTC)
    with mail_server() as inbox:
        browser = enter(desk, replace(setup_of(roster, inbox), release=release))
        browser.submit("/publish/mail/preview", {"with_pending": "1"})
        assert "releases the grades on 1 Jan 2031, 00:00 UTC" in browser.get("/publish/mail").text
        assert 'name="digest"' not in browser.get("/publish/mail").text
        preview = desk.mailer.preview
        assert preview is not None
        refused = browser.submit("/publish/mail/send", {"words": preview.words, "digest": preview.digest})
        assert (refused.status_code, inbox.messages) == (400, [])


def test_another_site_cannot_send_mails(desk: Desk, roster: Path) -> None:
    with mail_server() as inbox:
        browser = enter(desk, setup_of(roster, inbox))
        browser.submit("/publish/mail/preview", {"with_pending": "1"})
        fields = {"words": "send 2", "digest": digest_in(browser)}
        assert browser.submit("/publish/mail/send", fields, origin="https://evil.example").status_code == 403
        assert browser.submit("/publish/mail/send", {**fields, "csrf": "guessed"}).status_code == 403
        assert browser.get("/publish/mail/send").status_code in {404, 405}
        desk.mailer.wait()
        assert inbox.messages == []


# --- exports -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["grades", "submissions", "criteria", "facts"])
def test_a_table_is_shown_before_it_is_saved(browser_client: Browser, table: str) -> None:
    text = browser_client.get(f"/publish/exports?table={table}").text
    assert f"<code>{table}</code>" in text
    assert "Ada Abara" in text or table != "submissions"
    answer = browser_client.submit("/publish/exports", {"format": "csv", "table": table})
    assert f'filename="essays-{table}.csv"' in answer.headers["content-disposition"]
    head = next(csv.reader(io.StringIO(answer.content.decode())))
    assert all(f'<th scope="col"><bdi>{name}</bdi></th>' in text for name in head)


def test_all_tables_are_saved_as_a_zip_without_names_if_asked_for(browser_client: Browser) -> None:
    answer = browser_client.submit("/publish/exports", {"format": "parquet", "anonymous": "1"})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {"facts.parquet", "trainings.parquet", "schema.json"} <= set(archive.namelist())
    answer = browser_client.submit("/publish/exports", {"format": "csv", "anonymous": "1", "table": "submissions"})
    assert "Ada" not in answer.content.decode()


@pytest.mark.parametrize(
    "fields",
    [{"format": "xls"}, {}, {"format": "csv", "table": "../secrets"}, {"format": "parquet", "table": "grades"}],
)
def test_unknown_formats_and_tables_are_refused(browser_client: Browser, fields: dict[str, str]) -> None:
    assert browser_client.submit("/publish/exports", fields).status_code == 400
    assert browser_client.get("/publish/exports?table=nothing").status_code == 404


def test_published_grades_have_the_judgements_of_people(browser_client: Browser, desk: Desk) -> None:
    browser_client.submit("/submission/ben/judge", {"criterion": "critique", "points": "3"})
    rejudge(desk.out, desk.course, ["ben"])
    desk.updates.finish()
    answer = browser_client.submit("/publish/exports", {"format": "csv", "table": "grades"})
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(answer.content.decode()))}
    assert (rows["ben"]["points.critique"], rows["ben"]["judged_by"]) == ("3.0", "Mara")

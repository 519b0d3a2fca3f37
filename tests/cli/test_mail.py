"""`grader mail`."""

import json
from pathlib import Path

import pytest

from grader.store.results import ResultsFolder
from tests.support.command import RUBRIC, Done, grader
from tests.support.mail_server import Inbox, mail_server, server_certificate
from tests.support.mailing import a_grade


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    out = ResultsFolder(tmp_path / "results")
    out.write_grade(a_grade("amara"))
    out.write_grade(a_grade("ben", pending=True))
    (tmp_path / "roster.csv").write_text(
        "id,name,email\namara,Amara,amara@example.org\nben,Ben,ben@example.org\nzoe,Zoë,zoe@example.org\n",
        encoding="utf-8",
    )
    (tmp_path / "tiny.yaml").write_text(RUBRIC, encoding="utf-8")
    return tmp_path


def site(folder: Path, inbox: Inbox, **settings: str | int) -> dict[str, str]:
    """Write a site file; return the environment that names it."""
    mail = {"server": "127.0.0.1", "port": inbox.port, "security": "none", "sender": "course@example.org"} | settings
    (folder / "site.yaml").write_text(json.dumps({"version": 1, "mail": mail}), encoding="utf-8")
    return {"GRADER_CONFIG": str(folder / "site.yaml")}


def mail(folder: Path, *words: str, env: dict[str, str] | None = None) -> Done:
    roster = ("--roster", folder / "roster.csv", "--rubric", folder / "tiny.yaml")
    return grader("mail", folder / "results", *roster, *words, env=env or {})


def test_the_default_sends_nothing_and_needs_no_settings(folder: Path) -> None:
    done = mail(folder)
    assert done.code == 0, done.err
    assert "would be sent: 1, held: 1, without a submission: 1" in done.out
    assert "5 points are pending; `--with-pending` sends it anyway" in done.out
    assert "nothing was sent" in done.out
    assert (folder / "results" / "mail" / "amara.eml").is_file()


def test_send_sends_and_a_second_run_has_nothing_to_do(folder: Path) -> None:
    with mail_server() as inbox:
        env = site(folder, inbox)
        first = mail(folder, "--send", "--with-pending", "--object-until", "2026-12-13", env=env)
        assert (first.code, inbox.recipients()) == (0, ["amara@example.org", "ben@example.org"]), first.err
        second = mail(folder, "--send", "--with-pending", "--json", env=env)
    assert [row["state"] for row in json.loads(second.out)["messages"]] == ["done", "done"]
    assert len(inbox.messages) == 2
    assert b"December 13, 2026" in inbox.messages[0][2].replace(b"=\r\n", b"")


def test_only_changed_before_the_first_message_says_what_to_do(folder: Path) -> None:
    hint = "no message was sent before, so that no grade changed since one; send without `--only-changed` first"
    with mail_server() as inbox:
        env = site(folder, inbox)
        assert hint in " ".join(mail(folder, "--only-changed", env=env).out.split())
        mail(folder, "--send", "--with-pending", env=env)
        assert "no message was sent before" not in " ".join(mail(folder, "--only-changed", env=env).out.split())


def test_a_refused_address_ends_with_the_code_of_unfinished_work(folder: Path) -> None:
    with mail_server() as inbox:
        inbox.to_recipient["amara@example.org"] = ["550 no such user"]
        done = mail(folder, "--send", env=site(folder, inbox))
    assert done.code == 3
    assert "550 no such user" in done.out


def test_to_me_sends_everything_to_one_address(folder: Path) -> None:
    with mail_server() as inbox:
        done = mail(folder, "--to-me", "me@example.org", "--with-pending", "--send", env=site(folder, inbox))
    assert done.code == 0, done.err
    assert inbox.recipients() == ["me@example.org"] * 2


def test_the_password_comes_from_the_environment(folder: Path, tmp_path: Path) -> None:
    context, authority = server_certificate(tmp_path)
    with mail_server(starttls=context, password="secret") as inbox:  # noqa: S106 - of this server
        env = site(folder, inbox, security="starttls", user="course")
        env["SSL_CERT_FILE"] = str(authority)
        done = mail(folder, "--send", env=env)
        assert done.code == 2
        assert "GRADER_SMTP_PASSWORD" in done.err
        assert mail(folder, "--send", env=env | {"GRADER_SMTP_PASSWORD": "secret"}).code == 0
    assert inbox.recipients() == ["amara@example.org"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (None, "the site file names no sender"),
        ({"sender": "nobody"}, "'nobody' is not an e-mail address"),
        ({"user": "course"}, "a login needs an encrypted connection"),
    ],
)
def test_wrong_settings_are_an_error_and_send_nothing(
    folder: Path, settings: dict[str, str] | None, words: str
) -> None:
    with mail_server() as inbox:
        env = {"GRADER_CONFIG": str(folder / "none.yaml")} if settings is None else site(folder, inbox, **settings)
        if settings is None:
            (folder / "none.yaml").write_text("version: 1\n", encoding="utf-8")
        done = mail(folder, "--send", env=env)
    assert (done.code, inbox.messages) == (2, [])
    assert words in done.err


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--language", "xx"), "unknown language 'xx'"),
        (("--only", "bem"), "did you mean 'ben'?"),
        (("--reports-at", "javascript:alert(1)"), "is not an address of the web"),
    ],
)
def test_a_wrong_option_is_a_usage_error(folder: Path, option: tuple[str, ...], words: str) -> None:
    done = mail(folder, *option)
    assert done.code == 2
    assert words in done.err


COURSE = """\
version: 1
title: Course
roster: roster.csv
mail: {sender: course@example.org, rate: 6000}
assignments:
  tiny: {rubric: tiny.yaml, groups: true, reports_at: "https://example.org/marks", release: %s}
"""


@pytest.fixture
def course(folder: Path) -> Path:
    """A course in which Amara and Zoë are a group."""
    (folder / "results").rename(folder / "tiny")
    (folder / "results").mkdir()
    (folder / "tiny").rename(folder / "results" / "tiny")
    rows = (
        "id,name,email,group",
        "amara,Amara,amara@example.org,g",
        "zoe,Zoë,zoe@example.org,g",
        "ben,Ben,b@example.org,",
    )
    (folder / "roster.csv").write_text("\n".join(rows), encoding="utf-8")
    (folder / "course.yaml").write_text(COURSE % "2020-01-01", encoding="utf-8")
    return folder


def test_in_a_course_each_member_of_a_group_gets_a_message(course: Path) -> None:
    with mail_server() as inbox:
        server = f"server: 127.0.0.1, port: {inbox.port}, security: none, sender:"
        (course / "course.yaml").write_text(COURSE.replace("sender:", server) % "2020-01-01", encoding="utf-8")
        first = grader("mail", course / "results" / "tiny", "--send", "--json")
        assert (first.code, inbox.recipients()) == (0, ["amara@example.org", "zoe@example.org"]), first.err
        states = [(row["submission"], row["student"], row["state"]) for row in json.loads(first.out)["messages"]]
        assert states == [("amara", "Amara", "sent"), ("amara", "Zoë", "sent"), ("ben", "Ben", "held")]
        second = grader("mail", course / "results" / "tiny", "--send", "--json")
        assert [row["state"] for row in json.loads(second.out)["messages"]] == ["done", "done", "held"]
    assert len(inbox.messages) == 2
    assert b"https://example.org/marks/amara" in inbox.messages[0][2].replace(b"=\r\n", b"")


def test_one_member_of_a_group_can_be_chosen(course: Path) -> None:
    done = grader("mail", course / "results" / "tiny", "--only", "zoe@example.org", "--json")
    rows = json.loads(done.out)["messages"]
    assert [(row["student"], row["state"]) for row in rows] == [
        *(("Amara", "skipped"), ("Zoë", "would be sent"), ("Ben", "skipped"))
    ]
    assert (course / "results" / "tiny" / "mail" / "amara~zoe.eml").is_file()


def test_nothing_is_sent_before_the_release(course: Path) -> None:
    (course / "course.yaml").write_text(COURSE % "2199-01-01", encoding="utf-8")
    assert grader("mail", course / "results" / "tiny").code == 0
    done = grader("mail", course / "results" / "tiny", "--send")
    assert done.code == 2
    assert "is not released before 1 Jan 2199" in done.err


def test_without_a_course_the_roster_is_required(folder: Path) -> None:
    done = grader("mail", folder / "results")
    assert (done.code, "Missing option '--roster'" in done.err) == (2, True)

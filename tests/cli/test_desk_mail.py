"""The settings of mails at the desk: the course folder's override those of the site file, key by key."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from grader.cli.desk import _mail_setup

SITE = """\
version: 1
language: de
mail: {server: smtp.example.org, user: course, sender: site@example.org, reports_at: "https://site.example.org"}
"""
COURSE = """\
version: 1
title: Deep Learning
roster: roster.csv
mail: {sender: course@example.org}
assignments:
  one: {rubric: mnist-cnn, release: 2031-01-01 12:00, reports_at: "https://course.example.org"}
  two: {rubric: mnist-cnn}
"""


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course folder, and a site file."""
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    monkeypatch.setenv("GRADER_CONFIG", str(tmp_path / "site.yaml"))
    monkeypatch.setenv("GRADER_SMTP_PASSWORD", "secret")
    root = tmp_path / "course"
    for name in ("one", "two"):
        (root / "results" / name).mkdir(parents=True)
    (root / "roster.csv").write_text("id,name,email\na,Ada,a@example.org\n", encoding="utf-8")
    (root / "course.yaml").write_text(COURSE, encoding="utf-8")
    return root


def test_a_course_folder_gives_roster_sender_release_and_address(course: Path) -> None:
    setup = _mail_setup(course / "results" / "one", None)
    assert setup.settings is not None
    assert (setup.settings.server, setup.settings.sender) == ("smtp.example.org", "course@example.org")
    assert (setup.roster, setup.site_language) == (course / "roster.csv", "de")
    assert setup.reports_at == "https://course.example.org"
    assert setup.release == datetime(2031, 1, 1, 12, tzinfo=UTC)
    assert "secret" not in repr(setup)
    second = _mail_setup(course / "results" / "two", Path("other.csv"))
    assert (second.roster, second.release, second.reports_at) == (Path("other.csv"), None, "https://site.example.org")


def test_without_a_course_the_site_file_counts(course: Path, tmp_path: Path) -> None:
    setup = _mail_setup(tmp_path / "results", None)
    assert setup.settings is not None
    assert (setup.settings.sender, setup.roster, setup.password) == ("site@example.org", None, "secret")
    assert course.parent == tmp_path


def test_without_settings_nothing_can_be_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site.yaml").write_text("version: 1\n", encoding="utf-8")
    monkeypatch.setenv("GRADER_CONFIG", str(tmp_path / "site.yaml"))
    assert _mail_setup(tmp_path, None).settings is None

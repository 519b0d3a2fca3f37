"""`grader submissions`: what is taken for what, who has nothing, and every path that is skipped."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from grader.cli.app import main
from tests.support.layouts import LAYOUTS, written

ROSTER = "id,name,email,login\n1,Jürgen Müller,jm@x.edu,jm1\n2,Ann Lee,al@x.edu,al2\n3,Dee Doe,dd@x.edu,dd3\n"
COURSE = """\
version: 1
title: Deep Learning
timezone: Europe/Berlin
roster: roster.csv
assignments:
  hw1: {rubric: mnist-cnn, due: 2026-11-08 18:00}
"""


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    written(tmp_path, {"course.yaml": COURSE, "roster.csv": ROSTER})
    written(tmp_path / "submissions" / "hw1", LAYOUTS["Blackboard"].files)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")  # pytest-xdist sets the width of its own terminal
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["submissions", *map(str, words)])
    output = capsys.readouterr()
    assert caught.value.code == 0, output.err
    return output.out


def rows(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, Any]:
    document = json.loads(run(capsys, *words, "--json"))
    assert document["version"] == 1
    document["submissions"] = {one["student"]: one for one in document["submissions"]}
    return dict(document)


def test_in_a_course_folder_the_assignment_and_its_roster_are_used(
    course: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = rows(capsys)
    mueller = found["submissions"]["Jürgen Müller"]
    assert mueller == {
        "id": "Jurgen-Muller-jm1",
        "student": "Jürgen Müller",
        "roster": [{"id": "1", "name": "Jürgen Müller", "email": "jm@x.edu"}],
        "platform": "blackboard",
        "attempt": "2026-11-08-18-03-00",
        "other_attempts": ["2026-11-01-10-00-00"],
        "submitted": "2026-11-08T17:03:00.000000Z",
        "submitted_from": "name",
        "late": True,
        "notebook": "hw 1.ipynb",
        "files": ["hw 1.ipynb", "my helper.py", "submission.txt"],
        "kept": ["earlier/2026-11-01-10-00-00/hw 1.ipynb"],
        "parts": [
            f"{course}/submissions/hw1/{name}" for name in sorted(LAYOUTS["Blackboard"].files) if "hw1_jm1" in name[:8]
        ],
        "notes": mueller["notes"],
        "problem": None,
    }
    assert mueller["notes"][0].startswith("the attempt of 2026-11-08-18-03-00 counts; 1 other attempt does not")
    assert [one["id"] for one in found["missing"]] == ["3"]
    assert found["skipped"] == []
    text = run(capsys)
    assert "2026-11-08 18:03 late" in text
    assert "no submission: 1: Dee Doe" in text
    assert text.splitlines()[-1] == "skipped: nothing"


def test_every_skipped_path_has_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = written(tmp_path / "class", {"s1/hw.ipynb": "x", "s1/.env": "", "s2/[red]x.pdf": "", "notes.txt": ""})
    lines = run(capsys, root).splitlines()
    assert lines[-3:] == [
        "skipped: 2",
        f"  {root}/notes.txt – it belongs to no submission",
        f"  {root}/s1/.env – a hidden or temporary file, or one of the system",
    ]
    assert any(line.startswith("cannot be executed: s2: no notebook was submitted, only [red]x.pdf") for line in lines)


def test_a_roster_may_be_given_without_a_course(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = written(tmp_path / "class", {"jm1/hw.ipynb": "x", "Jürgen Müller.ipynb": "y", "zed/hw.ipynb": "x"})
    roster = written(tmp_path, {"roster.csv": ROSTER}) / "roster.csv"
    found = rows(capsys, root, "--roster", roster)
    assert {name: [one["id"] for one in row["roster"]] for name, row in found["submissions"].items()} == {
        "Jürgen Müller": ["1"],
        "jm1": ["1"],
        "zed": [],
    }
    assert [one["name"] for one in found["missing"]] == ["Ann Lee", "Dee Doe"]
    assert "2 submissions match Jürgen Müller: Jurgen-Muller, jm1" in found["notices"]
    assert "missing" not in rows(capsys, root)


def test_a_notebook_that_is_named_has_the_files_next_to_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = written(tmp_path / "ann", {"hw.ipynb": "x", "helper.py": "", "data/x.csv": ""})
    (one,) = rows(capsys, root / "hw.ipynb")["submissions"].values()
    assert (one["notebook"], one["files"]) == ("hw.ipynb", ["data/x.csv", "helper.py", "hw.ipynb"])


@pytest.mark.parametrize("words", [[], ["nowhere"]])
def test_without_submissions_the_error_names_what_is_missing(
    tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(["submissions", *words])
    assert caught.value.code == 2
    assert ("nowhere" if words else "PATH...") in capsys.readouterr().err


def test_the_time_of_a_commit_is_shown_as_a_claim(
    course: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grader.intake.repositories.last_commit", lambda *_: datetime(2026, 11, 8, 12, tzinfo=UTC))
    work = {f"clones/hw1-{name}/{path}": "" for name in ("ann", "bob") for path in ("a.ipynb", ".git/HEAD")}
    written(course, work)
    output = run(capsys, "clones")
    assert "2026-11-08 12:00 (commit)" in output
    assert "as its author's computer wrote it" in output

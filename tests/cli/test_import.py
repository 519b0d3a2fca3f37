"""`grader import nbgrader`: the report for people and for scripts."""

import json
from pathlib import Path

import pytest

from tests.support.command import exit_code_of
from tests.support.nbgrader_course import a_nbgrader_course


def test_the_report_names_what_was_taken_over_and_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = a_nbgrader_course(tmp_path / "nb")
    monkeypatch.chdir(tmp_path)
    assert exit_code_of("import", "nbgrader", str(folder)) == 0
    out = capsys.readouterr().out
    assert f"course folder: {tmp_path / 'dl-2026-course'}" in out
    assert "hw-1" in out
    assert "for a person (" in out
    assert exit_code_of("rubric", "validate", "dl-2026-course/rubrics/hw-1.yaml") == 0


def test_the_report_for_scripts_has_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = a_nbgrader_course(tmp_path / "nb"), tmp_path / "course"
    assert exit_code_of("import", "nbgrader", str(folder), "--out", str(out), "--no-submissions", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    (assignment,) = report["assignments"]
    assert assignment["checks"] == {"accurate": "accuracy"}
    assert (assignment["points"], assignment["submissions"], report["students"]) == (9.0, 0, 2)
    assert report["todo"]


def test_an_existing_course_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = a_nbgrader_course(tmp_path / "nb")
    assert exit_code_of("import", "nbgrader", str(folder), "--out", str(tmp_path / "course")) == 0
    assert exit_code_of("import", "nbgrader", str(folder), "--out", str(tmp_path / "course")) == 2
    assert "nothing was written" in capsys.readouterr().err

"""The formats of `grader check`, and its exit code."""

import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import nbformat
import pytest

from grader.cli.check_formats import exit_limit, output_of
from grader.cli.options import Format
from grader.facts.language import language
from grader.facts.quick import NOT_JUDGED
from grader.report.summary import summary_line
from grader.schema.base import Pointer
from grader.schema.errors import SandboxError
from grader.schema.grade import CriterionGrade, Grade
from grader.store.results import ResultsFolder
from tests.support.command import grader
from tests.support.mailing import a_criterion, a_grade

ENGLISH = language("en")
EVIL = "x\n::stop-commands::x\n::error::evil\n##[add-mask]y"


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    cells = [nbformat.v4.new_code_cell("a = 1"), nbformat.v4.new_code_cell("b = 1\nc = 2")]
    path = tmp_path / "work" / "own notebook.ipynb"
    path.parent.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


@pytest.fixture(autouse=True)
def _workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


def printed(format_: Format, grade: Grade, notebook: Path, out: ResultsFolder) -> None:
    with output_of(format_, notebook) as output:
        sys.stderr.write(f"on stderr: {EVIL}\n")
        output.write(grade, out, ENGLISH)


@pytest.fixture
def out(tmp_path: Path) -> ResultsFolder:
    return ResultsFolder(tmp_path / "results")


def test_json_and_junit_are_alone_on_the_standard_output(
    notebook: Path, out: ResultsFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    printed(Format.JSON, a_grade(), notebook, out)
    assert json.loads(capsys.readouterr().out)["score"] == 24
    printed(Format.JUNIT, a_grade(), notebook, out)
    root = ET.fromstring(capsys.readouterr().out)  # noqa: S314 - own output
    assert root.attrib["failures"] == "3"
    assert root.find("testsuite").attrib["timestamp"].endswith("+00:00")  # type: ignore[union-attr]


def test_annotations_name_the_line_of_the_file_in_the_workspace(
    notebook: Path, out: ResultsFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    line = a_criterion("shape", 0, 4, evidence=(Pointer(cell=1),))
    printed(Format.GITHUB, a_grade(criteria=(line,), execution=None), notebook, out)
    (command,) = re.findall("^::error .*", capsys.readouterr().out, re.MULTILINE)
    number = int(re.findall(r"line=(\d+)", command)[0])
    assert command.startswith("::error file=work/own notebook.ipynb,line=")
    assert "b = 1" in notebook.read_text(encoding="utf-8").splitlines()[number - 1]


def test_no_words_of_a_notebook_are_commands(
    notebook: Path, out: ResultsFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """The runner ignores everything between the two lines with a token, and the streams are one."""
    line = a_criterion("shape", 0, 4, message=EVIL, title=EVIL, advice=EVIL)
    printed(Format.GITHUB, a_grade(criteria=(line,), reason=EVIL), notebook, out)
    captured = capsys.readouterr()
    assert captured.err == ""
    first, *rest = captured.out.splitlines()
    token = first.removeprefix("::stop-commands::")
    assert re.fullmatch("[0-9a-f]{32}", token)
    end = rest.index(f"::{token}::")
    assert "on stderr: x" in rest[:end]
    assert all(re.match(r"::(error|warning|notice) file=", line) for line in rest[end + 1 :])


def test_the_job_summary_is_appended(
    notebook: Path, out: ResultsFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    printed(Format.GITHUB, a_grade(), notebook, out)
    assert summary.read_text(encoding="utf-8").startswith("before\n## A sample")


def test_a_failure_is_an_annotation_and_commands_stay_off(notebook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SandboxError), output_of(Format.GITHUB, notebook):
        raise SandboxError(EVIL)
    lines = capsys.readouterr().out.splitlines()
    token = lines[0].removeprefix("::stop-commands::")
    assert lines[1] == f"::{token}::"
    assert lines[2].startswith("::error title=grader::x%0A::stop-commands")
    assert lines[3:] == [f"::stop-commands::{token}"]


def waiting(name: str, points: float, *, unjudged: bool) -> CriterionGrade:
    keys = {"says": NOT_JUDGED} if unjudged else {}
    return a_criterion(name, 0, points, status="pending", **keys)


def quick(*lines: CriterionGrade) -> Grade:
    return a_grade(criteria=lines, quick=True, score=4.0, max_score=44.0)


def test_points_that_wait_do_not_fail_a_check() -> None:
    grade = quick(a_criterion("a", 4, 4), waiting("b", 30, unjudged=True), waiting("c", 10, unjudged=False))
    assert exit_limit(grade, None) == 4
    assert summary_line(grade) == "quick run: 4 of 4 · 1 passed, 1 waits for a person, 1 not judged in a quick run"


def test_a_limit_fails_a_quick_run_only_if_a_full_run_cannot_reach_it() -> None:
    grade = quick(a_criterion("a", 4, 4), waiting("b", 30, unjudged=True), waiting("c", 10, unjudged=False))
    assert exit_limit(grade, 34.0) == 4
    assert exit_limit(grade, 40.0) == 10


def test_where_no_sandbox_works_an_author_is_told_what_is_right(rubric: Path, notebook: Path) -> None:
    done = grader("check", notebook, "--rubric", rubric, "--quick", env={"PATH": ""})
    assert done.code == 2
    assert "your own notebook: `--isolation none` is right here" in " ".join(done.err.split())

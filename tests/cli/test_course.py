"""`grader grade` in a course folder: what is left out comes from `course.yaml`, options override it."""

from pathlib import Path
from typing import Any

import pytest
import typer

from grader.cli import course as cli_course
from grader.cli import grade
from grader.cli.app import app
from grader.cli.course import Work
from grader.schema.errors import UsageError
from tests.support.command import NOTEBOOKS, exit_code_of

COURSE = """\
version: 1
title: Deep Learning
assignments:
  first: {rubric: mnist-cnn}
  second: {rubric: parameter-golf}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "course.yaml").write_text(COURSE)
    for name in ("first", "second"):
        (tmp_path / "submissions" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def work(*words: str | Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    """Return the completed arguments; nothing is executed."""
    found: list[Work] = []

    def stop(*given: Any) -> Work:
        found.append(cli_course.work_of(*given))
        raise typer.Exit

    with monkeypatch.context() as patch:
        patch.setattr(grade, "work_of", stop)
        app(["grade", *map(str, words)], standalone_mode=False)
    return found[0]


def test_the_place_of_the_submissions_decides(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = work("submissions/second", monkeypatch=monkeypatch)
    assert one.assignment is not None
    assert (one.assignment.id, one.rubric, one.out) == ("second", None, root / "results" / "second")
    assert one.load().rubric.id == "parameter-golf"


def test_the_current_folder_or_the_option_decides_about_other_paths(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("downloads")
    with pytest.raises(UsageError, match="the course has several assignments: first, second"):
        work(other, monkeypatch=monkeypatch)
    named = work(other, "--assignment", "second", monkeypatch=monkeypatch)
    assert named.paths == (other,)
    assert named.out == root / "results" / "second"
    monkeypatch.chdir(root / "submissions" / "first")
    here = work(monkeypatch=monkeypatch)
    assert here.paths == (root / "submissions" / "first",)
    assert here.out == root / "results" / "first"


def test_the_only_assignment_needs_no_name(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "course.yaml").write_text(COURSE.rpartition("  second")[0])
    assert work(monkeypatch=monkeypatch).out == root / "results" / "first"


def test_options_override_the_course(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = work("submissions/first", "--rubric", "cifar-deep", "--out", "elsewhere", monkeypatch=monkeypatch)
    assert (one.rubric, one.out) == ("cifar-deep", Path("elsewhere"))
    assert one.assignment is not None
    assert one.load().rubric.id == "cifar-deep"
    other = work(NOTEBOOKS, "--rubric", "cifar-deep", "--out", "elsewhere", monkeypatch=monkeypatch)
    assert other.assignment is None
    assert root.is_dir()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("submissions/first", "submissions/second"), "the paths belong to several assignments: first, second"),
        (("--assignment", "frist"), "did you mean 'first'"),
    ],
)
def test_an_unclear_assignment_is_an_error(
    root: Path, words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert root.is_dir()
    with pytest.raises(UsageError, match=said):
        work(*words, monkeypatch=monkeypatch)


def test_outside_of_a_course_the_arguments_are_required(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words, said in (
        (("grade",), "Missing argument 'PATH...'"),
        (("grade", "x", "--out", "y"), "Missing option '--rubric'"),
        (("grade", "x", "--rubric", "mnist-cnn"), "Missing option '--out'"),
        (("grade", "x", "--assignment", "first"), "there is no course folder here"),
    ):
        assert exit_code_of(*words) == 2
        assert said in capsys.readouterr().err

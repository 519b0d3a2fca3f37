"""`grader release`: what is released where, and what the check says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from grader.authoring.release_check import compare_release
from grader.pipeline import release as pipeline
from grader.schema.base import Pointer
from grader.schema.grade import CriterionGrade, Grade, SubmissionStamp
from grader.schema.release import ReleaseCheck
from tests.support.command import exit_code_of, grader, needs_bubblewrap
from tests.support.factories import a_stamp

COURSE = """\
version: 1
title: Deep Learning
assignments:
  golf: {rubric: parameter-golf}
  digits: {rubric: digits.yaml}
"""
DIGITS = """\
version: 1
id: digits
title: Digits
reference: digits-solution.ipynb
run: {time: 60 s, memory: 1 GiB}
criteria:
  - {id: runs, title: It runs, points: 8, check: runs}
  - {id: explained, title: Explained, points: 2, check: text, with: {min_words: 5}}
  - {id: judged, title: Judged, points: 3, manual: {guide: It is right.}}
"""
ANSWER = "<!-- BEGIN SOLUTION -->\nA four with a closed top looks like a nine.\n<!-- END SOLUTION -->"


def write(path: Path, question: str) -> Path:
    cells = [
        new_code_cell("### BEGIN SOLUTION\nx = 1\n### END SOLUTION\nx"),
        new_markdown_cell(f"{question}\n{ANSWER}"),
    ]
    path.write_text(nbformat.writes(new_notebook(cells=cells)), encoding="utf-8")
    return path


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "course.yaml").write_text(COURSE)
    (tmp_path / "digits.yaml").write_text(DIGITS)
    write(tmp_path / "digits-solution.ipynb", "Why?")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ["digits"],
        ["digits-solution.ipynb"],
        ["./digits-solution.ipynb", "--rubric", "digits.yaml"],
        ["--rubric", "digits.yaml", "--language=de"],
    ],
)
def test_an_assignment_or_its_notebook_goes_to_the_course_folder(
    root: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    place = [] if len(words) == 1 else ["--out", "release/digits"]
    assert exit_code_of("release", *words, *place, "--no-check") == 0
    assert sorted(path.name for path in (root / "release" / "digits").iterdir() if path.suffix == ".ipynb") == [
        "digits.ipynb"
    ]
    out = capsys.readouterr().out
    assert "students do not get: 2 solutions" in out
    assert "not checked: " in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["digitz"], "there is no assignment 'digitz'; did you mean 'digits'?"),
        ([], "the course has several assignments: golf, digits"),
        (["digits-solutoin.ipynb", "--rubric", "digits.yaml", "--out", "x"], "did you mean 'digits-solution.ipynb'?"),
        (["digits", "--out", "."], "the instructor's own file"),
    ],
)
def test_a_wrong_command_is_a_usage_error(
    root: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of("release", *words, "--no-check") == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (root / "release").exists()


def test_outside_of_a_course_the_rubric_and_the_folder_are_required(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words, missing in (
        (["x.ipynb"], "--rubric"),
        (["x.ipynb", "--rubric", "mnist-cnn"], "--out"),
        ([], "NOTEBOOK"),
    ):
        assert exit_code_of("release", *words) == 2
        assert missing in capsys.readouterr().err
    assert exit_code_of("release", "digits") == 2
    assert "no course folder here" in capsys.readouterr().err


def criterion(name: str, points: float, most: float, status: str, cell: int | None = None) -> CriterionGrade:
    return CriterionGrade.model_validate(
        {"id": name, "title": name, "points": points, "max_points": most, "status": status, "message": f"about {name}"}
        | {"evidence": [Pointer(cell=cell)]}
    )


def graded(*criteria: CriterionGrade) -> Grade:
    stamp = SubmissionStamp(id="x", student="x", files=("x.ipynb",), sha256="0" * 64)
    return Grade(
        submission=stamp, rubric=a_stamp(), status="graded", score=0, max_score=13, pending=3, criteria=criteria
    )


FULL = graded(criterion("a", 8, 8, "passed"), criterion("b", 2, 2, "passed"), criterion("m", 0, 3, "pending"))
RELEASED = graded(criterion("a", 0, 8, "failed"), criterion("b", 2, 2, "passed", 4), criterion("m", 0, 3, "pending"))


def test_points_of_both_notebooks_are_compared_by_criterion() -> None:
    check = compare_release(RELEASED, FULL, {"released": True, "reference": False})
    assert (check.most, check.gained, check.earned, check.percent) == (10, 2, 10, 20)
    assert [row.id for row in check.rows if row.gains] == ["b"]
    assert [row.id for row in check.waiting] == ["m"]
    assert not any(row.misses for row in check.rows)
    assert [row.id for row in compare_release(RELEASED, RELEASED, {}).rows if row.misses] == ["a"]


@pytest.fixture
def checked(root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[ReleaseCheck], None]:
    """Replace the executions by a result."""
    assert root.is_dir()
    return lambda result: monkeypatch.setattr(pipeline, "check_release", lambda *_: result)


@pytest.mark.parametrize(
    ("released", "reference", "options", "code"),
    [
        (RELEASED, FULL, [], 1),
        (RELEASED, FULL, ["--fail-over", "20"], 0),
        (RELEASED, RELEASED, ["--fail-over", "100"], 1),
        (graded(*RELEASED.criteria[::2]), graded(*FULL.criteria[::2]), ["--fail-over", "0"], 0),
    ],
)
def test_the_exit_code_tells_points_of_students_and_missed_points_of_the_reference(
    checked: Callable[[ReleaseCheck], None], released: Grade, reference: Grade, options: list[str], code: int
) -> None:
    checked(compare_release(released, reference, {"released": True, "reference": True}))
    assert exit_code_of("release", "digits", *options) == code


def test_the_check_names_criteria_and_cells(
    checked: Callable[[ReleaseCheck], None], capsys: pytest.CaptureFixture[str]
) -> None:
    checked(compare_release(RELEASED, FULL, {"released": True, "reference": False}))
    assert exit_code_of("release", "digits") == 1
    out = capsys.readouterr().out
    assert "b: 2 of 2, cell 5 – about b" in out
    assert "for a person to judge: m (3 points)" in out
    assert "stored evidence is current" in out
    assert "students' version: 2 of 10 points, 20 % (more than 10 % allowed)" in " ".join(out.split())
    assert exit_code_of("release", "digits", "--force", "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["check"]["percent"] == 20
    assert document["notebook"] == "digits.ipynb"


def test_a_criterion_that_could_not_be_judged_is_named(
    checked: Callable[[ReleaseCheck], None], capsys: pytest.CaptureFixture[str]
) -> None:
    unclear = graded(criterion("a", 0, 8, "pending"), *FULL.criteria[1:])
    checked(compare_release(unclear, FULL, {"released": True, "reference": True}))
    assert exit_code_of("release", "digits", "--fail-over", "50") == 0
    assert "not known for the students' version: a – about a" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.early
@pytest.mark.bubblewrap
def test_a_release_is_graded_for_real(root: Path) -> None:
    needs_bubblewrap()
    done = grader("release", "digits", "--json", timeout=300)
    assert done.code == 0, done.err
    result: dict[str, Any] = json.loads(done.out)["check"]
    assert (result["released"], result["reference"], result["most"]) == (0, 10, 10)
    write(root / "digits-solution.ipynb", "Which two digits does the model confuse, and why?")
    leaking = grader("release", "digits", "--force", timeout=300)
    assert leaking.code == 1, leaking.err
    assert "explained: 2 of 2, cell 2" in leaking.out
    assert "unless the rubric's `template` names a copy of it" in leaking.out

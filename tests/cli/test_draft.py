"""`grader rubric draft`, as a user calls it."""

import shutil
from pathlib import Path

import pytest

from grader.pipeline.rubrics import find_rubric
from grader.resources import share
from tests.support.command import NOTEBOOKS, grader, needs_bubblewrap


@pytest.fixture
def solution(tmp_path: Path) -> Path:
    for name in ("parameter-golf.ipynb", "parameter-golf.evidence.json"):
        shutil.copy(share("reference") / name, tmp_path)
    return tmp_path / "parameter-golf.ipynb"


def test_a_draft_is_written_tested_and_never_replaced(solution: Path, tmp_path: Path) -> None:
    rubric = tmp_path / "golf.yaml"
    done = grader("rubric", "draft", solution, "--from", tmp_path, "--out", rubric, "--points", "50")
    assert done.code == 0, done.err
    assert f"written: {rubric}, " in done.out
    assert "The solution gets 44 of 44 points; 6 points wait for a person." in done.out
    assert "another right solution may miss them: optimizer, learning-rate, accuracy-curve, " in done.out
    assert "Only a comment: loss-curve." in done.out
    assert "guessing" in done.out
    assert "reference: parameter-golf.ipynb" in rubric.read_text(encoding="utf-8")
    assert find_rubric(str(rubric)).rubric.max_score == 50
    before = rubric.read_bytes()
    again = grader("rubric", "draft", solution, "--from", tmp_path, "--out", rubric)
    assert (again.code, "a draft never replaces a rubric" in again.err) == (2, True)
    assert rubric.read_bytes() == before


def test_without_a_file_only_the_rubric_is_printed(solution: Path, tmp_path: Path) -> None:
    done = grader("rubric", "draft", solution, "--from", tmp_path)
    assert done.code == 0, done.err
    assert done.out.startswith("# A draft from the evidence of one solution.")
    assert "The solution gets" in done.err
    assert {path.name for path in tmp_path.iterdir()} == {solution.name, "parameter-golf.evidence.json"}


def test_a_wrong_name_gets_the_nearest_one(solution: Path) -> None:
    done = grader("rubric", "draft", solution.with_name("parameter-gold.ipynb"))
    assert (done.code, "did you mean" in done.err) == (2, True)


@pytest.mark.slow
@pytest.mark.early
def test_a_solution_is_executed_and_one_that_does_not_run_is_no_solution(tmp_path: Path) -> None:
    needs_bubblewrap()
    for name, code in (("plain", 0), ("raises", 1)):
        notebook = Path(shutil.copy(NOTEBOOKS / f"{name}.ipynb", tmp_path))
        done = grader("rubric", "draft", notebook, "--out", tmp_path / f"{name}.yaml")
        assert done.code == code, done.err
        text = (tmp_path / f"{name}.yaml").read_text(encoding="utf-8")
        assert ("\n  - id: runs\n" in text) is (code == 0)
        assert ("# - id: runs\n" in text) is (code == 1)
        assert ("is no solution" in done.err) is (code == 1)
        assert "names no data set" in done.err

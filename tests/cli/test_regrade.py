"""`grader regrade` and `grader report`."""

import json
from pathlib import Path

import pytest

from tests.support.command import (
    NOTEBOOKS,
    RUBRIC,
    grade_of,
    grader,
    needs_bubblewrap,
)

sandboxed = pytest.mark.bubblewrap


def _contents(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file() and ".sqlite" not in p.name}


@sandboxed
def test_a_regrade_changes_nothing_or_says_who_changed_and_why(rubric: Path, out: Path) -> None:
    needs_bubblewrap()
    notebooks = [NOTEBOOKS / f"{name}.ipynb" for name in ("plain", "no-kernel-metadata", "not-json")]
    assert grader("grade", *notebooks, "--rubric", rubric, "--out", out).code == 0
    before = _contents(out)
    done = grader("regrade", out)
    assert (done.code, done.out) == (0, "graded again: 3, changed: 0\n")
    assert _contents(out) == before

    rubric.write_text(RUBRIC.replace("min_words: 3", "min_words: 300"), encoding="utf-8")
    done = grader("regrade", out, "--json", env={"PATH": "/nowhere"})
    assert done.code == 0, done.err
    changes = {change["submission"]: change for change in json.loads(done.out)["changed"]}
    # The other one has no explanation either way: its points stay, and its message says the new number of words.
    assert {name: (c["old"], c["new"]) for name, c in changes.items()} == {
        "plain": (3, 2),
        "no-kernel-metadata": (2, 2),
    }
    change = changes["plain"]
    assert (change["submission"], change["old"], change["new"]) == ("plain", 3, 2)
    assert change["criteria"] == ["explained"]
    assert change["why"][0].startswith("explained: 1 of 1 → 0 of 1, failed: ")
    assert grade_of(out, "plain")["score"] == 2
    assert grade_of(out, "not-json")["rubric"]["sha256"] == grade_of(out, "plain")["rubric"]["sha256"]

    rubric.write_text(RUBRIC.replace("points: 2", "points: 20"), encoding="utf-8")
    assert "graded again: 3, changed: 3" in grader("regrade", out, "--rubric", rubric).out
    assert (grade_of(out, "not-json")["score"], grade_of(out, "not-json")["max_score"]) == (0, 21)
    page = out / "plain" / "report.html"
    written = page.read_bytes()
    page.unlink()
    (out / "index.html").unlink()
    assert grader("report", out).code == 0
    assert page.read_bytes() == written
    assert (out / "index.html").is_file()


@sandboxed
def test_a_regrade_says_what_it_cannot_bring_into_effect_and_what_does(rubric: Path, out: Path) -> None:
    needs_bubblewrap()
    command = ("--rubric", rubric, "--out", out)
    assert grader("grade", NOTEBOOKS / "plain.ipynb", *command).code == 0
    rubric.write_text(RUBRIC.replace("time: 60 s", "time: 50 s, seed: 4, attempts: 2"), encoding="utf-8")
    done = grader("regrade", out)
    assert (done.code, done.out) == (0, "graded again: 1, changed: 0\n")
    said, advice = done.err.splitlines()
    assert said.startswith(
        "not in effect: run.attempts, run.seed, run.time changed after 1 of 1 submissions was executed"
    )
    assert advice == f"grader grade PATH... --rubric {rubric} --out {out}"
    told = json.loads(grader("regrade", out, "--json").out)
    assert told["not_in_effect"] == ["run.attempts", "run.seed", "run.time"]
    assert grader("grade", NOTEBOOKS / "plain.ipynb", *command).code == 0
    done = grader("regrade", out)
    assert (done.out, done.err) == ("graded again: 1, changed: 0\n", "")


def test_a_folder_without_results_cannot_be_regraded(tmp_path: Path) -> None:
    done = grader("regrade", tmp_path)
    assert done.code == 2
    assert "the folder has no results" in done.err
    assert grader("report", tmp_path).code == 2
    assert grader("regrade", tmp_path / "gone").code == 2

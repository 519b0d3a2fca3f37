"""`grader regrade` and `grader report`."""

import json
from pathlib import Path

import pytest

from grader.resources import share
from tests.support.command import (
    NOTEBOOKS,
    RUBRIC,
    grade_of,
    grader,
    needs_bubblewrap,
)
from tests.support.kept_results import keep_results

sandboxed = pytest.mark.bubblewrap


def _contents(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file() and ".sqlite" not in p.name}


@sandboxed
def test_a_regrade_changes_nothing_or_says_who_changed_and_why(rubric: Path, out: Path) -> None:
    needs_bubblewrap()
    notebooks = [NOTEBOOKS / f"{name}.ipynb" for name in ("plain", "no-kernel-metadata", "not-json")]
    assert grader("grade", *notebooks, "--rubric", rubric, "--out", out, "--no-warm").code == 0
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
@pytest.mark.slow
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


def _everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in (folder, *folder.rglob("*"))
    }


def test_a_dry_run_shows_what_would_change_and_writes_nothing(tmp_path: Path) -> None:
    out = keep_results(tmp_path / "results", "keras-mnist-cnn", "ada", "bo")
    changed = tmp_path / "changed.yaml"
    text = (share("rubrics") / "keras-mnist-cnn.yaml").read_text(encoding="utf-8")
    changed.write_text(text.replace("points: 5\n", "points: 8\n", 1), encoding="utf-8")
    before = _everything(out.root)
    shown = grader("regrade", out.root, "--rubric", changed, "--dry-run")
    assert shown.code == 0, shown.err
    assert "runs: 5 of 5 → 8 of 8" in shown.out
    assert "would be graded again: 2, would change: 2; nothing was written" in shown.out
    told = json.loads(grader("regrade", out.root, "--rubric", changed, "--dry-run", "--json").out)
    assert _everything(out.root) == before
    done = json.loads(grader("regrade", out.root, "--rubric", changed, "--json").out)
    assert {key: told[key] for key in done} == done
    assert told["dry_run"] is True
    assert {one["submission"]: one["new"] for one in told["scores"]} == {
        name: grade_of(out.root, name)["score"] for name in ("ada", "bo")
    }
    assert sum(told["distribution"]["before"]) == sum(told["distribution"]["after"]) == 2


def test_a_dry_run_is_refused_while_another_grader_works_and_has_the_codes_of_a_regrade(tmp_path: Path) -> None:
    out = keep_results(tmp_path / "results", "keras-mnist-cnn", "ada", "bo")
    with out.at_work():
        refused = grader("regrade", out.root, "--dry-run")
    assert refused.code == 2
    assert "another grader is using this folder" in refused.err
    out.evidence_path("bo").write_text("{", encoding="utf-8")
    before = _everything(out.root)
    assert grader("regrade", out.root, "--dry-run").code == 3
    judgements = grader("regrade", out.root, "--dry-run", "--judgements", out.root / "inside.jsonl")
    assert judgements.code == 2
    assert _everything(out.root) == before

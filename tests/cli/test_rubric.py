"""`grader rubric`."""

import json
import shutil
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


@sandboxed
def test_a_reference_is_kept_by_a_command_and_refused_when_it_changed(rubric: Path, out: Path) -> None:
    needs_bubblewrap()
    rubric.write_text(RUBRIC + "reference: solution.ipynb\n", encoding="utf-8")
    solution = rubric.with_name("solution.ipynb")
    shutil.copy(NOTEBOOKS / "no-kernel-metadata.ipynb", solution)
    done = grader("rubric", "test", rubric, "--update")
    assert done.code == 1
    assert "not stored: the reference does not get full marks" in done.err
    shutil.copy(NOTEBOOKS / "plain.ipynb", solution)
    done = grader("rubric", "test", rubric, "--update")
    assert done.code == 0, done.err
    words = ("grade", NOTEBOOKS / "plain.ipynb", "--rubric", rubric, "--out", out)
    assert grader(*words).code == 0
    assert grade_of(out, "plain")["reference"] is not None
    solution.write_text(solution.read_text(encoding="utf-8").replace("[1, 2, 3]", "[1, 2]"), encoding="utf-8")
    done = grader(*words)
    assert done.code == 3
    assert "changed after its evidence was stored" in done.err


def test_a_public_rubric_is_written_and_never_over_the_rubric(rubric: Path, tmp_path: Path) -> None:
    judged = "  - {id: judged, points: 4, manual: {guide: Look for arrows.}}\n"
    rubric.write_text(f"{RUBRIC}{judged}files: [notes.txt]\n", encoding="utf-8")
    rubric.with_name("notes.txt").write_text("For all.", encoding="utf-8")
    done = grader("rubric", "publish", rubric)
    assert done.code == 0
    assert "arrows" not in done.out
    assert "also publish, at the same place relative to the rubric: notes.txt" in done.err
    public = tmp_path / "public.yaml"
    written = grader("rubric", "publish", rubric, "--out", public)
    assert (written.code, written.out) == (0, f"written: {public}\n")
    assert public.read_text(encoding="utf-8") == done.out
    assert grader("rubric", "validate", public).code == 0
    own = rubric.with_name(f"{rubric.stem}.de.yaml")
    own.write_text("version: 1\ncriteria: {judged: {guide: Nach Pfeilen suchen.}}\n", encoding="utf-8")
    translated = tmp_path / "public.de.yaml"
    written = grader("rubric", "publish", rubric, "--out", public)
    assert written.out == f"written: {public}\nwritten: {translated}\n"
    assert "Pfeile" not in translated.read_text(encoding="utf-8")
    assert grader("rubric", "validate", public).code == 0
    assert "the texts in the language de" in grader("rubric", "publish", rubric).err
    before = rubric.read_bytes()
    refused = grader("rubric", "publish", rubric, "--out", rubric)
    assert refused.code == 2
    assert "would replace the rubric itself" in refused.err
    assert rubric.read_bytes() == before


def test_rubrics_are_listed_shown_validated_and_described(rubric: Path) -> None:
    listed = json.loads(grader("rubric", "list", "--json").out)
    assert "mnist-cnn" in {one["id"] for one in listed}
    assert all(Path(one["file"]).is_file() for one in listed)
    assert "mnist-cnn" in grader("rubric", "list").out
    assert json.loads(grader("rubric", "show", rubric, "--json").out)["id"] == "tiny"
    assert "explained" in grader("rubric", "show", rubric).out
    assert json.loads(grader("rubric", "schema").out)["type"] == "object"
    done = grader("rubric", "validate", rubric, "mnist-cnn")
    assert (done.code, done.out.count(": valid, ")) == (0, 2)
    done = grader("rubric", "test", rubric)
    assert (done.code, "the rubric has no reference" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("imdb", "holds texts, but the grader judges only classifiers of images"),
        ("boston-housing", "holds numbers for a regression"),
        ("fashion-mnist", "did you mean 'fashion_mnist'?"),
        ("pets", "`grader data import NAME FILE`"),
    ],
)
def test_a_data_set_that_no_check_can_use_is_refused_with_its_line(rubric: Path, name: str, reason: str) -> None:
    line = next(at for at, text in enumerate(RUBRIC.splitlines(), start=1) if text.startswith("dataset:"))
    rubric.write_text(RUBRIC.replace("dataset: digits", f"dataset: {name}"), encoding="utf-8")
    done = grader("rubric", "validate", rubric)
    assert done.code == 2
    assert f"{rubric}:{line}:10" in done.err.replace("\n", "")
    assert reason in done.err.replace("\n", " ")


def test_a_reference_that_is_not_written_yet_is_a_notice(rubric: Path) -> None:
    rubric.write_text(RUBRIC + "reference: solution.ipynb\n", encoding="utf-8")
    done = grader("rubric", "validate", rubric)
    assert (done.code, ": valid, " in done.out) == (0, True)
    assert "notice: the reference 'solution.ipynb' is neither next to the rubric" in done.err


def test_the_sensitivity_of_a_rubric_is_shown_without_an_execution() -> None:
    done = grader("rubric", "test", "parameter-golf", "--sensitivity")
    assert done.code == 0, done.err
    rows = {line.split()[0]: line.split()[1:] for line in done.out.splitlines() if line.strip()}
    assert rows["mistake"] == ["a", "b", "c", "d", "e", "costs"]
    assert rows["guessing"] == ["·", "·", "·", "x", "x", "70"]
    assert "No criterion reacts to:" in done.out
    result = json.loads(grader("rubric", "test", "parameter-golf", "--sensitivity", "--json").out)
    assert {one["id"]: one["state"] for one in result["criteria"]}["golf"] == "reacts"


def test_a_rubric_that_cannot_fail_is_no_success(tmp_path: Path) -> None:
    share = Path(__file__).parents[2]
    for file in (
        "rubrics/parameter-golf.yaml",
        "reference/parameter-golf.ipynb",
        "reference/parameter-golf.evidence.json",
    ):
        shutil.copy(share / file, tmp_path)
    rubric = tmp_path / "parameter-golf.yaml"
    loose = "  - {id: loose, points: 5, check: has_layer, with: {model: entry, layer: Dense, at_least: 0}}\n"
    rubric.write_text(rubric.read_text(encoding="utf-8") + loose, encoding="utf-8")
    done = grader("rubric", "test", rubric, "--sensitivity")
    assert done.code == 1
    assert "loose reacts to nothing: it cannot fail" in done.out


def test_the_options_of_a_sensitivity_test_do_not_mix_with_an_execution(rubric: Path) -> None:
    assert grader("rubric", "test", rubric, "--sensitivity", "--update").code == 2
    assert grader("rubric", "test", rubric, "--json").code == 2
    done = grader("rubric", "test", rubric, "--sensitivity")
    assert (done.code, "the rubric has no reference" in done.err) == (2, True)

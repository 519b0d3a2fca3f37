"""`grader similar`."""

import csv
import json
from pathlib import Path

import pytest

from grader.store.results import ResultsFolder
from tests.support.command import grader
from tests.support.copied_class import keep_copies


@pytest.fixture
def results(tmp_path: Path) -> Path:
    keep_copies(ResultsFolder(tmp_path / "results"))
    return tmp_path / "results"


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_table_has_hints_with_reasons_and_nothing_is_written(results: Path) -> None:
    before = _contents(results.parent)
    done = grader("similar", results)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    (hint,) = [line for line in lines if line.strip().startswith("strong")]
    assert "Amara (amara)" in hint
    assert "Anton (anton)" in hint
    assert "own code is also in the other" in done.out
    assert "8 submissions compared" in lines
    assert lines[-1].startswith("These are hints with reasons, not verdicts")
    assert "the rubric's notebooks are not left out" in done.err
    assert _contents(results.parent) == before


def test_json_and_csv_have_the_same_pairs(results: Path, tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    done = grader("similar", results, "--json", "--csv", table, "--most", "1")
    similarity = json.loads(done.out)
    assert (similarity["version"], similarity["submissions"], similarity["left_out"]) == (1, 8, 1)
    (pair,) = similarity["pairs"]
    assert {sign["kind"] for sign in pair["signs"]} == {"code"}
    assert pair["signs"][0]["passages"]
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["first"], row["second"], row["strength"]) for row in rows] == [("amara", "anton", "strong")]
    assert rows[0]["first_student"] == "Amara"


def test_names_of_students_are_no_formulas_in_the_table(results: Path, tmp_path: Path) -> None:
    path = results / "anton" / "grade.json"
    grade = json.loads(path.read_text(encoding="utf-8"))
    grade["submission"]["student"] = "=HYPERLINK(1)"
    path.write_text(json.dumps(grade), encoding="utf-8")
    assert grader("similar", results, "--csv", tmp_path / "pairs.csv").code == 0
    assert "'=HYPERLINK(1)" in (tmp_path / "pairs.csv").read_text(encoding="utf-8")


def test_a_folder_without_results_is_an_error(tmp_path: Path) -> None:
    done = grader("similar", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "the folder has no results" in done.err


def test_a_starter_must_be_a_notebook(results: Path, tmp_path: Path) -> None:
    (tmp_path / "starter.ipynb").write_text("{}", encoding="utf-8")
    done = grader("similar", results, "--starter", tmp_path / "starter.ipynb")
    assert done.code != 0
    assert "starter.ipynb" in done.err

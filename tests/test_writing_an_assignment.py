"""The walkthrough in `docs/writing-an-assignment.md` works when its files and commands are copied from the page."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from grader.schema.grade import Grade
from grader.store.results import ResultsFolder

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "writing-an-assignment.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = [text for kind, text in BLOCKS if kind == "sh"]
(RUBRIC,) = (text for kind, text in BLOCKS if kind == "yaml")
(TEXT,) = (text for kind, text in BLOCKS if kind == "markdown")
DATA, MODEL, EVALUATION, WRONG_MODEL = (text for kind, text in BLOCKS if kind == "python")
CHECKS_WRONG = "grader check wrong.ipynb --rubric digits.yaml\n"

pytestmark = [pytest.mark.slow, pytest.mark.early, pytest.mark.tensorflow, pytest.mark.bubblewrap]


def _write_notebook(path: Path, *code: str) -> None:
    cells = [nbformat.v4.new_code_cell(source) for source in code]
    nbformat.write(nbformat.v4.new_notebook(cells=[*cells, nbformat.v4.new_markdown_cell(TEXT)]), path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the reader creates by hand."""
    folder = tmp_path_factory.mktemp("assignment")
    _write_notebook(folder / "digits.ipynb", DATA, MODEL, EVALUATION)
    _write_notebook(folder / "wrong.ipynb", DATA, WRONG_MODEL, EVALUATION)
    (folder / "digits.yaml").write_text(RUBRIC, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def outputs(folder: Path) -> dict[str, str]:
    """The output of each block of commands, run in the order of the page."""
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "200",
    }
    outputs = {}
    for block in COMMANDS:
        done = subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", block],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == (1 if block == CHECKS_WRONG else 0), f"{block}\n{done.stdout}\n{done.stderr}"
        outputs[block] = done.stdout
        if block.startswith("mkdir"):
            (folder / "first.json").write_text(_grade(folder, "ben").model_dump_json(by_alias=True))
    return outputs


def _grade(folder: Path, student: str) -> Grade:
    grade = ResultsFolder(folder / "results").read_grade(student)
    assert grade is not None
    return grade


def _points(grade: Grade) -> dict[str, float]:
    return {criterion.id: criterion.points for criterion in grade.criteria}


def test_the_solution_gets_full_marks_and_is_stored_as_the_reference(folder: Path, outputs: dict[str, str]) -> None:
    printed = outputs["grader rubric test digits.yaml --update\n"]
    assert "digits.evidence.json" in printed
    assert (folder / "digits.evidence.json").is_file()
    grade = _grade(folder, "ada")
    assert (grade.score, grade.pending, grade.max_score) == (90, 10, 100)


def test_the_wrong_notebook_loses_the_points_that_the_page_names(folder: Path, outputs: dict[str, str]) -> None:
    assert "convolution" in outputs[CHECKS_WRONG]
    points = _points(Grade.model_validate_json((folder / "first.json").read_text()))
    assert (points["runs"], points["convolution"], points["training-data"]) == (10, 0, 20)
    assert 0 < points["accuracy"] < 40


def test_the_regrade_changes_only_the_partial_points(folder: Path, outputs: dict[str, str]) -> None:
    assert "ben" in outputs[COMMANDS[-2]]
    before = _points(Grade.model_validate(json.loads((folder / "first.json").read_text())))
    after = _points(_grade(folder, "ben"))
    assert {name for name in after if after[name] != before[name]} == {"accuracy"}
    assert after["accuracy"] > before["accuracy"]
    changed = (folder / "results" / "changes.csv").read_text(encoding="utf-8")
    assert "ben" in changed
    assert "ada" not in changed


@pytest.mark.usefixtures("outputs")
def test_the_page_names_every_file_that_the_commands_create(folder: Path) -> None:
    for name in ("results/index.html", "results/changes.csv", "digits.evidence.json"):
        assert name in PAGE
        assert (folder / name).is_file()


def test_the_table_of_mistakes_is_the_one_on_the_page(outputs: dict[str, str]) -> None:
    printed = outputs["grader rubric test digits.yaml --sensitivity\n"]
    (table,) = (text for kind, text in BLOCKS if kind == "text")
    rows = {line.split()[0]: line.split()[1:-1] for line in table.splitlines() if "·" in line and "," not in line}
    now = {line.split()[0]: line.split()[1:-1] for line in printed.splitlines() if line.strip()}
    assert {name: now[name] for name in rows} == rows
    assert rows["no-convolution"] == ["·", "x", "·", "·"]

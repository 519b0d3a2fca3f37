"""The stored evidence of a reference is current as long as its notebook does the same."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grader.grading.loader import LoadedRubric
from grader.pipeline.reference import read_reference
from grader.pipeline.rubrics import find_rubric
from grader.resources import share
from grader.schema.errors import ReferenceMissingError

NAME = "parameter-golf"
Edit = Callable[[list[dict[str, Any]]], None]


@pytest.fixture
def edited(tmp_path: Path) -> Callable[[Edit], LoadedRubric]:
    """Copy a shipped rubric and its reference, and edit the cells of the copied notebook."""
    shutil.copy(share("rubrics") / f"{NAME}.yaml", tmp_path)
    for suffix in (".ipynb", ".evidence.json"):
        shutil.copy(share("reference") / f"{NAME}{suffix}", tmp_path)

    def apply(edit: Edit) -> LoadedRubric:
        path = tmp_path / f"{NAME}.ipynb"
        notebook = json.loads(path.read_text(encoding="utf-8"))
        edit(notebook["cells"])
        path.write_text(json.dumps(notebook), encoding="utf-8")
        return find_rubric(str(tmp_path / f"{NAME}.yaml"))

    return apply


def test_markers_and_their_tags_need_no_new_execution(edited: Callable[[Edit], LoadedRubric]) -> None:
    def mark(cells: list[dict[str, Any]]) -> None:
        cells[2]["source"] = ["### BEGIN SOLUTION (2 points)\n", *cells[2]["source"], "\n", "### END SOLUTION"]
        cells[3]["source"] = ["<!-- BEGIN SOLUTION -->\n", *cells[3]["source"], "\n", "<!-- END SOLUTION -->"]
        cells[4]["source"][0] = cells[4]["source"][0].rstrip("\n") + "  # SOLUTION\n"
        cells[5]["metadata"]["tags"] = ["solution"]

    assert read_reference(edited(mark)) == read_reference(find_rubric(NAME))


def change_code(cells: list[dict[str, Any]]) -> None:
    cells[2]["source"].append("\nimages = images[:100]")


def change_a_comment(cells: list[dict[str, Any]]) -> None:
    cells[2]["source"].append("\n# a comment")


def enclose_in_a_string(cells: list[dict[str, Any]]) -> None:
    cells[2]["source"] = ['"""\n', *cells[2]["source"], '\n"""']


def skip_a_cell(cells: list[dict[str, Any]]) -> None:
    cells[5]["metadata"]["tags"] = ["skip-execution"]


def remove_a_cell(cells: list[dict[str, Any]]) -> None:
    del cells[3]


@pytest.mark.parametrize("edit", [change_code, change_a_comment, enclose_in_a_string, skip_a_cell, remove_a_cell])
def test_every_other_change_needs_a_new_execution(edited: Callable[[Edit], LoadedRubric], edit: Edit) -> None:
    with pytest.raises(ReferenceMissingError, match="changed after its evidence was stored"):
        read_reference(edited(edit))

"""Tags that change how a cell is executed count only where the assignment has them."""

from pathlib import Path
from typing import Any

import nbformat
import pytest

from grader.execution.runner import RAISING_TAG, SKIPPING_TAGS, is_executed
from grader.intake.cells import oddity_messages
from grader.intake.notebook import read_notebook
from grader.intake.tags import COUNTED_TAGS, keep_given_tags, read_tagged_cells
from tests.support.says import says

RAISES, SKIPS = "raises-exception", "skip-execution"


def cell(source: str, *tags: str, cell_id: str | None = None) -> Any:
    made = nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)} if tags else {})
    if cell_id is not None:
        made["id"] = cell_id
    return made


def written(folder: Path, *cells: Any) -> Path:
    path = folder / f"{len(list(folder.iterdir()))}.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), path)
    return path


def tags_of(folder: Path, submitted: list[Any], assignment: list[Any]) -> list[list[str]]:
    notebook = read_notebook(written(folder, *submitted))
    given = read_tagged_cells(written(folder, *assignment)) if assignment else ()
    return [list(one.metadata.get("tags", [])) for one in keep_given_tags(notebook, given).cells]


def test_each_tag_of_the_runner_is_counted() -> None:
    assert {RAISING_TAG, *SKIPPING_TAGS} == COUNTED_TAGS


@pytest.mark.parametrize(
    ("submitted", "assignment", "kept"),
    [
        ([cell("1/0", RAISES)], [], [[]]),
        ([cell("x = 1", SKIPS, "mine")], [], [["mine"]]),
        ([cell("1/0", RAISES)], [cell("1/0")], [[]]),
        ([cell("1/0 ", RAISES)], [cell("1/0", RAISES)], [[RAISES]]),
        ([cell("2/0", RAISES, cell_id="a")], [cell("1/0", RAISES, cell_id="a")], [[RAISES]]),
        ([cell("1/0", RAISES, SKIPS)], [cell("1/0", RAISES)], [[RAISES]]),
        ([cell("1/0", RAISES), cell("1/0", RAISES)], [cell("1/0", RAISES)], [[RAISES], []]),
        ([cell("1/0")], [cell("1/0", RAISES)], [[]]),
    ],
)
def test_a_tag_is_kept_where_the_assignment_has_it(
    tmp_path: Path, submitted: list[Any], assignment: list[Any], kept: list[list[str]]
) -> None:
    assert tags_of(tmp_path, submitted, assignment) == kept


def test_an_ignored_tag_is_reported_and_its_cell_runs(tmp_path: Path) -> None:
    notebook = read_notebook(written(tmp_path, cell("x = 1"), cell("y = 2", SKIPS)))
    assert [is_executed(one) for one in notebook.cells] == [True, False]
    kept = keep_given_tags(notebook, ())
    assert [is_executed(one) for one in kept.cells] == [True, True]
    (message,) = oddity_messages(kept)
    template = "the tag {tag:code} of {cell:cell} was ignored, because the assignment does not have it"
    assert says(message, template, tag=SKIPS, cell=1)
    assert oddity_messages(notebook) == ()

"""The assignment's own notebook in a rubric: `template`."""

from pathlib import Path

import nbformat
import pytest

from grader.pipeline.rubrics import find_rubric
from grader.schema.errors import RubricError
from tests.support.command import RUBRIC


def rubric_with(folder: Path, template: str) -> str:
    path = folder / "tiny.yaml"
    path.write_text(f"{RUBRIC}template: {template}\n", encoding="utf-8")
    return str(path)


def test_the_tagged_cells_of_the_template_are_loaded_with_the_rubric(tmp_path: Path) -> None:
    cells = [
        nbformat.v4.new_code_cell("1 / 0\n", metadata={"tags": ["raises-exception", "remove-cell"]}),
        nbformat.v4.new_code_cell("x = 1"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "lab.ipynb")
    (tagged,) = find_rubric(rubric_with(tmp_path, "lab.ipynb")).tagged
    assert (tagged.id, tagged.source, tagged.tags) == (cells[0]["id"], "1 / 0", ("raises-exception",))


@pytest.mark.parametrize("content", [None, "no notebook"])
def test_a_template_that_cannot_be_read_is_an_error_of_the_rubric(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "lab.ipynb").write_text(content)
    with pytest.raises(RubricError, match=r"the template 'lab\.ipynb' cannot be read"):
        find_rubric(rubric_with(tmp_path, "lab.ipynb"))

"""The library works in six lines of a notebook, where an event loop runs already and there is no terminal."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.command import NOTEBOOKS, a_course, needs_bubblewrap

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def six_lines() -> str:
    """The first example of the page."""
    found = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def test_the_page_starts_with_six_lines() -> None:
    assert len(six_lines().splitlines()) == 6


@pytest.mark.slow
@pytest.mark.early
@pytest.mark.bubblewrap
def test_the_six_lines_show_a_grade_in_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_bubblewrap()
    rubric = a_course(tmp_path / "course")
    monkeypatch.setenv("GRADER_DATA", str(rubric.parent / "data"))
    shutil.copy(NOTEBOOKS / "raises.ipynb", tmp_path / "x.ipynb")
    lines = six_lines().replace('"mnist-cnn"', f'"{rubric}"')
    cells = [
        "import asyncio; asyncio.get_running_loop().is_running()",
        lines,
        "grader.show(grader.grade(['x.ipynb'], " + f"{str(rubric)!r}, 'results'))",
        "str(grader.show(grade)) == repr(grader.show(grade))",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    loop, checked, graded, same = ([*cell.outputs] for cell in notebook.cells)
    assert loop[-1].data["text/plain"] == "True"
    shown = checked[-1].data
    assert "A tiny course" in shown["text/html"]
    assert "It runs" in shown["text/html"]
    assert "<table>" in shown["text/html"]
    assert "It runs" in shown["text/markdown"]
    assert "SubmissionStamp" not in shown["text/plain"]
    assert "".join(one.text for one in checked if one.output_type == "stream").startswith("0.0 of 3.0")
    assert "x" in graded[-1].data["text/html"]
    assert same[-1].data["text/plain"] == "True"
    # Apart from the results folder, nothing is left.
    assert {path.name for path in tmp_path.iterdir()} == {"course", "x.ipynb", "results"}

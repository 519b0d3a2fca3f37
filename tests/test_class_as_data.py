"""The code of the page about data runs on the sample class and prints what the page shows."""

import importlib.util
from pathlib import Path

import pytest

from grader.delivery.format_registry import find_format
from grader.pipeline.exporting import ExportOptions, export_class
from tests.support.sample_results import sample_results

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "class-as-data.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the exported sample class, as the page's commands make it."""
    for rubric, out in sample_results(tmp_path / "results").items():
        export_class(out, ExportOptions(find_format("parquet"), tmp_path / "data" / rubric))
    return tmp_path


def test_the_page_shows_what_its_code_prints(folder: Path) -> None:
    spec = importlib.util.spec_from_file_location("make_outputs", ROOT / "tools" / "make_outputs.py")
    assert spec is not None
    assert spec.loader is not None
    make_outputs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_outputs)
    assert PAGE.count("```python") == PAGE.count("```text") == 8
    assert make_outputs.with_outputs(PAGE, folder) == PAGE


def test_the_page_asks_three_questions() -> None:
    section = PAGE.partition("## Three questions")[2].partition("\n## ")[0]
    assert section.count("\n### ") == 3
    assert all("```python" in part for part in section.split("\n### ")[1:])

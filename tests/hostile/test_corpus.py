"""The corpus itself: its headers are whole, and each sample states something that could fail."""

import ast
import base64
import json
import re
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TypeGuard

import pytest
from pydantic import ValidationError

from grader.inside.model_files import foreign_part
from tests.hostile.commands import COMMANDS
from tests.hostile.corpus import SAMPLES, Written, all_samples, read_sample
from tests.hostile.course import RUBRIC
from tests.hostile.expected import Must
from tests.hostile.table import PAGE, with_table

CORPUS = all_samples()
TRAPS = dict.fromkeys(("folder", "home", "course", "port", "abstract", "parent", "token"), "1")


def test_there_are_enough_samples_of_every_kind() -> None:
    assert len(CORPUS) + len(COMMANDS) >= 90
    assert {written.sample.topic for written in CORPUS.values()} == {
        *("archives", "honest", "kernel", "machine", "model-files", "notebook-files", "record", "recorder", "report"),
        *("resources", "shadowing", "special-files", "verified"),
    }


@pytest.mark.parametrize("written", [pytest.param(written, id=name) for name, written in CORPUS.items()])
def test_each_sample_states_more_than_an_outcome(written: Written) -> None:
    must = written.sample.must
    rest = must.model_dump(exclude={"outcome"}, exclude_defaults=True)
    assert rest or isinstance(must.outcome, str)
    assert all(f"id: {name}," in RUBRIC for name in (*must.points, *must.criteria, *must.recorded))


def test_each_cell_of_a_notebook_is_python(tmp_path: Path) -> None:
    for path in SAMPLES.glob("*/*.py"):
        written = read_sample(path)
        written.write(tmp_path, TRAPS)
        for cell in json.loads((tmp_path / "work.ipynb").read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                ast.parse(cell["source"])


LOADED = {"layer-of-terabytes", "weights-of-petabytes"}
"""Models of known layers only. Building or reading them needs too much memory, which ends the predictor alone."""


def test_each_model_file_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "m1.keras"
    loaded = set()
    for name, written in CORPUS.items():
        if written.sample.topic != "model-files":
            continue
        written.write(tmp_path, TRAPS)
        source = json.loads((tmp_path / "work.ipynb").read_text(encoding="utf-8"))["cells"][1]["source"]
        (content,) = (node.args[0] for node in ast.walk(ast.parse(source)) if _decodes(node))
        path.write_bytes(base64.b64decode(ast.literal_eval(content)))
        with suppress(zipfile.BadZipFile, RecursionError):
            reason = foreign_part(path)
            loaded |= {name} if reason is None else set()
            assert reason is None or re.search(written.sample.must.explains[0], reason), (name, reason)
    assert loaded == LOADED


def _decodes(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "base64.b64decode"


def test_a_misspelled_expectation_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "topic" / "sample.py"
    path.parent.mkdir()
    header = "# ---\n# tries: To be graded better than it is.\n# must: {outcome: graded, crieria: {}}\n# ---\nx = 1\n"
    path.write_text(header, encoding="utf-8")
    with pytest.raises(ValidationError, match="crieria"):
        read_sample(path)
    path.write_text(header.replace("crieria", "criteria"), encoding="utf-8")
    assert read_sample(path).sample.must == Must(outcome="graded")
    path.write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="header"):
        read_sample(path)


def test_the_page_lists_the_samples() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page) == page, "run `python -m tests.hostile --table`"

"""Readers of notebooks: the file, its cells, and the analysis of code and text."""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat

from grader.authoring.students_version import students_version
from grader.checks.support.source_code import parsed, read_code
from grader.checks.support.typed_numbers import TypedNumbers, typed_texts
from grader.evidence.cells import cell_facts
from grader.execution.advice import advice_for
from grader.execution.causes import cause_of, failing_line
from grader.facts.answers import answer_to, starter_lines
from grader.facts.code_prints import code_prints, text_prints
from grader.facts.placeholders import marked_line
from grader.grading.assertions import proposed_checks
from grader.intake.cell_lines import lines_of_file
from grader.intake.nbgrader.cells import read_graded_notebook
from grader.intake.notebook import code_size, read_notebook, read_refused
from grader.intake.recognise import expects_frames, recognise_dialect, uses_torch
from grader.intake.tags import read_tagged_cells, read_texts
from grader.pipeline.similarity import starter_of
from grader.report.highlight import highlighted
from grader.report.notebook import notebook_cells
from grader.schema.errors import GraderError
from grader.schema.evidence import CellFact
from grader.service.uploads import check_notebook
from tests.fuzz import seeds
from tests.fuzz.target import target
from tests.support.factories import a_cell, a_run


@target(
    "notebook",
    "a submitted notebook file",
    form="json",
    seeds=seeds.notebooks,
    covers=["grader.intake.notebook", "grader.intake.cells", "grader.intake.recognise", "grader.service.uploads"],
)
def _notebook(document: bytes, own: Path) -> None:
    path = own / "work.ipynb"
    path.write_bytes(document)
    lines_of_file(path)
    code_size(path)
    try:
        notebook = read_notebook(path)
    except GraderError:
        read_refused(path)
        with contextlib.suppress(GraderError):
            check_notebook(path, "")
        raise
    nbformat.validate(notebook)
    nbformat.writes(notebook).encode()
    recognise_dialect(notebook)
    expects_frames(notebook)
    uses_torch(notebook)
    _analyse(cell_facts(notebook, notebook, a_run()))


@target(
    "notebook bytes",
    "a submitted notebook file with damaged bytes",
    form="bytes",
    seeds=lambda: [*seeds.notebooks(), seeds.notebooks()[0].decode().encode("utf-16")],
    covers=["grader.intake.notebook", "grader.intake.cell_lines"],
)
def _notebook_bytes(document: bytes, own: Path) -> None:
    _notebook(document, own)


@target(
    "assignment",
    "a notebook that a course gives to its students, or their starter",
    form="json",
    seeds=seeds.notebooks,
    covers=[
        "grader.intake.tags",
        "grader.intake.nbgrader.cells",
        "grader.authoring.markers",
        "grader.pipeline.similarity",
    ],
    raises=[RecursionError],  # documented; the callers refuse such a file
)
def _assignment(document: bytes, own: Path) -> None:
    path = own / "assignment.ipynb"
    path.write_bytes(document)
    for reads in (read_tagged_cells, read_texts, read_graded_notebook, starter_of):
        with contextlib.suppress(GraderError):
            reads(path)
    with contextlib.suppress(GraderError):
        notebook: Any = read_notebook(path)
        students_version(notebook, path.name)


@target(
    "code of a cell",
    "code and texts of cells",
    form="text",
    seeds=seeds.sources,
    covers=[
        "grader.checks.support.source_code",
        "grader.facts.code_prints",
        "grader.facts.follow_ups",
        "grader.intake.recognise",
        "grader.report.highlight",
        "grader.grading.assertions",
    ],
)
def _code(document: bytes, own: Path) -> None:
    del own
    text = document.decode("utf-8", "replace")
    highlighted(text)
    parsed(text)
    proposed_checks(text)
    half = len(text) // 2
    cells = (a_cell(0, text), a_cell(1, text, kind="markdown"), a_cell(2, text[:half]), a_cell(3, text[half:]))
    _analyse(cells)
    notebook = {"cells": [{"cell_type": "code", "source": text, "outputs": []}], "metadata": {}}
    recognise_dialect(notebook)
    uses_torch(notebook)


def _analyse(cells: Sequence[CellFact]) -> None:
    """Analyze cells as diagnostics, checks, the desk and the comparison of submissions do."""
    read_code(cells)
    code = [cell for cell in cells if cell.kind == "code"]
    code_prints(code)
    text_prints(cells)
    TypedNumbers(code)
    for cell in code:
        typed_texts(cell)
        marked_line(cell)
    answer_to("Critique of the model", "Name **three** mistakes", cells, starter_lines(["# Homework"]))


@target(
    "executed notebook",
    "an executed notebook, whose outputs a sandbox wrote",
    form="json",
    seeds=lambda: [_with_outputs(content) for content in seeds.notebooks()[:4]],
    covers=["grader.report.notebook", "grader.report.sanitise", "grader.report.images", "grader.evidence.cells"],
)
def _executed(document: bytes, own: Path) -> None:
    del own
    try:
        notebook = json.loads(document)
    except (ValueError, RecursionError):
        return
    if isinstance(notebook, dict):
        for cell in notebook_cells(notebook):
            for output in cell.outputs:
                assert "<script" not in f"{output.body}{output.more}".lower()


_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_OUTPUTS = [
    {"output_type": "stream", "name": "stdout", "text": ["Epoch 1/5\r\x1b[1m10\x1b[0m", "\b\b done\n"]},
    {
        "output_type": "error",
        "ename": "NameError",
        "evalue": "name 'x' is not defined",
        "traceback": ["\x1b[0;31mx\x1b[0m"],
    },
    {
        "output_type": "display_data",
        "metadata": {},
        "data": {"image/png": _PIXEL, "text/html": "<table><tr><td onclick=x>1</td></tr></table>", "text/plain": "x"},
    },
    {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/markdown": "# **x** $y$"}},
    {"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": "<svg><script>x</script></svg>"}},
]


def _with_outputs(content: bytes) -> bytes:
    notebook = json.loads(content)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = _OUTPUTS
        else:
            cell["attachments"] = {"a.png": {"image/png": _PIXEL}}
    return json.dumps(notebook).encode()


@target(
    "exception",
    "the exception of a cell: its class, message and traceback",
    form="text",
    seeds=lambda: [
        b"NameError\nname 'model' is not defined\n---> 3 model.fit(x)\n",
        b'ValueError\nInput 0 of layer "dense" is incompatible: expected axis -1 of input shape to have value 784\n',
        b"ModuleNotFoundError\nNo module named 'cv2'\n\x1b[0;32m----> 1\x1b[0m import cv2\n",
        b"InvalidArgumentError\nGraph execution error:\n\nDetected at node x\n/usr/lib/site-packages/keras/x.py\n",
    ],
    covers=["grader.execution.causes", "grader.execution.advice"],
)
def _exception(document: bytes, own: Path) -> None:
    del own
    name, _, message = document.decode("utf-8", "replace").partition("\n")
    trace = message.split("\n")
    cause_of(name, message, trace)
    failing_line(trace)
    advice_for(name, message)

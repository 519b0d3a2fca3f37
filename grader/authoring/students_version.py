"""Make the students' version of an instructor's notebook: no solutions, no outputs, and no metadata that tells them."""

import ast
import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from grader.authoring.markers import CODE_STUB, TEXT_STUB, Cleared, clear_text
from grader.facts.language import english
from grader.schema.errors import UsageError
from grader.schema.message import say
from grader.schema.problems import joined_problems
from grader.schema.release import RemovedPart

__all__ = ["INSTRUCTOR", "SOLUTION", "StudentsVersion", "students_version"]

SOLUTION: Final = "solution"
"""Tag of a cell that is a solution as a whole."""
INSTRUCTOR: Final = "instructor"
"""Tag of a cell that students do not get."""
_NEAR_TAG = re.compile(r"(solution|instructor)s?(?:[-_ ](?:cell|only))?", re.IGNORECASE)
_KEPT_OF_CELL = frozenset(
    {"deletable", "editable", "format", "jupyter", "name", "nbgrader", "slideshow", "tags", "vscode"}
)
_KEPT_OF_NOTEBOOK = frozenset({"accelerator", "authors", "kernelspec", "language_info", "title"})
_OTTER = re.compile(r"\s*#\s*(?:BEGIN|END|ASSIGNMENT) (?:QUESTION|SOLUTION|PROMPT|TESTS|CONFIG)\b", re.IGNORECASE)
"""Beginning of a raw cell that otter assign reads."""
_ATTACHMENT = re.compile(r"attachment:([^)\s\"'>]+)")
_IPYTHON_LINE = re.compile(r"^([ \t]*)[%!].*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class StudentsVersion:
    """A notebook for students."""

    notebook: Mapping[str, Any]
    """The notebook in format 4."""
    removed: tuple[RemovedPart, ...]
    """Parts that students do not get, in the order of the notebook."""


def students_version(notebook: Mapping[str, Any], name: str) -> StudentsVersion:
    """Remove solutions, hidden tests, mark schemes, cells for instructors, outputs and metadata.

    Ids of cells, attachments of the kept text and everything outside of markers stay as they are.

    Args:
        notebook: The instructor's notebook in format 4; it is not changed.
        name: The notebook's name, for messages.

    Raises:
        UsageError: A marker is wrong, or there are no markers. The message names cell and line of each problem.
    """
    cells: list[dict[str, Any]] = []
    removed: list[RemovedPart] = []
    problems: list[str] = []
    for index, cell in enumerate(notebook["cells"]):
        version = _students_cell(cell, index)
        problems += version.problems
        removed += version.removed
        cells += [version.cell] if version.cell is not None else []
    if problems:
        raise UsageError(joined_problems(problems), where=name, advice="docs/releasing.md describes the markers")
    if not removed:
        msg = "the notebook has no markers, so its students' version would be the solution"
        advice = f"enclose solutions in `### BEGIN SOLUTION` and `### END SOLUTION`, or give cells the tag `{SOLUTION}`"
        raise UsageError(msg, where=name, advice=advice)
    metadata = {key: value for key, value in notebook.get("metadata", {}).items() if key in _KEPT_OF_NOTEBOOK}
    return StudentsVersion({**notebook, "metadata": copy.deepcopy(metadata), "cells": cells}, tuple(removed))


@dataclass(frozen=True, slots=True)
class _CellVersion:
    """A cell for students; no cell if they do not get it."""

    cell: dict[str, Any] | None
    removed: Sequence[RemovedPart] = ()
    problems: Sequence[str] = ()


def _students_cell(cell: Mapping[str, Any], index: int) -> _CellVersion:
    text, kind = _text(cell), cell["cell_type"]
    problems = [f"{_cell(index)}: {problem}" for problem in _cell_problems(cell, text)]
    tags = _tags(cell)
    if INSTRUCTOR in tags:
        return _CellVersion(None, [RemovedPart(cell=index, line=1, kind="cell")], problems)
    cleared = clear_text(text, code=kind == "code")
    problems += [f"{_cell(index)}, line {one.line}: {one.message}" for one in cleared.problems]
    parts = [RemovedPart(cell=index, line=line, kind=kind_) for line, kind_, _ in cleared.removed]
    students = cleared.text
    if _is_solution(cell, tags) and not parts:
        students = CODE_STUB if kind == "code" else TEXT_STUB
        parts = [RemovedPart(cell=index, line=1, kind="solution")]
    elif kind == "code" and not problems:
        problems += [f"{_cell(index)}: {problem}" for problem in _broken(text, cleared)]
    return _CellVersion(_with_text(cell, text, students), parts, problems)


def _cell(index: int) -> str:
    return english(say("{cell:cell}", cell=index))


def _text(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def _tags(cell: Mapping[str, Any]) -> list[str]:
    return [tag for tag in cell.get("metadata", {}).get("tags", []) if isinstance(tag, str)]


def _is_solution(cell: Mapping[str, Any], tags: Sequence[str]) -> bool:
    """Whether a whole cell is a solution: by its tag, or by nbgrader's metadata."""
    nbgrader = cell.get("metadata", {}).get("nbgrader")
    return SOLUTION in tags or (isinstance(nbgrader, Mapping) and nbgrader.get("solution") is True)


def _cell_problems(cell: Mapping[str, Any], text: str) -> Iterator[str]:
    """Describe tags that were probably meant as markers, and cells of otter assign."""
    for tag in _tags(cell):
        match = _NEAR_TAG.fullmatch(tag)
        if match is not None and tag not in {SOLUTION, INSTRUCTOR}:
            yield f"the tag `{tag}` is not a marker; did you mean `{match[1].lower()}`?"
    if cell["cell_type"] == "raw" and _OTTER.match(text):
        yield (
            "raw cells of otter assign are not supported; put markers into the cells themselves, or release the "
            "notebook with `otter assign`"
        )


def _broken(text: str, cleared: Cleared) -> Iterator[str]:
    """Describe code that is not valid any more, such as the rest of a statement of several lines."""
    if cleared.removed and _syntax_error(text) is None and (error := _syntax_error(cleared.text)) is not None:
        line = cleared.text.split("\n")[(error.lineno or 1) - 1 :][:1]
        near = f" near `{line[0].strip()}`" if line else ""
        yield (
            f"the code is not valid without its solution{near}; enclose whole statements in `### BEGIN SOLUTION` and "
            "`### END SOLUTION`"
        )


def _syntax_error(code: str) -> SyntaxError | None:
    """Return the syntax error of a cell; None for valid code, and for magics of a whole cell."""
    if code.lstrip().startswith("%%"):
        return None
    try:
        ast.parse(_IPYTHON_LINE.sub(r"\1pass", code))
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError, MemoryError):
        return None
    return None


def _with_text(cell: Mapping[str, Any], before: str, text: str) -> dict[str, Any]:
    """Return a cell with another text, without outputs and without metadata that tells the solution."""
    result = {**cell, "source": text, "metadata": _metadata(cell)}
    if cell["cell_type"] == "code":
        result |= {"outputs": [], "execution_count": None}
    if isinstance(cell.get("attachments"), Mapping):
        hidden = set(_ATTACHMENT.findall(before)) - set(_ATTACHMENT.findall(text))
        result["attachments"] = {name: data for name, data in cell["attachments"].items() if name not in hidden}
        if not result["attachments"]:
            del result["attachments"]
    return copy.deepcopy(result)


def _metadata(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Keep metadata that is known to tell no solution; timings, output ids and authors of other tools are removed."""
    metadata = {key: value for key, value in cell.get("metadata", {}).items() if key in _KEPT_OF_CELL}
    if "tags" in metadata:
        metadata["tags"] = [tag for tag in metadata["tags"] if tag not in {SOLUTION, INSTRUCTOR}]
        if not metadata["tags"]:
            del metadata["tags"]
    if isinstance(metadata.get("nbgrader"), Mapping):
        # The checksum belongs to the instructor's text.
        metadata["nbgrader"] = {key: value for key, value in metadata["nbgrader"].items() if key != "checksum"}
    return metadata

"""Read the cells with points of an nbgrader notebook, of versions 0 to 3 of its metadata."""

import re
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from grader.intake.cells import as_cells, joined
from grader.intake.notebook import parse_notebook, read_skeleton
from grader.schema.base import Json
from grader.schema.nbgrader import GradedCell, GradedNotebook

__all__ = ["graded_notebook", "read_graded_notebook"]

_NEWEST = 3
"""Version of the metadata that this reader knows."""
_HEADING = re.compile(r"^(#{1,6})[ \t]+(.+?)[ \t]*#*$", re.MULTILINE)
_POINTS = re.compile(r"\s*[([]\s*\d+(?:[.,]\d+)?\s*(?:points?|pts?|marks?|p)\.?\s*[)\]]", re.IGNORECASE)
_MARKUP = re.compile(r"[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}|!?\[([^\]]*)\]\([^)]*\)")
_AUTOTEST = re.compile(r"^[ \t]*###\s*(?:HASHED\s+)?AUTOTEST\b", re.MULTILINE)
_LONGEST_TITLE, _LONGEST_QUESTION = 100, 2_000


def read_graded_notebook(path: Path) -> GradedNotebook:
    """Read a source notebook.

    Args:
        path: The notebook.

    Raises:
        NotebookError: It is not a notebook.
        UnreadableError: It cannot be read.
        RecursionError: It is nested too deeply.
    """
    return graded_notebook(parse_notebook(read_skeleton(path).content, path.name), path.stem)


def graded_notebook(notebook: Mapping[str, Json], name: str) -> GradedNotebook:
    """Find the cells with points of a notebook.

    Args:
        notebook: A notebook of format 4, possibly damaged.
        name: Its file name without `.ipynb`.
    """
    reader = _Reader()
    for index, cell in enumerate(as_cells(notebook.get("cells"))):
        if isinstance(cell, Mapping):
            reader.add(index, cell)
    return GradedNotebook(
        name=name,
        title=reader.title,
        code="\n".join(reader.code),
        cells=tuple(reader.cells),
        problems=tuple(reader.problems),
    )


class _Reader:
    """Reads the cells of a notebook in order."""

    def __init__(self) -> None:
        self.title = ""
        self.code: list[str] = []
        self.cells: list[GradedCell] = []
        self.problems: list[str] = []
        self._heading = ""
        self._question = ""

    def add(self, index: int, cell: Mapping[str, Any]) -> None:
        source = joined(cell.get("source")) or ""
        kind = str(cell.get("cell_type"))
        metadata = cell.get("metadata")
        marks = metadata.get("nbgrader") if isinstance(metadata, Mapping) else None
        if kind == "code":
            self.code.append(source)
        if isinstance(marks, Mapping):
            own = marks.get("task") or (marks.get("grade") and marks.get("solution"))
            if kind == "markdown" and marks.get("task"):
                self._read_text(source)
            self._add_graded(index, kind, source, marks)
            if own:
                return
        if kind == "markdown":
            self._read_text(source)

    def _read_text(self, source: str) -> None:
        headings = _HEADING.findall(source)
        if headings:
            self._heading = _plain(headings[-1][1])
        if not self.title:
            self.title = next((_plain(text) for marks, text in headings if marks == "#"), "")
        if source.strip():
            self._question = source.strip()[:_LONGEST_QUESTION]

    def _add_graded(self, index: int, kind: str, source: str, marks: Mapping[str, Json]) -> None:
        task, grade, solution = (marks.get(key) is True for key in ("task", "grade", "solution"))
        if not task and not grade:
            return
        name = marks.get("grade_id")
        place = f"cell {index + 1}" if not isinstance(name, str) or not name.strip() else f"cell {name!r}"
        if not isinstance(name, str) or not name.strip():
            self.problems.append(f"{place} has points, but no grade_id")
            name = f"cell-{index + 1}"
        points = _points(marks.get("points"))
        if points is None:
            self.problems.append(f"{place} has no readable points ({marks.get('points')!r}); it got 0")
        if any(one.grade_id == name for one in self.cells):
            self.problems.append(f"{place} has the grade_id of an earlier cell")
        version = marks.get("schema_version", 0)
        if isinstance(version, int) and version > _NEWEST:
            self.problems.append(f"{place} has metadata of the unknown version {version}")
        if _AUTOTEST.search(source):
            self.problems.append(f"{place} has AUTOTEST lines, which nbgrader turns into code for each release")
        self.cells.append(
            GradedCell(
                grade_id=name,
                kind="task" if task else "answer" if solution else "test",
                cell_type=kind,
                points=points or 0.0,
                source=source,
                heading=self._heading,
                question=self._question,
            )
        )


def _points(value: Json) -> float | None:
    """Read points as nbgrader does: an empty text and negative numbers are 0; None if it is no number."""
    if value == "":
        return 0.0
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        points = float(value)
    except ValueError:
        return None
    return max(points, 0.0) if isfinite(points) else None


def _plain(heading: str) -> str:
    """Remove points and markup from a heading."""
    text = _MARKUP.sub(r"\1", _POINTS.sub("", heading))
    return " ".join(text.split()).strip(" :-")[:_LONGEST_TITLE]

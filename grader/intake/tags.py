"""Keep only the cell tags that the assignment's own notebook has: a student cannot excuse an error by a tag."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from grader.intake.cells import add_oddity
from grader.intake.notebook import read_notebook
from grader.schema.submission import TaggedCell

__all__ = ["COUNTED_TAGS", "keep_given_tags", "read_tagged_cells", "read_texts"]

COUNTED_TAGS = frozenset({"raises-exception", "skip-execution", "otter_ignore"})
"""Tags that change how a cell is executed."""


def read_tagged_cells(path: Path) -> tuple[TaggedCell, ...]:
    """Read the cells of the assignment's notebook that have a tag.

    Args:
        path: The notebook.

    Raises:
        NotebookError: It is not a notebook.
        UnreadableError: It cannot be read.
    """
    cells = [(cell, COUNTED_TAGS.intersection(_tags(cell))) for cell in read_notebook(path).cells]
    return tuple(
        TaggedCell(id=cell["id"], source=cell["source"].strip(), tags=tuple(sorted(tags)))
        for cell, tags in cells
        if tags
    )


def read_texts(path: Path) -> tuple[str, ...]:
    """Read the text cells of the assignment's notebook.

    Args:
        path: The notebook.

    Raises:
        NotebookError: It is not a notebook.
        UnreadableError: It cannot be read.
    """
    return tuple(cell["source"] for cell in read_notebook(path).cells if cell["cell_type"] == "markdown")


def keep_given_tags(notebook: NotebookNode, given: Sequence[TaggedCell]) -> NotebookNode:
    """Remove tags that the assignment does not have, and add an oddity for each.

    Args:
        notebook: A submitted notebook in the standard form; it is not changed.
        given: The tagged cells of the assignment. A submitted cell with the same id or source has their tags.
    """
    kept = copy.deepcopy(notebook)
    remaining = list(given)
    for index, cell in enumerate(kept.cells):
        tags = _tags(cell)
        if cell["cell_type"] != "code" or not COUNTED_TAGS.intersection(tags):
            continue
        match = next((one for one in remaining if cell["id"] == one.id or cell["source"].strip() == one.source), None)
        allowed = set() if match is None else set(match.tags)
        if match is not None:
            remaining.remove(match)
        for tag in sorted(COUNTED_TAGS.intersection(tags) - allowed):
            add_oddity(kept, index, "tag", tag)
        cell["metadata"]["tags"] = [tag for tag in tags if tag not in COUNTED_TAGS or tag in allowed]
    return kept


def _tags(cell: Mapping[str, Any]) -> list[str]:
    return list(cell["metadata"].get("tags", []))

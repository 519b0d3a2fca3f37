"""Parse the code of cells."""

import ast
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from grader.schema.evidence import CellFact

__all__ = ["called_name", "parsed", "read_code"]

_MAGIC = re.compile(r"^[ \t]*[%!?].*$", re.MULTILINE)

_MOST_NODES = 20_000
"""Syntax nodes of a whole notebook, at most; long notebooks have a tenth of that."""
_MOST_NODES_IN_CELL = 5_000
_LETTERS_PER_NODE = 10


def read_code(cells: Sequence[CellFact]) -> Mapping[int, ast.Module] | None:
    """Parse the code cells of a notebook.

    Checks run without a time limit, so the amount of code is limited. The trees are shared and must not be changed.

    Args:
        cells: The notebook's cells.

    Returns:
        Index of the cell → tree, without cells that are not valid Python; None if there is too much code.
    """
    return _read(tuple((cell.index, cell.source) for cell in cells if cell.kind == "code"))


@lru_cache(maxsize=4)
def _read(sources: tuple[tuple[int, str], ...]) -> Mapping[int, ast.Module] | None:
    trees: dict[int, ast.Module] = {}
    left = _MOST_NODES
    for index, source in sources:
        tree = parsed(source)
        if tree is None:
            # Failed parsing takes time too.
            left -= len(source) // _LETTERS_PER_NODE
        else:
            # Contexts of names (load, store) are not nodes of the code.
            size = sum(not isinstance(node, ast.expr_context) for node in ast.walk(tree))
            left -= size
            if size > _MOST_NODES_IN_CELL:
                return None
            trees[index] = tree
        if left < 0:
            return None
    return MappingProxyType(trees)


def parsed(source: str) -> ast.Module | None:
    """Parse a cell's code without its magics; return None if it is not valid Python.

    Args:
        source: The cell's text.
    """
    try:
        return ast.parse(_MAGIC.sub("pass", source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def called_name(call: ast.Call) -> str:
    """Return the last part of the called function's name; empty if it has no name.

    Args:
        call: `f(…)`, `a.f(…)` or any other call.
    """
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")

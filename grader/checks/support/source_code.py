"""Reads the code of cells."""

import ast
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from grader.schema.evidence import CellFact

__all__ = ["called_name", "parsed", "read_code"]

_MAGIC = re.compile(r"^[ \t]*[%!?].*$", re.MULTILINE)

_MOST_NODES = 20_000
"""Syntax nodes of a whole notebook; ten times what long ones have."""
_MOST_NODES_IN_CELL = 5_000
_LETTERS_PER_NODE = 10


def read_code(cells: Sequence[CellFact]) -> Mapping[int, ast.Module] | None:
    """The trees of a notebook's cells by index, without cells that are no Python; None where there is too much code.

    The checks run without a time limit, so what they read has one. The trees are shared and must not be changed.

    Args:
        cells: The notebook's.
    """
    return _read(tuple((cell.index, cell.source) for cell in cells if cell.kind == "code"))


@lru_cache(maxsize=4)
def _read(sources: tuple[tuple[int, str], ...]) -> Mapping[int, ast.Module] | None:
    trees: dict[int, ast.Module] = {}
    left = _MOST_NODES
    for index, source in sources:
        tree = parsed(source)
        if tree is None:
            # To find out that it is no Python takes time too.
            left -= len(source) // _LETTERS_PER_NODE
        else:
            # Whether a name is read or written is no node of its own.
            size = sum(not isinstance(node, ast.expr_context) for node in ast.walk(tree))
            left -= size
            if size > _MOST_NODES_IN_CELL:
                return None
            trees[index] = tree
        if left < 0:
            return None
    return MappingProxyType(trees)


def parsed(source: str) -> ast.Module | None:
    """A cell's code as a tree, its magics left out; None where it is no Python.

    Args:
        source: What stands in the cell.
    """
    try:
        return ast.parse(_MAGIC.sub("pass", source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def called_name(call: ast.Call) -> str:
    """The last part of the name of what is called; empty where it has none.

    Args:
        call: `f(…)`, `a.f(…)` or anything else that is called.
    """
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")

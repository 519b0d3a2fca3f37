"""Reads the code of cells."""

import ast
import re

__all__ = ["called_name", "parsed"]

_MAGIC = re.compile(r"^[ \t]*[%!?].*$", re.MULTILINE)


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

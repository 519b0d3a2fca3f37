"""Find the names that cells define, and the names that were missing."""

import ast
import re

from grader.checks.support.source_code import parsed
from grader.schema.evidence import CellFact
from grader.schema.submission import CellError

__all__ = ["PLATFORM_NAMES", "bound_names", "missing_name", "undefined_in"]

PLATFORM_NAMES = frozenset({"dbutils", "displayHTML", "sc", "spark", "sqlContext"})
"""Names that a notebook on Databricks has without defining them."""
_NAME_ERROR = re.compile(r"name '([^']+)' is not defined")


def missing_name(error: CellError) -> str | None:
    """Return the undefined name of a `NameError`; None for other errors."""
    return undefined_in(error.message) if error.name == "NameError" else None


def undefined_in(message: str) -> str | None:
    """Return the name in the message of a `NameError`; None if it has none."""
    match = _NAME_ERROR.search(message)
    return match[1] if match else None


def bound_names(cell: CellFact) -> set[str]:
    """Collect the names that a cell assigns, imports or defines at its top level."""
    tree = parsed(cell.source)
    if tree is None:
        return set()
    names: set[str] = set()
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
            continue  # names inside are local
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
        pending += ast.iter_child_nodes(node)
    return names

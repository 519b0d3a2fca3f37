"""Errors that follow from an earlier error: a name that a failed cell would have defined."""

import ast
import functools
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from grader.schema.evidence import Evidence
from grader.schema.message import MessageLike, say, sentences
from grader.schema.submission import CellError

__all__ = ["FollowUp", "advice_of", "cause_text", "defines_missing", "follow_ups"]

_MISSING = re.compile(r"^(?:name|cannot access local variable) '(\w+)'")
_CELLS = 2048
"""Number of cells whose names are kept."""


class FollowUp(NamedTuple):
    """The reason for a `NameError`."""

    name: str
    """The name that is not defined."""
    defined_in: int | None
    """Index of the cell that defines the name; None if no cell does."""
    root: int | None
    """Index of the earlier failed cell from which the error follows; None if it follows from no error."""


def follow_ups(evidence: Evidence) -> Mapping[int, FollowUp]:
    """Find the reason for each `NameError` of a run, by the index of its cell.

    A cell that raised an error may have ended before it defined its names. An error that follows from another error is
    traced back to the first one.
    """
    defines = {cell.index: _defined(cell.source) for cell in evidence.cells if cell.kind == "code"}
    failed = [error.cell for error in evidence.run.errors if error.cell is not None]
    found: dict[int, FollowUp] = {}
    for error in evidence.run.errors:
        name = _missing(error)
        if name is None or error.cell is None:
            continue
        cells = [index for index, names in defines.items() if name in names and index != error.cell]
        causes = [index for index in cells if index in failed and index < error.cell]
        root = causes[0] if causes else None
        while root in found and found[root].root is not None:
            root = found[root].root
        found[error.cell] = FollowUp(name, causes[0] if causes else min(cells, default=None), root)
    return found


def defines_missing(evidence: Evidence, error: CellError) -> bool:
    """Whether the code up to a `NameError` could have defined the name, such as below an `if`.

    Args:
        evidence: The evidence of one execution.
        error: One of its errors; any other exception gives False.
    """
    name, cell = _missing(error), error.cell
    if name is None or cell is None:
        return False
    if error.name == "UnboundLocalError":
        # Python raises it only for a name that the function defines.
        return True
    return any(name in _defined(c.source) for c in evidence.cells if c.kind == "code" and c.index <= cell)


def _missing(error: CellError) -> str | None:
    """Return the name that is not defined; None for any other exception."""
    match = _MISSING.match(error.message) if error.name in {"NameError", "UnboundLocalError"} else None
    return None if match is None else match[1]


def advice_of(error: CellError, reason: FollowUp | None) -> MessageLike:
    """Give the advice for an error: for a missing name by its reason, else by its exception.

    Args:
        error: The error.
        reason: Its item in `follow_ups`, if there is one.
    """
    if reason is None or error.cell is None:
        return error.advice
    if reason.root is not None:
        return say(
            "This error follows from the error in {root:cell}, so that {name:code} was never defined. Correct "
            "{root:cell} first.",
            root=reason.root,
            name=reason.name,
        )
    if reason.defined_in is None:
        return say(
            "No cell of the notebook defines {name:code}. Check its spelling, or add the cell that defines it. Then "
            "restart your kernel and run all cells.",
            name=reason.name,
        )
    if reason.defined_in > error.cell:
        return say(
            "{name:code} is defined only later, in {cell:cell}. Move that cell up, restart your kernel, and run all "
            "cells.",
            name=reason.name,
            cell=reason.defined_in,
        )
    return sentences(
        say(
            "{cell:Cell} contains a definition of {name:code}, but it had no effect.",
            cell=reason.defined_in,
            name=reason.name,
        ),
        error.advice,
    )


def cause_text(error: CellError) -> str:
    """Return the cause of an error; the first line of its text in evidence of an earlier version."""
    return error.cause or next(iter(error.message.strip().splitlines()), "")


@functools.lru_cache(maxsize=_CELLS)
def _defined(source: str) -> frozenset[str]:
    """List the names that a cell defines at its top level; in code that Python cannot parse, by its assignments."""
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    try:
        tree = ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError):
        return frozenset(re.findall(r"^[ \t]*(\w+)[ \t]*=(?!=)", source, re.MULTILINE))
    return frozenset(_names(tree))


def _names(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield child.name
            continue
        if isinstance(child, ast.alias):
            yield (child.asname or child.name).partition(".")[0]
        elif isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            yield child.id
        if not isinstance(child, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            yield from _names(child)

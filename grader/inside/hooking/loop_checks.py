"""Adds a check to the loops of the student's code, so that a training in a loop can be stopped between two iterations.

The check is at the end of an iteration, before the next item is taken: `if __grader_loop__ and
__grader_loop__.ends(7): break`. The name is one of Python's built-in names. It is None until a training must be stopped
or recorded, so the check costs a look-up, and the code computes the same as without it. Only loops that call something
get one. Graphs that TensorFlow makes of functions have no checks, because it reads the functions' own text.
"""

import ast
import builtins
import itertools
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from .patching import around

__all__ = ["LoopChecks", "check_imports", "lines_of", "set_checker"]

_NAME = "__grader_loop__"
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_sites = itertools.count(1)
_lines: dict[int, range] = {}


def set_checker(checker: Any) -> None:
    """Set the object that the checks ask; None turns them off.

    Args:
        checker: Has `enters(site)`, called at the start of a loop, and `ends(site)`, called at the end of an iteration,
            which returns whether the loop must end. `lines_of(site)` gives the lines of the loop.
    """
    setattr(builtins, _NAME, checker)


def lines_of(site: int) -> range:
    """Return the line numbers of a loop in its file; empty for an unknown loop."""
    return _lines.get(site, range(0))


class LoopChecks(ast.NodeTransformer):
    """Adds the checks to a syntax tree. Line numbers and the text of the code do not change."""

    def __init__(self) -> None:
        """Define the name that the checks look up."""
        if not hasattr(builtins, _NAME):
            set_checker(None)

    def visit(self, node: ast.AST) -> Any:
        """Add the checks to a whole module; a tree that cannot be changed stays as it is."""
        if not isinstance(node, ast.Module):
            return node
        try:
            node.body = _with_checks(node.body, None)
        except RecursionError:
            return node
        return ast.fix_missing_locations(node)


def check_imports(folder: Path) -> None:
    """Add the checks to the modules that the notebook imports from a folder.

    Args:
        folder: The student's folder.
    """
    checks, place = LoopChecks(), str(folder)

    def compiled(original: Callable[..., Any], loader: Any, data: Any, path: Any, *args: Any, **kwargs: Any) -> Any:
        if str(path).startswith(place) and isinstance(data, (bytes, str)):
            with suppress(SyntaxError, ValueError, RecursionError):  # Python itself reports it
                data = checks.visit(ast.parse(data, filename=str(path)))
        return original(loader, data, path, *args, **kwargs)

    around(SourceFileLoader, "source_to_code", compiled)
    sys.dont_write_bytecode = True


def _with_checks(body: list[ast.stmt], site: int | None) -> list[ast.stmt]:
    """Add checks to the loops of some statements.

    Args:
        body: The statements.
        site: Number of the innermost loop that they belong to; None outside of loops or in a loop without a check.
    """
    changed: list[ast.stmt] = []
    for statement in body:
        if isinstance(statement, _LOOPS):
            changed += _checked_loop(statement, site)
        elif isinstance(statement, ast.Continue) and site is not None:
            changed += [_check(site, statement), statement]
        else:
            _inside(statement, None if isinstance(statement, _FUNCTIONS) else site)
            changed.append(statement)
    return changed


def _inside(statement: ast.AST, site: int | None) -> None:
    """Add checks to the statements inside another statement."""
    for _, value in ast.iter_fields(statement):
        if not isinstance(value, list) or not value:
            continue
        if isinstance(value[0], ast.stmt):
            value[:] = _with_checks(value, site)
        else:
            for part in value:
                if isinstance(part, (ast.ExceptHandler, ast.match_case)):
                    part.body = _with_checks(part.body, site)


def _checked_loop(loop: Any, outer: int | None) -> list[ast.stmt]:
    # The `else` of a loop belongs to the loop around it.
    loop.orelse = _with_checks(loop.orelse, outer)
    if not _calls_something(loop):
        loop.body = _with_checks(loop.body, None)
        return [loop]
    site = next(_sites)
    _lines[site] = range(loop.lineno, (loop.end_lineno or loop.lineno) + 1)
    loop.body = _with_checks(loop.body, site)
    if not isinstance(loop.body[-1], (ast.Continue, ast.Break, ast.Return, ast.Raise)):
        loop.body.append(_check(site, loop.body[-1]))
    return [_statement(f"if {_NAME}: {_NAME}.enters({site})", loop), loop]


def _calls_something(loop: Any) -> bool:
    """Whether the statements of a loop contain a call outside of inner functions."""
    waiting: list[ast.AST] = list(loop.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call):
            return True
        if not isinstance(node, _FUNCTIONS):
            waiting += ast.iter_child_nodes(node)
    return False


def _check(site: int, place: ast.stmt) -> ast.stmt:
    return _statement(f"if {_NAME} and {_NAME}.ends({site}): break", place)


def _statement(code: str, place: ast.stmt) -> ast.stmt:
    """Make a statement at the place of another one."""
    made = ast.parse(code).body[0]
    for node in ast.walk(made):
        ast.copy_location(node, place)
    return made

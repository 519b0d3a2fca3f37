"""Unfinished cells, cells that were run in another order, and names that no cell defines."""

import ast
import itertools
from collections.abc import Collection, Iterable, Sequence
from typing import TypeGuard

from grader.checks.registry import diagnostic
from grader.checks.support.definitions import PLATFORM_NAMES, bound_names, missing_name, undefined_in
from grader.checks.support.source_code import called_name, parsed
from grader.facts.case import Case
from grader.facts.placeholders import marked_line
from grader.schema.evidence import CellFact
from grader.schema.grade import Diagnostic
from grader.schema.message import say, say_count, sentences

__all__ = ["name_from_elsewhere", "out_of_order", "unfinished_cells"]

_TAKE_ELLIPSIS = frozenset({"Argument", "Body", "Field", "Option", "Path", "Query"})
"""Functions that take `...` as an argument."""
_ERRORS = ("Error", "Exception", "Warning")
"""Ends of the names of exception classes."""
_ABSTRACT = frozenset({"ABC", "Protocol", "abstractmethod", "overload"})


@diagnostic("unfinished-cell")
def unfinished_cells(case: Case) -> tuple[Diagnostic, ...]:
    """A cell still contains the placeholder of the assignment.

    What it does:
        Looks for a placeholder in place of code (`y = ### YOUR CODE HERE`, `pass  # your code`, `...`, `[...]`,
        `raise NotImplementedError`). Also looks for cells that raised an error and still have a placeholder in a
        comment, and for cells with nothing else. Ignores abstract methods and classes that another class extends, an
        error for a case that a branch does not support, and `...` where `pass` is usual: in an exception class or an
        `except` block.

    Why it matters:
        Every later cell that needs the result of an unfinished cell fails too.

    Example:
        `y_train = ### YOUR CODE HERE`
    """
    bases = _extended(case.evidence.cells)
    return tuple(
        Diagnostic(
            id="unfinished-cell",
            title=say("An unfinished cell"),
            cell=cell.index,
            message=sentences(
                say("{cell:Cell} still contains a placeholder: {line:code}.", cell=cell.index, line=line),
                say("The cell raised {error:code}.", error=cell.error) if cell.error else None,
            ),
            advice=say(
                "Replace the placeholder with your code. If you do not need this step, delete the cell, so that the "
                "notebook runs from top to bottom."
            ),
        )
        for cell in case.evidence.cells
        if cell.kind == "code" and (line := _placeholder(cell, bases))
    )


def _placeholder(cell: CellFact, bases: Collection[str]) -> str:
    """Find the line with the placeholder; empty if the cell is finished.

    Args:
        cell: A code cell.
        bases: Names of the classes that other classes of the notebook extend.
    """
    return marked_line(cell) or _empty_statement(cell.source, bases)


def _extended(cells: Iterable[CellFact]) -> frozenset[str]:
    """Collect the names of classes that other classes extend."""
    return frozenset(
        base.id
        for cell in cells
        if "NotImplementedError" in cell.source or "class " in cell.source
        for node in ast.walk(parsed(cell.source) or ast.Module(body=[], type_ignores=[]))
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Name)
    )


def _empty_statement(source: str, bases: Collection[str]) -> str:
    """Find code that is only a placeholder: `...`, `x = ...`, `[...]`, `raise NotImplementedError`."""
    if "..." not in source and "NotImplementedError" not in source:
        return ""  # almost every cell; saves the parsing
    tree = parsed(source)
    if tree is None:
        return ""
    meant = {id(inner) for node in ast.walk(tree) if _is_abstract(node, bases) for inner in ast.walk(node)}
    meant |= {id(statement) for node in ast.walk(tree) for statement in _complete(node)}
    for node in ast.walk(tree):
        if id(node) not in meant and _is_placeholder(node):
            return _line_of(source, node)
    return ""


def _is_placeholder(node: ast.AST) -> TypeGuard[ast.expr | ast.stmt]:
    if isinstance(node, (ast.Expr, ast.Assign)):
        return _is_ellipsis(node.value)
    if isinstance(node, ast.List):
        return len(node.elts) == 1 and _is_ellipsis(node.elts[0])
    if isinstance(node, ast.Call):
        return len(node.args) == 1 and _is_ellipsis(node.args[0]) and called_name(node) not in _TAKE_ELLIPSIS
    return isinstance(node, ast.Raise) and "NotImplementedError" in ast.dump(node)


def _complete(node: ast.AST) -> Sequence[ast.stmt]:
    """List the statements of finished code that look like placeholders."""
    if isinstance(node, ast.If):
        return [each for each in (*node.body, *node.orelse) if isinstance(each, ast.Raise)]
    if isinstance(node, ast.match_case):
        return [each for each in node.body if isinstance(each, ast.Raise)]
    if isinstance(node, ast.ExceptHandler):
        return node.body
    if isinstance(node, ast.ClassDef) and any(_last_name(base).endswith(_ERRORS) for base in node.bases):
        return node.body
    return ()


def _is_abstract(node: ast.AST, bases: Collection[str]) -> bool:
    """Whether code is meant to be empty: an abstract or overloaded method, a protocol, or a class to be extended."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return any(_last_name(each) in _ABSTRACT for each in node.decorator_list)
    return isinstance(node, ast.ClassDef) and (
        node.name in bases or any(_last_name(each) in _ABSTRACT for each in node.bases)
    )


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is Ellipsis


def _line_of(source: str, node: ast.expr | ast.stmt) -> str:
    return source.splitlines()[node.lineno - 1].strip().replace("`", "'")[:80]


@diagnostic("cells-out-of-order")
def out_of_order(case: Case) -> tuple[Diagnostic, ...]:
    """The cells of the submitted notebook were not run from top to bottom.

    What it does:
        Compares the execution counts in the file with the order of the cells. Gaps and equal numbers (copied cells) are
        fine, a step back is not. Ignores cells that were never run: their number is empty or 0. A second cell with the
        number 1 shows that the kernel was restarted there, which is fine, too.

    Why it matters:
        A run from top to bottom may give other results than those in the submitted file.

    Example:
        A cell with the number 15 before a cell with the number 3.
    """
    counts = [(c.index, c.submitted_count) for c in case.evidence.cells if c.submitted_count]
    steps_back = [
        (a, b)
        for place, (a, b) in enumerate(itertools.pairwise(counts), start=1)
        if b[1] < a[1] and not (b[1] == 1 and any(count == 1 for _, count in counts[:place]))
    ]
    if not steps_back:
        return ()
    (above, higher), (cell, lower) = steps_back[0]
    return (
        Diagnostic(
            id="cells-out-of-order",
            title=say("Cells were run out of order"),
            cell=cell,
            message=sentences(
                say(
                    "In the submitted file, {cell:cell} has the execution number [{lower:raw}], but {above:cell} above "
                    "it has [{higher:raw}].",
                    cell=cell,
                    lower=lower,
                    above=above,
                    higher=higher,
                ),
                say_count(
                    "This happens once in the notebook.",
                    "This happens {count:number} times in the notebook.",
                    len(steps_back),
                ),
            ),
            advice=say(
                "Restart the kernel and run all cells before you submit. Only then do the outputs in the file belong "
                "to the code above them."
            ),
        ),
    )


@diagnostic("name-from-elsewhere")
def name_from_elsewhere(case: Case) -> tuple[Diagnostic, ...]:
    """A cell uses a name that no earlier cell defines.

    What it does:
        For each `NameError`, looks for the cell that defines the name. The name is reported if a later cell defines it,
        or if no cell does although the author's kernel ran the failing cell without an error. Ignores a cell whose
        stored output is the same error, and a name that the failing cell itself defines further down. Ignores names
        that a failed cell above would have defined, because that cell needs to be fixed first. Also ignores names after
        `import *`, because the imported names are unknown, and the names that Databricks defines.

    Why it matters:
        The notebook worked only in its author's kernel, which remembered a cell that ran earlier or was deleted.

    Example:
        `model.add(keras.layers.Dense(10))` in a notebook without `import keras`.
    """
    notes: dict[str, Diagnostic] = {}
    for error in case.evidence.run.errors:
        name = missing_name(error)
        if name is not None and name not in notes and error.cell is not None:
            note = _note(case, name, error.cell)
            if note is not None:
                notes[name] = note
    return tuple(notes.values())


def _note(case: Case, name: str, cell: int) -> Diagnostic | None:
    code = [c for c in case.evidence.cells if c.kind == "code"]
    definitions = [c.index for c in code if name in bound_names(c)]
    if any(index <= cell for index in definitions):
        return None
    here = next((c for c in code if c.index == cell), None)
    if name in PLATFORM_NAMES or (here is not None and _was_missing(here, name)):
        return None
    if definitions:
        message = say(
            "{cell:Cell} uses {name:code}, which is defined only further down, in {later:cell}. This works only if the "
            "cells run in another order.",
            cell=cell,
            name=name,
            later=definitions[0],
        )
    elif here is not None and _ran_through(here) and not _stars(code, cell):
        message = say(
            "{cell:Cell} uses {name:code}, which no cell of this notebook defines. The file shows that the cell was "
            "run ([{number:raw}]), so the name came from a deleted or changed cell.",
            cell=cell,
            name=name,
            number=here.submitted_count,
        )
    else:
        return None
    return Diagnostic(
        id="name-from-elsewhere",
        title=say("A name that no earlier cell defines"),
        cell=cell,
        message=message,
        advice=say(
            "Define {name:code} (perhaps with an import) in a cell above this one. Then restart the kernel and run all "
            "cells before you submit.",
            name=name,
        ),
    )


def _ran_through(cell: CellFact) -> bool:
    """Whether a cell ran in its author's kernel without an error; after one, it may not have reached each name."""
    return cell.submitted_count is not None and cell.submitted_error is None


def _was_missing(cell: CellFact, name: str) -> bool:
    """Whether the cell raised the same error in its author's kernel."""
    return cell.submitted_error is not None and undefined_in(cell.submitted_error) == name


def _stars(code: Sequence[CellFact], cell: int) -> bool:
    return any("*" in bound_names(above) for above in code if above.index <= cell)

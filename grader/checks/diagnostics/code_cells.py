"""Unfinished cells, cells that were run in another order, and names that no cell defines."""

import ast
import itertools
import re
from collections.abc import Sequence

from grader.checks.registry import diagnostic
from grader.checks.support.source_code import parsed
from grader.facts.case import Case
from grader.schema.evidence import CellFact
from grader.schema.grade import Diagnostic
from grader.schema.message import say, say_count, sentences
from grader.schema.submission import CellError

__all__ = ["name_from_elsewhere", "out_of_order", "unfinished_cells"]

_MARK = r"(?:YOUR[ _]+CODE(?:[ _]+HERE)?|YOUR[ _]+ANSWER|FILL[ _]+(?:THIS|ME|HERE)|TODO\b)"
_IN_CODE = re.compile(
    rf"^[^#'\"\n]*(?:=|\breturn|\bin)[ \t]*#+[^\n]*{_MARK}"  # `y = ### YOUR CODE HERE`
    rf"|^[ \t]*(?:pass|\.\.\.)[ \t]*#[^\n]*(?:{_MARK}|your code)",  # `pass  # your code`
    re.MULTILINE | re.IGNORECASE,
)
_MARKED = re.compile(rf"#[^\n]*{_MARK}", re.IGNORECASE)
_UNFINISHED_ERRORS = frozenset(
    {"SyntaxError", "IndentationError", "NameError", "NotImplementedError", "TypeError", "AttributeError"}
)


@diagnostic("unfinished-cell")
def unfinished_cells(case: Case) -> tuple[Diagnostic, ...]:
    """A cell still contains the placeholder of the assignment.

    What it does:
        Looks for a placeholder in place of code (`y = ### YOUR CODE HERE`, `pass  # your code`, `...`,
        `raise NotImplementedError`). Also looks for cells that raised an error and still have a placeholder in a
        comment.

    Why it matters:
        Every later cell that needs the result of an unfinished cell fails too.

    Example:
        `y_train = ### YOUR CODE HERE`
    """
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
        if cell.kind == "code" and (line := _placeholder(cell))
    )


def _placeholder(cell: CellFact) -> str:
    """Find the line with the placeholder; empty if the cell is finished."""
    if cell.error in _UNFINISHED_ERRORS and (marked := _MARKED.search(cell.source)):
        return _line(cell.source, marked.start())
    if match := _IN_CODE.search(cell.source):
        return _line(cell.source, match.start())
    return _empty_statement(cell.source)


def _line(source: str, position: int) -> str:
    start = source.rfind("\n", 0, position) + 1
    if source[position : position + 1] == "\n":
        start = position + 1
    line = source[start:].split("\n", 1)[0].strip().replace("`", "'")
    return line if len(line) <= 80 else line[:79] + "…"  # noqa: PLR2004 - one readable line


def _empty_statement(source: str) -> str:
    """Find a statement that is only a placeholder: `...`, `x = ...`, `raise NotImplementedError`."""
    if "..." not in source and "NotImplementedError" not in source:
        return ""  # almost every cell; saves the parsing
    tree = parsed(source)
    if tree is None:
        return ""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Expr, ast.Assign)) and _is_ellipsis(node.value):
            return _line_of(source, node)
        if isinstance(node, ast.Raise) and "NotImplementedError" in ast.dump(node):
            return _line_of(source, node)
    return ""


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is Ellipsis


def _line_of(source: str, node: ast.Expr | ast.Assign | ast.Raise) -> str:
    return source.splitlines()[node.lineno - 1].strip().replace("`", "'")[:80]


@diagnostic("cells-out-of-order")
def out_of_order(case: Case) -> tuple[Diagnostic, ...]:
    """The cells of the submitted notebook were not run from top to bottom.

    What it does:
        Compares the execution counts in the file with the order of the cells. Gaps are fine, a step back is not.

    Why it matters:
        A run from top to bottom may give other results than those in the submitted file.

    Example:
        A cell with the number 15 before a cell with the number 3.
    """
    counts = [(c.index, c.submitted_count) for c in case.evidence.cells if c.submitted_count is not None]
    steps_back = [(a, b) for a, b in itertools.pairwise(counts) if b[1] <= a[1]]
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


_NAME_ERROR = re.compile(r"name '([^']+)' is not defined")


@diagnostic("name-from-elsewhere")
def name_from_elsewhere(case: Case) -> tuple[Diagnostic, ...]:
    """A cell uses a name that no earlier cell defines.

    What it does:
        For each `NameError`, looks for the cell that defines the name. The name is reported if a later cell defines it,
        or if no cell does although the author's kernel ran the failing cell. Ignores names that a failed cell above
        would have defined, because that cell needs to be fixed first. Also ignores names after `import *`, because
        the imported names are unknown.

    Why it matters:
        The notebook worked only in its author's kernel, which remembered a cell that ran earlier or was deleted.

    Example:
        `model.add(keras.layers.Dense(10))` in a notebook without `import keras`.
    """
    notes: dict[str, Diagnostic] = {}
    for error in case.evidence.run.errors:
        name = _missing_name(error)
        if name is not None and name not in notes and error.cell is not None:
            note = _note(case, name, error.cell)
            if note is not None:
                notes[name] = note
    return tuple(notes.values())


def _missing_name(error: CellError) -> str | None:
    match = _NAME_ERROR.search(error.message) if error.name == "NameError" else None
    return match[1] if match else None


def _note(case: Case, name: str, cell: int) -> Diagnostic | None:
    code = [c for c in case.evidence.cells if c.kind == "code"]
    definitions = [c.index for c in code if name in _bound(c)]
    if any(index < cell for index in definitions):
        return None
    here = next((c for c in code if c.index == cell), None)
    later = [index for index in definitions if index > cell]
    if later:
        message = say(
            "{cell:Cell} uses {name:code}, which is defined only further down, in {later:cell}. This works only if the "
            "cells run in another order.",
            cell=cell,
            name=name,
            later=later[0],
        )
    elif here is not None and here.submitted_count is not None and not definitions and not _stars(code, cell):
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


def _stars(code: Sequence[CellFact], cell: int) -> bool:
    return any("*" in _bound(above) for above in code if above.index <= cell)


def _bound(cell: CellFact) -> set[str]:
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

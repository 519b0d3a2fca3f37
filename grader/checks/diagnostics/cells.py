"""Cells that are unfinished, or were run in another order."""

import ast
import itertools
import re

from grader.checks.registry import diagnostic
from grader.checks.support.source_code import parsed
from grader.facts.case import Case
from grader.facts.wording import plural
from grader.schema.base import spoken_cell
from grader.schema.evidence import CellFact
from grader.schema.grade import Diagnostic

__all__ = ["out_of_order", "unfinished_cells"]

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
    """A cell still holds the placeholder that the assignment left in it.

    What it does:
        Looks for a placeholder where code belongs (`y = ### YOUR CODE HERE`, `pass  # your code`, `...`,
        `raise NotImplementedError`), and for cells that raised and still have a placeholder in a comment.

    Why it matters:
        Everything after an unfinished cell that needs its result fails with it.

    Example:
        `y_train = ### YOUR CODE HERE`
    """
    return tuple(
        Diagnostic(
            id="unfinished-cell",
            title="An unfinished cell",
            cell=cell.index,
            message=f"{spoken_cell(cell.index).capitalize()} still holds a placeholder: `{line}`{_raised(cell)}.",
            advice=(
                "Write the code that belongs there and delete the placeholder. If the step is not needed, remove the "
                "cell, so that the notebook runs from top to bottom."
            ),
        )
        for cell in case.evidence.cells
        if cell.kind == "code" and (line := _placeholder(cell))
    )


def _raised(cell: CellFact) -> str:
    return f", and raised {cell.error}" if cell.error else ""


def _placeholder(cell: CellFact) -> str:
    """The line with the placeholder; empty when the cell is finished."""
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
    """Find a statement that does nothing but stand in for one: `...`, `x = ...`, `raise NotImplementedError`."""
    if "..." not in source and "NotImplementedError" not in source:
        return ""  # nearly every cell: it need not be parsed
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
    """The notebook was handed in with its cells run in another order than they stand in.

    What it does:
        Compares the execution counts in the file with the order of the cells; gaps are fine, a step back is not.

    Why it matters:
        What the author saw may not be what anybody sees who runs the file from top to bottom.

    Example:
        A cell with the number 15 before a cell with the number 3.
    """
    counted = [(c.index, c.submitted_count) for c in case.evidence.cells if c.submitted_count is not None]
    back = [(a, b) for a, b in itertools.pairwise(counted) if b[1] <= a[1]]
    if not back:
        return ()
    (before, high), (after, low) = back[0]
    return (
        Diagnostic(
            id="cells-out-of-order",
            title="Cells were run out of order",
            cell=after,
            message=(
                f"In the file as it was handed in, {spoken_cell(after)} has the number [{low}] and "
                f"{spoken_cell(before)} above it has [{high}]; the order goes back {plural(len(back), 'time')}."
            ),
            advice=(
                "Restart the kernel and run all cells before handing in. Only then do the numbers in the file belong "
                "to the code that stands there."
            ),
        ),
    )

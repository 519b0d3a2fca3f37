"""Cells that are unfinished or were run in another order, and names that no cell defines."""

import ast
import itertools
import re
from collections.abc import Sequence

from grader.checks.registry import diagnostic
from grader.checks.support.source_code import parsed
from grader.facts.case import Case
from grader.facts.wording import plural
from grader.schema.base import spoken_cell
from grader.schema.evidence import CellFact
from grader.schema.grade import Diagnostic
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


_NAME_ERROR = re.compile(r"name '([^']+)' is not defined")


@diagnostic("name-from-elsewhere")
def name_from_elsewhere(case: Case) -> tuple[Diagnostic, ...]:
    """A cell uses a name that a run from top to bottom has not made yet, or never makes.

    What it does:
        Looks at each `NameError` for where the name is made: in a cell further down, or in none at all although the
        file says that the cell ran where it was written. A name that a failed cell above would have made is passed
        over: that cell's own error is the one to mend. So is any name where a cell above imports `*`, since nobody can
        tell what that would have brought.

    Why it matters:
        The notebook worked only in its author's kernel, which remembered a cell that was run earlier or deleted since.

    Example:
        `model.add(keras.layers.Dense(10))` in a notebook that nowhere says `import keras`.
    """
    notes: dict[str, Diagnostic] = {}
    for error in case.evidence.run.errors:
        name = _missing_name(error)
        if name is not None and name not in notes and error.cell is not None:
            found = _note(case, name, error.cell)
            if found is not None:
                notes[name] = found
    return tuple(notes.values())


def _missing_name(error: CellError) -> str | None:
    match = _NAME_ERROR.search(error.message) if error.name == "NameError" else None
    return match[1] if match else None


def _note(case: Case, name: str, cell: int) -> Diagnostic | None:
    code = [c for c in case.evidence.cells if c.kind == "code"]
    makers = [c.index for c in code if name in _bound(c)]
    if any(index < cell for index in makers):
        return None
    here = next((c for c in code if c.index == cell), None)
    later = [index for index in makers if index > cell]
    if later:
        message = (
            f"{spoken_cell(cell).capitalize()} uses `{name}`, which is first made in {spoken_cell(later[0])}, further "
            "down: it exists there only when the cells are run in another order."
        )
    elif here is not None and here.submitted_count is not None and not makers and not _stars(code, cell):
        message = (
            f"{spoken_cell(cell).capitalize()} uses `{name}`, which no cell of this notebook makes. The file says that "
            f"the cell was run ([{here.submitted_count}]), so the name came from a cell that is gone."
        )
    else:
        return None
    return Diagnostic(
        id="name-from-elsewhere",
        title="A name that only the author's kernel knew",
        cell=cell,
        message=message,
        advice=(
            f"Put the cell that makes `{name}` (an import, perhaps) above this one. Then restart the kernel and run "
            "all cells before handing in, so that nothing of an earlier order is left."
        ),
    )


def _stars(code: Sequence[CellFact], cell: int) -> bool:
    return any("*" in _bound(above) for above in code if above.index <= cell)


def _bound(cell: CellFact) -> set[str]:
    """Names that a cell makes at its top level: assigned, imported, defined."""
    tree = parsed(cell.source)
    if tree is None:
        return set()
    names: set[str] = set()
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
            continue  # what it makes inside is its own
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
        waiting += ast.iter_child_nodes(node)
    return names

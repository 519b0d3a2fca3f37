"""Names that exist only in the kernel of the notebook's author."""

import ast
import re
from collections.abc import Sequence

from grader.checks.registry import diagnostic
from grader.checks.support.source_code import parsed
from grader.facts.case import Case
from grader.schema.base import spoken_cell
from grader.schema.evidence import CellFact
from grader.schema.grade import Diagnostic
from grader.schema.submission import CellError

__all__ = ["name_from_elsewhere"]

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

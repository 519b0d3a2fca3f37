"""Numbers that a cell prints because they were typed into it."""

import ast
from collections.abc import Iterator, Sequence

from grader.checks.code import called_name, parsed
from grader.schema.evidence import CellFact

__all__ = ["printed_literals", "typed_texts"]

_PRINTING = frozenset({"print", "display"})
_WHOLE = (1.0, 100.0)
_COMPUTED = (ast.Name, ast.Call, ast.Attribute, ast.Subscript)


def typed_texts(cell: CellFact) -> tuple[str, ...]:
    """Texts that stand between quotation marks in a cell's code.

    Args:
        cell: A cell of code.
    """
    tree = parsed(cell.source)
    return tuple(
        n.value
        for n in (ast.walk(tree) if tree is not None else ())
        if isinstance(n, ast.Constant) and isinstance(n.value, str)
    )


def printed_literals(cells: Sequence[CellFact], cell: CellFact) -> tuple[float, ...]:
    """Numbers that a cell prints and that were typed there, or given to a printed name as they are.

    Numbers that something is computed with (`100.0 * right / n`) are left out, and so are counts and 1.0 and 100.0,
    which stand in code for many reasons.

    Args:
        cells: The notebook's.
        cell: The one that prints.
    """
    tree = parsed(cell.source)
    shown = [node for root in _printing(tree) for node in _uncomputed(root)] if tree is not None else []
    names = {node.id for node in shown if isinstance(node, ast.Name)}
    before = [c for c in cells if c.kind == "code" and c.index <= cell.index]
    typed = _typed(before, names) if names else []
    return tuple(number for node in (*shown, *typed) for number in _number(node))


def _printing(tree: ast.AST) -> Iterator[ast.AST]:
    """What is printed or made into text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called_name(node) in _PRINTING:
            yield from node.args
        elif isinstance(node, ast.FormattedValue):
            yield node.value


def _uncomputed(root: ast.AST) -> Iterator[ast.AST]:
    """The parts of an expression that are shown as they are."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Compare) or (isinstance(node, ast.BinOp) and not _is_text(node) and _computes(node)):
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))


def _is_text(node: ast.AST) -> bool:
    """Whether it is a text with something put into it or behind it."""
    while isinstance(node, ast.BinOp):
        node = node.left
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _computes(tree: ast.AST) -> bool:
    return any(isinstance(node, _COMPUTED) for node in ast.walk(tree))


def _typed(cells: Sequence[CellFact], names: set[str]) -> list[ast.AST]:
    """The parts of what names were last bound to, where nothing of it is computed."""
    last: dict[str, ast.AST] = {}
    for tree in (parsed(cell.source) for cell in cells):
        nodes = list(ast.walk(tree)) if tree is not None else []
        values = {id(n.targets[0]): n.value for n in nodes if isinstance(n, ast.Assign)}
        bound = [n for n in nodes if isinstance(n, ast.Name) and n.id in names and isinstance(n.ctx, ast.Store)]
        # Any other way to bind a name than a plain assignment leads to the name itself, and that is no number.
        for node in sorted(bound, key=lambda n: (n.lineno, n.col_offset)):
            last[node.id] = values.get(id(node), node)
    return [part for value in last.values() if not _computes(value) for part in ast.walk(value)]


def _number(node: ast.AST) -> Iterator[float]:
    if isinstance(node, ast.Constant) and isinstance(node.value, float) and node.value not in _WHOLE:
        yield node.value

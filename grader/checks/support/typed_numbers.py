"""Numbers that a cell prints because they were typed into it."""

import ast
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence

from grader.checks.support.source_code import called_name, parsed, read_code
from grader.schema.evidence import CellFact

__all__ = ["TypedNumbers", "typed_texts"]

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


class TypedNumbers:
    """Numbers that cells print and that were typed there, or given to a printed name as they are.

    Numbers that something is computed with (`100.0 * right / n`) are left out, and so are counts and 1.0 and 100.0,
    which stand in code for many reasons. Of a notebook with too much code nothing is known.
    """

    def __init__(self, cells: Sequence[CellFact]) -> None:
        """Read the code once.

        Args:
            cells: The notebook's, in order.
        """
        self._trees = read_code(cells) or {}
        self._bound: dict[str, tuple[list[int], list[tuple[float, ...]]]] | None = None

    def printed(self, cell: CellFact) -> tuple[tuple[float, ...], ...]:
        """The numbers of one cell, as groups in ascending order: its own, and those of each name that it prints.

        Args:
            cell: The one that prints.
        """
        tree = self._trees.get(cell.index)
        if tree is None:
            return ()
        seen: set[int] = set()
        shown = [node for root in _printing(tree) for node in _uncomputed(root, seen)]
        names = {node.id for node in shown if isinstance(node, ast.Name)}
        groups = (_numbers(shown), *(self._last(name, cell.index) for name in sorted(names)))
        return tuple(group for group in groups if group)

    def _last(self, name: str, cell: int) -> tuple[float, ...]:
        """The numbers in what a name was last bound to in a cell or before it, where nothing of it is computed."""
        if self._bound is None:
            self._bound = _bindings(self._trees)
        indices, values = self._bound.get(name, ([], []))
        place = bisect_right(indices, cell)
        return values[place - 1] if place else ()


def _printing(tree: ast.AST) -> Iterator[ast.AST]:
    """What is printed or made into text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called_name(node) in _PRINTING:
            yield from node.args
        elif isinstance(node, ast.FormattedValue):
            yield node.value


def _uncomputed(root: ast.AST, seen: set[int]) -> Iterator[ast.AST]:
    """The parts of an expression that are shown as they are, without those that were gone through before."""
    # With each part, whether it is known that nothing in it is computed. No chain is looked through at every link.
    waiting = [(root, False)]
    texts: set[int] = set()
    while waiting:
        node, plain = waiting.pop()
        if id(node) in seen or isinstance(node, ast.Compare):
            continue
        seen.add(id(node))
        if isinstance(node, ast.BinOp) and not plain:
            if id(node) in texts or _is_text(node):
                texts.add(id(node.left))
            elif _computes(node):
                continue
            else:
                plain = True
        yield node
        waiting.extend((child, plain) for child in ast.iter_child_nodes(node))


def _is_text(node: ast.AST) -> bool:
    """Whether it is a text with something put into it or behind it."""
    while isinstance(node, ast.BinOp):
        node = node.left
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _computes(tree: ast.AST) -> bool:
    return any(isinstance(node, _COMPUTED) for node in ast.walk(tree))


def _bindings(trees: Mapping[int, ast.Module]) -> dict[str, tuple[list[int], list[tuple[float, ...]]]]:
    """Of each name the cells that bind it, and the numbers in what each of them bound it to last."""
    found: dict[str, tuple[list[int], list[tuple[float, ...]]]] = {}
    for index, tree in trees.items():
        nodes = list(ast.walk(tree))
        values = {id(n.targets[0]): n.value for n in nodes if isinstance(n, ast.Assign)}
        bound = [n for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
        # Any other way to bind a name than a plain assignment leads to the name itself, and that is no number.
        last = {node.id: values.get(id(node), node) for node in sorted(bound, key=lambda n: (n.lineno, n.col_offset))}
        for name, value in last.items():
            indices, numbers = found.setdefault(name, ([], []))
            indices.append(index)
            numbers.append(() if _computes(value) else _numbers(ast.walk(value)))
    return found


def _numbers(nodes: Iterable[ast.AST]) -> tuple[float, ...]:
    values = (n.value for n in nodes if isinstance(n, ast.Constant))
    return tuple(sorted(v for v in values if isinstance(v, float) and v not in _WHOLE))

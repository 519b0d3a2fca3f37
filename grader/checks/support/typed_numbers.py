"""Find numbers that a cell prints although no code computed them."""

import ast
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence

from grader.checks.support.source_code import called_name, parsed, read_code
from grader.schema.evidence import CellFact

__all__ = ["TypedNumbers", "typed_texts"]

_PRINTING = frozenset({"print", "display", "format"})
_WHOLE = (1.0, 100.0)
_COMPUTED = (ast.Name, ast.Call, ast.Attribute, ast.Subscript)


def typed_texts(cell: CellFact) -> tuple[str, ...]:
    """List the string literals in a cell's code.

    Args:
        cell: A code cell.
    """
    tree = parsed(cell.source)
    return tuple(
        n.value
        for n in (ast.walk(tree) if tree is not None else ())
        if isinstance(n, ast.Constant) and isinstance(n.value, str)
    )


class TypedNumbers:
    """Numeric literals that cells print, directly or through a variable.

    Numbers in calculations (`100.0 * right / n`) do not count. Neither do integers, 1.0 and 100.0, which code contains
    for many reasons. A notebook with too much code has none.
    """

    def __init__(self, cells: Sequence[CellFact]) -> None:
        """Parse the code once.

        Args:
            cells: The notebook's cells, in order.
        """
        self._trees = read_code(cells) or {}
        self._bound: dict[str, tuple[list[int], list[tuple[float, ...]]]] | None = None

    def printed(self, cell: CellFact) -> tuple[tuple[float, ...], ...]:
        """List the printed numbers of a cell in groups: its own literals, then the literals in each printed variable.

        Args:
            cell: A code cell.

        Returns:
            Groups in ascending order, without empty ones.
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
        """Return the literals of a variable's last assignment up to a cell; empty if the value was computed."""
        if self._bound is None:
            self._bound = _bindings(self._trees)
        indices, values = self._bound.get(name, ([], []))
        place = bisect_right(indices, cell)
        return values[place - 1] if place else ()


def _printing(tree: ast.AST) -> Iterator[ast.AST]:
    """List the expressions that are printed or formatted as text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called_name(node) in _PRINTING:
            yield from node.args
        elif isinstance(node, ast.FormattedValue):
            yield node.value


def _uncomputed(root: ast.AST, seen: set[int]) -> Iterator[ast.AST]:
    """Walk through the parts of an expression that are shown without a calculation, except the parts in `seen`."""
    # Each part has a flag: nothing in it is computed. The flag saves a search at every link of a chain.
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
    """Whether an operation formats or extends a text."""
    while isinstance(node, ast.BinOp):
        node = node.left
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _computes(tree: ast.AST) -> bool:
    return any(isinstance(node, _COMPUTED) for node in ast.walk(tree))


def _bindings(trees: Mapping[int, ast.Module]) -> dict[str, tuple[list[int], list[tuple[float, ...]]]]:
    """Map each variable to the cells that assign it and the numeric literals of its last assignment."""
    assignments: dict[str, tuple[list[int], list[tuple[float, ...]]]] = {}
    for index, tree in trees.items():
        nodes = list(ast.walk(tree))
        values = {id(n.targets[0]): n.value for n in nodes if isinstance(n, ast.Assign)}
        names = [n for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
        # Other assignments (loops, tuples) give the name itself as value, which has no numbers.
        last = {node.id: values.get(id(node), node) for node in sorted(names, key=lambda n: (n.lineno, n.col_offset))}
        for name, value in last.items():
            indices, numbers = assignments.setdefault(name, ([], []))
            indices.append(index)
            numbers.append(() if _computes(value) else _numbers(ast.walk(value)))
    return assignments


def _numbers(nodes: Iterable[ast.AST]) -> tuple[float, ...]:
    values = (n.value for n in nodes if isinstance(n, ast.Constant))
    return tuple(sorted(v for v in values if isinstance(v, float) and v not in _WHOLE))

"""Reads from code whether repeated passes of a network are averaged."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from grader.checks.code import called_name, parsed
from grader.schema.evidence import CellFact

__all__ = ["averages", "averages_passes"]

_AVERAGING = frozenset(
    {"mean", "average", "nanmean", "reduce_mean", "median", "sum", "reduce_sum", "mode", "bincount", "most_common"}
)
_DIVIDING = frozenset({"divide", "true_divide", "div"})
_PREDICTING = frozenset({"predict", "predict_on_batch", "predict_proba"})
_COLLECTING = frozenset({"append", "extend", "add", "insert", "write", "assign_add"})
_SCORING = ("score", "accuracy", "equal")
_COMPREHENSIONS = (ast.ListComp, ast.GeneratorExp, ast.SetComp)
_LOOPS = (ast.For, ast.While)
_OWN_SCOPE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_LONGEST = 3
"""So many attributes a name may have behind it."""
_ROUNDS = 4
"""So many names may stand between a pass and its average."""


def averages(cells: Sequence[CellFact], cell: int | None, model: str) -> bool:
    """Whether code averages anything where a cell's passes are made, or what it makes in later cells.

    Args:
        cells: The notebook's.
        cell: Index of the cell in question.
        model: The network's name.
    """
    trees = _trees(cells)
    here = trees.get(cell) if cell is not None else None
    if here is None:
        return False
    if any(_averaging(scope) for scope in _reached(here, _functions(trees), model)):
        return True
    # `_` is what nobody means to use.
    bound = _names(here, stored=True) - {"_"}
    return any(_averaging(tree, bound) for tree in _later(trees, cell)) or averages_passes(cells, cell, model)


def averages_passes(cells: Sequence[CellFact], cell: int | None, model: str) -> bool:
    """Whether what is averaged holds the passes themselves, and not times, or which predictions were right.

    Args:
        cells: The notebook's.
        cell: Index of the cell that makes the passes.
        model: The network's name.
    """
    trees = _trees(cells)
    here = trees.get(cell) if cell is not None else None
    if here is None:
        return False
    functions = _functions(trees)
    kinds: dict[str, str] = {}
    for _ in range(_ROUNDS):
        for name, function in functions.items():
            kinds[name] = _Flow(model, kinds).read(function).returned(function)
    if any(_Flow(model, kinds).read(scope).averaged(scope) for scope in _reached(here, functions, model)):
        return True
    flow = _Flow(model, kinds).read(here)
    flow.kinds, flow.makes = {}, False
    return any(flow.read(tree).averaged(tree) for tree in _later(trees, cell))


def _trees(cells: Sequence[CellFact]) -> dict[int, ast.Module]:
    return {c.index: tree for c in cells if c.kind == "code" and (tree := parsed(c.source)) is not None}


def _later(trees: Mapping[int, ast.Module], cell: int | None) -> list[ast.Module]:
    return [tree for index, tree in trees.items() if cell is not None and index > cell]


def _functions(trees: Mapping[int, ast.Module]) -> dict[str, ast.FunctionDef]:
    """The notebook's functions and methods by name."""
    return {node.name: node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def _reached(here: ast.AST, functions: Mapping[str, ast.FunctionDef], model: str) -> Iterator[ast.AST]:
    """A cell's code, and the functions and methods it calls."""
    seen: set[str] = set()
    waiting = [here]
    while waiting:
        node = waiting.pop()
        yield node
        for name in (_called(node, model) & functions.keys()) - seen:
            seen.add(name)
            waiting.append(functions[name])


def _called(tree: ast.AST, model: str) -> set[str]:
    """Names of what is called; the network's own `predict` is Keras's, whatever methods the notebook defines."""
    return {
        called_name(n)
        for n in ast.walk(tree)
        if isinstance(n, ast.Call) and not (isinstance(n.func, ast.Attribute) and _key(n.func.value) == model)
    }


def _averaging(tree: ast.AST, names: set[str] | None = None) -> bool:
    """Whether a call averages anything, or one of some names."""
    return any(
        isinstance(node, ast.Call) and called_name(node) in _AVERAGING and (names is None or bool(names & _names(node)))
        for node in ast.walk(tree)
    )


def _names(tree: ast.AST, *, stored: bool = False) -> set[str]:
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and (not stored or isinstance(n.ctx, ast.Store))}


@dataclass(slots=True)
class _Flow:
    """Where the outputs of passes go, in one scope.

    Attributes:
        model: The network's name.
        kinds: Function → `one` where it returns a pass, `many` where it returns several, else empty.
        makes: Whether the scope's own passes count; those of later cells are others.
        one: Names that hold the output of a pass.
        many: Names that hold the outputs of several.
        sums: Names to which outputs are added.
        steps: Names that a loop counts with: `predict(x)[i]` is another image's prediction in each round.
    """

    model: str
    kinds: Mapping[str, str]
    makes: bool = True
    one: set[str] = field(default_factory=set)
    many: set[str] = field(default_factory=set)
    sums: set[str] = field(default_factory=set)
    steps: set[str] = field(default_factory=set)

    def read(self, scope: ast.AST) -> "_Flow":
        """Follow the outputs through a scope; what is known of another one before it stays known."""
        for _ in range(_ROUNDS):
            for node in _own(scope):
                self._bind(node)
                if isinstance(node, _LOOPS):
                    self._gather(node)
        return self

    def returned(self, function: ast.AST) -> str:
        """What a function gives back."""
        values = [n.value for n in _own(function) if isinstance(n, ast.Return) and n.value is not None]
        if any(self._collected(value) for value in values):
            return "many"
        return "one" if any(self._holds(value, self.one) for value in values) else ""

    def averaged(self, scope: ast.AST) -> bool:
        """Whether a scope averages several passes."""
        return any(
            (isinstance(node, ast.Call) and called_name(node) in _AVERAGING and self._collected(node))
            or any(_key(inner) in self.sums for part in _divided(node) for inner in ast.walk(part))
            for node in _own(scope)
        )

    def _bind(self, node: ast.AST) -> None:
        if isinstance(node, (ast.For, ast.comprehension)):
            # One after the other of several outputs, or a number.
            (self.one if self._collected(node.iter) else self.steps).update(_names(node.target))
        for target, value in _assigned(node):
            if self._collected(value):
                self.many.add(target)
            elif self._holds(value, self.one):
                self.one.add(target)

    def _gather(self, loop: ast.AST) -> None:
        """Find what a loop collects of the passes that it makes itself, or goes through."""
        made = {t for n in _own(loop) for t, value in _assigned(n) if self._holds(value, set())}
        if isinstance(loop, ast.For):
            made |= _names(loop.target) & self.one
        for node in _own(loop):
            for target, value, added in _gathered(node):
                if self._holds(value, made):
                    (self.sums if added else self.many).add(target)

    def _collected(self, tree: ast.AST) -> bool:
        """Whether an expression holds several outputs."""
        return any(self._is_several(node) for node in self._seen(tree))

    def _is_several(self, node: ast.AST) -> bool:
        if isinstance(node, _COMPREHENSIONS):
            return self._holds(node.elt, self.one)
        if isinstance(node, ast.List):
            return sum(self._holds(item, self.one) for item in node.elts) > 1
        if isinstance(node, ast.Call):
            return self.kinds.get(called_name(node)) == "many"
        return _key(node) in self.many

    def _holds(self, tree: ast.AST, names: set[str]) -> bool:
        """Whether an expression makes a pass or holds some of the names."""
        known = names | self.many
        return any(_key(node) in known or self._is_pass(node) for node in self._seen(tree))

    def _is_pass(self, node: ast.AST) -> bool:
        if not self.makes or not isinstance(node, ast.Call):
            return False
        name = called_name(node)
        return (
            name in _PREDICTING | {self.model, "model"}
            or bool(self.kinds.get(name))
            or any(keyword.arg == "training" for keyword in node.keywords)
        )

    def _seen(self, tree: ast.AST) -> Iterator[ast.AST]:
        """The parts of an expression that are outputs; a comparison says what was right, and is none."""
        waiting = [tree]
        while waiting:
            node = waiting.pop()
            if not _compares(node) and not self._is_step(node):
                yield node
                waiting.extend(ast.iter_child_nodes(node))

    def _is_step(self, node: ast.AST) -> bool:
        """Whether it takes another part of an output in each round of a loop."""
        if not isinstance(node, ast.Subscript):
            return False
        return _key(node.slice) in self.steps and _key(node.value) not in self.many


def _compares(node: ast.AST) -> bool:
    """Whether it says which predictions, or how many of them, were right."""
    if isinstance(node, ast.Call):
        return any(part in called_name(node).lower() for part in _SCORING)
    return isinstance(node, ast.Compare)


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """Everything in a scope but the functions and classes in it, in the order of the text."""
    waiting = list(ast.iter_child_nodes(scope))[::-1]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, _OWN_SCOPE):
            yield node
            waiting.extend(list(ast.iter_child_nodes(node))[::-1])


def _key(node: ast.AST) -> str:
    """A name, or a dotted one; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute) and len(parts) < _LONGEST:
        parts.append(node.attr)
        node = node.value
    return ".".join((node.id, *reversed(parts))) if isinstance(node, ast.Name) else ""


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Names that a statement binds, each with the expression."""
    targets = node.targets if isinstance(node, ast.Assign) else ()
    if isinstance(node, (ast.AnnAssign, ast.NamedExpr)):
        targets = [node.target]
    for target in targets:
        if (name := _key(target)) and isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and node.value:
            yield name, node.value


def _gathered(node: ast.AST) -> Iterator[tuple[str, ast.AST, bool]]:
    """A name that grows, by what, and whether that is added to it as a number."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
        yield _base(node.target), node.value, not isinstance(node.value, (ast.List, ast.Tuple, ast.ListComp))
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        yield _base(node.targets[0]), node.value, False
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _COLLECTING:
        for value in node.args:
            yield _base(node.func.value), value, node.func.attr == "assign_add"
    for name, value in _assigned(node):
        if any(_key(inner) == name for inner in ast.walk(value)):
            yield name, _without(value, name), isinstance(value, ast.BinOp) and not isinstance(value.right, ast.List)


def _base(target: ast.AST) -> str:
    return _key(target.value if isinstance(target, ast.Subscript) else target)


def _without(value: ast.expr, name: str) -> ast.AST:
    """What is added to a name in `name + …`; the whole expression where it is joined in another way."""
    if isinstance(value, ast.BinOp):
        return value.right if _key(value.left) == name else value.left
    return value


def _divided(node: ast.AST) -> Iterator[ast.AST]:
    """What is divided, or multiplied by a part of 1."""
    if isinstance(node, (ast.BinOp, ast.AugAssign)):
        left = node.left if isinstance(node, ast.BinOp) else node.target
        right = node.right if isinstance(node, ast.BinOp) else node.value
        if isinstance(node.op, ast.Div):
            yield left
        elif isinstance(node.op, ast.Mult):
            yield from (a for a, b in ((left, right), (right, left)) if _is_part(b))
    elif isinstance(node, ast.Call) and called_name(node) in _DIVIDING:
        yield from node.args[:1]


def _is_part(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Div)
    return isinstance(node, ast.Constant) and isinstance(node.value, float) and 0 < node.value < 1

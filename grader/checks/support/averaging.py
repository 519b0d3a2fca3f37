"""Find out from code whether repeated passes of a model are averaged."""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from grader.checks.support.source_code import called_name, read_code
from grader.schema.evidence import CellFact

__all__ = ["Averages"]

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
_FOLLOWED = (
    *(ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.AugAssign, ast.For, ast.While),
    *(ast.comprehension, ast.Call, ast.BinOp, ast.Return),
)
_LONGEST = 3
"""Attributes of a dotted name, at most."""
_ROUNDS = 4
"""Names between a pass and its average, at most."""
_MOST_LOOKS = 300_000
"""Syntax nodes that are visited for all passes of a notebook, repeated visits included."""


class Averages:
    """The averages that the code of one notebook computes.

    Attributes:
        work: The limit on visited syntax nodes; beyond it, code counts as code without averages.
    """

    def __init__(self, cells: Sequence[CellFact]) -> None:
        """Read the code.

        Args:
            cells: The notebook's cells.
        """
        self.work = _Work()
        self._trees = read_code(cells) or {}
        self._functions = {
            node.name: node
            for tree in self._trees.values()
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef)
        }
        self._kinds: dict[str, dict[str, str]] = {}
        self._anything: dict[tuple[int | None, str], bool] = {}
        self._passes: dict[tuple[int | None, str], bool] = {}

    def anything(self, cell: int | None, model: str) -> bool:
        """Whether a cell with passes averages anything, or later cells average its results.

        Args:
            cell: Index of the cell.
            model: The model's name.
        """
        return self._cached(self._anything, self._averages_anything, cell, model)

    def passes(self, cell: int | None, model: str) -> bool:
        """Whether the passes themselves are averaged, and not times or counts of correct predictions.

        Args:
            cell: Index of the cell that makes the passes.
            model: The model's name.
        """
        return self._cached(self._passes, self._averages_passes, cell, model)

    def _cached(
        self,
        results: dict[tuple[int | None, str], bool],
        find: Callable[[ast.AST, int, str], bool],
        cell: int | None,
        model: str,
    ) -> bool:
        here = self._trees.get(cell) if cell is not None else None
        if here is None or cell is None:
            return False
        if (cell, model) not in results:
            try:
                results[cell, model] = find(here, cell, model)
            except _TooMuchError:
                results[cell, model] = False
        return results[cell, model]

    def _averages_anything(self, here: ast.AST, cell: int, model: str) -> bool:
        if any(self._averaging(scope) for scope in self._reached(here, model)):
            return True
        # `_` is the name of a value that is not used.
        names = self.work.names(here, stored=True) - {"_"}
        return any(self._averaging(tree, names) for tree in self._later(cell)) or self.passes(cell, model)

    def _averages_passes(self, here: ast.AST, cell: int, model: str) -> bool:
        kinds = self._kinds_of(model)
        if any(_Flow(model, kinds, self.work).read(scope).averaged(scope) for scope in self._reached(here, model)):
            return True
        flow = _Flow(model, kinds, self.work).read(here)
        flow.kinds, flow.makes = {}, False
        return any(flow.read(tree).averaged(tree) for tree in self._later(cell))

    def _kinds_of(self, model: str) -> dict[str, str]:
        """Map each function of the notebook to the kind of its result, if a model of that name makes the passes."""
        if model not in self._kinds:
            kinds: dict[str, str] = {}
            for _ in range(_ROUNDS):
                before = dict(kinds)
                for name, function in self._functions.items():
                    kinds[name] = _Flow(model, kinds, self.work).read(function).returned(function)
                if kinds == before:
                    break
            self._kinds[model] = kinds
        return self._kinds[model]

    def _later(self, cell: int) -> list[ast.Module]:
        return [tree for index, tree in self._trees.items() if index > cell]

    def _reached(self, here: ast.AST, model: str) -> Iterator[ast.AST]:
        """Walk through a cell's code and the functions and methods that it calls."""
        seen: set[str] = set()
        waiting = [here]
        while waiting:
            node = waiting.pop()
            yield node
            for name in (self._called(node, model) & self._functions.keys()) - seen:
                seen.add(name)
                waiting.append(self._functions[name])

    def _called(self, tree: ast.AST, model: str) -> set[str]:
        """List the names of called functions; `predict` of the model itself is always Keras's method."""
        return {
            called_name(n)
            for n in self.work.walk(tree)
            if isinstance(n, ast.Call) and not (isinstance(n.func, ast.Attribute) and _key(n.func.value) == model)
        }

    def _averaging(self, tree: ast.AST, names: set[str] | None = None) -> bool:
        """Whether a call averages anything; with names, whether it averages one of them."""
        seen: set[int] = set()
        for node in self.work.walk(tree):
            if isinstance(node, ast.Call) and called_name(node) in _AVERAGING:
                if names is None:
                    return True
                if any(isinstance(n, ast.Name) and n.id in names for n in self.work.walk(node, seen)):
                    return True
        return False


class _TooMuchError(Exception):
    """The limit on visited syntax nodes is exceeded."""


class _Work:
    """Walks through syntax trees up to a limit on all visits together."""

    def __init__(self) -> None:
        self.left = _MOST_LOOKS
        self._scopes: dict[int, list[ast.AST]] = {}

    def look(self) -> None:
        """Count one visit."""
        if self.left <= 0:
            raise _TooMuchError
        self.left -= 1

    def walk(self, tree: ast.AST, seen: set[int] | None = None) -> Iterator[ast.AST]:
        """Walk through a tree, except the parts in `seen`."""
        waiting = [tree]
        while waiting:
            node = waiting.pop()
            self.look()
            if seen is not None:
                if id(node) in seen:
                    continue
                seen.add(id(node))
            yield node
            waiting.extend(ast.iter_child_nodes(node))

    def names(self, tree: ast.AST, *, stored: bool = False) -> set[str]:
        """Collect the names in a tree."""
        return {
            n.id for n in self.walk(tree) if isinstance(n, ast.Name) and (not stored or isinstance(n.ctx, ast.Store))
        }

    def own(self, scope: ast.AST) -> Iterator[ast.AST]:
        """Walk through the relevant nodes of a scope in the order of the text, without its functions and classes."""
        # The trees outlive this object, so each id belongs to a single node.
        if id(scope) not in self._scopes:
            self._scopes[id(scope)] = [node for node in _own(scope, self) if isinstance(node, _FOLLOWED)]
        for node in self._scopes[id(scope)]:
            self.look()
            yield node


@dataclass(slots=True)
class _Flow:
    """The flow of the passes' outputs through one scope.

    Attributes:
        model: The model's name.
        kinds: Function → `one` if it returns a pass, `many` if it returns several, else empty.
        work: Walks through the trees.
        makes: Whether calls in this scope count as passes; in later cells they are other passes.
        one: Names that hold the output of one pass.
        many: Names that hold the outputs of several passes.
        sums: Names to which outputs are added.
        steps: Loop counters: `predict(x)[i]` is the prediction for another image in each round.
    """

    model: str
    kinds: Mapping[str, str]
    work: _Work
    makes: bool = True
    one: set[str] = field(default_factory=set)
    many: set[str] = field(default_factory=set)
    sums: set[str] = field(default_factory=set)
    steps: set[str] = field(default_factory=set)

    def read(self, scope: ast.AST) -> "_Flow":
        """Follow the outputs through a scope; names from earlier scopes are kept."""
        for _ in range(_ROUNDS):
            before = self._size()
            for node in self.work.own(scope):
                self._bind(node)
                if isinstance(node, _LOOPS):
                    self._gather(node)
            if self._size() == before:
                break
        return self

    def _size(self) -> int:
        """Count the collected names; none is ever removed."""
        return len(self.one) + len(self.many) + len(self.sums) + len(self.steps)

    def returned(self, function: ast.AST) -> str:
        """Return the kind of a function's result."""
        values = [n.value for n in self.work.own(function) if isinstance(n, ast.Return) and n.value is not None]
        if any(self._collected(value) for value in values):
            return "many"
        return "one" if any(self._holds(value, self.one) for value in values) else ""

    def averaged(self, scope: ast.AST) -> bool:
        """Whether a scope averages several passes."""
        # Skip nodes already searched without a match.
        outputs: set[int] = set()
        parts: set[int] = set()
        return any(
            (isinstance(node, ast.Call) and called_name(node) in _AVERAGING and self._collected(node, outputs))
            or any(_key(inner) in self.sums for part in _divided(node) for inner in self.work.walk(part, parts))
            for node in self.work.own(scope)
        )

    def _bind(self, node: ast.AST) -> None:
        if isinstance(node, (ast.For, ast.comprehension)):
            # The target holds one output after the other, or a counter.
            (self.one if self._collected(node.iter) else self.steps).update(self.work.names(node.target))
        for target, value in _assigned(node):
            if self._collected(value):
                self.many.add(target)
            elif self._holds(value, self.one):
                self.one.add(target)

    def _gather(self, loop: ast.AST) -> None:
        """Find the variables in which a loop stores the predictions of Monte-Carlo passes.

        The loop either makes the predictions, or iterates over predictions that were made earlier.
        """
        outputs = {t for n in self.work.own(loop) for t, value in _assigned(n) if self._holds(value, set())}
        if isinstance(loop, ast.For):
            outputs |= self.work.names(loop.target) & self.one
        for node in self.work.own(loop):
            for target, value, added in _gathered(node, self.work):
                if self._holds(value, outputs):
                    (self.sums if added else self.many).add(target)

    def _collected(self, tree: ast.AST, seen: set[int] | None = None) -> bool:
        """Whether an expression holds several outputs, in a part that is not in `seen`."""
        return any(self._is_several(node) for node in self._seen(tree, seen))

    def _is_several(self, node: ast.AST) -> bool:
        if isinstance(node, _COMPREHENSIONS):
            return self._holds(node.elt, self.one)
        if isinstance(node, ast.List):
            return sum(self._holds(item, self.one) for item in node.elts) > 1
        if isinstance(node, ast.Call):
            return self.kinds.get(called_name(node)) == "many"
        return _key(node) in self.many

    def _holds(self, tree: ast.AST, names: set[str]) -> bool:
        """Whether an expression makes a pass or holds one of the names."""
        outputs = names | self.many
        return any(_key(node) in outputs or self._is_pass(node) for node in self._seen(tree))

    def _is_pass(self, node: ast.AST) -> bool:
        if not self.makes or not isinstance(node, ast.Call):
            return False
        name = called_name(node)
        return (
            name in _PREDICTING | {self.model, "model"}
            or bool(self.kinds.get(name))
            or any(keyword.arg == "training" for keyword in node.keywords)
        )

    def _seen(self, tree: ast.AST, seen: set[int] | None = None) -> Iterator[ast.AST]:
        """Walk through the parts of an expression that can be outputs; the result of a comparison is not an output."""
        waiting = [tree]
        while waiting:
            node = waiting.pop()
            self.work.look()
            if seen is not None:
                if id(node) in seen:
                    continue
                seen.add(id(node))
            if not _compares(node) and not self._is_step(node):
                yield node
                waiting.extend(ast.iter_child_nodes(node))

    def _is_step(self, node: ast.AST) -> bool:
        """Whether a node takes another part of an output in each round of a loop."""
        if not isinstance(node, ast.Subscript):
            return False
        return _key(node.slice) in self.steps and _key(node.value) not in self.many


def _compares(node: ast.AST) -> bool:
    """Whether a node compares predictions or counts the correct ones."""
    if isinstance(node, ast.Call):
        return any(part in called_name(node).lower() for part in _SCORING)
    return isinstance(node, ast.Compare)


def _own(scope: ast.AST, work: _Work) -> Iterator[ast.AST]:
    """Walk through a scope in the order of the text, without its functions and classes."""
    waiting = list(ast.iter_child_nodes(scope))[::-1]
    while waiting:
        node = waiting.pop()
        work.look()
        if not isinstance(node, _OWN_SCOPE):
            yield node
            waiting.extend(list(ast.iter_child_nodes(node))[::-1])


def _key(node: ast.AST) -> str:
    """Return a name or a dotted name; empty for any other node."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute) and len(parts) < _LONGEST:
        parts.append(node.attr)
        node = node.value
    return ".".join((node.id, *reversed(parts))) if isinstance(node, ast.Name) else ""


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """List the names that a statement assigns, each with the expression."""
    targets = node.targets if isinstance(node, ast.Assign) else ()
    if isinstance(node, (ast.AnnAssign, ast.NamedExpr)):
        targets = [node.target]
    for target in targets:
        if (name := _key(target)) and isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and node.value:
            yield name, node.value


def _gathered(node: ast.AST, work: _Work) -> Iterator[tuple[str, ast.AST, bool]]:
    """List the names that a statement extends, each with the value and whether it is added as a number."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
        yield _base(node.target), node.value, not isinstance(node.value, (ast.List, ast.Tuple, ast.ListComp))
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        yield _base(node.targets[0]), node.value, False
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _COLLECTING:
        for value in node.args:
            yield _base(node.func.value), value, node.func.attr == "assign_add"
    for name, value in _assigned(node):
        if any(_key(inner) == name for inner in work.walk(value)):
            yield name, _without(value, name), isinstance(value, ast.BinOp) and not isinstance(value.right, ast.List)


def _base(target: ast.AST) -> str:
    return _key(target.value if isinstance(target, ast.Subscript) else target)


def _without(value: ast.expr, name: str) -> ast.AST:
    """Return the other operand of `name + …`, or the whole expression if it is no sum."""
    if isinstance(value, ast.BinOp):
        return value.right if _key(value.left) == name else value.left
    return value


def _divided(node: ast.AST) -> Iterator[ast.AST]:
    """List the operands that are divided, or multiplied by a number below 1."""
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

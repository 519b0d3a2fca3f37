"""Reads from code whether repeated passes of a network are averaged."""

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
"""So many attributes a name may have behind it."""
_ROUNDS = 4
"""So many names may stand between a pass and its average."""
_MOST_LOOKS = 300_000
"""Parts of the code that are looked at for all groups of passes of a notebook together, over and over ones included."""


class Averages:
    """What the code of one notebook averages.

    Attributes:
        work: What may still be looked at: hostile code is not read to its end, and nothing is seen in it.
    """

    def __init__(self, cells: Sequence[CellFact]) -> None:
        """Read the code.

        Args:
            cells: The notebook's.
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
        """Whether code averages anything where a cell's passes are made, or what it makes in later cells.

        Args:
            cell: Index of the cell in question.
            model: The network's name.
        """
        return self._known(self._anything, self._averages_anything, cell, model)

    def passes(self, cell: int | None, model: str) -> bool:
        """Whether what is averaged holds the passes themselves, and not times, or which predictions were right.

        Args:
            cell: Index of the cell that makes the passes.
            model: The network's name.
        """
        return self._known(self._passes, self._averages_passes, cell, model)

    def _known(
        self,
        known: dict[tuple[int | None, str], bool],
        find: Callable[[ast.AST, int, str], bool],
        cell: int | None,
        model: str,
    ) -> bool:
        here = self._trees.get(cell) if cell is not None else None
        if here is None or cell is None:
            return False
        if (cell, model) not in known:
            try:
                known[cell, model] = find(here, cell, model)
            except _TooMuchError:
                known[cell, model] = False
        return known[cell, model]

    def _averages_anything(self, here: ast.AST, cell: int, model: str) -> bool:
        if any(self._averaging(scope) for scope in self._reached(here, model)):
            return True
        # `_` is what nobody means to use.
        bound = self.work.names(here, stored=True) - {"_"}
        return any(self._averaging(tree, bound) for tree in self._later(cell)) or self.passes(cell, model)

    def _averages_passes(self, here: ast.AST, cell: int, model: str) -> bool:
        kinds = self._kinds_of(model)
        if any(_Flow(model, kinds, self.work).read(scope).averaged(scope) for scope in self._reached(here, model)):
            return True
        flow = _Flow(model, kinds, self.work).read(here)
        flow.kinds, flow.makes = {}, False
        return any(flow.read(tree).averaged(tree) for tree in self._later(cell))

    def _kinds_of(self, model: str) -> dict[str, str]:
        """What each of the notebook's functions gives back, where a network of that name makes the passes."""
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
        """A cell's code, and the functions and methods it calls."""
        seen: set[str] = set()
        waiting = [here]
        while waiting:
            node = waiting.pop()
            yield node
            for name in (self._called(node, model) & self._functions.keys()) - seen:
                seen.add(name)
                waiting.append(self._functions[name])

    def _called(self, tree: ast.AST, model: str) -> set[str]:
        """Names of what is called; the network's own `predict` is Keras's, whatever methods the notebook defines."""
        return {
            called_name(n)
            for n in self.work.walk(tree)
            if isinstance(n, ast.Call) and not (isinstance(n.func, ast.Attribute) and _key(n.func.value) == model)
        }

    def _averaging(self, tree: ast.AST, names: set[str] | None = None) -> bool:
        """Whether a call averages anything, or one of some names."""
        seen: set[int] = set()
        for node in self.work.walk(tree):
            if isinstance(node, ast.Call) and called_name(node) in _AVERAGING:
                if names is None:
                    return True
                if any(isinstance(n, ast.Name) and n.id in names for n in self.work.walk(node, seen)):
                    return True
        return False


class _TooMuchError(Exception):
    """More would have to be looked at than is worth it."""


class _Work:
    """Goes through trees, and stops for good when it has gone through enough of them."""

    def __init__(self) -> None:
        self.left = _MOST_LOOKS
        self._scopes: dict[int, list[ast.AST]] = {}

    def look(self) -> None:
        """Account for one part of the code that is looked at."""
        if self.left <= 0:
            raise _TooMuchError
        self.left -= 1

    def walk(self, tree: ast.AST, seen: set[int] | None = None) -> Iterator[ast.AST]:
        """Go through everything in a tree, but for the parts that were seen before."""
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
        """Names in a tree."""
        return {
            n.id for n in self.walk(tree) if isinstance(n, ast.Name) and (not stored or isinstance(n.ctx, ast.Store))
        }

    def own(self, scope: ast.AST) -> Iterator[ast.AST]:
        """What can matter in a scope, without the functions and classes in it, in the order of the text."""
        # The trees outlive this object, so an id is that of one node.
        if id(scope) not in self._scopes:
            self._scopes[id(scope)] = [node for node in _own(scope, self) if isinstance(node, _FOLLOWED)]
        for node in self._scopes[id(scope)]:
            self.look()
            yield node


@dataclass(slots=True)
class _Flow:
    """Where the outputs of passes go, in one scope.

    Attributes:
        model: The network's name.
        kinds: Function → `one` where it returns a pass, `many` where it returns several, else empty.
        work: Goes through the trees.
        makes: Whether the scope's own passes count; those of later cells are others.
        one: Names that hold the output of a pass.
        many: Names that hold the outputs of several.
        sums: Names to which outputs are added.
        steps: Names that a loop counts with: `predict(x)[i]` is another image's prediction in each round.
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
        """Follow the outputs through a scope; what is known of another one before it stays known."""
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
        """How much is known; names are never forgotten."""
        return len(self.one) + len(self.many) + len(self.sums) + len(self.steps)

    def returned(self, function: ast.AST) -> str:
        """What a function gives back."""
        values = [n.value for n in self.work.own(function) if isinstance(n, ast.Return) and n.value is not None]
        if any(self._collected(value) for value in values):
            return "many"
        return "one" if any(self._holds(value, self.one) for value in values) else ""

    def averaged(self, scope: ast.AST) -> bool:
        """Whether a scope averages several passes."""
        # What was gone through without a find, as the rest of a chain was with its last link, is left out.
        outputs: set[int] = set()
        parts: set[int] = set()
        return any(
            (isinstance(node, ast.Call) and called_name(node) in _AVERAGING and self._collected(node, outputs))
            or any(_key(inner) in self.sums for part in _divided(node) for inner in self.work.walk(part, parts))
            for node in self.work.own(scope)
        )

    def _bind(self, node: ast.AST) -> None:
        if isinstance(node, (ast.For, ast.comprehension)):
            # One after the other of several outputs, or a number.
            (self.one if self._collected(node.iter) else self.steps).update(self.work.names(node.target))
        for target, value in _assigned(node):
            if self._collected(value):
                self.many.add(target)
            elif self._holds(value, self.one):
                self.one.add(target)

    def _gather(self, loop: ast.AST) -> None:
        """Find what a loop collects of the passes that it makes itself, or goes through."""
        made = {t for n in self.work.own(loop) for t, value in _assigned(n) if self._holds(value, set())}
        if isinstance(loop, ast.For):
            made |= self.work.names(loop.target) & self.one
        for node in self.work.own(loop):
            for target, value, added in _gathered(node, self.work):
                if self._holds(value, made):
                    (self.sums if added else self.many).add(target)

    def _collected(self, tree: ast.AST, seen: set[int] | None = None) -> bool:
        """Whether an expression holds several outputs, in a part that was not seen before."""
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

    def _seen(self, tree: ast.AST, seen: set[int] | None = None) -> Iterator[ast.AST]:
        """The parts of an expression that are outputs; a comparison says what was right, and is none."""
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
        """Whether it takes another part of an output in each round of a loop."""
        if not isinstance(node, ast.Subscript):
            return False
        return _key(node.slice) in self.steps and _key(node.value) not in self.many


def _compares(node: ast.AST) -> bool:
    """Whether it says which predictions, or how many of them, were right."""
    if isinstance(node, ast.Call):
        return any(part in called_name(node).lower() for part in _SCORING)
    return isinstance(node, ast.Compare)


def _own(scope: ast.AST, work: _Work) -> Iterator[ast.AST]:
    """Everything in a scope but the functions and classes in it, in the order of the text."""
    waiting = list(ast.iter_child_nodes(scope))[::-1]
    while waiting:
        node = waiting.pop()
        work.look()
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


def _gathered(node: ast.AST, work: _Work) -> Iterator[tuple[str, ast.AST, bool]]:
    """A name that grows, by what, and whether that is added to it as a number."""
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

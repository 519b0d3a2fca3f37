"""Propose checks for assertions about a model, such as `assert test_acc > 0.97`."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import ceil

from grader.schema.base import Json

__all__ = ["Proposal", "proposed_checks"]

_ACCURACY = re.compile(r"(?:^|_)acc(?:uracy)?(?:$|_)", re.IGNORECASE)
_OTHER_DATA = re.compile(r"train|val|dev", re.IGNORECASE)
_TEST_DATA = re.compile(r"test", re.IGNORECASE)
_LAYER = re.compile(r"[A-Z][A-Za-z0-9]*")
_MIRRORED: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt,
    ast.LtE: ast.GtE,
    ast.Gt: ast.Lt,
    ast.GtE: ast.LtE,
    ast.Eq: ast.Eq,
}
_SHAPES = ("input_shape", "output_shape")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A check that asks the same as an assertion."""

    check: str
    parameters: Mapping[str, Json] = field(default_factory=dict)
    variable: str | None = None
    """The notebook's variable with the model; None if the assertion does not name one."""


class _UnclearError(Exception):
    """A part of the code has no check."""


def proposed_checks(source: str) -> tuple[Proposal, ...]:
    """Find the checks that ask the same as all assertions of a cell together.

    Args:
        source: Code of the cell.

    Returns:
        The checks; none if any part of the code could ask for more.
    """
    try:
        tree = ast.parse(source)
        reader = _Reader()
        found = [one for statement in tree.body for one in reader.read(statement)]
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError, _UnclearError):
        return ()
    return tuple(found)


class _Reader:
    """Reads statements in order, and remembers which variables hold the accuracy of which model."""

    def __init__(self) -> None:
        self._models: dict[str, str] = {}

    def read(self, statement: ast.stmt) -> Iterator[Proposal]:
        match statement:
            case ast.Assert(test=test):
                yield from self._assertion(test)
            case ast.Assign(targets=[target], value=ast.Call() as call):
                self._evaluation(target, call)
            case ast.Expr(value=ast.Constant(value=str())):
                pass
            case ast.Expr(value=ast.Call(func=ast.Name(id="print"))):
                pass
            case _:
                raise _UnclearError

    def _evaluation(self, target: ast.expr, call: ast.Call) -> None:
        """Remember `loss, accuracy = model.evaluate(x_test, y_test)`."""
        model = _evaluated(call)
        match target:
            case ast.Tuple(elts=[ast.Name(), ast.Name(id=name)]) if model is not None:
                self._models[name] = model
            case _:
                raise _UnclearError

    def _assertion(self, test: ast.expr) -> Iterator[Proposal]:
        match test:
            case ast.BoolOp(op=ast.And(), values=values):
                for value in values:
                    yield from self._assertion(value)
            case ast.Compare(left=left, ops=[operator], comparators=[right]):
                if isinstance(left, (ast.Constant, ast.Tuple, ast.List)):
                    left, right, operator = right, left, _mirrored(operator)
                yield self._comparison(left, operator, right)
            case ast.Call(func=ast.Name(id="any"), args=[ast.GeneratorExp() as every]):
                yield _layers(every, {"at_least": 1})
            case _:
                raise _UnclearError

    def _comparison(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Proposal:
        match left:
            case ast.Name(id=name) if name in self._models or _is_accuracy(name):
                return _accuracy(operator, right, self._models.get(name))
            case ast.Subscript(value=ast.Call() as call, slice=ast.Constant(value=1)):
                model = _evaluated(call)
                if model is not None:
                    return _accuracy(operator, right, model)
            case ast.Attribute(value=ast.Name(id=model), attr=name) if name in _SHAPES:
                return _shape(name, model, operator, right, whole=True)
            case ast.Subscript(
                value=ast.Attribute(value=ast.Name(id=model), attr=name),
                slice=ast.Slice(lower=ast.Constant(value=1), upper=None, step=None),
            ) if name in _SHAPES:
                return _shape(name, model, operator, right, whole=False)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=model), attr="count_params"), args=[], keywords=[]):
                return Proposal("parameters", _bound(operator, _number(right)), model)
            case ast.Call(func=ast.Name(id="len"), args=[ast.ListComp() as every]):
                return _layers(every, _bound(operator, _number(right)))
        raise _UnclearError


def _mirrored(operator: ast.cmpop) -> ast.cmpop:
    if type(operator) not in _MIRRORED:
        raise _UnclearError
    return _MIRRORED[type(operator)]()


def _is_accuracy(name: str) -> bool:
    return bool(_ACCURACY.search(name)) and not _OTHER_DATA.search(name)


def _evaluated(call: ast.Call) -> str | None:
    """Return the variable of the model that a call evaluates on test data; None for any other call."""
    match call:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=model), attr="evaluate"), args=[ast.Name(id=data), *_]):
            return model if _TEST_DATA.search(data) and not _OTHER_DATA.search(data) else None
    return None


def _number(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return node.value
    raise _UnclearError


def _accuracy(operator: ast.cmpop, right: ast.expr, variable: str | None) -> Proposal:
    value = _number(right)
    if not isinstance(operator, (ast.Gt, ast.GtE)) or not 0 < value <= 1:
        raise _UnclearError
    return Proposal("accuracy", {"split": "test", "at_least": float(value)}, variable)


def _bound(operator: ast.cmpop, value: float) -> dict[str, int]:
    """Return the inclusive bound of whole numbers that a comparison asks for."""
    whole = ceil(value)
    match operator:
        case ast.Gt():
            return {"at_least": int(value // 1) + 1}
        case ast.GtE():
            return {"at_least": whole}
        case ast.Lt():
            return {"at_most": max(whole - 1, 0)}
        case ast.LtE():
            return {"at_most": int(value // 1)}
        case ast.Eq() if whole == value:
            return {"at_least": whole, "at_most": whole}
    raise _UnclearError


def _shape(name: str, model: str, operator: ast.cmpop, right: ast.expr, *, whole: bool) -> Proposal:
    """Propose a check of a shape.

    Args:
        name: `input_shape` or `output_shape`, also the name of the check.
        model: The variable with the model.
        operator: Must be `==`.
        right: The expected shape.
        whole: Whether the shape has the batch axis.
    """
    if not isinstance(operator, ast.Eq) or not isinstance(right, (ast.Tuple, ast.List)):
        raise _UnclearError
    sizes = ast.literal_eval(right)
    if whole and (not sizes or sizes[0] is not None):
        raise _UnclearError
    sizes = sizes[1:] if whole else sizes
    if not sizes or any(isinstance(one, bool) or not isinstance(one, int) for one in sizes if one is not None):
        raise _UnclearError
    return Proposal(name, {"shape": list(sizes)}, model)


def _layers(every: ast.GeneratorExp | ast.ListComp, bounds: Mapping[str, int]) -> Proposal:
    """Propose a check for `any(isinstance(layer, Dropout) for layer in model.layers)` and the same with a count."""
    match every:
        case ast.GeneratorExp(elt=test, generators=[ast.comprehension(target=target, iter=source, ifs=[])]):
            pass
        case ast.ListComp(generators=[ast.comprehension(target=target, iter=source, ifs=[test])]):
            pass
        case _:
            raise _UnclearError
    match test, target, source:
        case (
            ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=one), kind]),
            ast.Name(id=other),
            ast.Attribute(value=ast.Name(id=model), attr="layers"),
        ) if one == other and bounds.get("at_least", 0) > 0:
            layer = kind.attr if isinstance(kind, ast.Attribute) else kind.id if isinstance(kind, ast.Name) else ""
            if _LAYER.fullmatch(layer):
                return Proposal("has_layer", {"layer": layer, **({} if bounds == {"at_least": 1} else bounds)}, model)
    raise _UnclearError

"""Who constructs, writes and reads the events and descriptions of the record, by the syntax trees of the grader."""

import ast
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import is_typeddict

import grader
from grader.inside.record import events

__all__ = ["DECLARED", "Uses", "own_fields", "relatives", "uses_in"]

PACKAGE = Path(grader.__file__).parent
DECLARED = {name: item for name, item in vars(events).items() if is_typeddict(item)}
"""Every event and description by the name of its type."""
_CLASSES = [
    node for node in ast.parse(Path(events.__file__).read_text(encoding="utf-8")).body if isinstance(node, ast.ClassDef)
]
_VALIDATORS = {
    *(
        "as_bool",
        "as_choice",
        "as_float",
        "as_floats",
        "as_int",
        "as_json",
        "as_map",
        "as_shape",
        "as_text",
        "as_texts",
    ),
    *("claim", "claims", "need_choice", "need_id", "need_int"),
}
_TAKE_ANY_VALUE = {
    *("array", "training_array", "label", "cell_of", "digests_of", "read_layers", "read_loss", "read_model"),
    "read_optimizer",
    *(
        "_add_batches",
        "_add_versions",
        "_callbacks",
        "_cell",
        "_history",
        "_layers",
        "_lines",
        "_look",
        "_need_path",
        "_new_number",
        "_running",
        "_step",
    ),
}
"""Functions of the reader whose parameter is an `object`."""


def own_fields() -> dict[str, set[str]]:
    """Type → the fields that it declares itself, without the kind of an event."""
    return {node.name: _fields(node) - (set() if node.name == "Header" else {"kind"}) for node in _CLASSES}


def _fields(node: ast.ClassDef) -> set[str]:
    return {_name(part.target) for part in node.body if isinstance(part, ast.AnnAssign)}


def relatives() -> dict[str, set[str]]:
    """Type → itself, the types it inherits from, and those that inherit from it."""
    found = {name: {name} for name in DECLARED}
    for node in _CLASSES:
        for base in node.bases:
            if _name(base) in DECLARED:
                found[node.name].add(_name(base))
                found[_name(base)].add(node.name)
    return found


@dataclass(slots=True)
class Uses:
    """Who uses which field, as the syntax trees of a package show it.

    Attributes:
        built: Types that are constructed.
        written: Type → fields that are given a value.
        read: Type → fields that are read.
        loose: Places at which the value of a field is used as it is.
    """

    built: set[str] = field(default_factory=set)
    written: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    read: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    loose: list[str] = field(default_factory=list)


@cache
def uses_in(*folders: str) -> Uses:
    """Look once through the modules of some packages of the grader that import the declarations."""
    found = Uses()
    for folder in folders:
        for path in sorted((PACKAGE / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            if not any(
                (node.module or "").endswith("events") for node in tree.body if isinstance(node, ast.ImportFrom)
            ):
                continue
            parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef) and not isinstance(parents[node], ast.FunctionDef):
                    _look(node, parents, found, path.name)
    return found


def _look(function: ast.FunctionDef, parents: Mapping[ast.AST, ast.AST], found: Uses, file: str) -> None:
    names = _names(function)
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and _name(node.func) in DECLARED:
            found.built.add(_name(node.func))
            found.written[_name(node.func)] |= {each.arg for each in node.keywords if each.arg}
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            declared = _type_of(node.value, names)
            if declared is not None:
                kind = found.read if isinstance(node.ctx, ast.Load) else found.written
                kind[declared].add(str(node.slice.value))
                if isinstance(node.ctx, ast.Load) and not _is_passed_on(parents[node]):
                    found.loose.append(f"{file}:{node.lineno}: {ast.unparse(parents[node])}")
        elif isinstance(node, ast.Compare) and isinstance(node.left, ast.Constant):
            declared = _type_of(node.comparators[0], names)
            if declared is not None:
                found.read[declared].add(str(node.left.value))


def _is_passed_on(parent: ast.AST) -> bool:
    """Whether a value goes to a function that takes any value, or is only compared with a constant."""
    if isinstance(parent, ast.AnnAssign):
        return _name(parent.annotation) == "object"
    if isinstance(parent, ast.Compare):
        return all(isinstance(other, ast.Constant) for other in parent.comparators)
    return isinstance(parent, ast.Call) and _name(parent.func) in _TAKE_ANY_VALUE | _VALIDATORS


def _names(function: ast.FunctionDef) -> dict[str, str]:
    """Variable → its declared type; of an iterator of claims, that of its items."""
    names: dict[str, str | None] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.arg) and node.annotation is not None:
            names[node.arg] = _declared(node.annotation)
        elif isinstance(node, ast.AnnAssign):
            names[_name(node.target)] = _declared(node.annotation)
        elif isinstance(node, ast.Assign):
            names[_name(node.targets[0])] = _made(node.value) or names.get(_name(node.targets[0]))
    for node in ast.walk(function):
        if isinstance(node, (ast.For, ast.comprehension)):
            names[_name(node.target)] = _made(node.iter) or names.get(_name(node.iter))
    return {name: declared for name, declared in names.items() if name and declared}


def _type_of(node: ast.expr, names: Mapping[str, str]) -> str | None:
    return names.get(node.id) if isinstance(node, ast.Name) else _made(node)


def _made(value: ast.expr) -> str | None:
    """The type of what a call of `claim`, `claims` or of the type itself returns."""
    if not isinstance(value, ast.Call):
        return None
    if _name(value.func) in {"claim", "claims"}:
        return _declared(value.args[0])
    return _declared(value.func)


def _declared(node: ast.expr) -> str | None:
    """The declared type that an annotation names, alone or in a union with None."""
    node = node.left if isinstance(node, ast.BinOp) else node
    return _name(node) if _name(node) in DECLARED else None


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""

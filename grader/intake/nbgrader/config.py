"""Read the literal values of `nbgrader_config.py` and `nbgrader_config.json`. No code is executed."""

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from grader.schema.base import Json

__all__ = ["NbgraderConfig", "parse_config", "parse_json_config"]

_VARIABLE = "c"
_FORMER_CLASSES = ("NbGrader", "NbGraderConfig")
"""Classes that had the settings of `CourseDirectory` in early versions."""


@dataclass(frozen=True, slots=True)
class NbgraderConfig:
    """Settings of a course."""

    values: Mapping[str, Json] = field(default_factory=dict)
    """Values by `Class.setting`."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Settings whose value is computed, with the reason and the line."""

    def of_course(self, name: str) -> Json:
        """Return a setting of the course folder, also under the names of early versions; None if it is not set."""
        every = (self.values.get(f"{one}.{name}") for one in ("CourseDirectory", *_FORMER_CLASSES))
        return next((value for value in every if value is not None), None)

    def text(self, name: str, default: str = "") -> str:
        """Return a text setting of the course folder."""
        value = self.of_course(name)
        return value.strip() if isinstance(value, str) and value.strip() else default


def parse_config(text: str) -> NbgraderConfig:
    """Read the assignments `c.Class.setting = value` whose value is a literal.

    Args:
        text: Content of `nbgrader_config.py`.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        return NbgraderConfig(unread={"all settings": f"the file is not valid Python (line {line})"})
    values: dict[str, Json] = {}
    unread: dict[str, str] = {}
    for statement in tree.body:
        for name, node in _settings(statement):
            try:
                values[name] = _literal(node)
                unread.pop(name, None)
            except (ValueError, RecursionError, MemoryError):
                values.pop(name, None)
                unread[name] = f"its value is computed (line {node.lineno})"
        if not isinstance(statement, ast.Assign):
            for name, line in _hidden_settings(statement):
                values.pop(name, None)
                unread[name] = f"it is set by other code (line {line})"
    return NbgraderConfig(values, unread)


def parse_json_config(text: str) -> NbgraderConfig:
    """Read the content of `nbgrader_config.json`."""
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return NbgraderConfig(unread={"all settings": "the file is not valid JSON"})
    values = {
        f"{group}.{name}": value
        for group, settings in (parsed.items() if isinstance(parsed, dict) else ())
        for name, value in (settings.items() if isinstance(settings, dict) else ())
    }
    return NbgraderConfig(values)


def _settings(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            if (name := _name(target)) is not None:
                yield name, statement.value


def _hidden_settings(statement: ast.stmt) -> Iterator[tuple[str, int]]:
    """Find settings that are set under a condition, changed by a method, or set by `+=`."""
    for node in ast.walk(statement):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
            targets = [node.target]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            targets = [node.func.value]
        for target in targets:
            if (name := _name(target)) is not None:
                yield name, target.lineno


def _name(target: ast.expr) -> str | None:
    """Return `Class.setting` of `c.Class.setting`; None for any other target."""
    match target:
        case ast.Attribute(attr=name, value=ast.Attribute(attr=group, value=ast.Name(id=variable))):
            return f"{group}.{name}" if variable == _VARIABLE else None
    return None


def _literal(node: ast.expr) -> Json:
    """Return the value of a literal, which may contain `dict(key=value)`.

    Raises:
        ValueError: It is anything else.
    """
    match node:
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
            return {_keyword(one): _literal(one.value) for one in keywords}
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_literal(item) for item in items]
        case ast.Dict():
            pairs = zip(node.keys, node.values, strict=True)
            return {_literal(key): _literal(value) for key, value in pairs if key is not None}
    return ast.literal_eval(node)


def _keyword(one: ast.keyword) -> str:
    if one.arg is None:
        msg = "`**` is no literal"
        raise ValueError(msg)
    return one.arg

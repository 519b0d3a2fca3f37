"""Read YAML as plain data with the line and column of each part."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

__all__ = ["LocatedYaml", "Mark", "Place", "Problem", "read_yaml"]

_TAG = "tag:yaml.org,2002:"
_MOST_NODES = 50_000
"""Limit of nodes: more than any rubric has, and small enough to stop nested aliases early."""
_DEEPEST = 60
"""Limit of nesting, deeper than any rubric."""

Place = tuple[str | int, ...]
"""A path through the document: keys and list positions."""


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """Line and column in the file, both from 1."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """A problem of the file and its position."""

    mark: Mark
    message: str


@dataclass(slots=True)
class LocatedYaml:
    """The document as plain data, with the position of each key and value.

    Attributes:
        data: Nested dicts, lists, strings, numbers, booleans and None.
        values: Position of each value, by its path.
        keys: Position of each key, by its path; the path ends with the key.
        problems: Parts that are not valid YAML; they are missing from `data`.
    """

    data: Any = None
    values: dict[Place, Mark] = field(default_factory=dict)
    keys: dict[Place, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def key(self, place: Place) -> Mark:
        """Find the position of a key, of its value, or of the nearest part around it."""
        return self.keys.get(place) or self.value(place)

    def value(self, place: Place) -> Mark:
        """Find the position of a value, or of the nearest part around it."""
        for length in range(len(place), -1, -1):
            if place[:length] in self.values:
                return self.values[place[:length]]
        return Mark()


def read_yaml(text: str) -> LocatedYaml:
    """Read one YAML document of plain values.

    Dates stay text. Tags, merge keys, duplicate keys and aliases that contain themselves are problems.

    Args:
        text: The file's text.
    """
    read = LocatedYaml()
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        read.problems.append(_syntax_problem(error))
        return read
    except RecursionError:
        read.problems.append(Problem(Mark(), "nested too deeply"))
        return read
    except (ValueError, OverflowError) as error:  # an escape of a character that does not exist
        read.problems.append(Problem(Mark(), f"not YAML: {error}"))
        return read
    if node is None:
        read.problems.append(Problem(Mark(), "the file is empty"))
        return read
    read.data = _Builder(read).build(node, (), ())
    return read


def _syntax_problem(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = Mark(mark.line + 1, mark.column + 1) if mark is not None else Mark()
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
    if "'\\t'" in reason:
        return Problem(place, "this line is indented with a tab; YAML allows only spaces")
    context = getattr(error, "context", None)
    return Problem(place, f"not YAML: {reason}{f' ({context})' if context else ''}")


class _Builder:
    """Converts nodes to data, and collects positions and problems."""

    def __init__(self, read: LocatedYaml) -> None:
        self._read = read
        self._scalars = yaml.constructor.SafeConstructor()
        self._left = _MOST_NODES

    def build(self, node: yaml.Node, place: Place, around: tuple[int, ...]) -> Any:
        """Convert a node to a value.

        Args:
            node: The node from PyYAML.
            place: Its path.
            around: Identities of the nodes around it.
        """
        self._left -= 1
        mark = Mark(node.start_mark.line + 1, node.start_mark.column + 1)
        self._read.values.setdefault(place, mark)
        problem = ""
        if id(node) in around:
            problem = "an alias that contains itself"
        elif len(around) >= _DEEPEST:
            problem = "nested too deeply"
        elif self._left == 0:
            problem = "the document is too large"
        if problem:
            self._problem(mark, problem)
        if problem or self._left < 0:
            return None
        inside = (*around, id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place, inside)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*place, position), inside) for position, item in enumerate(node.value)]
        return self._scalar(node, mark)

    def _mapping(self, node: yaml.MappingNode, place: Place, around: tuple[int, ...]) -> Mapping[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            mark = Mark(key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            key = self._key(key_node, mark)
            if key is None:
                continue
            if key in mapping:
                first = self._read.keys[(*place, key)]
                self._problem(mark, f"duplicate key {key!r} (first in line {first.line})")
                continue
            self._read.keys[(*place, key)] = mark
            mapping[key] = self.build(value_node, (*place, key), around)
            if self._left < 0:
                break
        return mapping

    def _key(self, node: yaml.Node, mark: Mark) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._problem(mark, "a key must be a word, not a list or a mapping")
            return None
        if node.tag == f"{_TAG}merge":
            self._problem(mark, "merge keys (`<<`) are not supported; write the keys out")
            return None
        return str(node.value)

    def _scalar(self, node: yaml.Node, mark: Mark) -> Any:
        kind = node.tag.removeprefix(_TAG)
        if kind in {"str", "timestamp", "value"}:
            return node.value
        if kind not in {"null", "bool", "int", "float"}:
            self._problem(mark, f"tags such as `{node.tag[:60]}` are not supported")
            return None
        try:
            value: Hashable = self._scalars.construct_object(node)
        except (ValueError, OverflowError, KeyError, yaml.YAMLError):
            self._problem(mark, f"{node.value[:60]!r} is not a value of type {kind}")
            return None
        return value

    def _problem(self, mark: Mark, message: str) -> None:
        self._read.problems.append(Problem(mark, message))

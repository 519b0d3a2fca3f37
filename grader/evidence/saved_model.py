"""Read the operations of a SavedModel as data, without TensorFlow, before any sandbox loads it.

A graph is a program: its operations can read and write files, call Python, and count. A graph may only compute.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from grader.evidence.graph_operations import draws, is_pure, seeds

__all__ = ["Graph", "MalformedGraphError", "read_graph"]

_MOST_BYTES = 256 << 20
_MOST_FIELDS = 10_000_000
"""Limit of fields that are read, against a file of many small ones."""
_LARGEST_KEY = (1 << 32) - 1
"""Parsers may cut off the bits of a larger number, and so see another field."""
_PARTS = re.compile(r"saved_model\.pb|fingerprint\.pb|keras_metadata\.pb|variables(/.*)?|assets(/.*)?")
"""The files of a SavedModel. A second graph in another form could be loaded instead."""
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_NAMED = 128
"""Longest name of an operation in a message."""
_MOST_NUMBERS = 1 << 40
_SMALL_CONSTANT = 16
"""Constants with at most this many numbers are shapes and axes."""


class MalformedGraphError(ValueError):
    """The file is damaged, or has another form."""


@dataclass(slots=True)
class _Function:
    """The operations of a function, and the functions that it calls."""

    operations: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Graph:
    """The content of a SavedModel."""

    foreign: str | None
    """Name of an operation that does more than compute; None if there is none."""
    numbers: int
    """How many numbers its variables and its larger constants hold."""
    random: bool = False
    """Whether it draws random numbers, so that two answers to one image may differ."""


def read_graph(folder: Path) -> Graph:
    """Read the operations and the sizes of a SavedModel.

    Every function counts that belongs to the loaded object. The functions that save and restore the weights are part
    of each SavedModel and are not called after the loading, unless another function names them.

    Args:
        folder: The folder of an untrusted SavedModel.

    Raises:
        MalformedGraphError: The file is damaged, or was not written by TensorFlow 2.
        OSError: It cannot be read.
    """
    if not all(_PARTS.fullmatch(part.relative_to(folder).as_posix()) for part in folder.rglob("*")):
        msg = "it has a file that is not part of a SavedModel"
        raise MalformedGraphError(msg)
    path = folder / "saved_model.pb"
    if path.stat().st_size > _MOST_BYTES:
        msg = "its graph is too large"
        raise MalformedGraphError(msg)
    reader = _Reader()
    functions: dict[str, _Function] = {}
    served: set[str] = set()
    for number, value in reader.only_graph(path.read_bytes()):
        if number == 2:  # noqa: PLR2004 - graph_def
            functions |= reader.library(_need_bytes(value))
        elif number == 7:  # noqa: PLR2004 - object_graph_def
            served |= reader.served(_need_bytes(value))
    if not served:
        msg = "it serves no function"
        raise MalformedGraphError(msg)
    called = list(_called(functions, served))
    random = any(draws(operation) for function in called for operation in function.operations)
    return Graph(_first_foreign(called, functions), reader.numbers, random)


def _called(functions: Mapping[str, _Function], served: set[str]) -> Iterator[_Function]:
    """Yield the served functions and all that they call."""
    waiting, seen = sorted(served), set(served)
    while waiting:
        name = waiting.pop()
        function = functions.get(name)
        if function is None:
            msg = f"it has no function {name[:_NAMED]!r}"
            raise MalformedGraphError(msg)
        yield function
        called = function.calls | (function.operations & functions.keys())
        waiting += called - seen
        seen |= called


def _first_foreign(called: Iterable[_Function], functions: Mapping[str, _Function]) -> str | None:
    return next(
        (
            operation[:_NAMED]
            for function in called
            for operation in sorted(function.operations - functions.keys())
            if not is_pure(operation) and not seeds(operation, function.operations)
        ),
        None,
    )


class _Reader:
    """Reads the fields of a graph, in limited number."""

    def __init__(self) -> None:
        self._left = _MOST_FIELDS
        self.numbers = 0

    def only_graph(self, content: bytes) -> list[tuple[int, int | bytes]]:
        """Return the fields of the only graph of a SavedModel."""
        graphs = [value for number, value in self._fields(content) if number == 2]  # noqa: PLR2004 - meta_graphs
        if len(graphs) != 1:
            msg = "it has not one graph"
            raise MalformedGraphError(msg)
        return list(self._fields(_need_bytes(graphs[0])))

    def library(self, graph: bytes) -> dict[str, _Function]:
        """Return the functions of a graph by their names. Gradients are not read: only a training calls them."""
        functions: dict[str, _Function] = {}
        for number, value in self._fields(graph):
            if number == 1:  # a node outside of functions, whose constant a function may use
                self._node(_need_bytes(value), _Function())
            if number != 2:  # noqa: PLR2004 - library
                continue
            for inner, content in self._fields(_need_bytes(value)):
                if inner != 1:
                    continue
                name, function = self._function(_need_bytes(content))
                if name in functions:
                    msg = f"it has two functions {name[:_NAMED]!r}"
                    raise MalformedGraphError(msg)
                functions[name] = function
        return functions

    def served(self, graph: bytes) -> set[str]:
        """List the functions that belong to the loaded object, and count the numbers of its variables."""
        names: set[str] = set()
        variables: Counter[tuple[object, int]] = Counter()
        for number, value in self._fields(graph):
            if number == 2:  # noqa: PLR2004 - concrete_functions
                names.add(self._name(value))
            elif number == 1:
                for inner, variable in self._fields(_need_bytes(value)):
                    if inner == 7:  # noqa: PLR2004 - variable
                        content = _need_bytes(variable)
                        variables[dict(self._fields(content)).get(6), self._size(content)] += 1
        # Keras 3 exports most variables twice, with the same name.
        self.numbers += sum(size * -(-count // 2) for (_, size), count in variables.items())
        return names

    def _function(self, content: bytes) -> tuple[str, _Function]:
        name, function = "", _Function()
        for number, value in self._fields(content):
            if number == 1:
                name = self._name(value)
            elif number == 3:  # noqa: PLR2004 - node_def
                self._node(_need_bytes(value), function)
        return name, function

    def _node(self, content: bytes, function: _Function) -> None:
        for number, value in self._fields(content):
            if number == 2:  # noqa: PLR2004 - op
                function.operations.add(_text(value))
            elif number == 5:  # noqa: PLR2004 - attr
                entry = _need_bytes(value)
                function.calls |= set(self._in_attribute(entry))
                self._count_constants(entry)

    def _count_constants(self, attribute: bytes) -> None:
        for number, value in self._fields(attribute):
            if number == 2:  # noqa: PLR2004 - value
                for inner, tensor in self._fields(_need_bytes(value)):
                    if inner == 8:  # noqa: PLR2004 - tensor
                        content = _need_bytes(tensor)
                        # A tensor of equal numbers is written with fewer bytes than it has numbers.
                        size = min(self._size(content), len(content))
                        self.numbers += size if size > _SMALL_CONSTANT else 0

    def _size(self, content: bytes) -> int:
        """Return the number of numbers in a variable or a tensor, whose shape is the second field."""
        size = 1
        for number, shape in self._fields(content):
            if number == 2 and isinstance(shape, bytes):  # noqa: PLR2004 - shape
                for inner, axis in self._fields(shape):
                    if inner == 2:  # noqa: PLR2004 - dim
                        length = dict(self._fields(_need_bytes(axis))).get(1, 0)
                        size *= min(length, _MOST_NUMBERS) if isinstance(length, int) else 1
        return min(size, _MOST_NUMBERS)

    def _in_attribute(self, entry: bytes) -> Iterator[str]:
        """Yield the functions that an attribute names, alone, in a list, or as an argument of another function."""
        waiting = [value for number, value in self._fields(entry) if number == 2]  # noqa: PLR2004 - value
        while waiting:
            for number, value in self._fields(_need_bytes(waiting.pop())):
                if number == 10:  # noqa: PLR2004 - func
                    yield self._name(value)
                    waiting += self._arguments(value)
                elif number == 1:
                    for inner, item in self._fields(_need_bytes(value)):
                        if inner == 9:  # noqa: PLR2004 - func
                            yield self._name(item)
                            waiting += self._arguments(item)

    def _arguments(self, function: int | bytes) -> Iterator[int | bytes]:
        for number, entry in self._fields(_need_bytes(function)):
            if number == 2:  # noqa: PLR2004 - attr
                yield from (value for inner, value in self._fields(_need_bytes(entry)) if inner == 2)  # noqa: PLR2004 - value

    def _name(self, value: int | bytes) -> str:
        return _text(dict(self._fields(_need_bytes(value))).get(1))

    def _fields(self, content: bytes) -> Iterator[tuple[int, int | bytes]]:
        """Yield the numbers and values of the fields of a protobuf message."""
        at = 0
        while at < len(content):
            self._left -= 1
            if self._left < 0:
                msg = "it has too many parts"
                raise MalformedGraphError(msg)
            key, at = _varint(content, at)
            number, kind = key >> 3, key & 7
            if key > _LARGEST_KEY or not number:
                msg = "it is no message"
                raise MalformedGraphError(msg)
            value: int | bytes
            if kind == _VARINT:
                value, at = _varint(content, at)
            elif kind in (_FIXED_64, _FIXED_32, _BYTES):
                size = 8 if kind == _FIXED_64 else 4
                if kind == _BYTES:
                    size, at = _varint(content, at)
                value, at = content[at : at + size], at + size
                if at > len(content):
                    msg = "it ends too early"
                    raise MalformedGraphError(msg)
            else:
                msg = "it is no message"
                raise MalformedGraphError(msg)
            yield number, value


def _text(value: int | bytes | None) -> str:
    if not isinstance(value, bytes):
        msg = "a name is missing"
        raise MalformedGraphError(msg)
    return value.decode("utf-8", "replace")


def _need_bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        msg = "a part has another form"
        raise MalformedGraphError(msg)
    return value


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(content) and shift < 70:  # noqa: PLR2004 - at most ten bytes
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a number
            return value, at
        shift += 7
    msg = "it ends too early"
    raise MalformedGraphError(msg)

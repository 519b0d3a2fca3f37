"""Read the names, shapes and places of arrays in an HDF5 file, in the form in which Keras writes weights.

The HDF5 library is written in C, and was not made for hostile files, so the grader's own process does not use it on a
student's file. This module reads the file as bytes, with limits, and only what Keras writes: the groups and the
contiguous arrays of the file format's first version.
"""

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from mmap import mmap

__all__ = ["Hdf5Error", "StoredArray", "read_arrays"]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SIZES = b"\x08\x08"
"""Offsets and lengths of 8 bytes."""
_ROOT = 64
"""Place of the address of the root group."""
_MOST_PARTS = 200_000
"""Limit of messages, nodes and entries that are read, against files whose parts point to each other."""
_MOST_DEPTH = 40
_LONGEST_PATH = 1000
_MOST_AXES = 16
_DATASPACE, _DATATYPE, _LAYOUT, _CONTINUATION, _SYMBOL_TABLE = 0x1, 0x3, 0x8, 0x10, 0x11
_LINK_INFO, _LINK = 0x2, 0x6
_CONTIGUOUS, _COMPACT = 1, 0
_SOFT_LINK = 2


class Hdf5Error(ValueError):
    """The file is damaged, or has a form that Keras does not write."""


@dataclass(frozen=True, slots=True)
class StoredArray:
    """An array of a file."""

    shape: tuple[int, ...]
    start: int
    """First byte of its numbers in the file."""
    size: int
    """Number of bytes."""

    @property
    def count(self) -> int:
        """Number of its numbers."""
        return math.prod(self.shape)


def read_arrays(content: bytes | mmap) -> Mapping[str, StoredArray]:
    """List the arrays of a file by their paths, such as `layers/dense/vars/0`.

    Args:
        content: An untrusted HDF5 file.

    Raises:
        Hdf5Error: It is damaged, or has another form.
    """
    try:
        return dict(_Reader(content).arrays())
    except Hdf5Error:
        raise
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        msg = f"the file is damaged: {error}"
        raise Hdf5Error(msg) from error


class _Reader:
    """Reads parts of a file, in limited number."""

    def __init__(self, content: bytes | mmap) -> None:
        self._content = content
        self._parts = 0

    def number(self, at: int) -> int:
        value: int = struct.unpack_from("<Q", self._content, at)[0]
        return value

    def arrays(self) -> Iterator[tuple[str, StoredArray]]:
        """Yield all arrays with their paths."""
        signed = self._content[: len(_SIGNATURE)] == _SIGNATURE
        if not signed or self._content[8] != 0 or self._content[13:15] != _SIZES:
            msg = "the file has another version of HDF5"
            raise Hdf5Error(msg)
        yield from self._of_object(self.number(_ROOT), "", 0)

    def _of_object(self, header: int, path: str, depth: int) -> Iterator[tuple[str, StoredArray]]:
        """Yield the arrays of an object, which is a group or an array."""
        self._count()
        if depth > _MOST_DEPTH or len(path) > _LONGEST_PATH:
            msg = "its groups are nested too deeply"
            raise Hdf5Error(msg)
        messages = dict(self._messages(header))
        if _SYMBOL_TABLE in messages:
            at = messages[_SYMBOL_TABLE]
            for name, inner in self._members(self.number(at), self.number(at + 8)):
                yield from self._of_object(inner, f"{path}/{name}" if path else name, depth + 1)
        elif _LAYOUT in messages and _DATASPACE in messages and _DATATYPE in messages:
            yield path, self._array(messages)
        elif _LINK_INFO in messages or _LINK in messages:
            msg = "a group has another form"
            raise Hdf5Error(msg)

    def _count(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            msg = "it has too many parts"
            raise Hdf5Error(msg)

    def _messages(self, header: int) -> Iterator[tuple[int, int]]:
        """Yield the kind and the place of each message of an object's header."""
        version, _, _, _, size = struct.unpack_from("<BBHII", self._content, header)
        if version != 1:
            msg = "an object has another version"
            raise Hdf5Error(msg)
        blocks = [(header + 16, size)]
        while blocks:
            at, left = blocks.pop()
            end = at + left
            while at + 8 <= end:
                self._count()
                kind, length = struct.unpack_from("<HH", self._content, at)
                if kind == _CONTINUATION:
                    blocks.append((self.number(at + 8), self.number(at + 16)))
                yield kind, at + 8
                at += 8 + length

    def _members(self, tree: int, heap: int) -> Iterator[tuple[str, int]]:
        """Yield the names and places of a group's members."""
        self._expect(heap, b"HEAP")
        names = self.number(heap + 24)
        nodes = [tree]
        while nodes:
            node = nodes.pop()
            self._count()
            if self._content[node : node + 4] == b"SNOD":
                yield from self._entries(node, names)
                continue
            self._expect(node, b"TREE")
            used = struct.unpack_from("<H", self._content, node + 6)[0]
            nodes += [self.number(node + 32 + 16 * each) for each in reversed(range(used))]
            self._parts += used

    def _entries(self, node: int, names: int) -> Iterator[tuple[str, int]]:
        for each in range(struct.unpack_from("<H", self._content, node + 6)[0]):
            self._count()
            entry = node + 8 + 40 * each
            if struct.unpack_from("<I", self._content, entry + 16)[0] == _SOFT_LINK:
                msg = "it contains links"
                raise Hdf5Error(msg)
            name = names + self.number(entry)
            end = self._content.find(b"\0", name, name + _LONGEST_PATH)
            if end < 0:
                msg = "a name has no end"
                raise Hdf5Error(msg)
            yield self._content[name:end].decode("utf-8", "replace"), self.number(entry + 8)

    def _array(self, messages: Mapping[int, int]) -> StoredArray:
        space, layout = messages[_DATASPACE], messages[_LAYOUT]
        version, axes = self._content[space], self._content[space + 1]
        if version not in (1, 2) or axes > _MOST_AXES:
            msg = "an array has another form"
            raise Hdf5Error(msg)
        shape = struct.unpack_from(f"<{axes}Q", self._content, space + (8 if version == 1 else 4))
        item = struct.unpack_from("<I", self._content, messages[_DATATYPE] + 4)[0]
        kind = self._content[layout + 1]
        if self._content[layout] not in (3, 4) or kind not in (_CONTIGUOUS, _COMPACT):
            msg = "an array is not stored as one block"
            raise Hdf5Error(msg)
        start = self.number(layout + 2) if kind == _CONTIGUOUS else layout + 4
        size = math.prod(shape) * item
        if size and start + size > len(self._content):
            msg = "an array is not inside the file"
            raise Hdf5Error(msg)
        return StoredArray(tuple(shape), start, size)

    def _expect(self, at: int, signature: bytes) -> None:
        if self._content[at : at + 4] != signature:
            msg = f"a part is not {signature.decode()}"
            raise Hdf5Error(msg)

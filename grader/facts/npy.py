"""Read the head of an untrusted `.npy` file.

numpy's own reader falls back to Python's tokenizer for heads that it cannot parse, and raises the tokenizer's errors.
This one takes only what numpy writes for plain numbers.
"""

import ast
import math
import re
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

__all__ = ["LARGEST_HEAD", "NpyHead", "read_npy_head"]

LARGEST_HEAD = 4096
"""Maximum size in bytes of the head of a file."""

_MAGIC = b"\x93NUMPY"
_LENGTH_BYTES = {b"\x01\x00": 2, b"\x02\x00": 4, b"\x03\x00": 4}
"""Version of the format → bytes of the length of the head."""
_PLAIN = re.compile(r"[<>|=]?[biuf]\d{1,2}")
_KEYS = {"descr", "fortran_order", "shape"}
_MOST_AXES = 32
_MOST_VALUES = 1 << 48


@dataclass(frozen=True, slots=True)
class NpyHead:
    """The description of an array of plain numbers."""

    shape: tuple[int, ...]
    fortran: bool
    """Whether the first axis varies fastest."""
    dtype: np.dtype[Any]

    @property
    def count(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Size of the values in bytes."""
        return self.count * self.dtype.itemsize


def read_npy_head(file: IO[bytes]) -> NpyHead:
    """Read the head of a file; the values come next.

    Args:
        file: The file, at its start.

    Raises:
        ValueError: It is no `.npy` file, or does not contain plain numbers.
        OSError: It cannot be read.
    """
    start = file.read(8)
    length_bytes = _LENGTH_BYTES.get(start[6:], 0)
    if start[:6] != _MAGIC or not length_bytes:
        msg = "it is no .npy file"
        raise ValueError(msg)
    length = int.from_bytes(file.read(length_bytes), "little")
    text = file.read(min(length, LARGEST_HEAD + 1))
    if len(text) != length or length > LARGEST_HEAD:
        msg = "its head is incomplete or too large"
        raise ValueError(msg)
    return _head(text)


def _head(text: bytes) -> NpyHead:
    try:
        value = ast.literal_eval(text.decode("latin-1").strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        value = None
    match value:
        case {"descr": str(descr), "fortran_order": bool(fortran), "shape": tuple(shape)} if value.keys() == _KEYS:
            pass
        case _:
            msg = "its head describes no array of plain numbers"
            raise ValueError(msg)
    dtype = _dtype(descr)
    if len(shape) > _MOST_AXES or any(type(axis) is not int or not 0 <= axis <= _MOST_VALUES for axis in shape):
        msg = "its head has no valid shape"
        raise ValueError(msg)
    return NpyHead(shape, fortran, dtype)


def _dtype(descr: str) -> np.dtype[Any]:
    msg = f"it does not contain plain numbers, but {descr[:40]!r}"
    if _PLAIN.fullmatch(descr) is None:
        raise ValueError(msg)
    try:
        return np.dtype(descr)
    except TypeError as error:  # such as a number of 5 bytes
        raise ValueError(msg) from error

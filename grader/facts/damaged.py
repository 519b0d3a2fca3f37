"""The exceptions of Python's readers for damaged files."""

import lzma
import struct
import zipfile
import zlib

__all__ = ["DAMAGED_ZIP"]

DAMAGED_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    ValueError,
    OverflowError,
    RuntimeError,  # also for an encrypted member
    MemoryError,  # a damaged header may request any amount of memory
)
"""Exceptions that `zipfile` raises for damaged data, in addition to `OSError`: each kind of packing has its own."""

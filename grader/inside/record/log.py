"""Appends events to a file as they happen."""

import json
import math
import os
import threading
import time
from pathlib import Path
from typing import Any

from .events import Event, Header

__all__ = ["EventLog", "plain"]


def plain(value: Any, depth: int = 12) -> Any:  # noqa: PLR0911 - one return per kind of value
    """Convert a value to JSON: NumPy scalars to numbers, NaN to None, an unknown object to its class name.

    Args:
        value: Any value.
        depth: Maximum depth of nested containers.
    """
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth <= 0:
        return type(value).__name__
    if isinstance(value, dict):
        return {str(key): plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item, depth - 1) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist(), depth - 1)
    return getattr(value, "__name__", None) or type(value).__name__


class EventLog:
    """Appends events to a file, one JSON object per line, and flushes each one."""

    def __init__(self, path: Path) -> None:
        """Open the file for appending.

        Args:
            path: `events.jsonl`; its folder must exist.
        """
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        self._start = time.monotonic()
        self._pid = os.getpid()
        self.last = 0
        self.cell = 0

    def write(self, event: Event) -> int:
        """Append one event with its number, time and cell.

        Args:
            event: One of the types in `events.py`; `plain` converts its values.

        Returns:
            The event's number, from 1; 0 in a process forked from the kernel, which records nothing.
        """
        if os.getpid() != self._pid:
            return 0
        with self._lock:
            self.last += 1
            seconds = round(time.monotonic() - self._start, 4)
            header = Header(n=self.last, t=seconds, cell=self.cell, kind=event["kind"])
            self._file.write(json.dumps({**header, **plain(event)}, allow_nan=False) + "\n")
            self._file.flush()
            return self.last

    def close(self) -> None:
        """Close the file; no event can be appended after that."""
        self._file.close()

"""Reads the progress of a training from the record of a running notebook."""

import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from grader.inside.record.events import Epoch, FitEnd, FitStart, kind_of

__all__ = ["TrainingWatch"]

_PIECE = 256 << 10
"""Bytes to read at a time; a longer line is skipped."""
_START, _EPOCH, _END = kind_of(FitStart), kind_of(Epoch), kind_of(FitEnd)
_TELLING = tuple(f'"{kind}"'.encode() for kind in (_START, _EPOCH, _END))


class TrainingWatch:
    """Follows `events.jsonl` while the recorder writes it; the progress is only shown, not graded."""

    def __init__(self, events: Path) -> None:
        """Follow a file that may not exist yet.

        Args:
            events: The record. A student's process can write it, so only a regular file is opened.
        """
        self._events = events
        self._position = 0
        self._asked: dict[Any, int] = {}
        self._now: tuple[int, int | None] | None = None

    def look(self) -> tuple[int, int | None] | None:
        """Read the events added since the last call.

        Returns:
            The current epoch and the number of epochs passed to `fit` (None if unknown); None if no training runs.
        """
        with suppress(OSError):
            piece = self._read()
            end = piece.rfind(b"\n") + 1
            self._position += end or (len(piece) if len(piece) == _PIECE else 0)
            for line in piece[:end].splitlines():
                if any(word in line for word in _TELLING):
                    self._take(line)
        return self._now

    def _read(self) -> bytes:
        handle = os.open(self._events, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return os.pread(handle, _PIECE, self._position) if stat.S_ISREG(os.fstat(handle).st_mode) else b""
        finally:
            os.close(handle)

    def _begin(self, event: FitStart) -> None:
        asked: object = event["epochs"]
        if isinstance(asked, int):
            self._asked = {event["fit"]: asked}
        self._now = (1, self._asked.get(event["fit"]))

    def _go_on(self, event: Epoch) -> None:
        asked = self._asked.get(event["fit"])
        done = int(event["epoch"])
        self._now = (done + 1 if asked is None else min(done + 1, asked), asked)

    def _take(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            if event["kind"] == _START:
                self._begin(event)
            elif event["kind"] == _EPOCH:
                self._go_on(event)
            elif event["kind"] == _END:
                self._now = None
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            return

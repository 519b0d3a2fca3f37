"""Caps what one cell may print, while it prints."""

import sys
from typing import Any, TextIO

from ..record.notes import MARK
from ..record.recorder import Recorder

__all__ = ["Meter", "install_streams", "limit"]

REDRAWN_FACTOR = 16
"""Text that a progress bar overwrites may come to this many times the cap, for nobody gets to see it."""


class Meter:
    """Counts the characters of one cell's output as a person would see them, and those that were sent at all."""

    def __init__(self, cap: int) -> None:
        """Start at nothing.

        Args:
            cap: Characters a person may see of one cell's output.
        """
        self.cap = cap
        self.cell = -1
        self._reset(-1)

    def _reset(self, cell: int) -> None:
        self.cell = cell
        self._lines = 0
        self._line = 0
        self._sent = 0
        self.full = False

    def takes(self, text: str, cell: int) -> bool:
        """Count a piece of text and say whether it still fits.

        Args:
            text: What is about to be printed. A carriage return begins its line anew, a backspace takes one back.
            cell: The running cell; another one than before starts a new count.
        """
        if cell != self.cell:
            self._reset(cell)
        if self.full:
            return False
        self._sent += len(text)
        *whole, last = text.split("\n")
        for piece in whole:
            self._lines += self._seen(piece) + 1
            self._line = 0
        self._line = self._seen(last)
        self.full = self._lines + self._line > self.cap or self._sent > REDRAWN_FACTOR * self.cap
        return not self.full

    def _seen(self, piece: str) -> int:
        _, redrawn, tail = piece.rpartition("\r")
        before = 0 if redrawn else self._line
        return max(0, before + len(tail) - 2 * tail.count("\b"))


def limit(stream: TextIO, meter: Meter, recorder: Recorder) -> None:
    """Let a stream print until the meter is full, then one line that says so, then nothing until the next cell.

    Args:
        stream: A text stream; its `write` is replaced on this object alone.
        meter: May be shared between streams, so that they share one cap.
        recorder: Knows the running cell.
    """
    write = stream.write
    notice = f"\n{MARK}this cell printed more than {meter.cap // 1024} KiB; the rest is left out\n"

    def limited(text: Any) -> Any:
        if not isinstance(text, str):
            return write(text)
        was_full = meter.full and meter.cell == recorder.log.cell
        if meter.takes(text, recorder.log.cell):
            return write(text)
        if not was_full:
            write(notice)
        return len(text)

    stream.write = limited  # type: ignore[method-assign]


def install_streams(recorder: Recorder) -> None:
    """Cap the kernel's two streams together at the session's `max_output_kib`.

    Args:
        recorder: Knows the cap and the running cell. Called when the kernel has put its streams in place.
    """
    meter = Meter(int(recorder.session.max_output_kib * 1024))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "pub_thread"):
            limit(stream, meter, recorder)

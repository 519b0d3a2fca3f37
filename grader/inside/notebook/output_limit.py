"""Limit the output of a cell while it prints."""

import sys
from typing import Any, TextIO

from ..record.notes import MARK
from ..record.recorder import Recorder

__all__ = ["Meter", "install_streams", "limit"]

REDRAWN_FACTOR = 16
"""Maximum total text as a multiple of the cap, including text that a progress bar overwrites and nobody sees."""


class Meter:
    """Counter of the characters of a cell's output: those that remain visible, and all that were sent."""

    def __init__(self, cap: int) -> None:
        """Start with a count of zero.

        Args:
            cap: Maximum number of visible characters of one cell.
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
        """Count a piece of text and return whether it still fits.

        Args:
            text: The text to print. A carriage return restarts its line, a backspace removes one character.
            cell: The running cell; another cell than before starts a new count.
        """
        if cell != self.cell:
            self._reset(cell)
        if self.full:
            return False
        self._sent += len(text)
        *finished, last = text.split("\n")
        for piece in finished:
            self._lines += self._visible(piece) + 1
            self._line = 0
        self._line = self._visible(last)
        self.full = self._lines + self._line > self.cap or self._sent > REDRAWN_FACTOR * self.cap
        return not self.full

    def _visible(self, piece: str) -> int:
        _, redrawn, tail = piece.rpartition("\r")
        before = 0 if redrawn else self._line
        return max(0, before + len(tail) - 2 * tail.count("\b"))


def limit(stream: TextIO, meter: Meter, recorder: Recorder) -> None:
    """Let a stream print until the meter is full, then print a notice and drop the rest of the cell's output.

    Args:
        stream: A text stream; its `write` is replaced on this object only.
        meter: The counter; streams that share one also share its cap.
        recorder: Provides the running cell.
    """
    write = stream.write
    notice = f"\n{MARK}This cell printed more than {meter.cap // 1024} KiB; the rest was left out.\n"

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
    """Limit the kernel's two streams together to the session's `max_output_kib`; call it after they are set up.

    Args:
        recorder: Provides the cap and the running cell.
    """
    meter = Meter(int(recorder.session.max_output_kib * 1024))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "pub_thread"):
            limit(stream, meter, recorder)

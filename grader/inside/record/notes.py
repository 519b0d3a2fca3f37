"""How a stand-in says that it stood in: an `emulated` event, and a line under the cell where people should see it."""

import sys
from contextlib import suppress
from weakref import WeakKeyDictionary

from .events import Emulated
from .recorder import Recorder

__all__ = ["MARK", "Notes", "notes_of"]

MARK = "[grader] "
"""Begins every line that the grader prints into a cell's output."""


class Notes:
    """Tells each form once a cell."""

    def __init__(self, recorder: Recorder) -> None:
        """Start with nothing told.

        Args:
            recorder: Where the events go, and what knows the running cell.
        """
        self._recorder = recorder
        self._cell = -1
        self._told: set[str] = set()

    def tell(self, form: str, message: str, *, show: bool = False) -> None:
        """Write an `emulated` event, unless this cell has one for this form already.

        Args:
            form: Stable id, such as `colab.drive.mount`.
            message: What was done instead, and the modern form where there is one.
            show: Also print the message under the cell.
        """
        if self._cell != self._recorder.log.cell:
            self._cell = self._recorder.log.cell
            self._told.clear()
        if form in self._told:
            return
        self._told.add(form)
        # A full disk must not stop the cell that is being helped along.
        with suppress(OSError, ValueError):
            self._recorder.log.write(Emulated(kind="emulated", form=form, message=message))
        if show:
            with suppress(OSError, ValueError):
                sys.stdout.write(f"{MARK}{message}\n")


_NOTES: "WeakKeyDictionary[Recorder, Notes]" = WeakKeyDictionary()


def notes_of(recorder: Recorder) -> Notes:
    """The one `Notes` of a recorder."""
    return _NOTES.setdefault(recorder, Notes(recorder))

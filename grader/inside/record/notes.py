"""Reports replaced forms: as an `emulated` event, and as a line under the cell if people should see it."""

import sys
from contextlib import suppress
from weakref import WeakKeyDictionary

from .events import Emulated
from .recorder import Recorder

__all__ = ["MARK", "Notes", "notes_of"]

MARK = "[grader] "
"""Start of every line that the grader prints into a cell's output."""


class Notes:
    """Reports each form once per cell."""

    def __init__(self, recorder: Recorder) -> None:
        """Start without a report.

        Args:
            recorder: Receives the events and provides the running cell.
        """
        self._recorder = recorder
        self._cell = -1
        self._told: set[str] = set()

    def tell(self, form: str, message: str, *, show: bool = False) -> None:
        """Write an `emulated` event, unless the cell already has one for this form.

        Args:
            form: Stable id, such as `colab.drive.mount`.
            message: The replacement, and the modern form if there is one.
            show: Whether to print the message under the cell as well.
        """
        if self._cell != self._recorder.log.cell:
            self._cell = self._recorder.log.cell
            self._told.clear()
        if form in self._told:
            return
        self._told.add(form)
        # A full disk must not stop the cell.
        with suppress(OSError, ValueError):
            self._recorder.log.write(Emulated(kind="emulated", form=form, message=message))
        if show:
            with suppress(OSError, ValueError):
                sys.stdout.write(f"{MARK}{message}\n")


_NOTES: "WeakKeyDictionary[Recorder, Notes]" = WeakKeyDictionary()


def notes_of(recorder: Recorder) -> Notes:
    """Return the `Notes` of a recorder, always the same object."""
    return _NOTES.setdefault(recorder, Notes(recorder))

"""The recorder's core: the session, the log, and callbacks at the end of cells and of the notebook."""

import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from .events import MAX_GAP_TEXT, MAX_GAPS, CellEnd, CellStart, End, Gap
from .log import EventLog
from .losses import lost_by
from .session import Session

__all__ = ["Recorder", "hook_name"]


class Recorder:
    """The objects that all hooks share.

    Attributes:
        session: The host's settings.
        log: The log of events; `log.cell` is the number of the running code cell, from 1.
    """

    def __init__(self, session: Session) -> None:
        """Make the record's folders and open the log."""
        for name in ("models", "arrays", "predictions"):
            (session.out / name).mkdir(parents=True, exist_ok=True)
        self.session = session
        self.log = EventLog(session.out / "events.jsonl")
        self._at_cell_start: list[Callable[[], None]] = []
        self._at_cell_end: list[Callable[[], None]] = []
        self._at_end: list[Callable[[], None]] = []
        self.namespace: dict[str, Any] = {}
        """The notebook's variables (IPython's `user_ns`), once the shell exists."""
        self.arrays: Any = None
        """The `ArrayBook` with the models' input arrays, once the hooks are installed."""
        self.cell_ok: bool | None = None
        """Whether the last cell ended without an exception; None while a cell runs."""
        self.cell_interrupted = False
        """Whether the last cell was interrupted."""
        self.cell_began = time.monotonic()
        """Monotonic time of the start of the running or last cell."""
        self.deadline = session.deadline
        """End of the notebook's time limit, as Unix time; set again at the start of the first cell."""
        self._fits = 0
        self._gaps: Counter[str] = Counter()
        self._finished = False

    def next_fit(self) -> int:
        """Return the id of the next training; the first one is 1."""
        self._fits += 1
        return self._fits

    def gap(self, hook: str, problem: Exception, lost: Sequence[str] | None = None) -> None:
        """Write a `gap` event, at most a few times per hook. This method never raises.

        Args:
            hook: The failed function of the recorder, or the name in the library.
            problem: The exception.
            lost: Kinds of events that may be missing or incomplete; by default from `losses.py`.
        """
        self._gaps[hook] += 1
        if self._gaps[hook] > MAX_GAPS:
            return
        kinds = list(lost_by(hook) if lost is None else lost)
        # If the gap itself cannot be written, the record has no `end` event, which the grader detects.
        with suppress(Exception):
            self.log.write(Gap(kind="gap", what=_in_words(problem), hook=hook, lost=kinds))

    def at_cell_start(self, action: Callable[[], None]) -> None:
        """Register a callback for the start of each code cell; the last thing before the cell's own code."""
        self._at_cell_start.append(action)

    def at_cell_end(self, action: Callable[[], None]) -> None:
        """Register a callback for the end of each code cell; callbacks are called in order of registration."""
        self._at_cell_end.append(action)

    def at_end(self, action: Callable[[], None]) -> None:
        """Register a callback for the notebook's end."""
        self._at_end.append(action)

    def cell_started(self) -> None:
        """Record the start of a code cell."""
        if not self.log.cell and self.session.time is not None:
            self.deadline = time.time() + self.session.time
        self.log.cell += 1
        self.cell_ok = None
        self.cell_began = time.monotonic()
        self.log.write(CellStart(kind="cell_start"))
        for action in self._at_cell_start:
            self._safely(action)

    def cell_ended(self, *, ok: bool, seconds: float, interrupted: bool = False) -> None:
        """Record the end of a code cell after calling every callback, even if one of them fails."""
        self.cell_ok, self.cell_interrupted = ok, interrupted
        for action in self._at_cell_end:
            self._safely(action)
        self.log.write(CellEnd(kind="cell_end", ok=ok, seconds=round(seconds, 4)))

    def finish(self) -> None:
        """Record the notebook's end after calling the callbacks; only the first call has an effect."""
        if self._finished:
            return
        self._finished = True
        for action in self._at_end:
            self._safely(action)
        self.log.write(End(kind="end"))

    def _safely(self, action: Callable[[], None]) -> None:
        """Call a callback; its failure is a gap in the record and does not disturb the student's run."""
        try:
            action()
        except Exception as problem:
            self.gap(hook_name(action), problem)


def hook_name(action: Any) -> str:
    """Return the name of a function of the recorder, as used in `losses.py`."""
    return str(getattr(action, "__qualname__", type(action).__name__))


def _in_words(problem: Exception) -> str:
    frames = traceback.extract_tb(problem.__traceback__)
    place = f" ({frames[-1].name}:{frames[-1].lineno})" if frames else ""
    return f"{type(problem).__name__}: {problem}"[: MAX_GAP_TEXT - len(place)] + place

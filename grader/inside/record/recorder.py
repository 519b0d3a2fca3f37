"""The recorder's spine: the session it was started with, the log it appends to, and the moments others hook into."""

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
    """What the hooks share.

    Attributes:
        session: What the host asked for.
        log: Where events go; `log.cell` is the number of the running code cell, from 1.
    """

    def __init__(self, session: Session) -> None:
        """Make the record's folders and open its log."""
        for name in ("models", "arrays", "predictions"):
            (session.out / name).mkdir(parents=True, exist_ok=True)
        self.session = session
        self.log = EventLog(session.out / "events.jsonl")
        self._at_cell_end: list[Callable[[], None]] = []
        self._at_end: list[Callable[[], None]] = []
        self.namespace: dict[str, Any] = {}
        """The notebook's variables (IPython's `user_ns`), once the shell exists."""
        self.arrays: Any = None
        """The `ArrayBook`, once the hooks are installed; knows which arrays models were given."""
        self.cell_ok: bool | None = None
        """Whether the cell that has just ended raised nothing; None while one runs."""
        self.cell_began = time.monotonic()
        """Monotonic time at which the running or last cell began."""
        self._fits = 0
        self._gaps: Counter[str] = Counter()
        self._finished = False

    def next_fit(self) -> int:
        """Count the trainings: 1, 2, 3 … are their ids."""
        self._fits += 1
        return self._fits

    def gap(self, hook: str, problem: Exception, lost: Sequence[str] | None = None) -> None:
        """Write that something could not be recorded, a few times for each hook. Never raises.

        Args:
            hook: The function of the recorder, or the name of a library, that is concerned.
            problem: What was raised.
            lost: Kinds of events that may be missing or incomplete; by default as `losses.py` says.
        """
        self._gaps[hook] += 1
        if self._gaps[hook] > MAX_GAPS:
            return
        kinds = list(lost_by(hook) if lost is None else lost)
        # Where not even this can be written, the record has no end, and that is found.
        with suppress(Exception):
            self.log.write(Gap(kind="gap", what=_in_words(problem), hook=hook, lost=kinds))

    def at_cell_end(self, action: Callable[[], None]) -> None:
        """Call `action` after every code cell, in the order of registration."""
        self._at_cell_end.append(action)

    def at_end(self, action: Callable[[], None]) -> None:
        """Call `action` once, when the last cell was run."""
        self._at_end.append(action)

    def cell_started(self) -> None:
        """A code cell begins."""
        self.log.cell += 1
        self.cell_ok = None
        self.cell_began = time.monotonic()
        self.log.write(CellStart(kind="cell_start"))

    def cell_ended(self, *, ok: bool, seconds: float) -> None:
        """A code cell ended: let every hook settle what it holds, whatever one of them does."""
        self.cell_ok = ok
        for action in self._at_cell_end:
            self._safely(action)
        self.log.write(CellEnd(kind="cell_end", ok=ok, seconds=round(seconds, 4)))

    def finish(self) -> None:
        """The notebook ended: keep what is to be kept. Only the first call counts."""
        if self._finished:
            return
        self._finished = True
        for action in self._at_end:
            self._safely(action)
        self.log.write(End(kind="end"))

    def _safely(self, action: Callable[[], None]) -> None:
        """Call an action; a failed observation is a gap in the record, never a change of the student's run."""
        try:
            action()
        except Exception as problem:
            self.gap(hook_name(action), problem)


def hook_name(action: Any) -> str:
    """Name a function of the recorder as `losses.py` does."""
    return str(getattr(action, "__qualname__", type(action).__name__))


def _in_words(problem: Exception) -> str:
    frames = traceback.extract_tb(problem.__traceback__)
    place = f" ({frames[-1].name}:{frames[-1].lineno})" if frames else ""
    return f"{type(problem).__name__}: {problem}"[: MAX_GAP_TEXT - len(place)] + place

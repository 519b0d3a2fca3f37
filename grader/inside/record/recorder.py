"""The recorder's spine: the session it was started with, the log it appends to, and the moments others hook into."""

import json
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["EventLog", "Recorder", "Session", "plain"]

SESSION_VERSION = 1


@dataclass(frozen=True, slots=True)
class Session:
    """What the host asked for; the keys are described in `docs/events.md`."""

    version: int
    out: Path
    data: Path
    datasets: tuple[str, ...]
    dialect: Literal["keras3", "keras2"]
    seed: int
    fit_time: float
    deadline: float
    reserve: float
    max_models_mib: float
    max_output_kib: float
    graded_dataset: str

    @classmethod
    def load(cls, path: Path) -> "Session":
        """Read the session file.

        Args:
            path: What the environment variable `GRADER_SESSION` names.

        Raises:
            ValueError: It is of another version, or a key is missing.
        """
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw.get("version") != SESSION_VERSION:
            msg = f"session version {raw.get('version')!r}, expected {SESSION_VERSION}"
            raise ValueError(msg)
        missing = set(cls.__slots__) - set(raw)
        if missing:
            msg = f"the session lacks {', '.join(sorted(missing))}"
            raise ValueError(msg)
        values = {name: raw[name] for name in cls.__slots__}
        values |= {"out": Path(raw["out"]), "data": Path(raw["data"]), "datasets": tuple(raw["datasets"])}
        return cls(**values)


def plain(value: Any, depth: int = 12) -> Any:  # noqa: PLR0911 - one return a kind of value
    """Reduce a value to what JSON holds: NumPy scalars to numbers, NaN to None, the unknown to its class name.

    Args:
        value: Anything.
        depth: How deep nested containers are followed.
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
    """Appends events to a file, one JSON object a line, each flushed as it happens."""

    def __init__(self, path: Path) -> None:
        """Open the file for appending.

        Args:
            path: `events.jsonl`; its folder exists.
        """
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        self._start = time.monotonic()
        self._pid = os.getpid()
        self.last = 0
        self.cell = 0

    def write(self, kind: str, **keys: Any) -> int:
        """Append one event.

        Args:
            kind: One of the kinds in `docs/events.md`.
            **keys: Its keys; reduced with `plain`.

        Returns:
            The event's number, from 1; 0 in a process forked from the kernel, whose doings are not the notebook's.
        """
        if os.getpid() != self._pid:
            return 0
        with self._lock:
            self.last += 1
            event = {"n": self.last, "t": round(time.monotonic() - self._start, 4), "cell": self.cell, "kind": kind}
            self._file.write(json.dumps({**event, **plain(keys)}, allow_nan=False) + "\n")
            self._file.flush()
            return self.last

    def close(self) -> None:
        """Close the file; nothing can be appended any more."""
        self._file.close()


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
        self._finished = False

    def next_fit(self) -> int:
        """Count the trainings: 1, 2, 3 … are their ids."""
        self._fits += 1
        return self._fits

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
        self.log.write("cell_start")

    def cell_ended(self, *, ok: bool, seconds: float) -> None:
        """A code cell ended: let every hook settle what it holds, whatever one of them does."""
        self.cell_ok = ok
        for action in self._at_cell_end:
            _safely(action)
        self.log.write("cell_end", ok=ok, seconds=round(seconds, 4))

    def finish(self) -> None:
        """The notebook ended: keep what is to be kept. Only the first call counts."""
        if self._finished:
            return
        self._finished = True
        for action in self._at_end:
            _safely(action)
        self.log.write("end")


def _safely(action: Callable[[], None]) -> None:
    try:
        action()
    except Exception:
        # A failed observation is a gap in the record, never a change of the student's run.
        return

"""Stops the student's own training loops at the time limits, as a `fit` is stopped, so that the later cells still run.

A thread observes whether the weights of a model are being trained in the running cell. When a limit has passed, the
checks in the student's loops (`hooking/loop_checks.py`) end each loop that makes further steps of that training. The
same checks let the recorder write down a long training from time to time, in the main thread and between two
iterations, so that a killed kernel leaves it in the record.
"""

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType

from ..hooking.loop_checks import lines_of, set_checker
from ..record.recorder import Recorder
from . import quick

__all__ = ["LoopStops", "Places", "Steps"]

Steps = Mapping[Hashable, Hashable]
"""Training → a value that changes with each of its steps; 0 before the first step in the running cell."""
Places = Sequence[tuple[str, int]]
"""Files and line numbers."""

_POLL = 0.5
_WATCH = 0.02
"""Interval between looks at a training whose limit has passed, to stop it between two steps."""
_FIRST_NOTE = 10.0
"""Seconds of training before it is written down for the first time."""
_NOTE_EVERY = 30.0
_LAST_PART = 0.5
"""Part of the reserve before the deadline after which a cell is interrupted if its training did not end."""
_INTERRUPT_EACH = 1.0
"""Interval between the interruptions of a cell: code that calls Python from C may lose the exception of one."""


@dataclass(slots=True)
class _Running:
    """A training in the running cell.

    Attributes:
        value: Its value at the last look.
        began: Monotonic time of its first observed step.
        noted: Monotonic time when it was last written down.
    """

    value: Hashable
    began: float | None = None
    noted: float | None = None


class LoopStops:
    """Watches the trainings of the running cell. The student's loops ask it, through `enters` and `ends`.

    Attributes:
        stopped: The trainings that were stopped in this cell.
        paused: Above 0 while Keras's `fit`, which has its own limit, makes the steps.
    """

    def __init__(
        self,
        recorder: Recorder,
        steps: Callable[[], Steps],
        note: Callable[[], None],
        origins: Callable[[Hashable], Places],
    ) -> None:
        """Start without a training.

        Args:
            recorder: Provides the time limits.
            steps: Returns the trainings that exist; called from another thread.
            note: Writes down the running trainings; called between two iterations of a loop of the student.
            origins: Returns the lines of the student's code that made the model of a training.
        """
        self.stopped: set[Hashable] = set()
        self.paused = 0
        self._recorder = recorder
        self._steps = steps
        self._note = note
        self._origins = origins
        self._running: dict[Hashable, _Running] = {}
        self._over: dict[Hashable, Hashable] = {}
        self._entered: dict[tuple[int, int], Steps] = {}
        self._due = False
        self._cell = 0
        self._interrupted = -math.inf
        self._thread: threading.Thread | None = None

    def watch(self) -> None:
        """Start to observe, once there is a training."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._observe, name="training-limits", daemon=True)
            self._thread.start()

    def cell_ended(self) -> None:
        """Forget the trainings of the cell."""
        set_checker(None)
        self._running, self._over, self._entered = {}, {}, {}
        self.stopped, self._due, self._interrupted = set(), False, -math.inf
        self._cell = self._recorder.log.cell

    def enters(self, site: int) -> None:
        """Note the start of a loop; steps before it do not count for it."""
        with suppress(Exception):  # nothing may disturb the student's loop
            if threading.current_thread() is threading.main_thread():
                self._entered[id(sys._getframe(1)), site] = dict(self._steps())

    def ends(self, site: int) -> bool:
        """Decide at the end of an iteration whether the loop ends: if it made a step of a training over its limit."""
        if self.paused or threading.current_thread() is not threading.main_thread():
            return False
        try:
            return self._ends(sys._getframe(1), site)
        except Exception:  # nothing may disturb the student's loop
            return False

    def _ends(self, frame: FrameType, site: int) -> bool:
        if self._due:
            self._due = False
            self._note()
            if not self._over:
                self._entered.clear()
                set_checker(None)
                return False
        now = self._steps()
        before = self._entered.get((id(frame), site), {})
        made = {key for key, value in self._over.items() if now.get(key) != before.get(key, value)}
        self.stopped |= made
        if self._past_deadline():
            return bool(made)
        # A loop that makes a new model in each iteration goes on with the next model.
        place, lines = frame.f_code.co_filename, lines_of(site)
        return any(not any(name == place and line in lines for name, line in self._origins(key)) for key in made)

    def _observe(self) -> None:
        while True:
            time.sleep(_WATCH if self._is_late() else _POLL)
            if self._recorder.cell_ok is None and self._recorder.log.cell != self._cell and not self.paused:
                # The student's code runs at the same time, so a look can fail; the next one follows soon.
                with suppress(Exception):
                    self._look()

    def _is_late(self) -> bool:
        """Whether a training is over its limit and was not stopped yet."""
        now = time.monotonic()
        running = [each for each in list(self._running.items()) if each[1].began is not None]
        return any(key not in self._over and self._limit(training) <= now for key, training in running)

    def _past_deadline(self) -> bool:
        """Whether all trainings must end, because the notebook's time limit is near."""
        return time.time() >= self._recorder.deadline - self._recorder.session.reserve

    def _limit(self, training: _Running) -> float:
        """Return the monotonic time at which a training must end."""
        session = self._recorder.session
        deadline = time.monotonic() + self._recorder.deadline - session.reserve - time.time()
        longest = quick.LOOP_SECONDS if session.quick else session.fit_time
        return min(deadline, (training.began or 0.0) + longest)

    def _look(self) -> None:
        now = time.monotonic()
        for key, value in dict(self._steps()).items():
            training = self._running.setdefault(key, _Running(0))
            before, training.value = training.value, value
            if before == value:
                continue
            if training.began is None:
                training.began = training.noted = now
            if self._limit(training) <= now:
                self._stop(key, before)
            elif now - (training.noted or now) >= (_FIRST_NOTE if training.noted == training.began else _NOTE_EVERY):
                training.noted = now
                self._due = True
                set_checker(self)

    def _stop(self, key: Hashable, before: Hashable) -> None:
        """Let the loops end that make steps of a training."""
        if not self._over:
            self._entered.clear()
        if key not in self._over:
            self._over[key] = before
        set_checker(self)
        left = self._recorder.deadline - time.time()
        since = time.monotonic() - self._interrupted
        if left <= _LAST_PART * self._recorder.session.reserve and since >= _INTERRUPT_EACH:
            # No check of ours is in its loop, such as a comprehension; the later cells still have some time.
            self._interrupted = time.monotonic()
            os.kill(os.getpid(), signal.SIGINT)

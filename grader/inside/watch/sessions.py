"""Reports training loops of TensorFlow 1, `session.run(step)`, which cannot be recorded."""

from typing import Any

from ..hooking.guard import Guard
from ..record.recorder import Recorder

__all__ = ["SessionWatch"]

_LOOP = 10
"""Number of the student's own calls of `Session.run` that look like a training loop."""


class SessionWatch:
    """Counts the student's own calls of `Session.run`; Keras's calls do not count."""

    def __init__(self, recorder: Recorder, guard: Guard) -> None:
        """Start without a call.

        Args:
            recorder: Receives the gap.
            guard: Distinguishes the student's calls from Keras's.
        """
        self._recorder = recorder
        self._guard = guard
        self._runs = 0

    def run(self, original: Any, session: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap `Session.run`."""
        __tracebackhide__ = True
        if self._guard.student:
            self._runs += 1
            if self._runs == _LOOP:
                problem = NotImplementedError("the notebook makes its own loop of `Session.run`, which is not recorded")
                self._recorder.gap("Session.run", problem)
        return original(session, *args, **kwargs)

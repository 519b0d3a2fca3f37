"""Prevents the recorder from recording its own calls, and from taking Keras's internal calls for the student's."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from ..record.recorder import hook_name

__all__ = ["Guard", "outside_graphs"]


class Guard:
    """Two counters that every hook checks before it records.

    They apply to the process and not to a thread, since Keras 3 runs callbacks in other threads.

    Attributes:
        busy: Above 0 while the recorder itself uses Keras; nothing is recorded then.
        keras: Above 0 while Keras runs (`fit`, `load_model` …); its internal calls are not the student's.
    """

    def __init__(self, report: Callable[[str, Exception], Any] | None = None) -> None:
        """Start with both counters at 0.

        Args:
            report: Callback for the name of a failed part of the recorder and its exception.
        """
        self._report = report
        self.busy = 0
        self.keras = 0
        self.pausing: Callable[[], AbstractContextManager[Any]] = nullcontext
        """Makes a context for each call of Keras and of the recorder."""

    @property
    def student(self) -> bool:
        """Whether a call comes from the student's own code."""
        return not self.busy and not self.keras

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Mark the recorder as busy during a `with` block."""
        with self.pausing():
            self.busy += 1
            try:
                yield
            finally:
                self.busy -= 1

    @contextmanager
    def inside_keras(self) -> Iterator[None]:
        """Mark Keras as running during a `with` block."""
        with self.pausing():
            self.keras += 1
            try:
                yield
            finally:
                self.keras -= 1

    def quietly(self, action: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function of the recorder; if it raises, report a gap in the record instead.

        Returns:
            The function's result, or None if it failed.
        """
        with self.recording():
            try:
                return action(*args, **kwargs)
            except Exception as problem:
                self.report(action, problem)
                return None

    def report(self, action: Callable[..., Any], problem: Exception) -> None:
        """Report that a part of the recorder failed.

        Args:
            action: The failed function.
            problem: Its exception.
        """
        if self._report is not None:
            self._report(hook_name(action), problem)


def outside_graphs() -> AbstractContextManager[Any]:
    """Leave the graph of a `tf.function` that is being traced, since variables have values only outside of it."""
    tensorflow = sys.modules.get("tensorflow")
    found: AbstractContextManager[Any] = tensorflow.init_scope() if tensorflow is not None else nullcontext()
    return found

"""Keeps the recorder from watching itself, and from taking Keras's own calls for the student's."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from ..record.recorder import hook_name

__all__ = ["Guard", "outside_graphs"]


class Guard:
    """Two counters that every hook asks before it records.

    They belong to the process and not to a thread: Keras 3 runs callbacks in threads of its own.

    Attributes:
        busy: Above 0 while the recorder itself uses Keras; nothing is recorded then.
        keras: Above 0 while Keras runs (`fit`, `load_model` …); what it calls inside itself is not the student's doing.
    """

    def __init__(self, report: Callable[[str, Exception], Any] | None = None) -> None:
        """Start with nothing running.

        Args:
            report: Gets the name of each part of the recorder that failed, and its exception.
        """
        self._report = report
        self.busy = 0
        self.keras = 0

    @property
    def student(self) -> bool:
        """Whether a call that arrives now comes from the student's own code."""
        return not self.busy and not self.keras

    @contextmanager
    def recording(self) -> Iterator[None]:
        """While the recorder works."""
        self.busy += 1
        try:
            yield
        finally:
            self.busy -= 1

    @contextmanager
    def inside_keras(self) -> Iterator[None]:
        """While a call of the student's runs inside Keras."""
        self.keras += 1
        try:
            yield
        finally:
            self.keras -= 1

    def quietly(self, action: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call the recorder's own `action`; whatever fails in it is a gap in the record and nothing more.

        Returns:
            What it returned, or None where it failed.
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
            action: The part.
            problem: What it raised.
        """
        if self._report is not None:
            self._report(hook_name(action), problem)


def outside_graphs() -> AbstractContextManager[Any]:
    """While a `tf.function` is traced, variables have values only outside of its graph."""
    tensorflow = sys.modules.get("tensorflow")
    found: AbstractContextManager[Any] = tensorflow.init_scope() if tensorflow is not None else nullcontext()
    return found

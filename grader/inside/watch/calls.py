"""Counts direct calls `model(x, training=…)` outside of Keras's loops."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..describe.arrays import ArrayBook
from ..hooking.guard import Guard, outside_graphs
from ..record.events import Calls
from ..record.recorder import Recorder
from . import quick
from .model_book import ModelBook
from .outputs import Outputs
from .passes import Passes
from .values import ValueWatch

__all__ = ["CallWatch"]


@dataclass(slots=True)
class _Calls:
    """Calls of one model with one value of `training` in one cell.

    Attributes:
        model: The model, kept alive until the cell's end.
        passes: Detects repeated calls with the same input.
        count: Number of calls.
        x: The largest input.
    """

    model: Any
    training: bool | None
    passes: Passes
    count: int = 0
    x: Any = None


class CallWatch:
    """Counts every eager call of a model by the student's code."""

    def __init__(
        self, recorder: Recorder, book: ModelBook, arrays: ArrayBook, guard: Guard, values: ValueWatch
    ) -> None:
        """Start without calls."""
        self._values = values
        self._recorder = recorder
        self._book = book
        self._arrays = arrays
        self._guard = guard
        self._calls: dict[tuple[int, bool | None], _Calls] = {}
        self._traced: dict[tuple[int, bool], Any] = {}
        self.trained_on: dict[int, Any] = {}
        """id of a model → its last input in this cell without `training=False`, which the next training step uses."""
        self.outputs = Outputs()
        self._awaited: Any = None
        self._when_called: Callable[[], Any] = bool

    def await_first(self, model: Any, action: Callable[[], Any]) -> None:
        """Call `action` once, after Keras's first call of a model, which creates its weights.

        Args:
            model: A model that is not built yet.
            action: Callback, called outside of graphs, where variables have values.
        """
        self._awaited, self._when_called = model, action

    def call(self, original: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap `Model.__call__`."""
        __tracebackhide__ = True
        guard = self._guard
        if guard.busy or guard.keras or not args or not _eager(args[0]):
            if args and guard.student:
                guard.quietly(self._trace, model, args[0], kwargs.get("training") is True)
            output = original(model, *args, **kwargs)
            if not guard.busy:
                guard.quietly(self.outputs.add, model, output)
            if self._awaited is model:
                self._awaited = None
                with outside_graphs():
                    guard.quietly(self._when_called)
            return output
        with self._values.paused():
            guard.keras += 1
            try:
                run = quick.with_few_rows if self._recorder.session.quick else quick.unlimited
                output = run(original, model, args, kwargs)
            finally:
                guard.keras -= 1
            guard.quietly(self.outputs.add, model, output)
            guard.quietly(self.count, model, args[0], kwargs.get("training"), output)
        return output

    def _trace(self, model: Any, x: Any, training: bool) -> None:  # noqa: FBT001 - private
        """Note a call in the student's own graph (`tf.function`) without a gradient."""
        if _in_graph(x) and not _is_taped():
            self._traced[id(model), training] = model

    def count(self, model: Any, x: Any, training: Any, output: Any) -> None:
        """Count one call.

        Args:
            model: The model.
            x: Its input.
            training: The argument `training`; None if it was not passed.
            output: Its output.
        """
        flag = training if isinstance(training, bool) else None
        calls = self._calls.setdefault((id(model), flag), _Calls(model, flag, Passes(model, self._values.repeated)))
        calls.count += 1
        if calls.x is None or _rows(x) > _rows(calls.x):
            calls.x = x
        calls.passes.add(x, output)
        if flag is not False:
            self.trained_on[id(model)] = x

    def cell_ended(self) -> None:
        """Write one `calls` event for each model and value of `training`."""
        counted, self._calls = self._calls, {}
        traced, self._traced = self._traced, {}
        self.trained_on.clear()
        for (_, training), model in traced.items():
            # The number of runs of the graph and their inputs are unknown.
            entry = self._book.announce(model)
            flag = True if training else None
            event = Calls(kind="calls", model=entry.id, training=flag, count=0, x=None, traced=True)
            self._recorder.log.write(event)
        for calls in counted.values():
            x, _ = self._arrays.describe_pair(calls.x)
            entry = self._book.announce(calls.model)
            event = Calls(
                kind="calls",
                model=entry.id,
                training=calls.training,
                count=calls.count,
                x=x,
                outputs_differ=calls.passes.differ,
                repeats=calls.passes.repeats,
            )
            self._recorder.log.write(event)
            self._values.ended(entry.id, "call", calls.training, calls.passes.repeated)


def _eager(x: Any) -> bool:
    """Whether a call computes values instead of building a graph."""
    if isinstance(x, (list, tuple)):
        return bool(x) and _eager(x[0])
    if isinstance(x, dict):
        return bool(x) and _eager(next(iter(x.values())))
    if hasattr(x, "_keras_history") or type(x).__name__ == "KerasTensor":
        return False
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is None or bool(tensorflow.executing_eagerly())


def _in_graph(x: Any) -> bool:
    """Whether a call becomes part of a TensorFlow graph and not of a Keras model."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(x, tensorflow.Tensor) and not tensorflow.executing_eagerly()


def _is_taped() -> bool:
    """Whether a `GradientTape` is active."""
    return not sys.modules["tensorflow.python.pywrap_tfe"].TFE_Py_TapeSetIsEmpty()


def _rows(x: Any) -> int:
    shape = getattr(x, "shape", None)
    return int(shape[0]) if shape is not None and len(shape) else 0

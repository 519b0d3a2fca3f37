"""Watches `K.function` of Keras 2, a hidden model whose calls count as calls of the student's model."""

import functools
import inspect
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ..hooking.guard import Guard
from .calls import CallWatch
from .model_book import ModelBook

__all__ = ["FunctionWatch"]


@dataclass(frozen=True, slots=True)
class _Meant:
    """The model whose predictions a function returns, and their position among the function's outputs."""

    model: "weakref.ref[Any]"
    place: int | None
    """None if the function returns one output without a list."""


class FunctionWatch:
    """Prevents a function's hidden model from counting as one of the student's models."""

    def __init__(self, book: ModelBook, guard: Guard, calls: CallWatch, backend: ModuleType) -> None:
        """Start without functions.

        Args:
            book: The student's models.
            guard: Distinguishes the student's calls from Keras's.
            calls: Receives each call of a model.
            backend: Keras 2's module that defines `function`.
        """
        self._book = book
        self._guard = guard
        self._calls = calls
        self._backend = backend

    def function(self, original: Any, inputs: Any, outputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap `backend.function`."""
        __tracebackhide__ = True
        guard = self._guard
        with guard.recording():
            run = original(inputs, outputs, *args, **kwargs)
        if not guard.student or not inspect.isfunction(run):
            # This is Keras's own call; or, in graph mode, an object with attributes and without a model.
            return run
        meant = guard.quietly(self._meant, outputs)

        @functools.wraps(run)
        def call(*given: Any, **named: Any) -> Any:
            __tracebackhide__ = True
            with guard.recording():
                found = run(*given, **named)
            if meant is not None and guard.student:
                guard.quietly(self._count, meant, given[0] if given else next(iter(named.values()), None), found)
            return found

        return call

    def _meant(self, outputs: Any) -> _Meant | None:
        """Find the first model with one of these tensors as an output; a hidden layer's tensor is not a prediction."""
        given = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        for _, model in self._book.alive():
            ends = [_origin(tensor) for tensor in getattr(model, "outputs", None) or ()]
            for place, tensor in enumerate(given):
                if _origin(tensor) in ends:
                    return _Meant(weakref.ref(model), place if isinstance(outputs, (list, tuple)) else None)
        return None

    def _count(self, meant: _Meant, values: Any, found: Any) -> None:
        model = meant.model()
        if model is None:
            return
        x = values[0] if isinstance(values, (list, tuple)) and len(values) == 1 else values
        self._calls.count(model, x, self._phase(), found if meant.place is None else found[meant.place])

    def _phase(self) -> bool | None:
        """Return the global learning phase: whether calls train; None if it is not set."""
        return bool(self._backend.learning_phase()) if self._backend.global_learning_phase_is_set() else None


def _origin(tensor: Any) -> Sequence[Any]:
    """Return the layer, node and position that a symbolic tensor comes from."""
    layer, node, place = tensor._keras_history
    return id(layer), node, place

"""Sees `K.function` of Keras 2: a model of Keras's own in disguise, whose passes are those of a student's network."""

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
    """The network whose predictions a function gives, and which of the function's outputs they are."""

    model: "weakref.ref[Any]"
    place: int | None
    """None where the function gives one output without a list."""


class FunctionWatch:
    """Keeps the model that a function is made of from being taken for one of the student's networks."""

    def __init__(self, book: ModelBook, guard: Guard, calls: CallWatch, backend: ModuleType) -> None:
        """Start with no function known.

        Args:
            book: Knows the student's networks.
            guard: Knows whose call it is.
            calls: Told of each pass of a network.
            backend: Of Keras 2, where its functions are defined.
        """
        self._book = book
        self._guard = guard
        self._calls = calls
        self._backend = backend

    def function(self, original: Any, inputs: Any, outputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Stand around `backend.function`."""
        __tracebackhide__ = True
        guard = self._guard
        with guard.recording():
            run = original(inputs, outputs, *args, **kwargs)
        if not guard.student or not inspect.isfunction(run):
            # Keras's own use; or, in graph mode, an object that others look into, and no model at all.
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
        """The first network that ends in one of these tensors: what a layer before its end gives is no prediction."""
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
        """Whether the function trained or inferred, where that was said for all of Keras."""
        return bool(self._backend.learning_phase()) if self._backend.global_learning_phase_is_set() else None


def _origin(tensor: Any) -> Sequence[Any]:
    """The layer that a symbolic tensor comes from, and which of its tensors it is."""
    layer, node, place = tensor._keras_history
    return id(layer), node, place

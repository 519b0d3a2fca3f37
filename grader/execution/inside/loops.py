"""Watches training loops of the student's own: `apply_gradients`, `optimizer.minimize`, `train_on_batch`.

A loop is seen as one training per cell and model. Steps inside a `tf.function`, which Python sees only while it is
traced, are counted by the optimizer's own counter.
"""

import sys
import time
import weakref
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .core import Recorder
from .describe import digests, trainable_mask
from .guard import Guard, outside_graphs
from .keep import Keeper
from .models import ModelBook
from .settings import rate_of

__all__ = ["LoopWatch"]


@dataclass(slots=True)
class _Loop:
    """One optimizer working on one model.

    Attributes:
        optimizer: Held weakly.
        model: Held weakly.
        done: The optimizer's counter at the last settlement.
        digests: Of the model's layers at the last settlement.
        calls: Steps that Python saw since then, outside of any graph.
        traced: Whether it ever worked inside a graph.
        fit: The running training's id; None between two.
        event: Number of its `fit_start`.
        began: Monotonic time of its first step.
    """

    optimizer: "weakref.ref[Any]"
    model: "weakref.ref[Any]"
    done: int
    digests: dict[str, str] = field(default_factory=dict)
    calls: int = 0
    traced: bool = False
    fit: int | None = None
    event: int = 0
    began: float = 0.0


class LoopWatch:
    """Every optimizer that the student's own code used."""

    def __init__(self, recorder: Recorder, book: ModelBook, guard: Guard, keeper: Keeper) -> None:
        """Start with none seen."""
        self._recorder = recorder
        self._book = book
        self._guard = guard
        self._keeper = keeper
        self._loops: dict[tuple[int, int], _Loop] = {}

    def apply(self, original: Any, optimizer: Any, grads: Any, trainable_variables: Any = None, **kwargs: Any) -> Any:
        """Stand around Keras 3's `Optimizer.apply`."""
        __tracebackhide__ = True
        if not self._guard.student:
            return original(optimizer, grads, trainable_variables, **kwargs)
        variables = (
            trainable_variables if trainable_variables is not None else getattr(optimizer, "_trainable_variables", [])
        )
        loop = self._guard.quietly(self._before, optimizer, list(variables))
        with self._guard.inside_keras():
            result = original(optimizer, grads, trainable_variables, **kwargs)
        self._after(loop)
        return result

    def apply_gradients(self, original: Any, optimizer: Any, grads_and_vars: Any, *args: Any, **kwargs: Any) -> Any:
        """Stand around Keras 2's `Optimizer.apply_gradients`."""
        __tracebackhide__ = True
        if not self._guard.student:
            return original(optimizer, grads_and_vars, *args, **kwargs)
        pairs = list(grads_and_vars)
        loop = self._guard.quietly(self._before, optimizer, [variable for _, variable in pairs])
        with self._guard.inside_keras():
            result = original(optimizer, pairs, *args, **kwargs)
        self._after(loop)
        return result

    def train_on_batch(self, original: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        """Stand around `Model.train_on_batch`."""
        __tracebackhide__ = True
        if not self._guard.student:
            return original(model, *args, **kwargs)
        loop = self._guard.quietly(self._step, getattr(model, "optimizer", None), model)
        with self._guard.inside_keras():
            result = original(model, *args, **kwargs)
        self._after(loop)
        return result

    def _before(self, optimizer: Any, variables: list[Any]) -> _Loop | None:
        if not variables:
            return None
        known = self._loops.get((id(optimizer), id(variables[0])))
        model = known.model() if known is not None and known.optimizer() is optimizer else None
        if known is None or model is None:
            model = self._book.with_variables(variables)
        return None if model is None else self._step(optimizer, model, id(variables[0]))

    def _step(self, optimizer: Any, model: Any, variable: int | None = None) -> _Loop | None:
        """A step is about to be done: begin a training where none is running."""
        if optimizer is None:
            return None
        key = (id(optimizer), variable if variable is not None else id(model))
        loop = self._loops.get(key)
        if loop is None or loop.optimizer() is not optimizer or loop.model() is not model:
            loop = _Loop(weakref.ref(optimizer), weakref.ref(model), _iterations(optimizer))
            self._loops[key] = loop
        if _in_graph():
            loop.traced = True
        else:
            loop.calls += 1
        if loop.fit is None:
            with outside_graphs():
                loop.digests = digests(model)
                self._begin(loop, model)
        return loop

    def _begin(self, loop: _Loop, model: Any) -> None:
        entry = self._book.announce(model)
        self._book.hold(model)
        loop.fit = self._recorder.next_fit()
        loop.began = time.monotonic()
        loop.event = self._recorder.log.write(
            "fit_start",
            fit=loop.fit,
            model=entry.id,
            type="custom_loop",
            epochs=None,
            batch_size=None,
            steps=None,
            x=None,
            y=None,
            validation="none",
            validation_split=None,
            val_x=None,
            val_y=None,
            callbacks=[],
            compiled=entry.compiled,
            trainable=trainable_mask(model),
            digests=loop.digests,
            device="",
        )

    def _after(self, loop: _Loop | None) -> None:
        """Now and then keep the model of a loop that runs long, so that a killed kernel leaves it."""
        if loop is not None and not loop.traced:
            model = loop.model()
            if model is not None and loop.calls > 1 and self._keeper.is_due(model):
                self._guard.quietly(self._keeper.epoch_ended, model, loop.event)

    def cell_ended(self) -> None:
        """End the trainings of this cell, and find those that went on inside a graph unseen."""
        for loop in list(self._loops.values()):
            self._settle(loop)
        self._loops = {
            key: loop for key, loop in self._loops.items() if loop.model() is not None and loop.optimizer() is not None
        }

    def settle(self, model: Any) -> None:
        """End a model's running training before `fit` begins another."""
        for loop in self._loops.values():
            if loop.model() is model:
                self._settle(loop)

    def rebase(self, model: Any) -> None:
        """`fit` has used a model's optimizer: its steps are not a loop's."""
        for loop in self._loops.values():
            optimizer, held = loop.optimizer(), loop.model()
            if held is model or optimizer is getattr(model, "optimizer", None):
                loop.done = _iterations(optimizer)
                loop.digests = digests(held) if held is not None else {}

    def _settle(self, loop: _Loop) -> None:
        optimizer, model = loop.optimizer(), loop.model()
        if optimizer is None or model is None:
            return
        done = _iterations(optimizer)
        steps = max(done - loop.done, 0) if loop.traced else loop.calls
        if loop.fit is None and steps:
            self._begin(loop, model)
            loop.began = self._recorder.cell_began
        if loop.fit is not None:
            self._end(loop, model, optimizer, steps)
        loop.done, loop.calls, loop.fit = done, 0, None

    def _end(self, loop: _Loop, model: Any, optimizer: Any, steps: int) -> None:
        after = digests(model)
        event = self._recorder.log.write(
            "fit_end",
            fit=loop.fit,
            status="error" if self._recorder.cell_ok is False else "completed",
            epochs=0,
            steps=steps,
            seconds=round(time.monotonic() - loop.began, 4),
            history={},
            rates=[rate_of(optimizer)],
            step_rates=[],
            digests=after,
            error=None,
        )
        loop.digests = after
        if steps:
            self._keeper.changed(model, event, None)


def _iterations(optimizer: Any) -> int:
    try:
        with outside_graphs():
            return int(np.asarray(optimizer.iterations))
    except Exception:
        return 0


def _in_graph() -> bool:
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and not tensorflow.executing_eagerly()


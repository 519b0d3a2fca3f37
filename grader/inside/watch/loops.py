"""Records the student's own training loops: `apply_gradients`, `optimizer.minimize`, `train_on_batch`.

A loop counts as one training per cell and model. Python sees steps inside a `tf.function` only during its tracing, so
the optimizer's own counter provides their number.
"""

import sys
import time
import weakref
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..describe.arrays import ArrayBook
from ..describe.compiled import describe_loss, describe_optimizer, rate_of
from ..describe.models import digests, numbers, trainable_mask
from ..hooking.guard import Guard, outside_graphs
from ..record.events import ArrayDescription, FitEnd, FitStart, FitStatus, LabelDescription, Progress
from ..record.recorder import Recorder
from .artefacts import Keeper
from .batches import BatchSource, DataWatch, batch_size_of
from .fingerprints import sample
from .loop_stops import LoopStops, Places
from .manual_updates import HandWatch, status_of
from .model_book import ModelBook
from .outputs import Outputs
from .step_data import StepWatch

__all__ = ["LoopWatch"]

_MOST_FRAMES = 40
_MOST_PARTS = 4
"""Maximum number of trainings into which changes of `trainable` divide one cell's loop."""
_MOST_LOSSES = 8
"""Maximum number of losses between two steps; adversarial models compute the losses of all steps first."""


@dataclass(frozen=True, slots=True)
class _Loss:
    """One call of a loss by the student's code.

    Attributes:
        loss: The loss object.
        models: Weak references to the models whose output it received, the innermost first; empty if unknown.
    """

    loss: Any
    models: "tuple[weakref.ref[Any], ...]"

    def living(self) -> list[Any]:
        """Return the models that still exist."""
        return [model for reference in self.models if (model := reference()) is not None]


@dataclass(slots=True)
class _Loop:
    """One optimizer that trains one model.

    Attributes:
        optimizer: Weak reference to the optimizer.
        model: Weak reference to the model.
        done: The optimizer's counter at the end of the last training.
        digests: Layer → digest of its weights at the end of the last training.
        calls: Number of steps since then that Python saw outside of graphs.
        traced: Whether it ever made a step inside a graph.
        fit: Id of the running training; None if there is none.
        event: Number of its `fit_start`.
        began: Monotonic time of its first step.
        source: Source of its batches.
        pipeline: The `tf.data` pipeline of the previous training.
        loss: The loss that the student's code called before its first step.
        held: The optimizer during a training, since an optimizer made in a function would die before the cell's end.
        parts: Number of trainings into which changes of `trainable` divided this cell's steps.
        described: Whether an event of the training has its data.
        sample: Some values of its weights after the last step.
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
    source: BatchSource = field(default_factory=BatchSource)
    pipeline: Any = None
    loss: _Loss | None = None
    held: Any = None
    parts: int = 0
    described: bool = False
    sample: bytes = b""


class LoopWatch:
    """Watches every optimizer that the student's code uses."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of a recorder
        self,
        recorder: Recorder,
        book: ModelBook,
        guard: Guard,
        keeper: Keeper,
        arrays: ArrayBook,
        step_data: StepWatch,
    ) -> None:
        """Start without optimizers."""
        self._arrays = arrays
        self._step_data = step_data
        self.data = DataWatch()
        self.stops = LoopStops(recorder, self.steps, self._note, self._origins)
        self.hands = HandWatch(
            recorder, book, guard, keeper, arrays, step_data, self.data, lambda: self.inputs, self.stops.watch
        )
        self.inputs: dict[int, Any] = {}
        """id of a model → its last input in a call by the student's code."""
        self.outputs = Outputs()
        self._losses: deque[_Loss] = deque(maxlen=_MOST_LOSSES)
        self._recorder = recorder
        self._book = book
        self._guard = guard
        self._keeper = keeper
        self._loops: dict[tuple[int, int], _Loop] = {}
        self._made: dict[int, tuple[weakref.ref[Any], Places]] = {}

    def made(self, model: Any) -> None:
        """Note the lines of the student's code that make a new model.

        Args:
            model: A model that may not be initialized yet.
        """
        self._made = {key: known for key, known in self._made.items() if known[0]() is not None}
        self._made[id(model)] = weakref.ref(model), _students_lines()

    def _origins(self, key: Hashable) -> Places:
        loop = next((loop for known, loop in self._loops.items() if known == key), None)
        model = loop.model() if loop is not None else self.hands.model_of(key)
        reference, places = self._made.get(id(model), (None, ()))
        return places if reference is not None and reference() is model else ()

    def steps(self) -> dict[Hashable, Hashable]:
        """Return the trainings that exist, with the number of their steps in this cell."""
        found: dict[Hashable, Hashable] = {}
        for key, loop in list(self._loops.items()):
            optimizer = loop.optimizer()
            if optimizer is not None:
                found[key] = max(_iterations(optimizer) - loop.done, 0) if loop.traced else loop.calls
        return found | self.hands.steps()

    def _note(self) -> None:
        self._guard.quietly(self.progress)
        self._guard.quietly(self.hands.progress)

    def progress(self) -> None:
        """Write down the trainings that run, and save their models from time to time."""
        for loop in list(self._loops.values()):
            optimizer, model = loop.optimizer(), loop.model()
            if optimizer is None or model is None:
                continue
            steps = max(_iterations(optimizer) - loop.done, 0) if loop.traced else loop.calls
            if not steps:
                continue
            if loop.fit is None:
                self.hands.changed_by_keras(model)
                self._begin(loop, model, optimizer)
                loop.began = self._recorder.cell_began
            x, y, batch_size = (None, None, loop.source.rows) if loop.described else self._given(loop)
            loop.described = loop.described or x is not None
            event = Progress(
                kind="progress",
                fit=loop.fit or 0,
                steps=steps,
                seconds=round(time.monotonic() - loop.began, 4),
                digests=digests(model),
                x=x,
                y=y,
                batch_size=batch_size,
            )
            self._recorder.log.write(event)
            self._keeper.epoch_ended(model, loop.event)

    def apply(self, original: Any, optimizer: Any, grads: Any, trainable_variables: Any = None, **kwargs: Any) -> Any:
        """Wrap Keras 3's `Optimizer.apply`."""
        __tracebackhide__ = True
        if not self._guard.student:
            return original(optimizer, grads, trainable_variables, **kwargs)
        variables = (
            trainable_variables if trainable_variables is not None else getattr(optimizer, "_trainable_variables", [])
        )
        loop = self._guard.quietly(self._before, optimizer, list(variables), list(grads))
        with self._guard.inside_keras():
            result = original(optimizer, grads, trainable_variables, **kwargs)
        self._after(loop)
        return result

    def apply_gradients(self, original: Any, optimizer: Any, grads_and_vars: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap Keras 2's `Optimizer.apply_gradients`."""
        __tracebackhide__ = True
        if not self._guard.student:
            return original(optimizer, grads_and_vars, *args, **kwargs)
        pairs = list(grads_and_vars)
        variables, grads = [variable for _, variable in pairs], [gradient for gradient, _ in pairs]
        loop = self._guard.quietly(self._before, optimizer, variables, grads)
        with self._guard.inside_keras():
            result = original(optimizer, pairs, *args, **kwargs)
        self._after(loop)
        return result

    def train_on_batch(self, original: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap `Model.train_on_batch`."""
        __tracebackhide__ = True
        if not self._guard.student:
            return original(model, *args, **kwargs)
        self.inputs[id(model)] = args[0] if args else kwargs.get("x")
        loop = self._guard.quietly(self._step, getattr(model, "optimizer", None), model, ())
        with self._guard.inside_keras():
            result = original(model, *args, **kwargs)
        self._after(loop)
        return result

    def loss(self, original: Any, loss: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap `Loss.__call__`; the last loss of a model's output before a step counts as the training's loss."""
        __tracebackhide__ = True
        if self._guard.student:
            self._guard.quietly(self._note_loss, loss, args[1] if len(args) > 1 else kwargs.get("y_pred"))
        return original(loss, *args, **kwargs)

    def _note_loss(self, loss: Any, output: Any) -> None:
        models = self.outputs.models_of(output)
        self._losses.append(_Loss(loss, tuple(weakref.ref(model) for model in models)))

    def _loss_of(self, model: Any) -> _Loss | None:
        """Return the last loss of an output of the model or of its parts; without one, the last loss."""
        parts = {id(part) for part in _with_parts(model)}
        own = (each for each in reversed(self._losses) if any(id(other) in parts for other in each.living()))
        return next(own, self._losses[-1] if self._losses else None)

    def _before(self, optimizer: Any, variables: list[Any], gradients: Any) -> _Loop | None:
        if not variables:
            return None
        known = self._loops.get((id(optimizer), id(variables[0])))
        model = known.model() if known is not None and known.optimizer() is optimizer else None
        if known is None or model is None:
            model = self._book.with_variables(variables)
        return None if model is None else self._step(optimizer, model, gradients, id(variables[0]))

    def _step(self, optimizer: Any, model: Any, gradients: Any, variable: int | None = None) -> _Loop | None:
        """Note a step, and start a training if none is running."""
        if optimizer is None:
            return None
        self._step_data.stepping(model, gradients)
        self.hands.changed_by_keras(model)
        key = (id(optimizer), variable if variable is not None else id(model))
        loop = self._loops.get(key)
        self.stops.watch()
        if loop is None or loop.optimizer() is not optimizer or loop.model() is not model:
            loop = _Loop(weakref.ref(optimizer), weakref.ref(model), _iterations(optimizer))
            self._loops[key] = loop
        if loop.fit is None or loop.loss is None:
            loop.loss = self._loss_of(model) or loop.loss
        if _in_graph():
            loop.traced = True
            loop.source.add(None, self.data)
        else:
            loop.calls += 1
            loop.source.add(self.inputs.get(id(model)), self.data)
        if loop.fit is None:
            with outside_graphs():
                loop.digests = digests(model)
                self._begin(loop, model, optimizer)
        return loop

    def _begin(self, loop: _Loop, model: Any, optimizer: Any) -> None:
        entry = self._book.announce(model)
        self._book.hold(model)
        loop.held = optimizer
        loop.fit = self._recorder.next_fit()
        loop.began = time.monotonic()
        event = FitStart(
            kind="fit_start",
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
            optimizer=describe_optimizer(optimizer),
            loss=self._guard.quietly(describe_loss, loop.loss.loss, entry.dialect) if loop.loss else None,
            loss_of=[self._book.entry(each).id for each in loop.loss.living()] if loop.loss else [],
            compiled=entry.compiled,
            trainable=trainable_mask(model),
            digests=loop.digests,
            device="",
        )
        loop.event = self._recorder.log.write(event)
        self._keeper.fingerprints.training_begun(entry.id, loop.digests)

    def _after(self, loop: _Loop | None) -> None:
        """Save the model of a long loop from time to time, so that it remains if the kernel is killed."""
        if loop is not None and not loop.traced:
            model = loop.model()
            if model is None:
                return
            self._guard.quietly(self._sample, loop, model)
            self._guard.quietly(self._step_data.stepped, model)
            if loop.calls > 1 and self._keeper.is_due(model):
                self._guard.quietly(self.note_weights, model)
                self._guard.quietly(self._keeper.epoch_ended, model, loop.event)

    def _sample(self, loop: _Loop, model: Any) -> None:
        """Note some of the weights after a step, also for loops whose models share layers with this one."""
        loop.sample = sample(model)
        if len(self._loops) == 1:
            return
        layers = self._book.entry(model).layers
        for other in self._loops.values():
            held = other.model()
            running = other is not loop and other.fit is not None and held is not None
            if running and self._book.entry(held).layers & layers:
                other.sample = sample(held)

    def note_weights(self, model: Any) -> None:
        """Note that the student's code copies a model's weights now, for example those of the best epoch.

        Args:
            model: A model, in a training or not.
        """
        for loop in self._loops.values():
            if loop.model() is model and loop.fit is not None:
                self._mark(loop, model, digests(model))
        self.hands.note_weights(model)

    def _mark(self, loop: _Loop, model: Any, now: dict[str, str]) -> None:
        """Note weights that a loop made, unless something else has changed them since its last step.

        Python does not see the steps inside a graph, so then all weights count as made by the loop.
        """
        if loop.traced or loop.sample == sample(model):
            self._keeper.fingerprints.made(loop.digests, now)

    def cell_ended(self) -> None:
        """End the trainings of this cell, and detect trainings inside graphs."""
        for key, loop in list(self._loops.items()):
            self._guard.quietly(self._settle, loop, stopped=key in self.stops.stopped)
            loop.parts = 0
        self.hands.stopped = self.stops.stopped
        self._guard.quietly(self.hands.cell_ended)
        self._guard.quietly(self.stops.cell_ended)
        self._loops = {
            key: loop for key, loop in self._loops.items() if loop.model() is not None and loop.optimizer() is not None
        }
        self.data.cell_ended()
        self._losses.clear()

    def settle(self, model: Any) -> None:
        """End a model's running training before `fit` starts another one."""
        for loop in self._loops.values():
            if loop.model() is model:
                self._settle(loop)

    def before_trainable(self, layer: Any, value: Any) -> None:
        """End the running training before a layer is frozen or unfrozen, so that later steps form a new training.

        Adversarial models are frozen alternately at every step, so after a few parts the remaining steps of the cell
        stay one training.
        """
        if _in_graph():
            return  # tracing a graph makes no step
        if all(bool(part.trainable) is bool(value) for part in _with_parts(layer)):
            return
        for loop in self._loops.values():
            model = loop.model()
            if loop.fit is None or model is None or loop.parts >= _MOST_PARTS:
                continue
            if any(part is layer for part in _with_parts(model)):
                loop.parts += 1
                self._settle(loop)

    def rebase(self, model: Any) -> None:
        """Note that `fit` used a model's optimizer, so that its steps do not count for a loop."""
        self.hands.changed_by_keras(model)
        self._step_data.stepped(model)
        for loop in self._loops.values():
            optimizer, held = loop.optimizer(), loop.model()
            if held is model or optimizer is getattr(model, "optimizer", None):
                loop.done = _iterations(optimizer)
                loop.digests = digests(held) if held is not None else {}

    def _settle(self, loop: _Loop, *, stopped: bool = False) -> None:
        optimizer, model = loop.optimizer(), loop.model()
        if optimizer is None or model is None:
            return
        done = _iterations(optimizer)
        steps = max(done - loop.done, 0) if loop.traced else loop.calls
        if loop.fit is None and steps:
            self.hands.changed_by_keras(model)
            self._begin(loop, model, optimizer)
            loop.began = self._recorder.cell_began
        if loop.fit is not None:
            self._end(loop, loop.fit, model, optimizer, steps, status_of(self._recorder, stopped=stopped))
        loop.described = False
        loop.done, loop.calls, loop.fit = done, 0, None
        loop.source, loop.held = BatchSource(), None

    def _end(  # noqa: PLR0913, PLR0917 - all that is known of the training
        self, loop: _Loop, fit: int, model: Any, optimizer: Any, steps: int, status: FitStatus
    ) -> None:
        after = digests(model)
        if steps:
            self._mark(loop, model, after)
        x, y, batch_size = self._guard.quietly(self._given, loop) or (None, None, None)
        end = FitEnd(
            kind="fit_end",
            fit=fit,
            x=x,
            y=y,
            batch_size=batch_size,
            status=status,
            epochs=0,
            steps=steps,
            seconds=round(time.monotonic() - loop.began, 4),
            history={},
            rates=[rate_of(optimizer)],
            step_rates=[],
            digests=after,
            error=None,
        )
        step = self._guard.quietly(self._step_data.describe_loop, model)
        if step is not None:
            end["step"] = step
        event = self._recorder.log.write(end)
        loop.digests = after
        if steps:
            self._book.trained(model)
            self._keeper.changed(model, event, x)

    def _given(self, loop: _Loop) -> tuple[ArrayDescription | None, LabelDescription | None, int | None]:
        """Describe the source of the batches, its labels if it has some, and the batch size."""
        found = loop.source.find(self._recorder.namespace)
        if found is None and loop.traced and loop.source.rows is None:
            # The graph was traced in an earlier cell; use its pipeline if it is iterated again, or the only pipeline.
            iterated = self.data.datasets
            again = [each for each in iterated if each is loop.pipeline]
            found = (again or (iterated if len(iterated) == 1 else [None]))[0]
        if not isinstance(found, np.ndarray):
            loop.pipeline = found if found is not None else loop.pipeline
        rows = loop.source.rows
        if found is None:
            return None, None, rows
        size = rows if isinstance(found, np.ndarray) else batch_size_of(found)
        return *self._arrays.describe_pair(found), size or rows

    def iterate(self, original: Any, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap `tf.data.Dataset.__iter__`."""
        __tracebackhide__ = True
        if self._guard.student:
            self.data.begun(dataset)
        return original(dataset, *args, **kwargs)


def _students_lines() -> Places:
    """Return the files and lines of the calls that are running now, without those of packages."""
    found: list[tuple[str, int]] = []
    frame: Any = sys._getframe(1)
    while frame is not None and len(found) < _MOST_FRAMES:
        name = frame.f_code.co_filename
        if "site-packages" not in name and not name.startswith((sys.base_prefix, sys.prefix)):
            found.append((name, frame.f_lineno))
        frame = frame.f_back
    return found


def _with_parts(layer: Any) -> list[Any]:
    return list(layer._flatten_layers(recursive=True, include_self=True))


def _iterations(optimizer: Any) -> int:
    try:
        with outside_graphs():
            return int(numbers(optimizer.iterations))
    except Exception:
        return 0


def _in_graph() -> bool:
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and not tensorflow.executing_eagerly()

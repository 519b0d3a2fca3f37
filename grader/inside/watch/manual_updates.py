"""Records trainings without an optimizer, which take gradients and change the weights by hand.

`weight.assign_sub(rate * gradient)` is a common first training loop. It calls no function of Keras that could be
hooked. So it is detected by two facts: in one cell a tape computed the gradients of a model's weights, and the weights
differ at the cell's end although no optimizer or other part of Keras changed them.
"""

import time
import weakref
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..describe.arrays import ArrayBook
from ..describe.models import digests, numbers, trainable_mask, weights_of
from ..hooking.guard import Guard, outside_graphs
from ..record.events import ArrayDescription, FitEnd, FitStart, FitStatus, LabelDescription, Progress
from ..record.recorder import Recorder
from .artefacts import Keeper
from .batches import BatchSource, DataWatch, batch_size_of
from .model_book import ModelBook
from .step_data import StepWatch
from .taken import flat

__all__ = ["HandWatch", "status_of"]


def status_of(recorder: Recorder, *, stopped: bool) -> FitStatus:
    """Return how a custom training loop ended, at the end of its cell.

    Args:
        recorder: Has the outcome of the cell; while the cell runs, the loop is taken for complete.
        stopped: Whether the grader stopped it.
    """
    if stopped:
        return "stopped_by_budget"
    if recorder.cell_ok is not False:
        return "completed"
    return "interrupted" if recorder.cell_interrupted else "error"


@dataclass(slots=True)
class _Hand:
    """The gradients of one model's weights in one cell.

    Attributes:
        model: Weak reference to the model.
        variable: id of the first weight, which identifies a step even if gradients are taken weight by weight.
        digests: Layer → digest of its weights before the cell's first gradient.
        began: Monotonic time of the first gradient.
        calls: Number of gradients that Python saw in this cell outside of graphs.
        traced: Whether gradients are taken inside a graph, where Python sees one for any number of steps.
        theirs: Whether an optimizer or another part of Keras changed the weights in this cell.
        source: Source of this cell's batches.
        glance: Some values of the first weight before the cell's first gradient.
        fit: Id of the training, once it is written down.
        event: Number of its `fit_start`.
        described: Whether an event of the training has its data.
    """

    model: "weakref.ref[Any]"
    variable: int
    digests: dict[str, str]
    began: float
    calls: int = 0
    traced: bool = False
    theirs: bool = False
    source: BatchSource = field(default_factory=BatchSource)
    glance: bytes = b""
    fit: int | None = None
    event: int = 0
    described: bool = False


class HandWatch:
    """Watches every model whose gradients the student's code takes."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of a recorder
        self,
        recorder: Recorder,
        book: ModelBook,
        guard: Guard,
        keeper: Keeper,
        arrays: ArrayBook,
        step_data: StepWatch,
        data: DataWatch,
        inputs: Callable[[], Mapping[int, Any]],
        watch: Callable[[], None],
    ) -> None:
        """Start without models.

        Args:
            recorder: Receives the events.
            book: The notebook's models.
            guard: Distinguishes the student's calls from Keras's.
            keeper: Saves trained models.
            arrays: Describes the training data.
            step_data: Sees the images of the steps.
            data: The pipelines being iterated.
            inputs: Returns a mapping: id of a model → its last input.
            watch: Called when there is a training whose time must be limited.
        """
        self.watch = watch
        self._step_data = step_data
        self._inputs = inputs
        self._recorder = recorder
        self._book = book
        self._guard = guard
        self._keeper = keeper
        self._arrays = arrays
        self._data = data
        self._hands: dict[int, _Hand] = {}
        self._models: dict[int, weakref.ref[Any]] = {}
        self.stopped: set[Hashable] = set()
        """The trainings of the last cell that the grader stopped."""

    def steps(self) -> dict[Hashable, Hashable]:
        """Return the trainings that exist, each with a value that changes with its steps; 0 before the first one."""
        found: dict[Hashable, Hashable] = {}
        for key, hand in list(self._hands.items()):
            model = hand.model()
            if model is not None and not hand.theirs:
                glance = _glance(model) if hand.traced else b""
                found["by hand", key] = (glance if glance != hand.glance else 0) if hand.traced else hand.calls
        return found

    def model_of(self, key: Hashable) -> Any:
        """Find the model of a training by its key in `steps`; None if there is none."""
        hand = next((hand for known, hand in self._hands.items() if ("by hand", known) == key), None)
        return hand.model() if hand is not None else None

    def progress(self) -> None:
        """Write down the trainings that run, and save their models from time to time."""
        for hand in list(self._hands.values()):
            model = hand.model()
            if model is None or hand.theirs:
                continue
            now = digests(model)
            if now == hand.digests:
                continue
            fit = self._start(hand, model)
            x, y, batch_size = (None, None, hand.source.rows) if hand.described else self._given(hand)
            hand.described = hand.described or x is not None
            event = Progress(
                kind="progress",
                fit=fit,
                steps=None if hand.traced else hand.calls,
                seconds=round(time.monotonic() - hand.began, 4),
                digests=now,
                x=x,
                y=y,
                batch_size=batch_size,
            )
            self._recorder.log.write(event)
            self._keeper.epoch_ended(model, hand.event)

    def gradient(self, original: Any, tape: Any, target: Any, sources: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap `GradientTape.gradient`."""
        __tracebackhide__ = True
        result = original(tape, target, sources, *args, **kwargs)
        if self._guard.student:
            self._guard.quietly(self._taken, tape, sources, result)
        return result

    def changed_by_keras(self, model: Any) -> None:
        """Note that an optimizer, `fit` or a loaded file changes a model's weights in this cell."""
        hand = self._hands.get(id(model))
        if hand is not None:
            hand.theirs = True

    def _taken(self, tape: Any, sources: Any, gradients: Any) -> None:
        variables = [each for each in flat(sources) if hasattr(each, "assign")]
        model = self._model_of(variables) if variables else None
        if model is None:
            return
        self._step_data.took(model, tape, gradients)
        hand = self._hands.get(id(model))
        if hand is None or hand.model() is not model:
            with outside_graphs():
                hand = _Hand(weakref.ref(model), id(variables[0]), digests(model), time.monotonic())
                hand.glance = _glance(model)
            self.watch()
            self._hands[id(model)] = hand
            self._book.hold(model)
        hand.traced = hand.traced or not _eagerly()
        if id(variables[0]) == hand.variable:
            hand.calls += 1
            hand.source.add(None if hand.traced else self._inputs().get(id(model)), self._data)

    def _model_of(self, variables: list[Any]) -> Any:
        known = self._models.get(id(variables[0]))
        model = known() if known is not None else None
        if model is None:
            model = self._book.with_variables(variables)
            if model is not None:
                self._models[id(variables[0])] = weakref.ref(model)
        return model

    def cell_ended(self) -> None:
        """Write the trainings of this cell."""
        kept: dict[int, _Hand] = {}
        for key, hand in self._hands.items():
            model = hand.model()
            if model is None:
                continue
            after = digests(model)
            if hand.fit is not None or (not hand.theirs and after != hand.digests):
                if hand.traced:
                    hand.source.add(None, self._data)
                self._write(hand, model, after, stopped=("by hand", key) in self.stopped)
            if hand.traced:
                # A later cell may run the same graph again, which Python does not see.
                kept[key] = _Hand(hand.model, hand.variable, after, time.monotonic(), traced=True)
                kept[key].glance = _glance(model)
        self._hands = kept
        self._models = {key: known for key, known in self._models.items() if known() is not None}

    def _start(self, hand: _Hand, model: Any) -> int:
        """Write the start of a training, unless it is written already; return its id."""
        if hand.fit is not None:
            return hand.fit
        entry = self._book.announce(model)
        fit = hand.fit = self._recorder.next_fit()
        hand.event = self._recorder.log.write(FitStart(
            kind="fit_start", fit=fit, model=entry.id, type="custom_loop", epochs=None, batch_size=None, steps=None,
            x=None, y=None, validation="none", validation_split=None, val_x=None, val_y=None, callbacks=[],
            optimizer=None, loss=None, compiled=entry.compiled, trainable=trainable_mask(model), digests=hand.digests,
            device="",
        ))  # fmt: skip
        self._keeper.fingerprints.training_begun(entry.id, hand.digests)
        return fit

    def note_weights(self, model: Any) -> None:
        """Note that the student's code copies a model's weights now.

        Args:
            model: A model, in a training or not.
        """
        hand = self._hands.get(id(model))
        if hand is not None and hand.model() is model and not hand.theirs:
            self._keeper.fingerprints.made(hand.digests, digests(model))

    def _write(self, hand: _Hand, model: Any, after: dict[str, str], *, stopped: bool) -> None:
        fit = self._start(hand, model)
        x, y, batch_size = self._guard.quietly(self._given, hand) or (None, None, None)
        ended = FitEnd(
            kind="fit_end", fit=fit, x=x, y=y, batch_size=batch_size, epochs=0, history={}, rates=[], step_rates=[],
            status=status_of(self._recorder, stopped=stopped),
            steps=None if hand.traced else hand.calls, seconds=round(time.monotonic() - hand.began, 4), digests=after,
            error=None,
        )  # fmt: skip
        step = self._guard.quietly(self._step_data.describe_loop, model)
        if step is not None:
            ended["step"] = step
        end = self._recorder.log.write(ended)
        self._keeper.fingerprints.made(hand.digests, after)
        self._book.trained(model)
        self._keeper.changed(model, end or hand.event, x)

    def _given(self, hand: _Hand) -> tuple[ArrayDescription | None, LabelDescription | None, int | None]:
        found = hand.source.find(self._recorder.namespace)
        rows = hand.source.rows
        if found is None:
            return None, None, rows
        size = rows if isinstance(found, np.ndarray) else batch_size_of(found)
        return *self._arrays.describe_pair(found), size or rows


def _glance(model: Any) -> bytes:
    """Return some values of the model's first trainable weight, which change with a step."""
    with outside_graphs():
        weight = next(iter(getattr(model, "trainable_variables", None) or weights_of(model)), None)
        return b"" if weight is None else np.asarray(numbers(weight)).ravel()[:256].tobytes()


def _eagerly() -> bool:
    import tensorflow as tf

    return bool(tf.executing_eagerly())

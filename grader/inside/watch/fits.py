"""Records `fit`: its arguments, its epochs, its result, and the time limit that stops it."""

import inspect
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..describe.arrays import ArrayBook
from ..describe.compiled import changes_rate_by_step, describe_callback, rate_of
from ..describe.models import digests, leaves, trainable_mask
from ..hooking.guard import Guard
from ..record.events import (
    MAX_REASON,
    MAX_STEP_RATES,
    ArrayDescription,
    Epoch,
    FitEnd,
    FitStart,
    FitStatus,
    LabelDescription,
    Stopped,
    ValidationSource,
)
from ..record.recorder import Recorder
from . import quick
from .artefacts import Keeper
from .batches import batch_size_of, fixed_rows, rows_of_batch
from .budget import FitBudget, fit_status, thin
from .calls import CallWatch
from .fingerprints import averaged, sample, statistical
from .loops import LoopWatch
from .model_book import Entry, ModelBook
from .step_data import StepWatch

__all__ = ["FitRun", "FitWatch", "device", "observer_class"]

_DEFAULT_BATCH = 32


def device() -> str:
    """Return the first GPU's name, or `cpu`; only uses TensorFlow if it is already imported."""
    tensorflow = sys.modules.get("tensorflow")
    try:
        gpus = tensorflow.config.list_logical_devices("GPU") if tensorflow else []
    except Exception:
        return "cpu"
    return str(gpus[0].name) if gpus else "cpu"


@dataclass(slots=True)
class FitRun:
    """A running training.

    Attributes:
        number: Id in the record.
        model: The model.
        budget: Time limits.
        start: Monotonic time of the start.
        arguments: Arguments of `fit` by name.
        description: The `fit_start` event; completed when the training starts.
        steps: Number of started batches.
        epochs: Number of completed epochs.
        history: Metric → one number per epoch.
        rates: Learning rate of each epoch's last step.
        step_rates: Learning rates of single steps.
        by_step: Whether the learning rate is read at single steps.
        stride: Number of steps between two readings of the learning rate.
        by_budget: Whether the grader stopped the training.
        digests: Layer → digest of its weights at the start.
        blind: Whether a step could not be recorded.
        waits: Whether `fit_start` waits for the model's weights.
        per_call: Number of batches between two calls of the callbacks (`steps_per_execution`).
        skips: Whether a quick run leaves out the rest of the running epoch.
        capped: Whether a quick run leaves out the rest of the epochs.
        marked: Whether the weights at the last batch of the running epoch are known.
        hooked: Whether the student's callbacks run at single batches.
        sample: Some values of the weights at the start, after the last batch of an epoch, and if `hooked` after each
            batch.
        averages: Layer → digest of its moving averages at the same times, but not after single batches.
        exchanged: Layers with weights that something else than this training has put there during the training.
        sequences: Keras's adapters of the `Sequence` objects in this training of a quick run.
    """

    number: int
    model: Any
    entry: Entry
    budget: FitBudget
    start: float
    arguments: dict[str, Any]
    description: FitStart
    by_step: bool
    event: int = 0
    waits: bool = False
    steps: int = 0
    epochs: int = 0
    epoch_start: float = 0.0
    rate: float | None = None
    stride: int = 1
    batches: int | None = None
    in_epoch: int = 0
    per_call: int = 1
    by_budget: bool = False
    blind: bool = False
    skips: bool = False
    capped: bool = False
    marked: bool = False
    hooked: bool = False
    sample: bytes = b""
    averages: dict[str, str] = field(default_factory=dict)
    exchanged: set[str] = field(default_factory=set)
    sequences: list[Any] = field(default_factory=list)
    history: dict[str, list[Any]] = field(default_factory=dict)
    rates: list[float | None] = field(default_factory=list)
    step_rates: list[float] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start

    @property
    def asked(self) -> int | None:
        """Number of epochs passed to `fit`."""
        try:
            return int(self.arguments.get("epochs", 1)) - int(self.arguments.get("initial_epoch", 0) or 0)
        except (TypeError, ValueError):
            return None


class FitWatch:
    """Wraps `Model.fit` of both dialects."""

    def __init__(  # noqa: PLR0913, PLR0917 - a training concerns all these parts
        self,
        recorder: Recorder,
        book: ModelBook,
        arrays: ArrayBook,
        guard: Guard,
        keeper: Keeper,
        loops: LoopWatch,
        calls: CallWatch,
        steps: StepWatch,
    ) -> None:
        """Keep the parts of the recorder that are needed to record a training."""
        self._recorder = recorder
        self._book = book
        self._arrays = arrays
        self._guard = guard
        self._keeper = keeper
        self._loops = loops
        self._calls = calls
        self._steps = steps
        self._stopped = False
        self._running: list[FitRun] = []

    def wrapper(self, base: type) -> Callable[..., Any]:
        """Make the wrapper of `fit`.

        Args:
            base: The dialect's `Callback`.
        """
        observer, resumer, marker = observer_class(base), _resumer_class(base), _marker_class(base)
        signature: list[inspect.Signature] = []

        def fit(original: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            if self._guard.busy:
                return original(model, *args, **kwargs)
            if not signature:
                signature.append(inspect.signature(original))
            try:
                bound = signature[0].bind(model, *args, **kwargs)
            except TypeError:
                # Keras itself reports the wrong arguments.
                return original(model, *args, **kwargs)
            arguments = dict(bound.arguments)
            run = self._guard.quietly(self._begin, model, arguments)
            if run is None:
                run = self._guard.quietly(self._begin_bare, model, arguments)
            if run is None:
                with self._guard.inside_keras():
                    return original(model, *args, **kwargs)
            watcher = observer(self, run)
            run.hooked = any(_hooks_batches(each, base) for each in _flat(bound.arguments.get("callbacks")))
            first = [marker(self, run)]
            if self._recorder.session.quick:
                quick.limit_validation(bound.arguments)
                first.append(resumer(self, run))
            with _watched(bound.arguments.get("callbacks"), watcher, model, first) as callbacks:
                bound.arguments["callbacks"] = callbacks
                return self._run(run, original, bound)

        return fit

    def _run(self, run: FitRun, original: Any, bound: inspect.BoundArguments) -> Any:
        __tracebackhide__ = True
        status: FitStatus | None = None
        error: str | None = None
        self._loops.stops.paused += 1
        self._running.append(run)
        self._steps.begin(run.arguments.get("x"))
        try:
            with self._guard.inside_keras():
                history = original(*bound.args, **bound.kwargs)
        except KeyboardInterrupt:
            status = "interrupted"
            raise
        except BaseException as problem:
            status, error = "error", f"{type(problem).__name__}: {problem}"[:MAX_REASON]
            raise
        else:
            if run.capped:
                self._guard.quietly(quick.fill_epochs, history, run.history, run.asked)
            return history
        finally:
            self._loops.stops.paused -= 1
            self._running.remove(run)
            if self._guard.quietly(self._end, run, status, error) is None:
                self._guard.quietly(self._settle, run, run.event, {})
            self._steps.end()

    def sequence_begun(self, original: Any, adapter: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap `on_epoch_begin` of Keras 3's adapter of a `Sequence`, which allows no unfinished epoch before it."""
        __tracebackhide__ = True
        result = original(adapter, *args, **kwargs)
        if self._running and not any(adapter is known for known in self._running[-1].sequences):
            self._running[-1].sequences.append(adapter)
        return result

    def first_batches(self, original: Any, batches: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap Keras 3's function that reads the shapes of a generator's first batches."""
        __tracebackhide__ = True
        self._guard.quietly(self._first_batch, batches[0] if isinstance(batches, (list, tuple)) and batches else None)
        return original(batches, *args, **kwargs)

    def first_batch(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap Keras 2's functions that read a generator's first batch."""
        __tracebackhide__ = True
        found = original(*args, **kwargs)
        self._guard.quietly(self._first_batch, found[0])
        return found

    def _first_batch(self, batch: Any) -> None:
        run = self._running[-1] if self._running else None
        if run is None or run.event:
            return
        if run.description["batch_size"] is None:
            run.description["batch_size"] = rows_of_batch(batch)
        x = run.description["x"]
        if x is None or x["shape"] is None:
            self._steps.first_batch(batch)

    def _begin(self, model: Any, arguments: dict[str, Any]) -> FitRun:
        """Describe a training before its start."""
        session = self._recorder.session
        budget = FitBudget.at(
            time.time(), fit_time=session.fit_time, deadline=self._recorder.deadline, reserve=session.reserve
        )
        start = time.monotonic()
        entry = self._book.announce(model)
        self._book.hold(model)
        self._loops.settle(model)
        self._keeper.keep_sharers(model)
        callbacks = _flat(arguments.get("callbacks"))
        x, y = self._arrays.describe_pair(arguments.get("x"), arguments.get("y"))
        kind, val_x, val_y = self._validation(arguments)
        event = FitStart(
            kind="fit_start",
            fit=0,
            epochs=None,
            steps=None,
            digests={},
            device="",
            model=entry.id,
            type="fit",
            batch_size=self._guard.quietly(_batch_size, model, arguments, x),
            x=x,
            y=y,
            validation=kind,
            validation_split=arguments.get("validation_split") if kind == "split" else None,
            val_x=val_x,
            val_y=val_y,
            callbacks=[describe_callback(callback) for callback in callbacks],
            compiled=entry.compiled,
            trainable=trainable_mask(model),
        )
        by_step = changes_rate_by_step(getattr(model, "optimizer", None), callbacks)
        event["fit"] = self._recorder.next_fit()
        return FitRun(event["fit"], model, entry, budget, start, arguments, event, by_step)

    def _begin_bare(self, model: Any, arguments: dict[str, Any]) -> FitRun:
        """Describe a training as far as possible after `_begin` failed, so that no training is missing."""
        session, quietly = self._recorder.session, self._guard.quietly
        budget = FitBudget.at(
            time.time(), fit_time=session.fit_time, deadline=self._recorder.deadline, reserve=session.reserve
        )
        quietly(self._book.announce, model)
        entry = self._book.entry(model)
        quietly(self._book.hold, model)
        x, y = quietly(self._arrays.describe_pair, arguments.get("x"), arguments.get("y")) or (None, None)
        event = FitStart(
            kind="fit_start",
            fit=self._recorder.next_fit(),
            epochs=None,
            steps=None,
            digests={},
            device="",
            model=entry.id,
            type="fit",
            batch_size=None,
            x=x,
            y=y,
            validation="none",
            validation_split=None,
            val_x=None,
            val_y=None,
            callbacks=[],
            compiled=entry.compiled,
            trainable={},
        )
        return FitRun(event["fit"], model, entry, budget, time.monotonic(), arguments, event, by_step=False)

    def _validation(
        self, arguments: dict[str, Any]
    ) -> tuple[ValidationSource, ArrayDescription | None, LabelDescription | None]:
        data = arguments.get("validation_data")
        if data is None:
            return ("split" if arguments.get("validation_split") else "none"), None, None
        pair = data if isinstance(data, (tuple, list)) and 0 < len(data) <= 3 else (data,)  # noqa: PLR2004 - x, y, weights
        return ("data", *self._arrays.describe_pair(pair[0], pair[1] if len(pair) > 1 else None))

    def started(self, run: FitRun) -> None:
        """Write `fit_start` once, as soon as the model has its weights."""
        if not run.event and not run.waits and any(not layer.built for _, layer in leaves(run.model)):
            # Keras 2 creates the weights of a model without an input shape in the first step.
            run.waits = True
            self._calls.await_first(run.model, lambda: self.started(run))
        elif not run.event:
            event: FitStart = run.description
            event["trainable"] = event["trainable"] or trainable_mask(run.model)
            event["digests"] = run.digests = digests(run.model)
            self._keeper.fingerprints.training_begun(run.entry.id, run.digests)
            run.sample, run.averages = sample(run.model), averaged(run.model)
            event["epochs"], event["steps"], event["device"] = run.asked, run.batches, device()
            run.event = self._recorder.log.write(event)

    def note_start(self, run: FitRun) -> None:
        """Write an incomplete `fit_start` after `started` failed."""
        if not run.event and not run.waits:
            event: FitStart = run.description
            event["epochs"], event["steps"] = run.asked, run.batches
            run.event = self._recorder.log.write(event)

    def epoch_begun(self, run: FitRun) -> None:
        """Note the start of an epoch; a rate that changes by epoch is already set."""
        run.epoch_start = run.elapsed
        run.in_epoch = 0
        run.marked = False
        if not run.by_step:
            run.rate = rate_of(run.model.optimizer)

    def step_begun(self, run: FitRun) -> bool:
        """Note the start of a batch; its learning rate is already set.

        Returns:
            Whether the training must stop after this batch.
        """
        if run.by_step and (run.steps % run.stride == 0 or run.in_epoch + run.per_call >= (run.batches or sys.maxsize)):
            run.rate = rate_of(run.model.optimizer)
            if run.rate is not None and run.steps % run.stride == 0:
                run.step_rates.append(run.rate)
            if len(run.step_rates) >= 2 * MAX_STEP_RATES:
                run.step_rates, run.stride = run.step_rates[::2], run.stride * 2
        if not run.in_epoch or run.hooked:
            self._compare(run)
        run.steps += run.per_call
        run.in_epoch += run.per_call
        if self._recorder.session.quick and run.in_epoch >= quick.STEPS and run.in_epoch != run.batches:
            self._skip(run)
        return run.budget.ends_now(run.elapsed)

    def _compare(self, run: FitRun) -> None:
        """Find weights that the student's code changed since the last batch, and that are not those of an epoch."""
        before, run.sample = run.sample, b""
        if before and before != sample(run.model):
            now = digests(run.model)
            layers = now.keys() - statistical(run.model)
            unexplained = self._keeper.fingerprints.unexplained(run.entry.id, {name: now[name] for name in layers})
            run.exchanged = set(unexplained)
        if run.averages and not run.in_epoch:
            averages = averaged(run.model)
            run.exchanged.update(name for name, digest in run.averages.items() if averages.get(name) != digest)

    def _skip(self, run: FitRun) -> None:
        """Leave out the rest of the running epoch; `_resumer_class` continues with the next one."""
        run.skips = run.by_budget = True
        run.model.stop_training = True

    def epoch_ended(self, run: FitRun, epoch: int, logs: dict[str, Any]) -> bool:
        """Record the end of an epoch and its validation.

        Args:
            run: The training.
            epoch: Index of the epoch, from 0.
            logs: Keras's logs.

        Returns:
            Whether the training must stop because of its time limit.
        """
        run.epochs += 1
        if run.batches is not None:
            # The last call of an epoch may have fewer batches.
            run.steps -= max(0, run.in_epoch - run.batches)
        seconds = run.elapsed - run.epoch_start
        numbers = {name: _number(value) for name, value in (logs or {}).items()}
        for name, value in numbers.items():
            run.history.setdefault(name, []).append(value)
        run.rates.append(run.rate)
        event = Epoch(
            kind="epoch", fit=run.number, epoch=epoch + 1, logs=numbers, rate=run.rate, seconds=round(seconds, 4)
        )
        self._recorder.log.write(event)
        last = run.asked is not None and run.epochs >= run.asked
        if last or run.model.stop_training:
            return False
        self._guard.quietly(self._keeper.epoch_ended, run.model, run.event)
        if self._recorder.session.quick and run.epochs >= quick.EPOCHS:
            return True
        return run.budget.ends_after_epoch(run.elapsed, run.elapsed - run.epoch_start)

    def stop(self, run: FitRun) -> None:
        """Stop a training like early stopping."""
        if run.model.stop_training:
            return
        run.by_budget = run.model.stop_training = True
        run.capped = self._recorder.session.quick
        if run.budget.by_deadline and not self._stopped:
            self._stopped = True
            self._recorder.log.write(Stopped(kind="stopped", why="deadline"))

    def mark(self, run: FitRun) -> None:
        """Note the weights at the last batch of an epoch, before the student's callbacks can change them."""
        changed = run.hooked and run.sample != sample(run.model)
        if run.marked or not run.steps or changed:
            return
        run.marked = True
        averages = averaged(run.model)
        for before, now in ((run.digests, digests(run.model)), (run.averages or run.digests, averages)):
            made = {name: digest for name, digest in now.items() if name not in run.exchanged}
            self._keeper.fingerprints.made(before, made)
        run.sample, run.averages = sample(run.model), averages

    def batch_ended(self, run: FitRun) -> None:
        """Note some of the weights after a batch, and all of them after the last batch as far as it is known."""
        run.sample = sample(run.model)
        if run.batches is not None and run.in_epoch >= run.batches:
            self.mark(run)

    def step_failed(self, run: FitRun, problem: Exception) -> None:
        """Note that a step could not be recorded, so the number of steps is unknown."""
        run.blind = True
        self._guard.report(self.step_begun, problem)

    def _end(self, run: FitRun, status: FitStatus | None, error: str | None) -> bool:
        """Write `fit_end`, and save the model.

        Returns:
            Always True.
        """
        seconds = run.elapsed
        run.waits = True
        self._guard.quietly(self.started, run)
        run.waits = False
        self.note_start(run)
        # Training may have built the model, so its layers' shapes are known only now.
        self._guard.quietly(self._book.announce, run.model)
        stopping = bool(getattr(run.model, "stop_training", False))
        if status in {"error", "interrupted"}:
            # It ended in the middle of an epoch.
            self._guard.quietly(self.mark, run)
        after = self._guard.quietly(digests, run.model) or {}
        end = FitEnd(
            kind="fit_end",
            fit=run.number,
            status=status or fit_status(asked=run.asked, done=run.epochs, by_budget=run.by_budget, stopping=stopping),
            epochs=run.epochs,
            steps=run.steps,
            seconds=round(seconds, 4),
            history=run.history,
            rates=run.rates,
            step_rates=thin(run.step_rates, MAX_STEP_RATES),
            digests=after,
            error=error,
        )
        step = self._guard.quietly(self._steps.describe, run.model)
        if step is not None:
            end["step"] = step
        self._settle(run, self._recorder.log.write(end), after)
        return True

    def _settle(self, run: FitRun, event: int, after: dict[str, str]) -> None:
        """Report the end of a training to the other parts of the recorder.

        Args:
            run: The training.
            event: Number of its last event.
            after: Layer → digest of its weights.
        """
        quietly, model = self._guard.quietly, run.model
        quietly(self._loops.rebase, model)
        if run.steps or run.epochs or run.blind:
            quietly(self._book.trained, model)
            quietly(self._keeper.changed, model, event, run.description["x"])
            quietly(self._keeper.fit_ended, model)
            quietly(self._keeper.shared_layers_changed, model, _changed_layers(model, run.digests, after))


def _own_class(base: type) -> type:
    """Make the common part of the recorder's callbacks.

    Args:
        base: The dialect's `Callback`.
    """

    class Own(base):  # type: ignore[misc]  # the dialect is known only now
        async_safe = True

        def __init__(self, watch: FitWatch, run: FitRun) -> None:
            super().__init__()
            self._supports_tf_logs = True
            self._watch = watch
            self._run = run

    return Own


def observer_class(base: type) -> type:
    """Make the recorder's callback for a dialect.

    It runs after the student's callbacks and before Keras's `History`, and it changes no logs. It has no hook for the
    end of a batch, so Keras 3 can still run those hooks in the background.

    Args:
        base: The dialect's `Callback`.
    """

    class Observer(_own_class(base)):  # type: ignore[misc]  # the dialect is known only now
        def on_train_begin(self, logs: Any = None) -> None:
            del logs
            batches = (self.params or {}).get("steps")
            self._run.batches = int(batches) if batches else None
            self._run.per_call = _per_call(self._run.model)
            self._watch._guard.quietly(self._watch.started, self._run)
            self._watch._guard.quietly(self._watch.note_start, self._run)

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            del epoch, logs
            self._watch._guard.quietly(self._watch.epoch_begun, self._run)

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            del batch, logs
            try:  # without the guard's bookkeeping: this runs at every step
                last = self._watch.step_begun(self._run)
            except Exception as problem:
                self._watch.step_failed(self._run, problem)
                return
            if last:
                self._watch._guard.quietly(self._watch.stop, self._run)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if self._watch._guard.quietly(self._watch.epoch_ended, self._run, epoch, logs):
                self._watch._guard.quietly(self._watch.stop, self._run)

    return Observer


def _resumer_class(base: type) -> type:
    """Make the callback that continues with the next epoch of a quick run, before the student's callbacks may stop it.

    Args:
        base: The dialect's `Callback`.
    """

    class Resumer(_own_class(base)):  # type: ignore[misc]  # the dialect is known only now
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            del epoch, logs
            if self._run.skips:
                self._run.skips = self._run.model.stop_training = False
                for adapter in self._run.sequences:
                    if getattr(adapter, "_within_epoch", False):
                        adapter.on_epoch_end()

    return Resumer


def _marker_class(base: type) -> Callable[[FitWatch, FitRun], Any]:
    """Make the callback that marks the last batch of each epoch; it runs before the student's callbacks.

    It runs after each batch only if the student's callbacks do too, so Keras 3 can otherwise still work in the
    background.

    Args:
        base: The dialect's `Callback`.
    """

    class Marker(_own_class(base)):  # type: ignore[misc]  # the dialect is known only now
        def on_test_begin(self, logs: Any = None) -> None:
            del logs
            self._watch._guard.quietly(self._watch.mark, self._run)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            del epoch, logs
            self._watch._guard.quietly(self._watch.mark, self._run)

    class BatchMarker(Marker):
        async_safe = False

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            del batch, logs
            self._watch._guard.quietly(self._watch.batch_ended, self._run)

    return lambda watch, run: (BatchMarker if run.hooked else Marker)(watch, run)


def _hooks_batches(callback: Any, base: type) -> bool:
    """Whether a callback does something at each batch."""
    names = ("on_train_batch_begin", "on_batch_begin", "on_train_batch_end", "on_batch_end")
    return any(
        getattr(type(callback), name, None) is not getattr(base, name) or name in getattr(callback, "__dict__", {})
        for name in names
    )


class _watched:  # noqa: N801 - reads as a statement's word
    """The student's callbacks between the recorder's; the student's list is restored at the end."""

    def __init__(self, callbacks: Any, watcher: Any, model: Any, first: list[Any]) -> None:
        self._callbacks = callbacks
        self._first, self._last = first, [watcher]
        self._is_list = any(cls.__name__ == "CallbackList" for cls in type(callbacks).__mro__)
        for own in [*first, watcher] if self._is_list else ():
            own.set_model(model)
            own.set_params(getattr(callbacks, "params", None) or {})

    def __enter__(self) -> Any:
        if self._is_list:
            self._callbacks.callbacks[:] = [*self._first, *self._callbacks.callbacks, *self._last]
            return self._callbacks
        if self._callbacks is None:
            return [*self._first, *self._last]
        given = self._callbacks if isinstance(self._callbacks, (list, tuple)) else [self._callbacks]
        return [*self._first, *given, *self._last]

    def __exit__(self, *_: object) -> None:
        for own in [*self._first, *self._last] if self._is_list else ():
            if own in self._callbacks.callbacks:
                self._callbacks.callbacks.remove(own)


def _per_call(model: Any) -> int:
    """Return the number of batches between two calls of the callbacks; 1 if it is unknown."""
    value: Any = getattr(model, "steps_per_execution", None) or getattr(model, "_steps_per_execution", None)
    try:
        return max(1, int(value.numpy() if hasattr(value, "numpy") else value or 1))
    except (TypeError, ValueError, RuntimeError):
        return 1


def _changed_layers(model: Any, before: dict[str, str], after: dict[str, str]) -> frozenset[int]:
    """Return the ids of the layers whose weights changed."""
    changed = {name for name, digest in before.items() if after.get(name, digest) != digest}
    return frozenset(id(layer) for name, layer in leaves(model) if name in changed)


def _flat(callbacks: Any) -> list[Any]:
    if callbacks is None:
        return []
    if hasattr(callbacks, "callbacks"):
        return _flat(callbacks.callbacks)
    if isinstance(callbacks, (list, tuple)):
        return [inner for callback in callbacks for inner in _flat(callback)]
    return [callbacks]


def _batch_size(model: Any, arguments: dict[str, Any], x: ArrayDescription | None) -> int | None:
    """Return the number of rows in a batch; Keras ignores `batch_size` for data that come in batches."""
    given, size = arguments.get("x"), arguments.get("batch_size")
    if hasattr(given, "element_spec"):
        return batch_size_of(given) or fixed_rows(given, model)
    if x is not None and x["source"] != "array":
        # The first batch shows it.
        return None
    if size is not None:
        return int(size)
    return _DEFAULT_BATCH if x is not None and arguments.get("steps_per_epoch") is None else None


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None

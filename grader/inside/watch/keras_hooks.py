"""Hooks the functions of Keras, in both dialects, when the student's code imports it."""

import importlib
import importlib.metadata
import inspect
import itertools
import os
import platform
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import wrapt

from ..describe.arrays import ArrayBook
from ..describe.compiled import describe_loss, describe_metrics, describe_optimizer, metric_classes
from ..describe.models import digests, is_model, trainable_mask
from ..hooking.guard import Guard
from ..hooking.patching import around, around_everywhere, around_property
from ..record.events import (
    MAX_EVENTS_A_CELL,
    Compile,
    Evaluate,
    OptimizerDescription,
    Predict,
    Save,
    SaveAction,
    Trainable,
    Unhooked,
    Versions,
)
from ..record.recorder import Recorder
from . import quick
from .artefacts import Keeper
from .backend_functions import FunctionWatch
from .calls import CallWatch
from .fits import FitWatch
from .ignored import watch_ignored
from .loops import LoopWatch
from .model_book import ModelBook
from .passes import Passes
from .sessions import SessionWatch
from .step_data import StepWatch
from .values import ValueWatch

__all__ = ["Watch", "install", "versions"]

_FUNCTIONS = "tensorflow.python.eager.polymorphic_function.concrete_function"
_PACKAGES = ("tensorflow", "keras", "tf_keras", "numpy", "matplotlib", "pandas", "scikit-learn", "ipykernel")


def install(recorder: Recorder) -> "Watch":
    """Start recording: at once if Keras is already imported, else after its import.

    Args:
        recorder: Receives the events; its `arrays` is set.
    """
    watch = Watch(recorder)
    for name in ("keras", "tf_keras"):
        wrapt.register_post_import_hook(watch.attach, name)
    wrapt.register_post_import_hook(watch.tensorflow_imported, "tensorflow")
    return watch


def versions() -> dict[str, str]:
    """Return name → version of Python and of the packages that a training depends on, without importing them."""
    found = {"python": platform.python_version()}
    names = {"tensorflow": ("tensorflow", "tensorflow-cpu"), "scikit-learn": ("scikit-learn",)}
    for package in _PACKAGES:
        for distribution in names.get(package, (package,)):
            try:
                found[package] = importlib.metadata.version(distribution)
                break
            except importlib.metadata.PackageNotFoundError:
                continue
    return found


@dataclass(frozen=True, slots=True)
class _Family:
    """The hooked classes and modules of one dialect."""

    root: str
    model: type
    sequential: type
    layer: type
    callback: type
    optimizers: tuple[type, ...]
    """Classes that define an optimizer's step."""
    optimizer: type
    """Base class of a student's optimizer class."""
    loss: type
    saving: ModuleType
    cloning: ModuleType
    adapters: ModuleType
    """Module that reads a generator's first batch."""
    sequences: type | None = None
    """Adapter of a `Sequence`; None for Keras 2, whose adapter has no state."""
    session_model: type | None = None
    """Class of models in graphs and sessions, as in TensorFlow 1; None for Keras 3, which does not have it."""
    session_layer: type | None = None
    """Class of their layers."""
    backend: ModuleType | None = None
    """Module that defines `backend.function`; None for Keras 3, which does not have it."""


class Watch:
    """Combines the parts of the recorder that watch Keras."""

    def __init__(self, recorder: Recorder) -> None:
        """Make the parts and register them for the end of each cell."""
        self.recorder = recorder
        self.guard = Guard(recorder.gap)
        self.book = ModelBook(recorder)
        self.arrays = recorder.arrays = ArrayBook(recorder)
        self.keeper = Keeper(recorder, self.book, self.guard)
        self.steps = StepWatch(self.book, self.arrays, self.guard)
        self.loops = LoopWatch(recorder, self.book, self.guard, self.keeper, self.arrays, self.steps)
        self.values = ValueWatch(recorder, self.guard)
        self.guard.pausing = self.values.paused
        self.calls = CallWatch(recorder, self.book, self.arrays, self.guard, self.values)
        self.loops.inputs = self.calls.trained_on
        self.loops.outputs = self.calls.outputs
        self.fits = FitWatch(
            recorder, self.book, self.arrays, self.guard, self.keeper, self.loops, self.calls, self.steps
        )
        self.sessions = SessionWatch(recorder, self.guard)
        self._attached: set[str] = set()
        self._origins: dict[int, tuple[weakref.ref[Any], str]] = {}
        self._written: dict[tuple[int, str, str], int] = {}
        self._passes: dict[str, Passes] = {}
        self._optimizers: list[weakref.ref[Any]] = []
        os.register_at_fork(after_in_child=self._forked)
        recorder.at_cell_start(self.values.cell_started)
        recorder.at_cell_end(self.cell_ended)
        recorder.at_end(self.cell_ended)

    def _forked(self) -> None:
        """Stop recording in a process that the notebook forks."""
        self.guard.busy += 1

    def cell_ended(self) -> None:
        """Record a cell's calls, passes, loops and models at its end, and save the models."""
        self.guard.quietly(self.calls.cell_ended)
        for model, passes in self._passes.items():
            self.values.ended(model, "predict", None, passes.repeated)
        self._passes.clear()
        for settle in (
            self.values.cell_ended,
            self.loops.cell_ended,
            self.steps.cell_ended,
            self.book.announce_all,
            self.keeper.cell_ended,
        ):
            self.guard.quietly(settle)

    def tensorflow_imported(self, module: ModuleType) -> None:
        """Record the versions after the import of TensorFlow, and hook its data sets and tapes."""
        self.guard.quietly(self.recorder.log.write, Versions(kind="versions", versions=versions()))
        self.guard.quietly(self._hook_data, module)

    def _hook_data(self, tensorflow: ModuleType) -> None:
        around(tensorflow.data.Dataset, "__iter__", self.loops.iterate)
        around(tensorflow.data.Dataset, "__iter__", self.steps.pipelines.iterate)
        around(tensorflow.GradientTape, "gradient", self.loops.hands.gradient)
        around(tensorflow.GradientTape, "gradient", self.steps.gradient)
        around(tensorflow.GradientTape, "_push_tape", self.steps.opened)
        around(tensorflow.GradientTape, "_pop_tape", self.steps.closed)
        around(importlib.import_module(_FUNCTIONS).ConcreteFunction, "_call_flat", self.steps.function)
        around(tensorflow.compat.v1.Session, "run", self.sessions.run)

    def attach(self, module: ModuleType) -> None:
        """Hook one dialect.

        Args:
            module: `keras` or `tf_keras`; its own name counts, not the name in the import.
        """
        root = module.__name__
        if root in self._attached or root not in {"keras", "tf_keras"}:
            return
        self._attached.add(root)
        try:
            family = _keras_2(root) if root == "tf_keras" else _keras_3(root)
        except Exception as problem:
            reason = f"{type(problem).__name__}: {problem}"
            self.recorder.log.write(Unhooked(kind="unhooked", package=root, reason=reason))
            return
        self._hook(family)

    def _hook(self, family: _Family) -> None:
        model, put = family.model, self._put
        put("Layer.__call__", around, family.layer, "__call__", self.steps.layer)
        put("Model.__new__", around, model, "__new__", self._new, on=model)
        put("Model.__call__", around, model, "__call__", self.calls.call, on=model)
        put("Model.compile", around, model, "compile", self._compile)
        put("Model.fit", around, model, "fit", self.fits.wrapper(family.callback))
        put("Model.evaluate", around, model, "evaluate", self._evaluate)
        put("Model.predict", around, model, "predict", self._predict)
        put("Model.train_on_batch", around, model, "train_on_batch", self.loops.train_on_batch)
        put("Model.train_on_batch", around, model, "train_on_batch", self.steps.train_on_batch)
        put("Model.get_weights", around, model, "get_weights", self._get_weights)
        put("Model.set_weights", around, model, "set_weights", self._set_weights)
        put("Model.save_weights", around, model, "save_weights", self._save_weights)
        put("Model.load_weights", around, model, "load_weights", self._load_weights)
        put("Model.export", around, model, "export", self._inside)
        # Keras 2 iterates a pipeline of its own in them, which is no data of the student's training.
        put("Model.test_on_batch", around, model, "test_on_batch", self._inside)
        put("Model.predict_on_batch", around, model, "predict_on_batch", self._inside)
        put("Sequential.pop", around, family.sequential, "pop", self._pop)
        put("Layer.trainable", around_property, family.layer, "trainable", self._set_trainable)
        put("Loss.__call__", around, family.loss, "__call__", self.loops.loss)
        if family.session_model is not None and family.session_layer is not None:
            self._hook_sessions(family, family.session_model, family.session_layer)
        for optimizer in family.optimizers:
            if "apply" in optimizer.__dict__:
                put("Optimizer.apply", around, optimizer, "apply", self.loops.apply)
                put("Optimizer.apply", around, optimizer, "apply", self.steps.apply)
            else:
                put("Optimizer.apply", around, optimizer, "apply_gradients", self.loops.apply_gradients)
                put("Optimizer.apply", around, optimizer, "apply_gradients", self.steps.apply)
        root, saving = family.root, family.saving
        if root == "keras":
            put("get_tensor_spec", around_everywhere, root, family.adapters, "get_tensor_spec", self.fits.first_batches)
        else:
            for adapter in (family.adapters.GeneratorDataAdapter, family.adapters.KerasSequenceAdapter):
                put("get_tensor_spec", around, adapter, "_peek_and_restore", self.fits.first_batch)
        if root == "keras":
            if self.recorder.session.quick and family.sequences is not None:
                put("Sequence.on_epoch_begin", around, family.sequences, "on_epoch_begin", self.fits.sequence_begun)
            bases = family.optimizers[0], family.optimizer
            put("Optimizer.__setattr__", watch_ignored, self.recorder, self.guard, *bases)
        if family.backend is not None:
            functions = FunctionWatch(self.book, self.guard, self.calls, family.backend)
            put("backend.function", around_everywhere, root, family.backend, "function", functions.function)
        put("saving.save_model", around_everywhere, root, saving, "save_model", self._save_model)
        put("saving.load_model", around_everywhere, root, saving, "load_model", self._load_model)
        put("cloning.clone_model", around_everywhere, root, family.cloning, "clone_model", self._clone_model)

    def _hook_sessions(self, family: _Family, model: type, layer: type) -> None:
        """Hook the classes that Keras 2 uses after `disable_eager_execution` or `disable_v2_behavior`."""
        put = self._put
        put("Model.compile", around, model, "compile", self._compile)
        put("Model.fit", around, model, "fit", self.fits.wrapper(family.callback))
        put("Model.evaluate", around, model, "evaluate", self._evaluate)
        put("Model.predict", around, model, "predict", self._predict)
        put("Model.train_on_batch", around, model, "train_on_batch", self.loops.train_on_batch)
        put("Model.get_weights", around, model, "get_weights", self._get_weights)
        put("Model.load_weights", around, model, "load_weights", self._load_weights)
        put("Layer.trainable", around_property, layer, "trainable", self._set_trainable)

    def _put(self, hook: str, patch: Callable[..., None], *args: Any, **kwargs: Any) -> None:
        """Install one hook; if Keras has moved the name, report a gap and continue with the other hooks."""
        try:
            patch(*args, **kwargs)
        except Exception as problem:
            self.recorder.gap(hook, problem)

    def _new(self, original: Any, cls: type, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        made = original(cls, *args, **kwargs)
        if not self.guard.busy:
            self.guard.quietly(self.book.created, made)
            self.guard.quietly(self.loops.made, made)
        return made

    def _inside(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with self.guard.inside_keras():
            return original(*args, **kwargs)

    def _pop(self, original: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if self.guard.student:
            self.guard.quietly(self.keeper.keep_now, model)
        return original(model, *args, **kwargs)

    def _compile(self, original: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with self.guard.inside_keras():
            result = original(model, *args, **kwargs)
        if not self.guard.busy:
            self.guard.quietly(self._compiled, original, model, args, kwargs)
        return result

    def _compiled(self, original: Any, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = inspect.signature(original).bind(model, *args, **kwargs).arguments
        entry = self.book.announce(model)
        metrics = [*describe_metrics(given.get("metrics")), *describe_metrics(given.get("weighted_metrics"))]
        event = Compile(
            kind="compile",
            model=entry.id,
            optimizer=self._optimizer(model, given.get("optimizer")),
            loss=describe_loss(given.get("loss"), entry.dialect),
            metrics=metrics,
            metric_classes=metric_classes([given.get("metrics"), given.get("weighted_metrics")]),
            trainable=trainable_mask(model),
        )
        entry.compiled = self.recorder.log.write(event)

    def _optimizer(self, model: Any, given: Any) -> OptimizerDescription | None:
        """Describe an optimizer, with an id that is the same for the same object in every model."""
        described: OptimizerDescription | None = describe_optimizer(getattr(model, "optimizer", None))
        if described is None:
            return None
        held = getattr(model, "optimizer", None) if given is None or isinstance(given, (str, dict)) else given
        known = next((place for place, other in enumerate(self._optimizers) if other() is held), None)
        if known is None:
            known = len(self._optimizers)
            self._optimizers.append(weakref.ref(held))
        described["id"] = f"o{known + 1}"
        return described

    def _evaluate(self, original: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        run = quick.limited_steps if self.recorder.session.quick and self.guard.student else quick.unlimited
        with self.guard.inside_keras():
            result = run(original, model, args, kwargs)
        # `fit` validates with the same method and marks the call by this keyword.
        if not self.guard.busy and not kwargs.get("_use_cached_eval_dataset"):
            self.guard.quietly(self._evaluated, original, model, args, kwargs, result)
        return result

    def _evaluated(self, original: Any, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        entry = self.book.announce(model)
        self.guard.quietly(self.loops.note_weights, model)
        if self._too_many(entry.id, "evaluate"):
            return
        given = inspect.signature(original).bind(model, *args, **kwargs).arguments
        x, _ = self.arrays.describe_pair(given.get("x"), given.get("y"))
        self.recorder.log.write(Evaluate(kind="evaluate", model=entry.id, x=x, results=_results(model, result)))

    def _predict(self, original: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        run = quick.with_few_rows if self.recorder.session.quick and self.guard.student else quick.unlimited
        with self.guard.inside_keras():
            result = run(original, model, args, kwargs)
        if not self.guard.busy:
            self.guard.quietly(self._predicted, original, model, args, kwargs, result)
        return result

    def _predicted(self, original: Any, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        entry = self.book.announce(model)
        given = inspect.signature(original).bind(model, *args, **kwargs).arguments.get("x")
        seen = self._passes.setdefault(entry.id, Passes(model, self.values.repeated)).add(given, result)
        if self._too_many(entry.id, "predict"):
            return
        x, _ = self.arrays.describe_pair(given)
        shape = list(result.shape) if isinstance(result, np.ndarray) else None
        event = Predict(
            kind="predict",
            model=entry.id,
            x=x,
            output_shape=shape,
            pass_number=seen.number,
            outputs_differ=seen.differs,
        )
        self.recorder.log.write(event)

    def _too_many(self, model: str, kind: str) -> bool:
        key = (self.recorder.log.cell, model, kind)
        self._written[key] = self._written.get(key, 0) + 1
        return self._written[key] > MAX_EVENTS_A_CELL

    def _get_weights(self, original: Any, layer: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        result = original(layer, *args, **kwargs)
        if self.guard.student and is_model(layer):
            self.guard.quietly(self._remember_origin, layer, result)
        return result

    def _remember_origin(self, model: Any, weights: Any) -> None:
        """Remember the model that weights came from, since the student may set them in another model."""
        self.guard.quietly(self.loops.note_weights, model)
        self._origins = {key: known for key, known in self._origins.items() if known[0]() is not None}
        for weight in itertools.islice(weights, 1):
            self._origins[id(weight)] = (weakref.ref(weight), self.book.entry(model).id)

    def _set_weights(self, original: Any, layer: Any, weights: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        result = original(layer, weights, *args, **kwargs)
        if self.guard.student and is_model(layer):
            self.guard.quietly(self._weights_set, layer, weights)
        return result

    def _weights_set(self, model: Any, weights: Any) -> None:
        first = weights[0] if isinstance(weights, (list, tuple)) and weights else None
        reference, origin = self._origins.get(id(first), (None, None))
        known = reference is not None and reference() is first
        self._saved("set_weights", model, other=origin if known else None, changed=True)

    def _save_weights(self, original: Any, model: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with self.guard.inside_keras():
            result = original(model, filepath, *args, **kwargs)
        if not self.guard.busy:
            self.guard.quietly(self._saved, "save_weights", model, path=filepath)
        return result

    def _load_weights(self, original: Any, model: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with self.guard.inside_keras():
            result = original(model, filepath, *args, **kwargs)
        if self.guard.student:
            self.guard.quietly(self._saved, "load_weights", model, path=filepath, changed=True)
        return result

    def _save_model(self, original: Any, model: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with self.guard.inside_keras():
            result = original(model, filepath, *args, **kwargs)
        if not self.guard.busy:
            self.guard.quietly(self._saved, "save", model, path=filepath)
        return result

    def _load_model(self, original: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with self.guard.inside_keras():
            model = original(filepath, *args, **kwargs)
        if self.guard.student and is_model(model):
            self.guard.quietly(self._saved, "load", model, path=filepath, changed=True)
        return model

    def _clone_model(self, original: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with self.guard.inside_keras():
            clone = original(model, *args, **kwargs)
        if self.guard.student:
            self.guard.quietly(self._saved, "clone", clone, other=self.book.announce(model).id)
        return clone

    def _saved(
        self, action: SaveAction, model: Any, *, other: str | None = None, path: Any = None, changed: bool = False
    ) -> None:
        entry = self.book.announce(model)
        if not changed and action != "clone" and not self.guard.keras:
            self.guard.quietly(self.loops.note_weights, model)
        if self._too_many(entry.id, action):
            return
        where = None if path is None else str(path)
        save = Save(kind="save", action=action, model=entry.id, other=other, path=where)
        if changed:
            save["digests"] = digests(model)
        event = self.recorder.log.write(save)
        if changed:
            self.loops.hands.changed_by_keras(model)
            self.steps.stepped(model)
            self.keeper.changed(model, event, None)
            # Such weights were usually learned: without its last layer, the model is another one.
            entry.trained = True

    def _set_trainable(self, original: Any, layer: Any, value: Any) -> None:
        __tracebackhide__ = True
        if not self.guard.student:
            original(layer, value)
            return
        before = self.guard.quietly(_flags, layer)
        self.guard.quietly(self.loops.before_trainable, layer, value)
        with self.guard.inside_keras():  # a model sets the value on its layers
            original(layer, value)
        if before is not None and before != self.guard.quietly(_flags, layer):
            self.guard.quietly(self._trainable_set, layer, before[0])

    def _trainable_set(self, layer: Any, before: bool) -> None:  # noqa: FBT001 - as in the event
        event = Trainable(
            kind="trainable",
            layer=layer.name,
            model=self.book.owner_of(layer),
            before=before,
            after=bool(layer.trainable),
        )
        self.recorder.log.write(event)


def _flags(layer: Any) -> tuple[bool, ...]:
    """Return `trainable` of a layer and of all layers in it."""
    inner = layer._flatten_layers(recursive=True, include_self=False)
    return (bool(layer.trainable), *(bool(part.trainable) for part in inner))


def _results(model: Any, result: Any) -> dict[str, float | None]:
    if isinstance(result, dict):
        return {str(name): float(value) for name, value in result.items()}
    values = result if isinstance(result, (list, tuple)) else [result]
    names = list(getattr(model, "metrics_names", []))
    if names == ["loss", "compile_metrics"] and len(values) > 1:
        names = ["loss", *(metric.name for metric in model._compile_metrics.metrics)]
    names += [f"metric_{place}" for place in range(len(names), len(values))]
    return {name: float(value) for name, value in zip(names, values, strict=False)}


def _keras_3(root: str) -> _Family:
    load = importlib.import_module
    model = load(f"{root}.src.models.model").Model
    return _Family(
        root=root,
        model=model,
        sequential=load(f"{root}.src.models.sequential").Sequential,
        layer=load(f"{root}.src.layers.layer").Layer,
        callback=load(f"{root}.src.callbacks.callback").Callback,
        optimizers=(
            load(f"{root}.src.optimizers.base_optimizer").BaseOptimizer,
            load(f"{root}.src.optimizers.loss_scale_optimizer").LossScaleOptimizer,
        ),
        optimizer=load(f"{root}.src.optimizers.optimizer").Optimizer,
        loss=load(f"{root}.src.losses.loss").Loss,
        saving=load(f"{root}.src.saving.saving_api"),
        cloning=load(f"{root}.src.models.cloning"),
        adapters=load(f"{root}.src.trainers.data_adapters.data_adapter_utils"),
        sequences=load(f"{root}.src.trainers.data_adapters.py_dataset_adapter").PyDatasetAdapter,
    )


def _keras_2(root: str) -> _Family:
    load = importlib.import_module
    return _Family(
        root=root,
        model=load(f"{root}.src.engine.training").Model,
        sequential=load(f"{root}.src.engine.sequential").Sequential,
        layer=load(f"{root}.src.engine.base_layer").Layer,
        callback=load(f"{root}.src.callbacks").Callback,
        optimizer=load(f"{root}.src.optimizers.optimizer").Optimizer,
        optimizers=(
            load(f"{root}.src.optimizers.optimizer").Optimizer,
            load(f"{root}.src.optimizers.legacy.optimizer_v2").OptimizerV2,
            load(f"{root}.src.mixed_precision.loss_scale_optimizer").LossScaleOptimizer,
            load(f"{root}.src.mixed_precision.loss_scale_optimizer").LossScaleOptimizerV3,
        ),
        loss=load(f"{root}.src.losses").Loss,
        saving=load(f"{root}.src.saving.saving_api"),
        cloning=load(f"{root}.src.models.cloning"),
        session_model=load(f"{root}.src.engine.training_v1").Model,
        session_layer=load(f"{root}.src.engine.base_layer_v1").Layer,
        adapters=load(f"{root}.src.engine.data_adapter"),
        backend=load(f"{root}.src.backend"),
    )

"""Restore old methods and arguments of models: generators, `predict_classes`, keywords of Keras 1."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from ..hooking.patching import around
from ..record.notes import Notes
from .forms import tell
from .origins import Origins
from .tools import around_init

__all__ = ["attach", "peek", "steps"]

_COMMON = {"nb_worker": "workers", "pickle_safe": "use_multiprocessing", "max_q_size": "max_queue_size"}


def steps(samples: int, batch_size: int) -> int:
    """Return how many batches contain at least this many samples, since Keras 1 counted samples.

    Args:
        samples: The requested number of samples.
        batch_size: The generator's batch size.
    """
    return max(math.ceil(samples / batch_size), 1)


def peek(generator: Any) -> tuple[int | None, Any]:
    """Read a generator's batch size.

    Args:
        generator: A Keras generator with a `batch_size`, or the student's own.

    Returns:
        The batch size, or None if it is unknown; and a generator to use instead, which repeats the batch that was read.
    """
    size = getattr(generator, "batch_size", None)
    if size:
        return int(size), generator
    if not isinstance(generator, Iterator):
        return None, generator
    try:
        first = next(generator)
    except StopIteration:
        return None, generator
    return _rows(first), itertools.chain([first], generator)


def _rows(batch: Any) -> int | None:
    x = batch[0] if isinstance(batch, tuple) else batch
    while isinstance(x, (list, tuple)) and x:
        x = x[0]
    shape = np.shape(x)
    return int(shape[0]) if shape else None


def attach(root: ModuleType, notes: Notes, origins: Origins) -> None:
    """Restore the old methods and arguments of models.

    Args:
        root: The module `tf_keras`.
        notes: Receives a note for each old form that is used.
        origins: Unused.
    """
    del origins
    model = root.Model
    around(model, "fit", _renaming({"nb_epoch": "epochs"}, "models.nb_epoch", notes))
    around(model, "fit_generator", _generator("models.fit_generator", notes))
    around(model, "evaluate_generator", _generator("models.evaluate_generator", notes))
    around(model, "predict_generator", _generator("models.predict_generator", notes))
    around(model, "__new__", _making(model), on=model)
    around_init(_functional(root), _renaming(_INPUTS, "models.input_output", notes))
    root.Sequential.predict_classes = _predict_classes(notes)
    root.Sequential.predict_proba = _predict_proba(notes)


_INPUTS = {"input": "inputs", "output": "outputs"}


def _functional(root: ModuleType) -> type:
    """Return the class of models that are built from `inputs` and `outputs`."""
    functional: type = import_module(f"{root.__name__}.src.engine.functional").Functional
    return functional


def _making(model: type) -> Callable[..., Any]:
    """Translate keywords for `Model.__new__`, which chooses the class by them; the constructor reports the old form."""

    def make(original: Any, cls: type, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        return original(cls, *args, **(_renamed(kwargs, _INPUTS) if cls is model else kwargs))

    return make


def _renaming(names: Mapping[str, str], form: str, notes: Notes) -> Callable[..., Any]:
    def call(original: Any, target: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        renamed = _renamed(kwargs, names)
        if renamed is not kwargs:
            tell(notes, form)
        return original(target, *args, **renamed)

    return call


def _renamed(keywords: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Rename old keywords.

    Return the same dict if none is old, or if old and new are both present: Keras itself then reports the conflict.
    """
    old = [name for name in names if name in keywords]
    if not old or any(names[name] in keywords for name in old):
        return keywords
    return {names.get(name, name): value for name, value in keywords.items()}


def _generator(form: str, notes: Notes) -> Callable[..., Any]:
    def call(original: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        tell(notes, form)
        if args:
            kwargs, args = {"generator": args[0], **kwargs}, args[1:]
        if {"samples_per_epoch", "val_samples", "nb_val_samples"} & set(kwargs):
            tell(notes, "models.samples")
            kwargs = _in_steps(kwargs)
        for names, about in (({"nb_epoch": "epochs"}, "models.nb_epoch"), (_COMMON, "models.generator_keywords")):
            renamed = _renamed(kwargs, names)
            if renamed is not kwargs:
                tell(notes, about)
            kwargs = renamed
        return original(model, kwargs.pop("generator"), *args, **kwargs)

    return call


def _in_steps(keywords: dict[str, Any]) -> dict[str, Any]:
    """Convert counts of samples to counts of batches; keep the count if the batch size is unknown."""
    keywords = dict(keywords)
    for counts, source, target in (
        (("samples_per_epoch",), "generator", "steps_per_epoch"),
        (("val_samples",), "generator", "steps"),
        (("nb_val_samples",), "validation_data", "validation_steps"),
    ):
        for count in counts:
            if count in keywords and target not in keywords:
                samples = int(keywords.pop(count))
                size, keywords[source] = peek(keywords.get(source))
                keywords[target] = steps(samples, size) if size else samples
    if isinstance(keywords.get("validation_data"), tuple):
        # Arrays were used for validation as a whole; the count only applied to generators.
        keywords.pop("validation_steps", None)
    return keywords


def _predict_classes(notes: Notes) -> Callable[..., Any]:
    def predict_classes(self: Any, x: Any, batch_size: int = 32, verbose: int = 0) -> Any:
        """Predict the class of each row: the index of the largest output, or whether a single output exceeds 0.5."""
        tell(notes, "models.predict_classes")
        probabilities = self.predict(x, batch_size=batch_size, verbose=verbose)
        if probabilities.shape[-1] > 1:
            return probabilities.argmax(axis=-1)
        return (probabilities > 0.5).astype("int32")  # noqa: PLR2004 - the threshold of Keras 2

    return predict_classes


def _predict_proba(notes: Notes) -> Callable[..., Any]:
    def predict_proba(self: Any, x: Any, batch_size: int = 32, verbose: int = 0) -> Any:
        """Predict like `predict`."""
        tell(notes, "models.predict_proba")
        return self.predict(x, batch_size=batch_size, verbose=verbose)

    return predict_proba

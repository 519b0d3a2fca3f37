"""Methods and arguments of models as they were: generators, `predict_classes`, the keywords of Keras 1."""

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
    """Batches in which so many samples are seen: Keras 1 went on until it had seen them all.

    Args:
        samples: Asked for.
        batch_size: Of the generator.
    """
    return max(math.ceil(samples / batch_size), 1)


def peek(generator: Any) -> tuple[int | None, Any]:
    """Learn a generator's batch size.

    Args:
        generator: One of Keras's own, which has `batch_size`, or one of the student's.

    Returns:
        The size, None where it cannot be seen; and the generator to use in the other's place, which gives the batch
        that was looked at once more.
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
    """Give models their old methods and arguments.

    Args:
        root: `tf_keras`.
        notes: Told of each form.
        origins: Not asked.
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
    """The class of a model that is made of `inputs` and `outputs`."""
    found: type = import_module(f"{root.__name__}.src.engine.functional").Functional
    return found


def _making(model: type) -> Callable[..., Any]:
    """`Model` decides by its keywords which class it makes; the constructor then says what was renamed."""

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
    """The same dict where nothing is old, or where old and new are both given, for Keras itself to say so."""
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
    """Counts of samples become counts of batches; where a batch's size is unknown they are taken for batches."""
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
        # Arrays were validated on as a whole; the count belonged to generators.
        keywords.pop("validation_steps", None)
    return keywords


def _predict_classes(notes: Notes) -> Callable[..., Any]:
    def predict_classes(self: Any, x: Any, batch_size: int = 32, verbose: int = 0) -> Any:
        """Predict the class of each row: the largest output's number, or whether a single output is above 0.5."""
        tell(notes, "models.predict_classes")
        probabilities = self.predict(x, batch_size=batch_size, verbose=verbose)
        if probabilities.shape[-1] > 1:
            return probabilities.argmax(axis=-1)
        return (probabilities > 0.5).astype("int32")  # noqa: PLR2004 - as it was

    return predict_classes


def _predict_proba(notes: Notes) -> Callable[..., Any]:
    def predict_proba(self: Any, x: Any, batch_size: int = 32, verbose: int = 0) -> Any:
        """Predict, as `predict` does."""
        tell(notes, "models.predict_proba")
        return self.predict(x, batch_size=batch_size, verbose=verbose)

    return predict_proba

"""Limits of a quick run, which shows within a minute whether a notebook works, and not how well its models learn.

Trainings keep their epochs as far as possible, so that callbacks, histories and plots have their usual lengths, but
each epoch has only a few batches. Predictions are made for a few images and repeated, so that results keep their
shapes. The record has the epochs and images that the student's code asked for.
"""

import inspect
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = [
    "EPOCHS",
    "LOOP_SECONDS",
    "ROWS",
    "STEPS",
    "fill_epochs",
    "limit_validation",
    "limited_steps",
    "unlimited",
    "with_few_rows",
]

EPOCHS = 20
"""Maximum number of epochs of one `fit`."""
STEPS = 2
"""Maximum number of batches of one epoch, of one validation, and of one `evaluate`."""
ROWS = 256
"""Maximum number of images of one `predict` and of one direct call."""
_MOST_EPOCHS = 10_000
"""Longest history that is filled."""
LOOP_SECONDS = 3.0
"""Time limit of a training loop of the student's own."""


def unlimited(original: Callable[..., Any], model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a method of a model as it is, in a full run."""
    __tracebackhide__ = True
    return original(model, *args, **kwargs)


def limit_validation(arguments: dict[str, Any]) -> None:
    """Limit the batches of each validation.

    Args:
        arguments: Arguments of `fit` by name; they are changed.
    """
    if arguments.get("validation_data") is not None or arguments.get("validation_split"):
        arguments["validation_steps"] = _least(arguments.get("validation_steps"))


def fill_epochs(history: Any, recorded: dict[str, list[Any]], asked: int | None) -> None:
    """Repeat the last values of a history for the epochs that a quick run left out, so that plots and tables work.

    Args:
        history: The result of `fit`; it is changed.
        recorded: The recorder's copy of its values; it is changed alike.
        asked: Number of epochs that the student's code asked for.
    """
    done = len(history.epoch)
    if not done or asked is None or not done < asked <= _MOST_EPOCHS:
        return
    for values in (*history.history.values(), *recorded.values()):
        # A validation in every second epoch has half as many values.
        values.extend(values[-1:] * (len(values) * asked // done - len(values)))
    history.epoch.extend(range(history.epoch[-1] + 1, history.epoch[0] + asked))


def limited_steps(original: Callable[..., Any], model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call `evaluate` with a limited number of batches; Keras itself reports wrong arguments."""
    __tracebackhide__ = True
    try:
        bound = inspect.signature(original).bind(model, *args, **kwargs)
    except TypeError:
        return original(model, *args, **kwargs)
    bound.arguments["steps"] = _least(bound.arguments.get("steps"))
    return original(*bound.args, **bound.kwargs)


def _least(steps: Any) -> int:
    return min(steps, STEPS) if isinstance(steps, int) else STEPS


def with_few_rows(original: Callable[..., Any], model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a model with the first images of its input, and repeat the outputs to the usual number of rows.

    Args:
        original: `predict` or `__call__`.
        model: The model.
        args: Arguments after the model.
        kwargs: Further arguments; with any that may have rows of their own, nothing is limited.
    """
    __tracebackhide__ = True
    given = args[0] if args else kwargs.get("x")
    rows = _rows(given)
    limited = rows is not None and rows > ROWS and len(args) <= 1 and kwargs.keys() <= {"x", *_WITHOUT_ROWS}
    if rows is None or not limited:
        return original(model, *args, **kwargs)
    few = _mapped(lambda part: part[:ROWS], given)
    output = original(model, few, **{name: value for name, value in kwargs.items() if name != "x"})
    return _mapped(lambda part: _repeated(part, rows), output)


_WITHOUT_ROWS = frozenset({"training", "batch_size", "verbose", "callbacks"})


def _rows(given: Any) -> int | None:
    """Return the number of rows of an array or of several arrays; None for anything else, such as a pipeline."""
    if isinstance(given, (list, tuple, dict)):
        counts = {_rows(part) for part in (given.values() if isinstance(given, dict) else given)}
        return counts.pop() if len(counts) == 1 else None
    shape = getattr(given, "shape", None)
    return int(shape[0]) if _is_array(given) and shape is not None and len(shape) else None


def _is_array(value: Any) -> bool:
    tensorflow = sys.modules.get("tensorflow")
    return isinstance(value, np.ndarray) or (tensorflow is not None and isinstance(value, tensorflow.Tensor))


def _mapped(change: Callable[[Any], Any], value: Any) -> Any:
    """Change each array of a structure."""
    if isinstance(value, dict):
        return {name: _mapped(change, part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([_mapped(change, part) for part in value])
    return change(value) if _is_array(value) else value


def _repeated(part: Any, rows: int) -> Any:
    """Repeat the rows of an output; one without a row for each image stays as it is."""
    if not len(part.shape) or int(part.shape[0]) != ROWS:
        return part
    places = np.arange(rows) % ROWS
    return part[places] if isinstance(part, np.ndarray) else sys.modules["tensorflow"].gather(part, places)

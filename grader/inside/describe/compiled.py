"""Describe how a model was compiled and trained: optimizer, loss, metrics, callbacks, learning rate."""

import functools
import re
import sys
from typing import Any

import numpy as np

from ..record.events import CallbackDescription, LossDescription, OptimizerDescription
from ..record.log import plain
from .models import KERAS_PACKAGES, ancestor, configuration, in_sessions, numbers

__all__ = [
    "changes_rate_by_step",
    "describe_callback",
    "describe_loss",
    "describe_metrics",
    "describe_optimizer",
    "is_of_keras",
    "is_schedule",
    "metric_classes",
    "rate_of",
    "unwrapped",
]

_BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")
_WRAPPED = ("inner_optimizer", "_optimizer", "optimizer", "base_optimizer")
"""Attributes in which wrappers of optimizers keep the optimizer."""
_MAX_WRAPPERS = 4
_CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")
_HIDDEN = frozenset({"model", "_model", "params", "validation_data"})


def is_of_keras(value: Any) -> bool:
    """Return whether a class or function belongs to Keras, judging by its module."""
    return (getattr(value, "__module__", "") or "").partition(".")[0] in KERAS_PACKAGES


def is_schedule(rate: Any) -> bool:
    """Return whether a learning rate is a schedule."""
    return any(cls.__name__ == "LearningRateSchedule" for cls in type(rate).__mro__)


def unwrapped(optimizer: Any) -> Any:
    """Return the optimizer in a wrapper such as `LossScaleOptimizer`, which mixed precision adds; else itself.

    Args:
        optimizer: An optimizer of either dialect.
    """
    for _ in range(_MAX_WRAPPERS):
        inner = next(filter(_is_optimizer, (_attribute(optimizer, name) for name in _WRAPPED)), None)
        if inner is None or inner is optimizer:
            break
        optimizer = inner
    return optimizer


def _attribute(optimizer: Any, name: str) -> Any:
    try:
        return getattr(optimizer, name, None)
    except Exception:
        return None


def _is_optimizer(value: Any) -> bool:
    return not isinstance(value, (type, str)) and callable(getattr(value, "apply_gradients", None))


def _raw_rate(optimizer: Any) -> Any:
    inner = unwrapped(optimizer)
    for name in ("_learning_rate", "learning_rate", "_lr"):
        rate = inner.__dict__.get(name) if name.startswith("_") else getattr(inner, name, None)
        if rate is not None:
            return rate
    return None


def _decays(optimizer: Any) -> bool:
    """Return whether the optimizer's `decay` lowers its rate; in `Nadam`, `decay` belongs to the momentum."""
    return hasattr(optimizer, "_decayed_lr") and not any(cls.__name__ == "Nadam" for cls in type(optimizer).__mro__)


def rate_of(optimizer: Any) -> float | None:
    """Return the learning rate of the next step.

    Args:
        optimizer: An optimizer of either dialect; a schedule is evaluated at the current number of steps.

    Returns:
        The rate, or None if it cannot be read.
    """
    try:
        optimizer = unwrapped(optimizer)
        if in_sessions():  # a decayed rate would add operations to the student's graph
            rate = _raw_rate(optimizer)
            return None if is_schedule(rate) else _readable(numbers(rate))
        if _decays(optimizer):  # optimizers with `decay`, as in Keras before 2.11
            return _readable(optimizer._decayed_lr("float32"))
        rate = _raw_rate(optimizer)
        if is_schedule(rate):
            rate = rate(optimizer.iterations)
        return _readable(rate)
    except Exception:
        return None


def _readable(number: Any) -> float:
    """Convert a float32 to the shortest equal decimal number: 0.001 instead of 0.0010000000474974513."""
    return float(str(np.asarray(number).astype(np.float32)))


def describe_optimizer(optimizer: Any) -> OptimizerDescription | None:
    """Describe an optimizer, or the one in a wrapper; return None if there is none."""
    if optimizer is None:
        return None
    wrapper, optimizer = optimizer, unwrapped(optimizer)
    keras_class = ancestor(optimizer)
    rate = None if is_schedule(_raw_rate(optimizer)) else rate_of(optimizer)
    config = configuration(optimizer)
    if isinstance(config.get("learning_rate"), float):
        config["learning_rate"] = _readable(config["learning_rate"])
    if isinstance(config.get("decay"), (int, float)) and config["decay"] and rate is not None:
        rate = config.get("learning_rate", rate)
    outer = {} if wrapper is optimizer else configuration(wrapper)
    config |= {name: outer[name] for name in _CLIPS if outer.get(name) and not config.get(name)}
    cls = keras_class.__name__ if keras_class else type(optimizer).__name__
    return OptimizerDescription(cls=cls, learning_rate=rate, config=config)


def describe_loss(loss: Any, dialect: str) -> LossDescription | None:
    """Describe a loss by its canonical name, independent of how the code names it.

    Args:
        loss: A name, a function, a loss object, or a list or dict of them, with one loss per output.
        dialect: The dialect that defines the canonical names.

    Returns:
        The description, or None without a loss; names of several different losses are joined by ` + `.
    """
    if loss is None:
        return None
    if isinstance(loss, (list, tuple, dict)):
        parts = [describe_loss(item, dialect) for item in (loss.values() if isinstance(loss, dict) else loss)]
        losses = [part for part in parts if part is not None]
        if not losses:
            return None
        names = list(dict.fromkeys(part["name"] for part in losses))
        custom = any(part["custom"] for part in losses)
        return losses[0] if len(names) == 1 else {**losses[0], "name": " + ".join(names), "custom": custom}
    if isinstance(loss, str):
        return _named_loss(loss, dialect)
    if callable(getattr(loss, "get_config", None)):
        return _loss_object(loss)
    return _loss_function(loss)


def _named_loss(name: str, dialect: str) -> LossDescription:
    module = sys.modules.get("tf_keras.losses" if dialect == "keras2" else "keras.losses")
    try:
        loss = module.get(name) if module else None
    except Exception:
        loss = None
    if loss is None:
        return LossDescription(name=name, from_logits=None, custom=False, config={})
    return _loss_object(loss) if callable(getattr(loss, "get_config", None)) else _loss_function(loss)


def _loss_object(loss: Any) -> LossDescription:
    keras_class = ancestor(loss)
    config = configuration(loss)
    wrapped = getattr(loss, "fn", None)
    if keras_class is not None and keras_class.__name__ == "LossFunctionWrapper" and wrapped is not None:
        return {**_loss_function(wrapped), "config": config}
    custom = keras_class is not type(loss)
    logits = config.get("from_logits")
    return LossDescription(
        name=type(loss).__name__ if custom else _snake(type(loss).__name__),
        from_logits=bool(logits) if logits is not None else None,
        custom=custom,
        config=config,
    )


def _loss_function(function: Any) -> LossDescription:
    keywords: dict[str, Any] = {}
    while isinstance(function, functools.partial):
        keywords = {**function.keywords, **keywords}
        function = function.func
    code = getattr(_innermost(function), "__code__", None)
    takes_logits = code is not None and "from_logits" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return LossDescription(
        name=str(getattr(function, "__name__", type(function).__name__)),
        from_logits=bool(keywords.get("from_logits", False)) if takes_logits else None,
        custom=not is_of_keras(function),
        config=plain(keywords),
    )


def _innermost(function: Any) -> Any:
    """Return the function in its wrappers; in Keras 2, the first training in a graph adds one to Keras's function."""
    for _ in range(_MAX_WRAPPERS):
        function = getattr(function, "__wrapped__", function)
    return function


def _snake(name: str) -> str:
    if name == "KLDivergence":
        return "kl_divergence"
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def describe_metrics(metrics: Any) -> list[str]:
    """Return the names of the metrics in a `compile` call.

    Args:
        metrics: A name, function or metric object, or lists and dicts of them.
    """
    if metrics is None:
        return []
    if isinstance(metrics, dict):
        metrics = list(metrics.values())
    if isinstance(metrics, (list, tuple)):
        return [name for item in metrics for name in describe_metrics(item)]
    return [
        metrics
        if isinstance(metrics, str)
        else str(getattr(metrics, "name", None) or getattr(metrics, "__name__", type(metrics).__name__))
    ]


def metric_classes(metrics: Any) -> dict[str, str]:
    """Map the names of metrics that were passed as objects to their most specific Keras classes.

    Args:
        metrics: A name, function or metric object, or lists and dicts of them.
    """
    if isinstance(metrics, (list, tuple, dict)):
        items = metrics.values() if isinstance(metrics, dict) else metrics
        return {name: cls for item in items for name, cls in metric_classes(item).items()}
    keras_class = None if metrics is None or isinstance(metrics, str) else ancestor(metrics)
    name = getattr(metrics, "name", None)
    return {str(name): keras_class.__name__} if keras_class is not None and name else {}


def describe_callback(callback: Any) -> CallbackDescription:
    """Describe a callback by its class and its plain attributes.

    Args:
        callback: A callback of either dialect.
    """
    keras_class = ancestor(callback)
    config = {
        name: value
        for name, value in vars(callback).items()
        if name not in _HIDDEN and not name.startswith("_") and isinstance(value, (bool, int, float, str, type(None)))
    }
    return CallbackDescription(
        cls=keras_class.__name__ if keras_class else type(callback).__name__,
        custom=None if keras_class is type(callback) else type(callback).__name__,
        config=plain(config),
    )


def changes_rate_by_step(optimizer: Any, callbacks: list[Any]) -> bool:
    """Return whether the learning rate may change from one step to the next.

    Args:
        optimizer: The model's optimizer.
        callbacks: The student's callbacks.
    """
    optimizer = unwrapped(optimizer)
    if optimizer is not None and is_schedule(_raw_rate(optimizer)):
        return True
    if getattr(optimizer, "_initial_decay", 0) and _decays(optimizer):
        return True
    return any(_hooks_batches(callback) for callback in callbacks)


def _hooks_batches(callback: Any) -> bool:
    """Return whether a callback runs code in each batch.

    Keras's own callbacks change the rate only per epoch; a `LambdaCallback` stores its hooks as attributes.
    """
    if any(name in vars(callback) for name in _BATCH_HOOKS):
        return type(callback).__name__ == "LambdaCallback" or not is_of_keras(type(callback))
    if is_of_keras(type(callback)):
        return False
    return any(not is_of_keras(getattr(type(callback), name, None)) for name in _BATCH_HOOKS)

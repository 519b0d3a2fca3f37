"""Describe models and layers of both dialects in the form of `docs/events.md`, for the recorder and the predictor."""

import hashlib
import sys
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np

from ..record.events import (
    MAX_ITEMS,
    Configuration,
    Dialect,
    LayerDescription,
    ModelStructure,
    OutputDescription,
    Shape,
)
from ..record.log import plain

__all__ = [
    "ancestor",
    "configuration",
    "describe_model",
    "dialect_of",
    "digests",
    "in_sessions",
    "is_model",
    "leaves",
    "mark_ready_made",
    "numbers",
    "shares",
    "trainable_mask",
    "weights_of",
]

KERAS_PACKAGES = frozenset({"keras", "tf_keras"})
_OPERANDS = ("x1", "x2", "x", "y")
"""Names of the operands of functions in both dialects; a loaded Keras 2 model passes the second operand by name."""
_SKIPPED = frozenset(
    {"layers", "input_layers", "output_layers", "build_config", "compile_config", "module", "registered_name"}
)

_READY_MADE: "weakref.WeakSet[Any]" = weakref.WeakSet()
"""Layers of models from `keras.applications`, also if they are used in another model."""


def ancestor(value: Any) -> type | None:
    """Return the most specific Keras class of an object; None if it is not a Keras object.

    Args:
        value: A layer, model, callback, optimizer, loss …
    """
    for cls in type(value).__mro__:
        if cls.__module__.partition(".")[0] in KERAS_PACKAGES:
            return cls
    return None


def dialect_of(value: Any) -> Dialect:
    """Return which Keras an object belongs to: Keras 3, or Keras 2 (`tf_keras`)."""
    keras_class = ancestor(value)
    return "keras2" if keras_class is not None and keras_class.__module__.partition(".")[0] == "tf_keras" else "keras3"


def is_model(value: Any) -> bool:
    """Return whether an object is a Keras model, in either dialect."""
    return any(
        cls.__name__ == "Model" and cls.__module__.partition(".")[0] in KERAS_PACKAGES for cls in type(value).__mro__
    )


def _custom_name(value: Any) -> str | None:
    keras_class = ancestor(value)
    return None if keras_class is type(value) else type(value).__name__


def _inner_layers(layer: Any) -> list[Any]:
    """Return the layers of a nested model, or of a student's composite layer."""
    if is_model(layer):
        return list(layer.layers)
    if _custom_name(layer) is None:
        return []
    try:
        return list(layer._flatten_layers(recursive=False, include_self=False))
    except Exception:
        return []


def leaves(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield every layer of a model once, with a unique name, including the layers of nested models.

    A student's composite layer precedes its parts. A second layer of the same name is called `outer/inner`.

    Yields:
        (name, layer).
    """
    visited: set[int] = set()
    names: set[str] = set()

    def walk(layer: Any, outer: str) -> Iterator[tuple[str, Any]]:
        for inner in _inner_layers(layer):
            if id(inner) in visited:
                continue
            visited.add(id(inner))
            name = inner.name if inner.name not in names else f"{outer}/{inner.name}"
            if not is_model(inner):
                names.add(name)
                yield name, inner
            yield from walk(inner, name)

    yield from walk(model, str(model.name))


def mark_ready_made(model: Any) -> None:
    """Note that the layers of a model are not the student's own.

    Args:
        model: A complete model from `keras.applications`.
    """
    for _, layer in leaves(model):
        _READY_MADE.add(layer)


def weights_of(layer: Any, *, trainable: bool = False) -> list[Any]:
    """Return a layer's or model's variables; none for an unbuilt Keras 2 model, which raises an error instead.

    Args:
        layer: A layer or model of either dialect.
        trainable: Whether to return only trainable variables.
    """
    try:
        return list(layer.trainable_weights if trainable else layer.weights)
    except ValueError:
        return []


def digests(model: Any, instead: Mapping[int, Any] | None = None) -> dict[str, str]:
    """Hash each layer's weights.

    Args:
        model: A model of either dialect.
        instead: id of a weight → another variable whose values are hashed in its place.

    Returns:
        Layer name → hex of 128 bits (blake2b); layers without weights are left out.
    """
    result = {}
    for name, layer in leaves(model):
        weights = weights_of(layer)
        if weights:
            digest = hashlib.blake2b(digest_size=16)
            for weight in weights:
                values = np.ascontiguousarray(numbers((instead or {}).get(id(weight), weight)))
                # As bytes, since half-precision types such as bfloat16 have no buffer of their own.
                digest.update(values.reshape(-1).view(np.uint8).data)
            result[name] = digest.hexdigest()
    return result


def numbers(tensor: Any) -> np.ndarray[Any, Any]:
    """Return the numbers of a variable or tensor, without a copy if TensorFlow allows it.

    Args:
        tensor: A Keras variable, a TensorFlow variable or eager tensor, or anything that NumPy can read.
    """
    if in_sessions() and hasattr(tensor, "op"):
        return np.asarray(sys.modules["tf_keras.src.backend"].get_value(tensor))
    inner = getattr(tensor, "value", tensor)
    inner = inner() if callable(inner) else inner
    if hasattr(inner, "read_value"):
        inner = inner.read_value()
    reader = getattr(inner, "_numpy", None)
    return np.asarray(reader() if callable(reader) else tensor)


def in_sessions() -> bool:
    """Whether the notebook switched to graphs and sessions, as in TensorFlow 1, where variables have no `numpy()`."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and not tensorflow.compat.v1.executing_eagerly_outside_functions()


def trainable_mask(model: Any) -> dict[str, bool]:
    """Map each layer's name to whether it is trainable now."""
    return {name: bool(layer.trainable) for name, layer in leaves(model)}


def shares(model: Any) -> frozenset[int]:
    """Return the identities of the model's layers with weights, to find models that share layers."""
    return frozenset(id(layer) for _, layer in leaves(model) if weights_of(layer))


def describe_model(model: Any) -> ModelStructure:
    """Describe a model, without its `id`, its variable's name and `shares_layers_with`.

    Args:
        model: A model; if it is not built, its layers are listed without parameter counts.
    """
    built = bool(getattr(model, "built", False)) and bool(weights_of(model) or not _has_lazy_layers(model))
    outputs = _outputs(model)
    structure = ModelStructure(
        name=str(model.name),
        cls=type(model).__name__,
        dialect=dialect_of(model),
        input_shape=_shape(model, "input"),
        output_shape=outputs[0]["shape"] if len(outputs) == 1 else _shape(model, "output"),
        parameters=_count(weights_of(model)) if built else None,
        trainable_parameters=_count(weights_of(model, trainable=True)) if built else None,
        layers=_describe_layers(model),
    )
    if len(outputs) > 1:
        structure["outputs"] = outputs
    return structure


def _outputs(model: Any) -> list[OutputDescription]:
    """List the outputs of a functional or sequential model; empty if they are unknown, as for a subclassed model."""
    try:
        tensors = list(model.outputs)
        structure = getattr(model, "_outputs_struct", None) or getattr(model, "_nested_outputs", None)
        # Both dialects flatten a dict in the order of its keys.
        names = sorted(structure) if isinstance(structure, dict) else list(getattr(model, "output_names", ()))
        if len(names) != len(tensors):
            names = [str(position) for position in range(len(tensors))]
        return [
            OutputDescription(name=str(name), shape=(_single(_plain_shape(tensor)) or [None])[1:])
            for name, tensor in zip(names, tensors, strict=True)
        ]
    except Exception:
        return []


def _plain_shape(tensor: Any) -> Any:
    return tensor.shape if hasattr(tensor.shape, "as_list") else tuple(tensor.shape)


def _has_lazy_layers(model: Any) -> bool:
    return any(not layer.built for layer in model.layers)


def _describe_layers(model: Any) -> list[LayerDescription]:
    inbound = _inbound(model)
    layers = _inner_layers(model)
    layer_ids = {id(layer) for layer in layers}
    return [
        (_describe_layer if id(part) in layer_ids else _describe_operation)(part, inbound.get(id(part), []))
        for part in _with_operations(model, layers)
    ]


def _with_operations(model: Any, layers: list[Any]) -> list[Any]:
    """Return a model's layers in the graph's order, and its operations on tensors if Keras 3 stores them.

    `inputs / 255` is an operation, not a layer; without it the model seems to start and end elsewhere. If the graph
    does not contain exactly the same layers, only the layers are returned.
    """
    operations = getattr(model, "operations", None) if is_model(model) else None
    parts = operations if isinstance(operations, list) else []
    layer_ids = {id(layer) for layer in layers}
    return parts if [id(part) for part in parts if id(part) in layer_ids] == [id(layer) for layer in layers] else layers


def _describe_operation(operation: Any, inbound: list[str]) -> LayerDescription:
    custom = _custom_name(operation)
    config = {**configuration(operation), "function": custom or type(operation).__name__}
    operands = _operands(operation)
    return LayerDescription(
        name=str(operation.name),
        cls="Operation",
        custom=custom,
        output_shape=_shape(operation, "output"),
        input_shape=_shape(operation, "input"),
        parameters=0,
        trainable=True,
        config=config if operands is None else {**config, "operands": operands},
        layers=[],
        inbound=inbound,
    )


def _operands(operation: Any) -> list[float | None] | None:
    """Return the operands of an operation in order, None for a tensor; return None without a number among two operands.

    Both dialects store an operation's arguments at its first node.
    """
    try:
        node = operation._inbound_nodes[0]
        old = hasattr(node, "call_args")
        args, kwargs = (node.call_args, node.call_kwargs) if old else (node.arguments.args, node.arguments.kwargs)
        operands = [_scalar(value) for value in (*args, *(kwargs[key] for key in _OPERANDS if key in kwargs))]
    except Exception:
        return None
    return operands if len(operands) == 2 and any(value is not None for value in operands) else None  # noqa: PLR2004 - a pair


def _scalar(value: Any) -> float | None:
    if isinstance(value, (int, float, np.number)):
        return float(value)
    return float(value.numpy()) if hasattr(value, "numpy") and tuple(value.shape) == () else None


def _describe_layer(layer: Any, inbound: list[str]) -> LayerDescription:
    keras_class = ancestor(layer)
    config = configuration(layer)
    if type(layer).__name__ == "TFOpLambda" and (operands := _operands(layer)) is not None:
        config = {**config, "operands": operands}
    described = LayerDescription(
        name=str(layer.name),
        cls=keras_class.__name__ if keras_class else type(layer).__name__,
        custom=_custom_name(layer),
        output_shape=_shape(layer, "output"),
        input_shape=_shape(layer, "input"),
        parameters=_count(weights_of(layer)),
        trainable=bool(layer.trainable),
        config=config,
        layers=_describe_layers(layer),
        inbound=inbound,
    )
    if layer in _READY_MADE:
        described["ready_made"] = True
    return described


def _count(weights: Any) -> int:
    return int(sum(np.prod(tuple(weight.shape), dtype=np.int64) for weight in weights))


def configuration(value: Any) -> Configuration:
    """Reduce an object's `get_config()` to values that JSON supports.

    Args:
        value: A layer, optimizer, loss, schedule …; without a usable `get_config` the result is empty.
    """
    try:
        config = value.get_config()
    except Exception:
        return {}
    reduced = _reduce({key: item for key, item in config.items() if key not in _SKIPPED})
    return reduced if isinstance(reduced, dict) else {}


def _reduce(value: Any, depth: int = 8) -> Any:  # noqa: PLR0911 - one return per kind of value
    """Convert Keras objects to `{class_name, config}`, shorten lists, and replace other objects by a class name."""
    if depth <= 0:
        return type(value).__name__
    if isinstance(value, dict):
        if "class_name" in value and "config" in value:
            return {"class_name": value["class_name"], "config": _reduce(value["config"], depth - 1)}
        return {str(key): _reduce(item, depth - 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_reduce(item, depth - 1) for item in value[:MAX_ITEMS]]
    if isinstance(value, np.ndarray):
        return plain(value.ravel()[:MAX_ITEMS])
    if hasattr(value, "get_config"):
        return {"class_name": type(value).__name__, "config": configuration(value)}
    return plain(value)


def _shape(layer: Any, side: Literal["input", "output"]) -> Shape | None:
    """Return a layer's or model's shape without the batch axis; None if it is unknown or there are several."""
    for reader in (_symbolic_shape, _stated_shape, _built_shape):
        try:
            raw_shape = reader(layer, side)
        except Exception:
            raw_shape = None
        shape = _single(raw_shape)
        if shape is not None:
            return shape[1:]
    return None


def _stated_shape(layer: Any, side: str) -> Any:
    return getattr(layer, f"{side}_shape")


def _symbolic_shape(layer: Any, side: str) -> Any:
    tensor = getattr(layer, side)
    return [tuple(item.shape) for item in tensor] if isinstance(tensor, (list, tuple)) else tuple(tensor.shape)


def _built_shape(layer: Any, side: str) -> Any:
    """Return the shape that a layer in a subclassed model was built with, or its output shape computed from that."""
    shapes = getattr(layer, "_build_shapes_dict", None)
    input_shape = (
        next(iter(shapes.values())) if shapes and len(shapes) == 1 else getattr(layer, "_build_input_shape", None)
    )
    return input_shape if side == "input" or input_shape is None else layer.compute_output_shape(input_shape)


def _single(shape: Any) -> list[int | None] | None:
    if hasattr(shape, "as_list"):
        shape = shape.as_list()
    if not isinstance(shape, (list, tuple)):
        return None
    if shape and isinstance(shape[0], (list, tuple)):
        return _single(shape[0]) if len(shape) == 1 else None
    if not all(size is None or isinstance(size, int) for size in shape):
        return None
    return list(shape) or None


def _inbound(model: Any) -> dict[int, list[str]]:
    """Map id(layer) to the names of the layers that provide its input in this model."""
    if not is_model(model):
        return {}
    graph = getattr(model, "_functional", None) or model
    inbound: dict[int, list[str]] = {}
    try:
        for nodes in (graph._nodes_by_depth or {}).values():
            for node in nodes:
                if hasattr(node, "operation"):
                    child, parents = node.operation, [parent.operation for parent in node.parent_nodes]
                else:
                    child, parents = node.layer, _as_list(node.inbound_layers)
                names = inbound.setdefault(id(child), [])
                names.extend(str(parent.name) for parent in parents if str(parent.name) not in names)
    except Exception:
        return {}
    return inbound


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]

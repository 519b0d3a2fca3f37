"""Interpret operations on tensors between a model's layers by their names and numbers."""

from grader.schema.evidence import LayerFact

__all__ = ["is_opaque", "is_unreadable", "keeps_range", "operation_activation", "scaling_of"]

_ACTIVATIONS = {
    "elu": "elu",
    "gelu": "gelu",
    "hardsigmoid": "hard_sigmoid",
    "leakyrelu": "leaky_relu",
    "logsoftmax": "log_softmax",
    "relu": "relu",
    "relu6": "relu6",
    "selu": "selu",
    "sigmoid": "sigmoid",
    "silu": "silu",
    "softmax": "softmax",
    "softplus": "softplus",
    "softsign": "softsign",
    "swish": "silu",
    "tanh": "tanh",
}
_KEEPING = frozenset(
    {
        "averagepool",
        "cast",
        "expanddims",
        "getitem",
        "identity",
        "mean",
        "moveaxis",
        "ravel",
        "reducemean",
        "repeat",
        "reshape",
        "squeeze",
        "stopgradient",
        "swapaxes",
        "tile",
        "transpose",
    }
)
_DIFFERENCES = frozenset({"subtract", "sub"})
_QUOTIENTS = frozenset({"divide", "truedivide", "truediv"})
_PAIR = 2


def operation_activation(layer: LayerFact) -> str | None:
    """Return the activation that an operation computes, such as `softmax`; None for layers and other operations."""
    return _ACTIVATIONS.get(layer.operation or "")


def keeps_range(layer: LayerFact) -> bool:
    """Whether a layer is an operation that only drops, averages, repeats or reorders numbers."""
    return layer.operation in _KEEPING


def is_opaque(layer: LayerFact) -> bool:
    """Whether the range of a layer's output is unknown: other operations, `Lambda` and custom classes.

    Activations are opaque too, since they change the range.
    """
    if layer.operation:
        return not keeps_range(layer)
    return is_unreadable(layer)


def is_unreadable(layer: LayerFact) -> bool:
    """Whether a layer applies code that the grader cannot read: a function or layer class of the student's."""
    return layer.operation == "" or layer.cls == "Lambda" or (layer.custom is not None and layer.cls == "Layer")


def scaling_of(layer: LayerFact) -> tuple[float, float] | None:
    """Return the factor and offset of an operation with one number; None for any other layer or operation."""
    if layer.operation is None:
        return None
    if keeps_range(layer):
        return 1.0, 0.0
    operands = layer.config.get("operands")
    first, second = operands if isinstance(operands, (list, tuple)) and len(operands) == _PAIR else (None, None)
    if first is None and isinstance(second, (int, float)):
        return _with_number(layer.operation, float(second))
    if second is None and isinstance(first, (int, float)):
        return (-1.0, float(first)) if layer.operation in _DIFFERENCES else _commuted(layer.operation, float(first))
    return None


def _with_number(operation: str, number: float) -> tuple[float, float] | None:
    if operation in _DIFFERENCES:
        return 1.0, -number
    if operation in _QUOTIENTS:
        return (1 / number, 0.0) if number else None
    return _commuted(operation, number)


def _commuted(operation: str, number: float) -> tuple[float, float] | None:
    return {"multiply": (number, 0.0), "add": (1.0, number)}.get(operation)

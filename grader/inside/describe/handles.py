"""Reads TensorFlow's variables by their handles, the tensors by which a graph refers to them."""

import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["DATA_TYPES", "handles_of", "kind_of", "shape_of", "value_of"]

DATA_TYPES = frozenset({"resource", "variant"})
"""Types of tensors that stand for variables, pipelines and iterators."""
_KINDS = re.compile(r'type="(?:\w+::)*(\w+)')


def kind_of(handle: Any) -> str:
    """Return the kind of a resource, such as `Var` or `IteratorResource`; for a pipeline, `Dataset`."""
    if handle.dtype.name == "variant":
        return "Dataset"
    named = _KINDS.search(str(handle))
    return named.group(1) if named is not None else "Resource"


def handles_of(variables: Iterable[Any]) -> Iterator[Any]:
    """Yield the handles of variables of Keras or TensorFlow."""
    for variable in variables:
        handle = getattr(getattr(variable, "_value", variable), "handle", None)
        if handle is not None:
            yield handle


def shape_of(handle: Any) -> tuple[int, ...]:
    """Return the shape of a variable, with 0 for an unknown size."""
    return tuple(max(0, axis.size) for axis in _shape_and_type(handle).shape.dim)


def value_of(handle: Any) -> Any:
    """Return the values of a variable."""
    tensorflow = sys.modules["tensorflow"]
    dtype = tensorflow.dtypes.as_dtype(_shape_and_type(handle).dtype)
    return tensorflow.raw_ops.ReadVariableOp(resource=handle, dtype=dtype)


def _shape_and_type(handle: Any) -> Any:
    return handle._handle_data.shape_and_type[0]

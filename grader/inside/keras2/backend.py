"""Restore the old functions of `keras.backend`."""

from collections.abc import Callable, Sequence
from functools import wraps
from importlib import import_module
from types import ModuleType
from typing import Any

from ..hooking.imports import fallback_names
from ..record.notes import Notes
from .forms import tell
from .origins import Origins
from .tools import called_by_keras, public

__all__ = ["attach", "phases"]

_ORDERINGS = {"tf": "channels_last", "th": "channels_first"}
_REPORTED_FORMS = {"set_value": "backend.set_value", "get_value": "backend.get_value"}
_UNCHANGED = frozenset(
    """clear_session epsilon floatx set_floatx set_epsilon image_data_format set_image_data_format is_keras_tensor
    get_uid reset_uids is_float_dtype is_int_dtype standardize_dtype backend result_type name_scope variable_dtype
    cast_to_floatx get_session set_session learning_phase""".split()  # noqa: SIM905 - a list of words
)
"""Names that are not wrapped: `keras.backend` of Keras 3 still has them, or other code reports them."""


def phases(inputs: Sequence[Any], is_tensor: Callable[[Any], bool]) -> list[int]:
    """Return the positions of learning phases among the inputs of `K.function`.

    Args:
        inputs: The student's list of inputs.
        is_tensor: Predicate that recognizes a layer's tensor.
    """
    return [place for place, tensor in enumerate(inputs) if not is_tensor(tensor)]


def attach(root: ModuleType, notes: Notes, origins: Origins) -> None:
    """Restore the old functions of the backend.

    Args:
        root: The module `tf_keras`.
        notes: Receives a note for each old form that is used.
        origins: Unused.
    """
    del origins
    function = _function(root.backend.function, root, notes)
    for module in public(root, "backend"):
        for name, value in list(vars(module).items()):
            if callable(value) and not isinstance(value, type) and not name.startswith("_") and name not in _UNCHANGED:
                setattr(module, name, _reporting(value, _REPORTED_FORMS.get(name, "backend.old_name"), notes))
        vars(module)["function"] = function
        fallback_names(module, _old_names(module, notes))


def _reporting(original: Callable[..., Any], form: str, notes: Notes) -> Callable[..., Any]:
    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if not called_by_keras():
            tell(notes, form)
        return original(*args, **kwargs)

    return call


def _function(original: Callable[..., Any], root: ModuleType, notes: Notes) -> Callable[..., Any]:
    scope = import_module(f"{root.__name__}.src.backend").deprecated_internal_learning_phase_scope

    def function(inputs: Any, outputs: Any, updates: Any = None, name: Any = None, **kwargs: Any) -> Any:
        """Build a function of a model's tensors; a learning phase among the inputs selects training or inference."""
        __tracebackhide__ = True
        tell(notes, "backend.function")
        places = phases(inputs, _layers_tensor(root)) if isinstance(inputs, (list, tuple)) else []
        if not places:
            return original(inputs, outputs, updates, name, **kwargs)
        tensors = [tensor for place, tensor in enumerate(inputs) if place not in places]
        compiled = original(tensors, list(outputs) if isinstance(outputs, tuple) else outputs, updates, name, **kwargs)

        def run(values: Sequence[Any]) -> Any:
            __tracebackhide__ = True
            # A function takes no learning phase, so set it for all of Keras during the call.
            with scope(int(values[places[0]])):
                return compiled([value for place, value in enumerate(values) if place not in places])

        return run

    return function


def _layers_tensor(root: ModuleType) -> Callable[[Any], bool]:
    def is_tensor(value: Any) -> bool:
        try:
            return bool(root.backend.is_keras_tensor(value))
        except ValueError:  # not a tensor at all
            return False

    return is_tensor


def _old_names(module: ModuleType, notes: Notes) -> Callable[[str], Any]:
    def image_dim_ordering() -> str:
        tell(notes, "backend.image_dim_ordering")
        return {new: old for old, new in _ORDERINGS.items()}[module.image_data_format()]

    def set_image_dim_ordering(dim_ordering: str) -> None:
        tell(notes, "backend.image_dim_ordering")
        module.set_image_data_format(_ORDERINGS.get(dim_ordering, dim_ordering))

    def set_session(session: Any) -> None:
        del session
        tell(notes, "backend.set_session")

    table = {
        "image_dim_ordering": image_dim_ordering,
        "set_image_dim_ordering": set_image_dim_ordering,
        "set_session": set_session,
        "tensorflow_backend": module,
    }
    return table.__getitem__

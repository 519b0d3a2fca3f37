"""What the modules of the compatibility layer share."""

import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from ..hooking.patching import around

__all__ = ["around_init", "called_by_keras", "called_by_library", "fallback_names", "public"]

_BETWEEN = frozenset({"__getattribute__", "__setattr__", "replacement"})
_OURS = __name__.rpartition(".")[0]


def around_init(cls: type, wrapper: Callable[..., Any]) -> None:
    """Wrap a class's own constructor, which keeps its signature: Keras reads it when it makes a layer.

    Args:
        cls: The class; where it inherits its constructor, it gets one in front of that.
        wrapper: Called as `wrapper(original, object, *args, **kwargs)`.
    """
    signature = inspect.signature(cls.__init__)  # type: ignore[misc]  # of the class as it is given
    around(cls, "__init__", wrapper, on=cls)
    cls.__init__.__signature__ = signature  # type: ignore[misc]


def public(root: ModuleType, name: str) -> list[ModuleType]:
    """A public module of Keras, and its twin that `tf.keras` has.

    Args:
        root: `tf_keras`.
        name: Such as `optimizers`.
    """
    return [import_module(f"{root.__name__}.{name}"), import_module(f"{root.__name__}.api._v2.keras.{name}")]


def called_by_keras() -> bool:
    """Whether the code that called the function that asks is Keras itself and not the student's.

    The frames of wrappers and of the optimizers' attribute access are passed over.
    """
    frame = sys._getframe(2)
    while frame.f_back is not None and (frame.f_code.co_name in _BETWEEN or _package(frame) == _OURS):
        frame = frame.f_back
    return _package(frame).partition(".")[0] == "tf_keras"


def called_by_library() -> bool:
    """Whether an installed package asks, and not the student's code."""
    frame = sys._getframe(2)
    while frame.f_back is not None and _package(frame) == _OURS:
        frame = frame.f_back
    return "site-packages" in frame.f_code.co_filename


def _package(frame: Any) -> str:
    module = str(frame.f_globals.get("__name__", ""))
    return _OURS if module.startswith(f"{_OURS}.") else module


def fallback_names(module: ModuleType, give: Callable[[str], Any]) -> None:
    """Let a module have further names, without listing them.

    Args:
        module: Asked first, with what it already falls back on.
        give: Called with a name that the module lacks.

    Raises:
        AttributeError: From the module, as before, where `give` raises a `KeyError`.
    """
    before = vars(module).get("__getattr__")

    def find(name: str) -> Any:
        try:
            return give(name)
        except KeyError:
            pass
        if before is not None:
            return before(name)
        msg = f"module {module.__name__!r} has no attribute {name!r}"
        raise AttributeError(msg, name=name, obj=module)

    vars(module)["__getattr__"] = find

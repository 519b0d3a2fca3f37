"""Helper functions of the compatibility layer."""

import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from ..hooking.patching import around

__all__ = ["around_init", "called_by_keras", "called_by_library", "public"]

_BETWEEN = frozenset({"__getattribute__", "__setattr__", "replacement"})
_OURS = __name__.rpartition(".")[0]


def around_init(cls: type, wrapper: Callable[..., Any]) -> None:
    """Wrap a class's constructor and keep its signature, which Keras reads when it creates a layer.

    Args:
        cls: The class; if it inherits its constructor, the wrapper is added to this class only.
        wrapper: Called as `wrapper(original, object, *args, **kwargs)`.
    """
    signature = inspect.signature(cls.__init__)  # type: ignore[misc]  # the signature before it is wrapped
    around(cls, "__init__", wrapper, on=cls)
    cls.__init__.__signature__ = signature  # type: ignore[misc]


def public(root: ModuleType, name: str) -> list[ModuleType]:
    """Return a public module of Keras and its counterpart for `tf.keras`.

    Args:
        root: The module `tf_keras`.
        name: Name of the module, such as `optimizers`.
    """
    return [import_module(f"{root.__name__}.{name}"), import_module(f"{root.__name__}.api._v2.keras.{name}")]


def called_by_keras() -> bool:
    """Return whether Keras, not the student's code, called the function that calls this one.

    Frames of wrappers and of the optimizers' attribute access are skipped.
    """
    frame = sys._getframe(2)
    while frame.f_back is not None and (frame.f_code.co_name in _BETWEEN or _package(frame) == _OURS):
        frame = frame.f_back
    return _package(frame).partition(".")[0] == "tf_keras"


def called_by_library() -> bool:
    """Return whether an installed package, not the student's code, called the function that calls this one."""
    frame = sys._getframe(2)
    while frame.f_back is not None and _package(frame) == _OURS:
        frame = frame.f_back
    return "site-packages" in frame.f_code.co_filename


def _package(frame: Any) -> str:
    module = str(frame.f_globals.get("__name__", ""))
    return _OURS if module.startswith(f"{_OURS}.") else module

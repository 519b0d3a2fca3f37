"""Puts a wrapper around a method or function of a library, in the one place where it is defined.

The wrappers are plain functions that carry the original's name and module, and not `wrapt` proxies: AutoGraph decides
by the module whether to convert what a student's `tf.function` calls, so a wrapper with Keras's module is taken for
Keras; about a proxy it prints a warning.
"""

import functools
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["Wrapper", "around", "around_everywhere", "around_property", "definer"]

Wrapper = Callable[..., Any]
"""Called as `wrapper(original, *args, **kwargs)`; for a method the first argument is the object."""


def definer(cls: type, name: str) -> type:
    """Find the class in `cls`'s ancestry that defines `name`.

    Raises:
        AttributeError: None of them does.
    """
    for ancestor in cls.__mro__:
        if name in ancestor.__dict__:
            return ancestor
    msg = f"{cls.__name__} has no {name}"
    raise AttributeError(msg)


def around(cls: type, name: str, wrapper: Wrapper, *, on: type | None = None) -> None:
    """Wrap a method where it is defined.

    Args:
        cls: A class that has the method.
        name: The method's name.
        wrapper: What is called in its place.
        on: Put the wrapper on this class, in front of an inherited method, instead of where the method is defined.
    """
    owner = definer(cls, name)
    member = owner.__dict__[name]
    original = member.__func__ if isinstance(member, staticmethod) else member
    replacement = _wrapped(original, wrapper)
    setattr(on or owner, name, staticmethod(replacement) if isinstance(member, staticmethod) else replacement)


def around_property(cls: type, name: str, setter: Wrapper) -> None:
    """Wrap a property's setter where the property is defined.

    Args:
        cls: A class that has the property.
        name: The property's name.
        setter: Called as `setter(original setter, object, value)`.
    """
    owner = definer(cls, name)
    found = owner.__dict__[name]
    setattr(owner, name, property(found.fget, _wrapped(found.fset, setter), found.fdel, found.__doc__))


def around_everywhere(root: str, module: Any, name: str, wrapper: Wrapper) -> None:
    """Wrap a module's function, also where another module of the same package has imported it by name.

    Args:
        root: The package, such as `keras`.
        module: The module that defines the function.
        name: The function's name.
        wrapper: What is called in its place.
    """
    original = getattr(module, name)
    replacement = _wrapped(original, wrapper)
    for loaded_name, loaded in list(sys.modules.items()):
        if loaded_name.partition(".")[0] not in {root, "tensorflow"}:
            continue
        for attribute, value in list(getattr(loaded, "__dict__", {}).items()):
            if value is original:
                setattr(loaded, attribute, replacement)


def _wrapped(original: Any, wrapper: Wrapper) -> Callable[..., Any]:
    @functools.wraps(original)
    def replacement(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True  # IPython leaves this frame out of what the student reads
        return wrapper(original, *args, **kwargs)

    return replacement

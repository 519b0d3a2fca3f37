"""Wrap a library's method or function where it is defined.

The wrappers are plain functions with the original's name and module, not `wrapt` proxies. AutoGraph decides by the
module whether to convert functions that a student's `tf.function` calls. It treats a wrapper with Keras's module as
part of Keras, but prints a warning about a proxy.
"""

import functools
from collections.abc import Callable
from typing import Any

from .holders import holders_of

__all__ = ["Wrapper", "around", "around_everywhere", "around_property", "definer"]

Wrapper = Callable[..., Any]
"""Function called as `wrapper(original, *args, **kwargs)`; for a method, the first argument is the object."""


def definer(cls: type, name: str) -> type:
    """Find the class in the ancestry of `cls` that defines `name`.

    Raises:
        AttributeError: No class in the ancestry defines it.
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
        wrapper: Function to call in its place.
        on: Class to put the wrapper on, in front of an inherited method; by default the class that defines the method.
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
    original = owner.__dict__[name]
    setattr(owner, name, property(original.fget, _wrapped(original.fset, setter), original.fdel, original.__doc__))


def around_everywhere(root: str, module: Any, name: str, wrapper: Wrapper) -> None:
    """Wrap a module's function, including the places where other modules of the package imported it by name.

    Args:
        root: The package, such as `keras`.
        module: The module that defines the function.
        name: The function's name.
        wrapper: Function to call in its place.
    """
    original = getattr(module, name)
    replacement = _wrapped(original, wrapper)
    for holder, attribute in list(holders_of(original, {root, "tensorflow"})):
        setattr(holder, attribute, replacement)


def _wrapped(original: Any, wrapper: Wrapper) -> Callable[..., Any]:
    @functools.wraps(original)
    def replacement(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True  # IPython omits this frame from the student's traceback
        return wrapper(original, *args, **kwargs)

    return replacement

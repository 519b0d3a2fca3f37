"""Restore old names of NumPy and matplotlib, in both dialects, since they do not depend on the Keras version."""

import builtins
from collections.abc import Callable
from numbers import Real
from types import ModuleType
from typing import Any

import numpy as np

from ..hooking.imports import after_import, fallback_names
from ..hooking.patching import around
from ..record.notes import Notes
from .forms import tell
from .tools import called_by_library

__all__ = ["install"]

_BUILTINS = ("bool", "complex", "float", "int", "object", "str")
_RENAMED = {
    "Inf": "inf",
    "Infinity": "inf",
    "infty": "inf",
    "NaN": "nan",
    "float_": "float64",
    "complex_": "complex128",
    "unicode_": "str_",
    "product": "prod",
    "cumproduct": "cumprod",
    "alltrue": "all",
    "sometrue": "any",
    "row_stack": "vstack",
    "in1d": "isin",
    "trapz": "trapezoid",
}


def install(notes: Notes) -> None:
    """Register the hooks for the imports of NumPy and matplotlib.

    Args:
        notes: Receives a note for each old form that is used.
    """
    after_import("numpy", lambda module: fallback_names(module, _numpy_name(module, notes)))
    after_import("matplotlib.style", lambda module: _rename_styles(module, notes))
    after_import("matplotlib.axis", lambda module: around(module.Axis, "set_ticks", _set_ticks(notes)))


def _numpy_name(module: ModuleType, notes: Notes) -> Callable[[str], Any]:
    def give(name: str) -> Any:
        value = getattr(builtins, name) if name in _BUILTINS else getattr(module, _RENAMED[name])
        if not called_by_library():
            tell(notes, "numpy.removed")
        return value

    return give


def _rename_styles(module: ModuleType, notes: Notes) -> None:
    """Accept Seaborn style names without a version, which matplotlib 3.6 renamed."""
    original = module.use

    def today(style: Any) -> Any:
        if not isinstance(style, str) or style in module.library or not style.startswith("seaborn"):
            return style
        new_style = style.replace("seaborn", "seaborn-v0_8", 1)
        if new_style in module.library:
            tell(notes, "matplotlib.style")
            return new_style
        return style

    def use(style: Any) -> None:
        __tracebackhide__ = True
        original([today(one) for one in style] if isinstance(style, (list, tuple)) else today(style))

    use.__doc__ = original.__doc__
    vars(module)["use"] = use


def _set_ticks(notes: Notes) -> Callable[..., Any]:
    def set_ticks(original: Any, axis: Any, ticks: Any, labels: Any = None, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if isinstance(labels, (Real, np.bool_)):
            # The second parameter was `minor` until matplotlib 3.5.
            tell(notes, "matplotlib.set_ticks")
            return original(axis, ticks, minor=bool(labels), **kwargs)
        return original(axis, ticks, labels, **kwargs)

    return set_ticks

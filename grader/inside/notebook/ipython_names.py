"""Make names of IPython importable from where they were in earlier versions."""

import importlib
import sys
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

from ..hooking.imports import Factory, StandInFinder, after_import, fallback_names
from ..record.notes import Notes

__all__ = ["install"]

_SOURCES = ("IPython.display", "matplotlib_inline.backend_inline")
_MODULES = {
    "IPython.html": "",
    "IPython.html.widgets": "ipywidgets",
    "IPython.utils.traitlets": "traitlets",
    "IPython.config": "traitlets.config",
}
"""Former module → the module that has its names now."""


def install(notes: Notes) -> None:
    """Add the former names.

    Args:
        notes: Receives a note for each former name that is used.
    """
    for name in ("IPython.core.display", "IPython.display"):
        after_import(name, lambda module: fallback_names(module, _Former(module.__name__, notes)))
    # Behind all other finders, since an earlier IPython still has these modules.
    finder: MetaPathFinder = StandInFinder({old: _moved(new, notes) for old, new in _MODULES.items()})
    sys.meta_path.append(finder)


class _Former:
    """Finds former names of a module of IPython."""

    def __init__(self, module: str, notes: Notes) -> None:
        self._module = module
        self._notes = notes

    def __call__(self, name: str) -> Any:
        """Return the value of a former name.

        Raises:
            KeyError: The name never existed.
        """
        if name.startswith("_"):
            raise KeyError(name)
        for source in _SOURCES:
            if source == self._module:
                continue
            module = importlib.import_module(source)
            if name in vars(module):
                self._notes.tell("moved.ipython", f"`{self._module}` has no `{name}` today; it is in `{source}`.")
                return vars(module)[name]
        raise KeyError(name)


def _moved(new: str, notes: Notes) -> Factory:
    def make(fullname: str) -> ModuleType:
        module = ModuleType(fullname, f"The names of `{new}`." if new else "A package of earlier versions.")
        if new:
            source = importlib.import_module(new)
            vars(module).update({name: value for name, value in vars(source).items() if not name.startswith("__")})
            notes.tell("moved.ipython", f"`{fullname}` does not exist today; import `{new}`.")
        return module

    return make

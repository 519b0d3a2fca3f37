"""Make the student's modules importable: the notebook's folder is the first in `sys.path`, as in Colab and VS Code."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

__all__ = ["SettledFinder", "install"]

SETTLED = frozenset(
    {"IPython", "h5py", "inside", "ipykernel", "keras", "matplotlib", "numpy", "tensorflow", "tf_keras", "wrapt"}
)
"""Packages that the kernel and the recorder need. In a warm kernel they are imported before the notebook starts."""


class SettledFinder(MetaPathFinder):
    """Finds the standard library and the recorder's packages before any file of the student with such a name."""

    def __init__(self, folder: str) -> None:
        """Store the folder to search last.

        Args:
            folder: The notebook's folder.
        """
        self._folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find only top-level modules of the standard library and of `SETTLED`."""
        if path is not None or (fullname not in SETTLED and fullname not in sys.stdlib_module_names):
            return None
        others = [folder for folder in sys.path if folder not in {"", self._folder}]
        return PathFinder.find_spec(fullname, others, target)


def install(folder: str) -> None:
    """Put the notebook's folder first in `sys.path`.

    Args:
        folder: The notebook's folder.
    """
    position = sys.meta_path.index(PathFinder) if PathFinder in sys.meta_path else len(sys.meta_path)
    sys.meta_path.insert(position, SettledFinder(folder))
    sys.path.insert(0, folder)

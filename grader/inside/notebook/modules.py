"""Make the student's modules importable: the notebook's folder is the first in `sys.path`, as in Colab and VS Code."""

import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

__all__ = ["ElsewhereFinder", "SettledFinder", "install"]

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


class ElsewhereFinder(MetaPathFinder):
    """Finds modules in folders of `sys.path` that exist only on another machine: in the submitted folder of that name.

    `sys.path.append("/content/drive/MyDrive/hw1/src")` is an example.
    """

    def __init__(self, find: Callable[[str], str | None]) -> None:
        """Store the function that finds a submitted folder.

        Args:
            find: Function from a missing path to an existing one, or None.
        """
        self._find = find

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find only top-level modules that no other finder has found."""
        if path is not None:
            return None
        folders = [self._find(folder) for folder in list(sys.path) if folder.startswith("/") or folder[1:2] == ":"]
        submitted = [folder for folder in folders if folder is not None]
        return PathFinder.find_spec(fullname, submitted, target) if submitted else None


def install(folder: str, find: Callable[[str], str | None]) -> None:
    """Put the notebook's folder first in `sys.path`.

    Args:
        folder: The notebook's folder.
        find: Function from a missing path of another machine to the submitted folder, or None.
    """
    sys.meta_path.append(ElsewhereFinder(find))
    position = sys.meta_path.index(PathFinder) if PathFinder in sys.meta_path else len(sys.meta_path)
    sys.meta_path.insert(position, SettledFinder(folder))
    sys.path.insert(0, folder)

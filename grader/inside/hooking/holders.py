"""Finds the modules that hold a function or a class of a package, so that it can be replaced in all of them.

Such a search looks at every name of thousands of modules. In a fork of a warm process, each look also copies memory.
So the warm process makes an index of the functions that hooks replace; afterwards only newer modules are searched.
"""

import sys
from collections.abc import Collection, Iterator
from types import FunctionType, ModuleType
from typing import Any

__all__ = ["INDEXED", "holders_of", "make_index"]

_PACKAGES = frozenset({"keras", "tensorflow", "tf_keras"})
INDEXED = frozenset(
    {
        *("clone_model", "function", "get_file", "get_tensor_spec", "load_data", "load_model", "save_model"),
        *("create_dir_v2", "recursive_create_dir_v2", "file_exists_v2", "is_directory_v2", "list_directory_v2"),
        *("stat_v2", "walk_v2"),
    }
)
"""Names of the functions in the index, as they are defined."""
_REINSERTED = 8
"""Modules that may have been removed from `sys.modules` and imported again since the index was made."""

Place = tuple[ModuleType, str]
"""A module and the attribute that holds the object."""
_index: dict[int, tuple[Any, list[Place]]] = {}
"""Id of a function → the function, which keeps the id its own, and its places."""
_modules: set[str] = set()
"""Names of the modules that were searched for the index."""


def make_index() -> None:
    """Remember which of the modules loaded so far hold the functions named in `INDEXED`."""
    _index.clear()
    _modules.clear()
    for name, module in list(sys.modules.items()):
        _modules.add(name)
        if name.partition(".")[0] in _PACKAGES:
            for attribute, value in list(getattr(module, "__dict__", {}).items()):
                # Other objects may import something if they are asked for a name.
                if type(value) is FunctionType and value.__name__ in INDEXED:
                    _index.setdefault(id(value), (value, []))[1].append((module, attribute))


def holders_of(value: Any, packages: Collection[str]) -> Iterator[Place]:
    """Yield every loaded module of some packages that holds a value, with the attribute.

    Args:
        value: A function or a class.
        packages: Names of top-level packages.
    """
    indexed = id(value) in _index and _PACKAGES.issuperset(packages)
    if indexed:
        known = [place for place in _index[id(value)][1] if _package(place[0].__name__) in packages]
        yield from (place for place in known if vars(place[0]).get(place[1]) is value)
    for name in list(_newer() if indexed else sys.modules):
        module = sys.modules.get(name)
        if _package(name) in packages:
            items = list(getattr(module, "__dict__", {}).items())
            yield from ((module, attribute) for attribute, held in items if held is value and module is not None)


def _newer() -> Iterator[str]:
    """Yield the modules that were loaded after the index; the newest of `sys.modules` come last."""
    known = 0
    for name in reversed(sys.modules):
        if name not in _modules:
            yield name
        elif (known := known + 1) > _REINSERTED:
            return


def _package(name: str) -> str:
    return name.partition(".")[0]

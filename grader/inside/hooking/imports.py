"""Makes replaced and moved modules importable."""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import wrapt

from .holders import holders_of

__all__ = [
    "AliasFinder",
    "Factory",
    "StandInFinder",
    "after_import",
    "fallback_names",
    "fallback_package",
    "prefer",
    "replace_everywhere",
]

Factory = Callable[[str], ModuleType]
"""Function that makes a module with the given full name."""


class StandInFinder(MetaPathFinder, Loader):
    """Finds modules that are made at their first import."""

    def __init__(self, table: Mapping[str, Factory]) -> None:
        """Store the table.

        Args:
            table: Full module name → its factory. A name that is the start of another one is a package.
        """
        self._table = dict(table)

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Find only the modules in the table."""
        del path, target
        if fullname not in self._table:
            return None
        package = any(name.startswith(f"{fullname}.") for name in self._table)
        return ModuleSpec(fullname, self, origin="grader", is_package=package)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Make the module."""
        return self._table[spec.name](spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing, since the factory made the complete module."""


class AliasFinder(MetaPathFinder, Loader):
    """Makes a package and its submodules importable under another name, as the same module objects."""

    def __init__(self, prefix: str, target: str) -> None:
        """Set the two names.

        Args:
            prefix: The name that notebooks import, such as `keras`.
            target: The package to import instead, such as `tf_keras`.
        """
        self._prefix = prefix
        self._target = target

    def _real_name(self, fullname: str) -> str:
        return self._target + fullname[len(self._prefix) :]

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Find the prefix and its submodules if the target has them."""
        del path, target
        if fullname != self._prefix and not fullname.startswith(f"{self._prefix}."):
            return None
        try:
            real = importlib.util.find_spec(self._real_name(fullname))
        except (ImportError, ValueError):
            return None
        if real is None:
            return None
        return ModuleSpec(fullname, self, origin=real.origin, is_package=real.submodule_search_locations is not None)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Import the target; `exec_module` restores its spec, which the import system overwrites."""
        module = importlib.import_module(self._real_name(spec.name))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Restore the spec with which the module was loaded."""
        spec = module.__spec__
        if spec is not None and isinstance(spec.loader_state, ModuleSpec):
            module.__spec__ = spec.loader_state


class _EmptyPackage(MetaPathFinder):
    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        del path, target
        return ModuleSpec(fullname, None, is_package=True) if fullname == self._name else None


def after_import(name: str, hook: Callable[[ModuleType], None]) -> None:
    """Call a hook after the import of a module, or now if it is imported already.

    An error of the hook does not fail the student's import, since another version of the library may differ.

    Args:
        name: The module's name.
        hook: Callback for the module.
    """

    def safe(module: ModuleType) -> None:
        with suppress(Exception):
            hook(module)

    wrapt.register_post_import_hook(safe, name)


def prefer(finder: MetaPathFinder) -> None:
    """Put a finder in front of all others."""
    sys.meta_path.insert(0, finder)


def fallback_names(module: ModuleType, give: Callable[[str], Any]) -> None:
    """Add names to a module without listing them.

    Args:
        module: The module; its own names and its existing `__getattr__` still work.
        give: Function that returns the value of a missing name, or raises `KeyError`.

    Raises:
        AttributeError: Raised by the module, as before, if `give` raises `KeyError`.
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


def fallback_package(name: str) -> None:
    """Make an empty package importable if no other finder finds one with this name."""
    sys.meta_path.append(_EmptyPackage(name))


def replace_everywhere(old: object, new: object, attribute: str, packages: Sequence[str]) -> None:
    """Replace an object in every loaded module of some packages that has imported it by name.

    Args:
        old: The object to replace.
        new: The replacement.
        attribute: The object's name in the modules.
        packages: Names of top-level packages.
    """
    for module, name in list(holders_of(old, packages)):
        if name == attribute:
            setattr(module, attribute, new)

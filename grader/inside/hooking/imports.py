"""Modules that do not exist here, and modules that have moved: found by the import system like any other."""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import wrapt

__all__ = [
    "AliasFinder",
    "Factory",
    "StandInFinder",
    "after_import",
    "fallback_package",
    "prefer",
    "replace_everywhere",
]

Factory = Callable[[str], ModuleType]
"""Makes a module of the given full name."""


class StandInFinder(MetaPathFinder, Loader):
    """Finds modules that are made when they are first imported."""

    def __init__(self, table: Mapping[str, Factory]) -> None:
        """Keep the table.

        Args:
            table: Full module name → what makes it. A name that is the beginning of another is a package.
        """
        self._table = dict(table)

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Answer for the names in the table and no other."""
        del path, target
        if fullname not in self._table:
            return None
        package = any(name.startswith(f"{fullname}.") for name in self._table)
        return ModuleSpec(fullname, self, origin="grader", is_package=package)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Make the module."""
        return self._table[spec.name](spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: the module was complete when it was made."""


class AliasFinder(MetaPathFinder, Loader):
    """Makes one package importable under another name, submodule by submodule, as the very same module objects."""

    def __init__(self, prefix: str, target: str) -> None:
        """Set the two names.

        Args:
            prefix: The name that notebooks import, such as `keras`.
            target: The package they get, such as `tf_keras`.
        """
        self._prefix = prefix
        self._target = target

    def _real_name(self, fullname: str) -> str:
        return self._target + fullname[len(self._prefix) :]

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Answer for the prefix and what lies under it, where the target has it."""
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
        """Import the target; its own spec is put back in `exec_module`, for the import system overwrites it."""
        module = importlib.import_module(self._real_name(spec.name))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Put back the spec under which the module was really loaded."""
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
    """Call a hook when a module is imported, or now if it was.

    A hook that fails does not fail the student's import: another version of the library lacks what was to be helped.

    Args:
        name: The module.
        hook: Is given the module.
    """

    def safe(module: ModuleType) -> None:
        with suppress(Exception):
            hook(module)

    wrapt.register_post_import_hook(safe, name)


def prefer(finder: MetaPathFinder) -> None:
    """Ask `finder` before every other finder."""
    sys.meta_path.insert(0, finder)


def fallback_package(name: str) -> None:
    """Let an empty package of this name be found where nothing else finds one."""
    sys.meta_path.append(_EmptyPackage(name))


def replace_everywhere(old: object, new: object, attribute: str, packages: Sequence[str]) -> None:
    """Rebind an attribute in every loaded module of some packages that already holds the old object.

    Args:
        old: What is to be replaced.
        new: What takes its place.
        attribute: Its name in those modules.
        packages: Top-level packages to look through.
    """
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in packages and vars(module).get(attribute) is old:
            setattr(module, attribute, new)

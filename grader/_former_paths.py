"""Former import paths of modules that checks of other packages use; each import of one names the new path."""

import importlib
import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import MappingProxyType, ModuleType

__all__ = ["MOVED", "install"]

MOVED: Mapping[str, str] = MappingProxyType(
    {
        "grader.checks.candidates": "grader.checks.support.verdicts",
        "grader.checks.code": "grader.checks.support.source_code",
        "grader.checks.histories": "grader.facts.metrics",
        "grader.checks.kernels": "grader.facts.initializers",
        "grader.checks.literals": "grader.checks.support.typed_numbers",
        "grader.checks.missing": "grader.checks.support.no_model",
        "grader.checks.network": "grader.facts.layers",
        "grader.checks.operations": "grader.facts.operations",
        "grader.checks.params": "grader.checks.support.params",
        "grader.checks.smoothing": "grader.checks.support.smoothing",
        "grader.checks.words": "grader.facts.wording",
        "grader.schema.lineage": "grader.facts.lineage",
        "grader.schema.statistics": "grader.facts.statistics",
        "grader.schema.tasks": "grader.facts.tasks",
        "grader.schema.weights": "grader.facts.weights",
    }
)
"""Former path → new path; to be removed in the version after the next one."""


class _Finder:
    """Import a module by its former path: the same module object under a second name.

    It is a finder and a loader without their base classes, whose module takes long to import.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a former path; Python asks here after every other finder."""
        del path, target
        new = MOVED.get(fullname)
        if new is None:
            return None
        # Frames of the import system do not count, so the warning points to the import statement.
        warnings.warn(f"{fullname} is now {new}", DeprecationWarning, stacklevel=2)
        return ModuleSpec(fullname, self)  # type: ignore[arg-type]  # a loader by its methods, without the base class

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to Python to make an empty module."""

    def exec_module(self, module: ModuleType) -> None:
        """Put the module of the new path in place of the empty one."""
        sys.modules[module.__name__] = importlib.import_module(MOVED[module.__name__])


def install() -> None:
    """Add the former paths after Python's own finders, once."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())

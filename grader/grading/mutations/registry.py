"""List all mutations."""

import functools
import importlib

from grader.grading.mutations.base import Mutation, mutations_of

__all__ = ["all_mutations"]

_MODULES = (
    "layers",
    "compiling",
    "trainings",
    "images",
    "transfer",
    "accuracies",
    "passes",
    "figures",
    "notebook",
    "arrays",
)
"""Modules that register mutations, in the order of a report."""


@functools.cache
def all_mutations() -> tuple[Mutation, ...]:
    """Return all mutations, in the order of a report."""
    package = __name__.rpartition(".")[0]
    modules = [importlib.import_module(f"{package}.{name}").__name__ for name in _MODULES]
    return tuple(one for module in modules for one in mutations_of(module))

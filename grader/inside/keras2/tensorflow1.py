"""Restore the few names of TensorFlow 1 that still work: seeds, logging, and the configuration of a session."""

from collections.abc import Callable, Mapping
from operator import attrgetter
from types import ModuleType
from typing import Any

from ..hooking.imports import fallback_names
from ..record.notes import Notes
from .forms import tell
from .origins import Origins
from .tools import called_by_library

__all__ = ["NAMES", "attach"]

NAMES: Mapping[str, str] = {
    "set_random_seed": "random.set_seed",
    "ConfigProto": "compat.v1.ConfigProto",
    "GPUOptions": "compat.v1.GPUOptions",
    "Session": "compat.v1.Session",
    "InteractiveSession": "compat.v1.InteractiveSession",
    "logging": "compat.v1.logging",
    "enable_eager_execution": "compat.v1.enable_eager_execution",
    "reset_default_graph": "compat.v1.reset_default_graph",
    "to_float": "compat.v1.to_float",
    "log": "math.log",
    "random_normal": "random.normal",
    "random_uniform": "random.uniform",
    "truncated_normal": "random.truncated_normal",
}
"""Name in TensorFlow 1 → its path in `tensorflow` now. Names that need a graph are not included."""


def attach(root: ModuleType, notes: Notes, origins: Origins) -> None:
    """Let `tensorflow` answer to the old names.

    Args:
        root: The module `tensorflow`.
        notes: Receives a note for each old form that is used.
        origins: Unused.
    """
    del origins
    fallback_names(root, _give(root, notes))


def _give(root: ModuleType, notes: Notes) -> Callable[[str], Any]:
    def give(name: str) -> Any:
        value = attrgetter(NAMES[name])(root)
        if not called_by_library():
            tell(notes, "tensorflow1")
        return value

    return give

"""A silent replacement for `otter`: its checks belong to another grader, and their tests are not submitted."""

import sys
from types import ModuleType
from typing import Any

from ..hooking.imports import StandInFinder
from ..record.notes import Notes

__all__ = ["install"]


def install(notes: Notes) -> None:
    """Make `import otter` work if the package is not installed.

    Args:
        notes: Receives a note when the replacement is used.
    """

    def make(fullname: str) -> ModuleType:
        notes.tell("otter", "`otter` is another grader and is not installed; its calls did nothing.")
        module = ModuleType(fullname, "A silent replacement.")
        vars(module).update({"Notebook": Silent, "__version__": "0"})
        return module

    # Behind all other finders, so that an installed package is used.
    sys.meta_path.append(StandInFinder({"otter": make}))


class Silent:
    """Accepts every call and returns nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """Accept any arguments."""

    def __getattr__(self, name: str) -> Any:
        """Return a method that does nothing."""
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *_, **__: None

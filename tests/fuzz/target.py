"""Targets: the readers of data that a sandbox wrote or a person sent."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.fuzz.mutating import Form

__all__ = ["SHARED_FOLDERS", "Target", "all_targets", "modules_of_targets", "target"]

SHARED_FOLDERS: list[str] = []
"""Folders with material that targets made once; readers may read them, and change nothing."""

_TARGETS: dict[str, "Target"] = {}


@dataclass(frozen=True)
class Target:
    """A reader, and how it is given documents."""

    name: str
    reads: str
    """The documents, and who writes them."""
    form: Form
    seeds: Callable[[], Sequence[bytes]]
    """Makes the real documents that are damaged."""
    run: Callable[[bytes, Path], None]
    """Gives a document to the reader, with an empty folder of its own, and asserts what must hold of the result."""
    covers: tuple[str, ...]
    """Modules of the reader."""
    raises: tuple[type[BaseException], ...] = ()
    """Errors that the reader's callers expect, in addition to the grader's own."""
    commands: frozenset[str] = frozenset()
    """Names of programs that the reader may start."""
    slow: bool = False
    """Whether a document takes so long that the default tests give it only a few."""


def target(  # noqa: PLR0913 - the fields of a target
    name: str,
    reads: str,
    *,
    form: Form,
    seeds: Callable[[], Sequence[bytes]],
    covers: Sequence[str],
    raises: Sequence[type[BaseException]] = (),
    commands: Sequence[str] = (),
    slow: bool = False,
) -> Callable[[Callable[[bytes, Path], None]], Callable[[bytes, Path], None]]:
    """Register a function as a target; the arguments are the fields of `Target`."""

    def register(run: Callable[[bytes, Path], None]) -> Callable[[bytes, Path], None]:
        if name in _TARGETS:
            msg = f"two targets have the name {name!r}"
            raise ValueError(msg)
        _TARGETS[name] = Target(
            name, reads, form, cache(seeds), run, tuple(covers), tuple(raises), frozenset(commands), slow
        )
        return run

    return register


def all_targets(*modules: str) -> dict[str, Target]:
    """Load targets, by name.

    Args:
        modules: Modules with targets, such as `tests.fuzz.web_targets`; all without one.
    """
    for module in modules or [f"tests.fuzz.{path.stem}" for path in sorted(Path(__file__).parent.glob("*_targets.py"))]:
        importlib.import_module(module)
    return dict(sorted(_TARGETS.items()))


def modules_of_targets() -> dict[str, str]:
    """Load all targets, and return the module of each, by name."""
    return {name: one.run.__module__ for name, one in all_targets().items()}

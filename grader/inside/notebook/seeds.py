"""Seed every random generator that a notebook may use, once, before the notebook can use it."""

import random
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

import wrapt

from ..hooking.imports import after_import, prefer
from ..record.recorder import Recorder

__all__ = ["install", "start_cells"]

DRAWING = ("tensorflow", "keras", "tf_keras")
"""Packages that draw numbers from Python's `random` during their import."""


class _QuietImports(MetaPathFinder):
    """Restore Python's `random` after the import of a package to its state before the import.

    The notebook's random numbers then do not depend on whether the package was loaded before.
    """

    def __init__(self) -> None:
        self._before: dict[str, Any] = {}

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Find no module, but save the state of `random`; the import system calls this when an import starts."""
        del path, target
        if fullname in DRAWING:
            self._before[fullname] = random.getstate()

    def imported(self, module: ModuleType) -> None:
        """Restore the state of `random` at the end of the import."""
        before = self._before.pop(module.__name__, None)
        if before is not None:
            random.setstate(before)


def install(recorder: Recorder) -> None:
    """Seed Python now, and NumPy and TensorFlow when they are imported.

    Keras needs no separate seed. In both dialects a layer without a seed draws one from Python's `random`, and
    `keras.utils.set_random_seed` only seeds the same three generators. A seed that the student sets later takes effect.

    Args:
        recorder: Holds the session's seed.
    """
    seed = recorder.session.seed
    random.seed(seed)
    quiet = _QuietImports()
    prefer(quiet)
    for package in DRAWING:
        after_import(package, quiet.imported)

    def seed_numpy(module: ModuleType) -> None:
        module.seed(seed)

    def seed_tensorflow(module: ModuleType) -> None:
        module.random.set_seed(seed)

    wrapt.register_post_import_hook(seed_numpy, "numpy.random")
    wrapt.register_post_import_hook(seed_tensorflow, "tensorflow")


def start_cells(recorder: Recorder) -> None:
    """Seed Python's `random` again before the first cell, since the kernel may use it during its start.

    Args:
        recorder: Holds the session's seed.
    """
    random.seed(recorder.session.seed)

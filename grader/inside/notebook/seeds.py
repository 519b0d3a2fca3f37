"""Seeds every generator a notebook draws from, each once, before the notebook can use it."""

import random
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

import wrapt

from ..hooking.imports import after_import, prefer
from ..record.recorder import Recorder

__all__ = ["install", "start_cells"]

DRAWING = ("tensorflow", "keras", "tf_keras")
"""Packages that draw from Python's `random` while they are imported."""


class _QuietImports(MetaPathFinder):
    """Puts Python's `random` back to where it stood when the import of a package began.

    So it makes no difference to the notebook's numbers whether the package was loaded before.
    """

    def __init__(self) -> None:
        self._before: dict[str, Any] = {}

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Find nothing, and note where `random` stands; the import system asks when an import begins."""
        del path, target
        if fullname in DRAWING:
            self._before[fullname] = random.getstate()

    def imported(self, module: ModuleType) -> None:
        """The import ended."""
        before = self._before.pop(module.__name__, None)
        if before is not None:
            random.setstate(before)


def install(recorder: Recorder) -> None:
    """Seed Python now, and NumPy and TensorFlow at the moment they are imported.

    Keras needs no seed of its own: in both dialects a layer without a seed draws one from Python's `random`, and what
    `keras.utils.set_random_seed` does beyond that is this. A student's own seed, set later, stands.

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
    """Seed Python's `random` anew before the first cell: what the kernel does while it starts draws as it pleases.

    Args:
        recorder: Holds the session's seed.
    """
    random.seed(recorder.session.seed)

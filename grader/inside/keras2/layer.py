"""The compatibility layer: what an old notebook says keeps the meaning it had.

Each `compat_*` module gives old forms of one part of Keras their meaning, on Keras 2 (`tf_keras`); `compat_environment`
does so for NumPy and matplotlib, in both dialects. It is put in place after the recorder's hooks, so that the recorder
sees each call in its modern form. The forms stand in `forms.py`.
"""

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from types import ModuleType
from typing import Any

import wrapt

from ..record.events import Emulated, kind_of
from ..record.notes import Notes, notes_of
from ..record.recorder import Recorder
from .backend import attach as attach_backend
from .history import attach as attach_history
from .layers import attach as attach_layers
from .libraries import install as install_environment
from .models import attach as attach_models
from .optimizers import attach as attach_optimizers
from .origins import Origins
from .tensorflow1 import attach as attach_tensorflow

__all__ = ["install", "install_shell"]

_ORIGINS = Origins()
"""One process runs one notebook."""

Part = Callable[[ModuleType, Notes, Origins], None]

_KERAS: tuple[Part, ...] = (attach_optimizers, attach_layers, attach_models, attach_history, attach_backend)


def install(recorder: Recorder) -> None:
    """Have the layer put in place when Keras is imported; called after `hooks.install`.

    Args:
        recorder: Holds the session; gets an `emulated` event for each form and cell.
    """
    notes = notes_of(recorder)
    install_environment(notes)
    if recorder.session.dialect != "keras2":
        return
    for part in _KERAS:
        wrapt.register_post_import_hook(_reporting(part, recorder), "tf_keras")
    wrapt.register_post_import_hook(_reporting(attach_tensorflow, recorder), "tensorflow")


def install_shell(recorder: Recorder, shell: Any) -> None:
    """Learn from each cell's imports which Keras its names come from.

    Args:
        recorder: Holds the session.
        shell: The IPython shell.
    """
    # Where this module is loaded, Keras takes it that a person reads along: `plot_model` without Graphviz then prints
    # what is missing instead of raising it. IPython itself loads it late.
    with suppress(ImportError):
        import_module("IPython.core.magics.namespace")
    if recorder.session.dialect == "keras2":
        # Before the imports are rewritten.
        shell.ast_transformers.insert(0, _ORIGINS)


def _reporting(part: Part, recorder: Recorder) -> Callable[[ModuleType], None]:
    """A part that does not fit the installed Keras is a gap in the record and not the student's failure."""

    def attach(module: ModuleType) -> None:
        try:
            part(module, notes_of(recorder), _ORIGINS)
        except Exception as problem:
            hook = part.__module__.rpartition(".")[2]
            recorder.gap(f"keras2.{hook}", problem, [kind_of(Emulated)])

    return attach

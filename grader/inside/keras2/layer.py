"""Install the compatibility layer, which keeps the old meaning of code in old notebooks.

Each module here handles one part of Keras 2 (`tf_keras`). `libraries.py` handles NumPy and matplotlib in both dialects,
and `history.py` the names in histories. The layer is installed after the recorder's hooks, so the recorder sees each
call in its modern form. `forms.py` lists the old forms.
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
from .history import attach_keras3 as attach_keras3_history
from .layers import attach as attach_layers
from .libraries import install as install_libraries
from .models import attach as attach_models
from .optimizers import attach as attach_optimizers
from .origins import Origins
from .tensorflow1 import attach as attach_tensorflow

__all__ = ["install", "install_shell"]

_ORIGINS = Origins()
"""Import origins of the notebook; one process runs only one notebook."""

Part = Callable[[ModuleType, Notes, Origins], None]

_KERAS: tuple[Part, ...] = (attach_optimizers, attach_layers, attach_models, attach_history, attach_backend)


def install(recorder: Recorder) -> None:
    """Register the layer for the import of Keras; call this after `hooks.install`.

    Args:
        recorder: Holds the session and receives one `emulated` event per form and cell.
    """
    notes = notes_of(recorder)
    install_libraries(notes)
    if recorder.session.dialect != "keras2":
        attach_keras3_history(notes)
        return
    for part in _KERAS:
        wrapt.register_post_import_hook(_reporting(part, recorder), "tf_keras")
    wrapt.register_post_import_hook(_reporting(attach_tensorflow, recorder), "tensorflow")


def install_shell(recorder: Recorder, shell: Any) -> None:
    """Watch the imports in cells to learn which Keras package each name comes from.

    Args:
        recorder: Holds the session.
        shell: The IPython shell.
    """
    # If this module is loaded, Keras assumes an interactive session: `plot_model` without Graphviz then prints an
    # error instead of raising it. IPython itself imports the module late.
    with suppress(ImportError):
        import_module("IPython.core.magics.namespace")
    if recorder.session.dialect == "keras2":
        # Insert it first, to see the imports before they are rewritten.
        shell.ast_transformers.insert(0, _ORIGINS)


def _reporting(part: Part, recorder: Recorder) -> Callable[[ModuleType], None]:
    """Wrap a part so that an error in it is recorded as a gap, not raised in the student's notebook."""

    def attach(module: ModuleType) -> None:
        try:
            part(module, notes_of(recorder), _ORIGINS)
        except Exception as problem:
            hook = part.__module__.rpartition(".")[2]
            recorder.gap(f"keras2.{hook}", problem, [kind_of(Emulated)])

    return attach

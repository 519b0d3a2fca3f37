"""Make code for other environments work: Colab, Windows, keyboard input, windows for figures."""

import builtins
import getpass
import importlib
import os
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import wrapt

from ..hooking.imports import Factory, StandInFinder, after_import, fallback_package, prefer
from ..record.notes import Notes, notes_of
from ..record.recorder import Recorder
from . import (
    autograders,
    colab,
    commands,
    ending,
    environment_checks,
    ipython_names,
    magics,
    missing_packages,
    paths,
    pictures,
    tracebacks,
)
from .colab import NobodyThereError

__all__ = ["install", "install_shell"]

WINDOW_BACKENDS = ("gtk", "macosx", "nbagg", "notebook", "qt", "tk", "webagg", "widget", "wx", "ipympl")
"""Prefixes of matplotlib backend names that need a window or a browser."""


def install(recorder: Recorder) -> None:
    """Install the replacements.

    Args:
        recorder: Receives an `emulated` event for each form and cell.
    """
    notes = notes_of(recorder)
    prefer(StandInFinder({**colab.modules(notes, paths.places_of(recorder)), "winsound": _winsound(notes)}))
    # Colab's package is in the namespace `google`, which protobuf creates if it is installed.
    fallback_package("google")
    builtins.input = _asking(notes, "input")
    getpass.getpass = _asking(notes, "getpass.getpass")
    # Let a `pip` started by Python code fail at once instead of retrying for a minute.
    os.environ.setdefault("PIP_RETRIES", "0")
    os.environ.setdefault("PIP_NO_INPUT", "1")
    # The page of the report shows Plotly's charts without Plotly's script, which is as large as a notebook.
    os.environ.setdefault("PLOTLY_RENDERER", "plotly_mimetype")
    paths.install(recorder)
    pictures.install(notes)
    ipython_names.install(notes)
    autograders.install(notes)
    after_import("matplotlib", lambda module: _wrap_backend(module, "use", notes))
    after_import("matplotlib.pyplot", lambda module: _wrap_backend(module, "switch_backend", notes))
    after_import("tqdm.notebook", lambda module: _plain_bars(module, notes))


def install_shell(recorder: Recorder, shell: Any) -> None:
    """Install the parts that need the IPython shell.

    Args:
        recorder: Receives the `emulated` events.
        shell: The shell; in a kernel, its `kernel` is patched too.
    """
    notes = notes_of(recorder)
    magics.install_shell(notes, shell, paths.places_of(recorder).command)
    missing_packages.install_shell(notes, shell)
    check_line = ending.install_shell(recorder, notes, shell)
    commands.install_shell(notes, shell, check_line, paths.places_of(recorder).command)
    environment_checks.install_shell(notes, shell)
    paths.install_shell(shell)
    tracebacks.install_shell(notes, shell)
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        # ipykernel replaces `input` and `getpass` by these two methods again for every cell.
        kernel.raw_input = _asking(notes, "input")
        kernel.getpass = _asking(notes, "getpass.getpass")


def _asking(notes: Notes, name: str) -> Callable[..., str]:
    def ask(prompt: object = "", *_: Any, **__: Any) -> str:
        __tracebackhide__ = True  # IPython omits this frame from the student's traceback
        message = (
            f"{name}({str(prompt)!r}) waits for a person to type, but nobody is present during grading. "
            "Assign the value in the code instead."
        )
        notes.tell(name, message)
        raise NobodyThereError(message)

    ask.__name__ = name.rpartition(".")[2]
    return ask


def _winsound(notes: Notes) -> Factory:
    def silent(*_: Any, **__: Any) -> None:
        notes.tell("winsound", "`winsound` exists only on Windows; no sound was played.")

    def make(fullname: str) -> ModuleType:
        module = ModuleType(fullname, "A silent replacement for Windows' module.")
        flags = ("ALIAS", "ASYNC", "FILENAME", "LOOP", "MEMORY", "NODEFAULT", "NOSTOP", "NOWAIT", "PURGE")
        vars(module).update({f"SND_{flag}": 1 << bit for bit, flag in enumerate(flags)})
        vars(module).update(dict.fromkeys(("MB_OK", "MB_ICONASTERISK", "MB_ICONEXCLAMATION", "MB_ICONHAND"), 0))
        vars(module).update({"Beep": silent, "PlaySound": silent, "MessageBeep": silent})
        return module

    return make


def _plain_bars(module: ModuleType, notes: Notes) -> None:
    """Use text progress bars, since the report cannot show the bars of `tqdm.notebook`."""
    # `tqdm.auto` then takes text bars, too.
    vars(module)["IProgress"] = None
    warnings.filterwarnings("ignore", message="IProgress not found")
    plain = importlib.import_module("tqdm.std")

    def bar(*args: Any, **kwargs: Any) -> Any:
        notes.tell(
            "tqdm.notebook",
            "A progress bar of `ipywidgets` cannot be shown in a report; a text bar of `tqdm` is shown instead.",
        )
        kwargs.pop("display", None)
        return plain.tqdm(*args, **kwargs)

    def count(*args: Any, **kwargs: Any) -> Any:
        return bar(range(*args), **kwargs)

    vars(module).update({"tqdm": bar, "tqdm_notebook": bar, "trange": count, "tnrange": count})


def _wrap_backend(module: ModuleType, function: str, notes: Notes) -> None:
    def choose(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        del instance
        arguments = {**dict(zip(("backend",), args, strict=False)), **kwargs}
        backend = str(arguments.get("backend", "")).lower()
        if not backend.startswith(WINDOW_BACKENDS):
            return wrapped(*args, **kwargs)
        notes.tell(
            "matplotlib.use", f"The backend {backend!r} needs a window; figures are shown under their cells instead."
        )
        return None

    wrapt.wrap_function_wrapper(module, function, choose)

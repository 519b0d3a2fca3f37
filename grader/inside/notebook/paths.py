"""Handle paths of another machine, such as `/content/drive/MyDrive/model.h5` or `C:/Users/me/digits.csv`.

A file written to such a path goes to a folder of the same name next to the notebook, and reading finds it there again.
Reading a file that never existed fails as usual, with advice. A path that works is not changed.
"""

import builtins
import io
import os
import re
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import wrapt

from ..hooking.imports import after_import
from ..record.notes import Notes, notes_of
from ..record.recorder import Recorder

__all__ = ["Places", "advise_missing", "foreign_parts", "install", "install_shell"]

_UNIX = re.compile(r"/(?:content|gdrive|drive|kaggle|Users|Volumes|home)/+[^/]")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]+[^\\/]")
_MENTIONED = re.compile(r"""(?:[A-Za-z]:[\\/]|/(?:content|gdrive|kaggle|Users|home|Volumes|drive)/)[^'";\n]*""")
_ADDRESS = re.compile(r"(?:https?|ftp|gs|s3)://[^\s'\">]+")


def foreign_parts(path: object) -> tuple[str, ...] | None:
    """Split a path that was written for another machine into its parts.

    Args:
        path: The path argument of a function.

    Returns:
        Its parts, including the drive or top folder; None for any other path.
    """
    if not isinstance(path, (str, os.PathLike)):
        return None
    text = os.fspath(path)
    if not isinstance(text, str) or not (_UNIX.match(text) or _WINDOWS.match(text)):
        return None
    parts = tuple(part.rstrip(":") for part in re.split(r"[\\/]+", text) if part not in {"", "."})
    return None if ".." in parts else parts


class Places:
    """Map from paths of another machine to local paths."""

    def __init__(self, home: Path, notes: Notes) -> None:
        """Store the notebook's folder.

        Args:
            home: The folder that the notebook runs in.
            notes: Receives a note for each redirection.
        """
        self._home = home
        self._notes = notes

    def local(self, path: object, *, writing: bool) -> str | None:
        """Return the local path that replaces a path, or None to leave the path unchanged.

        Args:
            path: The path argument of a function, after the function failed with it.
            writing: Whether to write there; missing parent folders are then created.
        """
        parts = foreign_parts(path)
        if parts is None or self._is_own(Path(str(path))):
            return None
        place = self._home.joinpath(*parts)
        if not writing:
            return str(place) if place.exists() else None
        place.parent.mkdir(parents=True, exist_ok=True)
        self._notes.tell(
            "path.redirected",
            f"{path} is a path on another machine; it was written to {place.relative_to(self._home)} "
            "next to the notebook. Use a relative path.",
            show=True,
        )
        return str(place)

    def _is_own(self, path: Path) -> bool:
        # An error in a folder that exists on this machine has another cause.
        local_folders = (self._home, Path(tempfile.gettempdir()), Path("~").expanduser())
        return any(path.is_relative_to(folder) for folder in local_folders) or os.access(path.parent, os.W_OK)


def install(recorder: Recorder) -> None:
    """Redirect the functions that notebooks use to write files and create folders.

    Args:
        recorder: Receives the `emulated` events.
    """
    places = Places(Path.cwd(), notes_of(recorder))
    _redirect_open(places)
    os.mkdir = _redirected(os.mkdir, places)
    os.makedirs = _redirected(os.makedirs, places)
    for module_name, redirect in (
        ("h5py._hl.files", _redirect_h5),
        ("tensorflow.python.lib.io.file_io", _redirect_gfile),
        ("tensorflow.python.ops.summary_ops_v2", _redirect_logs),
    ):
        after_import(module_name, partial(redirect, places))


def _redirect_open(places: Places) -> None:
    original = builtins.open

    def open_file(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True  # IPython omits this frame from the student's traceback
        try:
            return original(file, mode, *args, **kwargs)
        except OSError:
            place = places.local(file, writing=not mode.startswith("r"))
            if place is None:
                raise
        return original(place, mode, *args, **kwargs)

    open_file.__doc__ = original.__doc__
    open_file.__name__ = open_file.__qualname__ = "open"
    builtins.open = open_file
    io.open = open_file


def _redirected(original: Callable[..., None], places: Places) -> Callable[..., None]:
    def make(name: Any, *args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        try:
            original(name, *args, **kwargs)
        except FileExistsError:
            raise
        except Exception:
            place = places.local(name, writing=True)
            if place is None:
                raise
            # The folder may exist from an earlier run of the cell, which checks only the other machine's path.
            Path(place).mkdir(exist_ok=True)

    make.__doc__ = original.__doc__
    make.__name__ = make.__qualname__ = original.__name__
    return make


def _first(name: str, args: Any, kwargs: Any) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """Separate the first argument, given by position or by name, from the others."""
    if args:
        return args[0], args[1:], kwargs
    return kwargs.get(name), (), {key: value for key, value in kwargs.items() if key != name}


def _redirect_h5(places: Places, module: ModuleType) -> None:
    def construct(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        __tracebackhide__ = True
        del instance
        name, positional, others = _first("name", args, kwargs)
        try:
            return wrapped(name, *positional, **others)
        except OSError:
            mode = positional[0] if positional else others.get("mode", "r")
            place = places.local(name, writing=mode != "r")
            if place is None:
                raise
        return wrapped(place, *positional, **others)

    wrapt.wrap_function_wrapper(module, "File.__init__", construct)


def _redirect_gfile(places: Places, module: ModuleType) -> None:
    def construct(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        del instance
        name, positional, others = _first("name", args, kwargs)
        # Nothing is opened yet, so do not wait for a failure.
        if foreign_parts(name) and not Path(str(name)).exists():
            mode = str(positional[0] if positional else others.get("mode", "r"))
            name = places.local(name, writing=not mode.startswith("r")) or name
        return wrapped(name, *positional, **others)

    wrapt.wrap_function_wrapper(module, "FileIO.__init__", construct)
    for function in ("create_dir_v2", "recursive_create_dir_v2"):
        setattr(module, function, _redirected(getattr(module, function), places))


def _redirect_logs(places: Places, module: ModuleType) -> None:
    def create(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        __tracebackhide__ = True
        del instance
        logdir, positional, others = _first("logdir", args, kwargs)
        try:
            return wrapped(logdir, *positional, **others)
        except Exception:
            place = places.local(logdir, writing=True)
            if place is None:
                raise
        return wrapped(place, *positional, **others)

    wrapt.wrap_function_wrapper(module, "create_file_writer_v2", create)


def advise_missing(error: BaseException) -> str | None:
    """Return advice about a file that is on another machine.

    Args:
        error: The error of a cell.

    Returns:
        Advice, or None for other errors.
    """
    # Python's message doubles the backslashes in a missing file's name; `filename` has the original text.
    text = str(getattr(error, "filename", None) or error)
    kind = type(error)
    if kind.__module__.startswith(f"{__package__}."):
        # The grader's own errors contain their advice.
        return None
    if not issubclass(kind, (OSError, ValueError)) and kind.__name__ not in {"NotFoundError", "PermissionDeniedError"}:
        return None
    address = _ADDRESS.search(text)
    if address or kind.__name__ == "URLError":
        return (
            f"{address[0] if address else 'The address'} cannot be reached: there is no network during grading. "
            "Submit the file together with the notebook."
        )
    path = _MENTIONED.search(text)
    if path is None or (issubclass(kind, ValueError) and "not found" not in text.lower()):
        return None
    name = re.split(r"[\\/]+", path[0])[-1]
    return (
        f"{path[0]} is a path on another machine. Submit {name!r} together with the notebook and open it by its name."
    )


def install_shell(shell: Any) -> None:
    """Let `open` in cells be the redirecting function.

    IPython has its own `open`, which uses the original function from the time of its import.

    Args:
        shell: The IPython shell.
    """
    for cls in type(shell).__mro__:
        interactive: Any = sys.modules.get(cls.__module__)
        if hasattr(interactive, "io_open"):
            interactive.io_open = builtins.open

"""Let histories, callback logs and file names use the old metric names `acc` and `val_acc`."""

import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any, ClassVar

from ..hooking.patching import around
from ..record.notes import Notes
from .forms import tell
from .origins import Origins
from .tools import around_init, called_by_keras, called_by_library

__all__ = ["Answering", "attach", "modern_name"]


def modern_name(key: object) -> str | None:
    """Return the modern name of a metric: `val_accuracy` for `val_acc`, `out_accuracy` for `out_acc`.

    Args:
        key: The name in the student's code.

    Returns:
        The modern name, or None if the name is not an old one.
    """
    if isinstance(key, str) and re.search(r"(^|_)acc$", key):
        return f"{key}uracy"
    return None


class Answering(dict[str, Any]):
    """History dict that also answers old metric names (`acc`) without listing them as keys."""

    notes: ClassVar[Notes | None] = None
    """Receives a note when an old name is used."""

    def __missing__(self, key: str) -> Any:
        """Look up an old name under its modern name."""
        name = modern_name(key)
        if name is None or not dict.__contains__(self, name):
            raise KeyError(key)
        self._tell("history.acc")
        return dict.__getitem__(self, name)

    def __getitem__(self, key: str) -> Any:
        """Return a value; report the name `lr`, which Keras 3 changed."""
        if key == "lr":
            self._tell("history.lr")
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        """Return whether a name or its modern name is a key."""
        name = modern_name(key)
        return dict.__contains__(self, key) or (name is not None and dict.__contains__(self, name))

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value or the default, like `dict.get`."""
        return self[key] if key in self else default  # noqa: SIM401 - `dict.get` does not call `__missing__`

    def __reduce__(self) -> Any:
        """Pickle the object as a plain dict."""
        return dict, (dict(self),)

    def _tell(self, form: str) -> None:
        # Report `acc` even if a callback reads it: the student chose that name in `monitor`. Report `lr` only if the
        # student's code reads it: Keras and TensorFlow also read it internally.
        if self.notes is not None and (form == "history.acc" or not called_by_library()):
            tell(self.notes, form)


def attach(root: ModuleType, notes: Notes, origins: Origins) -> None:
    """Let histories and logs answer to old names.

    Args:
        root: The module `tf_keras`.
        notes: Receives a note for each old form that is used.
        origins: Unused.
    """
    del origins
    Answering.notes = notes
    callbacks = root.callbacks
    around_init(callbacks.History, _history)
    around(callbacks.CallbackList, "_process_logs", _logs)
    around(callbacks.ModelCheckpoint, "_get_file_path", _file_path)
    _reset_states(root.metrics.Metric, notes)


def _history(original: Any, history: Any, *args: Any, **kwargs: Any) -> None:
    original(history, *args, **kwargs)
    history.history = Answering(history.history)


def _logs(original: Any, callbacks: Any, *args: Any, **kwargs: Any) -> Any:
    logs = original(callbacks, *args, **kwargs)
    return Answering(logs) if type(logs) is dict else logs


def _file_path(original: Any, checkpoint: Any, *args: Any, **kwargs: Any) -> Any:
    __tracebackhide__ = True
    arguments = {**dict(zip(("epoch", "batch", "logs"), args, strict=False)), **kwargs}
    logs = arguments["logs"]
    if isinstance(logs, Mapping):
        # `format(**logs)` looks up keys only, so add the old names as keys.
        names = re.findall(r"\{(\w+)", str(checkpoint.filepath))
        arguments["logs"] = {**logs, **{name: logs[name] for name in names if modern_name(name) and name in logs}}
    return original(checkpoint, **arguments)


def _reset_states(metric: Any, notes: Notes) -> None:
    def reset(original: Any, *args: Any, **kwargs: Any) -> Any:
        if not called_by_keras():
            tell(notes, "metrics.reset_states")
        return original(*args, **kwargs)

    around(metric, "reset_states", reset)

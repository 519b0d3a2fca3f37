"""Let histories, callback logs and file names use the names of other versions of Keras: `acc`, `val_acc`, `lr`."""

import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any, ClassVar

from ..hooking.imports import after_import
from ..hooking.patching import around
from ..record.notes import Notes
from .forms import tell
from .origins import Origins
from .tools import around_init, called_by_keras, called_by_library

__all__ = ["Answering", "attach", "attach_keras3", "modern_name", "other_name"]

_RATES = {"lr": "learning_rate", "learning_rate": "lr"}
_FORMS = {"lr": "history.lr", "learning_rate": "history.learning_rate"}


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


def other_name(key: object) -> str | None:
    """Return the name that another version of Keras gives to an entry of a history.

    Args:
        key: The name in the student's code.

    Returns:
        The other name: `val_accuracy` for `val_acc` and the reverse, `learning_rate` for `lr` and the reverse. None if
        all versions use the same name.
    """
    if key in _RATES:
        return _RATES[str(key)]
    if isinstance(key, str) and re.search(r"(^|_)accuracy$", key):
        return key.removesuffix("uracy")
    return modern_name(key)


class Answering(dict[str, Any]):
    """History dict that also answers the names of other versions (`acc`, `lr`) without listing them as keys."""

    notes: ClassVar[Notes | None] = None
    """Receives a note when another name is used."""

    def __missing__(self, key: str) -> Any:
        """Look up a name under its other name."""
        name = other_name(key)
        if name is None or not dict.__contains__(self, name):
            raise KeyError(key)
        self._tell(_FORMS.get(key) or ("history.acc" if key.endswith("acc") else "history.accuracy"))
        return dict.__getitem__(self, name)

    def __getitem__(self, key: str) -> Any:
        """Return a value; report the name `lr`, which Keras 3 changed."""
        if key == "lr" and dict.__contains__(self, key):
            self._tell("history.lr")
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        """Return whether a name or its other name is a key."""
        name = other_name(key)
        return dict.__contains__(self, key) or (name is not None and dict.__contains__(self, name))

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value or the default, like `dict.get`."""
        return self[key] if key in self else default  # noqa: SIM401 - `dict.get` does not call `__missing__`

    def __reduce__(self) -> Any:
        """Pickle the object as a plain dict."""
        return dict, (dict(self),)

    def _tell(self, form: str) -> None:
        # Report `acc` even if a callback reads it: the student chose that name in `monitor`. Report the other names
        # only if the student's code reads them: Keras and TensorFlow also read them internally.
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


def attach_keras3(notes: Notes) -> None:
    """Let histories and logs of Keras 3 answer to the names of Keras 2.

    Args:
        notes: Receives a note for each old form that is used.
    """
    Answering.notes = notes
    callbacks = "keras.src.callbacks"
    after_import(f"{callbacks}.history", lambda module: around_init(module.History, _history))
    after_import("keras.src.utils.python_utils", _answering_logs)
    after_import(
        f"{callbacks}.model_checkpoint",
        lambda module: around(module.ModelCheckpoint, "_get_file_path", _file_path),
    )


def _answering_logs(module: ModuleType) -> None:
    original = module.pythonify_logs

    def pythonify_logs(logs: Any) -> Any:
        plain = original(logs)
        return Answering(plain) if type(plain) is dict else plain

    vars(module)["pythonify_logs"] = pythonify_logs


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
        arguments["logs"] = {**logs, **{name: logs[name] for name in names if other_name(name) and name in logs}}
    return original(checkpoint, **arguments)


def _reset_states(metric: Any, notes: Notes) -> None:
    def reset(original: Any, *args: Any, **kwargs: Any) -> Any:
        if not called_by_keras():
            tell(notes, "metrics.reset_states")
        return original(*args, **kwargs)

    around(metric, "reset_states", reset)

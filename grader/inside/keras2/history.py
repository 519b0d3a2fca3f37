"""`acc` and `val_acc` for metrics that are called `accuracy` now: in histories, in callbacks' logs, in file names."""

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
    """The name that a metric has now: `val_accuracy` for `val_acc`, `out_accuracy` for `out_acc`.

    Args:
        key: As the student wrote it.

    Returns:
        None for other names.
    """
    if isinstance(key, str) and re.search(r"(^|_)acc$", key):
        return f"{key}uracy"
    return None


class Answering(dict[str, Any]):
    """Numbers by name, that are also found by the names they had; the old names are no keys of it."""

    notes: ClassVar[Notes | None] = None
    """Told when an old name was asked for."""

    def __missing__(self, key: str) -> Any:
        """Answer for an old name."""
        name = modern_name(key)
        if name is None or not dict.__contains__(self, name):
            raise KeyError(key)
        self._tell("history.acc")
        return dict.__getitem__(self, name)

    def __getitem__(self, key: str) -> Any:
        """Give what is kept, and say where the name has changed since."""
        if key == "lr":
            self._tell("history.lr")
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        """Whether there is an answer for a name."""
        name = modern_name(key)
        return dict.__contains__(self, key) or (name is not None and dict.__contains__(self, name))

    def get(self, key: str, default: Any = None) -> Any:
        """As of a dict."""
        return self[key] if key in self else default  # noqa: SIM401 - `dict.get` knows no `__missing__`

    def __reduce__(self) -> Any:
        """Be saved as the dict that it was."""
        return dict, (dict(self),)

    def _tell(self, form: str) -> None:
        # Keras's callbacks read what the student told them to monitor, which is the student's form too; the rate is
        # read by Keras and TensorFlow for ends of their own.
        if self.notes is not None and (form == "history.acc" or not called_by_library()):
            tell(self.notes, form)


def attach(root: ModuleType, notes: Notes, origins: Origins) -> None:
    """Let histories and logs answer to old names.

    Args:
        root: `tf_keras`.
        notes: Told of each form.
        origins: Not asked.
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
    given = {**dict(zip(("epoch", "batch", "logs"), args, strict=False)), **kwargs}
    logs = given["logs"]
    if isinstance(logs, Mapping):
        # `format(**logs)` asks for no name that is not a key.
        asked = re.findall(r"\{(\w+)", str(checkpoint.filepath))
        given["logs"] = {**logs, **{name: logs[name] for name in asked if modern_name(name) and name in logs}}
    return original(checkpoint, **given)


def _reset_states(metric: Any, notes: Notes) -> None:
    def reset(original: Any, *args: Any, **kwargs: Any) -> Any:
        if not called_by_keras():
            tell(notes, "metrics.reset_states")
        return original(*args, **kwargs)

    around(metric, "reset_states", reset)

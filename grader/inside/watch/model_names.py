"""Names each model as the notebook does: its variable, its place in a list or object, or the function that made it."""

import re
import sys
import sysconfig
import weakref
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from ..record.recorder import Recorder

__all__ = ["ModelNames"]

_NOT_NAMES = frozenset({"In", "Out"})
_DEPTH = 3
"""Maximum number of containers around a model."""
_MOST_LOOKED_AT = 2_000
"""Maximum number of values that one search looks at."""
_MOST_ITEMS = 200
_NAMELESS = frozenset({"<lambda>", "<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib"))
_PACKAGES = ("site-packages", "dist-packages")
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class _Maker:
    """The student's function that made a model.

    Attributes:
        model: Weak reference to the model.
        function: Its name, such as `build_model` or `Net.build`.
        owner: Function that returns the object whose method it is; None if it is no method, or the object is gone.
    """

    model: "weakref.ref[Any]"
    function: str
    owner: Any


@dataclass(slots=True)
class ModelNames:
    """Finds the names of the notebook's models."""

    recorder: Recorder
    _makers: dict[int, _Maker] = field(default_factory=dict)

    def created(self, model: Any) -> None:
        """Remember the innermost function of the student that makes a model.

        Args:
            model: A new model object, which may not be initialized yet.
        """
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and not self._makes(frame, model):
            frame = frame.f_back
        if frame is None or frame.f_code.co_name == "<module>":
            return
        owner = frame.f_locals.get("self")
        name = getattr(frame.f_code, "co_qualname", frame.f_code.co_name).rpartition("<locals>.")[2]
        name = name.removesuffix(".__init__")
        self._makers = {key: maker for key, maker in self._makers.items() if maker.model() is not None}
        self._makers[id(model)] = _Maker(weakref.ref(model), name, _weak(owner))

    def variable(self, model: Any) -> str:
        """Return the first variable that holds a model now; empty if there is none."""
        for name, value in list(self.recorder.namespace.items()):
            if value is model and _is_name(name):
                return name
        return ""

    def is_variable(self, name: str, model: Any) -> bool:
        """Return whether a variable of this name holds a model now."""
        return name.isidentifier() and self.recorder.namespace.get(name) is model

    def holder(self, model: Any) -> str:
        """Return what holds a model now: a variable (`cnn`), or a place (`models[2]`, `d['small']`, `self.model`).

        Args:
            model: The model.

        Returns:
            The code of the notebook; empty if nothing holds it.
        """
        return self.variable(model) or self._place(model) or self._attribute(model)

    def fallback(self, model: Any) -> str:
        """Return the name of a model that nothing holds.

        Args:
            model: The model.

        Returns:
            The name that the student gave it, or the function that made it (`build_model()`); else Keras's name.
        """
        maker = self._maker(model)
        return str(model.name) if maker is None or not _is_automatic(model) else f"{maker.function}()"

    def _makes(self, frame: FrameType, model: Any) -> bool:
        """Whether a frame is code of the student outside the model's own class and with a name."""
        if frame.f_code.co_name in _NAMELESS or not self._is_students(frame):
            return False
        return frame.f_code.co_name == "<module>" or frame.f_locals.get("self") is not model

    def _is_students(self, frame: FrameType) -> bool:
        if frame.f_globals is self.recorder.namespace:
            return True
        file = frame.f_code.co_filename
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] in {"inside", "grader", "importlib"}:
            return False
        return not file.startswith(("<", *_LIBRARIES)) and not any(package in file for package in _PACKAGES)

    def _place(self, model: Any) -> str:
        """Find a model in the lists, dicts and objects of the notebook's variables."""
        namespace = list(self.recorder.namespace.items())
        waiting = deque((name, value, 0) for name, value in namespace if _is_name(name))
        looked_at = 0
        visited: set[int] = set()
        while waiting and looked_at < _MOST_LOOKED_AT:
            place, container, depth = waiting.popleft()
            if id(container) in visited:
                continue
            visited.add(id(container))
            for part, value in _items(container):
                looked_at += 1
                if value is model:
                    return self._as_self(model, container, part) or f"{place}{part}"
                if depth + 1 < _DEPTH and _is_container(value):
                    waiting.append((f"{place}{part}", value, depth + 1))
        return ""

    def _as_self(self, model: Any, container: Any, part: str) -> str:
        """Name a model `self.model` if a method of the only object of its class made it."""
        maker = self._maker(model)
        if maker is None or maker.owner() is not container:
            return ""
        alike = sum(type(value) is type(container) for value in list(self.recorder.namespace.values()))
        return f"self{part}" if alike <= 1 else ""

    def _attribute(self, model: Any) -> str:
        """Name a model that an object without a variable holds."""
        maker = self._maker(model)
        owner = maker.owner() if maker is not None else None
        return next((f"self{part}" for part, value in _items(owner) if value is model), "")

    def _maker(self, model: Any) -> _Maker | None:
        maker = self._makers.get(id(model))
        return maker if maker is not None and maker.model() is model else None


def _is_name(name: str) -> bool:
    return not name.startswith("_") and name not in _NOT_NAMES


def _is_container(value: Any) -> bool:
    return isinstance(value, (list, tuple, dict)) or type(value).__module__ == "__main__"


def _items(container: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a list, dict or object of the student's, without running the student's code.

    Yields:
        (how the notebook writes it, such as `[2]`, `['small']` or `.model`; value).
    """
    if isinstance(container, list):
        yield from ((f"[{at}]", value) for at, value in enumerate(list.__getitem__(container, slice(_MOST_ITEMS))))
    elif isinstance(container, tuple):
        yield from ((f"[{at}]", value) for at, value in enumerate(tuple.__getitem__(container, slice(_MOST_ITEMS))))
    elif isinstance(container, dict):
        for key, value in list(dict.items(container))[:_MOST_ITEMS]:
            if isinstance(key, (str, int, float, bool)):
                yield f"[{key!r}]", value
    elif type(container).__module__ == "__main__" and not isinstance(container, type):
        attributes = getattr(container, "__dict__", None)
        for name, value in list(attributes.items())[:_MOST_ITEMS] if isinstance(attributes, dict) else ():
            if isinstance(name, str) and not name.startswith("_"):
                yield f".{name}", value


def _is_automatic(model: Any) -> bool:
    """Whether Keras chose the name of a model, such as `sequential_9`, and not the student."""
    stem = re.sub(r"(_\d+)+$", "", str(model.name))
    classes = {cls.__name__ for cls in type(model).__mro__}
    return stem in {"model", *(_WORD.sub("_", name).lower() for name in classes)}


def _weak(value: Any) -> Any:
    try:
        return weakref.ref(value)
    except TypeError:
        return lambda: None

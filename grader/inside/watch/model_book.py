"""Keeps the ids, names and descriptions of the notebook's models, and records each change of a description."""

import sys
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from ..describe.models import describe_model, dialect_of, is_model, leaves, mark_ready_made, shares, weights_of
from ..record.events import Dialect, Model, ModelDescription, ModelStructure
from ..record.log import plain
from ..record.recorder import Recorder
from .model_names import ModelNames

__all__ = ["Entry", "ModelBook"]

_FRAMES = 8
_APPLICATIONS = "keras/src/applications/"
"""Folder of `keras.applications` in both dialects (`keras`, `tf_keras`)."""


@dataclass(slots=True)
class Entry:
    """State of one model.

    Attributes:
        id: `m1`, `m2` … in the order of creation.
        model: Weak reference to the model.
        dialect: `keras3` or `keras2`.
        name: Its name in the notebook; empty before it was described.
        held: The last variable or place that was found to hold it; empty if there was none.
        compiled: Number of its last `compile` event.
        layers: Ids of its layers with weights, valid while it lives.
        parts: Weak references to these layers at the time of the last description.
        trained: Whether a training changed its weights, or they were loaded or set.
        formerly: Earlier id of the same object, before it lost layers.
    """

    id: str
    model: "weakref.ref[Any]"
    dialect: Dialect
    name: str = ""
    held: str = ""
    compiled: int | None = None
    layers: frozenset[int] = frozenset()
    parts: tuple["weakref.ref[Any]", ...] = ()
    trained: bool = False
    formerly: str | None = None
    glimpse: Any = None
    description: ModelDescription | None = None


@dataclass(slots=True)
class ModelBook:
    """Every living model, with its last description."""

    recorder: Recorder
    _pending: list["weakref.ref[Any]"] = field(default_factory=list)
    _ready_made: list[Any] = field(default_factory=list)
    _entries: dict[int, Entry] = field(default_factory=dict)
    _former: list[Entry] = field(default_factory=list)
    _count: int = 0
    _held: list[Any] = field(default_factory=list)
    _names: ModelNames = field(init=False)

    def __post_init__(self) -> None:
        """Watch the names of the recorder's notebook."""
        self._names = ModelNames(self.recorder)

    def created(self, model: Any) -> None:
        """Note a new model object, which may not be initialized yet; a `Sequential`'s inner models do not count."""
        if not _made_by_sequential():
            self._pending.append(weakref.ref(model))
            self._names.created(model)
        if _made_by_applications():
            self._ready_made.append(model)

    def entry(self, model: Any) -> Entry:
        """Return the entry of a model; ids follow the order of creation.

        Args:
            model: A Keras model of either dialect.
        """
        pending, self._pending = self._pending, []
        for reference in pending:
            earlier = reference()
            if earlier is not None:
                self._enter(earlier)
        return self._enter(model)

    def _enter(self, model: Any) -> Entry:
        known = self._entries.get(id(model))
        if known is not None and known.model() is model:
            return known
        self._count += 1
        known = Entry(f"m{self._count}", weakref.ref(model), dialect_of(model))
        self._entries[id(model)] = known
        return known

    def alive(self) -> list[tuple[Entry, Any]]:
        """List every living model with its entry, in the order of creation."""
        for reference in list(self._pending):
            model = reference()
            if model is not None:
                self.entry(model)
        found = [(entry, entry.model()) for entry in self._entries.values()]
        self._entries = {id(model): entry for entry, model in found if model is not None}
        return sorted(((e, m) for e, m in found if m is not None), key=lambda pair: int(pair[0].id[1:]))

    def weights(self) -> Iterator[Any]:
        """Yield the weights of every living model."""
        for _, model in self.alive():
            yield from weights_of(model)

    def announce(self, model: Any, *, rename: bool = False) -> Entry:
        """Write a `model` event if the model is new, or if its structure or name changed.

        Args:
            model: A Keras model of either dialect.
            rename: Whether to look for its name again, since its variable may hold another model now.
        """
        ready_made, self._ready_made = self._ready_made, []
        for each in ready_made:
            if _is_whole(each):
                mark_ready_made(each)
        entry = self.entry(model)
        glimpse = _glimpse(model)
        if entry.trained and _lost(entry, model):
            entry = self._renew(entry, model)
        same = entry.description is not None and glimpse == entry.glimpse
        entry.name = self._name(entry, model, search=rename or not same)
        if same and entry.description is not None and entry.description["name"] == entry.name:
            return entry
        entry.layers = shares(model)
        entry.parts = tuple(weakref.ref(layer) for _, layer in leaves(model) if id(layer) in entry.layers)
        structure: ModelStructure = plain(describe_model(model), 40)
        sharers = [
            *(former.id for former in self._former if _living(former) & entry.layers),
            *(other.id for other, _ in self.alive() if other is not entry and other.layers & entry.layers),
        ]
        described = ModelDescription(id=entry.id, **structure, shares_layers_with=sharers, formerly=entry.formerly)
        described["name"] = entry.name
        entry.glimpse = glimpse
        if described != entry.description:
            entry.description = described
            self.recorder.log.write(Model(kind="model", model=described))
        return entry

    def _renew(self, entry: Entry, model: Any) -> Entry:
        """Give a trained model that lost layers (`pop`) a new entry, and keep the earlier one."""
        self._former.append(entry)
        self._count += 1
        name = self._names.variable(model) or entry.name
        renewed = Entry(
            f"m{self._count}", entry.model, entry.dialect, name, entry.held, entry.compiled, formerly=entry.id
        )
        self._entries[id(model)] = renewed
        return renewed

    def trained(self, model: Any) -> None:
        """Note that a training changed a model's weights.

        Args:
            model: The model after the training.
        """
        self.announce(model).trained = True

    def announce_all(self) -> None:
        """Describe every new or changed living model; skip objects that were never initialized."""
        for _, model in self.alive():
            try:
                self.announce(model, rename=True)
            except Exception as problem:
                if _is_whole(model):
                    self.recorder.gap("ModelBook.announce", problem)

    def owner_of(self, layer: Any) -> str | None:
        """Return the id of the newest model that contains the layer or is the layer."""
        holders = (
            entry for entry, model in self.alive() if model is layer or any(part is layer for _, part in leaves(model))
        )
        newest = max(holders, key=lambda entry: int(entry.id[1:]), default=None)
        return None if newest is None else newest.id

    def with_variables(self, variables: list[Any]) -> Any:
        """Return the smallest model whose weights include all the variables; None if there is none."""
        wanted = {id(variable) for variable in variables}
        best, size = None, 0
        for _, model in self.alive():
            held = {id(weight) for weight in weights_of(model, trainable=True)}
            if wanted and wanted <= held and (best is None or len(held) < size):
                best, size = model, len(held)
        return best

    def hold(self, model: Any) -> None:
        """Keep a model alive until the cell's end."""
        if not any(model is held for held in self._held):
            self._held.append(model)

    def release(self) -> None:
        """Release the models that `hold` keeps alive."""
        self._held.clear()

    def _name(self, entry: Entry, model: Any, *, search: bool) -> str:
        """Return a model's name; without `search`, only a variable replaces another name."""
        if entry.name and self._names.is_variable(entry.name, model):
            return entry.name
        if not search:
            return self._names.variable(model) or entry.name
        entry.held = self._names.holder(model) or entry.held
        return entry.held or self._names.fallback(model)


def _is_whole(model: Any) -> bool:
    """Whether an object is a complete model, since the constructor of a student's class may have raised."""
    try:
        return isinstance(model.name, str) and bool(model.layers)
    except Exception:
        return False


def _made_by_sequential() -> bool:
    frame: FrameType | None = sys._getframe(2)
    for _ in range(_FRAMES):
        if frame is None:
            return False
        code = frame.f_code
        if code.co_name in {"build", "_maybe_rebuild"} and code.co_filename.endswith("models/sequential.py"):
            return True
        frame = frame.f_back
    return False


def _made_by_applications() -> bool:
    """Whether `keras.applications` creates the model."""
    frame: FrameType | None = sys._getframe(2)
    for _ in range(2 * _FRAMES):
        if frame is None:
            return False
        if _APPLICATIONS in frame.f_code.co_filename.replace("\\", "/"):
            return True
        frame = frame.f_back
    return False


def _living(entry: Entry) -> frozenset[int]:
    """Return the ids of its layers that still exist, since the id of a deleted layer can be reused."""
    return frozenset(id(layer) for part in entry.parts if (layer := part()) is not None)


def _lost(entry: Entry, model: Any) -> bool:
    """Whether the model has lost a layer with weights."""
    held = {id(layer) for _, layer in leaves(model)}
    return len(_living(entry) & held) < len(entry.parts)


def _glimpse(model: Any) -> tuple[Any, ...]:
    """Return a value that is cheap to compute and changes with the layers, their weights and their freezing."""
    return (
        bool(getattr(model, "built", False)),
        len(weights_of(model)),
        tuple((id(layer), bool(layer.trainable), is_model(layer)) for _, layer in leaves(model)),
    )

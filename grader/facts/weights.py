"""Find changed, frozen and reused weights of trainings by their digests."""

import hashlib
import struct
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from grader.facts.lineage import TAKES_WEIGHTS, Writers
from grader.schema.evidence import CompileFact, Evidence, FitFact, LayerFact, ModelFact, SaveFact

__all__ = [
    "Reuse",
    "ancestor_of",
    "changed_since_compile",
    "frozen_but_changed",
    "frozen_layers",
    "learning_layers",
    "never_adapted",
    "reused_layers",
    "trainings_behind",
    "trainings_of",
    "unfrozen_but_unchanged",
]

How = Literal["shared", "copied", "file"]


_LEARNING_NOTHING = frozenset({"Discretization", "IntegerLookup", "Normalization", "StringLookup", "TextVectorization"})
"""Layers whose weights only `adapt` sets, whatever their `trainable`."""


def learning_layers(model: ModelFact | None, names: Iterable[str]) -> tuple[str, ...]:
    """List the layers whose weights a training can change.

    Args:
        model: The model; None if unknown, and then every layer counts.
        names: Names of layers with weights, as a training recorded them.
    """
    classes: dict[str, set[str]] = {}
    for layer in model.flat_layers() if model is not None else ():
        classes.setdefault(layer.name, set()).add(layer.cls)
    idle = {name for name, layer_classes in classes.items() if layer_classes <= _LEARNING_NOTHING}
    return tuple(name for name in names if name not in idle)


_MOST_STATISTICS = 1_000_000
"""Means of a `Normalization` layer whose digest is computed, at most."""


def never_adapted(fit: FitFact, layer: LayerFact) -> bool:
    """Whether a `Normalization` layer still had its first weights when a training started, so that it changed nothing.

    The first weights are means of 0, variances of 1 and a count of 0. A layer with given statistics has no weights.

    Args:
        fit: The training.
        layer: A layer of the trained model.
    """
    means, rest = divmod(layer.parameters - 1, 2)
    if layer.cls != "Normalization" or rest or not 0 < means <= _MOST_STATISTICS:
        return False
    first = bytes(4 * means) + struct.pack("<f", 1.0) * means + bytes(8)
    return fit.digests_before.get(layer.name) == hashlib.blake2b(first, digest_size=16).hexdigest()


def frozen_layers(fit: FitFact) -> tuple[str, ...]:
    """List the layers with weights that were not trainable when the training started."""
    return tuple(name for name in fit.digests_before if fit.trainable.get(name) is False)


def frozen_but_changed(fit: FitFact) -> tuple[str, ...]:
    """List the layers that were not trainable but changed: they were not frozen."""
    changed = set(fit.changed_layers)
    return tuple(name for name in frozen_layers(fit) if name in changed)


def unfrozen_but_unchanged(fit: FitFact, model: ModelFact | None = None) -> tuple[str, ...]:
    """List the trainable layers whose weights did not change: they were not tuned.

    Layers that no training changes, such as `Normalization`, do not count. The list is empty for a training without a
    step, or without recorded weights at its end.
    """
    if not fit.digests_after or (fit.epochs_done == 0 and not fit.total_steps):
        return ()
    changed = set(fit.changed_layers)
    return tuple(
        name
        for name in learning_layers(model, fit.digests_before)
        if fit.trainable.get(name) is True and name in fit.digests_after and name not in changed
    )


def changed_since_compile(fit: FitFact, compiled: CompileFact) -> tuple[str, ...]:
    """List the layers whose `trainable` changed between the `compile` and the start of the training.

    Keras reads `trainable` in `compile`, so such a change may have had no effect.
    """
    return tuple(
        name
        for name, now in fit.trainable.items()
        if name in compiled.trainable and compiled.trainable[name] is not now
    )


@dataclass(frozen=True, slots=True)
class Reuse:
    """A layer that started a training with weights that another model learned.

    Attributes:
        layer: The layer's name in the model that reuses it.
        fit: Event of the first training that started with these weights.
        source: Id of the model that learned the weights; None if they came from a file that this notebook did not
            write.
        origin: The layer's name in the source.
        how: `shared`: both models hold the same layer object; `file`: from a file that this notebook did not write;
            `copied`: in any other way, such as `set_weights`.
        path: The file, for `file`.
    """

    layer: str
    fit: int
    source: str | None
    origin: str
    how: How
    path: str | None = None


def reused_layers(evidence: Evidence, model_id: str) -> tuple[Reuse, ...]:
    """Find the layers of a model that started a training with another model's weights.

    Only weights from a training or a file count: two new layers can have equal weights, as batch normalizations do.
    The digests are compared, so the way of the weights does not matter.

    Args:
        evidence: The evidence of one execution.
        model_id: The model.

    Returns:
        Each layer once, in the order of its first reuse.
    """
    reused: dict[str, Reuse] = {}
    own: set[str] = set()
    learned = _Learned(evidence, model_id)
    for fit in evidence.fits_of(model_id):
        learned.go_to(fit.event)
        for layer, digest in fit.digests_before.items():
            learning = learned.of(digest) if layer not in reused and digest not in own else None
            if learning is not None:
                source, origin, path = learning
                reused[layer] = Reuse(layer, fit.event, source, origin, _how(evidence, model_id, source), path)
        own |= {*fit.digests_before.values(), *fit.digests_after.values()}
    return tuple(reused.values())


class _Learned:
    """The weights that other models learned before an event: digest → (model, layer, file)."""

    def __init__(self, evidence: Evidence, model_id: str) -> None:
        self._model = model_id
        self._writers = Writers(evidence)
        self._written = {save.path for save in evidence.saves if save.action in {"save", "save_weights"}}
        loads = (save for save in evidence.saves if save.action in {"load", "load_weights"})
        self._loads = deque(sorted(loads, key=lambda load: load.event))
        self._fits = deque(sorted(evidence.fits, key=lambda fit: fit.event))
        self._first = {fit.model: fit for fit in reversed(self._fits)}
        self._from_files: dict[str, tuple[str | None, str, str | None]] = {}
        self._from_fits: dict[str, tuple[str | None, str, str | None]] = {}

    def go_to(self, event: int) -> None:
        """Add the weights that were learned before an event; later calls must have later events."""
        while self._loads and self._loads[0].event < event:
            load = self._loads.popleft()
            if load.path not in self._written:
                self._from_files |= {digest: (None, layer, load.path) for layer, digest in load.digests.items()}
            elif (writer := self._writers.of(load)) is not None and writer.model != self._model:
                trained = self._trained_by(writer.model, load)
                self._from_files |= {digest: (writer.model, layer, None) for layer, digest in trained}
        while self._fits and self._fits[0].event < event:
            fit = self._fits.popleft()
            if fit.model != self._model:
                self._from_fits |= {fit.digests_after[layer]: (fit.model, layer, None) for layer in _changed(fit)}

    def of(self, digest: str) -> tuple[str | None, str, str | None] | None:
        """Find the model, layer and file of learned weights; None if no other model learned them."""
        return self._from_fits.get(digest) or self._from_files.get(digest)

    def _trained_by(self, source: str | None, load: SaveFact) -> Iterator[tuple[str, str]]:
        """List layers and digests of a loaded file that a training of its writer produced.

        A checkpoint can hold the best epoch's weights, which are not among the first or last digests of a training.
        """
        first = self._first.get(source) if source is not None else None
        if first is not None and first.event < load.event:
            initial = set(first.digests_before.values())
            yield from ((layer, digest) for layer, digest in load.digests.items() if digest not in initial)


def _changed(fit: FitFact) -> Iterator[str]:
    return (layer for layer in fit.changed_layers if layer in fit.digests_after)


def _how(evidence: Evidence, model_id: str, source: str | None) -> How:
    if source is None:
        return "file"
    model, other = evidence.model(model_id), evidence.model(source)
    shared = (model is not None and source in model.shares_layers_with) or (
        other is not None and model_id in other.shares_layers_with
    )
    return "shared" if shared else "copied"


def ancestor_of(evidence: Evidence, model_id: str) -> str | None:
    """Find the trained model from which an untrained model was loaded or copied.

    Args:
        evidence: The evidence of one execution.
        model_id: A model.

    Returns:
        The id of the trained model; None if the model itself was trained, or if there is no such origin.
    """
    trained = {fit.model for fit in evidence.fits}
    taken = _taken_last(evidence)
    writers = Writers(evidence)
    seen: set[str] = set()
    current: str | None = model_id
    while current is not None and current not in trained:
        if current in seen:
            return None
        seen.add(current)
        current = _copied_from(taken.get(current), writers)
    return current if current != model_id else None


def trainings_of(evidence: Evidence, model_id: str) -> tuple[FitFact, ...]:
    """Find the trainings of a model: its own, or else those of larger models that contain it and changed its layers.

    The decoder of an autoencoder and the generator of a GAN are trained inside another model.

    Args:
        evidence: The evidence of one execution.
        model_id: The model.

    Returns:
        The trainings in the order of their start.
    """
    own = evidence.fits_of(model_id)
    model = evidence.model(model_id)
    if own or model is None:
        return own
    names = {layer.name for layer in model.flat_layers() if layer.parameters}
    wholes = {whole.id for whole in evidence.models if _contains(whole, model, names)}
    return tuple(fit for fit in evidence.fits if fit.model in wholes and _trains(fit, names))


def _contains(whole: ModelFact, part: ModelFact, names: set[str]) -> bool:
    """Whether a model contains all layers with weights, of these names, of another one."""
    shared = part.id in whole.shares_layers_with or whole.id in part.shares_layers_with
    return shared and bool(names) and names <= {layer.name for layer in whole.flat_layers()}


def _trains(fit: FitFact, names: set[str]) -> bool:
    """Whether a training changed one of some layers; assumed if its weights at the end are unknown."""
    # A second layer of the same name is recorded with the name of its model: `decoder/dense`.
    return not fit.digests_after or any(name.rpartition("/")[2] in names for name in fit.changed_layers)


def trainings_behind(evidence: Evidence, model_id: str, *, continued: bool = False) -> tuple[FitFact, ...]:
    """Find all trainings that produced a model's weights, also of the models from which it took weights.

    A model that is loaded from a file and trained further is a new object, but its weights are older.

    Args:
        evidence: The evidence of one execution.
        model_id: The model.
        continued: Leave out models that gave only some layers to a model with new layers, as in transfer learning.

    Returns:
        The trainings in the order of their start.
    """
    trainings: dict[int, FitFact] = {}
    _gather_trainings(evidence, model_id, None, trainings, set(), continued=continued)
    return tuple(trainings[event] for event in sorted(trainings))


def _gather_trainings(  # noqa: PLR0913 - the state of the search
    evidence: Evidence,
    model_id: str,
    before: int | None,
    trainings: dict[int, FitFact],
    seen: set[str],
    *,
    continued: bool,
) -> None:
    seen.add(model_id)
    own = [fit for fit in evidence.fits_of(model_id) if before is None or fit.event < before]
    trainings |= {fit.event: fit for fit in own}
    if not own:
        return
    partly = continued and _has_new_layers(evidence, own[0])
    sources = {} if partly else dict(_sources(evidence, model_id, own))
    copied = _copied_from(_taken_last(evidence).get(model_id), Writers(evidence))
    if copied is not None:
        sources.setdefault(copied, own[0].event)
    for source, event in sources.items():
        if source not in seen:
            _gather_trainings(evidence, source, event, trainings, seen, continued=continued)


def _has_new_layers(evidence: Evidence, first: FitFact) -> bool:
    """Whether a layer started a model's first training with weights that no earlier training and no file had."""
    fits = [fit for fit in evidence.fits if fit.event < first.event and fit.model != first.model]
    saves = [save for save in evidence.saves if save.event < first.event]
    known = {digest for fit in fits for digest in (*fit.digests_before.values(), *fit.digests_after.values())}
    known |= {digest for save in saves for digest in save.digests.values()}
    return not known.issuperset(first.digests_before.values())


def _sources(evidence: Evidence, model_id: str, fits: Sequence[FitFact]) -> Iterator[tuple[str, int]]:
    """List other models whose weights a training started with, each with the training's event."""
    own: set[str] = set()
    learned = _Learned(evidence, model_id)
    for fit in fits:
        learned.go_to(fit.event)
        for digest in fit.digests_before.values():
            learning = learned.of(digest) if digest not in own else None
            source = learning[0] if learning is not None else None
            if source is not None:
                yield source, fit.event
        own |= {*fit.digests_before.values(), *fit.digests_after.values()}


def _taken_last(evidence: Evidence) -> dict[str | None, SaveFact]:
    """Map each model to the last action by which it took all its weights."""
    return {save.model: save for save in evidence.saves if save.action in TAKES_WEIGHTS}


def _copied_from(taken: SaveFact | None, writers: Writers) -> str | None:
    """Find the model whose weights such an action took."""
    if taken is None or taken.action == "set_weights":
        return None if taken is None else taken.other
    writer = writers.of(taken)
    return None if writer is None else writer.model

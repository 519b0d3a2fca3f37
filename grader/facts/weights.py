"""What trainings did to weights, and whose weights they began with, by the digests that were recorded."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from grader.facts.lineage import TAKES_WEIGHTS, Writers
from grader.schema.evidence import CompileFact, Evidence, FitFact, ModelFact, SaveFact

__all__ = [
    "Reuse",
    "ancestor_of",
    "changed_since_compile",
    "frozen_but_changed",
    "frozen_layers",
    "learning_layers",
    "reused_layers",
    "trainings_behind",
    "unfrozen_but_unchanged",
]

How = Literal["shared", "copied", "file"]


_LEARNING_NOTHING = frozenset({"Discretization", "IntegerLookup", "Normalization", "StringLookup", "TextVectorization"})
"""Layers whose weights are set by `adapt` and by no training, whatever their `trainable` says."""


def learning_layers(model: ModelFact | None, names: Iterable[str]) -> tuple[str, ...]:
    """Those of a network's layers with weights that a training can change at all.

    Args:
        model: The network; None where it is not known, and then every layer counts.
        names: Names of layers with weights, as a training recorded them.
    """
    classes: dict[str, set[str]] = {}
    for layer in model.flat_layers() if model is not None else ():
        classes.setdefault(layer.name, set()).add(layer.cls)
    idle = {name for name, found in classes.items() if found <= _LEARNING_NOTHING}
    return tuple(name for name in names if name not in idle)


def frozen_layers(fit: FitFact) -> tuple[str, ...]:
    """Layers with weights that were marked as not trainable when the training began."""
    return tuple(name for name in fit.digests_before if fit.trainable.get(name) is False)


def frozen_but_changed(fit: FitFact) -> tuple[str, ...]:
    """Layers marked as not trainable whose weights the training changed all the same: they were not frozen."""
    changed = set(fit.changed_layers)
    return tuple(name for name in frozen_layers(fit) if name in changed)


def unfrozen_but_unchanged(fit: FitFact, model: ModelFact | None = None) -> tuple[str, ...]:
    """Trainable layers whose weights came out as they went in: they were never tuned.

    Layers of the network that no training changes, such as `Normalization`, are left out.
    A training that did no step, or whose weights were not looked at afterwards, says nothing and gives none.
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
    """Layers whose `trainable` at the training's beginning is not what it was at the `compile` in force.

    Keras reads `trainable` when it compiles, so such a change may not have had the effect the student meant.
    """
    return tuple(
        name
        for name, now in fit.trainable.items()
        if name in compiled.trainable and compiled.trainable[name] is not now
    )


@dataclass(frozen=True, slots=True)
class Reuse:
    """One layer that began a training with weights that had been learned elsewhere.

    Attributes:
        layer: The layer's name in the network that was trained with it.
        fit: Event of that network's first training that began so.
        source: Id of the network that had learned the weights; None where they came from a file that this notebook
            did not write.
        origin: The layer's name there.
        how: `shared`: both networks hold the very same layer object; `copied`: by clone, `set_weights`, a file that
            this notebook wrote, or any other way; `file`: from a file that it did not write.
        path: The file, for `file`.
    """

    layer: str
    fit: int
    source: str | None
    origin: str
    how: How
    path: str | None = None


def reused_layers(evidence: Evidence, model_id: str) -> tuple[Reuse, ...]:
    """Find the layers of a network whose weights, when one of its trainings began, were another network's.

    Only weights that a training had changed count, or that came from a file: two fresh layers may begin alike (a batch
    normalisation always does). It does not matter how the weights got there, since the digests are compared.

    Args:
        evidence: What one execution showed.
        model_id: The network.

    Returns:
        Each layer once, in the order it was first seen.
    """
    found: dict[str, Reuse] = {}
    own: set[str] = set()
    learned = _Learned(evidence, model_id)
    for fit in evidence.fits_of(model_id):
        learned.go_to(fit.event)
        for layer, digest in fit.digests_before.items():
            known = learned.of(digest) if layer not in found and digest not in own else None
            if known is not None:
                source, origin, path = known
                found[layer] = Reuse(layer, fit.event, source, origin, _how(evidence, model_id, source), path)
        own |= {*fit.digests_before.values(), *fit.digests_after.values()}
    return tuple(found.values())


class _Learned:
    """The weights that were learned before an event, elsewhere, as digest → (network, layer, file)."""

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
        """Take in what was learned before an event; one call after the other goes on in time."""
        while self._loads and self._loads[0].event < event:
            load = self._loads.popleft()
            if load.path not in self._written:
                self._from_files |= {digest: (None, layer, load.path) for layer, digest in load.digests.items()}
            elif (writer := self._writers.of(load)) is not None and writer.model != self._model:
                made = self._trained_by(writer.model, load)
                self._from_files |= {digest: (writer.model, layer, None) for layer, digest in made}
        while self._fits and self._fits[0].event < event:
            fit = self._fits.popleft()
            if fit.model != self._model:
                self._from_fits |= {fit.digests_after[layer]: (fit.model, layer, None) for layer in _changed(fit)}

    def of(self, digest: str) -> tuple[str | None, str, str | None] | None:
        """Where weights were learned; None where nowhere else."""
        return self._from_fits.get(digest) or self._from_files.get(digest)

    def _trained_by(self, source: str | None, load: SaveFact) -> Iterator[tuple[str, str]]:
        """Layers and digests of a loaded file that a training of its writer had made, at its end or on the way.

        The best epoch's weights, which a checkpoint keeps, are in no training's first or last digests.
        """
        first = self._first.get(source) if source is not None else None
        if first is not None and first.event < load.event:
            fresh = set(first.digests_before.values())
            yield from ((layer, digest) for layer, digest in load.digests.items() if digest not in fresh)


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
    """The trained network that an untrained one was loaded or copied from, such as a saved and reloaded one.

    Args:
        evidence: What one execution showed.
        model_id: A network.

    Returns:
        The id of the trained network; None where the network was itself trained or no such origin was seen.
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


def trainings_behind(evidence: Evidence, model_id: str) -> tuple[FitFact, ...]:
    """All trainings that made a network's weights: its own, and before them those of the networks it took weights from.

    A network that is saved, loaded again and trained further is a new network with an old past.

    Args:
        evidence: What one execution showed.
        model_id: The network.

    Returns:
        In the order in which they began.
    """
    found: dict[int, FitFact] = {}
    _gather_trainings(evidence, model_id, None, found, set())
    return tuple(found[event] for event in sorted(found))


def _gather_trainings(
    evidence: Evidence, model_id: str, before: int | None, found: dict[int, FitFact], seen: set[str]
) -> None:
    seen.add(model_id)
    own = [fit for fit in evidence.fits_of(model_id) if before is None or fit.event < before]
    found |= {fit.event: fit for fit in own}
    if not own:
        return
    sources = dict(_sources(evidence, model_id, own))
    copied = _copied_from(_taken_last(evidence).get(model_id), Writers(evidence))
    if copied is not None:
        sources.setdefault(copied, own[0].event)
    for source, event in sources.items():
        if source not in seen:
            _gather_trainings(evidence, source, event, found, seen)


def _sources(evidence: Evidence, model_id: str, fits: Sequence[FitFact]) -> Iterator[tuple[str, int]]:
    """Other networks whose learned weights a training began with, and that training's event; the last one last."""
    own: set[str] = set()
    learned = _Learned(evidence, model_id)
    for fit in fits:
        learned.go_to(fit.event)
        for digest in fit.digests_before.values():
            known = learned.of(digest) if digest not in own else None
            source = known[0] if known is not None else None
            if source is not None:
                yield source, fit.event
        own |= {*fit.digests_before.values(), *fit.digests_after.values()}


def _taken_last(evidence: Evidence) -> dict[str | None, SaveFact]:
    """Of each network what it last took whole weights by."""
    return {save.model: save for save in evidence.saves if save.action in TAKES_WEIGHTS}


def _copied_from(taken: SaveFact | None, writers: Writers) -> str | None:
    """The network whose weights another one last took whole."""
    if taken is None or taken.action == "set_weights":
        return None if taken is None else taken.other
    writer = writers.of(taken)
    return None if writer is None else writer.model

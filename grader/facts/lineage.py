"""Networks that are one work in several objects: saved and loaded, cloned, or given another's weights."""

from bisect import bisect_left
from collections.abc import Collection

from grader.schema.evidence import Evidence, FitFact, SaveFact

__all__ = ["TAKES_WEIGHTS", "Lineage", "Writers", "descendants", "predecessors", "with_past"]

TAKES_WEIGHTS = frozenset({"load", "load_weights", "set_weights"})
"""Actions by which a model takes weights that exist already."""
"""What gives a network other weights than it had."""
_WRITES = frozenset({"save", "save_weights"})
_MOST_STAGES = 40
"""Earlier stages of one network that are followed."""


class Writers:
    """What wrote the files of one execution, by path."""

    def __init__(self, evidence: Evidence) -> None:
        """Sort the files' writings.

        Args:
            evidence: What one execution showed.
        """
        self._saves: dict[str | None, list[SaveFact]] = {}
        for save in evidence.saves:
            if save.action in _WRITES:
                self._saves.setdefault(save.path, []).append(save)
        self._events: dict[str | None, list[int]] = {}
        for path, saves in self._saves.items():
            saves.sort(key=lambda save: save.event)
            self._events[path] = [save.event for save in saves]

    def of(self, load: SaveFact) -> SaveFact | None:
        """What had last written the file that was loaded; None where this notebook did not.

        Args:
            load: The loading of it.
        """
        place = bisect_left(self._events.get(load.path, ()), load.event)
        return self._saves[load.path][place - 1] if place else None


def descendants(evidence: Evidence, others: Collection[str]) -> frozenset[str]:
    """Networks that were cloned, loaded or given their weights from one of others, or from one that was.

    Args:
        evidence: What one execution showed.
        others: Ids of those others.
    """
    found: set[str] = set()
    written: dict[str | None, str | None] = {}
    for save in evidence.saves:
        if save.action in _WRITES:
            written[save.path] = save.model
            continue
        origin = save.other if save.path is None else written.get(save.path)
        if save.model is not None and origin is not None and (origin in others or origin in found):
            found.add(save.model)
    return frozenset(found)


class Lineage:
    """Which network continued which, found out once for the evidence of one execution.

    Attributes:
        evidence: What that execution showed.
    """

    def __init__(self, evidence: Evidence) -> None:
        """Look through trainings and files.

        Args:
            evidence: What one execution showed.
        """
        self.evidence = evidence
        self._fits: dict[str, list[FitFact]] = {}
        for fit in evidence.fits:
            self._fits.setdefault(fit.model, []).append(fit)
        self._taken: dict[str, list[SaveFact]] = {}
        for save in evidence.saves:
            if save.action in TAKES_WEIGHTS and save.model is not None:
                self._taken.setdefault(save.model, []).append(save)
        self._writers = Writers(evidence)
        self._before: dict[str, str | None] = {}

    def predecessors(self, model_id: str, among: Collection[str]) -> tuple[str, ...]:
        """Networks whose training another one continued: it was loaded from the file that each had been saved to.

        A network that is saved, loaded and trained further is another object and the same work.

        Args:
            model_id: The network.
            among: Ids of those that can be such; a network trained for something else is no earlier stage of this one.

        Returns:
            Their ids, the nearest first.
        """
        found: list[str] = []
        current = self._continued(model_id)
        while current is not None and current in among and len(found) < _MOST_STAGES:
            if current in {*found, model_id}:
                break
            found.append(current)
            current = self._continued(current)
        return tuple(found)

    def with_past(self, model_id: str, among: Collection[str]) -> Evidence:
        """The evidence as it would be if a network and its predecessors were one object.

        Args:
            model_id: The network: trainings, compiles and shared layers of its predecessors become its own.
            among: Ids of those that can be predecessors.
        """
        evidence = self.evidence
        earlier = frozenset(self.predecessors(model_id, among))
        if not earlier:
            return evidence
        own = {"model": model_id}
        shared = {other for m in evidence.models if m.id in earlier for other in m.shares_layers_with} - {model_id}
        return evidence.model_copy(
            update={
                "models": tuple(
                    m.model_copy(update={"shares_layers_with": tuple(sorted({*m.shares_layers_with, *shared}))})
                    if m.id == model_id
                    else m
                    for m in evidence.models
                ),
                "fits": tuple(f.model_copy(update=own) if f.model in earlier else f for f in evidence.fits),
                "compiles": tuple(c.model_copy(update=own) if c.model in earlier else c for c in evidence.compiles),
            }
        )

    def _continued(self, model_id: str) -> str | None:
        if model_id not in self._before:
            self._before[model_id] = self._find_continued(model_id)
        return self._before[model_id]

    def _find_continued(self, model_id: str) -> str | None:
        """The trained network that this one was loaded from before its first training, if that one went no further."""
        fits = self._fits.get(model_id)
        if not fits:
            return None
        load = next((s for s in reversed(self._taken.get(model_id, ())) if s.event < fits[0].event), None)
        writer = self._writers.of(load) if load is not None and load.action != "set_weights" else None
        if load is None or writer is None or writer.model is None:
            return None
        past = self._fits.get(writer.model)
        # A checkpoint is written while its training goes on; one that was trained on after it is a work of its own.
        if not past or past[0].event > writer.event or past[-1].event > load.event:
            return None
        return writer.model if _goes_on(past[-1], fits[0], load) else None


def predecessors(evidence: Evidence, model_id: str, among: Collection[str]) -> tuple[str, ...]:
    """Networks whose training another one continued, as `Lineage` finds them.

    Args:
        evidence: What one execution showed.
        model_id: The network.
        among: Ids of those that can be such.

    Returns:
        Their ids, the nearest first.
    """
    return Lineage(evidence).predecessors(model_id, among)


def with_past(evidence: Evidence, model_id: str, among: Collection[str]) -> Evidence:
    """The evidence as it would be if a network and its predecessors were one object.

    Args:
        evidence: What one execution showed.
        model_id: The network.
        among: Ids of those that can be predecessors.
    """
    return Lineage(evidence).with_past(model_id, among)


def _goes_on(last: FitFact, first: FitFact, load: SaveFact) -> bool:
    """Whether a training began with the same layers as an earlier one and the weights of its end, or of the file."""
    began = first.digests_before
    return bool(began) and list(began) == list(last.digests_before) and began in (last.digests_after, load.digests)

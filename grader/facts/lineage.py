"""Find models that continue another model: loaded from its file, cloned, with its weights, or made of its layers."""

from bisect import bisect_left
from collections.abc import Collection

from grader.schema.evidence import Evidence, FitFact, SaveFact

__all__ = ["TAKES_WEIGHTS", "Lineage", "Writers", "descendants", "predecessors", "with_past"]

TAKES_WEIGHTS = frozenset({"load", "load_weights", "set_weights"})
"""Actions by which a model takes existing weights."""
_WRITES = frozenset({"save", "save_weights"})
_MOST_STAGES = 40
"""Earlier stages of one model, at most."""


class Writers:
    """The saves of one execution, by path."""

    def __init__(self, evidence: Evidence) -> None:
        """Sort the saves by time.

        Args:
            evidence: The evidence of one execution.
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
        """Find the last save of a file before it was loaded; None if this notebook did not write it.

        Args:
            load: The load.
        """
        place = bisect_left(self._events.get(load.path, ()), load.event)
        return self._saves[load.path][place - 1] if place else None


def descendants(evidence: Evidence, others: Collection[str]) -> frozenset[str]:
    """Find models that took their weights, directly or indirectly, from one of some models.

    Args:
        evidence: The evidence of one execution.
        others: Ids of the source models.
    """
    descending: set[str] = set()
    written: dict[str | None, str | None] = {}
    for save in evidence.saves:
        if save.action in _WRITES:
            written[save.path] = save.model
            continue
        origin = save.other if save.path is None else written.get(save.path)
        if save.model is not None and origin is not None and (origin in others or origin in descending):
            descending.add(save.model)
    return frozenset(descending)


class Lineage:
    """The models of one execution that continue other models; it caches its results.

    Attributes:
        evidence: The evidence of the execution.
    """

    def __init__(self, evidence: Evidence) -> None:
        """Sort trainings and files by model.

        Args:
            evidence: The evidence of one execution.
        """
        self.evidence = evidence
        self._fits: dict[str, list[FitFact]] = {}
        for fit in evidence.fits:
            self._fits.setdefault(fit.model, []).append(fit)
        self._taken: dict[str, list[SaveFact]] = {}
        for save in evidence.saves:
            if save.action in TAKES_WEIGHTS and save.model is not None:
                self._taken.setdefault(save.model, []).append(save)
        self._sharing: dict[str, set[str]] = {}
        for model in evidence.models:
            for other in model.shares_layers_with:
                self._sharing.setdefault(model.id, set()).add(other)
                self._sharing.setdefault(other, set()).add(model.id)
        self._writers = Writers(evidence)
        self._before: dict[str, str | None] = {}

    def predecessors(self, model_id: str, among: Collection[str]) -> tuple[str, ...]:
        """Find the earlier stages of a model: it was loaded from their files, or made of their layers, and trained on.

        Args:
            model_id: The model.
            among: Ids of the models that can be stages; a model trained for another purpose is none.

        Returns:
            Their ids, the latest stage first.
        """
        stages: list[str] = []
        current = self._continued(model_id)
        while current is not None and current in among and len(stages) < _MOST_STAGES:
            if current in {*stages, model_id}:
                break
            stages.append(current)
            current = self._continued(current)
        return tuple(stages)

    def with_past(self, model_id: str, among: Collection[str]) -> Evidence:
        """Copy the evidence, with the trainings, compiles and shared layers of a model's predecessors as its own.

        Args:
            model_id: The model.
            among: Ids of the models that can be predecessors.
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
        """Find the model that this one was loaded from or made of, and continued, if it was not trained in between."""
        fits = self._fits.get(model_id)
        if not fits:
            return None
        load = next((s for s in reversed(self._taken.get(model_id, ())) if s.event < fits[0].event), None)
        if load is None:
            return self._made_of(model_id, fits[0])
        writer = self._writers.of(load) if load.action != "set_weights" else None
        if writer is None or writer.model is None:
            return None
        past = self._fits.get(writer.model)
        # A checkpoint is written during a training. A source that was trained after the load is a separate model.
        if not past or past[0].event > writer.event or past[-1].event > load.event:
            return None
        return writer.model if _goes_on(past[-1], fits[0], load) else None

    def _made_of(self, model_id: str, first: FitFact) -> str | None:
        """Find a model that was trained before this one and has exactly the same layers with weights."""
        last = max(
            (self._fits[other][-1] for other in self._sharing.get(model_id, ()) if other in self._fits),
            key=lambda fit: fit.event,
            default=None,
        )
        if last is None or last.event > first.event or not first.digests_before:
            return None
        return last.model if first.digests_before == last.digests_after else None


def predecessors(evidence: Evidence, model_id: str, among: Collection[str]) -> tuple[str, ...]:
    """Find the earlier stages of a model, see `Lineage.predecessors`.

    Args:
        evidence: The evidence of one execution.
        model_id: The model.
        among: Ids of the models that can be stages.

    Returns:
        Their ids, the latest stage first.
    """
    return Lineage(evidence).predecessors(model_id, among)


def with_past(evidence: Evidence, model_id: str, among: Collection[str]) -> Evidence:
    """Copy the evidence with the past of a model's predecessors, see `Lineage.with_past`.

    Args:
        evidence: The evidence of one execution.
        model_id: The model.
        among: Ids of the models that can be predecessors.
    """
    return Lineage(evidence).with_past(model_id, among)


def _goes_on(last: FitFact, first: FitFact, load: SaveFact) -> bool:
    """Whether a training started with the layers of an earlier training, and its final weights or the file's."""
    initial = first.digests_before
    return (
        bool(initial) and list(initial) == list(last.digests_before) and initial in (last.digests_after, load.digests)
    )

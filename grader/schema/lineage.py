"""Networks that are one work in several objects: saved and loaded, cloned, or given another's weights."""

from collections.abc import Collection

from grader.schema.evidence import Evidence, FitFact, SaveFact

__all__ = ["descendants", "predecessors", "with_past", "writer_of"]

_TAKES = frozenset({"load", "load_weights", "set_weights"})
"""What gives a network other weights than it had."""
_WRITES = frozenset({"save", "save_weights"})
_MOST_STAGES = 40
"""Earlier stages of one network that are followed."""


def writer_of(evidence: Evidence, load: SaveFact) -> SaveFact | None:
    """What had last written the file that was loaded; None where this notebook did not."""
    earlier = (save for save in reversed(evidence.saves) if save.event < load.event and save.path == load.path)
    return next((save for save in earlier if save.action in _WRITES), None)


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


def predecessors(evidence: Evidence, model_id: str, among: Collection[str]) -> tuple[str, ...]:
    """Networks whose training another one continued: it was loaded from the file that each had been saved to.

    A network that is saved, loaded and trained further is another object and the same work.

    Args:
        evidence: What one execution showed.
        model_id: The network.
        among: Ids of those that can be such; a network trained for something else is no earlier stage of this one.

    Returns:
        Their ids, the nearest first.
    """
    found: list[str] = []
    current = _continued(evidence, model_id)
    while current is not None and current in among and len(found) < _MOST_STAGES:
        if current in {*found, model_id}:
            break
        found.append(current)
        current = _continued(evidence, current)
    return tuple(found)


def with_past(evidence: Evidence, model_id: str, among: Collection[str]) -> Evidence:
    """The evidence as it would be if a network and its predecessors were one object.

    Args:
        evidence: What one execution showed.
        model_id: The network: trainings, compiles and shared layers of its predecessors become its own.
        among: Ids of those that can be predecessors.
    """
    earlier = predecessors(evidence, model_id, among)
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


def _continued(evidence: Evidence, model_id: str) -> str | None:
    """The trained network that this one was loaded from before its first training, if that one went no further."""
    fits = evidence.fits_of(model_id)
    if not fits:
        return None
    taken = [s for s in evidence.saves if s.model == model_id and s.action in _TAKES and s.event < fits[0].event]
    writer = writer_of(evidence, taken[-1]) if taken and taken[-1].action != "set_weights" else None
    if writer is None or writer.model is None:
        return None
    past = evidence.fits_of(writer.model)
    # A checkpoint is written while its training goes on; a network that was trained on after it is a work of its own.
    if not past or past[0].event > writer.event or past[-1].event > taken[-1].event:
        return None
    return writer.model if _goes_on(past[-1], fits[0], taken[-1]) else None


def _goes_on(last: FitFact, first: FitFact, load: SaveFact) -> bool:
    """Whether a training began with the same layers as an earlier one and the weights of its end, or of the file."""
    began = first.digests_before
    return bool(began) and list(began) == list(last.digests_before) and began in (last.digests_after, load.digests)

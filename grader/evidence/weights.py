"""What a training did to the weights, against what the notebook said about `trainable`."""

from grader.schema.evidence import CompileFact, FitFact

__all__ = ["changed_since_compile", "frozen_but_changed", "frozen_layers", "tuned_layers", "unfrozen_but_unchanged"]


def frozen_layers(fit: FitFact) -> tuple[str, ...]:
    """Layers with weights that were marked as not trainable when the training began."""
    return tuple(name for name in fit.digests_before if fit.trainable.get(name) is False)


def frozen_but_changed(fit: FitFact) -> tuple[str, ...]:
    """Layers marked as not trainable whose weights the training changed all the same: they were not frozen."""
    changed = set(fit.changed_layers)
    return tuple(name for name in frozen_layers(fit) if name in changed)


def unfrozen_but_unchanged(fit: FitFact) -> tuple[str, ...]:
    """Trainable layers whose weights came out as they went in: they were never tuned.

    A training that did no step, or whose weights were not looked at afterwards, says nothing and gives none.
    """
    if not fit.digests_after or (fit.epochs_done == 0 and not fit.total_steps):
        return ()
    changed = set(fit.changed_layers)
    return tuple(
        name
        for name in fit.digests_before
        if fit.trainable.get(name) is True and name in fit.digests_after and name not in changed
    )


def tuned_layers(fit: FitFact) -> tuple[str, ...]:
    """Trainable layers whose weights the training changed."""
    return tuple(name for name in fit.changed_layers if fit.trainable.get(name) is not False)


def changed_since_compile(fit: FitFact, compiled: CompileFact) -> tuple[str, ...]:
    """Layers whose `trainable` at the training's beginning is not what it was at the `compile` in force.

    Keras reads `trainable` when it compiles, so such a change may not have had the effect the student meant.
    """
    return tuple(
        name
        for name, now in fit.trainable.items()
        if name in compiled.trainable and compiled.trainable[name] is not now
    )

"""Mistakes in transfer learning: weights that are not reused, and layers that are not frozen or not tuned."""

from collections.abc import Callable, Mapping

from grader.facts.weights import frozen_layers, learning_layers, reused_layers
from grader.grading.mutations.base import Concern, NotApplicable, Target, always, mutation, sets
from grader.grading.mutations.editing import each_compile, each_fit
from grader.schema.evidence import CompileFact, Evidence, FitFact, ModelFact

__all__ = ()


def _frozen(evidence: Evidence, model: ModelFact) -> dict[int, tuple[str, ...]]:
    """Map each training (by its event) to its frozen layers with weights."""
    fits = {fit.event: learning_layers(model, frozen_layers(fit)) for fit in evidence.fits_of(model.id)}
    return {event: layers for event, layers in fits.items() if layers}


def _never_frozen(model: ModelFact) -> NotApplicable:
    return NotApplicable(f"no training of `{model.name}` has frozen layers")


def _steps(params: object, name: str) -> int:
    """Count the steps of a name: `compile`, `fit`, `freeze` or `unfreeze`."""
    steps = getattr(params, "steps", ())
    return sum(step == name or getattr(step, name, None) is not None for step in steps)


def _has_step(name: str, at_least: int = 1) -> Concern:
    return lambda params: _steps(params, name) >= at_least


def _with_weights(
    evidence: Evidence, model: str, change: Callable[[FitFact, Mapping[str, str]], Mapping[str, str]]
) -> Evidence:
    """Change the weights after each training of a model; each training starts with the weights of the previous one.

    The function gets a training and the weights at its start, and returns the weights at its end.
    """
    renamed: dict[str, str] = {}
    fits = []
    for fit in sorted(evidence.fits, key=lambda one: one.event):
        if fit.model != model:
            fits.append(fit)
            continue
        before = {name: renamed.get(digest, digest) for name, digest in fit.digests_before.items()}
        after = dict(change(fit, before)) if fit.digests_after else {}
        renamed |= {fit.digests_after[name]: digest for name, digest in after.items() if name in fit.digests_after}
        fits.append(fit.model_copy(update={"digests_before": before, "digests_after": after}))
    return evidence.model_copy(update={"fits": tuple(fits)})


# ---------------------------------------------------------------------------------------------------------------------
# Reuse


def _with_fresh_layers(evidence: Evidence, model: ModelFact, layers: frozenset[str]) -> Evidence:
    """Let the first training of a model start with new weights in some layers."""
    first = evidence.fits_of(model.id)[0]
    fresh = {first.digests_before[name]: f"new-{name}" for name in layers if name in first.digests_before}

    def changed(fit: FitFact) -> FitFact:
        def renamed(digests: Mapping[str, str]) -> dict[str, str]:
            return {name: fresh.get(digest, digest) for name, digest in digests.items()}

        return fit.model_copy(
            update={"digests_before": renamed(fit.digests_before), "digests_after": renamed(fit.digests_after)}
        )

    return each_fit(evidence, model.id, changed)


@mutation("new-weights", concerns={"reuses": always})
def _new_weights(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model has the layers of another model, but new weights."""
    reused = frozenset(reuse.layer for reuse in reused_layers(evidence, model.id))
    if not reused:
        return NotApplicable(f"`{model.name}` reuses no weights")
    mutant = _with_fresh_layers(evidence, model, frozenset(evidence.fits_of(model.id)[0].digests_before))
    saves = tuple(save for save in mutant.saves if save.model != model.id or save.action in {"save", "save_weights"})
    return mutant.model_copy(update={"saves": saves})


@mutation("layer-not-reused", concerns={"reuses": sets("all_but_last")})
def _layer_not_reused(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """One of the reused layers starts with new weights."""
    reused = [reuse.layer for reuse in reused_layers(evidence, model.id)]
    if len(reused) < 2:  # noqa: PLR2004 - one must be left
        return NotApplicable(f"`{model.name}` does not reuse several layers")
    return _with_fresh_layers(evidence, model, frozenset(reused[-1:]))


# ---------------------------------------------------------------------------------------------------------------------
# Freezing and tuning


@mutation("frozen-but-changed", concerns={"steps": _has_step("freeze")})
def _frozen_but_changed(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The training changes layers that are marked as frozen."""
    frozen = _frozen(evidence, model)
    if not frozen:
        return _never_frozen(model)

    def after(fit: FitFact, _before: Mapping[str, str]) -> dict[str, str]:
        moved = {name: f"moved-{fit.event}-{name}" for name in frozen.get(fit.event, ())}
        return {**fit.digests_after, **moved}

    return _with_weights(evidence, model.id, after)


@mutation("never-frozen", concerns={"steps": _has_step("freeze")})
def _never_frozen_layers(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """No layer is ever frozen."""
    frozen = _frozen(evidence, model)
    if not frozen:
        return _never_frozen(model)
    mutant = _frozen_but_changed(evidence, model, _target)
    if isinstance(mutant, NotApplicable):
        return mutant

    def trainable(flags: Mapping[str, bool]) -> dict[str, bool]:
        return dict.fromkeys(flags, True)

    names = {layer.name for layer in model.flat_layers()}
    mutant = each_fit(mutant, model.id, lambda fit: fit.model_copy(update={"trainable": trainable(fit.trainable)}))
    mutant = each_compile(mutant, model.id, lambda one: one.model_copy(update={"trainable": trainable(one.trainable)}))
    changes = tuple(c for c in mutant.trainable_changes if c.model != model.id and c.layer not in names)
    return mutant.model_copy(update={"trainable_changes": changes})


def _tuned_later(evidence: Evidence, model: ModelFact) -> tuple[str, ...]:
    """List the layers that were frozen in the first training with frozen layers."""
    frozen = _frozen(evidence, model)
    return frozen[min(frozen)] if frozen else ()


def _with_cold_layers(evidence: Evidence, model: ModelFact, cold: tuple[str, ...]) -> Evidence:
    """Let no training after the first change some layers."""

    def after(fit: FitFact, before: Mapping[str, str]) -> dict[str, str]:
        return {**fit.digests_after, **{name: before[name] for name in cold if name in before}}

    return _with_weights(evidence, model.id, after)


@mutation("unfrozen-but-unchanged", concerns={"steps": _has_step("unfreeze")})
def _unfrozen_but_unchanged(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """Unfrozen layers keep their weights in the next training."""
    cold = _tuned_later(evidence, model)
    return _with_cold_layers(evidence, model, cold) if cold else _never_frozen(model)


@mutation("never-unfrozen", concerns={"steps": _has_step("unfreeze")})
def _never_unfrozen(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The frozen layers are never unfrozen."""
    cold = _tuned_later(evidence, model)
    if not cold:
        return _never_frozen(model)
    first = min(_frozen(evidence, model))

    def still(flags: Mapping[str, bool], event: int) -> dict[str, bool]:
        return {name: flag and not (name in cold and event > first) for name, flag in flags.items()}

    mutant = each_fit(
        _with_cold_layers(evidence, model, cold),
        model.id,
        lambda fit: fit.model_copy(update={"trainable": still(fit.trainable, fit.event)}),
    )
    mutant = each_compile(
        mutant, model.id, lambda one: one.model_copy(update={"trainable": still(one.trainable, one.event)})
    )
    changes = tuple(c for c in mutant.trainable_changes if not (c.layer in cold and c.event > first))
    return mutant.model_copy(update={"trainable_changes": changes})


@mutation("no-second-compile", concerns={"steps": _has_step("compile", at_least=2)})
def _no_second_compile(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model is compiled only once, before its first training."""
    fits = evidence.fits_of(model.id)
    first = evidence.compile_of(fits[0]) if fits else None
    if first is None or len({fit.compiled for fit in fits}) < 2:  # noqa: PLR2004 - the first and another one
        return NotApplicable(f"`{model.name}` is not compiled again between two trainings")
    compiles = tuple(one for one in evidence.compiles if one.model != model.id or one.event <= first.event)
    return each_fit(
        evidence.model_copy(update={"compiles": compiles}),
        model.id,
        lambda fit: fit.model_copy(update={"compiled": first.event}),
    )


@mutation(
    "frozen-after-compile",
    concerns={"steps": lambda params: _steps(params, "freeze") > 0 and _steps(params, "compile") > 0},
)
def _frozen_after_compile(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The layers are frozen after `compile`, not before it."""
    frozen = _frozen(evidence, model)
    if not frozen:
        return _never_frozen(model)
    fits = {fit.event: fit for fit in evidence.fits_of(model.id)}
    early = {fits[event].compiled for event in frozen}

    def unfrozen(one: CompileFact) -> CompileFact:
        return (
            one if one.event not in early else one.model_copy(update={"trainable": dict.fromkeys(one.trainable, True)})
        )

    mutant = each_compile(evidence, model.id, unfrozen)
    return NotApplicable(f"`{model.name}` is trained without `compile`") if mutant == evidence else mutant


@mutation("no-second-training", concerns={"steps": _has_step("fit", at_least=2)})
def _no_second_training(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model is trained only once."""
    fits = evidence.fits_of(model.id)
    if len(fits) < 2:  # noqa: PLR2004 - the first and another one
        return NotApplicable(f"`{model.name}` is not trained several times")
    return each_fit(evidence, model.id, lambda fit: fit if fit.event == fits[0].event else None)

"""Optimizers that are used for several models, and copies that are not used."""

from grader.checks.registry import diagnostic
from grader.facts.case import Case
from grader.schema.evidence import Evidence, ModelFact
from grader.schema.grade import Diagnostic
from grader.schema.message import say

__all__ = ["clone_unused", "optimizer_reused"]


@diagnostic("optimizer-reused")
def optimizer_reused(case: Case) -> tuple[Diagnostic, ...]:
    """One optimizer object was compiled into several models.

    What it does:
        Looks for the same optimizer object in the `compile` calls of different models. Two objects of one class are
        fine, and so is compiling one model again.

    Why it matters:
        An optimizer keeps momentum and other values for each weight of its first model. Keras 3 raises an error if it
        trains another model; Keras 2 continued with the step count and the learning rate of the first.

    Example:
        `optimizer = Nadam()`, then `a.compile(optimizer, …)` and `b.compile(optimizer, …)`.
    """
    notes = []
    compiles = [(c, c.optimizer) for c in case.evidence.compiles if c.optimizer is not None and c.optimizer.id]
    for optimizer_id in dict.fromkeys(optimizer.id for _, optimizer in compiles):
        uses = [(compiled, optimizer) for compiled, optimizer in compiles if optimizer.id == optimizer_id]
        models = list(dict.fromkeys(compiled.model for compiled, _ in uses))
        if len(models) <= 1:
            continue
        second, optimizer = next(use for use in uses if use[0].model == models[1])
        notes.append(
            Diagnostic(
                id="optimizer-reused",
                title=say("One optimizer for several models"),
                cell=second.cell,
                message=say(
                    "The same {optimizer:code} object was compiled into {models:code} (in {cells:cell}).",
                    optimizer=optimizer.cls,
                    models=[model.name if (model := case.evidence.model(name)) else name for name in models],
                    cells=list(dict.fromkeys(compiled.cell for compiled, _ in uses)),
                ),
                advice=say(
                    "Create a new optimizer for each model. It keeps momentum and a step count for the weights of one "
                    "model. Keras 3 raises an error for other weights; Keras 2 used the old values."
                ),
                model=models[1],
            )
        )
    return tuple(notes)


@diagnostic("clone-unused")
def clone_unused(case: Case) -> tuple[Diagnostic, ...]:
    """A copy of a model was made and not used, and a new model was built from the original's layers.

    What it does:
        Looks for a `clone_model` whose copy was never trained, tested, called, saved or used in another model, while a
        model that shares layers with the original was trained after it.

    Why it matters:
        The new model shares its layers with the original, so training it changes the original.

    Example:
        `clone = clone_model(a)`, then `b = Sequential(a.layers[:-1] + [Dense(1)])` and `b.fit(…)`.
    """
    notes = []
    for save in case.evidence.saves:
        copy = case.evidence.model(save.model or "") if save.action == "clone" else None
        original = case.evidence.model(save.other or "")
        if copy is None or original is None or _is_used(case.evidence, copy):
            continue
        sharing = _trained_sharer(case.evidence, original, save.event)
        if sharing is None:
            continue
        names = {"copy": copy.name, "original": original.name, "other": sharing.name}
        notes.append(
            Diagnostic(
                id="clone-unused",
                title=say("A copy of a model is never used"),
                cell=save.cell,
                message=say(
                    "{cell:Cell} copies {original:code} to {copy:code}, but nothing uses the copy. {other:code} was "
                    "trained with layers of {original:code} itself.",
                    cell=save.cell,
                    **names,
                ),
                advice=say(
                    "Build {other:code} from the layers of the copy: `{copy:raw}.layers[:-1]`. Otherwise training it "
                    "also changes {original:code}.",
                    **names,
                ),
                model=copy.id,
            )
        )
    return tuple(notes)


def _is_used(evidence: Evidence, model: ModelFact) -> bool:
    """Whether a model was trained, tested, called, saved, copied or used in another model."""
    uses = (
        *(fact.model for fact in evidence.fits),
        *(fact.model for fact in evidence.evaluations),
        *(fact.model for fact in evidence.predictions),
        *(fact.model for fact in evidence.calls),
    )
    return (
        model.id in uses
        or any(save.other == model.id or (save.model == model.id and "save" in save.action) for save in evidence.saves)
        or bool(model.shares_layers_with)
        or any(model.id in other.shares_layers_with for other in evidence.models)
    )


def _trained_sharer(evidence: Evidence, original: ModelFact, event: int) -> ModelFact | None:
    """Find a model that shares layers with another one and was trained after an event."""
    trained = {fit.model for fit in evidence.fits if fit.event > event}
    return next(
        (
            other
            for other in evidence.models
            if other.id in trained - {original.id}
            and (other.id in original.shares_layers_with or original.id in other.shares_layers_with)
        ),
        None,
    )

"""Optimizers that are used for several models."""

from grader.checks.registry import diagnostic
from grader.facts.case import Case
from grader.schema.grade import Diagnostic
from grader.schema.message import say

__all__ = ["optimizer_reused"]


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

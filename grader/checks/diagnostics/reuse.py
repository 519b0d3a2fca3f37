"""Optimizers that serve several networks."""

from grader.checks.registry import diagnostic
from grader.facts.case import Case
from grader.facts.wording import listed
from grader.schema.base import spoken_cell
from grader.schema.grade import Diagnostic

__all__ = ["optimizer_reused"]


@diagnostic("optimizer-reused")
def optimizer_reused(case: Case) -> tuple[Diagnostic, ...]:
    """One optimizer object was compiled into several networks.

    What it does:
        Looks for the very same optimizer object in compiles of different networks; two of the same class are fine, and
        so is compiling one network again.

    Why it matters:
        An optimizer keeps momentum and other figures for each weight of the network it was made for. Keras 3 refuses
        to train another one with it; Keras 2 went on with a step count, and a rate, that belong to the first.

    Example:
        `optimizer = Nadam()`, then `a.compile(optimizer, …)` and `b.compile(optimizer, …)`.
    """
    notes = []
    for name in dict.fromkeys(c.optimizer.id for c in case.evidence.compiles if c.optimizer and c.optimizer.id):
        compiles = [c for c in case.evidence.compiles if c.optimizer is not None and c.optimizer.id == name]
        models = list(dict.fromkeys(c.model for c in compiles))
        if len(models) <= 1:
            continue
        second = next(c for c in compiles if c.model == models[1])
        names = [found.name if (found := case.evidence.model(model)) else model for model in models]
        kind = second.optimizer.cls if second.optimizer is not None else "optimizer"
        notes.append(
            Diagnostic(
                id="optimizer-reused",
                title="One optimizer for several networks",
                cell=second.cell,
                message=(
                    f"The same {kind} object was compiled into {listed(f'`{n}`' for n in names)} (in "
                    f"{listed(dict.fromkeys(spoken_cell(c.cell) for c in compiles))})."
                ),
                advice=(
                    "Make a new optimizer for every network. It keeps momentum and a step count for the weights it was "
                    "made for; Keras 3 raises an error for other weights, and Keras 2 went on with the old figures."
                ),
                model=models[1],
            )
        )
    return tuple(notes)

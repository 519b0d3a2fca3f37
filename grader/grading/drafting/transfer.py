"""Propose criteria about reused weights, and about freezing and fine-tuning."""

from collections.abc import Iterator

from grader.facts.weights import frozen_layers, reused_layers
from grader.grading.drafting.base import Proposal, Solution, Subject, name_cell, one
from grader.grading.drafting.solution import source_of
from grader.schema.base import Json

__all__ = ["propose"]


def propose(solution: Solution) -> Iterator[Proposal]:
    """Propose the reuse of weights and the order of freezing, compiling and training, for each model."""
    for subject in solution.subjects:
        yield from _reuse(solution, subject)
        yield from _steps(solution, subject)


def _reuse(solution: Solution, subject: Subject) -> Iterator[Proposal]:
    reused = reused_layers(solution.evidence, subject.model.id)
    if not reused:
        return
    source = source_of(subject, solution.subjects, solution)
    params: dict[str, Json] = {"model": subject.role}
    if source is not None:
        params |= {"source": source.role}
        params |= {"source_task": source.task} if source.task is not None else {}
    origin = f"the model `{source.role}`" if source is not None else reused[0].path or "another model"
    yield Proposal(
        id=solution.named(subject, "reuse"),
        title=f"The training of {solution.called(subject)} starts with learned weights",
        weight=10,
        ways=(
            one("reuses", **params, all_but_last=True),
            one("reuses", **params),
            one("reuses", model=subject.role),
        ),
        advice="Reuse the trained layers except the last one, and add a new last layer for the new task.",
        seen=f"{name_cell(subject.fits[0].cell)}: {_count(len(reused), 'layer')} with the weights of {origin}",
        stricter=(f"at_least: {len(reused)}, or " if len(reused) > 1 else "") + f"`how: {reused[0].how}`",
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _steps(solution: Solution, subject: Subject) -> Iterator[Proposal]:
    frozen = next((fit for fit in subject.fits if frozen_layers(fit)), None)
    if frozen is None:
        return
    names = frozen_layers(frozen)
    tail: list[Json] = ["compile", "fit", {"unfreeze": "any"}, "compile", "fit"]
    orders: tuple[list[Json], ...] = (
        [{"freeze": "all_but_last"}, *tail],
        [{"freeze": "reused"}, *tail],
        [{"freeze": "any"}, *tail],
        [{"freeze": "all_but_last"}, "compile", "fit"],
        [{"freeze": "any"}, "compile", "fit"],
        [{"freeze": "any"}, "fit"],
    )
    tuned = any(fit.event > frozen.event and set(names) & set(fit.changed_layers) for fit in subject.fits)
    how = "first frozen and later fine-tuned" if tuned else "frozen in a training"
    yield Proposal(
        id=solution.named(subject, "freeze-and-tune" if tuned else "freeze"),
        title=f"Reused layers of {solution.called(subject)} are {how}, with a compile after each change",
        weight=15,
        ways=tuple(one("steps", model=subject.role, steps=steps) for steps in orders),
        advice="The order is freeze, compile, fit" + (", then unfreeze, compile, fit." if tuned else "."),
        seen=f"{name_cell(frozen.cell)}: {_count(len(names), 'frozen layer')}"
        + "".join(
            f"; {name_cell(fit.cell)}: {len(frozen_layers(fit))} frozen" for fit in subject.fits if fit is not frozen
        ),
        stricter="names or classes of the layers to freeze",
    )

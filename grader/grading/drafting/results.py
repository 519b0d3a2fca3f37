"""Propose criteria about accuracies: of a model, compared with another, and of averaged passes."""

from collections.abc import Iterator

from grader.facts.layers import DROPOUTS
from grader.grading.drafting.base import Proposal, Solution, Subject, name_cell, one, upper
from grader.grading.drafting.numbers import accuracy_thresholds
from grader.grading.drafting.solution import source_of
from grader.schema.base import Assurance, Json
from grader.schema.evidence import AccuracyFact

__all__ = ["propose"]

_PASSES = 10
"""Passes that another solution needs at least, if this one made as many."""


def propose(solution: Solution) -> Iterator[Proposal]:
    """Propose the accuracy of the main model, its advantage over another, and Monte Carlo dropout."""
    main = solution.main
    if main is not None:
        yield from _accuracy(solution, main)
        yield from _comparison(solution, main)
    yield from _passes(solution)


def _accuracy(solution: Solution, subject: Subject) -> Iterator[Proposal]:
    fact = solution.accuracy(subject)
    if fact is None:
        return
    thresholds = accuracy_thresholds(fact.value, fact.low, _guessing(solution, subject))
    if thresholds is None:
        return
    full, none = thresholds
    params: dict[str, Json] = {"model": subject.role, "at_least": full, "partial_from": none}
    if subject.task is not None:
        params["task"] = subject.task
    verified = {"require_verified": True} if fact.assurance == Assurance.VERIFIED else {}
    images = f"test images of task {subject.task}" if subject.task is not None else "test images"
    yield Proposal(
        id=solution.named(subject, "accuracy"),
        title=f"{upper(solution.called(subject))} has an accuracy of {full * 100:g} % on the {images}",
        weight=30,
        ways=(one("accuracy", **params, **verified), one("accuracy", **params)),
        advice=f"Points increase from {none * 100:g} % to {full * 100:g} %. Scale the pixels, and train longer "
        "while the validation accuracy rises.",
        seen=_measured(fact),
        stricter=f"at_least: {fact.low:.4f} is the lower end of the interval",
    )


def _guessing(solution: Solution, subject: Subject) -> float:
    classes = len(solution.tasks[subject.task].classes) if subject.task is not None else solution.classes
    return 1 / (classes or 2)


def _measured(fact: AccuracyFact) -> str:
    return f"{fact.assurance.value} accuracy {fact.value:.4f}, 95 % interval from {fact.low:.4f} to {fact.high:.4f}"


def _comparison(solution: Solution, main: Subject) -> Iterator[Proposal]:
    """Compare with a model for the same images: from scratch for a transfer, without convolutions for a CNN."""
    ours = solution.accuracy(main)
    transfer = source_of(main, solution.subjects, solution) is not None
    for other in solution.subjects[1:]:
        theirs = solution.accuracy(other)
        if ours is None or theirs is None or other.task != main.task or ours.low <= theirs.low:
            continue
        if not (transfer or (main.convolves and not other.convolves and ours.low > theirs.high)):
            continue
        task = {"task": main.task} if main.task is not None else {}
        yield Proposal(
            id="gain" if transfer else "beats",
            title=f"The model `{main.role}` is "
            + (f"not worse than `{other.role}`" if transfer else f"more accurate than `{other.role}`"),
            weight=5,
            ways=(
                (one("gain", model=main.role, over=other.role, **task, at_least=0),)
                if transfer
                else (one("beats", model=main.role, than=other.role),)
            ),
            advice="Compare both models on the same images. A gain with a single random seed may be due to chance.",
            seen=f"`{main.role}`: {ours.value:.4f}, `{other.role}`: {theirs.value:.4f}",
            stricter="`require_significant: true`" if transfer else "`by`, or `within_steps` for equal trainings",
        )
        return


def _passes(solution: Solution) -> Iterator[Proposal]:
    made = [fact for fact in solution.evidence.repeated_passes if fact.differ]
    models = {one.id: one for one in solution.evidence.models}
    made = [
        fact
        for fact in made
        if fact.model in models and any(layer.cls in DROPOUTS for layer in models[fact.model].counted_layers())
    ]
    if not made:
        return
    fact = max(made, key=lambda one: one.passes)
    least = max(min(fact.passes, _PASSES), 2)
    yield Proposal(
        id="mc-dropout",
        title=f"Monte Carlo dropout, averaged over at least {least} passes",
        weight=8,
        ways=(
            one("mc_dropout", passes_at_least=least),
            one("mc_dropout", passes_at_least=least, averaged=False),
        ),
        advice=f"Predict the same images at least {least} times with dropout on (`model(x, training=True)`), and "
        "average the probabilities. If two passes are equal, dropout was off.",
        seen=f"{name_cell(fact.cell)}: {fact.passes} passes over {fact.images:,} images",
        stricter=f"passes_at_least: {fact.passes}, images_at_least: {fact.images}",
    )

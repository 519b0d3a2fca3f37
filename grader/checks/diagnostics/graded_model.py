"""Models that are better than the graded one."""

from grader.checks.registry import diagnostic
from grader.facts.case import Case
from grader.schema.evidence import AccuracyFact, ArrayFact, Evidence
from grader.schema.grade import Diagnostic
from grader.schema.message import Message, say, sentences

__all__ = ["better_before"]


@diagnostic("better-network-before")
def better_before(case: Case) -> tuple[Diagnostic, ...]:
    """The model trained or used last is graded, but an earlier model is better.

    What it does:
        If a role of the rubric picks the model trained last, compares the test accuracy of the graded model with the
        other models that match the role. A difference within the 95 % intervals is not reported. Neither are the other
        folds of a cross-validation.

    Why it matters:
        A baseline or an experiment at the end of the notebook is graded instead of the intended model.

    Example:
        A good model in `model`, then `model = Sequential(...)` again with fewer layers and one epoch.
    """
    notes = []
    for name, role in case.rubric.roles.items():
        match = case.roles.get(name)
        graded = _tested(case, match.model) if match is not None and match.model is not None else None
        if role.pick != "last_trained" or match is None or graded is None:
            continue
        rivals = [other for other in match.candidates if not _are_folds(case.evidence, other, graded.model)]
        others = [fact for fact in (_tested(case, other) for other in rivals) if fact is not None]
        best = max(others, key=lambda fact: fact.value, default=graded)
        if best.low <= graded.high:
            continue
        notes.append(
            Diagnostic(
                id="better-network-before",
                title=say("A better model was trained before the graded one"),
                cell=_cell(case.evidence, graded.model),
                message=sentences(
                    _graded(case.evidence, graded.model, match.candidates),
                    say(
                        "Its {dataset:dataset} {split:split} accuracy is {accuracy:percent}; {better:code}, trained in "
                        "{better_cell:cell}, reaches {better_accuracy:percent}.",
                        dataset=graded.dataset,
                        split=graded.split,
                        accuracy=graded.value,
                        better=model.name if (model := case.evidence.model(best.model)) else best.model,
                        better_cell=_cell(case.evidence, best.model),
                        better_accuracy=best.value,
                    ),
                ),
                advice=say(
                    "Train the model that should be graded last, or remove later experiments from the notebook."
                ),
                model=graded.model,
            )
        )
    return tuple(notes)


def _are_folds(evidence: Evidence, one: str, other: str) -> bool:
    """Whether two models are folds of a cross-validation: trained in one cell, with other training and other test rows.

    Such models have equal numbers of weights, while the trials of a search for good settings share their images.
    """
    models = evidence.model(one), evidence.model(other)
    fits = evidence.fits_of(one)[-1:], evidence.fits_of(other)[-1:]
    if one == other or None in models or not all(fits):
        return False
    (first,), (second,) = fits
    sizes = {model.parameters for model in models if model is not None}
    return (
        len(sizes) == 1
        and first.cell == second.cell
        and _differ(first.x, second.x)
        and _differ(first.val_x, second.val_x)
    )


def _differ(one: ArrayFact | None, other: ArrayFact | None) -> bool:
    return one is not None and other is not None and (one.mean, one.std) != (other.mean, other.std)


def _graded(evidence: Evidence, model: str, candidates: tuple[str, ...]) -> Message:
    cell = _cell(evidence, model)
    last = next((fit.model for fit in reversed(evidence.fits) if fit.model in candidates), model)
    if last == model:
        return say("The model trained last, in {cell:cell}, is graded.", cell=cell)
    return say("The model from {cell:cell} is graded, because the notebook used it last.", cell=cell)


def _tested(case: Case, model: str) -> AccuracyFact | None:
    return case.evidence.accuracy(model, case.rubric.dataset, "test")


def _cell(evidence: Evidence, model: str) -> int | None:
    fits = evidence.fits_of(model)
    return fits[-1].cell if fits else None

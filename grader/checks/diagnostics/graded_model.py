"""Networks that are not the graded one although they are better."""

from grader.checks.registry import diagnostic
from grader.facts.case import Case
from grader.facts.wording import percent, spoken_dataset, spoken_split
from grader.schema.base import spoken_cell
from grader.schema.evidence import AccuracyFact, Evidence
from grader.schema.grade import Diagnostic

__all__ = ["better_before"]


@diagnostic("better-network-before")
def better_before(case: Case) -> tuple[Diagnostic, ...]:
    """The network trained last is graded, and one trained before is better.

    What it does:
        Where a role of the rubric means the network trained last, compares its test accuracy with those of the other
        networks that could fill the role. A difference within the 95 % intervals says nothing.

    Why it matters:
        A baseline or an experiment at the notebook's end is graded in the place of the network that was meant.

    Example:
        A good network in `model`, then `model = Sequential(...)` again with fewer layers and one epoch.
    """
    notes = []
    for name, role in case.rubric.roles.items():
        match = case.roles.get(name)
        graded = _tested(case, match.model) if match is not None and match.model is not None else None
        if role.pick != "last_trained" or match is None or graded is None:
            continue
        others = [fact for fact in (_tested(case, other) for other in match.candidates) if fact is not None]
        best = max(others, key=lambda fact: fact.value, default=graded)
        if best.low <= graded.high:
            continue
        notes.append(
            Diagnostic(
                id="better-network-before",
                title="A better network was trained before the graded one",
                cell=_cell(case.evidence, graded.model),
                message=(
                    f"The network trained last, in {spoken_cell(_cell(case.evidence, graded.model))}, is graded: it is "
                    f"right on {percent(graded.value)} of the {spoken_dataset(graded.dataset)} "
                    f"{spoken_split(graded.split)} images. The one trained in "
                    f"{spoken_cell(_cell(case.evidence, best.model))} is right on {percent(best.value)}."
                ),
                advice=(
                    "Train the network you hand in last, or leave experiments that come after it out of the notebook."
                ),
                model=graded.model,
            )
        )
    return tuple(notes)


def _tested(case: Case, model: str) -> AccuracyFact | None:
    return case.evidence.accuracy(model, case.rubric.dataset, "test")


def _cell(evidence: Evidence, model: str) -> int | None:
    fits = evidence.fits_of(model)
    return fits[-1].cell if fits else None

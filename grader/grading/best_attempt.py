"""Several executions of one notebook: which of them is graded, and how far they lie apart. All of it pure."""

from collections.abc import Iterable, Mapping, Sequence

from grader.facts.graded_model import main_model
from grader.schema.grade import AccuracyGrade, AttemptGrade, AttemptsGrade, Grade, Spread
from grader.schema.rubric import Rubric, Take

__all__ = ["attempt_seed", "choose", "graded_attempt", "nothing_to_gain", "summary"]

_SEEDS = 2**32
"""Seeds are below this."""
_Merit = tuple[float, float, float]


def attempt_seed(seed: int, number: int) -> int:
    """The seed of an attempt: the first one has the rubric's, each further one the next whole number.

    Args:
        seed: Of the rubric or the command line, 0 to 2**32 - 1.
        number: Which attempt, from 1.

    Returns:
        0 to 2**32 - 1; after the largest comes 0.
    """
    return (seed + number - 1) % _SEEDS


def nothing_to_gain(graded: Grade, rubric: Rubric) -> bool:
    """Whether no other execution of the same notebook could change the points.

    That is so where the best attempt is taken and this one has all points. No bias comes of it, since nothing is above
    full marks. A ranking also goes by what a network reaches beyond its points, so there every attempt counts.
    Points that wait for a person because of the rubric (`manual`) wait in every execution; those that a check left to a
    person might be earned by another one.

    Args:
        graded: The grade of one execution.
        rubric: What it was graded with.
    """
    if rubric.run.take != "best" or rubric.ranking is not None:
        return False
    manual = {criterion.id for criterion in rubric.criteria if criterion.manual is not None}
    return graded.status == "graded" and all(
        line.points >= line.max_points or line.id in manual for line in graded.criteria
    )


def graded_attempt(number: int, graded: Grade, rubric: Rubric) -> AttemptGrade:
    """Reduce the grade of one execution to its line among the attempts.

    Args:
        number: Which attempt, from 1.
        graded: Its grade, with status `graded`.
        rubric: What it was graded with; its first role's accuracy comes first.
    """
    run = graded.execution
    return AttemptGrade(
        number=number,
        seed=run.seed if run else None,
        status="graded",
        execution=run.status if run else None,
        score=graded.score,
        pending=graded.pending,
        accuracy=_accuracies(graded, rubric),
        seconds=run.seconds if run else None,
    )


def _accuracies(graded: Grade, rubric: Rubric) -> dict[str, Mapping[str, AccuracyGrade]]:
    """Accuracies of the models the rubric means; where it means none that has one, those of the graded model."""
    measured = [model for model in graded.models if model.accuracy]
    named = {role: model.accuracy for role in rubric.roles for model in measured if role in model.roles}
    main = main_model(graded)
    return named or ({main.name: main.accuracy} if main is not None and main.accuracy else {})


def choose(tried: Sequence[AttemptGrade], take: Take) -> AttemptGrade | None:
    """Pick the attempt that is graded.

    Attempts are ordered by score, then by the points that wait for a person, then by the accuracy of the first network,
    then the earlier one first. An attempt that the grader failed on is no zero: it cannot be picked, and the median is
    taken as if it stood above all others, so that the grader's failure pulls nobody down.

    Args:
        tried: Every attempt, in any order.
        take: Which one the rubric takes. `first` is the first one that could be graded.

    Returns:
        None where none was graded.
    """
    graded = sorted((one for one in tried if one.status == "graded"), key=lambda one: one.number)
    if not graded:
        return None
    if take == "first":
        return graded[0]
    if take == "best":
        return max(graded, key=_merit)
    executed = sum(one.status != "skipped" for one in tried)
    middle = min((executed - 1) // 2, len(graded) - 1)
    return sorted(graded, key=_merit)[middle]


def _merit(one: AttemptGrade) -> _Merit:
    return one.score or 0.0, one.pending, _first_accuracy(one)


def _first_accuracy(one: AttemptGrade) -> float:
    return next((fact.value for by_data in one.accuracy.values() for fact in by_data.values()), -1.0)


def summary(tried: Iterable[AttemptGrade], *, asked: int, take: Take) -> AttemptsGrade:
    """Say which attempt is taken and why, and how far they lie apart.

    Args:
        tried: One entry for each attempt that was asked for.
        asked: How many were asked for.
        take: Which one the rubric takes.
    """
    ordered = tuple(sorted(tried, key=lambda one: one.number))
    taken = choose(ordered, take)
    graded = [one for one in ordered if one.status == "graded"]
    return AttemptsGrade(
        asked=asked,
        take=take,
        taken=taken.number if taken else None,
        why=_why(taken, ordered, take),
        score=_spread(one.score for one in graded if one.score is not None),
        accuracy=_accuracy_spreads(graded),
        tried=ordered,
    )


def _spread(figures: Iterable[float]) -> Spread | None:
    known = list(figures)
    return Spread(low=min(known), high=max(known)) if known else None


def _accuracy_spreads(graded: Sequence[AttemptGrade]) -> dict[str, Mapping[str, Spread]]:
    values: dict[str, dict[str, list[float]]] = {}
    for one in graded:
        for role, by_data in one.accuracy.items():
            for key, fact in by_data.items():
                values.setdefault(role, {}).setdefault(key, []).append(fact.value)
    return {
        role: {key: Spread(low=min(found), high=max(found)) for key, found in by_data.items()}
        for role, by_data in values.items()
    }


# ---------------------------------------------------------------------------------------------------------------------
# In words


def _why(taken: AttemptGrade | None, tried: Sequence[AttemptGrade], take: Take) -> str:
    parts = ["No attempt could be graded." if taken is None else _choice(taken, tried, take)]
    for status, word in (("not_graded", "graded"), ("skipped", "executed")):
        parts += [f"{_were_not(numbers)} {word}: {reason}." for reason, numbers in _groups(tried, status).items()]
    if any(one.status == "not_graded" for one in tried):
        parts.append("A failure of the grader counts for nothing; the same command tries again.")
    return " ".join(parts)


def _choice(taken: AttemptGrade, tried: Sequence[AttemptGrade], take: Take) -> str:
    graded = [one for one in tried if one.status == "graded"]
    said = f"Attempt {taken.number} is taken"
    if len(graded) == 1:
        return f"{said}, the only one that was graded."
    if take == "first":
        return f"{said}, the first of {len(graded)}."
    if take == "median":
        return f"{said}, the median of {len(graded)} by score, then by accuracy."
    return f"{said}, the best of {len(graded)}{_decided_by(taken, graded)}."


def _decided_by(taken: AttemptGrade, graded: Sequence[AttemptGrade]) -> str:
    """What told the best attempt from the others of the same score."""
    level = [one for one in graded if one.score == taken.score and one.pending == taken.pending]
    if len(level) == 1:
        return ""
    same = [one for one in level if _first_accuracy(one) == _first_accuracy(taken)]
    decided = "it has the highest accuracy" if len(same) == 1 else "it came first"
    return f"; of the {len(level)} with the same score {decided}"


def _groups(tried: Sequence[AttemptGrade], status: str) -> Mapping[str, list[int]]:
    """Numbers of the attempts of one status by the reason given."""
    found: dict[str, list[int]] = {}
    for one in tried:
        if one.status == status:
            found.setdefault(one.reason.rstrip("."), []).append(one.number)
    return found


def _were_not(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"Attempt {numbers[0]} was not"
    return f"Attempts {', '.join(map(str, numbers[:-1]))} and {numbers[-1]} were not"

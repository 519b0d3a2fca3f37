"""Choose the graded attempt among several executions of one notebook, and describe their spread. Pure functions."""

from collections.abc import Iterable, Mapping, Sequence

from grader.facts.graded_model import main_model
from grader.facts.language import english
from grader.schema.grade import AccuracyGrade, AttemptGrade, AttemptsGrade, CriterionGrade, Grade, Spread
from grader.schema.message import Message, literal, say, say_count, sentences
from grader.schema.rubric import Rubric, Take

__all__ = ["attempt_seed", "choose", "graded_attempt", "nothing_to_gain", "summary"]

_SEEDS = 2**32
"""Seeds are below this."""
_Merit = tuple[float, float, float]


def attempt_seed(seed: int, number: int) -> int:
    """Compute the seed of an attempt: the rubric's seed for the first one, then consecutive integers.

    Args:
        seed: Seed of the rubric or the command line, 0 to 2**32 - 1.
        number: Number of the attempt, from 1.

    Returns:
        0 to 2**32 - 1; the largest seed is followed by 0.
    """
    return (seed + number - 1) % _SEEDS


def nothing_to_gain(graded: Grade, rubric: Rubric) -> bool:
    """Whether no other execution of the same notebook could change the points.

    True if the rubric takes the best attempt and this one has full marks. This adds no bias, because no attempt can
    have more. With a ranking every attempt counts, because it also uses results beyond the points. Points of `manual`
    criteria are pending in every execution. Points that a check left pending could be earned by another attempt.

    Args:
        graded: The grade of one execution.
        rubric: The rubric of the grade.
    """
    if rubric.run.take != "best" or rubric.ranking is not None:
        return False
    manual = {criterion.id for criterion in rubric.criteria if criterion.manual is not None}
    return graded.status == "graded" and all(
        _computed(line) >= line.max_points or line.id in manual for line in graded.criteria
    )


def _computed(line: CriterionGrade) -> float:
    """Return the points without a person's decision."""
    return line.points if line.judged is None else line.judged.computed_points or 0.0


def graded_attempt(number: int, graded: Grade, rubric: Rubric) -> AttemptGrade:
    """Reduce the grade of one execution to its row among the attempts.

    Args:
        number: Number of the attempt, from 1.
        graded: Its grade, with status `graded`.
        rubric: The rubric of the grade; the accuracy of its first role comes first.
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
    """Collect the accuracies of the rubric's roles; without any, the accuracies of the graded model."""
    measured = [model for model in graded.models if model.accuracy]
    named = {role: model.accuracy for role in rubric.roles for model in measured if role in model.roles}
    main = main_model(graded)
    return named or ({main.name: main.accuracy} if main is not None and main.accuracy else {})


def choose(tried: Sequence[AttemptGrade], take: Take) -> AttemptGrade | None:
    """Choose the attempt to grade.

    Attempts are ordered by score, then by pending points, then by the accuracy of the first model, then by number. An
    attempt that the grader failed on is never chosen. For the median it counts as the best one, so that a failure of
    the grader lowers no grade.

    Args:
        tried: All attempts, in any order.
        take: The rubric's choice. `first` is the first attempt that could be graded.

    Returns:
        None if none was graded.
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
    """Choose an attempt, explain the choice, and compute the spread of all attempts.

    Args:
        tried: One entry for each requested attempt.
        asked: Number of requested attempts.
        take: The rubric's choice.
    """
    ordered = tuple(sorted(tried, key=lambda one: one.number))
    taken = choose(ordered, take)
    graded = [one for one in ordered if one.status == "graded"]
    why = _why(taken, ordered, take)
    return AttemptsGrade(
        asked=asked,
        take=take,
        taken=taken.number if taken else None,
        why=english(why),
        why_says=why,
        score=_spread(one.score for one in graded if one.score is not None),
        accuracy=_accuracy_spreads(graded),
        tried=ordered,
    )


def _spread(figures: Iterable[float]) -> Spread | None:
    values = list(figures)
    return Spread(low=min(values), high=max(values)) if values else None


def _accuracy_spreads(graded: Sequence[AttemptGrade]) -> dict[str, Mapping[str, Spread]]:
    values: dict[str, dict[str, list[float]]] = {}
    for one in graded:
        for role, by_data in one.accuracy.items():
            for key, fact in by_data.items():
                values.setdefault(role, {}).setdefault(key, []).append(fact.value)
    return {
        role: {key: Spread(low=min(figures), high=max(figures)) for key, figures in by_data.items()}
        for role, by_data in values.items()
    }


# ---------------------------------------------------------------------------------------------------------------------
# The explanation


def _why(taken: AttemptGrade | None, tried: Sequence[AttemptGrade], take: Take) -> Message:
    failed = any(one.status == "not_graded" for one in tried)
    return sentences(
        say("No attempt could be graded.") if taken is None else _choice(taken, tried, take),
        *(_not_graded(numbers, reason) for reason, numbers in _groups(tried, "not_graded").items()),
        *(_not_executed(numbers, reason) for reason, numbers in _groups(tried, "skipped").items()),
        say("Failures of the grader are not counted; the same command tries again.") if failed else None,
    )


def _choice(taken: AttemptGrade, tried: Sequence[AttemptGrade], take: Take) -> Message:
    graded = [one for one in tried if one.status == "graded"]
    number, total = taken.number, len(graded)
    if total == 1:
        return say("Attempt {number:number} was taken, the only one that could be graded.", number=number)
    if take == "first":
        return say("Attempt {number:number} was taken, the first of {total:number}.", number=number, total=total)
    if take == "median":
        return say(
            "Attempt {number:number} was taken, the median of {total:number} by score, then by accuracy.",
            number=number,
            total=total,
        )
    level = [one for one in graded if one.score == taken.score and one.pending == taken.pending]
    if len(level) == 1:
        return say("Attempt {number:number} was taken, the best of {total:number}.", number=number, total=total)
    if sum(_first_accuracy(one) == _first_accuracy(taken) for one in level) == 1:
        return say(
            "Attempt {number:number} was taken, the best of {total:number}. "
            "It has the highest accuracy of the {level:number} with the same score.",
            number=number,
            total=total,
            level=len(level),
        )
    return say(
        "Attempt {number:number} was taken, the best of {total:number}. "
        "It is the first of the {level:number} with the same score.",
        number=number,
        total=total,
        level=len(level),
    )


def _not_graded(numbers: Sequence[int], reason: Message) -> Message:
    return say_count(
        "Attempt {numbers} was not graded: {reason}.",
        "Attempts {numbers} were not graded: {reason}.",
        len(numbers),
        numbers=numbers,
        reason=reason,
    )


def _not_executed(numbers: Sequence[int], reason: Message) -> Message:
    return say_count(
        "Attempt {numbers} was not executed: {reason}.",
        "Attempts {numbers} were not executed: {reason}.",
        len(numbers),
        numbers=numbers,
        reason=reason,
    )


def _groups(tried: Sequence[AttemptGrade], status: str) -> Mapping[Message, list[int]]:
    """Group the numbers of the attempts of one status by their reason."""
    groups: dict[Message, list[int]] = {}
    for one in tried:
        if one.status == status:
            # Reasons of earlier versions may end with a full stop.
            reason = one.reason_says or literal(one.reason.rstrip("."))
            groups.setdefault(reason, []).append(one.number)
    return groups

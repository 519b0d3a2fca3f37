"""Deduct points for a late submission. Pure: a separate line of the grade, never a part of a criterion."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from grader.facts.points import total_of
from grader.grading.judged import latest
from grader.schema.course import LateRules
from grader.schema.grade import Grade
from grader.schema.judgement import WHOLE, Judgement, LateGrade

__all__ = ["DueDate", "due_of", "extension_of", "with_late"]

_DAY = timedelta(days=1)
_NO_DEDUCTION = LateRules()


@dataclass(frozen=True, slots=True)
class DueDate:
    """The due date of an assignment, and its rules for late submissions."""

    due: datetime
    """In UTC."""
    rules: LateRules = _NO_DEDUCTION
    """Without rules, lateness is named and nothing is deducted."""

    def digest_parts(self) -> tuple[str, str]:
        """Return what a grade depends on."""
        return self.due.isoformat(), self.rules.model_dump_json()


def due_of(due: datetime, judgements: Sequence[Judgement]) -> datetime:
    """Return a student's due date: the due date of the class, or the date of an extension if it is later.

    Args:
        due: The due date of the class.
        judgements: Judgements about this submission, in the order of the file.
    """
    extension = extension_of(judgements)
    return due if extension is None or extension.until is None else max(due, extension.until)


def extension_of(judgements: Sequence[Judgement]) -> Judgement | None:
    """Return the extension that counts among judgements; None if there is none, or if it was withdrawn.

    Args:
        judgements: Judgements about one submission or student, in the order of the file.
    """
    return latest(judgements).get((WHOLE, "extension"))


def with_late(grade: Grade, date: DueDate, judgements: Sequence[Judgement] = ()) -> Grade:
    """Add the due date to a grade, and deduct points if it was handed in late.

    A submission is late if it was handed in after the due date and the grace period. Each started day (24 hours) after
    that counts. The deduction is rounded to two decimals, and the score never becomes negative. Points that wait for a
    person do not change. A submission of an unknown time is never late, and neither is one of an excused student. A
    grade without a score has no deduction.

    Args:
        grade: The grade, with the judgements of people.
        date: Due date and rules of the assignment.
        judgements: Judgements about this submission, in the order of the file.
    """
    due = due_of(date.due, judgements)
    grade = grade.model_copy(update={"due": due})
    submitted, score = grade.submission.submitted, grade.score
    if submitted is None or score is None or grade.excused is not None:
        return grade
    days = _days_late(submitted, due, date.rules.grace)
    if days == 0:
        return grade
    by_rule = _deduction(days, date.rules, grade.max_score)
    deducted = min(by_rule, max(score, 0.0))
    late = LateGrade(
        due=due,
        submitted=submitted,
        days=days,
        points=-deducted if deducted else 0.0,
        before=score,
        rule=-by_rule if by_rule > deducted else None,
        extended=due > date.due,
    )
    return grade.model_copy(update={"late": late, "score": total_of((score, -deducted))})


def _days_late(submitted: datetime, due: datetime, grace: float) -> int:
    """Count the started days after the due date and the grace period."""
    over = submitted - due - timedelta(seconds=grace)
    return max(0, -(-over // _DAY))


def _deduction(days: int, rules: LateRules, most: float) -> float:
    """Return the points to deduct, rounded to two decimals."""
    points = days * rules.per_day.of(most)
    if rules.at_most is not None:
        points = min(points, rules.at_most.of(most))
    return total_of((points,))

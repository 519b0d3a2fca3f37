"""Grade several executions of a submission with different seeds, and choose one of them.

`grader/grading/best_attempt.py` makes the choice, and `grader/store/attempts.py` stores the attempts. The caller
decides whether evidence may come from an execution or only from the disk.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from grader.facts.language import english
from grader.grading.best_attempt import graded_attempt, nothing_to_gain, summary
from grader.grading.grade import ungraded
from grader.pipeline.course import Course
from grader.pipeline.publish import Judge, judge
from grader.schema.errors import ArtefactError, HarnessError, PredictorError, StorageError
from grader.schema.evidence import Evidence
from grader.schema.grade import AttemptGrade, AttemptsGrade, Grade, Lacking
from grader.schema.message import Message, literal, say
from grader.schema.submission import Submission
from grader.store.attempts import AttemptsFolder
from grader.store.database import ExecutionRow
from grader.store.results import ResultsFolder

__all__ = ["Handling", "Source", "grade_attempts", "regrade_attempts"]


@dataclass(frozen=True, slots=True)
class Handling:
    """How attempts are graded."""

    judge: Judge | None = None
    """Grades the evidence of one attempt; by default `publish.judge`."""
    writes: bool = True
    """Whether the evidence of the chosen attempt becomes the submission's evidence."""


_USUAL = Handling()


@dataclass(frozen=True, slots=True)
class Source:
    """The source of the attempts' evidence."""

    kept: Callable[[int], Evidence | None]
    """Returns stored evidence that can be graded, or None. Raises HarnessError for an attempt that the grader failed
    on, if it is not retried now."""
    execute: Callable[[int], Evidence] | None = None
    """Makes and stores evidence; None if nothing is executed."""
    seed: Callable[[int], int | None] = lambda _: None
    """Returns the seed of an attempt without evidence, if known."""
    lacking: Callable[[int, Evidence], Lacking] = lambda _number, _evidence: "lost"
    """Returns the reason why the evidence of an attempt has no prediction."""
    handling: Handling = _USUAL


@dataclass(slots=True)
class _Tried:
    """The results of the attempts so far, by number."""

    grades: dict[int, Grade] = field(default_factory=dict)
    failures: dict[int, HarnessError] = field(default_factory=dict)
    skipped: dict[int, Message] = field(default_factory=dict)


def grade_attempts(
    submission: Submission, course: Course, out: ResultsFolder, asked: int, source: Source
) -> tuple[Grade, Evidence | None]:
    """Grade several attempts and choose one; its evidence becomes the submission's evidence.

    All stored evidence is graded first. Missing attempts are executed only if they can change the points.

    Args:
        submission: The submission.
        course: Rubric, reference and data.
        out: The results folder of the class.
        asked: Number of attempts, at least 1.
        source: The source of their evidence.

    Returns:
        The grade of the chosen attempt, with a summary of all attempts, and its evidence. The grade is `not_graded`,
        without evidence, if the grader failed on every attempt.

    Raises:
        StorageError: Evidence cannot be stored or moved.
        StudentError: The submission is not a notebook.
    """
    rubric = course.loaded.rubric
    folder = AttemptsFolder(out, submission.id)
    tried = _Tried()
    numbers = range(1, asked + 1)
    for number in numbers:
        _try(number, source.kept, source, submission, course, tried)
        if source.execute is not None and isinstance(tried.failures.get(number), PredictorError):
            # Stored evidence never gets its lost predictions back, so execute again.
            del tried.failures[number]
    for number in numbers:
        if number not in tried.grades and number not in tried.failures:
            full = _full_marks(course, tried)
            if source.execute is None:
                tried.skipped[number] = full or say(
                    "it has no stored evidence, and only {command:code} executes notebooks", command="grader grade"
                )
            elif full is not None:
                tried.skipped[number] = full
                # Evidence that is stored here belongs to other settings; a regrade must not use it.
                folder.each.forget_evidence(str(number))
            else:
                _try(number, source.execute, source, submission, course, tried)
    attempts = summary([_line(n, course, tried, source) for n in numbers], asked=asked, take=rubric.run.take)
    shown = attempts if asked > 1 else None
    if attempts.taken is None:
        return _ungraded(submission, course, tried, attempts).model_copy(update={"attempts": shown}), None
    if source.handling.writes:
        folder.take(attempts.taken)
        evidence = out.read_evidence(submission.id)
    else:
        evidence = folder.each.read_evidence(str(attempts.taken))
    return tried.grades[attempts.taken].model_copy(update={"attempts": shown}), evidence


def _try(  # noqa: PLR0913, PLR0917 - the attempt, its submission, and the results
    number: int,
    origin: Callable[[int], Evidence | None],
    source: Source,
    submission: Submission,
    course: Course,
    tried: _Tried,
) -> None:
    """Grade one attempt; a failure of the grader affects only this attempt, unless results cannot be written."""
    try:
        evidence = origin(number)
        if evidence is not None:
            judging = source.handling.judge or judge
            tried.grades[number] = judging(submission, evidence, course, source.lacking(number, evidence))
    except StorageError:
        raise
    except HarnessError as error:
        tried.failures[number] = error


def _full_marks(course: Course, tried: _Tried) -> Message | None:
    """Explain why another execution cannot change the points; None if it can."""
    rubric = course.loaded.rubric
    full = [number for number, graded in sorted(tried.grades.items()) if nothing_to_gain(graded, rubric)]
    if not full:
        return None
    return say("attempt {number:number} already has full marks, so the points could not change", number=full[0])


def _line(number: int, course: Course, tried: _Tried, source: Source) -> AttemptGrade:
    """Make the row of one attempt in the grade."""
    if number in tried.grades:
        return graded_attempt(number, tried.grades[number], course.loaded.rubric)
    if number in tried.failures:
        failure = literal(str(tried.failures[number]).rstrip("."))
        return _without_grade(number, "not_graded", failure, source)
    return _without_grade(number, "skipped", tried.skipped[number], source)


def _without_grade(
    number: int, status: Literal["not_graded", "skipped"], reason: Message, source: Source
) -> AttemptGrade:
    return AttemptGrade(
        number=number, seed=source.seed(number), status=status, reason=english(reason), reason_says=reason
    )


def _ungraded(submission: Submission, course: Course, tried: _Tried, attempts: AttemptsGrade) -> Grade:
    if not tried.failures:
        msg = "no evidence of an execution is stored"
        return ungraded(submission, course.stamp, ArtefactError(msg, where=submission.id), course.loaded.rubric)
    number, error = min(tried.failures.items())
    if attempts.asked > 1:
        error = HarnessError(f"none of {attempts.asked} attempts could be graded; attempt {number}: {error}")
    return ungraded(submission, course.stamp, error, course.loaded.rubric)


def regrade_attempts(  # noqa: PLR0913 - the submission, its stored results, and how they are graded
    submission: Submission,
    old: Grade | None,
    course: Course,
    out: ResultsFolder,
    rows: tuple[ExecutionRow, ...],
    *,
    handling: Handling = _USUAL,
) -> tuple[Grade, Evidence | None]:
    """Grade the stored attempts again and choose again, without execution.

    The number of attempts is taken from the last grading; the choice follows the current rubric.

    Args:
        submission: The submission; attempts of another notebook are left out.
        old: Its previous grade, if it can be read.
        course: Rubric, reference and data.
        out: The results folder of the class.
        rows: Its executions in the database.
        handling: How the attempts are graded.

    Returns:
        See `grade_attempts`.

    Raises:
        StorageError: Evidence cannot be moved.
    """
    folder = AttemptsFolder(out, submission.id)
    executions = {row.attempt: row for row in rows}
    before = {one.number: one for one in old.attempts.tried} if old is not None and old.attempts else {}

    def seed(number: int) -> int | None:
        return before[number].seed if number in before else None

    def kept(number: int) -> Evidence | None:
        row = executions.get(number)
        if row is not None and submission.sha256 not in {"", row.key.notebook}:
            return None
        if row is not None and row.status == "failed":
            # Keep the reason of the previous grade; the database has only the text of the exception.
            attempt = before.get(number)
            raise HarnessError(attempt.reason if attempt is not None and attempt.reason else row.reason)
        return folder.each.read_evidence(str(number))

    def lacking(number: int, evidence: Evidence) -> Lacking:
        return course.lacking(evidence, executions[number].parts if number in executions else "", executes=False)

    asked = _asked_before(old, folder)
    return grade_attempts(
        submission, course, out, asked, Source(kept=kept, seed=seed, lacking=lacking, handling=handling)
    )


def _asked_before(old: Grade | None, folder: AttemptsFolder) -> int:
    if old is not None and old.attempts is not None:
        return old.attempts.asked
    if old is not None and old.status == "graded":
        return 1
    return max(folder.numbers(), default=1)

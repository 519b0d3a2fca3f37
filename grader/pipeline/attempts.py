"""One submission, executed several times with different seeds: each attempt graded, one of them taken.

`grader/grading/best_attempt.py` decides which one, `grader/store/attempts.py` knows where they lie; this wires both to
grading. Whether evidence comes from an execution or from the disk alone is the caller's to say.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from grader.grading.best_attempt import graded_attempt, nothing_to_gain, summary
from grader.grading.grade import ungraded
from grader.pipeline.course import Course
from grader.pipeline.publish import judge
from grader.schema.errors import ArtefactError, HarnessError, PredictorError, StorageError
from grader.schema.evidence import Evidence
from grader.schema.grade import AttemptGrade, AttemptsGrade, Grade, Lacking
from grader.schema.submission import Submission
from grader.store.attempts import AttemptsFolder
from grader.store.database import ExecutionRow
from grader.store.results import ResultsFolder

__all__ = ["Source", "grade_attempts", "regrade_attempts"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where the evidence of attempts comes from."""

    kept: Callable[[int], Evidence | None]
    """Evidence that may be graded as it is; None where there is none. Raises HarnessError for an attempt that the
    grader failed on and that is not tried again now."""
    execute: Callable[[int], Evidence] | None = None
    """Makes evidence and keeps it; None where nothing is executed."""
    seed: Callable[[int], int | None] = lambda _: None
    """The seed that an attempt without evidence has or would have, where that is known."""
    lacking: Callable[[int, Evidence], Lacking] = lambda _number, _evidence: "lost"
    """What it means where the evidence of an attempt lacks a prediction."""


@dataclass(slots=True)
class _Tried:
    """What came of the attempts so far, by number."""

    grades: dict[int, Grade] = field(default_factory=dict)
    failures: dict[int, HarnessError] = field(default_factory=dict)
    skipped: dict[int, str] = field(default_factory=dict)


def grade_attempts(
    submission: Submission, course: Course, out: ResultsFolder, asked: int, source: Source
) -> tuple[Grade, Evidence | None]:
    """Grade several attempts and take one; its evidence becomes the submission's.

    Evidence that is kept is graded first, all of it. What is missing is executed only where it can matter.

    Args:
        submission: Whose work it is.
        course: Rubric, reference, data.
        out: The class's results folder.
        asked: How many attempts, 1 or more.
        source: Where their evidence comes from.

    Returns:
        The grade of the attempt taken, with what came of all, and its evidence; a `not_graded` without evidence where
        the grader failed on every attempt.

    Raises:
        StorageError: Evidence cannot be kept or put in its place.
        StudentError: The submission is no notebook.
    """
    rubric = course.loaded.rubric
    folder = AttemptsFolder(out, submission.id)
    tried = _Tried()
    numbers = range(1, asked + 1)
    for number in numbers:
        _try(number, source.kept, source, submission, course, tried)
        if source.execute is not None and isinstance(tried.failures.get(number), PredictorError):
            # Evidence whose predictions were lost stays without them, however often it is judged.
            del tried.failures[number]
    for number in numbers:
        if number not in tried.grades and number not in tried.failures:
            needless = _needless(course, tried, executes=source.execute is not None)
            if source.execute is None:
                tried.skipped[number] = needless
            elif needless:
                tried.skipped[number] = needless
                # What lies there is of other settings, or it would have been graded; a regrade must not meet it.
                folder.each.forget_evidence(str(number))
            else:
                _try(number, source.execute, source, submission, course, tried)
    told = summary([_line(n, course, tried, source) for n in numbers], asked=asked, take=rubric.run.take)
    shown = told if asked > 1 else None
    if told.taken is None:
        return _ungraded(submission, course, tried, told).model_copy(update={"attempts": shown}), None
    folder.take(told.taken)
    evidence = out.read_evidence(submission.id)
    return tried.grades[told.taken].model_copy(update={"attempts": shown}), evidence


def _try(  # noqa: PLR0913, PLR0917 - which attempt, of what, and where it is noted
    number: int,
    origin: Callable[[int], Evidence | None],
    source: Source,
    submission: Submission,
    course: Course,
    tried: _Tried,
) -> None:
    """Grade one attempt; a failure of the grader's costs this attempt alone, unless nothing can be written at all."""
    try:
        evidence = origin(number)
        if evidence is not None:
            tried.grades[number] = judge(submission, evidence, course, source.lacking(number, evidence))
    except StorageError:
        raise
    except HarnessError as error:
        tried.failures[number] = error


def _needless(course: Course, tried: _Tried, *, executes: bool) -> str:
    """Why another execution is left out; empty where it is wanted."""
    rubric = course.loaded.rubric
    full = [number for number, graded in sorted(tried.grades.items()) if nothing_to_gain(graded, rubric)]
    if full:
        return f"attempt {full[0]} already has full marks, so the points could not change"
    return "" if executes else "there is no evidence of it, and only `grader grade` executes"


def _line(number: int, course: Course, tried: _Tried, source: Source) -> AttemptGrade:
    """One attempt as the grade tells it."""
    if number in tried.grades:
        return graded_attempt(number, tried.grades[number], course.loaded.rubric)
    if number in tried.failures:
        reason = str(tried.failures[number])
        return AttemptGrade(number=number, seed=source.seed(number), status="not_graded", reason=reason)
    return AttemptGrade(number=number, seed=source.seed(number), status="skipped", reason=tried.skipped[number])


def _ungraded(submission: Submission, course: Course, tried: _Tried, told: AttemptsGrade) -> Grade:
    if not tried.failures:
        msg = "no evidence of an execution is kept"
        return ungraded(submission, course.stamp, ArtefactError(msg, where=submission.id), course.loaded.rubric)
    number, error = min(tried.failures.items())
    if told.asked > 1:
        error = HarnessError(f"none of {told.asked} attempts could be graded; attempt {number}: {error}")
    return ungraded(submission, course.stamp, error, course.loaded.rubric)


def regrade_attempts(
    submission: Submission, old: Grade | None, course: Course, out: ResultsFolder, rows: tuple[ExecutionRow, ...]
) -> tuple[Grade, Evidence | None]:
    """Grade the kept attempts again and choose again, without execution.

    How many attempts there are is what the last grading asked for; which of them is taken is what the rubric says now.

    Args:
        submission: Whose work it is; attempts of another notebook are left out.
        old: Its grade until now, if it can be read.
        course: Rubric, reference, data.
        out: The class's results folder.
        rows: Its executions, as the database has them.

    Returns:
        As `grade_attempts`.

    Raises:
        StorageError: Evidence cannot be put in its place.
    """
    folder = AttemptsFolder(out, submission.id)
    known = {row.attempt: row for row in rows}
    before = {one.number: one for one in old.attempts.tried} if old is not None and old.attempts else {}

    def seed(number: int) -> int | None:
        return before[number].seed if number in before else None

    def kept(number: int) -> Evidence | None:
        row = known.get(number)
        if row is not None and submission.sha256 not in {"", row.key.notebook}:
            return None
        if row is not None and row.status == "failed":
            # As it was told before; the database has it in the words of what was raised.
            told = before.get(number)
            raise HarnessError(told.reason if told is not None and told.reason else row.reason)
        return folder.each.read_evidence(str(number))

    def lacking(number: int, evidence: Evidence) -> Lacking:
        return course.lacking(evidence, known[number].parts if number in known else "", executes=False)

    asked = _asked_before(old, folder)
    return grade_attempts(submission, course, out, asked, Source(kept=kept, seed=seed, lacking=lacking))


def _asked_before(old: Grade | None, folder: AttemptsFolder) -> int:
    if old is not None and old.attempts is not None:
        return old.attempts.asked
    if old is not None and old.status == "graded":
        return 1
    return max(folder.numbers(), default=1)

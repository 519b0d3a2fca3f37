"""Grade one submission: reuse stored results or execute, judge, and publish."""

from contextlib import suppress
from copy import copy
from pathlib import Path

from grader.grading.best_attempt import nothing_to_gain
from grader.grading.grade import ungraded
from grader.grading.parts import Parts
from grader.intake.find import Found, Rejected
from grader.intake.notebook import read_refused
from grader.pipeline.attempts import Source, grade_attempts
from grader.pipeline.course import Course
from grader.pipeline.execution import Attempt, Executor, Keys, keys_of
from grader.pipeline.judgements import with_people
from grader.pipeline.publish import (
    judge,
    judge_refused,
    publish,
    refused_evidence,
    render,
    standing_grade,
    unexpected,
)
from grader.pipeline.setup import Bench, seed_of
from grader.schema.errors import ArtefactError, GraderError, HarnessError, NotebookError, PredictorError
from grader.schema.evidence import Evidence
from grader.schema.grade import AUDIENCES, Grade
from grader.schema.progress import Listener, Step
from grader.schema.submission import Submission
from grader.store.attempts import AttemptsFolder
from grader.store.database import Database
from grader.store.results import ResultsFolder

__all__ = ["grade_found", "outcome_of", "publish_failure"]


def grade_found(found: Found, course: Course, bench: Bench, out: ResultsFolder, listener: Listener) -> Grade:
    """Grade one submission and write its results. A failure of the grader becomes a `not_graded`.

    Args:
        found: The submission, or the reason why it was rejected.
        course: Rubric, reference and data.
        bench: Sandbox and device.
        out: The results folder.
        listener: Receives progress reports.

    Raises:
        StorageError: The grade cannot be written.
    """
    submission = _as_submission(found)
    listener(Step(submission.id, "begun", "reading"))
    try:
        result = _graded(found, submission, course, bench, out, listener)
    except HarnessError as error:
        result = publish_failure(submission, error, course, out)
    except GraderError:
        raise
    except Exception as error:  # noqa: BLE001 - an error of the grader in one submission must not stop the class
        result = publish_failure(submission, unexpected(error), course, out)
    listener(outcome_of(result))
    return result


def _graded(  # noqa: PLR0913, PLR0917 - as `grade_found`
    found: Found, submission: Submission, course: Course, bench: Bench, out: ResultsFolder, listener: Listener
) -> Grade:
    try:
        if isinstance(found, Rejected):
            # The list of the class keeps the error; an error that was raised keeps this frame.
            raise copy(found.error)
        keys = keys_of(submission, course, bench)
        if bench.options.resume and (current := _current(submission, keys, course, out)) is not None:
            return current
        executor = Executor(course, bench, Database(out.database_path), listener)
        computed, evidence, parts = _judged(submission, keys, executor, out)
        result = with_people(computed, course)
        publish(result, evidence, course, out, parts)
    except NotebookError as error:
        # Evidence of an earlier notebook must not be used for this one.
        out.forget_evidence(submission.id)
        evidence = _readable_part(found, error)
        if evidence is not None:
            out.write_evidence(submission.id, evidence)
        result = with_people(judge_refused(submission, evidence, error, course), course)
        publish(result, evidence, course, out)
    return result


def _readable_part(found: Found, error: NotebookError) -> Evidence | None:
    """Read the cells of a notebook that is not executed; None if there are none."""
    notebook = None if isinstance(found, Rejected) else read_refused(found.notebook)
    return None if notebook is None else refused_evidence(notebook, error)


def _current(submission: Submission, keys: Keys, course: Course, out: ResultsFolder) -> Grade | None:
    """Find the existing grade of executions with the same keys, if none of its inputs changed."""
    try:
        current = standing_grade(submission, course, out)
    except ArtefactError:
        return None
    if current is None:
        return None
    attempts = current.attempts
    tried = () if attempts is None else attempts.tried
    if len(keys) != (1 if attempts is None else attempts.asked) or any(one.status == "not_graded" for one in tried):
        return None
    if any(one.status == "skipped" for one in tried) and not nothing_to_gain(current, course.loaded.rubric):
        # A regrade had to skip attempts without evidence; they can be executed now.
        return None
    database = Database(out.database_path)
    numbers = [one.number for one in tried if one.status == "graded"] or [1]
    missing = any(database.needs_execution(submission.id, keys[number], attempt=number) for number in numbers)
    return None if missing else current


def publish_failure(found: Found, error: HarnessError, course: Course, out: ResultsFolder) -> Grade:
    """Write a `not_graded`, without a report if that fails, too.

    Raises:
        StorageError: The grade cannot be written.
    """
    result = with_people(ungraded(_as_submission(found), course.stamp, error, course.loaded.rubric), course)
    out.write_grade(result)
    Database(out.database_path).record_grading(result)
    try:
        render(result, None, course, out)
    except Exception:  # noqa: BLE001 - the report may be the cause of the failure
        for audience in AUDIENCES:
            out.report_path(result.submission.id, audience).unlink(missing_ok=True)
    return result


def _as_submission(found: Found) -> Submission:
    if isinstance(found, Submission):
        return found
    return Submission(
        id=found.id,
        student=found.student,
        notebook=Path(),
        files=found.files,
        sha256=found.sha256,
        notes=found.notes,
        submitted=found.submitted,
        submitted_from=found.submitted_from,
    )


def outcome_of(result: Grade) -> Step:
    """Summarize the outcome of a submission as a progress report."""
    return Step(result.submission.id, "done", _outcome(result), failed=result.status == "not_graded")


def _outcome(result: Grade) -> str:
    if result.status == "not_graded":
        return f"not graded: {result.reason}"
    pending = f", {result.pending:g} pending" if result.pending else ""
    attempts = result.attempts
    taken = f", attempt {attempts.taken} of {attempts.asked}" if attempts is not None else ""
    return f"{result.score:g} of {result.max_score:g}{pending}{taken}"


def _judged(
    submission: Submission, keys: Keys, executor: Executor, out: ResultsFolder
) -> tuple[Grade, Evidence | None, Parts | None]:
    """Execute the requested attempts, or reuse stored evidence, and grade; only a single attempt has parts."""
    course, options = executor.course, executor.bench.options
    folder = AttemptsFolder(out, submission.id)

    def judged(evidence: Evidence, only: Attempt) -> tuple[Grade, Evidence, Parts]:
        parts = Parts()
        return judge(submission, evidence, course, executor.lacking(only, evidence), parts=parts), evidence, parts

    def attempt(number: int, kept: ResultsFolder, name: str) -> Attempt:
        seed = seed_of(course.loaded, options, number)
        return Attempt(submission, number, len(keys), keys[number], seed, kept, name)

    if len(keys) == 1 and not folder.exists():
        only = attempt(1, out, submission.id)
        kept = executor.kept(only)
        if kept is not None:
            # Stored evidence never gets its lost predictions back, so execute again.
            with suppress(PredictorError):
                return judged(kept, only)
        return judged(executor.execute(only), only)
    folder.begin()
    every = {number: attempt(number, folder.each, str(number)) for number in keys}

    def execute(number: int) -> Evidence:
        try:
            return executor.execute(every[number])
        except GraderError:
            raise
        except Exception as error:
            raise unexpected(error) from error

    source = Source(
        kept=lambda number: executor.kept(every[number]),
        execute=execute,
        seed=lambda number: seed_of(course.loaded, options, number),
        lacking=lambda number, evidence: executor.lacking(every[number], evidence),
    )
    return *grade_attempts(submission, course, out, len(keys), source), None

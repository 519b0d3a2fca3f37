"""Wires the rooms: one submission through all of them, a whole class, a regrade, a reference."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from grader.datasets.store import DatasetStore
from grader.execution.sandbox.capacity import DeviceSlots
from grader.execution.sandbox.scratch import held_folder, sweep
from grader.grading.best_attempt import nothing_to_gain
from grader.grading.grade import outline, rejected, ungraded
from grader.grading.loader import LoadedRubric
from grader.intake.find import Found, Rejected, find_submissions
from grader.pipeline.attempts import Source, grade_attempts
from grader.pipeline.course import Course, assemble_course, reference_notebook
from grader.pipeline.engines import Engine, LocalEngine
from grader.pipeline.execution import Attempt, Executor, Keys, keys_of, seed_of
from grader.pipeline.publish import judge, publish, publish_class, render, standing_grade, unexpected
from grader.pipeline.setup import Bench, Options, attempts_of, set_up, warmed
from grader.schema.errors import ArtefactError, GraderError, HarnessError, NotebookError, PredictorError, RubricError
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade
from grader.schema.progress import Listener, Step
from grader.schema.submission import Submission
from grader.store.attempts import AttemptsFolder
from grader.store.database import Database
from grader.store.results import ResultsFolder

__all__ = [
    "at_work",
    "executions_of",
    "grade_class",
    "grade_found",
    "kept_of_others",
    "outcome_of",
    "publish_failure",
    "run_class",
    "verify_reference",
]

# --- rubrics and references ------------------------------------------------------------------------------------


def verify_reference(
    loaded: LoadedRubric, store: DatasetStore, options: Options, listener: Listener
) -> tuple[Grade, Evidence]:
    """Send the reference solution through the grader as if a student had handed it in.

    Returns:
        Its grade and the evidence of its execution.

    Raises:
        RubricError: The rubric names no reference, or one that is not there.
        HarnessError: It could not be graded.
    """
    notebook = reference_notebook(loaded)
    if notebook is None:
        msg = "the rubric names no reference"
        raise RubricError(msg, where=str(loaded.path), advice="add `reference: NAME.ipynb`")
    course = assemble_course(loaded, None, store)
    with held_folder() as folder:
        out = ResultsFolder(folder)
        found = find_submissions([notebook], unpack_to=folder / ".unpacked")[0]
        graded = grade_found(found, course, set_up(loaded, replace(options, attempts=1)), out, listener)
        evidence = out.read_evidence(graded.submission.id)
    if graded.status == "not_graded" or evidence is None:
        raise HarnessError(graded.reason or "the reference could not be graded", where=str(notebook))
    return graded, evidence


# --- the results folder ----------------------------------------------------------------------------------------


@contextmanager
def at_work(out: ResultsFolder) -> Iterator[None]:
    """Make sure, before anything is executed, that results can be written and that no other grader writes them.

    What graders that were killed left behind is removed: half-written files here, and their folders and programs.

    Raises:
        UsageError: There is a file of that name, or another grader is at work.
        StorageError: The folder cannot be made or written to.
    """
    with out.at_work():
        sweep()
        yield


def kept_of_others(found: Sequence[Found], out: ResultsFolder) -> tuple[str, ...]:
    """Say what a results folder holds of others than these: they stay, but for those whose name one of these has.

    Returns:
        A warning each, in words.
    """
    names = {one.id for one in found}
    others = [name for name in out.submissions() if name not in names]
    replaced = [one.id for one in found if _replaces(one, out.grade_data(one.id), among_others=bool(others))]
    warnings = []
    if others:
        warnings.append(
            f"warning: {out.root} also holds results of {len(others)} that are not among these submissions: "
            f"{_some(others)}; they stay on the class page"
        )
    if replaced:
        warnings.append(
            f"warning: {len(replaced)} of these have the name of another notebook that was graded here before, "
            f"whose results are replaced: {_some(replaced)}; give each section an `--out` of its own"
        )
    return tuple(warnings)


def _replaces(found: Found, kept: Any, *, among_others: bool) -> bool:
    """Tell another student's kept grade from an earlier one of the same student's.

    Of two notebooks with one file name nobody can tell; where results of others lie beside them, they may be of another
    section.
    """
    try:
        student, sha256 = kept["submission"]["student"], kept["submission"]["sha256"]
    except (TypeError, KeyError):
        return False
    if not sha256 or not found.sha256 or sha256 == found.sha256:
        return False
    return among_others or student != found.student


def _some(names: Sequence[str]) -> str:
    most = 5
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


# --- one submission --------------------------------------------------------------------------------------------


def grade_found(found: Found, course: Course, bench: Bench, out: ResultsFolder, listener: Listener) -> Grade:
    """Grade one submission and write all that belongs to it. A failure of the grader becomes a `not_graded`.

    Args:
        found: What intake found.
        course: Rubric, reference, data.
        bench: Sandbox and device.
        out: The results folder.
        listener: Told how it goes.

    Raises:
        StorageError: Not even the grade can be written.
    """
    submission = _as_submission(found)
    listener(Step(submission.id, "begun", "reading"))
    try:
        result = _graded(found, submission, course, bench, out, listener)
    except HarnessError as error:
        result = publish_failure(submission, error, course, out)
    except GraderError:
        raise
    except Exception as error:  # noqa: BLE001 - a fault of the grader's in one submission must not cost the class
        result = publish_failure(submission, unexpected(error), course, out)
    listener(outcome_of(result))
    return result


def _graded(  # noqa: PLR0913, PLR0917 - as `grade_found`
    found: Found, submission: Submission, course: Course, bench: Bench, out: ResultsFolder, listener: Listener
) -> Grade:
    try:
        if isinstance(found, Rejected):
            raise found.error
        keys = keys_of(submission, course, bench)
        if bench.options.resume and (standing := _standing(submission, keys, course, out)) is not None:
            return standing
        executor = Executor(course, bench, Database(out.database_path), listener)
        result, evidence = _judged(submission, keys, executor, out)
        publish(result, evidence, course, out)
    except NotebookError as error:
        # What an earlier notebook of theirs left must not be taken for this one's.
        out.forget_evidence(submission.id)
        result = rejected(submission, course.stamp, course.loaded.rubric, error)
        publish(result, None, course, out)
    return result


def _standing(submission: Submission, keys: Keys, course: Course, out: ResultsFolder) -> Grade | None:
    """Find the grade of the very same executions that nothing has changed about since."""
    try:
        standing = standing_grade(submission, course, out)
    except ArtefactError:
        return None
    if standing is None:
        return None
    told = standing.attempts
    tried = () if told is None else told.tried
    if len(keys) != (1 if told is None else told.asked) or any(one.status == "not_graded" for one in tried):
        return None
    if any(one.status == "skipped" for one in tried) and not nothing_to_gain(standing, course.loaded.rubric):
        # A regrade executes nothing: what it had to leave out is wanted now.
        return None
    database = Database(out.database_path)
    numbers = [one.number for one in tried if one.status == "graded"] or [1]
    missing = any(database.needs_execution(submission.id, keys[number], attempt=number) for number in numbers)
    return None if missing else standing


def publish_failure(found: Found, error: HarnessError, course: Course, out: ResultsFolder) -> Grade:
    """Write a `not_graded`; where even its report fails, the grade stands without one.

    Raises:
        StorageError: Not even the grade can be written.
    """
    result = ungraded(_as_submission(found), course.stamp, error, course.loaded.rubric)
    out.write_grade(result)
    Database(out.database_path).record_grading(result)
    try:
        render(result, None, course, out)
    except Exception:  # noqa: BLE001 - the report may be the very thing that fails
        out.report_path(result.submission.id).unlink(missing_ok=True)
    return result


def _as_submission(found: Found) -> Submission:
    if isinstance(found, Submission):
        return found
    return Submission(id=found.id, student=found.student, notebook=Path(), files=found.files, sha256=found.sha256)


def outcome_of(result: Grade) -> Step:
    """Say in a few words how a submission ended."""
    return Step(result.submission.id, "done", _outcome(result), failed=result.status == "not_graded")


def _outcome(result: Grade) -> str:
    if result.status == "not_graded":
        return f"not graded: {result.reason}"
    pending = f", {result.pending:g} pending" if result.pending else ""
    told = result.attempts
    taken = f", attempt {told.taken} of {told.asked}" if told is not None else ""
    return f"{result.score:g} of {result.max_score:g}{pending}{taken}"


def _judged(
    submission: Submission, keys: Keys, executor: Executor, out: ResultsFolder
) -> tuple[Grade, Evidence | None]:
    """Execute as often as asked for, or use what is kept, and grade."""
    course, options = executor.course, executor.bench.options
    folder = AttemptsFolder(out, submission.id)

    def attempt(number: int, kept: ResultsFolder, name: str) -> Attempt:
        seed = seed_of(course, options, number)
        return Attempt(submission, number, len(keys), keys[number], seed, kept, name)

    if len(keys) == 1 and not folder.exists():
        only = attempt(1, out, submission.id)
        kept = executor.kept(only)
        if kept is not None:
            # Evidence whose predictions were lost stays without them, however often it is judged.
            with suppress(PredictorError):
                return judge(submission, kept, course, executor.lacking(only, kept)), kept
        evidence = executor.execute(only)
        return judge(submission, evidence, course, executor.lacking(only, evidence)), evidence
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
        seed=lambda number: seed_of(course, options, number),
        lacking=lambda number, evidence: executor.lacking(every[number], evidence),
    )
    return grade_attempts(submission, course, out, len(keys), source)


# --- a class ---------------------------------------------------------------------------------------------------


def grade_class(
    found: Sequence[Found], course: Course, bench: Bench, out: ResultsFolder, listener: Listener
) -> tuple[Grade, ...]:
    """Grade many submissions on this machine, a few at a time, and write the pages of the class; see `run_class`."""
    devices = bench.devices or (bench.device,)
    slots = DeviceSlots(devices)
    with warmed(bench, executions_of(len(found), course, bench.options)) as ready:

        def grade_one(one: Found, listen: Listener) -> Grade:
            with slots.lend() as device:
                return outline(grade_found(one, course, replace(ready, device=device), out, listen))

        return run_class(LocalEngine(grade_one, len(devices)), found, course, out, listener)


def run_class(
    engine: Engine, found: Sequence[Found], course: Course, out: ResultsFolder, listener: Listener
) -> tuple[Grade, ...]:
    """Let an engine grade many submissions, and write the pages of the class.

    Returns:
        Outlines of the grades in the order of `found`; whole they are in the results folder.

    Raises:
        StorageError: Results cannot be written.
        KeyboardInterrupt: The person does not want to wait; what ran was ended first, and nothing of it is kept.
    """
    with closing(engine.grades(found, listener)) as grading:
        # Of a whole class only what everybody is told of each is kept in memory.
        grades = {grade.submission.id: outline(grade) for grade in grading}
    publish_class(out, course.loaded.rubric.title, course.ranked_by)
    return tuple(grades[one.id] for one in found)


def executions_of(submissions: int, course: Course, options: Options) -> int:
    """How many executions there are at most."""
    return submissions * attempts_of(course.loaded, options)

"""Wires the rooms: one submission through all of them, a whole class, a regrade, a reference."""

import functools
import hashlib
import importlib.metadata
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import nbformat
import numpy as np
from nbformat import NotebookNode

from grader import __version__
from grader.attempts import Source, grade_attempts
from grader.courses import Course, assemble_course, reference_notebook
from grader.datasets.store import DatasetStore
from grader.doctor import Probes, probe_machine
from grader.engines import Engine, LocalEngine
from grader.evidence.artefacts import ArtefactFolder
from grader.evidence.build import build_evidence
from grader.evidence.predictions import (
    PredictionPlan,
    PredictionResult,
    apply_predictions,
    plan_inputs,
    plan_predictions,
    recorded_results,
)
from grader.execution.capacity import DeviceSlots, divide, look_at_machine
from grader.execution.collect import collect, read_record
from grader.execution.device import Device, choose_devices
from grader.execution.isolation import Isolation, choose_isolation
from grader.execution.layout import digest_files
from grader.execution.predict import PredictionJob, predict
from grader.execution.runner import ExecutionOutcome, ExecutionRequest, Progress, execute
from grader.execution.scratch import held_folder, scratch_folder, sweep
from grader.execution.warm import WarmPool
from grader.grading.attempts import attempt_seed, nothing_to_gain
from grader.grading.grade import outline, rejected, ungraded
from grader.grading.loader import LoadedRubric
from grader.intake.find import Found, Rejected, find_submissions
from grader.intake.notebook import read_notebook
from grader.intake.recognise import recognise_dialect
from grader.publishing import judge, publish, publish_class, render, standing_grade, unexpected
from grader.schema.errors import (
    ArtefactError,
    DatasetMissingError,
    GraderError,
    HarnessError,
    IsolationRefusedError,
    NotebookError,
    RubricError,
)
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade
from grader.schema.progress import Listener, Step
from grader.schema.submission import Submission
from grader.store.attempts import AttemptsFolder
from grader.store.database import Database, ExecutionKey, digest_of
from grader.store.results import ResultsFolder

__all__ = [
    "Bench",
    "Listener",
    "Options",
    "at_work",
    "executions_of",
    "grade_class",
    "grade_found",
    "outcome_of",
    "probe",
    "publish_failure",
    "run_class",
    "set_up",
    "verify_reference",
    "warmed",
]

IsolationChoice = Literal["auto", "bubblewrap", "container", "none"]

_SPLIT = "test"
"""Split that accuracy is verified on."""
_WARM_PROCESSES = 4
"""Kernels and predictors, of notebooks for Keras 3 and for Keras 2."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line decides, beside paths."""

    isolation: IsolationChoice = "auto"
    device: Literal["auto", "cpu", "gpu"] = "auto"
    jobs: int | None = 1
    """Submissions at the same time; None decides by the machine."""
    seed: int | None = None
    """Instead of the rubric's."""
    attempts: int | None = None
    """Executions of each notebook, instead of the rubric's number."""
    resume: bool = True
    """Whether kept evidence of the same notebook, settings, versions and data is used again."""
    warm: bool | None = None
    """Whether a class's kernels are forked from a process that has imported TensorFlow already; None: where that is
    possible and there are several submissions."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What execution needs beside the course: a sandbox, devices, threads."""

    isolation: Isolation
    device: Device
    threads: int
    """For one notebook."""
    options: Options
    python: Path
    devices: tuple[Device, ...] = ()
    """One for each notebook that runs at the same time; where there are none, one runs on `device`."""
    warm: WarmPool | None = None
    """Where kernels and predictors are forked from; without it each is started cold."""
    notices: list[str] = field(default_factory=list)
    """What went otherwise than asked for without harm to a grade, in words; added to while a class is graded."""


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


# --- setting up ------------------------------------------------------------------------------------------------


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


def set_up(loaded: LoadedRubric, options: Options, submissions: int | None = None) -> Bench:
    """Decide how notebooks are executed on this machine, and how many at the same time.

    Args:
        loaded: The rubric.
        options: Of the command line.
        submissions: How many there are to grade, where that is known.

    Raises:
        IsolationRefusedError: No sandbox works here and none was not asked for.
        UsageError: A GPU was asked for and there is none.
    """
    isolation = choose_isolation(options.isolation)
    asked = options.attempts or loaded.rubric.run.attempts
    share = divide(
        look_at_machine(choose_devices(options.device)),
        options.jobs,
        memory_each=loaded.rubric.run.memory,
        submissions=submissions,
        warm=options.warm is not False and (submissions != 1 or asked > 1),
    )
    return Bench(
        isolation=isolation,
        device=share.devices[0],
        threads=share.threads,
        options=options,
        python=Path(loaded.rubric.run.kernel or sys.executable),
        devices=share.devices,
        notices=list(share.notices),
    )


def probe() -> Probes:
    """Look at this machine, starting a sandbox for a moment."""
    found = {status.name: status.source for status in DatasetStore().available()}
    return probe_machine(datasets=found, sandbox=_sandbox_problem)


def _sandbox_problem() -> str | None:
    try:
        choose_isolation("bubblewrap")
    except IsolationRefusedError as error:
        return error.message
    return None


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
        if bench.options.resume and (standing := _standing(submission, course, bench, out)) is not None:
            return standing
        result, evidence = _judged(submission, course, bench, out, listener)
        publish(result, evidence, course, out)
    except NotebookError as error:
        # What an earlier notebook of theirs left must not be taken for this one's.
        out.forget_evidence(submission.id)
        result = rejected(submission, course.stamp, course.loaded.rubric, error)
        publish(result, None, course, out)
    return result


def _standing(submission: Submission, course: Course, bench: Bench, out: ResultsFolder) -> Grade | None:
    """Find the grade of the very same executions that nothing has changed about since."""
    try:
        standing = standing_grade(submission, course, out)
    except ArtefactError:
        return None
    if standing is None:
        return None
    asked = _asked(course, bench)
    told = standing.attempts
    tried = () if told is None else told.tried
    if asked != (1 if told is None else told.asked) or any(one.status == "not_graded" for one in tried):
        return None
    if any(one.status == "skipped" for one in tried) and not nothing_to_gain(standing, course.loaded.rubric):
        # A regrade executes nothing: what it had to leave out is wanted now.
        return None
    database = Database(out.database_path)
    numbers = [one.number for one in tried if one.status == "graded"] or [1]
    keys = {number: _execution_key(submission, course, bench, number) for number in numbers}
    missing = any(database.needs_execution(submission.id, key, attempt=number) for number, key in keys.items())
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


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One execution of a submission, and where what it leaves is kept."""

    submission: Submission
    number: int
    of: int
    kept: ResultsFolder
    name: str
    """Its name in that folder."""


def _judged(
    submission: Submission, course: Course, bench: Bench, out: ResultsFolder, listener: Listener
) -> tuple[Grade, Evidence | None]:
    """Execute as often as asked for, or use what is kept, and grade."""
    asked = _asked(course, bench)
    folder = AttemptsFolder(out, submission.id)
    database = Database(out.database_path)
    if asked == 1 and not folder.exists():
        only = _Attempt(submission, 1, 1, out, submission.id)
        evidence = _kept_evidence(only, course, bench, database)
        if evidence is None:
            evidence = _evidence(only, course, bench, database, listener)
        return judge(submission, evidence, course), evidence
    folder.begin()
    every = {n: _Attempt(submission, n, asked, folder.each, str(n)) for n in range(1, asked + 1)}

    def execute(number: int) -> Evidence:
        try:
            return _evidence(every[number], course, bench, database, listener)
        except GraderError:
            raise
        except Exception as error:
            raise unexpected(error) from error

    source = Source(
        kept=lambda number: _kept_evidence(every[number], course, bench, database),
        execute=execute,
        seed=lambda number: _seed(course, bench, number),
    )
    return grade_attempts(submission, course, out, asked, source)


def _asked(course: Course, bench: Bench) -> int:
    """How many executions of each notebook are asked for."""
    return bench.options.attempts or course.loaded.rubric.run.attempts


def _kept_evidence(attempt: _Attempt, course: Course, bench: Bench, database: Database) -> Evidence | None:
    """Find kept evidence of the very same execution."""
    key = _execution_key(attempt.submission, course, bench, attempt.number)
    if not bench.options.resume or database.needs_execution(attempt.submission.id, key, attempt=attempt.number):
        return None
    try:
        return attempt.kept.read_evidence(attempt.name)
    except ArtefactError:
        return None


def _evidence(attempt: _Attempt, course: Course, bench: Bench, database: Database, listener: Listener) -> Evidence:
    """Execute, and note that it was done or that the grader failed."""
    key = _execution_key(attempt.submission, course, bench, attempt.number)
    name, number = attempt.submission.id, attempt.number
    begun = time.monotonic()
    try:
        evidence = _execute(attempt, key, course, bench, database, listener)
    except NotebookError:
        raise
    except Exception as error:
        seconds = time.monotonic() - begun
        database.record_execution(name, key, seconds=seconds, attempt=number, failure=str(error))
        raise
    database.record_execution(name, key, seconds=time.monotonic() - begun, attempt=number)
    return evidence


def _seed(course: Course, bench: Bench, number: int) -> int:
    """The seed that an attempt is executed with, and that its kept evidence is known by."""
    seed = course.loaded.rubric.run.seed if bench.options.seed is None else bench.options.seed
    return attempt_seed(seed, number)


def _execution_key(submission: Submission, course: Course, bench: Bench, number: int = 1) -> ExecutionKey:
    # How many attempts there are and which one is taken changes none of them.
    settings = course.loaded.rubric.run.model_dump(mode="json", exclude={"attempts", "take"})
    seed = _seed(course, bench, number)
    return ExecutionKey(
        notebook=submission.sha256,
        settings=digest_of(
            settings,
            # Of several GPUs the first stands for all: which of them is free must not decide what is executed again.
            {"seed": seed, "device": (bench.devices or (bench.device,))[0].label, "isolation": bench.isolation.name},
            *({name: task.model_dump(mode="json")} for name, task in course.loaded.rubric.tasks.items()),
        ),
        runtime=digest_of(_runtime(bench.python)),
        data=digest_of(
            {name: data.sha256 for name, data in course.prepared.items()},
            "" if submission.folder is None else digest_files(submission.folder),
        ),
    )


@functools.cache
def _runtime(python: Path) -> dict[str, str]:
    """Everything installed that can change an execution: the recorder's own code, and the kernel's packages."""
    inside = Path(__file__).parent / "execution" / "inside"
    code = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(inside.rglob("*.py")))).hexdigest()
    known: dict[str, str] = {"grader": __version__, "inside": code, "python": str(python.resolve())}
    for name in ("tensorflow-cpu", "tensorflow", "keras", "tf-keras", "numpy"):
        try:
            known[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return known


def _execute(  # noqa: PLR0913, PLR0917 - as `grade_found`
    attempt: _Attempt, key: ExecutionKey, course: Course, bench: Bench, database: Database, listener: Listener
) -> Evidence:
    """Execute, collect the record, predict, and keep it all."""
    rubric, submission = course.loaded.rubric, attempt.submission
    notebook = read_notebook(submission.notebook)
    dialect = recognise_dialect(notebook).dialect if rubric.run.dialect == "auto" else rubric.run.dialect
    data = course.whereabouts()
    with scratch_folder() as scratch:
        outcome = execute(
            ExecutionRequest(
                notebook=notebook,
                scratch=scratch / "run",
                isolation=bench.isolation,
                settings=rubric.run,
                device=bench.device,
                dialect=dialect,
                seed=_seed(course, bench, attempt.number),
                threads=bench.threads,
                files=submission.folder,
                data=course.data_root,
                datasets=rubric.all_datasets,
                elsewhere=course.stand_ins,
                graded_dataset=rubric.dataset,
                warm=bench.warm,
            ),
            lambda progress: listener(_step(attempt, progress)),
        )
        _check_data(data, course)
        filled = attempt.kept.new_evidence_folder(attempt.name)
        try:
            listener(_word(attempt, "verifying"))
            evidence = _gather(outcome, notebook, filled, course, bench, scratch)
            listener(_word(attempt, "grading"))
            attempt.kept.write_evidence(attempt.name, evidence, filled=filled)
            database.begin_replacing(submission.id, key, attempt=attempt.number)
            attempt.kept.adopt_evidence(attempt.name, filled)
        finally:
            shutil.rmtree(filled, ignore_errors=True)
    attempt.kept.write_executed(attempt.name, nbformat.writes(outcome.notebook))
    return evidence


def _check_data(before: Mapping[str, object], course: Course) -> None:
    """Make sure that a notebook could read the course's data all the time.

    Raises:
        DatasetMissingError: A data set vanished or was exchanged meanwhile; what the notebook made of that is not its
            own doing.
    """
    if course.whereabouts() != before:
        msg = "a data set was exchanged while the notebook was executed"
        raise DatasetMissingError(msg, where=", ".join(course.prepared), advice="the same command tries again")


def _step(attempt: _Attempt, progress: Progress) -> Step:
    cell = f"cell {progress.done + 1} of {progress.total}"
    words = {
        "starting": "starting the kernel",
        "started": "kernel started",
        "cell": cell,
        "running": cell + _epoch(progress),
        "finishing": "closing the record",
        "ended": "executed",
    }
    return _word(attempt, words[progress.kind], progress.done, progress.total)


def _word(attempt: _Attempt, text: str, done: int = 0, total: int = 0) -> Step:
    which = f"attempt {attempt.number} of {attempt.of}: " if attempt.of > 1 else ""
    return Step(attempt.submission.id, "working", which + text, done, total)


def _epoch(progress: Progress) -> str:
    if progress.epoch is None:
        return ""
    return f", epoch {progress.epoch}" + ("" if progress.epochs is None else f" of {progress.epochs}")


def _gather(  # noqa: PLR0913, PLR0917 - the parts of one execution
    outcome: ExecutionOutcome, submitted: NotebookNode, folder: Path, course: Course, bench: Bench, scratch: Path
) -> Evidence:
    """Turn what a sandbox left into evidence in `folder`."""
    collected = collect(outcome.out, folder)
    record = read_record(folder / "events.jsonl")
    arrays = ArtefactFolder(folder)
    evidence = build_evidence(
        run=outcome.run,
        notebook=outcome.notebook,
        submitted=submitted,
        events=record.events,
        arrays=arrays,
        indexes=course.indexes,
        problems=(*outcome.problems, *collected.problems, *record.problems),
        keep=arrays.keep,
        stand_ins=tuple(course.stand_ins),
    )
    rubric = course.loaded.rubric
    plans = plan_predictions(evidence, rubric.dataset, (_SPLIT,), course.indexes, arrays, rubric)
    results = (*_predicted(plans, folder, course, bench, scratch), *recorded_results(plans, arrays))
    return apply_predictions(evidence, results, course.indexes)


def _predicted(
    plans: Sequence[PredictionPlan], folder: Path, course: Course, bench: Bench, scratch: Path
) -> Iterator[PredictionResult]:
    """Let the predictor's sandbox answer; models lie in the evidence folder, inputs are made for each plan."""
    by_id = {plan.id: plan for plan in plans if plan.format != "predictions"}
    if not by_id:
        return
    inputs = _InputFiles(scratch / "inputs")
    jobs = []
    for plan in by_id.values():
        path = inputs.add(plan_inputs(plan, course.indexes))
        if path is None:
            yield PredictionResult(plan, None, "it was not tried: the notebook's other networks took all the room")
        else:
            jobs.append(_job(plan, folder, path))
    answers = predict(
        jobs,
        isolation=bench.isolation,
        scratch=scratch / "predict",
        python=bench.python,
        device=bench.device,
        threads=bench.threads,
        warm=bench.warm,
    )
    for answer in answers:
        yield PredictionResult(by_id[answer.id], answer.outputs, answer.error, answer.model)


class _InputFiles:
    """Prepared images on disk, each content once; a record can name any number of networks and preparations."""

    def __init__(self, folder: Path, most_bytes: int = 4 << 30) -> None:
        self._folder = folder
        self._left = most_bytes
        self._known: dict[bytes, Path] = {}
        folder.mkdir()

    def add(self, images: np.ndarray[Any, Any]) -> Path | None:
        """Write images where they are not there yet; None where there is no room left."""
        digest = hashlib.sha256(repr(images.shape).encode() + np.ascontiguousarray(images).tobytes()).digest()
        if digest not in self._known:
            if images.nbytes > self._left:
                return None
            self._left -= images.nbytes
            self._known[digest] = self._folder / f"{len(self._known)}.npy"
            np.save(self._known[digest], images, allow_pickle=False)
        return self._known[digest]


def _job(plan: PredictionPlan, folder: Path, inputs: Path) -> PredictionJob:
    kind: Literal["keras", "saved_model"] = "saved_model" if plan.format == "saved_model" else "keras"
    model = ArtefactFolder(folder).path(plan.artefact)
    return PredictionJob(id=plan.id, model=model, format=kind, dialect=plan.dialect, inputs=inputs)


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
    return submissions * (options.attempts or course.loaded.rubric.run.attempts)


def _forks(bench: Bench, executions: int) -> bool:
    """Whether warm processes are used: where asked for, else where they are possible and their start pays."""
    if bench.options.warm is not None:
        return bench.options.warm
    if executions > 1 and bench.device.kind == "gpu":
        bench.notices.append("each kernel starts cold: a process that uses a GPU cannot be forked safely")
    return executions > 1 and bench.isolation.name == "bubblewrap" and bench.device.kind == "cpu"


@contextmanager
def warmed(bench: Bench, executions: int) -> Iterator[Bench]:
    """Give a bench its warm processes for as long as a class is graded, if they are used.

    They start when the first kernel is needed. Why one could not be used is added to the bench's notices.

    Args:
        bench: Where the class is graded.
        executions: How many there are at most.
    """
    if not _forks(bench, executions):
        yield bench
        return
    with WarmPool(most=_WARM_PROCESSES) as warm:
        try:
            yield replace(bench, warm=warm)
        finally:
            bench.notices.extend(f"started cold: {reason}" for reason in warm.failures)

"""Wires the rooms: one submission through all of them, a whole class, a regrade, a reference."""

import hashlib
import importlib.metadata
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import nbformat
import numpy as np
from nbformat import NotebookNode

from grader import __version__
from grader.courses import Course, assemble_course, reference_notebook
from grader.datasets.store import DatasetStore
from grader.doctor import Probes, probe_machine
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
from grader.execution.collect import collect, read_record
from grader.execution.device import Device, choose_device
from grader.execution.isolation import Isolation, choose_isolation
from grader.execution.layout import scratch_folder
from grader.execution.predict import PredictionJob, predict
from grader.execution.runner import ExecutionOutcome, ExecutionRequest, Progress, execute
from grader.execution.warm import WarmPool
from grader.grading.grade import outline, rejected, ungraded
from grader.grading.loader import LoadedRubric
from grader.intake.find import Found, Rejected, find_submissions
from grader.intake.notebook import read_notebook
from grader.intake.recognise import recognise_dialect
from grader.publishing import judge, publish, publish_class, render, unexpected
from grader.schema.errors import (
    ArtefactError,
    GraderError,
    HarnessError,
    IsolationRefusedError,
    NotebookError,
    RubricError,
    UsageError,
)
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade
from grader.schema.progress import Step
from grader.schema.submission import Submission
from grader.store.database import Database, ExecutionKey, digest_of
from grader.store.results import ResultsFolder, write_atomically

__all__ = [
    "Bench",
    "Listener",
    "Options",
    "check_out",
    "grade_class",
    "grade_found",
    "probe",
    "set_up",
    "verify_reference",
]

Listener = Callable[[Step], None]
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
    jobs: int = 1
    seed: int | None = None
    """Instead of the rubric's."""
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
    options: Options
    python: Path
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
    with tempfile.TemporaryDirectory(prefix="grader-reference-") as folder:
        out = ResultsFolder(Path(folder))
        found = find_submissions([notebook], unpack_to=Path(folder) / ".unpacked")[0]
        graded = grade_found(found, course, set_up(loaded, options), out, listener)
        evidence = out.read_evidence(graded.submission.id)
    if graded.status == "not_graded" or evidence is None:
        raise HarnessError(graded.reason or "the reference could not be graded", where=str(notebook))
    return graded, evidence


# --- setting up ------------------------------------------------------------------------------------------------


def check_out(out: ResultsFolder) -> None:
    """Make sure that results can be written before anything is executed.

    Raises:
        UsageError: There is a file of that name.
        StorageError: The folder cannot be made or written to.
    """
    if out.root.exists() and not out.root.is_dir():
        msg = "is no folder"
        raise UsageError(msg, where=f"--out {out.root}", advice="name a folder for the results; it is made if needed")
    trial = out.root / ".writable"
    write_atomically(trial, b"x" * 4096)
    trial.unlink(missing_ok=True)


def set_up(loaded: LoadedRubric, options: Options) -> Bench:
    """Decide how notebooks are executed on this machine.

    Raises:
        IsolationRefusedError: No sandbox works here and none was not asked for.
        RubricError: The rubric asks for several attempts.
        UsageError: A GPU was asked for and there is none.
    """
    if loaded.rubric.run.attempts > 1:
        msg = "`run.attempts` above 1 is not carried out by this version"
        raise RubricError(msg, where=str(loaded.path), advice="leave it out: each notebook is executed once")
    cores = len(os.sched_getaffinity(0))
    return Bench(
        isolation=choose_isolation(options.isolation),
        device=choose_device(options.device),
        threads=max(1, cores // max(1, options.jobs)),
        options=options,
        python=Path(loaded.rubric.run.kernel or sys.executable),
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
        result = _publish_failure(submission, error, course, out)
    except GraderError:
        raise
    except Exception as error:  # noqa: BLE001 - a fault of the grader's in one submission must not cost the class
        result = _publish_failure(submission, unexpected(error), course, out)
    listener(Step(submission.id, "done", _outcome(result)))
    return result


def _graded(  # noqa: PLR0913, PLR0917 - as `grade_found`
    found: Found, submission: Submission, course: Course, bench: Bench, out: ResultsFolder, listener: Listener
) -> Grade:
    try:
        if isinstance(found, Rejected):
            raise found.error
        evidence = _evidence_for(submission, course, bench, out, listener)
        result = judge(submission, evidence, course)
        publish(result, evidence, course, out)
    except NotebookError as error:
        # What an earlier notebook of theirs left must not be taken for this one's.
        out.forget_evidence(submission.id)
        result = rejected(submission, course.stamp, course.loaded.rubric, error)
        publish(result, None, course, out)
    return result


def _publish_failure(submission: Submission, error: HarnessError, course: Course, out: ResultsFolder) -> Grade:
    """Write a `not_graded`; where even its report fails, the grade stands without one."""
    result = ungraded(submission, course.stamp, error, course.loaded.rubric)
    out.write_grade(result)
    Database(out.database_path).record_grading(result)
    try:
        render(result, None, course, out)
    except Exception:  # noqa: BLE001 - the report may be the very thing that fails
        out.report_path(submission.id).unlink(missing_ok=True)
    return result


def _as_submission(found: Found) -> Submission:
    if isinstance(found, Submission):
        return found
    return Submission(id=found.id, student=found.student, notebook=Path(), files=found.files, sha256=found.sha256)


def _outcome(result: Grade) -> str:
    if result.status == "not_graded":
        return f"not graded: {result.reason}"
    pending = f", {result.pending:g} pending" if result.pending else ""
    return f"{result.score:g} of {result.max_score:g}{pending}"


def _evidence_for(
    submission: Submission, course: Course, bench: Bench, out: ResultsFolder, listener: Listener
) -> Evidence:
    """Use kept evidence of the very same execution, or execute."""
    key = _execution_key(submission, course, bench)
    database = Database(out.database_path)
    if bench.options.resume and not database.needs_execution(submission.id, key):
        try:
            kept = out.read_evidence(submission.id)
        except ArtefactError:
            kept = None
        if kept is not None:
            return kept
    begun = time.monotonic()
    try:
        evidence = _execute(submission, course, bench, out, listener)
    except NotebookError:
        raise
    except Exception as error:
        database.record_execution(submission.id, key, seconds=time.monotonic() - begun, failure=str(error))
        raise
    database.record_execution(submission.id, key, seconds=time.monotonic() - begun)
    return evidence


def _seed(course: Course, bench: Bench) -> int:
    """The seed that a notebook is executed with, and that its kept evidence is known by."""
    return course.loaded.rubric.run.seed if bench.options.seed is None else bench.options.seed


def _execution_key(submission: Submission, course: Course, bench: Bench) -> ExecutionKey:
    settings = course.loaded.rubric.run
    seed = _seed(course, bench)
    return ExecutionKey(
        notebook=submission.sha256,
        settings=digest_of(
            settings,
            {"seed": seed, "device": bench.device.label, "isolation": bench.isolation.name},
            *({name: task.model_dump(mode="json")} for name, task in course.loaded.rubric.tasks.items()),
        ),
        runtime=digest_of(_runtime(bench.python)),
        data=digest_of({name: data.sha256 for name, data in course.prepared.items()}),
    )


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


def _execute(submission: Submission, course: Course, bench: Bench, out: ResultsFolder, listener: Listener) -> Evidence:
    """Execute, collect the record, predict, and keep it all."""
    rubric = course.loaded.rubric
    notebook = read_notebook(submission.notebook)
    dialect = recognise_dialect(notebook).dialect if rubric.run.dialect == "auto" else rubric.run.dialect
    with scratch_folder() as scratch:
        outcome = execute(
            ExecutionRequest(
                notebook=notebook,
                scratch=scratch / "run",
                isolation=bench.isolation,
                settings=rubric.run,
                device=bench.device,
                dialect=dialect,
                seed=_seed(course, bench),
                threads=bench.threads,
                files=submission.folder,
                data=course.data_root,
                datasets=rubric.all_datasets,
                graded_dataset=rubric.dataset,
                warm=bench.warm,
            ),
            lambda progress: listener(_step(submission.id, progress)),
        )
        filled = out.new_evidence_folder(submission.id)
        try:
            listener(Step(submission.id, "working", "verifying"))
            evidence = _gather(outcome, notebook, filled, course, bench, scratch)
            listener(Step(submission.id, "working", "grading"))
            out.adopt_evidence(submission.id, filled)
        finally:
            shutil.rmtree(filled, ignore_errors=True)
    out.write_evidence(submission.id, evidence)
    out.write_executed(submission.id, nbformat.writes(outcome.notebook))
    return evidence


def _step(submission: str, progress: Progress) -> Step:
    cell = f"cell {progress.done + 1} of {progress.total}"
    words = {
        "starting": "starting the kernel",
        "started": "kernel started",
        "cell": cell,
        "running": cell + _epoch(progress),
        "finishing": "closing the record",
        "ended": "executed",
    }
    return Step(submission, "working", words[progress.kind], progress.done, progress.total)


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


class _Stopped(BaseException):
    """Raised in a worker's thread at its next word to the listener, as Ctrl-C is in the main one."""


def grade_class(
    found: Sequence[Found], course: Course, bench: Bench, out: ResultsFolder, listener: Listener
) -> tuple[Grade, ...]:
    """Grade many submissions, a few at a time, and write the pages of the class.

    Returns:
        Outlines of the grades in the order of `found`; whole they are in the results folder.

    Raises:
        StorageError: Results cannot be written.
        KeyboardInterrupt: The person does not want to wait; what ran was ended first, and nothing of it is kept.
    """
    stop = threading.Event()

    def listen(step: Step) -> None:
        if stop.is_set():
            raise _Stopped
        listener(step)

    workers = max(1, bench.options.jobs)
    with _warmed(bench, len(found)) as warmed, ThreadPoolExecutor(max_workers=workers) as pool:
        futures = [pool.submit(_outlined, one, course, warmed, out, listen) for one in found]
        try:
            grades = tuple(future.result() for future in futures)
        except BaseException:
            # Leaving the pool waits for its threads, which hear of it within a second.
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    publish_class(out, course.loaded.rubric.title, course.ranked_by)
    return grades


def _outlined(found: Found, course: Course, bench: Bench, out: ResultsFolder, listener: Listener) -> Grade:
    """Grade one submission and keep in memory only what the whole class is told of it."""
    return outline(grade_found(found, course, bench, out, listener))


def _forks(bench: Bench, submissions: int) -> bool:
    """Whether warm processes are used: where asked for, else where they are possible and their start pays."""
    if bench.options.warm is not None:
        return bench.options.warm
    if submissions > 1 and bench.device.kind == "gpu":
        bench.notices.append("each kernel starts cold: a process that uses a GPU cannot be forked safely")
    return submissions > 1 and bench.isolation.name == "bubblewrap" and bench.device.kind == "cpu"


@contextmanager
def _warmed(bench: Bench, submissions: int) -> Iterator[Bench]:
    """Give a bench its warm processes for as long as a class is graded, if they are used.

    They start when the first kernel is needed. Why one could not be used is added to the bench's notices.

    Args:
        bench: Where the class is graded.
        submissions: How many there are.
    """
    if not _forks(bench, submissions):
        yield bench
        return
    with WarmPool(most=_WARM_PROCESSES) as warm:
        try:
            yield replace(bench, warm=warm)
        finally:
            bench.notices.extend(f"started cold: {reason}" for reason in warm.failures)

"""Wires the rooms: one submission through all of them, a whole class, a regrade, a reference."""

import hashlib
import importlib.metadata
import json
import os
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import nbformat
import numpy as np
from nbformat import NotebookNode
from pydantic import ValidationError

from grader import __version__
from grader.checks.registry import all_checks, all_diagnostics
from grader.datasets.store import DatasetStore, PreparedDataset
from grader.doctor import Probes, probe_machine
from grader.evidence.artefacts import ArtefactFolder
from grader.evidence.build import build_evidence
from grader.evidence.predictions import (
    PredictionPlan,
    PredictionResult,
    apply_predictions,
    part_of_split,
    plan_inputs,
    plan_predictions,
    recorded_results,
)
from grader.evidence.provenance import DatasetIndex, make_index
from grader.evidence.roles import resolve_roles
from grader.execution.collect import collect, read_record
from grader.execution.device import Device, choose_device
from grader.execution.inside.fingerprint import fingerprint
from grader.execution.isolation import Isolation, choose_isolation
from grader.execution.layout import scratch_folder
from grader.execution.predict import PredictionJob, predict
from grader.execution.runner import ExecutionOutcome, ExecutionRequest, Progress, execute
from grader.execution.warm import WarmPool
from grader.grading.grade import grade, rejected, ungraded
from grader.grading.loader import LoadedRubric, load_rubric
from grader.intake.find import Found, Rejected, find_submissions
from grader.intake.notebook import read_notebook
from grader.intake.recognise import recognise_dialect
from grader.places import share
from grader.report.classpage import class_row, render_class_page
from grader.report.csvfile import grades_csv
from grader.report.page import render_report
from grader.schema.errors import (
    ArtefactError,
    GraderError,
    HarnessError,
    IsolationRefusedError,
    NotebookError,
    ReferenceMissingError,
    RubricError,
    UsageError,
)
from grader.schema.evidence import Evidence
from grader.schema.grade import Case, Grade, RubricStamp
from grader.schema.progress import Step
from grader.schema.reference import REFERENCE_VERSION, ReferenceRecord
from grader.schema.submission import Submission
from grader.store.database import Database, ExecutionKey, digest_of
from grader.store.results import ResultsFolder, write_atomically

__all__ = [
    "Bench",
    "Course",
    "Listener",
    "Options",
    "check_out",
    "differs",
    "find_rubric",
    "grade_class",
    "grade_found",
    "load_course",
    "note_rubric",
    "noted_rubric",
    "probe",
    "publish_class",
    "read_reference",
    "reference_notebook",
    "regrade_class",
    "report_class",
    "rubrics_used",
    "set_up",
    "shipped_rubrics",
    "verify_reference",
    "write_reference",
]

Listener = Callable[[Step], None]
IsolationChoice = Literal["auto", "bubblewrap", "container", "none"]

_RUBRIC_NOTE = "rubric.json"
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
    warm: bool = False
    """Whether a class's kernels are forked from a process that has imported TensorFlow already."""


@dataclass(frozen=True, slots=True)
class Course:
    """What grading needs: the rubric, the reference, the data. No sandbox."""

    loaded: LoadedRubric
    reference: Evidence | None
    prepared: Mapping[str, PreparedDataset]
    indexes: Mapping[str, DatasetIndex]
    data_root: Path

    @property
    def stamp(self) -> RubricStamp:
        """The rubric's identity, as grades carry it."""
        return RubricStamp(id=self.loaded.rubric.id, sha256=self.loaded.sha256, title=self.loaded.rubric.title)

    @property
    def ranked_by(self) -> str | None:
        """Id of the criterion that the class page ranks submissions by, if the rubric asks for a ranking."""
        ranking = self.loaded.rubric.ranking
        return None if ranking is None else ranking.criterion

    def labels(self) -> dict[str, np.ndarray[Any, Any]]:
        """True classes keyed like `mnist/test`, and like `fashion_mnist/test/b` for tasks."""
        rubric = self.loaded.rubric
        found = {f"{name}/{_SPLIT}": index.labels[_SPLIT] for name, index in self.indexes.items()}
        for task, settings in rubric.tasks.items():
            whole = self.indexes[rubric.task_dataset(task)].labels[_SPLIT]
            found[f"{rubric.task_dataset(task)}/{_SPLIT}/{task}"] = whole[np.isin(whole, settings.classes)]
        return found

    def images(self) -> dict[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        """Test images and their classes, keyed as `labels` are."""
        rubric = self.loaded.rubric
        found = {
            f"{name}/{_SPLIT}": (index.images[_SPLIT], index.labels[_SPLIT]) for name, index in self.indexes.items()
        }
        for task in rubric.tasks:
            dataset = rubric.task_dataset(task)
            part = part_of_split(self.indexes[dataset], _SPLIT, task, rubric)
            found[f"{dataset}/{_SPLIT}/{task}"] = (part.images, part.labels)
        return found


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


def shipped_rubrics() -> tuple[Path, ...]:
    """List the rubrics that travel with the grader."""
    return tuple(sorted(share("rubrics").glob("*.yaml")))


def find_rubric(name: str) -> LoadedRubric:
    """Load a rubric by the id of a shipped one, or by its file.

    Args:
        name: `mnist-cnn`, or the path of a YAML file.

    Raises:
        RubricError: There is none of that name, or it is wrong.
    """
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"} and not path.exists():
        known = {rubric.stem: rubric for rubric in shipped_rubrics()}
        if name not in known:
            msg = f"there is no rubric {name!r}"
            raise RubricError(msg, advice=f"shipped are {', '.join(sorted(known))}; or name a YAML file")
        path = known[name]
    return load_rubric(path, all_checks())


def note_rubric(loaded: LoadedRubric, out: ResultsFolder) -> None:
    """Note in a results folder which rubric was used, so that a regrade finds it, changed as it may be.

    Raises:
        StorageError: It cannot be written.
    """
    shipped = loaded.path in shipped_rubrics()
    note = {"version": 1, "id": loaded.rubric.id, "file": None if shipped else str(loaded.path.resolve())}
    out.write_page(_RUBRIC_NOTE, json.dumps(note, indent=1) + "\n")


def noted_rubric(out: ResultsFolder, rubric: str) -> str:
    """Tell by which name `find_rubric` finds the rubric that a results folder was graded with.

    Args:
        out: The results folder.
        rubric: The id its grades carry.
    """
    try:
        note = json.loads((out.root / _RUBRIC_NOTE).read_text(encoding="utf-8"))
        file = note["file"] if note["id"] == rubric else None
    except (OSError, ValueError, TypeError, KeyError):
        return rubric
    return file if isinstance(file, str) else rubric


def reference_notebook(loaded: LoadedRubric) -> Path | None:
    """Find the reference solution: beside the rubric first, then among the shipped ones.

    Raises:
        RubricError: The rubric names one that is in neither place.
    """
    name = loaded.rubric.reference
    if name is None:
        return None
    places = (loaded.path.parent / name, share("reference") / name)
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        msg = f"the reference {name!r} is neither beside the rubric nor in {share('reference')}"
        raise RubricError(msg, where=str(loaded.path), advice="put the notebook there, or leave `reference` out")
    return found


def _record_path(notebook: Path) -> Path:
    return notebook.with_suffix(".evidence.json")


def read_reference(loaded: LoadedRubric) -> Evidence | None:
    """Read the kept evidence of the rubric's reference solution.

    Raises:
        RubricError: The rubric names a reference that is not there.
        ReferenceMissingError: It was never executed, or it changed since.
    """
    notebook = reference_notebook(loaded)
    if notebook is None:
        return None
    name = loaded.rubric.id if loaded.path in shipped_rubrics() else loaded.path
    advice = f"run `grader rubric test {name} --update`"
    path = _record_path(notebook)
    if not path.is_file():
        msg = "the reference solution has no kept evidence"
        raise ReferenceMissingError(msg, where=str(notebook), advice=advice)
    try:
        record = ReferenceRecord.model_validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        msg = f"the reference's kept evidence cannot be read (version {REFERENCE_VERSION} was expected)"
        raise ReferenceMissingError(msg, where=str(path), advice=advice) from error
    if record.notebook_sha256 != _sha256(notebook):
        msg = "the reference notebook changed since its evidence was kept"
        raise ReferenceMissingError(msg, where=str(notebook), advice=advice)
    return record.evidence


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
    course = _course(loaded, None, store)
    with tempfile.TemporaryDirectory(prefix="grader-reference-") as folder:
        out = ResultsFolder(Path(folder))
        found = find_submissions([notebook], unpack_to=Path(folder) / ".unpacked")[0]
        graded = grade_found(found, course, set_up(loaded, options), out, listener)
        evidence = out.read_evidence(graded.submission.id)
    if graded.status == "not_graded" or evidence is None:
        raise HarnessError(graded.reason or "the reference could not be graded", where=str(notebook))
    return graded, evidence


def write_reference(loaded: LoadedRubric, evidence: Evidence) -> Path:
    """Keep the evidence of a reference solution beside its notebook.

    Raises:
        RubricError: The rubric names no reference.
        StorageError: It cannot be written.
    """
    notebook = reference_notebook(loaded)
    if notebook is None:
        msg = "the rubric names no reference"
        raise RubricError(msg, where=str(loaded.path))
    record = ReferenceRecord(
        rubric=loaded.rubric.id, notebook=notebook.name, notebook_sha256=_sha256(notebook), evidence=evidence
    )
    path = _record_path(notebook)
    write_atomically(path, record.model_dump_json(by_alias=True).encode() + b"\n")
    return path


# --- setting up ------------------------------------------------------------------------------------------------


def load_course(loaded: LoadedRubric, store: DatasetStore, *, compare: bool = True) -> Course:
    """Bring together what grading needs.

    Args:
        loaded: The rubric.
        store: Where the data sets are.
        compare: Whether submissions are compared with the reference; a student's own run has none.

    Raises:
        DatasetMissingError: A data set of the rubric is not on this machine.
        ReferenceMissingError: The reference has no fresh evidence.
    """
    return _course(loaded, read_reference(loaded) if compare else None, store)


def _course(loaded: LoadedRubric, reference: Evidence | None, store: DatasetStore) -> Course:
    prepared = {name: store.prepare(name, fingerprint) for name in loaded.rubric.all_datasets}
    return Course(
        loaded=loaded,
        reference=reference,
        prepared=prepared,
        indexes={name: _index(data) for name, data in prepared.items()},
        data_root=store.root,
    )


def _index(data: PreparedDataset) -> DatasetIndex:
    parts = {
        name: np.load(data.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        for name in ("x_train", "y_train", "x_test", "y_test", "fingerprints")
    }
    return make_index(data.name, *parts.values())


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


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


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
        result = _publish_failure(submission, _unexpected(error), course, out)
    listener(Step(submission.id, "done", _outcome(result)))
    return result


def _graded(  # noqa: PLR0913, PLR0917 - as `grade_found`
    found: Found, submission: Submission, course: Course, bench: Bench, out: ResultsFolder, listener: Listener
) -> Grade:
    try:
        if isinstance(found, Rejected):
            raise found.error
        evidence = _evidence_for(submission, course, bench, out, listener)
        result = _judge(submission, evidence, course)
        _publish(result, evidence, course, out)
    except NotebookError as error:
        # What an earlier notebook of theirs left must not be taken for this one's.
        out.forget_evidence(submission.id)
        result = rejected(submission, course.stamp, course.loaded.rubric, error)
        _publish(result, None, course, out)
    return result


def _publish_failure(submission: Submission, error: HarnessError, course: Course, out: ResultsFolder) -> Grade:
    """Write a `not_graded`; where even its report fails, the grade stands without one."""
    result = ungraded(submission, course.stamp, error, course.loaded.rubric)
    out.write_grade(result)
    Database(out.database_path).record_grading(result)
    try:
        _render(result, None, course, out)
    except Exception:  # noqa: BLE001 - the report may be the very thing that fails
        out.report_path(submission.id).unlink(missing_ok=True)
    return result


def _unexpected(error: Exception) -> HarnessError:
    """Name a fault that nobody foresaw by what was raised, and where in the grader."""
    home = Path(__file__).parent
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if home in Path(frame.filename).parents]
    place = f"{Path(own[-1].filename).relative_to(home.parent)}:{own[-1].lineno}" if own else ""
    said = str(error).strip().splitlines()
    message = f"a fault of the grader's own: {type(error).__name__}" + (f": {said[0][:300]}" if said else "")
    return HarnessError(message, where=place, advice="report it with this line; the same command tries again")


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


def _judge(submission: Submission, evidence: Evidence, course: Course) -> Grade:
    """Grade from evidence alone."""
    rubric = course.loaded.rubric
    reference = course.reference
    return grade(
        Case(evidence=evidence, rubric=rubric, roles=resolve_roles(rubric, evidence)),
        submission=submission,
        stamp=course.stamp,
        checks=all_checks(),
        diagnostics=all_diagnostics(),
        reference=reference,
        reference_roles=resolve_roles(rubric, reference) if reference else None,
        labels={key: labels.tolist() for key, labels in course.labels().items()},
    )


def _publish(result: Grade, evidence: Evidence | None, course: Course, out: ResultsFolder) -> None:
    """Write a grade and its report."""
    out.write_grade(result)
    Database(out.database_path).record_grading(result)
    _render(result, evidence, course, out)


def _render(result: Grade, evidence: Evidence | None, course: Course, out: ResultsFolder) -> None:
    executed = out.executed_path(result.submission.id)
    notebook = nbformat.reads(executed.read_text(encoding="utf-8"), 4) if evidence and executed.is_file() else None
    page = render_report(
        grade=result,
        evidence=evidence,
        reference=course.reference,
        notebook=notebook,
        images=course.images(),
        templates=share("templates"),
    )
    out.write_report(result.submission.id, page)


# --- a class ---------------------------------------------------------------------------------------------------


class _Stopped(BaseException):
    """Raised in a worker's thread at its next word to the listener, as Ctrl-C is in the main one."""


def grade_class(
    found: Sequence[Found], course: Course, bench: Bench, out: ResultsFolder, listener: Listener
) -> tuple[Grade, ...]:
    """Grade many submissions, a few at a time, and write the pages of the class.

    Returns:
        The grades in the order of `found`.

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
    with _warmed(bench) as warmed, ThreadPoolExecutor(max_workers=workers) as pool:
        futures = [pool.submit(grade_found, one, course, warmed, out, listen) for one in found]
        try:
            grades = tuple(future.result() for future in futures)
        except BaseException:
            # Leaving the pool waits for its threads, which hear of it within a second.
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    publish_class(out, course.loaded.rubric.title, course.ranked_by)
    return grades


@contextmanager
def _warmed(bench: Bench) -> Iterator[Bench]:
    """Give a bench its warm processes for as long as a class is graded, where its options ask for them.

    They start when the first kernel is needed. Why one could not be used is added to the bench's notices.
    """
    if not bench.options.warm:
        yield bench
        return
    with WarmPool(most=_WARM_PROCESSES) as warm:
        try:
            yield replace(bench, warm=warm)
        finally:
            bench.notices.extend(f"started cold: {reason}" for reason in warm.failures)


def publish_class(out: ResultsFolder, title: str, ranked_by: str | None = None) -> None:
    """Write `index.html` and `grades.csv` from every grade in the results folder.

    Args:
        out: The results folder.
        title: The rubric's title.
        ranked_by: Id of the criterion that the rubric ranks submissions by, if it does.
    """
    grades = [found for name in out.submissions() if (found := _grade_kept(out, name)) is not None]
    rows = [class_row(one, f"{one.submission.id}/report.html", ranked_by) for one in grades]
    out.write_page("index.html", render_class_page(rows, title=title, templates=share("templates")))
    out.write_page("grades.csv", grades_csv(grades))


def regrade_class(course: Course, out: ResultsFolder) -> Iterator[tuple[Grade | None, Grade]]:
    """Grade every submission again from its kept evidence, without execution.

    A submission whose evidence is damaged or gone becomes `not_graded`; so does one that the rubric's checks fail on.

    Yields:
        The old grade (None where there was none that can be read) and the new one; files are written only where
        something changed.

    Raises:
        StorageError: Results cannot be written.
    """
    failed = {row.submission for row in Database(out.database_path).executions() if row.status == "failed"}
    for name in out.submissions():
        old = _grade_kept(out, name)
        evidence = None
        try:
            # Beside a failed execution lies what an earlier one saw, of another notebook perhaps.
            evidence = None if name in failed else out.read_evidence(name)
            new = _judge(_submission_of(name, old), evidence, course) if evidence else _without_evidence(old, course)
        except HarnessError as error:
            new = ungraded(_submission_of(name, old), course.stamp, error, course.loaded.rubric)
        if new is None:
            continue
        if new != old:
            _publish(new, evidence, course, out)
        yield old, new


def differs(old: Grade | None, new: Grade) -> bool:
    """Whether a regrade changed anything that a person reads; the rubric's own digest alone is no change."""
    return old is None or old != new.model_copy(update={"rubric": old.rubric})


def rubrics_used(out: ResultsFolder) -> set[str]:
    """Ids of the rubrics that a results folder was graded with."""
    return {kept.rubric.id for name in out.submissions() if (kept := _grade_kept(out, name)) is not None}


def _grade_kept(out: ResultsFolder, name: str) -> Grade | None:
    """Read a grade; a damaged one is as none, since it can be made again."""
    try:
        return out.read_grade(name)
    except ArtefactError:
        return None


def _without_evidence(old: Grade | None, course: Course) -> Grade | None:
    """Grade again what was never executed: no notebook to begin with, or a failure of the grader's.

    Raises:
        ArtefactError: It was executed, but what was seen is no longer kept.
    """
    if old is None:
        return None
    rubric, submission, reason = course.loaded.rubric, _submission_of(old.submission.id, old), old.reason or ""
    if old.status == "not_graded":
        return ungraded(submission, course.stamp, HarnessError(reason), rubric)
    if old.execution is None:
        advice = next((c.advice for c in old.criteria), "")
        return rejected(submission, course.stamp, rubric, NotebookError(reason, advice=advice))
    msg = "the evidence of its execution is no longer kept"
    raise ArtefactError(msg, where=old.submission.id)


def _submission_of(name: str, old: Grade | None) -> Submission:
    if old is None:
        return Submission(id=name, student=name, notebook=Path(), sha256="")
    stamp = old.submission
    return Submission(id=stamp.id, student=stamp.student, notebook=Path(), files=stamp.files, sha256=stamp.sha256)


def report_class(course: Course, out: ResultsFolder) -> int:
    """Render every page of a results folder again from what is kept.

    Returns:
        How many reports were written.
    """
    count = 0
    for name in out.submissions():
        old = out.read_grade(name)
        if old is None:
            continue
        _render(old, out.read_evidence(name) if old.status == "graded" else None, course, out)
        count += 1
    publish_class(out, course.loaded.rubric.title, course.ranked_by)
    return count

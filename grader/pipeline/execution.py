"""Execute a submission in a sandbox and store its evidence; compute the key of an execution."""

import functools
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import nbformat
import numpy as np
from nbformat import NotebookNode

from grader.evidence.accuracies import apply_predictions, recorded_results
from grader.evidence.artefacts import ArtefactFolder
from grader.evidence.build import build_evidence
from grader.evidence.held_back import held_back_plans
from grader.evidence.keras_file import KerasFile, read_keras_file
from grader.evidence.prediction_plans import PredictionPlan, PredictionResult, plan_inputs, plan_predictions
from grader.evidence.saved_model import Graph, MalformedGraphError, read_graph
from grader.execution.collect import CollectCaps, collect, read_record
from grader.execution.gpu_errors import check_gpu_memory
from grader.execution.predict import PredictionJob, PredictionLimits, predict
from grader.execution.runner import ExecutionOutcome, ExecutionRequest, Progress, execute
from grader.execution.sandbox.capacity import time_factor
from grader.execution.sandbox.layout import digest_files, python_versions
from grader.execution.sandbox.refusals import RefusedCall, explain_refusals
from grader.execution.sandbox.scratch import scratch_folder
from grader.facts.quick import as_quick
from grader.facts.tasks import held_back_parts
from grader.intake.cells import oddity_messages
from grader.intake.notebook import read_notebook
from grader.intake.recognise import expects_frames, recognise_dialect
from grader.intake.tags import keep_given_tags
from grader.pipeline.code_digest import inside_code
from grader.pipeline.course import Course
from grader.pipeline.setup import Bench, attempts_of, seed_of
from grader.schema.errors import ArtefactError, DatasetMissingError, HarnessError, NotebookError, StarvedError
from grader.schema.evidence import Evidence
from grader.schema.grade import Lacking
from grader.schema.message import Message, MessageLike, say
from grader.schema.progress import Listener, Step
from grader.schema.rubric import RunSettings
from grader.schema.submission import Submission
from grader.store.database import Database, ExecutionKey, digest_of
from grader.store.results import ResultsFolder
from grader.version import __version__

__all__ = ["Attempt", "Executor", "Keys", "check_fair", "keys_of", "settings_of"]

Keys = Mapping[int, ExecutionKey]
"""Keys of the attempts of a submission, by number from 1."""

_QUICK_TIME = 45.0
"""Time limit of a notebook in a quick run, in seconds. The kernel's start and the grading need a few more."""
_QUICK_FIT_TIME = 12.0
"""Time limit of one training in a quick run, for models whose single steps take long."""
_SEED_BITS = 53
"""Size of the seed of held-back images; JSON keeps such a number exactly."""
_REASON = 300
"""Longest reason for an unreadable graph."""
_SPLIT = "test"
"""Split that accuracy is verified on."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution of a submission, and the folder of its results."""

    submission: Submission
    number: int
    of: int
    key: ExecutionKey
    seed: int
    kept: ResultsFolder
    name: str
    """Name of the attempt in that folder."""


def keys_of(submission: Submission, course: Course, bench: Bench) -> Keys:
    """Compute the keys of a submission's attempts: digests of everything that affects their results."""
    # Use the first of several GPUs, so that the choice of a free GPU does not change the key.
    place: dict[str, object] = {
        "device": (bench.devices or (bench.device,))[0].label,
        "isolation": bench.isolation.name,
    }
    if bench.options.quick:
        # A result of a quick run never counts as one of a full run.
        place["quick"] = True
    runtime = digest_of(_runtime(bench.python))
    data = _data_of(submission, course)
    return {
        number: ExecutionKey(
            notebook=submission.sha256,
            settings=digest_of(course.parts, {"seed": seed_of(course.loaded, bench.options, number), **place}),
            runtime=runtime,
            data=data,
        )
        for number in range(1, attempts_of(course.loaded, bench.options) + 1)
    }


def _data_of(submission: Submission, course: Course) -> str:
    """Digest the data sets and the submitted files that a notebook can read, and the place of the notebook."""
    return digest_of(
        {name: data.sha256 for name, data in course.prepared.items()},
        "" if submission.folder is None else digest_files(submission.folder, only=submission.only),
        *([str(submission.inner)] if submission.inner.parts else []),
    )


@dataclass(frozen=True, slots=True)
class Executor:
    """Executes attempts on a bench, and stores their results."""

    course: Course
    bench: Bench
    database: Database
    listener: Listener

    def kept(self, attempt: Attempt) -> Evidence | None:
        """Find stored evidence with the same key; None if the attempt must be executed."""
        if not self.bench.options.resume:
            return None
        if self.database.needs_execution(attempt.submission.id, attempt.key, attempt=attempt.number):
            return None
        try:
            return attempt.kept.read_evidence(attempt.name)
        except ArtefactError:
            return None

    def lacking(self, attempt: Attempt, evidence: Evidence) -> Lacking:
        """Find the reason why the evidence of an attempt has no prediction."""
        rows = self.database.executions(attempt.submission.id)
        noted = next((row.parts for row in rows if row.attempt == attempt.number), "")
        return self.course.lacking(evidence, noted, executes=True)

    def execute(self, attempt: Attempt) -> Evidence:
        """Execute an attempt, and record its success or the failure in the database.

        Raises:
            NotebookError: The file is not a notebook.
            HarnessError: The grader failed, or a file could not be read; the execution did not complete.
        """
        name, key, number = attempt.submission.id, attempt.key, attempt.number
        start = time.monotonic()
        try:
            evidence = self._fairly_executed(attempt)
        except NotebookError:
            raise
        except Exception as error:
            seconds = time.monotonic() - start
            self.database.record_execution(name, key, seconds=seconds, attempt=number, failure=str(error))
            raise
        seconds, parts = time.monotonic() - start, json.dumps(self.course.parts)
        self.database.record_execution(name, key, seconds=seconds, attempt=number, parts=parts)
        return evidence

    def _fairly_executed(self, attempt: Attempt) -> Evidence:
        """Execute an attempt, and once more if the machine was too busy.

        Raises:
            StarvedError: The machine was too busy both times.
        """
        try:
            return self._executed(attempt)
        except StarvedError:
            self.listener(_word(attempt, "starting again, because the machine was busy"))
            return self._executed(attempt)

    def _executed(self, attempt: Attempt) -> Evidence:
        """Execute, collect the record, predict, and store the results."""
        submitted = read_notebook(attempt.submission.notebook, sha256=attempt.submission.sha256)
        notebook = keep_given_tags(submitted, self.course.loaded.tagged)
        data, rubric = self.course.whereabouts(), self.course.loaded.rubric
        with scratch_folder() as scratch:
            outcome = execute(
                self._request(attempt, notebook, scratch / "run"),
                lambda progress: self.listener(_step(attempt, progress)),
            )
            self._check_unchanged(attempt, data)
            check_gpu_memory(outcome.run.errors, self.bench.device)
            if not self.bench.options.quick:
                # A quick run judges nothing by a time limit.
                check_fair(outcome, settings_of(rubric.run, self.bench))
            filled = attempt.kept.new_evidence_folder(attempt.name)
            try:
                self.listener(_word(attempt, "verifying"))
                evidence = self._gather(outcome, notebook, filled, scratch)
                remarks = (*_remarks(attempt.submission, outcome), *evidence.remarks)
                evidence = evidence.model_copy(update={"remarks": remarks})
                self.listener(_word(attempt, "grading"))
                attempt.kept.write_evidence(attempt.name, evidence, filled=filled)
                self.database.begin_replacing(attempt.submission.id, attempt.key, attempt=attempt.number)
                attempt.kept.adopt_evidence(attempt.name, filled)
            finally:
                shutil.rmtree(filled, ignore_errors=True)
        attempt.kept.write_executed(attempt.name, nbformat.writes(outcome.notebook))
        return evidence

    def _check_unchanged(self, attempt: Attempt, data: Mapping[str, object]) -> None:
        """Check that the data and files of the key did not change during the execution.

        Raises:
            DatasetMissingError: A data set was removed or replaced during the execution.
            HarnessError: Submitted files were replaced during the execution.
        """
        advice = "the same command tries again"
        if self.course.whereabouts() != data:
            msg = "a data set was replaced while the notebook was executed"
            raise DatasetMissingError(msg, where=", ".join(self.course.prepared), advice=advice)
        # Next to a notebook in its author's folder, other programs may write at any time, such as logs.
        whole = attempt.submission.only is None
        if whole and _data_of(attempt.submission, self.course) != attempt.key.data:
            msg = "files of the submission were replaced while it was graded"
            raise HarnessError(msg, where=str(attempt.submission.folder), advice=advice)

    def _request(self, attempt: Attempt, notebook: NotebookNode, scratch: Path) -> ExecutionRequest:
        rubric, bench = self.course.loaded.rubric, self.bench
        return ExecutionRequest(
            notebook=notebook,
            scratch=scratch,
            isolation=bench.isolation,
            settings=settings_of(rubric.run, bench),
            device=bench.device,
            dialect=recognise_dialect(notebook).dialect if rubric.run.dialect == "auto" else rubric.run.dialect,
            openml_frames=expects_frames(notebook),
            seed=attempt.seed,
            threads=bench.threads,
            files=attempt.submission.folder,
            only=attempt.submission.only,
            inner=attempt.submission.inner,
            course_files=self.course.loaded.files,
            data=self.course.data_root,
            datasets=rubric.all_datasets,
            elsewhere=self.course.stand_ins,
            graded_dataset=rubric.dataset,
            quick=bench.options.quick,
            warm=bench.warm,
        )

    def _gather(self, outcome: ExecutionOutcome, submitted: NotebookNode, folder: Path, scratch: Path) -> Evidence:
        """Convert the outputs of a sandbox to evidence in `folder`."""
        course, rubric = self.course, self.course.loaded.rubric
        collected = collect(outcome.out, folder, CollectCaps.for_models(rubric.run.kept_models))
        record = read_record(folder / "events.jsonl")
        arrays = ArtefactFolder(folder)
        evidence = build_evidence(
            run=outcome.run,
            notebook=outcome.notebook,
            submitted=submitted,
            events=record.events,
            arrays=arrays,
            indexes=course.indexes,
            problems=(*oddity_messages(submitted), *outcome.problems, *collected.problems),
            unread=record.problems,
            keep=arrays.keep,
            stand_ins=tuple(course.stand_ins),
            left_out=collected.left_out,
        )
        if self.bench.options.quick:
            # The models are not the trained ones, so their predictions tell nothing.
            return as_quick(evidence)
        judged = (*course.measured, *map(rubric.task_dataset, rubric.tasks))
        if not judged:
            # No criterion and no task needs an accuracy.
            return evidence
        graded = judged[0]
        plans = plan_predictions(evidence, graded, (_SPLIT,), course.indexes, arrays, rubric)
        for other in (name for name in course.measured if name != graded):
            # Without the rubric, since its tasks are already planned. The kernel's predictions use the graded images.
            planned = plan_predictions(evidence, other, (_SPLIT,), course.indexes, arrays)
            plans += tuple(plan for plan in planned if plan.format != "predictions")
        # The notebook was executed already, so no code of the student can know the seed.
        plans += tuple(held_back_plans(plans, held_back_parts(rubric), course.indexes, secrets.randbits(_SEED_BITS)))
        refused: list[RefusedCall] = []
        predicted = self._predicted(plans, folder, scratch, refused.extend)
        results = (*predicted, *recorded_results(plans, arrays))
        evidence = apply_predictions(evidence, results, course.indexes)
        return evidence.model_copy(update={"remarks": tuple(explain_refusals(refused))})

    def _predicted(
        self,
        plans: Sequence[PredictionPlan],
        folder: Path,
        scratch: Path,
        on_refused: Callable[[Sequence[RefusedCall]], None] = lambda _: None,
    ) -> Iterator[PredictionResult]:
        """Run the predictor's sandbox on models of the evidence folder, with the inputs of each plan."""
        by_id = {plan.id: plan for plan in plans if plan.format != "predictions"}
        if not by_id:
            return
        inputs = _InputFiles(scratch / "inputs")
        jobs = []
        # Several plans may have the same saved model.
        artefacts = ArtefactFolder(folder)
        as_graph = functools.cache(partial(_read_graph, artefacts))
        as_data = functools.cache(partial(_read_data, artefacts))
        for plan in by_id.values():
            _, refused = as_graph(plan.format, plan.artefact)
            if refused is not None:
                yield PredictionResult(plan, None, refused)
                continue
            path = inputs.add(plan_inputs(plan, self.course.indexes))
            if path is None:
                reason = say("it was not tried, because the inputs of other models used all the disk space")
                yield PredictionResult(plan, None, reason)
                continue
            try:
                jobs.append(_job(plan, folder, path))
            except ArtefactError as error:
                # The record may name any path, also that of a file that was never written.
                yield PredictionResult(
                    plan, None, say("its file cannot be used: {reason}", reason=str(error)[:_REASON])
                )
        answers = predict(
            jobs,
            isolation=self.bench.isolation,
            scratch=scratch / "predict",
            python=self.bench.python,
            device=self.bench.device,
            threads=self.bench.threads,
            limits=PredictionLimits.of(settings_of(self.course.loaded.rubric.run, self.bench)),
            warm=self.bench.warm,
            on_refused=on_refused,
        )
        for answer in answers:
            plan = by_id[answer.id]
            yield PredictionResult(
                plan,
                answer.outputs,
                answer.error,
                answer.model,
                answer.parts,
                file=as_data(plan.format, plan.artefact),
                unequal=answer.unequal,
                graph=as_graph(plan.format, plan.artefact)[0],
                idle=answer.idle,
            )


def settings_of(run: RunSettings, bench: Bench) -> RunSettings:
    """Return the settings of a notebook's execution: with the time limits for its share of the machine.

    The author of a notebook who asks for a quick answer gets it, however small the machine is.
    """
    if bench.options.quick:
        limits = {"time": min(run.time, _QUICK_TIME), "fit_time": min(run.fit_time, _QUICK_FIT_TIME)}
        return run.model_copy(update={**limits, "attempts": 1})
    factor = time_factor(bench.device, bench.threads, len(os.sched_getaffinity(0)))
    if factor == 1:
        return run
    limits = {name: getattr(run, name) * factor for name in ("time", "fit_time", "predictor_time")}
    return run.model_copy(update=limits)


def check_fair(outcome: ExecutionOutcome, settings: RunSettings) -> None:
    """Check that a notebook that ran out of time got the CPU time that it was promised.

    Args:
        outcome: The outcome of its execution.
        settings: The rubric's settings, with the time limit.

    Raises:
        StarvedError: It got clearly less, because other programs kept the machine busy.
    """
    load = outcome.load
    if outcome.run.status != "timeout" or load is None or not load.starved:
        return
    msg = (
        f"the notebook ran out of its time of {settings.time:g} s, but the machine was busy: the notebook got only "
        f"{load.share or 0:.0%} of the CPU time that it could use ({load.cpu_seconds or 0:.0f} s of CPU time in "
        f"{load.seconds:.0f} s)"
    )
    raise StarvedError(msg)


def _remarks(submission: Submission, outcome: ExecutionOutcome) -> tuple[MessageLike, ...]:
    """List circumstances that a person should know: files that the notebook did not get."""
    texts = [f"{error.name}: {error.message}" for error in outcome.run.errors]
    missing = [name for name in submission.withheld if any(_misses(text, name) for text in texts)]
    unknown = say(
        "the notebook did not get {names:list}, because the folder contains several notebooks; list files that "
        "all of them need under {key:code} in the rubric",
        names=missing,
        key="files",
    )
    return (*submission.left_out, *outcome.remarks, *([unknown] if missing else []))


def _misses(error: str, name: str) -> bool:
    """Whether an error says that a file or a module is missing."""
    module = name.removesuffix(".py")
    if error.startswith("ModuleNotFoundError"):
        return f"'{module}'" in error or f"'{module}." in error
    words = re.split(r"""[\s'"/\\:,]+""", error)
    return name in words and any(sign in error.lower() for sign in ("no such file", "not found", "unable to"))


def _step(attempt: Attempt, progress: Progress) -> Step:
    # Elsewhere, the number of a cell also counts text cells.
    cell = f"code cell {progress.done + 1} of {progress.total}"
    words = {
        "starting": "starting the kernel",
        "started": "kernel started",
        "cell": cell,
        "running": cell + _epoch(progress),
        "finishing": "closing the record",
        "ended": "executed",
    }
    return replace(
        _word(attempt, words[progress.kind]),
        # The attempts are counted together, so that the count does not fall back to 0 at each start.
        done=(attempt.number - 1) * progress.total + progress.done,
        total=attempt.of * progress.total,
        part=_part(progress),
    )


def _word(attempt: Attempt, text: str) -> Step:
    which = f"attempt {attempt.number} of {attempt.of}: " if attempt.of > 1 else ""
    return Step(attempt.submission.id, "working", which + text)


def _part(progress: Progress) -> float:
    """Return the finished part of the running cell, by the epochs of its training."""
    if not progress.epoch or not progress.epochs:
        return 0.0
    return min((progress.epoch - 1) / progress.epochs, 1.0)


def _epoch(progress: Progress) -> str:
    if progress.epoch is None:
        return ""
    return f", epoch {progress.epoch}" + ("" if progress.epochs is None else f" of {progress.epochs}")


class _InputFiles:
    """Stores preprocessed images, each content once, with a limit, because a record can have any number of models."""

    def __init__(self, folder: Path, most_bytes: int = 4 << 30) -> None:
        self._folder = folder
        self._left = most_bytes
        self._known: dict[bytes, Path] = {}
        folder.mkdir()

    def add(self, images: np.ndarray[Any, Any]) -> Path | None:
        """Write images unless they are already stored; return None if no space is left."""
        digest = hashlib.sha256(repr(images.shape).encode())
        digest.update(np.ascontiguousarray(images).data)
        key = digest.digest()
        if key not in self._known:
            if images.nbytes > self._left:
                return None
            self._left -= images.nbytes
            self._known[key] = self._folder / f"{len(self._known)}.npy"
            np.save(self._known[key], images, allow_pickle=False)
        return self._known[key]


def _read_graph(artefacts: ArtefactFolder, form: str, artefact: str) -> tuple[Graph | None, Message | None]:
    """Read a SavedModel without TensorFlow.

    Returns:
        The graph, and the reason why no sandbox loads it; None and None for another form.
    """
    if form != "saved_model":
        return None, None
    try:
        graph = read_graph(artefacts.path(artefact))
    except (OSError, MalformedGraphError, ArtefactError) as error:
        return None, say("its graph cannot be read: {reason}", reason=str(error)[:_REASON])
    if graph.foreign is None:
        return graph, None
    return graph, say("its graph uses the operation {name:code}, which may do more than compute", name=graph.foreign)


def _read_data(artefacts: ArtefactFolder, form: str, artefact: str) -> KerasFile | None:
    """Read a `.keras` file without Keras; None for another form, or if it cannot be read."""
    if form != "keras":
        return None
    try:
        return read_keras_file(artefacts.path(artefact))
    except ArtefactError:
        return None


def _job(plan: PredictionPlan, folder: Path, inputs: Path) -> PredictionJob:
    kind: Literal["keras", "saved_model"] = "saved_model" if plan.format == "saved_model" else "keras"
    model = ArtefactFolder(folder).path(plan.artefact)
    return PredictionJob(id=plan.id, model=model, format=kind, dialect=plan.dialect, inputs=inputs)


@functools.cache
def _runtime(python: Path) -> dict[str, str]:
    """Find the versions that affect an execution: the recorder's code, and the kernel's packages."""
    # Notebooks may run in an environment of the course instead of the grader's.
    packages = python_versions(python, ("tensorflow-cpu", "tensorflow", "keras", "tf-keras", "numpy"))
    return {"grader": __version__, "inside": inside_code(), "path": str(python.resolve()), **packages}

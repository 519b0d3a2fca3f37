"""Predictions of kept models, made in a sandbox that holds no student code and no labels.

A model file is a stranger's: loading it may run code. So it is loaded where nothing is to be gained, and what comes
back is read as plain numbers after its shape, type and size were checked. All jobs of one call should belong to one
submission, since a file that takes over the process could answer for the jobs after it.
"""

import json
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from grader.execution.sandbox.device import Device
from grader.execution.sandbox.isolation import Isolation, Mount, ProcessLimits, gpu_binds
from grader.execution.sandbox.layout import Layout, make_layout
from grader.execution.sandbox.processes import MACHINE_ADVICE, Finished, log_tail, run_to_end
from grader.execution.sandbox.warm import HeldProcess, Program, WarmPool, WarmRefusedError
from grader.execution.sandbox.watchdog import Budget
from grader.inside.record.predictions import (
    MAX_DESCRIPTION,
    MAX_ERROR,
    MAX_OUTPUTS,
    REQUEST_VERSION,
    JobRequest,
    JobResult,
    Request,
)
from grader.schema.errors import HarnessError, PredictorError
from grader.schema.rubric import RunSettings

__all__ = ["PredictionJob", "PredictionLimits", "PredictionResult", "predict"]

_RESULTS_BYTES = 16 << 20
_LINE_BYTES = MAX_DESCRIPTION + (64 << 10)
"""Of one answer: a description and the rest of its keys."""
_HEADER_BYTES = 4096
_MODULE = "inside.predictor"
_CRASHES = 6


@dataclass(frozen=True, slots=True)
class PredictionJob:
    """One model and the images it is given."""

    id: str
    """Letters, digits, `-` and `_`; names the result."""
    model: Path
    """A `.keras` file, or the folder of a SavedModel, on this machine."""
    format: Literal["keras", "saved_model"]
    dialect: Literal["keras3", "keras2"]
    inputs: Path
    """`.npy` of the prepared images, made by the grader."""
    batch_size: int = 256


@dataclass(frozen=True, slots=True)
class PredictionLimits:
    """What the predictor's sandbox may use."""

    memory_bytes: int = RunSettings().predictor_memory
    disk_bytes: int = 2 << 30
    processes: int = 100
    crashes: int = _CRASHES
    """How many processes may end without an answer before the rest is given up."""
    process_seconds: float = RunSettings().predictor_time
    """For one process, loading TensorFlow included."""

    @classmethod
    def of(cls, settings: RunSettings) -> "PredictionLimits":
        """Return the limits that a rubric sets."""
        return cls(memory_bytes=settings.predictor_memory, process_seconds=settings.predictor_time)

    @property
    def total_seconds(self) -> float:
        """For all jobs of one call together."""
        return _CRASHES * self.process_seconds


@dataclass(frozen=True, slots=True)
class PredictionResult:
    """What became of one job."""

    id: str
    ok: bool
    error: str = ""
    """In words, for a job that failed: the model's failure, not the grader's."""
    outputs: np.ndarray | None = None
    """float32, one row an image, at most 1,000 columns."""
    model: dict[str, Any] | None = None
    """The model's description as `docs/events.md` has it: a claim of the loaded file."""
    seconds: float = 0.0


def predict(  # noqa: PLR0913 — all by name, and most with a default
    jobs: Sequence[PredictionJob],
    *,
    isolation: Isolation,
    scratch: Path,
    python: Path | None = None,
    device: Device | None = None,
    threads: int = 1,
    limits: PredictionLimits | None = None,
    timeout: float | None = None,
    module: str = _MODULE,
    warm: WarmPool | None = None,
) -> list[PredictionResult]:
    """Run the jobs; one that crashes the process loses only itself, and the rest are tried in a new process.

    Not without end: a notebook can leave any number of models that crash or hang (`PredictionLimits`).

    Args:
        jobs: Of one submission, each with its own id.
        isolation: As for notebooks.
        scratch: A folder of this machine for the sandboxes' folders; the caller removes it.
        python: The Python with TensorFlow; by default the grader's own.
        device: By default the CPU.
        threads: Threads for one operation.
        limits: Memory, disk and time.
        timeout: Seconds for one process, instead of those of `limits`.
        module: What is started as `python -m MODULE REQUEST.json`.
        warm: Where each process is forked from; without it, or where that cannot be, it is started cold.

    Returns:
        One result for each job, in their order.

    Raises:
        PredictorError: The sandbox could not be started, or an input file cannot be read: the grader's failure.
    """
    python, device = python or Path(sys.executable), device or Device("cpu")
    caps = limits or PredictionLimits()
    call = _Call(isolation, python, device, threads, caps, timeout or caps.process_seconds, module, warm)
    results: dict[str, PredictionResult] = {}
    rows = {job.id: _rows(job.inputs) for job in jobs}
    if len(rows) != len(jobs) or not all(name.replace("-", "").replace("_", "").isalnum() for name in rows):
        message = "prediction jobs need ids of their own, made of letters, digits, - and _"
        raise PredictorError(message)
    scratch.mkdir(parents=True, exist_ok=True)
    crashes, ends = 0, time.monotonic() + caps.total_seconds
    while left := [job for job in jobs if job.id not in results]:
        folder = Path(tempfile.mkdtemp(prefix="predict-", dir=scratch))
        layout, finished = call.process(left, folder)
        told = _told(layout.out / "results.jsonl")
        for job in left:
            if job.id in told:
                results[job.id] = _result(job, told[job.id], layout.out, rows[job.id])
        waiting = [job for job in left if job.id not in results]
        if not waiting:
            break
        _check_started(finished, told, layout.log)
        # Jobs run in order: the first without an answer is the one the process ended in.
        results[waiting[0].id] = PredictionResult(
            waiting[0].id, ok=False, error=_why(finished), seconds=finished.seconds
        )
        crashes += 1
        if crashes >= caps.crashes or time.monotonic() >= ends:
            error = f"it was not tried: {crashes} other models of this notebook had brought the predictor down"
            results |= {job.id: PredictionResult(job.id, ok=False, error=error) for job in waiting[1:]}
    return [results[job.id] for job in jobs]


@dataclass(frozen=True, slots=True)
class _Call:
    isolation: Isolation
    python: Path
    device: Device
    threads: int
    limits: PredictionLimits
    timeout: float
    module: str
    warm: WarmPool | None

    def process(self, jobs: Sequence[PredictionJob], folder: Path) -> tuple[Layout, Finished]:
        """Run one process over some jobs."""
        limits = self.limits
        isolation = self.isolation.for_run()
        try:
            layout = make_layout(folder, isolation, work=False)
            request = _request(jobs, layout)
            path = layout.code / "request.json"
            path.write_text(json.dumps(request), encoding="utf-8")
            path.chmod(0o644)
            for place in (layout.code, layout.out, layout.home, layout.tmp, layout.given):
                isolation.own(place)
            devices, more = gpu_binds() if self.device.kind == "gpu" else ((), ())
            binds = layout.binds(self.python, (Mount(layout.given, layout.inner("given")), *more), devices=devices)
            bounds = ProcessLimits(memory_bytes=limits.memory_bytes)
            asked = str(layout.inner("code") / "request.json")

            def starter(env: Mapping[str, str]) -> HeldProcess | None:
                if self.warm is None:
                    return None
                cwd = layout.inner("code")
                program = Program(
                    module=self.module,
                    arguments=(asked,),
                    python=self.python,
                    dialect=jobs[0].dialect,
                    isolation=isolation,
                    binds=binds,
                    env=env,
                    cwd=cwd,
                    limits=bounds,
                    log=layout.log,
                )
                with suppress(WarmRefusedError):  # the pool keeps the reason
                    return self.warm.start(program)
                return None

            finished = run_to_end(
                [str(self.python), "-m", self.module, asked],
                isolation=isolation,
                binds=binds,
                env=layout.environment(self.python, self.device.environment(self.threads)),
                cwd=layout.inner("code"),
                limits=bounds,
                budget=Budget(
                    limits.memory_bytes, limits.processes, disk_bytes=limits.disk_bytes, folders=layout.written
                ),
                timeout=self.timeout,
                log=layout.log,
                starter=starter,
            )
        except HarnessError as error:
            raise PredictorError(error.message, where=error.where, advice=error.advice) from error
        except OSError as error:
            message = f"the predictor's folders cannot be made: {error}"
            raise PredictorError(message, where=str(folder)) from error
        if finished.outsider:
            message = f"the predictor was ended: {finished.outsider}"
            raise PredictorError(message, where=isolation.name, advice=MACHINE_ADVICE)
        return layout, finished


def _request(jobs: Sequence[PredictionJob], layout: Layout) -> Request:
    """Copy what the jobs need to where the sandbox's user may read it, and make the request of `docs/events.md`."""
    inner = layout.inner("given")
    layout.given.mkdir()
    names: dict[Path, str] = {}
    listed: list[JobRequest] = []
    for number, job in enumerate(jobs):
        # Keras goes by the suffix of a model's name.
        model = f"{number}.keras" if job.format == "keras" else f"{number}"
        (shutil.copytree if job.model.is_dir() else shutil.copyfile)(job.model, layout.given / model)
        if job.inputs not in names:
            names[job.inputs] = f"{number}.npy"
            shutil.copyfile(job.inputs, layout.given / names[job.inputs])
        listed.append(
            JobRequest(
                id=job.id,
                model=str(inner / model),
                format=job.format,
                dialect=job.dialect,
                inputs=str(inner / names[job.inputs]),
                batch_size=job.batch_size,
            )
        )
    return Request(version=REQUEST_VERSION, out=str(layout.inner("out")), jobs=listed)


def _rows(path: Path) -> int:
    """Read the number of images from an input file, which the grader made."""
    try:
        return int(np.load(path, mmap_mode="r", allow_pickle=False).shape[0])
    except (OSError, ValueError, IndexError) as error:
        message = f"the images for the predictor cannot be read: {error}"
        raise PredictorError(message, where=str(path)) from error


def _told(path: Path) -> dict[str, JobResult]:
    """Read the answers; lines that are no answers are passed over.

    Returns:
        Job → answer. A missing key is None, and a value may be of any type.
    """
    told: dict[str, JobResult] = {}
    try:
        content = _read_plain(path, _RESULTS_BYTES)
    except (OSError, ValueError):
        return told
    for line in content.split(b"\n"):
        if not line or len(line) > _LINE_BYTES:
            continue
        try:
            answer = json.loads(line, parse_constant=lambda _: None)
        except (ValueError, RecursionError):
            continue
        if isinstance(answer, dict) and isinstance(answer.get("id"), str):
            whole = {**dict.fromkeys(JobResult.__required_keys__), **answer}
            told.setdefault(answer["id"], cast("JobResult", whole))
    return told


def _result(job: PredictionJob, told: JobResult, out: Path, rows: int) -> PredictionResult:
    seconds: object = told["seconds"]
    result = PredictionResult(job.id, ok=False, seconds=float(seconds) if isinstance(seconds, int | float) else 0.0)
    described: object = told["model"]
    result = replace(result, model=described if isinstance(described, dict) else None)
    if told["ok"] is not True:
        return replace(result, error=str(told["error"] or "the model could not be used")[:MAX_ERROR])
    try:
        return replace(result, ok=True, outputs=_read_outputs(out / f"{job.id}.npy", rows))
    except (OSError, ValueError) as error:
        return replace(result, error=f"the predictions cannot be read: {error}"[:MAX_ERROR])


def _read_outputs(path: Path, rows: int) -> np.ndarray:
    """Read predictions after checking what they claim to be.

    Raises:
        ValueError: They are not float32 of shape (rows, 1 to 1,000), or the file's size does not fit.
        OSError: There is no such plain file.
    """
    content = _read_plain(path, _HEADER_BYTES + 4 * rows * MAX_OUTPUTS)
    # A view of the bytes: nothing is allocated on the word of the header.
    array = _parse_npy(content)
    if array.dtype != np.float32 or array.ndim != 2 or not 1 <= array.shape[1] <= MAX_OUTPUTS:  # noqa: PLR2004 — axes
        message = f"expected rows of float32, got {array.dtype} of shape {array.shape}"
        raise ValueError(message)
    if array.shape[0] != rows:
        message = f"expected {rows} rows, got {array.shape[0]}"
        raise ValueError(message)
    return array.copy()


def _parse_npy(content: bytes) -> np.ndarray:
    stream = BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        message = f"unknown version {version} of the .npy format"
        raise ValueError(message)
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream, max_header_size=_HEADER_BYTES)
    if dtype.hasobject or any(size < 0 for size in shape):
        message = "the file does not hold plain numbers"
        raise ValueError(message)
    count = int(np.prod(shape, dtype=object)) if shape else 1
    if len(content) - stream.tell() != count * dtype.itemsize:
        message = "the file's size does not fit its shape"
        raise ValueError(message)
    flat = np.frombuffer(content, dtype=dtype, offset=stream.tell(), count=count)
    return flat.reshape(shape, order="F" if fortran else "C")


def _read_plain(path: Path, most: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as source:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > most:
            message = f"{path.name} is not a plain file of at most {most:,} bytes"
            raise ValueError(message)
        return source.read(most)


def _check_started(finished: Finished, told: Mapping[str, JobResult], log: Path) -> None:
    """Tell the grader's own failure from a model's: a process that ends with Python's or bubblewrap's own complaint.

    Raises:
        PredictorError: The predictor itself never ran.
    """
    said = log_tail(log)
    signs = ("bwrap: ", "prlimit: ", "setpriv: ", "No module named")
    if not told and finished.exit_code in (1, 125, 126, 127) and any(sign in said for sign in signs):
        message = f"the predictor did not start (exit code {finished.exit_code}): {said[-500:]}"
        raise PredictorError(message)


def _why(finished: Finished) -> str:
    if finished.over_budget:
        return f"the model was given up: {finished.over_budget}"
    if finished.timed_out:
        return f"the model gave no predictions within {finished.seconds:.0f} seconds"
    return f"the model crashed the predictor (exit code {finished.exit_code})"

"""Predictions of saved models, made in a sandbox without student code and without labels.

A model file is untrusted: loading it may run code. So it is loaded in a sandbox that holds nothing worth stealing. The
outputs are read as plain numbers, after checks of their shape, type and size. All jobs of one call should belong to
one submission, since a malicious file could forge the answers of later jobs.
"""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from grader.execution.answers import Answer, AnswerSocket, answers_in_folder
from grader.execution.sandbox.confinement import Confinement
from grader.execution.sandbox.device import Device
from grader.execution.sandbox.gpu_nodes import gpu_binds
from grader.execution.sandbox.isolation import Isolation, Mount, ProcessLimits
from grader.execution.sandbox.layout import Layout, make_layout
from grader.execution.sandbox.processes import MACHINE_ADVICE, Finished, log_tail, run_to_end
from grader.execution.sandbox.refusals import HAND_OVER, CallListener, RefusedCall
from grader.execution.sandbox.warm import HeldProcess, Program, WarmPool, WarmRefusedError
from grader.execution.sandbox.watchdog import Budget
from grader.execution.shuffle import Order, count_unequal, random_order
from grader.execution.warming import PREDICTOR
from grader.facts.file_modes import sandbox_mode
from grader.facts.npy import LARGEST_HEAD, read_npy_head
from grader.inside.record.predictions import (
    MAX_DESCRIPTION,
    MAX_ERROR,
    MAX_IDLE,
    MAX_OUTPUTS,
    MAX_PARTS,
    REQUEST_VERSION,
    JobRequest,
    JobResult,
    Request,
)
from grader.schema.errors import HarnessError, PredictorError
from grader.schema.evidence import OutputPart
from grader.schema.message import Message, MessageLike, say, say_count
from grader.schema.rubric import RunSettings

__all__ = ["PredictionJob", "PredictionLimits", "PredictionResult", "predict"]

_LINE_BYTES = MAX_DESCRIPTION + (64 << 10)
"""Longest answer: a model description and the other keys."""
_BOOTSTRAP = HAND_OVER + "import runpy; runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
_BY_FILES = frozenset({"container"})
"""Isolations that pass no socket on."""
_CHUNK = 1000
_SECRET = np.random.default_rng()
"""Source of the orders and the sizes of batches, seeded by the operating system; no sandbox can know its state."""
_CRASHES = 6
_MOST_AXES = 16
_YEAR = 366 * 24 * 3600
_NAME = 200
"""Longest name of an output."""


@dataclass(frozen=True, slots=True)
class PredictionJob:
    """A model and its input images."""

    id: str
    """Letters, digits, `-` and `_`; names the result."""
    model: Path
    """A `.keras` file, or the folder of a SavedModel, on this machine."""
    format: Literal["keras", "saved_model"]
    dialect: Literal["keras3", "keras2"]
    inputs: Path
    """`.npy` file of the preprocessed images, made by the grader."""
    batch_size: int = 256


@dataclass(frozen=True, slots=True)
class PredictionLimits:
    """Limits for the predictor's sandbox."""

    memory_bytes: int = RunSettings().predictor_memory
    disk_bytes: int = 2 << 30
    processes: int = 100
    crashes: int = _CRASHES
    """Number of processes that may end without an answer before the remaining jobs are skipped."""
    process_seconds: float = RunSettings().predictor_time
    """Time limit for one process, including the import of TensorFlow. Time that other programs of a busy machine took
    does not count."""

    @classmethod
    def of(cls, settings: RunSettings) -> "PredictionLimits":
        """Return the limits that a rubric sets."""
        return cls(memory_bytes=settings.predictor_memory, process_seconds=settings.predictor_time)

    @property
    def total_seconds(self) -> float:
        """Time limit for all jobs of one call together."""
        return _CRASHES * self.process_seconds


@dataclass(frozen=True, slots=True)
class PredictionResult:
    """The result of one job."""

    id: str
    ok: bool
    error: MessageLike = ""
    """A clause with the reason why the model failed; a plain string if it comes from the sandbox."""
    outputs: np.ndarray | None = None
    """float32, one row per image, at most 1,000 columns."""
    parts: tuple[OutputPart, ...] = ()
    """The outputs of the model with their columns; empty if they are unknown."""
    model: dict[str, Any] | None = None
    """The untrusted description of the loaded model; `docs/events.md` describes its keys."""
    seconds: float = 0.0
    unequal: int = 0
    """Number of images that were given twice and got two different answers."""
    idle: tuple[str, ...] = ()
    """Names of layers without influence on the outputs, as far as they are known; untrusted."""


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
    module: str = PREDICTOR,
    warm: WarmPool | None = None,
    on_refused: Callable[[Sequence[RefusedCall]], None] = lambda _: None,
) -> list[PredictionResult]:
    """Run the jobs. If a model crashes the process, the remaining jobs continue in a new process.

    The images are given in a random order, some of them twice, and in batches of a random size. Each SavedModel has a
    process and a sandbox of its own, because its graph could otherwise forge the answers of other models.

    A notebook can save any number of models that crash or hang, so `PredictionLimits` limits the number of crashes.

    Args:
        jobs: The jobs of one submission, with distinct ids.
        isolation: The same as for notebooks.
        scratch: Parent of the sandboxes' folders; the caller removes it.
        python: The Python with TensorFlow; by default the grader's own.
        device: By default the CPU.
        threads: Threads for one operation.
        limits: Limits on memory, disk and time.
        timeout: Seconds for one process; overrides `limits`.
        module: Module to start as `python -m MODULE REQUEST.json`.
        warm: Processes to fork from; if None, or if the fork fails, each process is started cold.
        on_refused: Called at the end of each process with the system calls that it was refused.

    Returns:
        One result per job, in the order of the jobs.

    Raises:
        PredictorError: The sandbox could not be started, or an input file cannot be read: a failure of the grader.
    """
    python, device = python or Path(sys.executable), device or Device("cpu")
    caps = limits or PredictionLimits()
    call = _Call(isolation, python, device, threads, caps, timeout or caps.process_seconds, module, warm, on_refused)
    results: dict[str, PredictionResult] = {}
    rows = {job.id: _rows(job.inputs) for job in jobs}
    if len(rows) != len(jobs) or not all(name.replace("-", "").replace("_", "").isalnum() for name in rows):
        message = "prediction jobs need distinct ids of letters, digits, - and _"
        raise PredictorError(message)
    scratch.mkdir(parents=True, exist_ok=True)
    crashes, ends = 0, time.monotonic() + caps.total_seconds
    again: set[str] = set()
    """Jobs that are tried again, because the machine was too busy for them."""
    while left := _next_process([job for job in jobs if job.id not in results]):
        folder = Path(tempfile.mkdtemp(prefix="predict-", dir=scratch))
        # A new order for each process, so that a model cannot learn it from an earlier one.
        orders = {count: random_order(count, _SECRET) for count in {rows[job.id] for job in left}}
        layout, finished, found = call.process(left, folder, {job.id: orders[rows[job.id]] for job in left})
        answers = _answers(found)
        for job in left:
            if job.id in answers:
                results[job.id] = _result(job, answers[job.id], orders[rows[job.id]])
        shutil.rmtree(layout.given, ignore_errors=True)
        waiting = [job for job in left if job.id not in results]
        if not waiting:
            continue
        _check_started(finished, answers, layout.log)
        if finished.timed_out and finished.load is not None and finished.load.starved and waiting[0].id not in again:
            again.add(waiting[0].id)
            continue
        # Jobs run in order, so the process ended in the first job without an answer.
        results[waiting[0].id] = PredictionResult(
            waiting[0].id, ok=False, error=_why(finished), seconds=finished.seconds
        )
        crashes += 1
        if crashes >= caps.crashes or time.monotonic() >= ends:
            error = say_count(
                "it was not tried, because {count:number} other model of this notebook crashed the predictor",
                "it was not tried, because {count:number} other models of this notebook crashed the predictor",
                crashes,
            )
            skipped = [job for job in jobs if job.id not in results]
            results |= {job.id: PredictionResult(job.id, ok=False, error=error) for job in skipped}
    return [results[job.id] for job in jobs]


def _next_process(jobs: Sequence[PredictionJob]) -> Sequence[PredictionJob]:
    """Return the jobs for the next process: all `.keras` files together, each SavedModel alone with its jobs."""
    plain = [job for job in jobs if job.format == "keras"]
    return plain or [job for job in jobs if job.model == jobs[0].model]


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
    on_refused: Callable[[Sequence[RefusedCall]], None]

    def process(
        self, jobs: Sequence[PredictionJob], folder: Path, orders: Mapping[str, Order]
    ) -> tuple[Layout, Finished, Iterable[Answer]]:
        """Run one process over some jobs, with the images of each job in its order."""
        limits = self.limits
        isolation = self.isolation.for_run().for_notebook(())
        by_files = isolation.name in _BY_FILES
        most = sum(_LINE_BYTES + _most_bytes(len(order.given)) for order in orders.values())
        try:
            layout = make_layout(folder, isolation, work=False)
            request = _request(jobs, layout, orders)
            request["socket"] = not by_files
            path = layout.code / "request.json"
            path.write_text(json.dumps(request), encoding="utf-8")
            path.chmod(sandbox_mode(folder=False))
            for place in (layout.code, layout.out, layout.home, layout.tmp, layout.given):
                isolation.own(place)
            devices, more = gpu_binds(self.device)
            binds = layout.binds(self.python, (Mount(layout.given, layout.inner("given")), *more), devices=devices)
            bounds = ProcessLimits(memory_bytes=limits.memory_bytes, cores=self.threads)
            asked = str(layout.inner("code") / "request.json")

            def starter(env: Mapping[str, str], confinement: Confinement) -> HeldProcess | None:
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
                    calls=next(iter(keep), None),
                    confinement=confinement,
                    stdin=answers.descriptor,
                )
                with suppress(WarmRefusedError):  # the pool stores the reason
                    return self.warm.start(program)
                return None

            budget = Budget(limits.memory_bytes, limits.processes, disk_bytes=limits.disk_bytes, folders=layout.written)
            with AnswerSocket(folder / "answers", most) as answers, self._listening(isolation) as keep:
                finished = run_to_end(
                    [str(self.python), *self._start(keep), asked],
                    isolation=isolation,
                    binds=binds,
                    env=layout.environment(self.python, self.device.environment(self.threads)),
                    cwd=layout.inner("code"),
                    limits=bounds,
                    budget=budget,
                    timeout=self.timeout,
                    log=layout.log,
                    starter=starter,
                    cores=self.threads,
                    stdin=answers.descriptor,
                    keep=keep,
                )
        except HarnessError as error:
            raise PredictorError(error.message, where=error.where, advice=error.advice) from error
        except OSError as error:
            message = f"the predictor's folders cannot be made: {error}"
            raise PredictorError(message, where=str(folder)) from error
        if finished.outsider:
            message = f"the predictor was ended: {finished.outsider}"
            raise PredictorError(message, where=isolation.name, advice=MACHINE_ADVICE)
        found = answers_in_folder(layout.out, _LINE_BYTES) if by_files else answers.answers(_LINE_BYTES)
        return layout, finished, found

    @contextmanager
    def _listening(self, isolation: Isolation) -> Iterator[tuple[int, ...]]:
        """Yield the descriptor that the process hands its refused calls over to; nothing if they are not reported."""
        if isolation.call_filters is None:
            yield ()
            return
        with closing(CallListener(isolation.call_filters, predictor=True)) as listener:
            yield (listener.theirs.fileno(),)
        if listener.calls:
            self.on_refused(tuple(listener.calls.values()))

    def _start(self, keep: Sequence[int]) -> list[str]:
        """Return the arguments of Python that start the module."""
        if not keep:
            return ["-m", self.module]
        return ["-c", _BOOTSTRAP.format(descriptor=keep[0], module=self.module)]


def _request(jobs: Sequence[PredictionJob], layout: Layout, orders: Mapping[str, Order]) -> Request:
    """Copy the jobs' files to a folder that the sandbox's user can read, and make the request of `docs/events.md`."""
    inner = layout.inner("given")
    layout.given.mkdir()
    names: dict[Path, str] = {}
    listed: list[JobRequest] = []
    for number, job in enumerate(jobs):
        # Keras recognizes the format by the suffix.
        model = f"{number}.keras" if job.format == "keras" else f"{number}"
        (shutil.copytree if job.model.is_dir() else shutil.copyfile)(job.model, layout.given / model)
        if job.inputs not in names:
            names[job.inputs] = f"{number}.npy"
            _save_ordered(job.inputs, layout.given / names[job.inputs], orders[job.id])
        listed.append(
            JobRequest(
                id=job.id,
                model=str(inner / model),
                format=job.format,
                dialect=job.dialect,
                inputs=str(inner / names[job.inputs]),
                batch_size=int(_SECRET.integers(job.batch_size * 3 // 4, job.batch_size * 5 // 4 + 1)),
            )
        )
    return Request(version=REQUEST_VERSION, out=str(layout.inner("out")), jobs=listed)


def _save_ordered(source: Path, target: Path, order: Order) -> None:
    """Write images in an order, in parts, since color images in memory may take hundreds of megabytes."""
    images = np.load(source, mmap_mode="r", allow_pickle=False)
    shape = (len(order.given), *images.shape[1:])
    ordered = np.lib.format.open_memmap(target, mode="w+", dtype=images.dtype, shape=shape, version=(1, 0))
    for start in range(0, len(order.given), _CHUNK):
        ordered[start : start + _CHUNK] = images[order.given[start : start + _CHUNK]]
    ordered.flush()


def _rows(path: Path) -> int:
    """Read the number of images from an input file, which the grader made."""
    try:
        return int(np.load(path, mmap_mode="r", allow_pickle=False).shape[0])
    except (OSError, ValueError, IndexError) as error:
        message = f"the images for the predictor cannot be read: {error}"
        raise PredictorError(message, where=str(path)) from error


def _answers(found: Iterable[Answer]) -> dict[str, tuple[JobResult, Answer]]:
    """Read the lines of answers; skip those that are no results.

    Returns:
        Job id → result and answer. A missing key of a result is None, and a value may be of any type.
    """
    answers: dict[str, tuple[JobResult, Answer]] = {}
    for answer in found:
        try:
            result = json.loads(answer.line, parse_constant=lambda _: None)
        except (ValueError, RecursionError):
            continue
        if isinstance(result, dict) and isinstance(result.get("id"), str):
            whole = {**dict.fromkeys(JobResult.__required_keys__), **result}
            answers.setdefault(result["id"], (cast("JobResult", whole), answer))
    return answers


def _result(job: PredictionJob, answered: tuple[JobResult, Answer], order: Order) -> PredictionResult:
    answer, source = answered
    result = PredictionResult(job.id, ok=False, seconds=_seconds(answer["seconds"]))
    description: object = answer["model"]
    result = replace(result, model=description if isinstance(description, dict) else None)
    if answer["ok"] is not True:
        error = str(answer["error"])[:MAX_ERROR] if answer["error"] else say("the model could not be used")
        return replace(result, error=error)
    if source.size is None:
        source = replace(source, file=source.file / f"{job.id}.npy")
    try:
        outputs, first, second = order.undo(_read_outputs(source, len(order.given)))
        parts = _parts(answer, outputs.shape[1])
        unequal, idle = count_unequal(first, second), _idle(answer)
        return replace(result, ok=True, outputs=outputs, parts=parts, unequal=unequal, idle=idle)
    except (OSError, ValueError) as error:
        return replace(result, error=say("the predictions cannot be read ({error})", error=str(error)[:MAX_ERROR]))


def _seconds(value: object) -> float:
    """Read a claimed duration; 0 for anything else than a number of at most a year."""
    return float(value) if isinstance(value, int | float) and 0 <= value <= _YEAR else 0.0


def _idle(answer: JobResult) -> tuple[str, ...]:
    claimed: object = answer.get("idle")
    names = claimed[:MAX_IDLE] if isinstance(claimed, list) else []
    return tuple(name[:_NAME] for name in names if isinstance(name, str))


def _parts(answer: JobResult, columns: int) -> tuple[OutputPart, ...]:
    """Read the claimed outputs; none if they do not divide the columns of the predictions."""
    claimed: object = answer.get("outputs")
    parts = [_part(part) for part in claimed[:MAX_PARTS]] if isinstance(claimed, list) else []
    if any(part is None for part in parts):
        return ()
    read = tuple(part for part in parts if part is not None)
    at = 0
    for part in read:
        if part.start is not None:
            if part.start != at:
                return ()
            at += part.size
    return read if at == columns else ()


def _part(value: object) -> OutputPart | None:
    if not isinstance(value, dict):
        return None
    name, shape, start = (value.get(key) for key in ("name", "shape", "start"))
    if not isinstance(name, str) or not isinstance(shape, list) or len(shape) > _MOST_AXES:
        return None
    if any(type(axis) is not int or axis < 0 for axis in shape) or not (start is None or type(start) is int):
        return None
    return OutputPart(name=name[:_NAME], shape=tuple(shape), start=start)


def _read_outputs(source: Answer, rows: int) -> np.ndarray:
    """Read predictions after checking their header.

    Raises:
        ValueError: They are not float32 of shape (rows, 1 to 1,000), or their size does not match.
        OSError: They cannot be read.
    """
    content = source.predictions(_most_bytes(rows))
    # The array is a view of the bytes, so a forged header cannot cause a large allocation.
    array = _parse_npy(content)
    if array.dtype != np.float32 or array.ndim != 2 or not 1 <= array.shape[1] <= MAX_OUTPUTS:  # noqa: PLR2004 — axes
        message = f"expected rows of float32, got {array.dtype} of shape {array.shape}"
        raise ValueError(message)
    if array.shape[0] != rows:
        message = f"expected {rows} rows, got {array.shape[0]}"
        raise ValueError(message)
    return array.copy()


def _most_bytes(rows: int) -> int:
    return LARGEST_HEAD + 16 + 4 * rows * MAX_OUTPUTS


def _parse_npy(content: bytes) -> np.ndarray:
    stream = BytesIO(content)
    head = read_npy_head(stream)
    if len(content) - stream.tell() != head.size:
        message = "the file's size does not match its shape"
        raise ValueError(message)
    flat = np.frombuffer(content, dtype=head.dtype, offset=stream.tell(), count=head.count)
    return flat.reshape(head.shape, order="F" if head.fortran else "C")


def _check_started(finished: Finished, answers: Mapping[str, object], log: Path) -> None:
    """Make sure that the predictor ran; if it did not, the log ends with an error of bubblewrap or Python.

    Raises:
        PredictorError: The predictor did not start.
    """
    tail = log_tail(log)
    signs = ("bwrap: ", "prlimit: ", "setpriv: ", "No module named", "in hand_over")
    if not answers and finished.exit_code in (1, 125, 126, 127) and any(sign in tail for sign in signs):
        message = f"the predictor did not start (exit code {finished.exit_code}): {tail[-500:]}"
        raise PredictorError(message)


def _why(finished: Finished) -> Message:
    if finished.over_budget:
        return say("the prediction was stopped: {excess}", excess=finished.over_budget)
    if finished.timed_out:
        return say("the model made no predictions within {limit:seconds}", limit=round(finished.seconds))
    return say("the model crashed the predictor (exit code {code:raw})", code=finished.exit_code)

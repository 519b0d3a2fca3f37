"""Past one machine: the per-submission function as Ray tasks. The only module that imports Ray.

Ray decides which machine does what, and starts what a lost machine did again on another one. What this module adds is
what Ray cannot know: how large a part of a machine one submission needs, what must be the same on every machine, and
how the results come together.

The *driver* is the process of `grader grade`; the *workers* are Ray's processes, on any machine. Workers write each
submission's files into the results folder, which every machine sees. Only the driver writes `grader.sqlite`, since
concurrent writers over a network file system would damage it: a worker is handed a submission's rows, keeps them in a
database of its own while it works, and hands them back with the grade.
"""

import atexit
import math
import os
import shutil
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

# Ray reports usage to its makers unless told otherwise; nobody asked for that here.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from grader.datasets.store import DatasetStore
from grader.execution.sandbox.device import choose_devices
from grader.execution.sandbox.layout import copy_submission
from grader.execution.sandbox.scratch import held_folder, sweep
from grader.grading.loader import LoadedRubric
from grader.intake.find import Found, Rejected
from grader.intake.notebook import read_notebook, refuse_another
from grader.pipeline.canary import Dialect, check_recorder, dialects_of, place_of
from grader.pipeline.classroom import executions_of
from grader.pipeline.code_digest import source_digest
from grader.pipeline.course import Course, assemble_course
from grader.pipeline.publish import grade_kept, unexpected
from grader.pipeline.setup import Bench, Options, set_up, warmed
from grader.pipeline.submission import grade_found, outcome_of, publish_failure
from grader.schema.errors import (
    GraderError,
    HarnessError,
    NotebookError,
    StorageError,
    UsageError,
)
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade
from grader.schema.progress import Listener, Step
from grader.schema.submission import Submission
from grader.store.database import Database, Rows
from grader.store.files import write_atomically
from grader.store.results import ResultsFolder

__all__ = ["Machine", "Order", "RayEngine", "Share", "grade_there", "ready", "share_of", "shared"]

_LOST = 3
"""How often a submission is started again after its worker or machine was lost."""
_POLL_SECONDS = 0.5
_CONNECT_SECONDS = 20.0
_FIRST_SECONDS = 60.0
"""For the first machine to join a cluster that was only just started."""
_LOOK_SECONDS = 300.0
"""For a machine to say whether it can grade; it may have to lay a data set out first."""
_CANCEL_SECONDS = 30.0
_OBJECT_BYTES = 128 << 20
"""Ray's object store where Ray is started here; what passes through it are grades."""
_SIGN, _COPIES = ".ray-", ".handed-in-"
"""What only a run itself needs in the results folder; the run's name follows."""
_FRACTION = 10_000
"""Ray counts GPUs in parts of this size."""


# --- what is decided, apart from what is done ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine of the cluster."""

    id: str
    name: str
    cpus: float
    gpus: float
    memory: float = 0
    """Bytes that Ray gives out; 0 where it does not say."""


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a machine that one submission is given."""

    cpus: int
    """Also the threads it trains with."""
    gpus: float
    """0 on the CPU; a fraction where several submissions share one GPU."""
    memory: int = 0
    """Bytes; Ray puts no more submissions onto a machine than its memory allows."""


def share_of(
    machines: Sequence[Machine], jobs: int | None, device: Literal["auto", "cpu", "gpu"], memory: int = 0
) -> Share:
    """Divide the smallest machine that can be used by the submissions that it shall do at the same time.

    Larger machines then do more of them, and none waits for a machine that is not there.

    Args:
        machines: Of the cluster.
        jobs: Submissions at the same time on one machine; None gives each two CPUs, or a GPU.
        device: Where notebooks train; `auto` takes GPUs where any machine has one, and then only such machines.
        memory: Bytes that one submission may use.

    Raises:
        UsageError: No machine has what is needed.
    """
    with_gpu = [machine for machine in machines if machine.cpus >= 1 and machine.gpus >= 1]
    if device == "gpu" and not with_gpu:
        msg = "no machine of the cluster has a GPU that Ray knows of"
        raise UsageError(msg, where="--device gpu", advice="start its Ray with `--num-gpus`, or say `--device cpu`")
    use_gpu = bool(with_gpu) and device != "cpu"
    usable = with_gpu if use_gpu else [machine for machine in machines if machine.cpus >= 1]
    if not usable:
        msg = "no machine of the cluster has a CPU to give"
        raise UsageError(msg, where="--engine ray", advice="start at least one worker: `ray start --address=…`")
    # A machine too small for one submission by this count still does one: most use less than they may.
    memory = int(min([memory, *(machine.memory for machine in usable)]))
    most_cpus = int(min(machine.cpus for machine in usable))
    if not use_gpu:
        cpus = min(most_cpus, 2) if jobs is None else most_cpus // max(1, jobs)
        return Share(cpus=max(1, cpus), gpus=0, memory=memory)
    most_gpus = int(min(machine.gpus for machine in usable))
    jobs = most_gpus if jobs is None else max(1, jobs)
    # Several must fit onto each GPU: 4 submissions on 3 GPUs are 2 on one of them.
    part = math.floor(_FRACTION / math.ceil(jobs / most_gpus)) / _FRACTION
    return Share(cpus=max(1, most_cpus // jobs), gpus=part, memory=memory)


@dataclass(frozen=True, slots=True)
class Order:
    """All that a worker must know to grade as any other would; the course's arrays it loads itself."""

    name: str
    """Names this run of the grader, and the file in the results folder by which a worker knows that it sees it."""
    out: Path
    """The results folder, by its absolute path."""
    loaded: LoadedRubric
    reference: Evidence | None
    data: Mapping[str, str]
    """Data set → SHA-256 of its arrays."""
    options: Options
    """With the device decided."""
    share: Share
    executions: int
    """How many there are in all, at most."""
    code: str
    """Digest of the grader's own code."""
    dialects: tuple[Dialect, ...] = ()
    """For which each machine tries the recorder before anything is graded."""

    @property
    def sign(self) -> Path:
        """The file in the results folder that this run is known by."""
        return self.out / f"{_SIGN}{self.name}"

    @property
    def copies(self) -> Path:
        """Where the submissions are for every machine to see."""
        return self.out / f"{_COPIES}{self.name}"


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a worker hands back."""

    grade: Grade | None
    rows: Rows
    notices: tuple[str, ...] = ()
    error: GraderError | None = None
    """Why there is no grade."""


# --- on a worker -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Place:
    """What a worker keeps from one submission to the next."""

    order: Order
    course: Course
    bench: Bench


_places: dict[str, _Place] = {}
"""By the run's name; a worker process belongs to one driver, so there is one at most."""


def ready(order: Order) -> _Place:
    """Make a worker ready for a run, once in each of its processes.

    Raises:
        UsageError: This machine cannot take part: other code, no results folder, no sandbox, no such device.
        HarnessError: It should be able to and is not: no data set, a full disk.
    """
    if order.name not in _places:
        _check_machine(order)
        course = assemble_course(order.loaded, order.reference, DatasetStore(may_download=True))
        _check_data(order, course)
        # What a worker that was lost left on this machine.
        sweep()
        bench = set_up(order.loaded, replace(order.options, jobs=1))
        check_recorder(place_of(replace(bench, threads=order.share.cpus)), order.dialects)
        with ExitStack() as stack:
            # Warm processes are this process's children: they go with it, however it ends. Ray mostly kills it.
            held = stack.enter_context(warmed(replace(bench, threads=order.share.cpus), order.executions))
            atexit.register(stack.pop_all().close)
        _places[order.name] = _Place(order, course, held)
    return _places[order.name]


def _check_machine(order: Order) -> None:
    if source_digest() != order.code:
        msg = "another version of the grader is installed here than where the class was started"
        raise UsageError(msg, where="cnn-grader", advice="install the same version on every machine")
    try:
        seen = order.sign.read_text(encoding="ascii") == order.name
    except OSError:
        seen = False
    if not seen:
        msg = f"the results folder {order.out} cannot be seen from here"
        advice = "name a folder on storage that every machine has under the same path, such as NFS or a shared volume"
        raise UsageError(msg, where="--out", advice=advice)
    trial = order.sign.with_name(f"{order.sign.name}-{socket.gethostname()}-{os.getpid()}")
    write_atomically(trial, b"x" * 4096)
    trial.unlink(missing_ok=True)


def _check_data(order: Order, course: Course) -> None:
    for name, data in course.prepared.items():
        if data.sha256 != order.data[name]:
            msg = f"the data set `{name}` here is another one than where the class was started"
            raise UsageError(
                msg, where=str(data.folder), advice=f"import the same file: `grader data import {name} FILE`"
            )


def _look(box: Sequence[Any]) -> GraderError | None:
    """Find out whether a machine can grade, before anything is executed."""
    try:
        ready(ray.get(box[0]))
    except GraderError as error:
        return error
    return None


def grade_there(box: Sequence[Any], found: Found, rows: Rows, board: Any) -> _Answer:
    """Grade one submission on a worker.

    Args:
        box: Holds the reference of the run's `Order`: once fetched, it is kept.
        found: The submission, with its files where every machine sees them.
        rows: What the driver's database notes about it.
        board: Where progress is told; nobody waits for it.
    """

    def tell(step: Step) -> None:
        # How it ended is told by the driver, once it is known there.
        if step.kind != "done":
            board.tell.remote(step)

    try:
        place = ready(ray.get(box[0]))
        with held_folder() as folder:
            path = folder / "grader.sqlite"
            Database(path).replace_rows(found.id, rows)
            out = ResultsFolder(place.order.out, database=path)
            grade = grade_found(found, place.course, _with_device(place), out, tell)
            cold = place.bench.warm.failures if place.bench.warm else ()
            notices = (*place.bench.notices, *(f"started cold: {reason}" for reason in cold))
            return _Answer(grade, Database(path).rows_of(found.id), notices)
    except GraderError as error:
        return _Answer(None, rows, error=error)


def _with_device(place: _Place) -> Bench:
    """The bench with the GPU that Ray gave this task; Ray gives one part of one GPU."""
    if not place.order.share.gpus:
        return place.bench
    (given,) = ray.get_gpu_ids()
    gpus = choose_devices("gpu")
    if not str(given).isdecimal() or int(given) >= len(gpus):
        msg = f"Ray names the GPU {given!r}, and the grader knows {len(gpus)} GPUs by their number, from 0"
        raise HarnessError(msg, where="CUDA_VISIBLE_DEVICES", advice="start Ray with numbers in that variable")
    return replace(place.bench, device=gpus[int(given)])


class _Board:
    """An actor beside the driver that keeps what the workers last said."""

    def __init__(self) -> None:
        self._steps: dict[tuple[str, str], Step] = {}

    def tell(self, step: Step) -> None:
        """Take the place of what was last said about the submission."""
        self._steps.pop((step.submission, step.kind), None)
        self._steps[step.submission, step.kind] = step

    def take(self) -> tuple[Step, ...]:
        """Give what is new."""
        steps = tuple(self._steps.values())
        self._steps.clear()
        return steps


# --- the driver ------------------------------------------------------------------------------------------------


class RayEngine:
    """Ray tasks on one machine or many; see `grader.pipeline.engines.Engine`."""

    def __init__(self, course: Course, options: Options, out: ResultsFolder, address: str | None = None) -> None:
        """Name what is to be done; nothing is started yet.

        Args:
            course: The course, as the driver has it.
            options: Of the command line.
            out: The results folder; every machine must see it.
            address: Of a running cluster (`auto` finds the one this machine belongs to); without it that of the
                environment's RAY_ADDRESS, else Ray is started on this machine for this run.
        """
        self._course = course
        self._options = options
        self._out = ResultsFolder(out.root.resolve())
        self._address = address or os.environ.get("RAY_ADDRESS")
        self.notices: list[str] = []
        """What went otherwise than asked for without harm to a grade, in words."""

    def grades(self, found: Sequence[Found], listener: Listener) -> Generator[Grade, None, None]:
        """Grade submissions wherever Ray has room.

        Raises:
            UsageError: There is no such cluster, or one of its machines cannot grade.
            StorageError: Results cannot be written.
            KeyboardInterrupt: The person does not want to wait; what ran was ended first.
        """
        with _connected(self._address), self._ordered(len(found)) as made:
            order = replace(made, dialects=dialects_of(found, self._course.loaded))
            box = [ray.put(order)]
            _look_at_all(box, order)
            try:
                yield from self._run(box, order, [shared(one, order.copies) for one in found], listener)
            finally:
                shutil.rmtree(order.copies, ignore_errors=True)

    def order(self, machines: Sequence[Machine], name: str, submissions: int) -> Order:
        """Say what workers must know.

        Args:
            machines: Of the cluster.
            name: A name for this run that no other has.
            submissions: How many there are.

        Raises:
            UsageError: No machine has what is needed.
        """
        share = share_of(machines, self._options.jobs, self._options.device, self._course.loaded.rubric.run.memory)
        return Order(
            name=name,
            out=self._out.root,
            loaded=self._course.loaded,
            reference=self._course.reference,
            data={name: data.sha256 for name, data in self._course.prepared.items()},
            options=replace(self._options, device="gpu" if share.gpus else "cpu"),
            share=share,
            executions=executions_of(submissions, self._course, self._options),
            code=source_digest(),
        )

    @contextmanager
    def _ordered(self, submissions: int) -> Iterator[Order]:
        """Write the sign that workers know the results folder by, for as long as they need it."""
        order = self.order(_first_machines(), uuid.uuid4().hex, submissions)
        self._sweep()
        write_atomically(order.sign, order.name.encode())
        try:
            yield order
        finally:
            order.sign.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Remove what a run that was killed left behind."""
        for sign in self._out.root.glob(f"{_SIGN}*"):
            sign.unlink(missing_ok=True)
        for copies in self._out.root.glob(f"{_COPIES}*"):
            shutil.rmtree(copies, ignore_errors=True)

    def _run(
        self, box: Sequence[Any], order: Order, found: Sequence[Found], listener: Listener
    ) -> Generator[Grade, None, None]:
        board = _beside_the_driver(_Board)
        task = ray.remote(grade_there).options(
            num_cpus=order.share.cpus,
            num_gpus=order.share.gpus,
            memory=order.share.memory or None,
            max_retries=_LOST,
            retry_exceptions=False,
        )
        pending = {task.remote(box, one, self._handed_out(one), board): one for one in found}
        running = {one.id for one in found}
        try:
            while pending:
                done = _some_done(list(pending))
                for step in _told(board):
                    if step.submission in running:
                        listener(step)
                for reference in done:
                    one = pending.pop(reference)
                    running.discard(one.id)
                    grade = self._received(one, reference)
                    listener(outcome_of(grade))
                    yield grade
        except BaseException:
            _cancel(list(pending))
            raise

    def _handed_out(self, found: Found) -> Rows:
        """Give what is noted about a submission; of what will be executed again, note that it no longer counts.

        A worker exchanges the evidence before its rows come back. Were this process killed between, the rows here would
        be taken for the new evidence's.
        """
        database = Database(self._out.database_path)
        rows = database.rows_of(found.id)
        for row in database.executions(found.id):
            if row.status == "executed" and (not self._options.resume or row.key.notebook != found.sha256):
                why = "it was handed to a worker and did not come back"
                database.record_execution(found.id, row.key, seconds=row.seconds, attempt=row.attempt, failure=why)
        return rows

    def _received(self, found: Found, reference: Any) -> Grade:
        """Take over what a worker hands back, or write down that it could not."""
        try:
            answer: _Answer = ray.get(reference)
        except RayTaskError as error:
            fault = unexpected(error.cause) if isinstance(error.cause, Exception) else _lost(error)
            return self._failed(found, fault)
        except RayError as error:
            return self._failed(found, _lost(error))
        self.notices.extend(notice for notice in answer.notices if notice not in self.notices)
        Database(self._out.database_path).replace_rows(found.id, answer.rows)
        if answer.grade is None:
            said = answer.error
            return self._failed(found, said if isinstance(said, HarnessError) else HarnessError(str(said)))
        # A machine that was given up for lost may have gone on, and written later than the one in its place.
        if grade_kept(self._out, found.id) != answer.grade:
            self._out.write_grade(answer.grade)
        return answer.grade

    def _failed(self, found: Found, error: HarnessError) -> Grade:
        database = Database(self._out.database_path)
        for row in database.executions(found.id):
            # What lies in the results folder may be newer than what is noted: it is not to be taken for it.
            database.record_execution(found.id, row.key, seconds=row.seconds, attempt=row.attempt, failure=str(error))
        return publish_failure(found, error, self._course, self._out)


@contextmanager
def _connected(address: str | None) -> Iterator[None]:
    """Be part of a cluster, or start one on this machine that ends with the run.

    Raises:
        UsageError: There is no such cluster.
    """
    # Ray writes its own messages to the standard output, which is for what the command prints.
    with redirect_stdout(sys.stderr):
        ended = signal.getsignal(signal.SIGTERM)
        try:
            _start(address)
            # Ray takes this signal for itself, and would leave what runs to itself.
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, ended)
        except (RayError, OSError, RuntimeError, ValueError, ImportError) as error:
            advice = "is its head running, of the same version of Ray, and is its token known here (RAY_AUTH_TOKEN)?"
            msg = f"Ray cannot be reached: {_first_line(error)}"
            raise UsageError(msg, where=f"--address {address or 'local'}", advice=advice) from error
        try:
            yield
        finally:
            ray.shutdown()


def _start(address: str | None) -> None:
    host, _, port = (address or "").rpartition(":")
    if host and port.isdecimal() and "://" not in host:
        # Ray itself tries for a quarter of an hour.
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    if address in {None, "local"}:
        cores = len(os.sched_getaffinity(0))
        ray.init("local", num_cpus=cores, object_store_memory=_OBJECT_BYTES, include_dashboard=False, **quiet)
    else:
        ray.init(address, **quiet)


def _machines() -> list[Machine]:
    """The machines of the cluster that are alive."""
    return [
        Machine(
            id=node["NodeID"],
            name=node["NodeManagerHostname"],
            cpus=node["Resources"].get("CPU", 0.0),
            gpus=node["Resources"].get("GPU", 0.0),
            memory=node["Resources"].get("memory", 0.0),
        )
        for node in ray.nodes()
        if node["Alive"]
    ]


def _first_machines() -> list[Machine]:
    """The machines there are, as soon as one of them has a CPU to give."""
    ends = time.monotonic() + _FIRST_SECONDS
    while not any(machine.cpus >= 1 for machine in _machines()) and time.monotonic() < ends:
        time.sleep(_POLL_SECONDS)
    return _machines()


def _look_at_all(box: Sequence[Any], order: Order) -> None:
    """Ask every machine that will be given submissions whether it can grade them.

    Raises:
        GraderError: What the first machine that cannot says.
    """
    usable = [m for m in _machines() if m.cpus >= order.share.cpus and m.gpus >= order.share.gpus]
    asked = {_there(_look, machine).remote(box): machine for machine in usable}
    answered, silent = ray.wait(list(asked), num_returns=len(asked), timeout=_LOOK_SECONDS)
    if silent:
        msg = f"the machine does not answer within {_LOOK_SECONDS:.0f} seconds"
        raise UsageError(msg, where=asked[silent[0]].name, advice="look at `ray status` and at its log")
    for reference in answered:
        machine = asked[reference]
        try:
            error = ray.get(reference)
        except RayTaskError as fault:
            msg = f"the machine cannot grade: {_first_line(fault.cause)}"
            raise UsageError(
                msg, where=machine.name, advice="is the grader installed there, in Ray's Python?"
            ) from fault
        except RayError:
            continue  # It was lost meanwhile, and is not one of them any more.
        if error is not None:
            where = f"{machine.name}: {error.where}" if error.where else machine.name
            raise type(error)(error.message, where=where, advice=error.advice)


def _there(function: Any, machine: Machine) -> Any:
    """A task for one machine, beside whatever it does."""
    pinned = NodeAffinitySchedulingStrategy(machine.id, soft=False)
    return ray.remote(function).options(num_cpus=0, max_retries=0, scheduling_strategy=pinned)


def _beside_the_driver(kind: type) -> Any:
    """An actor on the driver's own machine: no other machine's loss is its own."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(kind).options(num_cpus=0, scheduling_strategy=here).remote()


def _told(board: Any) -> tuple[Step, ...]:
    """What the workers said; without it a class is graded all the same."""
    try:
        steps: tuple[Step, ...] = ray.get(board.take.remote(), timeout=_CONNECT_SECONDS)
    except RayError:
        return ()
    return steps


def _some_done(pending: Sequence[Any]) -> list[Any]:
    """Wait a moment; give all that is done by then."""
    ray.wait(pending, timeout=_POLL_SECONDS)
    done, _ = ray.wait(pending, num_returns=len(pending), timeout=0)
    return list(done)


def _cancel(pending: Sequence[Any]) -> None:
    """End what runs: a worker first gets an interrupt, as from Ctrl-C, and is ended when it does not heed it."""
    if not pending:
        return
    with suppress(RayError):
        for force, seconds in ((False, _CANCEL_SECONDS), (True, _CANCEL_SECONDS)):
            for reference in pending:
                ray.cancel(reference, force=force)
            _, pending = ray.wait(list(pending), num_returns=len(pending), timeout=seconds)
            if not pending:
                return


def _lost(error: RayError) -> HarnessError:
    msg = f"the worker was lost {_LOST + 1} times, or could not be started: {_first_line(error)}"
    return HarnessError(msg, where="ray", advice="look at `ray status`; the same command tries again")


def _first_line(error: BaseException) -> str:
    """What an error says first; of one that quotes a traceback what that one says last."""
    lines = str(error).strip().splitlines()
    if not lines:
        return type(error).__name__
    quoting = any("Traceback (most recent" in line for line in lines)
    return f"{type(error).__name__}: {lines[-1 if quoting else 0][:300]}"


def shared(found: Found, place: Path) -> Found:
    """Copy what was handed in to where every machine sees it; a path of this machine's own means nothing to others.

    What cannot be read, was exchanged or is too much is told here, in the words in which a worker would.

    Raises:
        StorageError: There is no room.
    """
    if isinstance(found, Rejected):
        return found
    try:
        return _copied(found, place / found.id)
    except StorageError:
        raise
    except (NotebookError, HarnessError) as error:
        return Rejected(found.id, found.student, found.files, found.sha256, error)


def _copied(found: Submission, place: Path) -> Submission:
    notebook = place / "notebook" / found.notebook.name
    folder = place / "files" if found.folder is not None else None
    try:
        notebook.parent.mkdir(parents=True)
        shutil.copyfile(found.notebook, notebook)
        with notebook.open("rb") as copy:
            refuse_another(copy, found.sha256, found.notebook)
    except OSError as error:
        read_notebook(found.notebook, sha256=found.sha256)
        msg = f"what was handed in cannot be copied to the results folder ({error.strerror or error})"
        raise StorageError(msg, where=str(place)) from error
    if found.folder is not None and folder is not None:
        folder.mkdir()
        copy_submission(found.folder, folder)
    return found.model_copy(update={"notebook": notebook, "folder": folder})

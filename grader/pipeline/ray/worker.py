"""Run a worker: prepare it once, then grade one submission after the other."""

import atexit
import os
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import ray

from grader.datasets.store import DatasetStore
from grader.execution.sandbox.device import VISIBLE, choose_devices, named_device
from grader.execution.sandbox.scratch import held_folder, sweep
from grader.intake.find import Found
from grader.pipeline.canary import check_recorder, place_of
from grader.pipeline.code_digest import source_digest
from grader.pipeline.course import Course, assemble_course
from grader.pipeline.ray.shares import Order
from grader.pipeline.setup import Bench, set_up, warmed
from grader.pipeline.submission import grade_found
from grader.schema.errors import GraderError, HarnessError, UsageError
from grader.schema.grade import Grade
from grader.schema.progress import Step
from grader.store.database import Database, Rows
from grader.store.files import write_atomically
from grader.store.results import ResultsFolder

__all__ = ["Answer", "grade_there", "look", "ready"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a worker."""

    grade: Grade | None
    rows: Rows
    notices: tuple[str, ...] = ()
    error: GraderError | None = None
    """The error if there is no grade."""


@dataclass(frozen=True, slots=True)
class Place:
    """Data that a worker reuses for all submissions of a run."""

    order: Order
    course: Course
    bench: Bench


_places: dict[str, Place] = {}
"""Places by the run's name; a worker process belongs to one driver, so there is at most one."""


def ready(order: Order) -> Place:
    """Prepare a worker process for a run, once.

    Raises:
        UsageError: This machine cannot take part: other code, no results folder, no sandbox, or no such device.
        HarnessError: The preparation failed: a missing data set, or a full disk.
    """
    if order.name not in _places:
        _check_machine(order)
        bare = assemble_course(order.loaded, order.reference, DatasetStore(may_download=True))
        course = replace(bare, judgements=order.judgements, assignment=order.assignment)
        _check_data(order, course)
        # Remove the remains of lost workers on this machine.
        sweep()
        bench = set_up(order.loaded, replace(order.options, jobs=1), host={})
        check_recorder(place_of(replace(bench, threads=order.share.cpus)), order.dialects)
        with ExitStack() as stack:
            # Warm processes are children of this process and end with it, even if Ray kills it.
            warm_bench = stack.enter_context(warmed(replace(bench, threads=order.share.cpus), order.executions))
            atexit.register(stack.pop_all().close)
        _places[order.name] = Place(order, course, warm_bench)
    return _places[order.name]


def _check_machine(order: Order) -> None:
    if source_digest() != order.code:
        msg = "the version of the grader here differs from the one on the driver's machine"
        raise UsageError(msg, where="cnn-grader", advice="install the same version on every machine")
    try:
        shared = order.sign.read_text(encoding="ascii") == order.name
    except OSError:
        shared = False
    if not shared:
        msg = f"the results folder {order.out} is not available here"
        advice = "use a folder on storage that all machines share under the same path, such as NFS"
        raise UsageError(msg, where="--out", advice=advice)
    trial = order.sign.with_name(f"{order.sign.name}-{socket.gethostname()}-{os.getpid()}")
    write_atomically(trial, b"x" * 4096)
    trial.unlink(missing_ok=True)


def _check_data(order: Order, course: Course) -> None:
    for name, data in course.prepared.items():
        if data.sha256 != order.data[name]:
            msg = f"the data set `{name}` here differs from the one on the driver's machine"
            raise UsageError(
                msg, where=str(data.folder), advice=f"import the same file: `grader data import {name} FILE`"
            )


def look(box: Sequence[Any]) -> GraderError | None:
    """Check whether a machine can grade, before anything is executed."""
    try:
        ready(ray.get(box[0]))
    except GraderError as error:
        return error
    return None


def grade_there(box: Sequence[Any], found: Found, rows: Rows, board: Any) -> Answer:
    """Grade one submission on a worker.

    Args:
        box: List with the reference of the run's `Order`, which is fetched once.
        found: The submission, with its files in the shared folder.
        rows: Its rows in the driver's database.
        board: Actor that receives progress reports.
    """

    def tell(step: Step) -> None:
        # The driver reports the outcome itself.
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
            return Answer(grade, Database(path).rows_of(found.id), notices)
    except GraderError as error:
        return Answer(None, rows, error=error)


def _with_device(place: Place) -> Bench:
    """Set the bench's device to the GPU that Ray assigned to this task, which is a part of one GPU."""
    if not place.order.share.gpus:
        return place.bench
    (assigned,) = ray.get_gpu_ids()
    # Ray has set `CUDA_VISIBLE_DEVICES` in this process, but its numbers are those of the machine.
    gpus = choose_devices("gpu", host={})
    device = named_device(gpus, str(assigned))
    if device is None:
        msg = f"Ray assigned the GPU {assigned!r}, but the grader found the GPU numbers {list(range(len(gpus)))}"
        raise HarnessError(msg, where=VISIBLE, advice="start Ray with numbers or UUIDs in that variable")
    return replace(place.bench, device=replace(device, shared=place.order.share.gpus < 1))

"""Run submissions as Ray tasks on many machines. Only this package imports Ray.

Ray assigns tasks to machines, and restarts the tasks of a lost machine on another one. This package adds the resources
of a submission, checks that all machines have the same code and data, and collects the results.

The *driver* is the process of `grader grade`; the *workers* are Ray's processes, on any machine. Workers write each
submission's files to the results folder, which all machines share. Only the driver writes `grader.sqlite`, because
concurrent writers on a network file system would damage it. A worker gets a submission's rows, uses them in a
temporary database, and returns them with the grade.
"""

import os
import shutil
import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from grader.execution.sandbox.layout import copy_submission
from grader.intake.find import Found, Rejected
from grader.intake.notebook import read_notebook, refuse_another
from grader.pipeline.canary import dialects_of
from grader.pipeline.code_digest import source_digest
from grader.pipeline.course import Course
from grader.pipeline.publish import grade_kept, unexpected
from grader.pipeline.ray.cluster import (
    RETRIES,
    Board,
    beside_the_driver,
    cancel,
    connected,
    first_machines,
    look_at_all,
    lost_worker,
    reported_steps,
    some_done,
)
from grader.pipeline.ray.shares import COPIES, SIGN, Machine, Order, share_of
from grader.pipeline.ray.worker import Answer, grade_there
from grader.pipeline.setup import Options, executions_of
from grader.pipeline.submission import outcome_of, publish_failure
from grader.schema.course_file import CourseFile
from grader.schema.errors import HarnessError, NotebookError, StorageError
from grader.schema.grade import Grade
from grader.schema.progress import Listener
from grader.schema.submission import Submission
from grader.store.database import Database, Rows
from grader.store.files import write_atomically
from grader.store.results import ResultsFolder

__all__ = ["RayEngine", "shared", "shared_files"]

_COURSE = ".course"
"""Folder of the course's files among the copies; no submission has this id."""


class RayEngine:
    """Ray tasks on one machine or many; see `grader.pipeline.engines.Engine`."""

    def __init__(self, course: Course, options: Options, out: ResultsFolder, address: str | None = None) -> None:
        """Set the parameters of a run; nothing is started yet.

        Args:
            course: The driver's course.
            options: Options of the command line.
            out: The results folder, which all machines must share.
            address: Address of a running cluster; `auto` finds the cluster of this machine. By default the environment
                variable RAY_ADDRESS; without both, Ray is started on this machine for this run.
        """
        self._course = course
        self._options = options
        self._out = ResultsFolder(out.root.resolve())
        self._address = address or os.environ.get("RAY_ADDRESS")
        self.notices: list[str] = []
        """Deviations from the options that affect no grade."""

    def grades(self, found: Sequence[Found], listener: Listener) -> Generator[Grade, None, None]:
        """Grade submissions on machines with free resources.

        Raises:
            UsageError: The cluster cannot be reached, or one of its machines cannot grade.
            StorageError: Results cannot be written.
            KeyboardInterrupt: The user stopped the run; running tasks are ended first.
        """
        with connected(self._address), self._ordered(len(found)) as base:
            loaded = replace(base.loaded, files=shared_files(base.loaded.files, base.copies / _COURSE))
            order = replace(base, loaded=loaded, dialects=dialects_of(found, self._course.loaded))
            box = [ray.put(order)]
            look_at_all(box, order)
            try:
                yield from self._run(box, order, [shared(one, order.copies) for one in found], listener)
            finally:
                shutil.rmtree(order.copies, ignore_errors=True)

    def order(self, machines: Sequence[Machine], name: str, submissions: int) -> Order:
        """Make the order for the workers.

        Args:
            machines: The machines of the cluster.
            name: A unique name of this run.
            submissions: Number of submissions.

        Raises:
            UsageError: No machine has enough resources.
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
            executions=executions_of(submissions, self._course.loaded, self._options),
            code=source_digest(),
            judgements=self._course.judgements,
            assignment=self._course.assignment,
        )

    @contextmanager
    def _ordered(self, submissions: int) -> Iterator[Order]:
        """Write the file by which workers recognize the results folder, while they need it."""
        order = self.order(first_machines(), uuid.uuid4().hex, submissions)
        self._sweep()
        write_atomically(order.sign, order.name.encode())
        try:
            yield order
        finally:
            order.sign.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Remove the remains of killed runs."""
        for sign in self._out.root.glob(f"{SIGN}*"):
            sign.unlink(missing_ok=True)
        for copies in self._out.root.glob(f"{COPIES}*"):
            shutil.rmtree(copies, ignore_errors=True)

    def _run(
        self, box: Sequence[Any], order: Order, found: Sequence[Found], listener: Listener
    ) -> Generator[Grade, None, None]:
        board = beside_the_driver(Board)
        task = ray.remote(grade_there).options(
            num_cpus=order.share.cpus,
            num_gpus=order.share.gpus,
            memory=order.share.memory or None,
            max_retries=RETRIES,
            retry_exceptions=False,
        )
        pending = {task.remote(box, one, self._take_rows(one), board): one for one in found}
        running = {one.id for one in found}
        try:
            while pending:
                done = some_done(list(pending))
                for step in reported_steps(board):
                    if step.submission in running:
                        listener(step)
                for reference in done:
                    one = pending.pop(reference)
                    running.discard(one.id)
                    grade = self._received(one, reference)
                    listener(outcome_of(grade))
                    yield grade
        except BaseException:
            cancel(list(pending))
            raise

    def _take_rows(self, found: Found) -> Rows:
        """Return the database rows of a submission; first mark each execution that will be repeated as failed.

        A worker writes new evidence before its rows arrive here. If this process were killed in between, the old rows
        would be taken for those of the new evidence.
        """
        database = Database(self._out.database_path)
        rows = database.rows_of(found.id)
        for row in database.executions(found.id):
            if row.status == "executed" and (not self._options.resume or row.key.notebook != found.sha256):
                why = "its worker did not return a result"
                database.record_execution(found.id, row.key, seconds=row.seconds, attempt=row.attempt, failure=why)
        return rows

    def _received(self, found: Found, reference: Any) -> Grade:
        """Store the result of a worker, or its failure."""
        try:
            answer: Answer = ray.get(reference)
        except RayTaskError as error:
            fault = unexpected(error.cause) if isinstance(error.cause, Exception) else lost_worker(error)
            return self._failed(found, fault)
        except RayError as error:
            return self._failed(found, lost_worker(error))
        self.notices.extend(notice for notice in answer.notices if notice not in self.notices)
        Database(self._out.database_path).replace_rows(found.id, answer.rows)
        if answer.grade is None:
            failure = answer.error
            return self._failed(found, failure if isinstance(failure, HarnessError) else HarnessError(str(failure)))
        # A machine that seemed lost may have continued, and overwritten the grade of its replacement.
        if grade_kept(self._out, found.id) != answer.grade:
            self._out.write_grade(answer.grade)
        return answer.grade

    def _failed(self, found: Found, error: HarnessError) -> Grade:
        database = Database(self._out.database_path)
        for row in database.executions(found.id):
            # The files may be newer than the database row, so do not reuse them.
            database.record_execution(found.id, row.key, seconds=row.seconds, attempt=row.attempt, failure=str(error))
        return publish_failure(found, error, self._course, self._out)


def shared(found: Found, place: Path) -> Found:
    """Copy a submission to the shared folder, since other machines cannot read local paths.

    Files that are unreadable, replaced or too large make it a rejected submission, with the error of a worker.

    Raises:
        StorageError: No space is left.
    """
    if isinstance(found, Rejected):
        return found
    try:
        return _copied(found, place / found.id)
    except StorageError:
        raise
    except (NotebookError, HarnessError) as error:
        return Rejected(found.id, found.student, found.files, found.sha256, error, found.notes)


def shared_files(files: Sequence[CourseFile], place: Path) -> tuple[CourseFile, ...]:
    """Copy the course's files to the shared folder, since other machines cannot read local paths.

    Raises:
        StorageError: A file cannot be copied.
    """
    copies = []
    try:
        for number, file in enumerate(files):
            copy = place / f"{number}"
            place.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.source, copy)
            copies.append(replace(file, source=copy))
    except OSError as error:
        msg = f"the files of the course cannot be copied to the results folder ({error.strerror or error})"
        raise StorageError(msg, where=str(place)) from error
    return tuple(copies)


def _copied(found: Submission, place: Path) -> Submission:
    folder = place / "files" if found.folder is not None else None
    notebook = place / ("files" if folder is not None else "notebook") / found.inner / found.notebook.name
    try:
        if folder is not None:
            folder.mkdir(parents=True)
            copy_submission(found.folder or folder, folder, only=found.only)
        notebook.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found.notebook, notebook)
        with notebook.open("rb") as copy:
            refuse_another(copy, found.sha256, found.notebook)
    except OSError as error:
        read_notebook(found.notebook, sha256=found.sha256)
        msg = f"the submission cannot be copied to the results folder ({error.strerror or error})"
        raise StorageError(msg, where=str(place)) from error
    return found.model_copy(update={"notebook": notebook, "folder": folder})

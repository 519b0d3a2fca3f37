"""A rubric while somebody edits it: its problems, its effect on the class, and its use for all grades."""

import hashlib
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock, Thread
from typing import Final

from grader.datasets.store import DatasetStore
from grader.desk.state import Desk
from grader.grading.loader import LoadedRubric
from grader.grading.yamlnodes import Problem
from grader.pipeline.course import Course
from grader.pipeline.course_folder import assignment_of
from grader.pipeline.judgements import judged_course
from grader.pipeline.preview import Preview
from grader.pipeline.preview_pool import PreviewPool
from grader.pipeline.regrade import course_of_results, regrade_class, rubric_of_results
from grader.pipeline.rubrics import find_rubric, noted_language, problems_of_text, rubric_of_text, shipped_rubrics
from grader.schema.errors import GraderError, HarnessError, RubricError, UsageError
from grader.store.files import write_atomically
from grader.store.results import ResultsFolder

__all__ = ["LiveRubric", "Progress", "RubricText", "Step"]

_WAIT: Final = 60.0
"""Seconds that a regrade waits for another grader that uses the folder."""


@dataclass(frozen=True, slots=True)
class RubricText:
    """The rubric's file on the disk."""

    path: Path
    text: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Step:
    """Progress over the submissions of the class."""

    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """The regrade after a changed rubric was written."""

    running: bool = False
    step: Step = Step()
    file: str = ""
    """The file that was written; empty if none was."""
    copied: bool = False
    """Whether it is a copy of a shipped rubric."""
    unnamed: bool = False
    """Whether `course.yaml` names another file."""
    changed: int | None = None
    """Number of changed submissions, when it has ended."""
    problem: str = ""


class LiveRubric:
    """The rubric of a desk while it is edited."""

    def __init__(self, desk: Desk, pool: PreviewPool | None = None) -> None:
        """Set the desk; the first preview starts worker processes.

        Args:
            desk: The desk.
            pool: Makes previews; by default with all cores.
        """
        self._desk = desk
        self._pool = pool or PreviewPool(desk.out.root, desk.course.data_root)
        self._lock = Lock()
        self._latest = 0
        self._step = Step()
        self._progress = Progress()
        self._thread: Thread | None = None

    # --- the text

    def stored(self) -> RubricText:
        """Read the rubric's file.

        Raises:
            RubricError: It cannot be read.
        """
        path = self._desk.course.loaded.path
        try:
            content = path.read_bytes()
            text = content.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            msg = f"the rubric cannot be read: {error}"
            raise RubricError(msg, where=str(path)) from error
        return RubricText(path, text, hashlib.sha256(content).hexdigest())

    @property
    def target(self) -> Path:
        """The file that a changed rubric is written to: a shipped rubric itself is never changed."""
        path = self._desk.course.loaded.path
        if path not in shipped_rubrics():
            return path
        assignment = assignment_of(self._desk.out)
        root = self._desk.out.root.resolve().parent if assignment is None else assignment.course.root
        return root / path.name

    @property
    def copies(self) -> bool:
        """Whether a changed rubric is written as a copy of a shipped one."""
        return self.target != self._desk.course.loaded.path

    def problems(self, text: str) -> tuple[Problem, ...]:
        """List the problems of a rubric's text, by line.

        Raises:
            RubricError: It cannot be read at all, or a file that it names cannot be read.
        """
        return problems_of_text(text.encode(), self.target)

    # --- its effect

    def preview(self, text: str) -> Preview | None:
        """Compute what a regrade with a changed rubric would do.

        Args:
            text: Text of the rubric, without problems.

        Returns:
            None if a later text was sent in the meantime.

        Raises:
            RubricError: The rubric is wrong, or another one.
            HarnessError: A worker process died.
        """
        loaded = self._loaded(text)
        with self._lock:
            self._latest += 1
            number = self._latest
        preview = self._pool.preview(loaded, listener=self._stepped, wanted=lambda: number == self._latest)
        self._step = Step()
        return preview

    def _loaded(self, text: str) -> LoadedRubric:
        loaded = rubric_of_text(text.encode(), self.target)
        own = self._desk.course.stamp.id
        if loaded.rubric.id != own:
            msg = f"the grades belong to the rubric {own!r}, so its id must stay"
            raise RubricError(msg, where="id", advice="use `grader regrade --rubric` for another rubric")
        return in_folder(loaded, self._desk.out)

    def _stepped(self, done: int, total: int) -> None:
        self._step = Step(done, total)

    def step(self) -> Step:
        """Return the progress of the running preview."""
        return self._step

    # --- its use

    def apply(self, text: str, known: str) -> Path:
        """Write a changed rubric, and grade the class again in the background.

        Args:
            text: Text of the rubric.
            known: SHA-256 of the file's bytes when the editor was opened.

        Returns:
            The file that was written.

        Raises:
            UsageError: The rubric is wrong, the file has changed since, or a regrade is running.
            StorageError: The file cannot be written.
        """
        loaded = self._loaded(text)
        with self._lock:
            if self._progress.running:
                msg = "the class is being graded again; wait until it has ended"
                raise UsageError(msg)
            target, copies = self._checked(known), self.copies
            write_atomically(target, text.encode())
            self._progress = Progress(
                running=True,
                file=str(target),
                copied=copies,
                unnamed=copies and assignment_of(self._desk.out) is not None,
            )
            self._thread = Thread(
                target=self._regrade, args=(target, loaded.language), name="desk-regrade", daemon=True
            )
            self._thread.start()
        return target

    def _checked(self, known: str) -> Path:
        """Check that nobody else has changed the file since the editor was opened."""
        if self.stored().sha256 != known:
            msg = "the rubric's file has changed since you opened it"
            advice = "copy your text, open the view again, and make the change there"
            raise UsageError(msg, where=str(self._desk.course.loaded.path), advice=advice)
        target = self.target
        if self.copies and target.exists():
            msg = "a changed copy of the shipped rubric is already here"
            raise UsageError(msg, where=str(target), advice=f"open the desk with `--rubric {target}`, or move it away")
        return target

    def _regrade(self, target: Path, language: str | None) -> None:
        desk, problem, changed = self._desk, "", None
        try:
            changed = _in_process(desk.out.root, target, language, desk.course.data_root, self._advanced)
            desk.course = _course(desk.out, target, language, desk.course.data_root)
            desk.updates.note(desk.outdated())
        except GraderError as error:
            problem = str(error)
        self._progress = replace(self._progress, running=False, changed=changed, problem=problem)

    def _advanced(self, step: Step) -> None:
        self._progress = replace(self._progress, step=step)

    def progress(self) -> Progress:
        """Return the progress of the regrade."""
        return self._progress

    def wait(self) -> None:
        """Wait for the end of the regrade."""
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """End the worker processes."""
        self._pool.close()


def in_folder(loaded: LoadedRubric, out: ResultsFolder) -> LoadedRubric:
    """Add to a rubric what a regrade of a results folder adds: its course and its language."""
    loaded = rubric_of_results(out, loaded)
    return replace(loaded, language=loaded.language or noted_language(out))


def _course(out: ResultsFolder, file: Path, language: str | None, data: Path) -> Course:
    loaded = replace(find_rubric(str(file)), language=language)
    return judged_course(course_of_results(out, loaded, DatasetStore(data)), out)


def _in_process(root: Path, file: Path, language: str | None, data: Path, listener: Callable[[Step], None]) -> int:
    """Grade a class again in a process of its own, since this one has threads; return the number of changes."""
    here, there = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_regraded, args=(there, root, file, language, data))
    process.start()
    there.close()
    try:
        while True:
            answer: Step | int | GraderError = here.recv()
            if isinstance(answer, GraderError):
                raise answer
            if isinstance(answer, int):
                return answer
            listener(answer)
    except (EOFError, ConnectionError) as error:
        msg = "the process that grades again died"
        raise HarnessError(msg, advice="`grader regrade` completes it") from error
    finally:
        here.close()
        process.join()


def _regraded(connection: Connection, root: Path, file: Path, language: str | None, data: Path) -> None:
    """Grade a class again, and report the progress; the body of the process."""
    # The desk waits for the end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = ResultsFolder(root)
    try:
        with out.at_work(wait=_WAIT):
            course = _course(out, file, language, data)
            result = regrade_class(course, out, most=0, listener=lambda done, total: connection.send(Step(done, total)))
        connection.send(result.changed)
    except GraderError as error:
        connection.send(error)

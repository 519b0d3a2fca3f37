"""A submission as intake found it, and the outcome of one execution of it."""

from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field

from grader.schema.base import Document
from grader.schema.judgement import Moment
from grader.schema.message import Message, MessageLike

__all__ = [
    "CUT_SHORT",
    "STORED_ERROR",
    "CellError",
    "ExecutionStatus",
    "Run",
    "Submission",
    "SubmittedFrom",
    "TaggedCell",
]

STORED_ERROR = "grader_stored_error"
"""Key of a cell's metadata: class of the error among the outputs in the submitted file, with the message
of a `NameError`."""


SubmittedFrom = Literal["", "name", "timestamp", "metadata", "times", "mark", "commit"]
"""Source of the time of submission. `name`: the name of a file or folder. `timestamp`: a file `timestamp.txt`.
`metadata`: the platform's own file. `times`: the course's file with times. `mark`: the platform only marks the
submission as late, and the time is unknown. `commit`: the last commit of a clone, as its author's machine wrote it.
Empty: nothing is known."""


class Submission(Document):
    """One student's work: a notebook and the files next to it."""

    id: str = Field(pattern=r"^[^/\\\x00-\x1f]+$", max_length=120)
    """Names the result folder; unique within a run of the grader."""
    student: str
    """The student's name, read from the path."""
    notebook: Path
    """Path of the notebook to execute."""
    folder: Path | None = None
    """The folder whose files the notebook may read; None for a bare notebook."""
    files: tuple[str, ...] = ()
    """Relative names of the submitted files, sorted."""
    sha256: str
    """Hash of the notebook's bytes."""
    notes: tuple[Message, ...] = ()
    """How the files were read, where another reading is possible: which attempt and which notebook was graded."""
    only: tuple[str, ...] | None = None
    """The files of `folder` that the notebook may read, by their relative names; None for all of them."""
    left_out: tuple[Message, ...] = ()
    """Files that the notebook does not get because of a limit."""
    withheld: tuple[str, ...] = ()
    """Names of files next to the notebook that it does not get, because they may belong to another student."""
    submitted: Moment | None = None
    """When it was handed in; None if unknown."""
    submitted_from: SubmittedFrom = ""

    @property
    def inner(self) -> PurePosixPath:
        """Folder of the notebook relative to `folder`: the working folder; `.` for a notebook outside of it."""
        place = self.notebook.parent.resolve()
        top = place if self.folder is None else self.folder.resolve()
        return PurePosixPath(place.relative_to(top)) if place.is_relative_to(top) else PurePosixPath()


class TaggedCell(Document):
    """A code cell of the assignment's own notebook with tags such as `raises-exception`."""

    id: str
    source: str
    """Its code without the blanks at both ends."""
    tags: tuple[str, ...]


class CellError(Document):
    """An exception that ended a cell."""

    cell: int | None
    """Index into the notebook's `cells`, from 0; None when no cell was running."""
    name: str
    """The exception's class."""
    message: str
    """The exception's text, cut to a readable length; in English the reason if the grader ended the cell."""
    cause: str = ""
    """The part of the text that says what was wrong; for an assertion without a text the asserted line. Empty in
    evidence of an earlier version."""
    line: int | None = None
    """The line of the cell that raised the exception, from 1; None if unknown."""
    advice: MessageLike = ""
    """How to fix it, such as the modern form of an old API; empty if the grader has no advice."""


ExecutionStatus = Literal["completed", "cell_error", "timeout", "memory", "died"]


CUT_SHORT = frozenset({"timeout", "memory", "died"})
"""Statuses of a notebook that did not reach its end."""


class Run(Document):
    """The outcome of one execution of a notebook, as seen from outside the sandbox."""

    status: ExecutionStatus
    """`completed`: every cell ran without an error; `cell_error`: a cell raised (later ones still ran);
    `timeout`: the notebook's budget ran out; `memory`: the memory, disk or process budget ran out;
    `died`: the kernel ended by itself."""
    reason: MessageLike = ""
    """A clause that gives the reason of a status other than `completed`; a string in older evidence."""
    seconds: float
    """Wall time from the first cell to the last."""
    cells_run: int
    """Code cells that were executed."""
    cells_total: int
    """Code cells that are not empty."""
    errors: tuple[CellError, ...] = ()
    peak_memory_mib: float | None = None
    cpu_seconds: float | None = None
    """CPU time of all processes of the sandbox from the first cell to the last; None if it was not measured."""
    cpu_share: float | None = None
    """Part of the CPU time that the notebook could use within its cores and got, 0 to 1; other programs got the rest.
    None if it was not measured."""
    pressure: float | None = None
    """Fraction of that time in which some thread of the machine waited for a core (PSI); None if the kernel of the
    operating system does not measure it."""
    isolation: Literal["bubblewrap", "container", "user", "none"]
    limits: Literal["cgroup", "polled"] | None = None
    """How the budgets of memory, processes and processor time were enforced: by Linux (control groups), or by
    measuring five times per second; None in older evidence."""
    device: str = "cpu"
    seed: int
    dialect: Literal["keras3", "keras2"]
    cell_map: tuple[int, ...] = ()
    """`cell_map[k]` is the notebook index of the k-th executed code cell: the recorder counts
    executed cells from 1, so its cell `k + 1` is `cell_map[k]`."""

    @property
    def cut_short(self) -> bool:
        """Whether the notebook did not reach its end."""
        return self.status in CUT_SHORT

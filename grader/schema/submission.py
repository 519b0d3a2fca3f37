"""A submission as intake hands it on, and what one execution of it came to."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from grader.schema.base import Document

__all__ = ["CellError", "ExecutionStatus", "Run", "Submission"]


class Submission(Document):
    """One student's work: a notebook and the files beside it."""

    id: str = Field(pattern=r"^[^/\\\x00-\x1f]+$", max_length=120)
    """Names the result folder; unique within a run of the grader."""
    student: str
    """Who handed it in, as far as the path tells."""
    notebook: Path
    """The notebook to execute, on this machine."""
    folder: Path | None = None
    """The folder whose files the notebook may read; None for a bare notebook."""
    files: tuple[str, ...] = ()
    """Relative names of what was handed in, sorted."""
    sha256: str
    """Of the notebook's bytes."""


class CellError(Document):
    """An exception a cell ended with."""

    cell: int | None
    """Index into the notebook's `cells`, from 0; None when no cell was running."""
    name: str
    """The exception's class."""
    message: str
    """Its text, cut to a readable length."""
    advice: str = ""
    """What the grader can say about it, such as the modern form of an old API."""


ExecutionStatus = Literal["completed", "cell_error", "timeout", "memory", "died"]


class Run(Document):
    """What one execution of a notebook came to, as the host saw it."""

    status: ExecutionStatus
    """`completed`: every cell ran without an error; `cell_error`: a cell raised (later ones still ran);
    `timeout`: the notebook's budget ran out; `memory`: the memory, disk or process budget ran out;
    `died`: the kernel ended by itself."""
    reason: str = ""
    """One sentence for a status other than `completed`."""
    seconds: float
    cells_run: int
    """Code cells that were executed."""
    cells_total: int
    """Code cells with something in them."""
    errors: tuple[CellError, ...] = ()
    peak_memory_mib: float | None = None
    isolation: Literal["bubblewrap", "container", "none"]
    device: str = "cpu"
    seed: int
    dialect: Literal["keras3", "keras2"]
    cell_map: tuple[int, ...] = ()
    """`cell_map[k]` is the notebook index of the k-th executed code cell: the recorder counts
    executed cells from 1, so its cell `k + 1` is `cell_map[k]`."""

    @property
    def cut_short(self) -> bool:
        """Whether the notebook did not reach its end."""
        return self.status in {"timeout", "memory", "died"}

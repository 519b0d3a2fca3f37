"""Answers of `grader serve`, version 1."""

from typing import Literal

from grader.schema.described import Described
from grader.schema.message import Message

__all__ = [
    "Health",
    "Links",
    "Outcome",
    "Problem",
    "ProblemAnswer",
    "Progress",
    "QueueCounts",
    "RubricAnswer",
    "RubricsAnswer",
    "SubmissionAnswer",
    "SubmissionState",
]

SubmissionState = Literal["queued", "running", "done"]


class Problem(Described):
    """Reason why a request was refused: what is wrong, where, and what to do."""

    kind: str
    """Class of the error, such as `NotebookError`."""
    message: str
    """The mistake, as a clause."""
    where: str = ""
    """The file, cell, field or header; empty if there is none."""
    advice: str = ""
    """How to fix it; empty without advice."""
    says: Message | None = None
    """The message as data, for an upload that is not a notebook."""
    advice_says: Message | None = None
    """The advice as data, for an upload that is not a notebook."""


class ProblemAnswer(Described):
    """Body of each answer with a status of 400 or more."""

    error: Problem
    """The reason."""


class Health(Described):
    """Whether the service accepts notebooks."""

    status: Literal["ok", "draining"]
    """`draining`: the service is about to end; it answers questions, and accepts no more notebooks."""


class RubricAnswer(Described):
    """A rubric that the service grades with."""

    id: str
    """Its id, for an upload."""
    title: str
    """Title of the assignment."""
    max_score: float
    """Points without hidden criteria."""


class RubricsAnswer(Described):
    """All rubrics of the service."""

    rubrics: tuple[RubricAnswer, ...]
    """The rubrics, sorted by id."""


class QueueCounts(Described):
    """The number of submissions by state."""

    queued: int
    """Submissions that wait."""
    running: int
    """Submissions that are executed or graded now."""
    done: int
    """Submissions with a result."""
    most: int
    """Longest queue; uploads beyond it get the status 429."""


class Progress(Described):
    """Progress of a running submission."""

    text: str
    """Current activity, in a few English words."""
    cells_done: int
    """Code cells executed so far."""
    cells_total: int
    """Code cells to execute; 0 if not known yet."""


class Outcome(Described):
    """Summary of a grade, in the student's edition."""

    status: Literal["graded", "not_graded"]
    """`not_graded`: the grader failed, not the student. This is no score of 0."""
    score: float | None
    """Points; null if not graded."""
    max_score: float
    """Points without hidden criteria."""
    pending: float
    """Points that a person still decides."""
    reason: str | None
    """Why it was not graded."""


class Links(Described):
    """Addresses that belong to a submission, as paths of the service."""

    self: str
    """The submission."""
    grade: str
    """The grade as JSON."""
    report: str
    """The report as an HTML page."""


class SubmissionAnswer(Described):
    """One submission: where it is in the queue, and the outcome."""

    id: str
    """Random id, which is also the name of its folder."""
    rubric: str
    """Id of the rubric."""
    student: str
    """The student, as given with the upload."""
    sha256: str
    """Hash of the notebook's bytes."""
    received: str
    """When it was uploaded first: UTC, in ISO 8601."""
    status: SubmissionState
    """State in the queue."""
    position: int | None = None
    """Position in the queue, from 1; null unless it waits."""
    progress: Progress | None = None
    """Progress; null unless it runs."""
    result: Outcome | None = None
    """The outcome; null unless it is done."""
    links: Links
    """Its addresses."""

"""Findings of checks, and the grade they add up to (`grade.json`, version 1)."""

import importlib
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Self, TypedDict, Unpack

from pydantic import Field

from grader.schema.base import Assurance, Document, Json, Pointer
from grader.schema.message import Message, MessageLike
from grader.schema.rubric import Take

__all__ = [
    "GRADE_VERSION",
    "AccuracyGrade",
    "AttemptGrade",
    "AttemptsGrade",
    "CriterionGrade",
    "CriterionStatus",
    "Diagnostic",
    "DiagnosticGrade",
    "ExecutionGrade",
    "Finding",
    "FindingDetails",
    "Grade",
    "Lacking",
    "LayerGrade",
    "ModelGrade",
    "ReferenceGrade",
    "RoleMatch",
    "RubricStamp",
    "Spread",
    "SubmissionStamp",
]

GRADE_VERSION = 1
"""1: first version."""

CriterionStatus = Literal["passed", "partial", "failed", "pending", "skipped"]

Lacking = Literal["lost", "unasked", "unable"]
"""Why evidence lacks a prediction that could have been made: `lost` by a failure of the grader's, and the next grading
executes again; `unasked` where the execution was before the rubric came to need it, and none follows now; `unable`
where the very same rubric was executed and nothing failed, so that another execution would leave the same."""


class RoleMatch(Document):
    """Which model a role of the rubric means in this notebook."""

    role: str
    model: str | None = None
    """The model's id; None when none matches or several do."""
    candidates: tuple[str, ...] = ()
    """Every model that matches the role's conditions."""
    message: MessageLike = ""
    """A sentence: why there is no model, or which ones are possible; empty when it is clear."""


class FindingDetails(TypedDict, total=False):
    """The fields of a finding that are the same for every verdict."""

    advice: MessageLike
    assurance: Assurance | None
    measured: Mapping[str, Json]
    evidence: tuple[Pointer, ...]
    borderline: bool


class Finding(Document):
    """What a check found out; its constructors are named after the verdicts."""

    status: CriterionStatus
    fraction: float = Field(default=0.0, ge=0, le=1)
    """Part of the points earned."""
    message: MessageLike
    """One or two sentences: what was seen, with figures."""
    advice: MessageLike = ""
    """What to do about it; the criterion's own advice comes first."""
    assurance: Assurance | None = None
    measured: Mapping[str, Json] = Field(default_factory=dict)
    evidence: tuple[Pointer, ...] = ()
    borderline: bool = False
    """Whether full marks were missed by less than the measurement can tell, so that a person should look."""

    @classmethod
    def passed(cls, message: MessageLike, **details: Unpack[FindingDetails]) -> Self:
        """Give all points."""
        return cls(status="passed", fraction=1.0, message=message, **details)

    @classmethod
    def partial(cls, message: MessageLike, fraction: float, **details: Unpack[FindingDetails]) -> Self:
        """Give a part of the points, above 0 and below 1."""
        return cls(status="partial", fraction=fraction, message=message, **details)

    @classmethod
    def failed(cls, message: MessageLike, **details: Unpack[FindingDetails]) -> Self:
        """Give no points for what the student did."""
        return cls(status="failed", message=message, **details)

    @classmethod
    def pending(cls, message: MessageLike, **details: Unpack[FindingDetails]) -> Self:
        """Leave the points to a person: what was seen does not decide."""
        return cls(status="pending", message=message, **details)

    @classmethod
    def scored(cls, message: MessageLike, fraction: float, **details: Unpack[FindingDetails]) -> Self:
        """Give the verdict that a fraction of the points means: passed from 1 on, partial above 0, else failed."""
        if fraction >= 1:
            return cls.passed(message, **details)
        return cls.partial(message, fraction, **details) if fraction > 0 else cls.failed(message, **details)


class Diagnostic(Document):
    """A mistake the grader recognizes whether or not the rubric gives points for it."""

    id: str
    title: MessageLike
    cell: int | None = None
    message: MessageLike
    advice: MessageLike
    model: str | None = None


class DiagnosticGrade(Document):
    """A note in the margin: a diagnostic as the grade shows it."""

    id: str
    title: str
    cell: int | None = None
    message: str
    advice: str
    model: str | None = None
    title_says: Message | None = None
    """The title as data."""
    says: Message | None = None
    """The message as data."""
    advice_says: Message | None = None
    """The advice as data."""


class SubmissionStamp(Document):
    """Which submission this grade is for."""

    id: str
    student: str
    files: tuple[str, ...]
    sha256: str


class RubricStamp(Document):
    """Which rubric, byte for byte."""

    id: str
    sha256: str
    title: str = ""


class CriterionGrade(Document):
    """One line of the grade."""

    id: str
    title: str
    points: float
    max_points: float
    status: CriterionStatus
    message: str
    """In English."""
    advice: str = ""
    """In English; the rubric's own advice first."""
    says: Message | None = None
    """The message as data; None in grades of earlier versions."""
    advice_says: Message | None = None
    """The advice as data."""
    assurance: Assurance | None = None
    measured: Mapping[str, Json] = Field(default_factory=dict)
    evidence: tuple[Pointer, ...] = ()
    hidden: bool = False
    bonus: bool = False
    borderline: bool = False
    """Full marks were missed by less than the measurement can tell; the points are those computed."""


class LayerGrade(Document):
    """A layer as the grade shows it."""

    name: str
    cls: str = Field(alias="class")
    output_shape: tuple[int | None, ...] | None
    parameters: int
    trainable: bool
    config: Mapping[str, Json]


class AccuracyGrade(Document):
    """An accuracy with its 95 % interval."""

    value: float
    low: float
    high: float
    assurance: Assurance
    correct: int
    total: int
    note: str = ""


class ModelGrade(Document):
    """A network as the grade shows it."""

    name: str
    roles: tuple[str, ...]
    input_shape: tuple[int | None, ...] | None
    output_shape: tuple[int | None, ...] | None
    parameters: int | None
    layers: tuple[LayerGrade, ...]
    accuracy: Mapping[str, AccuracyGrade]
    """Keyed by data set and split, such as `mnist/test`."""
    id: str
    assurance: Assurance


class ErrorGrade(Document):
    """A cell that raised."""

    cell: int | None
    name: str
    message: str
    advice: str = ""


class ExecutionGrade(Document):
    """How the execution went."""

    status: Literal["completed", "cell_error", "timeout", "memory", "died"]
    reason: str = ""
    seconds: float
    cells_run: int
    cells_total: int
    errors: tuple[ErrorGrade, ...]
    peak_memory_mib: float | None
    device: str
    seed: int
    versions: Mapping[str, str]
    isolation: str
    dialect: str
    emulations: tuple[str, ...] = ()


class ReferenceGrade(Document):
    """The reference solution's figures and how the submission stands beside them."""

    accuracy: Mapping[str, AccuracyGrade]
    parameters: int | None
    epochs: int | None
    comparison: Mapping[str, Json]


class Spread(Document):
    """The lowest and the highest of some figures."""

    low: float
    high: float


class AttemptGrade(Document):
    """One of several executions of a notebook."""

    number: int = Field(ge=1)
    seed: int | None
    """None where it was not executed and nobody knows any more what with."""
    status: Literal["graded", "not_graded", "skipped"]
    """`not_graded`: the grader itself failed. `skipped`: not executed, since it could not change the points."""
    reason: str = ""
    """Why it was not graded, or not executed."""
    execution: Literal["completed", "cell_error", "timeout", "memory", "died"] | None = None
    """How it ended."""
    score: float | None = None
    """None where it was not graded: a failure of the grader is never a score."""
    pending: float = 0.0
    accuracy: Mapping[str, Mapping[str, AccuracyGrade]] = Field(default_factory=dict)
    """By role (without one, by the network's name), then by data set and split."""
    seconds: float | None = None


class AttemptsGrade(Document):
    """Several executions of one notebook, how far they lie apart, and which one the rest of the grade is about."""

    asked: int = Field(ge=1)
    """How many executions the rubric or the command line asked for."""
    take: Take
    taken: int | None
    """Number of the attempt that was taken; None where none could be graded."""
    why: str
    """In words: why this one, and what became of the others."""
    score: Spread | None = None
    """Of the attempts that were graded."""
    accuracy: Mapping[str, Mapping[str, Spread]] = Field(default_factory=dict)
    """Keyed as in `AttemptGrade`."""
    tried: tuple[AttemptGrade, ...]


class Grade(Document):
    """`grade.json`, version 1."""

    version: Literal[1] = 1
    submission: SubmissionStamp
    rubric: RubricStamp
    status: Literal["graded", "not_graded"]
    reason: str | None = None
    score: float | None
    """None for `not_graded`: a failure of the grader is never a score."""
    max_score: float
    pending: float
    """Points that wait for a person."""
    criteria: tuple[CriterionGrade, ...] = ()
    models: tuple[ModelGrade, ...] = ()
    main_model: str | None = None
    """The id of the model that the figures of the grade are about; None without a model. Added to version 1 later."""
    main_accuracy: str | None = None
    """The key of its accuracy, such as `mnist/test`; None where none is known. Added to version 1 later."""
    diagnostics: tuple[DiagnosticGrade, ...] = ()
    execution: ExecutionGrade | None = None
    reference: ReferenceGrade | None = None
    attempts: AttemptsGrade | None = None
    """None where one execution was asked for."""
    problems: tuple[str, ...] = ()
    """What the grader failed to record, to read or to compute, in words: these are the grader's faults."""
    problems_says: tuple[Message, ...] = ()
    """The problems as data, in the same order; empty in grades of earlier versions."""

    @property
    def borderline(self) -> tuple[str, ...]:
        """Ids of the criteria that a person should look at, since too little was missing to be sure."""
        return tuple(criterion.id for criterion in self.criteria if criterion.borderline)


if not TYPE_CHECKING:
    # Hidden from type checkers, for which every name of a module with `__getattr__` exists.

    def __getattr__(name: str) -> object:
        """Import by their former path, for one version, what now is in `grader.facts.case`."""
        if name not in {"Case", "CheckSpec", "DiagnosticSpec"}:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        warnings.warn(f"{__name__}.{name} is now grader.facts.case.{name}", DeprecationWarning, stacklevel=2)
        return getattr(importlib.import_module("grader.facts.case"), name)

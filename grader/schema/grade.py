"""Findings of checks, and the grade they add up to (`grade.json`, version 1)."""

import importlib
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypedDict, Unpack

from pydantic import Field, model_validator

from grader.schema.base import Assurance, Document, Json, Pointer
from grader.schema.judgement import CommentGrade, FlagGrade, JudgedGrade, LateGrade, Moment, RequestGrade, ReviewGrade
from grader.schema.message import Message, MessageLike
from grader.schema.rubric import Take
from grader.schema.submission import SubmittedFrom

__all__ = [
    "AUDIENCES",
    "GRADE_VERSION",
    "AccuracyGrade",
    "AttemptGrade",
    "AttemptsGrade",
    "Audience",
    "CauseGrade",
    "CriterionGrade",
    "CriterionStatus",
    "Diagnostic",
    "DiagnosticGrade",
    "ExecutionGrade",
    "Finding",
    "FindingDetails",
    "Grade",
    "Lacking",
    "Lacks",
    "LayerGrade",
    "MeasureLabel",
    "ModelGrade",
    "ReferenceGrade",
    "RoleMatch",
    "RubricStamp",
    "Spread",
    "StudentView",
    "SubmissionStamp",
]

GRADE_VERSION = 1
"""1: first version."""

Audience = Literal["instructor", "student"]
"""The readers of an edition of a grade."""
AUDIENCES: Final[tuple[Audience, ...]] = ("student", "instructor")

CriterionStatus = Literal["passed", "partial", "failed", "pending", "skipped"]

Lacking = Literal["lost", "unasked", "unable"]
"""Why evidence has no prediction that the rubric needs.

`lost`: the grader failed, and the next grading executes again. `unasked`: the execution came before the rubric needed
it, and none follows now. `unable`: the same rubric was executed and nothing failed, so that another execution would
not help."""


Lacks = Literal["run", "model", "training"]
"""What the notebook lacks, so that a check could not find what it looks for: a run without errors, the model, or a
training of the model."""


class RoleMatch(Document):
    """The model of this notebook that a role of the rubric refers to."""

    role: str
    model: str | None = None
    """The model's id; None if none matches or several do."""
    candidates: tuple[str, ...] = ()
    """All models that match the role's conditions."""
    message: MessageLike = ""
    """A sentence that says why there is no model, or which ones are possible; empty if there is one."""
    unseen: bool = False
    """Whether a model may match, but the grader could not see a fact that decides it."""


class StudentView(Document):
    """The part of a finding that students see, where the whole finding gives away what the rubric expects."""

    says: Message
    """The message."""
    advice_says: Message | None = None
    """The advice; None without advice."""
    measured: Mapping[str, Json] = Field(default_factory=dict)


class FindingDetails(TypedDict, total=False):
    """The fields of a finding that are the same for every verdict."""

    advice: MessageLike
    assurance: Assurance | None
    measured: Mapping[str, Json]
    evidence: tuple[Pointer, ...]
    borderline: bool
    student: StudentView | None
    lacks: Lacks | None


class Finding(Document):
    """The result of a check; its constructors are named after the verdicts."""

    status: CriterionStatus
    fraction: float = Field(default=0.0, ge=0, le=1)
    """Fraction of the points."""
    message: MessageLike
    """One or two sentences: the observation, with figures."""
    advice: MessageLike = ""
    """How to fix it; the criterion's own advice comes first."""
    assurance: Assurance | None = None
    measured: Mapping[str, Json] = Field(default_factory=dict)
    evidence: tuple[Pointer, ...] = ()
    borderline: bool = False
    """Whether full marks were missed by less than the measurement error, so that a person should look."""
    student: StudentView | None = None
    """What students see instead of the message, the advice and the measured values; None if they see the same."""
    lacks: Lacks | None = None
    """What has to be there before this criterion can be met; None if nothing is lacking."""

    @classmethod
    def passed(cls, message: MessageLike, **details: Unpack[FindingDetails]) -> Self:
        """Give all points."""
        return cls(status="passed", fraction=1.0, message=message, **details)

    @classmethod
    def partial(cls, message: MessageLike, fraction: float, **details: Unpack[FindingDetails]) -> Self:
        """Give a fraction of the points, above 0 and below 1."""
        return cls(status="partial", fraction=fraction, message=message, **details)

    @classmethod
    def failed(cls, message: MessageLike, **details: Unpack[FindingDetails]) -> Self:
        """Give no points."""
        return cls(status="failed", message=message, **details)

    @classmethod
    def pending(cls, message: MessageLike, **details: Unpack[FindingDetails]) -> Self:
        """Leave the points to a person, because the evidence does not decide."""
        return cls(status="pending", message=message, **details)

    @classmethod
    def scored(cls, message: MessageLike, fraction: float, **details: Unpack[FindingDetails]) -> Self:
        """Choose the verdict by a fraction of the points: passed from 1, partial above 0, else failed."""
        if fraction >= 1:
            return cls.passed(message, **details)
        return cls.partial(message, fraction, **details) if fraction > 0 else cls.failed(message, **details)


class Diagnostic(Document):
    """A mistake that the grader recognizes, whether or not the rubric gives points for it."""

    id: str
    title: MessageLike
    cell: int | None = None
    message: MessageLike
    advice: MessageLike
    model: str | None = None


class DiagnosticGrade(Document):
    """A margin note: a diagnostic in a grade."""

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
    for_instructor: bool = False
    """Whether the student's edition leaves the note out. Added to version 1 later."""


class SubmissionStamp(Document):
    """The submission that a grade belongs to."""

    id: str
    student: str
    files: tuple[str, ...]
    sha256: str
    notes: tuple[str, ...] = ()
    """In English: how the files were read, such as which attempt and which notebook was graded."""
    notes_says: tuple[Message, ...] = ()
    """The notes as data."""
    submitted: Moment | None = None
    """When it was handed in; None if unknown. Added to version 1 later."""
    submitted_from: SubmittedFrom = ""
    """Source of this time. Added to version 1 later."""


class RubricStamp(Document):
    """The rubric that a grade was made with, byte for byte."""

    id: str
    sha256: str
    title: str = ""


class CauseGrade(Document):
    """An earlier problem of the notebook, from which missed criteria follow."""

    kind: Literal["placeholder", "error", "untrained", "no_model"]
    """`placeholder`: a cell was not finished. `error`: a cell raised an exception. `untrained`: no cell trains the
    model. `no_model`: no model of the notebook is the one that the assignment asks for."""
    cell: int | None = None
    """The cell to begin with; None if there is no single one."""
    line: int | None = None
    """The line of the cell, from 1; None if unknown."""
    code: str = ""
    """The text of that line, cut to one readable line; empty if unknown."""
    model: str = ""
    """The name of the model, or its role if there is none; empty if the cause is about no model."""
    message: str
    """In English."""
    advice: str = ""
    """In English."""
    says: Message
    """The message as data."""
    advice_says: Message | None = None
    """The advice as data."""


class MeasureLabel(Document):
    """The label and the format of a measured value."""

    says: Message
    """What was measured, such as "Accuracy"."""
    form: str = ""
    """The format of the value: one of `grader.facts.language.FORMATS`, after a space a joiner for a list."""


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
    measured_labels: Mapping[str, MeasureLabel] = Field(default_factory=dict)
    """Labels of the measured values that people need to see, in their order. Added to version 1 later."""
    evidence: tuple[Pointer, ...] = ()
    hidden: bool = False
    bonus: bool = False
    borderline: bool = False
    """Full marks were missed by less than the measurement error; the points are as computed."""
    student: StudentView | None = None
    """What the student's edition shows instead of the message, the advice and the measured values; None if it shows
    the same. Added to version 1 later."""
    cause: CauseGrade | None = None
    """The problem that has to be solved first; None if the criterion depends on no other. Added to version 1 later."""
    judged: JudgedGrade | None = None
    """The person's decision that the points come from; None if the grader computed them. Added to version 1 later."""
    comments: tuple[CommentGrade, ...] = ()
    """Comments of people for the student. Added to version 1 later."""


class LayerGrade(Document):
    """A layer in a grade."""

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
    """In English: how it was measured, or why it is only recorded."""
    note_says: Message | None = None
    """The note as data."""


class ModelGrade(Document):
    """A model in a grade."""

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
    """A cell that raised an exception."""

    cell: int | None
    name: str
    message: str
    cause: str = ""
    """The part of the exception's text that says what was wrong."""
    line: int | None = None
    """The line of the cell that raised the exception, from 1; None if unknown."""
    advice: str = ""
    """In English."""
    advice_says: Message | None = None
    """The advice as data."""
    follows: int | None = None
    """The earlier cell whose error caused this one; None if this error is not known to follow from another one."""


class ExecutionGrade(Document):
    """How the notebook ran: whether it ran to the end, its errors, and the resources it used."""

    status: Literal["completed", "cell_error", "timeout", "memory", "died"]
    reason: str = ""
    """In English."""
    reason_says: Message | None = None
    """The reason as data."""
    seconds: float
    """Wall time from the first cell to the last."""
    cells_run: int
    cells_total: int
    errors: tuple[ErrorGrade, ...]
    peak_memory_mib: float | None
    cpu_seconds: float | None = None
    """CPU time of all its processes; None if it was not measured."""
    cpu_share: float | None = None
    """Part of the CPU time that it could use and got, 0 to 1; None if it was not measured."""
    pressure: float | None = None
    """Fraction of the time in which some thread of the machine waited for a core; None if it was not measured."""
    device: str
    seed: int
    versions: Mapping[str, str]
    isolation: str
    limits: Literal["cgroup", "polled"] | None = None
    """How the budgets of memory, processes and processor time were enforced: by Linux (control groups), or by
    measuring; None if this was not recorded."""
    dialect: str
    emulations: tuple[str, ...] = ()
    """In English."""
    emulations_says: tuple[Message, ...] = ()
    """The emulations as data, in the same order."""


class ReferenceGrade(Document):
    """The reference solution's figures, and the comparison with the submission."""

    accuracy: Mapping[str, AccuracyGrade]
    parameters: int | None
    epochs: int | None
    comparison: Mapping[str, Json]


class Spread(Document):
    """The lowest and the highest of several values."""

    low: float
    high: float


class AttemptGrade(Document):
    """One of several executions of a notebook."""

    number: int = Field(ge=1)
    seed: int | None
    """None if it was not executed and its seed is unknown."""
    status: Literal["graded", "not_graded", "skipped"]
    """`not_graded`: the grader itself failed. `skipped`: not executed, because it could not change the points."""
    reason: str = ""
    """In English: why it was not graded, or not executed."""
    reason_says: Message | None = None
    """The reason as data."""
    execution: Literal["completed", "cell_error", "timeout", "memory", "died"] | None = None
    """How the execution ended."""
    score: float | None = None
    """None if it was not graded: a failure of the grader is never a score."""
    pending: float = 0.0
    accuracy: Mapping[str, Mapping[str, AccuracyGrade]] = Field(default_factory=dict)
    """By role (by the model's name if it has no role), then by data set and split."""
    seconds: float | None = None


class AttemptsGrade(Document):
    """Several executions of one notebook: their spread, and the graded one."""

    asked: int = Field(ge=1)
    """Number of executions that the rubric or the command line requested."""
    take: Take
    taken: int | None
    """Number of the graded attempt; None if none could be graded."""
    why: str
    """In English: why this one was chosen, and what happened to the others."""
    why_says: Message | None = None
    """The explanation as data."""
    score: Spread | None = None
    """Spread of the graded attempts' scores."""
    accuracy: Mapping[str, Mapping[str, Spread]] = Field(default_factory=dict)
    """Keyed as in `AttemptGrade`."""
    tried: tuple[AttemptGrade, ...]


class Grade(Document):
    """`grade.json`, version 1."""

    version: Literal[1] = 1
    edition: Audience = "instructor"
    """Whether this is the whole grade, or the part of it that students may see. Added to version 1 later."""
    submission: SubmissionStamp
    rubric: RubricStamp
    status: Literal["graded", "not_graded"]
    reason: str | None = None
    """In English: why it was not graded, or why the notebook could not be executed."""
    reason_says: Message | None = None
    """The reason as data."""
    score: float | None
    """None for `not_graded`: a failure of the grader is never a score."""
    max_score: float
    pending: float
    """Points that a person still has to give."""
    criteria: tuple[CriterionGrade, ...] = ()
    models: tuple[ModelGrade, ...] = ()
    main_model: str | None = None
    """Id of the graded model; None without a model. Added to version 1 later."""
    main_accuracy: str | None = None
    """Key of its accuracy, such as `mnist/test`; None if unknown. Added to version 1 later."""
    diagnostics: tuple[DiagnosticGrade, ...] = ()
    execution: ExecutionGrade | None = None
    reference: ReferenceGrade | None = None
    attempts: AttemptsGrade | None = None
    """None if one execution was requested."""
    problems: tuple[str, ...] = ()
    """In English: failures of the grader to record, to read or to compute something."""
    problems_says: tuple[Message, ...] = ()
    """The problems as data, in the same order; empty in grades of earlier versions."""
    comments: tuple[CommentGrade, ...] = ()
    """Comments of people on the whole submission. Added to version 1 later, as all that follows."""
    flags: tuple[FlagGrade, ...] = ()
    """Marks of people that somebody has to look at it. The student's edition has none."""
    requests: tuple[RequestGrade, ...] = ()
    """Requests of the student to look at a criterion again, with the answers."""
    review: tuple[ReviewGrade, ...] = ()
    """Judgements that need another look. The student's edition has none."""
    late: LateGrade | None = None
    """The deduction for a late submission, which `score` includes; None if it was not late."""
    due: Moment | None = None
    """The due date of this student, with an extension; None without one."""
    excused: str | None = None
    """Why the student is excused from the assignment; None if not. The student's edition has no reason."""
    quick: bool = False
    """Whether it is the result of a quick run, which judges nothing that depends on how far the training goes."""

    @model_validator(mode="before")
    @classmethod
    def _without_seal(cls, data: Any) -> Any:
        """Leave out the seal of `grade.json`, which is about the file; see `grader.store.seal`."""
        return {key: data[key] for key in data if key != "seal"} if isinstance(data, dict) else data

    @property
    def borderline(self) -> tuple[str, ...]:
        """Ids of the criteria that a person should check, because full marks were missed by too little."""
        return tuple(criterion.id for criterion in self.criteria if criterion.borderline)


if not TYPE_CHECKING:
    # Hidden from type checkers, which would otherwise accept any attribute of this module.

    def __getattr__(name: str) -> object:
        """Import names that moved to `grader.facts.case` by their former path, for one version."""
        if name not in {"Case", "CheckSpec", "DiagnosticSpec"}:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        warnings.warn(f"{__name__}.{name} is now grader.facts.case.{name}", DeprecationWarning, stacklevel=2)
        return getattr(importlib.import_module("grader.facts.case"), name)

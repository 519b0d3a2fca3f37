"""Findings of checks, and the grade they add up to (`grade.json`, version 1)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, Field

from grader.schema.base import Assurance, Document, Json, Pointer
from grader.schema.evidence import Evidence, ModelFact
from grader.schema.rubric import Rubric

__all__ = [
    "GRADE_VERSION",
    "AccuracyGrade",
    "Case",
    "CheckSpec",
    "CriterionGrade",
    "CriterionStatus",
    "Diagnostic",
    "DiagnosticSpec",
    "ExecutionGrade",
    "Finding",
    "Grade",
    "LayerGrade",
    "ModelGrade",
    "ReferenceGrade",
    "RoleMatch",
    "RubricStamp",
    "SubmissionStamp",
]

GRADE_VERSION = 1
"""1: first version."""

CriterionStatus = Literal["passed", "partial", "failed", "pending", "skipped"]


class RoleMatch(Document):
    """Which model a role of the rubric means in this notebook."""

    role: str
    model: str | None = None
    """The model's id; None when none matches or several do."""
    candidates: tuple[str, ...] = ()
    """Every model that matches the role's conditions."""
    message: str = ""
    """Why there is none, or which ones are possible; empty when it is clear."""


@dataclass(frozen=True, slots=True)
class Case:
    """All a check may look at: what one execution showed, and what the rubric means by its roles."""

    evidence: Evidence
    rubric: Rubric
    roles: Mapping[str, RoleMatch]

    def resolve(self, role: str | None) -> RoleMatch:
        """Find the model for a role; without a role, the only or last trained model.

        Args:
            role: A key of the rubric's `roles`, or None.
        """
        if role is not None:
            return self.roles.get(role, RoleMatch(role=role, message=f"the rubric has no role {role!r}"))
        trained = list(dict.fromkeys(f.model for f in self.evidence.fits))
        if not trained:
            return RoleMatch(role="", message="no network was trained in this notebook")
        return RoleMatch(role="", model=trained[-1], candidates=tuple(trained))

    def model(self, role: str | None) -> tuple[ModelFact | None, str]:
        """The model for a role, or None and the reason in words."""
        match = self.resolve(role)
        found = self.evidence.model(match.model) if match.model else None
        return found, match.message or ("" if found else "the model was not recorded")


class Finding(Document):
    """What a check found out."""

    status: CriterionStatus
    fraction: float = Field(default=0.0, ge=0, le=1)
    """Part of the points earned."""
    message: str
    """One or two sentences: what was seen, with figures."""
    advice: str = ""
    """What to do about it; the criterion's own advice comes first."""
    assurance: Assurance | None = None
    measured: Mapping[str, Json] = Field(default_factory=dict)
    evidence: tuple[Pointer, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """A registered check."""

    name: str
    parameters: type[BaseModel]
    """What may stand under `with`."""
    run: Callable[[Case, Any], Finding]
    """Pure: (case, parameters) → finding."""
    doc: str
    """Its docstring: what it does, why it matters, parameters, example."""


class Diagnostic(Document):
    """A mistake the grader recognises whether or not the rubric gives points for it."""

    id: str
    title: str
    cell: int | None = None
    message: str
    advice: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class DiagnosticSpec:
    """A registered diagnostic."""

    id: str
    run: Callable[[Case], tuple[Diagnostic, ...]]
    doc: str


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
    advice: str = ""
    assurance: Assurance | None = None
    measured: Mapping[str, Json] = Field(default_factory=dict)
    evidence: tuple[Pointer, ...] = ()
    hidden: bool = False
    bonus: bool = False


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
    diagnostics: tuple[Diagnostic, ...] = ()
    execution: ExecutionGrade | None = None
    reference: ReferenceGrade | None = None

"""The input of checks and diagnostics, and their registered form."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel

from grader.facts.lineage import predecessors, with_past
from grader.facts.roles import resolve_unnamed
from grader.schema.evidence import Evidence, ModelFact
from grader.schema.grade import Diagnostic, Finding, Lacking, MeasureLabel, RoleMatch
from grader.schema.message import MessageLike, say
from grader.schema.rubric import Rubric

__all__ = ["Case", "CheckSpec", "DiagnosticSpec"]


@dataclass(frozen=True, slots=True)
class Case:
    """The input of a check: the evidence of one execution, the rubric, and the models of its roles."""

    evidence: Evidence
    rubric: Rubric
    roles: Mapping[str, RoleMatch]
    lacking: Lacking = "lost"
    """The reason for missing predictions, if any are missing."""
    noted: frozenset[str] | None = None
    """Ids of the models that notes may be about; None for all."""

    def is_noted(self, model_id: str | None) -> bool:
        """Whether to keep a note about a model; a note without a model is always kept."""
        return model_id is None or self.noted is None or model_id in self.noted

    def for_notes(self) -> "Case":
        """Return the case for diagnostics: limited to the models of the roles that the rubric names for notes.

        The earlier stages of a model (saved, loaded and trained further) belong to it. Where several models match a
        role, all of them are included.
        """
        return replace(self, noted=self.models_of(self.rubric.diagnostics.models))

    def models_of(self, roles: Sequence[str] | None) -> frozenset[str] | None:
        """Find the ids of the models of roles, with their earlier stages; None for all models."""
        if roles is None:
            return None
        matches = [self.roles[role] for role in roles if role in self.roles]
        return frozenset(
            model
            for match in matches
            for model in (
                match.candidates
                if match.model is None
                else (match.model, *predecessors(self.evidence, match.model, match.candidates))
            )
        )

    def resolve(self, role: str | None) -> RoleMatch:
        """Find the model for a role; without a role, the only trained model or one of several, as by `last_trained`.

        Args:
            role: A key of the rubric's `roles`, or None.
        """
        if role is not None:
            return self.roles.get(
                role, RoleMatch(role=role, message=say("The rubric has no role {role:code}.", role=role))
            )
        return resolve_unnamed(self.rubric, self.evidence)

    def model(self, role: str | None) -> tuple[ModelFact | None, MessageLike]:
        """Find the model for a role; without one, return None and a sentence with the reason."""
        match = self.resolve(role)
        model = self.evidence.model(match.model) if match.model else None
        return model, match.message or ("" if model else say("The model was not recorded."))

    def past(self, role: str | None) -> Evidence:
        """Return the evidence with the earlier stages of a role's model (saved, loaded) counted as the model itself.

        Only models that match the role too count as earlier stages.
        """
        match = self.resolve(role)
        if role is None or match.model is None:
            return self.evidence
        return with_past(self.evidence, match.model, match.candidates)


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """A registered check."""

    name: str
    parameters: type[BaseModel]
    """Document of the parameters under `with`."""
    run: Callable[[Case, Any], Finding]
    """Pure: (case, parameters) → finding."""
    doc: str
    """The docstring: what it does, why it matters, parameters, example."""
    measures: Mapping[str, MeasureLabel] = field(default_factory=dict)
    """Labels of the measured values that people need to see, in their order; other values repeat the message."""


@dataclass(frozen=True, slots=True)
class DiagnosticSpec:
    """A registered diagnostic."""

    id: str
    run: Callable[..., tuple[Diagnostic, ...]]
    """Pure: (case) → notes; with `parameters` also (case, parameters) → notes."""
    doc: str
    parameters: type[BaseModel] | None = None
    """Document of the settings that a rubric can tune; None if there are none."""

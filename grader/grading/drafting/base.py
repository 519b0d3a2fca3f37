"""A proposed criterion, and the solution that it is proposed for."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from grader.facts.language import language
from grader.facts.layers import DROPOUTS, GROUPS
from grader.schema.base import Json
from grader.schema.evidence import AccuracyFact, Evidence, FitFact, LayerFact, ModelFact, OptimizerFact
from grader.schema.rubric import TaskSettings

__all__ = ["Proposal", "Solution", "Subject", "Topic", "Way", "all_of", "any_of", "name_cell", "one", "slug", "upper"]

Way = dict[str, Json]
"""One way to judge a criterion, as in a rubric: `check` and `with`, `any_of`, `all_of` or `manual`.

Its `title` and `advice` replace those of the proposal."""

_ENGLISH = language("en")
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


def one(check: str, **params: Json) -> Way:
    """Judge by a single check."""
    return {"check": check, "with": params} if params else {"check": check}


def any_of(*ways: Way) -> Way:
    """Judge by the best of several checks."""
    return {"any_of": list(ways)}


def all_of(*ways: Way) -> Way:
    """Judge by the worst of several checks."""
    return {"all_of": list(ways)}


def name_cell(index: int | None) -> str:
    """Name a cell as a person counts."""
    return str(_ENGLISH.cell(index))


def upper(text: str) -> str:
    """Begin a text with a capital letter."""
    return text[:1].upper() + text[1:]


def slug(text: str) -> str:
    """Turn a name into a name that rubrics allow; empty if nothing of it is allowed."""
    return _NOT_SLUG.sub("-", text.lower()).strip("-").lstrip("0123456789-")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A criterion that the evidence of a solution suggests.

    Attributes:
        id: Id of the criterion.
        title: Title for students.
        weight: Share of the points, relative to other criteria.
        ways: Ways to judge it, the preferred one first. The first that gives the solution full marks is taken.
        advice: Advice for a student who missed it.
        seen: The fact that suggests it, as a comment: `cell 12: Dropout(0.5)`.
        stricter: What the criterion could also require, as a comment; empty if nothing.
        same: Later proposals with the same mark are dropped; empty if none is the same.
        optional: Whether another right solution may lack it, because it is one of several good choices. An optional
            criterion is only a comment of the draft.
    """

    id: str
    title: str
    weight: int
    ways: tuple[Way, ...]
    advice: str
    seen: str
    stricter: str = ""
    same: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """A model that gets a role in the draft.

    Attributes:
        role: Name of the role.
        model: The model.
        conditions: The conditions of the role, as in a rubric.
        seen: Description of the model, as a comment.
        fits: Its trainings.
        task: The task that it was last trained on; None without one.
    """

    role: str
    model: ModelFact
    conditions: Mapping[str, Json]
    seen: str
    fits: tuple[FitFact, ...] = ()
    task: str | None = None

    @property
    def layers(self) -> tuple[LayerFact, ...]:
        """The layers that the student chose."""
        return tuple(layer for layer in self.model.counted_layers() if not layer.ready_made)

    def of(self, family: str) -> tuple[LayerFact, ...]:
        """List the layers of a class or a family."""
        classes = GROUPS.get(family, frozenset({family}))
        return tuple(layer for layer in self.layers if layer.cls in classes)

    @property
    def dropouts(self) -> tuple[LayerFact, ...]:
        """The dropout layers."""
        return tuple(layer for layer in self.layers if layer.cls in DROPOUTS)

    @property
    def convolves(self) -> bool:
        """Whether it has a convolution, also in a ready-made part."""
        return any(layer.cls in GROUPS["any_convolution"] for layer in self.model.counted_layers())


@dataclass(frozen=True, slots=True)
class Solution:
    """The evidence of a solution, and the parts of a rubric that all topics share.

    Attributes:
        evidence: The evidence.
        dataset: The data set that models are judged on; empty if none was recognized.
        classes: Number of classes of the data set; None if unknown.
        others: Other data sets that the notebook loads.
        only_prepared: The other data sets that no model was trained on.
        tasks: Parts of the data set that models were trained on.
        subjects: The models with roles, the main one first.
    """

    evidence: Evidence
    dataset: str = ""
    classes: int | None = None
    others: tuple[str, ...] = ()
    only_prepared: tuple[str, ...] = ()
    tasks: Mapping[str, TaskSettings] = field(default_factory=dict)
    subjects: tuple[Subject, ...] = ()

    @property
    def main(self) -> Subject | None:
        """The model that most criteria are about."""
        return self.subjects[0] if self.subjects else None

    @property
    def compares(self) -> bool:
        """Whether it compares models, so that the parts in which they differ are probably required."""
        return len(self.subjects) > 1

    def named(self, subject: Subject, name: str) -> str:
        """Name a criterion of a model, with its role unless it is the main model."""
        return name if subject is self.main else f"{subject.role}-{name}"

    def called(self, subject: Subject) -> str:
        """Return the noun for a model in titles."""
        return "the model" if len(self.subjects) == 1 else f"the model `{subject.role}`"

    def optimizers(self, subject: Subject) -> Iterator[tuple[FitFact, OptimizerFact]]:
        """List the optimizer of each training of a model."""
        for fit in subject.fits:
            compiled = self.evidence.compile_of(fit)
            optimizer = fit.optimizer or (compiled.optimizer if compiled is not None else None)
            if optimizer is not None:
                yield fit, optimizer

    def accuracy(self, subject: Subject) -> AccuracyFact | None:
        """Return a model's accuracy on the test images of its task or of the data set."""
        return self.evidence.accuracy(subject.model.id, self.dataset, "test", subject.task)


Topic = Callable[[Solution], Iterator[Proposal]]
"""Proposes criteria about one topic, in the order of the rubric."""

"""The graded model: which of a notebook's models the figures of a grade are about, and which accuracy is its own.

The grade names both (`main_model` and `main_accuracy`), so that the terminal, the class page, `grades.csv`, the report
and the comparison with the reference show the same model and the same figures.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from grader.facts.case import Case
from grader.facts.tasks import judged_dataset
from grader.schema.evidence import AccuracyFact, Evidence, ModelFact
from grader.schema.grade import AccuracyGrade, Grade, ModelGrade

__all__ = [
    "accuracy_fact",
    "graded_accuracy",
    "graded_model",
    "main_accuracy",
    "main_model",
    "reference_model",
]

_JUDGES = frozenset({"accuracy", "score_curve"})
"""Checks whose points follow from one accuracy of one model."""


def graded_model(case: Case) -> ModelFact | None:
    """Pick the model that a grade is about.

    1. The model of the first role of the rubric that names one. The author of a rubric orders the roles, so the first
       one is the model that the assignment is about: the convolutional network, the transferred one.
    2. Without such a role: the model that was trained last.
    3. Without a training: the model that was made last.

    Args:
        case: Evidence, rubric and the models of its roles.

    Returns:
        None where the notebook made no model.
    """
    for role in case.rubric.roles:
        match = case.roles.get(role)
        if match is not None and match.model is not None:
            return case.evidence.model(match.model)
    return case.model(None)[0] or next(reversed(case.evidence.models), None)


def graded_accuracy(case: Case, model: ModelFact | None) -> AccuracyFact | None:
    """Pick the accuracy of the graded model: the first one that a criterion judges, else the first one that is known.

    Args:
        case: Evidence, rubric and the models of its roles.
        model: The graded model.

    Returns:
        None where no accuracy of the model is known.
    """
    if model is None:
        return None
    judged = next(_judged(case, model), None)
    return judged or accuracy_fact(case.evidence, model.id, None)


def _judged(case: Case, model: ModelFact) -> Iterator[AccuracyFact]:
    """The accuracies of a model that criteria judge, in the order of the rubric."""
    for test in (test for criterion in case.rubric.criteria for test in criterion.tests if test.check in _JUDGES):
        role, dataset, split, task = (test.with_.get(name) for name in ("model", "dataset", "split", "task"))
        if case.resolve(role).model == model.id:
            fact = case.evidence.accuracy(model.id, judged_dataset(case.rubric, dataset, task), split or "test", task)
            if fact is not None:
                yield fact


def main_model(grade: Grade) -> ModelGrade | None:
    """Find the graded model in a grade.

    A grade that an earlier version wrote does not name it; there it is the model that was compared with the reference,
    else the first one with a role, with an accuracy, or the last one.
    """
    named = grade.main_model or _compared(grade)
    if named is not None:
        return next((model for model in grade.models if model.id == named), None)
    ranked = [model for model in grade.models if model.roles] or [model for model in grade.models if model.accuracy]
    return next(iter(ranked or grade.models[-1:]), None)


def _compared(grade: Grade) -> str | None:
    """The id of the model that the comparison with the reference is about."""
    return _named(grade.reference.comparison if grade.reference is not None else {}, "student")


def _named(comparison: Mapping[str, Any], side: str) -> str | None:
    models = comparison.get("models")
    named = models.get(side) if isinstance(models, Mapping) else None
    return str(named["id"]) if isinstance(named, Mapping) and "id" in named else None


def main_accuracy(grade: Grade) -> tuple[str, AccuracyGrade] | None:
    """Find the accuracy of the graded model, with the name of its images, such as `mnist/test`."""
    model = main_model(grade)
    if model is None:
        return None
    first = next(iter(model.accuracy.items()), None)
    return next((item for item in model.accuracy.items() if item[0] == grade.main_accuracy), first)


def accuracy_fact(evidence: Evidence | None, model: str | None, key: str | None) -> AccuracyFact | None:
    """Find a network's accuracy with its predictions.

    Args:
        evidence: What one execution showed.
        model: The network's id.
        key: Data set and split, such as `mnist/test`; None for the first there is.
    """
    if evidence is None or model is None:
        return None
    facts = (fact for fact in evidence.accuracies if fact.model == model)
    return next((fact for fact in facts if key in {None, fact.key}), None)


def reference_model(grade: Grade, reference: Evidence | None) -> ModelFact | None:
    """Find the reference's model: the one that the comparison names, else the one trained last, else the last one.

    Args:
        grade: With the comparison, if it has one.
        reference: The reference's evidence.
    """
    if reference is None:
        return None
    named = _named(grade.reference.comparison if grade.reference is not None else {}, "reference")
    trained = [fit.model for fit in reversed(reference.fits)]
    found = (reference.model(name) for name in (named, *trained) if name is not None)
    return next((model for model in found if model is not None), None) or next(reversed(reference.models), None)

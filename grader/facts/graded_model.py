"""Find the graded model of a notebook and its accuracy.

The figures of a grade are about this model. The grade names both (`main_model` and `main_accuracy`), so that the
terminal, the class page, `grades.csv`, the report and the comparison with the reference show the same figures.
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
"""Checks that score one accuracy of one model."""


def graded_model(case: Case) -> ModelFact | None:
    """Pick the model that a grade is about.

    1. The model of the first role that has one. Authors order the roles, so the assignment is about this model.
    2. Without such a role: the model that was trained last.
    3. Without a training: the model that was created last.

    Args:
        case: Evidence, rubric and the models of its roles.

    Returns:
        The model; None if the notebook created no model.
    """
    for role in case.rubric.roles:
        match = case.roles.get(role)
        if match is not None and match.model is not None:
            return case.evidence.model(match.model)
    return case.model(None)[0] or next(reversed(case.evidence.models), None)


def graded_accuracy(case: Case, model: ModelFact | None) -> AccuracyFact | None:
    """Pick the accuracy of the graded model: the first accuracy that a criterion judges, else the first known one.

    Args:
        case: Evidence, rubric and the models of its roles.
        model: The graded model.

    Returns:
        The accuracy; None if no accuracy of the model is known.
    """
    if model is None:
        return None
    judged = next(_judged(case, model), None)
    return judged or accuracy_fact(case.evidence, model.id, None)


def _judged(case: Case, model: ModelFact) -> Iterator[AccuracyFact]:
    """List the accuracies of a model that criteria judge, in the order of the rubric."""
    for test in (test for criterion in case.rubric.criteria for test in criterion.tests if test.check in _JUDGES):
        role, dataset, split, task = (test.with_.get(name) for name in ("model", "dataset", "split", "task"))
        if case.resolve(role).model == model.id:
            fact = case.evidence.accuracy(model.id, judged_dataset(case.rubric, dataset, task), split or "test", task)
            if fact is not None:
                yield fact


def main_model(grade: Grade) -> ModelGrade | None:
    """Find the graded model in a grade.

    Grades of earlier versions do not name it. For them, it is the model that was compared with the reference, else the
    first model with a role, else the first model with an accuracy, else the last model.
    """
    named = grade.main_model or _compared(grade)
    if named is not None:
        return next((model for model in grade.models if model.id == named), None)
    ranked = [model for model in grade.models if model.roles] or [model for model in grade.models if model.accuracy]
    return next(iter(ranked or grade.models[-1:]), None)


def _compared(grade: Grade) -> str | None:
    """Return the id of the model that was compared with the reference."""
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
    """Find an accuracy of a model.

    Args:
        evidence: The evidence of one execution.
        model: The model's id.
        key: Data set and split, such as `mnist/test`; None for the first accuracy.
    """
    if evidence is None or model is None:
        return None
    facts = (fact for fact in evidence.accuracies if fact.model == model)
    return next((fact for fact in facts if key in {None, fact.key}), None)


def reference_model(grade: Grade, reference: Evidence | None) -> ModelFact | None:
    """Find the reference's model: the compared model, else the last trained model, else the last model.

    Args:
        grade: The grade; it can have a comparison.
        reference: The reference's evidence.
    """
    if reference is None:
        return None
    named = _named(grade.reference.comparison if grade.reference is not None else {}, "reference")
    trained = [fit.model for fit in reversed(reference.fits)]
    models = (reference.model(name) for name in (named, *trained) if name is not None)
    return next((model for model in models if model is not None), None) or next(reversed(reference.models), None)

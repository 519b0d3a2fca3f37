"""Which of several networks a page is about, in the submission and in the reference."""

from collections.abc import Mapping
from typing import Any

from grader.schema.evidence import AccuracyFact, Evidence, ModelFact
from grader.schema.grade import AccuracyGrade, Grade, ModelGrade

__all__ = ["accuracy_fact", "main_accuracy", "main_model", "reference_model"]


def main_model(grade: Grade) -> ModelGrade | None:
    """Pick the network the page is about.

    One that the rubric's roles name comes first, then one whose accuracy is known, then the last one made.
    """
    ranked = sorted(enumerate(grade.models), key=lambda item: (bool(item[1].roles), bool(item[1].accuracy), item[0]))
    return ranked[-1][1] if ranked else None


def main_accuracy(model: ModelGrade | None) -> tuple[str, AccuracyGrade] | None:
    """Return the first accuracy of a network with the name of its data, such as `mnist/test`."""
    return next(iter(model.accuracy.items()), None) if model else None


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


def reference_model(reference: Evidence | None, key: str | None, comparison: Mapping[str, Any]) -> ModelFact | None:
    """Pick the reference's network: the one the comparison names, else the best one on the same data, else the last.

    Args:
        reference: The reference's evidence.
        key: Data set and split that the page is about.
        comparison: `ReferenceGrade.comparison`; its `models` name the network by its id.
    """
    if reference is None:
        return None
    models = comparison.get("models")
    named = models.get("reference") if isinstance(models, Mapping) else None
    if isinstance(named, Mapping) and (model := reference.model(str(named.get("id")))):
        return model
    facts = [fact for fact in reference.accuracies if key in {None, fact.key}]
    if facts and (model := reference.model(max(facts, key=lambda fact: fact.value).model)):
        return model
    trained = [model for fit in reversed(reference.fits) if (model := reference.model(fit.model))]
    return trained[0] if trained else (reference.models[-1] if reference.models else None)

"""Whether the notebook used a model, and on which images outside a training."""

from collections.abc import Iterable

from grader.facts.recognition import known_rows
from grader.schema.evidence import ArrayFact, EvaluateFact, Evidence, FitFact, PredictFact, RowsFact

__all__ = ["images_outside", "was_run"]


def was_run(evidence: Evidence, model: str) -> bool:
    """Whether a model computed outputs, so that it was built and has shapes and parameters.

    Args:
        evidence: The evidence of one execution.
        model: The id of the model.
    """
    return model in {
        *(fit.model for fit in evidence.fits),
        *(evaluation.model for evaluation in evidence.evaluations),
        *(prediction.model for prediction in evidence.predictions),
        *(call.model for call in evidence.calls),
    }


def images_outside(evidence: Evidence, model: str, fits: Iterable[FitFact]) -> list[ArrayFact | None]:
    """List the images on which a model was used outside a training: in `evaluate`, `predict` and calls.

    Images that are known to be training images are left out. None stands for unknown images.

    Args:
        evidence: The evidence of one execution.
        model: The id of the model.
        fits: Trainings of the model.
    """
    whole: list[EvaluateFact | PredictFact] = [*evidence.evaluations, *evidence.predictions]
    images = [use.x for use in whole if use.model == model]
    # Several calls in a cell can have had different images.
    calls = (call for call in evidence.calls if call.model == model and not call.training)
    images += [call.x if call.count == 1 else None for call in calls]
    trained = [known_rows(fit.x) for fit in fits]
    return [x for x in images if not any(_is_slice(known_rows(x), rows) for rows in trained)]


def _is_slice(inner: RowsFact | None, outer: RowsFact | None) -> bool:
    """Whether rows are known to be some of other rows, both without gaps in one split."""
    if inner is None or outer is None or None in {inner.start, inner.stop, outer.start, outer.stop}:
        return False
    same = inner.dataset == outer.dataset and _splits(inner) == _splits(outer)
    return same and (outer.start or 0) <= (inner.start or 0) and (inner.stop or 0) <= (outer.stop or 0)


def _splits(rows: RowsFact) -> set[str]:
    return {split for split, count in rows.counts.items() if count}

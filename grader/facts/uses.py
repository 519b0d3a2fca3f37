"""Whether the notebook used a model."""

from grader.schema.evidence import Evidence

__all__ = ["was_run"]


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

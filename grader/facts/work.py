"""Decide whether a notebook does anything that an assignment can be about."""

from grader.schema.evidence import Evidence

__all__ = ["does_nothing"]


def does_nothing(evidence: Evidence) -> bool:
    """Whether all code ran without an error, but loaded no data, created no model and drew no figure.

    A notebook without code, or with code that failed, is not meant: nobody knows what that code would have done.
    """
    run = evidence.run
    if run.status != "completed" or run.errors or not run.cells_run:
        return False
    return not any((evidence.datasets, evidence.models, evidence.fits, evidence.figures, evidence.arrays))

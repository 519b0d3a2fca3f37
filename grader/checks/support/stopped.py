"""The finding for a criterion that was missed after the grader had stopped a training."""

from grader.facts.case import Case
from grader.facts.stops import could_improve, cut_behind, describe_cut
from grader.schema.grade import Finding
from grader.schema.message import say, sentences

__all__ = ["allow_for_stop"]


def allow_for_stop(case: Case, finding: Finding, *models: str) -> Finding:
    """Leave a missed criterion to a person if a longer training might have met it.

    Args:
        case: The case.
        finding: The finding about the models as they are.
        models: Ids of the models that would have to be better.
    """
    if finding.status not in {"failed", "partial"}:
        return finding
    cut = cut_behind(case.evidence, *models)
    if cut is None or not could_improve(cut):
        return finding
    message = sentences(
        finding.message,
        describe_cut(cut),
        say("A longer training might have reached more, so a person must judge it."),
    )
    return Finding.pending(message, assurance=finding.assurance, measured=finding.measured, evidence=finding.evidence)

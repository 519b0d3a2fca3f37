"""Doubts about a model: everything that depends on it is left to a person, with the reason."""

from collections.abc import Iterable, Iterator

from grader.facts.case import Case
from grader.facts.copies import any_copies, copies_behind, describe_copies
from grader.facts.gaps import describe_cause
from grader.facts.lineage import TAKES_WEIGHTS
from grader.facts.step_data import any_step_data, step_doubts_behind
from grader.inside.record.events import OTHER_PROCESS
from grader.schema.evidence import Evidence
from grader.schema.grade import Finding
from grader.schema.message import Message, MessageLike, say, sentences

__all__ = ["has_doubts", "with_doubts"]


def has_doubts(case: Case) -> bool:
    """Whether a person must judge anything of a submission because of a doubt."""
    evidence = case.evidence
    doubts = (*(model.doubt for model in evidence.models), *(fact.doubt for fact in evidence.accuracies))
    brought = any(_brought_weights(evidence, fact.model) for fact in evidence.accuracies)
    return any(doubts) or any_copies(evidence) or any_step_data(evidence) or brought


def with_doubts(case: Case, finding: Finding, roles: Iterable[str], read: frozenset[str]) -> Finding:
    """Leave a finding to a person if it depends on a model, or an accuracy, that is in doubt.

    Args:
        case: The case.
        finding: The finding of a check.
        roles: The roles that the check's parameters name; without one, the check is about any model.
        read: The parts of the evidence that the check read, named as in `grader.facts.gaps`.
    """
    if finding.status == "pending":
        return finding
    matches = [case.roles[role] for role in roles if role in case.roles]
    wanted = {match.model for match in matches if match.model is not None}
    about_models = any(part.partition(".")[0] in {"models", "fits", "accuracies"} for part in read)
    doubt = next(_reasons(case, wanted, judged="accuracies" in read), None) if about_models or wanted else None
    if doubt is None:
        return finding
    message = sentences(finding.message, say("A person has to judge this: {doubt}.", doubt=doubt))
    return Finding.pending(message, measured=finding.measured, evidence=finding.evidence)


def _brought_weights(evidence: Evidence, model: str) -> list[Message]:
    """Describe how weights of an unrecorded training may have come into a model."""
    trained = [gap for gap in evidence.gaps if gap.hook == OTHER_PROCESS]
    for gap in trained:
        for save in evidence.saves:
            late = gap.cell is None or save.cell is None or save.cell >= gap.cell
            if save.model == model and save.action in TAKES_WEIGHTS and save.other is None and late:
                return [
                    say("{cause}, and the model got weights of unknown origin afterwards", cause=describe_cause(gap))
                ]
    return []


def _reasons(case: Case, models: set[str], *, judged: bool) -> Iterator[MessageLike]:
    for model in case.evidence.models:
        if model.doubt is not None and (not models or model.id in models):
            yield model.doubt
    for fact in case.evidence.accuracies if judged else ():
        if models and fact.model not in models:
            continue
        if fact.doubt is not None:
            yield fact.doubt
        yield from _brought_weights(case.evidence, fact.model)
        yield from map(describe_copies, copies_behind(case.evidence, fact.model, fact.dataset, fact.split))
        yield from step_doubts_behind(case.evidence, fact.model, fact.dataset, fact.split)

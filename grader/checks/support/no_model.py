"""The finding for a criterion whose model does not exist."""

import re

from grader.facts.case import Case
from grader.schema.base import Pointer
from grader.schema.evidence import Evidence
from grader.schema.grade import Finding
from grader.schema.message import MessageLike, say, say_count, sentences

__all__ = ["missing_model", "uses_torch"]

_TORCH = re.compile(r"^\s*(?:import|from)\s+torch(?:vision)?\b", re.MULTILINE)


def uses_torch(evidence: Evidence) -> int | None:
    """Find the first code cell that imports PyTorch.

    Returns:
        Its index in the notebook's cells, or None.
    """
    return next((c.index for c in evidence.cells if c.kind == "code" and _TORCH.search(c.source)), None)


def missing_model(case: Case, role: str | None) -> Finding:
    """Fail with the reason why no model has a role, and with its most likely cause.

    If several models may have the role, or a model may have it by a fact that the grader could not see, the finding is
    pending.

    Args:
        case: The case.
        role: The role of the check's parameters.
    """
    evidence = case.evidence
    _, reason = case.model(role)
    match = case.resolve(role)
    if match.unseen:
        return Finding.pending(
            sentences(reason, say("The grader could not see all facts, so a person must judge this.")),
            measured={"model": None, "candidates": []},
        )
    if len(match.candidates) > 1:
        return Finding.pending(
            sentences(reason, say("A person must decide which model counts.")),
            measured={"model": None, "candidates": list(match.candidates)},
        )
    torch = uses_torch(evidence)
    pointers: tuple[Pointer, ...] = ()
    cause: MessageLike = ""
    advice: MessageLike = ""
    if torch is not None and not evidence.models:
        cause = say("{cell:Cell} imports PyTorch, but the grader sees Keras models only.", cell=torch)
        advice = say("Write the model with Keras, as the assignment requires.")
        pointers = (Pointer(cell=torch),)
    elif not evidence.fits and evidence.run.errors:
        first = evidence.run.errors[0]
        cause = say("The first error was {error:code} in {cell:cell}.", error=first.name, cell=first.cell)
        advice = say("Fix the first error, then restart the kernel and run the notebook from top to bottom.")
        pointers = (Pointer(cell=first.cell),)
    elif not evidence.fits:
        cause = _built(len(evidence.models))
        advice = say("Train the model in the notebook that you hand in: call `fit` in it.")
    return Finding.failed(
        sentences(reason, cause),
        advice=advice,
        measured={"model": None, "candidates": list(match.candidates)},
        evidence=pointers,
        lacks="model",
    )


def _built(models: int) -> MessageLike:
    if not models:
        return ""
    return say_count(
        "The notebook creates {count:number} model and does not train it.",
        "The notebook creates {count:number} models and trains none of them.",
        models,
    )

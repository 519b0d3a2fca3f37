"""What to say when the network a criterion asks about is not there."""

import re

from grader.facts.case import Case
from grader.facts.wording import plural
from grader.schema.base import Pointer, spoken_cell
from grader.schema.evidence import Evidence
from grader.schema.grade import Finding

__all__ = ["missing_model", "uses_torch"]

_TORCH = re.compile(r"^\s*(?:import|from)\s+torch(?:vision)?\b", re.MULTILINE)


def uses_torch(evidence: Evidence) -> int | None:
    """Find the first code cell that imports PyTorch.

    Returns:
        Its index into the notebook's cells, or None.
    """
    return next((c.index for c in evidence.cells if c.kind == "code" and _TORCH.search(c.source)), None)


def missing_model(case: Case, role: str | None) -> Finding:
    """Fail with the reason why no network stands for a role, and with what most likely lies behind it.

    Args:
        case: The case.
        role: The role a check asked for.
    """
    evidence = case.evidence
    _, reason = case.model(role)
    match = case.resolve(role)
    torch = uses_torch(evidence)
    pointers: tuple[Pointer, ...] = ()
    advice = ""
    if len(match.candidates) > 1:
        advice = "Leave one such network in the notebook, or train the one to be graded last."
    elif torch is not None and not evidence.models:
        reason = f"{reason}. {spoken_cell(torch).capitalize()} imports PyTorch: what was seen here is Keras only"
        advice = "Write the network with Keras, as the assignment asks."
        pointers = (Pointer(cell=torch),)
    elif not evidence.fits and evidence.run.errors:
        first = evidence.run.errors[0]
        reason = f"{reason}. The first error was {first.name} in {spoken_cell(first.cell)}"
        advice = "Mend the first error, then run the notebook from top to bottom with a fresh kernel."
        pointers = (Pointer(cell=first.cell),)
    elif not evidence.fits:
        reason = f"{reason} ({plural(len(evidence.models), 'network')} built, none trained)"
        advice = "The training has to happen in the notebook that is handed in: call `fit` in it."
    return Finding.failed(
        _sentence(reason),
        advice=advice,
        measured={"model": None, "candidates": list(match.candidates)},
        evidence=pointers,
    )


def _sentence(text: str) -> str:
    text = text.strip() or "the network was not found"
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")

"""The finding for a criterion whose model does not exist."""

import re

from grader.facts.case import Case
from grader.schema.base import Pointer
from grader.schema.evidence import Evidence
from grader.schema.grade import Finding
from grader.schema.message import MessageLike, say, say_count, sentences

__all__ = ["missing_model", "uses_torch"]

_TORCH = re.compile(r"^[ \t]*(?:import|from)\s+torch(?:vision)?\b", re.MULTILINE)

_UPDATES = re.compile(r"^[^#\n]*\b(?:GradientTape\(|compat\.v1\.train\.)", re.MULTILINE)
_VARIABLE = re.compile(r"^[^#\n]*\bVariable\(", re.MULTILINE)
_KERAS_MODEL = re.compile(r"\b(?:Sequential|Model|Dense|Conv2D)\b")


def uses_torch(evidence: Evidence) -> int | None:
    """Find the first code cell that imports PyTorch.

    Returns:
        Its index in the notebook's cells, or None.
    """
    return next((c.index for c in evidence.cells if c.kind == "code" and _TORCH.search(c.source)), None)


def _trains_own_variables(evidence: Evidence) -> int | None:
    """Find the cell with the gradient step of a notebook that makes its own variables and mentions no Keras model."""
    code = [cell for cell in evidence.cells if cell.kind == "code"]
    if any(_KERAS_MODEL.search(c.source) for c in code) or not any(_VARIABLE.search(c.source) for c in code):
        return None
    return next((c.index for c in code if _UPDATES.search(c.source)), None)


def missing_model(case: Case, role: str | None) -> Finding:
    """Fail with the reason why no model has a role, and with its most likely cause.

    If several models may have the role, or a model may have it by a fact that the grader could not see, the finding is
    pending. So it is if the notebook trains variables without Keras.

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
    own = None if evidence.models or evidence.run.errors else _trains_own_variables(evidence)
    if own is not None:
        return Finding.pending(
            sentences(
                reason,
                say(
                    "{cell:Cell} trains variables of TensorFlow itself, but the grader sees Keras models only.",
                    cell=own,
                ),
                say("A person must judge it."),
            ),
            measured={"model": None, "candidates": []},
            evidence=(Pointer(cell=own),),
        )
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

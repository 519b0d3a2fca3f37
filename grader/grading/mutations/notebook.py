"""Mistakes in the notebook as a whole: errors, and missing text."""

import re
from collections.abc import Callable

from grader.grading.mutations.base import NotApplicable, Target, always, mutation
from grader.schema.evidence import CellFact, Evidence
from grader.schema.message import say
from grader.schema.submission import CellError

__all__ = ()

_FEW_WORDS = 3
_WEATHER = "it rained on that day and the wind was cold so we stayed at home with a cup of tea"


def _code_cells(evidence: Evidence) -> list[CellFact]:
    return [cell for cell in evidence.cells if cell.kind == "code" and cell.executed]


@mutation("error-in-a-cell", scope="notebook", concerns={"runs": always})
def _error_in_a_cell(evidence: Evidence, _target: Target) -> Evidence | NotApplicable:
    """The last code cell raises an error."""
    code = _code_cells(evidence)
    if not code:
        return NotApplicable("the notebook has no code cell that was executed")
    last = code[-1]
    error = CellError(cell=last.index, name="NameError", message="name 'histroy' is not defined")
    run = evidence.run.model_copy(update={"status": "cell_error", "errors": (*evidence.run.errors, error)})
    cells = tuple(
        cell.model_copy(update={"error": "NameError"}) if cell.index == last.index else cell for cell in evidence.cells
    )
    return evidence.model_copy(update={"run": run, "cells": cells})


@mutation("endless-cell", scope="notebook", concerns={"runs": always})
def _endless_cell(evidence: Evidence, _target: Target) -> Evidence | NotApplicable:
    """The last code cell never ends."""
    code = _code_cells(evidence)
    if not code:
        return NotApplicable("the notebook has no code cell that was executed")
    reason = say("the time budget ran out in {cell:cell}", cell=code[-1].index)
    run = evidence.run.model_copy(
        update={"status": "timeout", "reason": reason, "cells_run": max(0, evidence.run.cells_total - 1)}
    )
    return evidence.model_copy(update={"run": run})


def _with_text(evidence: Evidence, change: Callable[[str], str]) -> Evidence | NotApplicable:
    if not any(cell.kind == "markdown" and cell.source.strip() for cell in evidence.cells):
        return NotApplicable("the notebook has no text")
    cells = tuple(
        cell.model_copy(update={"source": change(cell.source)}) if cell.kind == "markdown" else cell
        for cell in evidence.cells
    )
    return evidence.model_copy(update={"cells": cells})


@mutation("no-text", scope="notebook", concerns={"text": always})
def _no_text(evidence: Evidence, _target: Target) -> Evidence | NotApplicable:
    """The text cells are empty."""
    return _with_text(evidence, lambda _source: "")


@mutation("few-words", scope="notebook", concerns={"text": lambda params: params.min_words > 100})  # noqa: PLR2004 - more than the beginnings of cells
def _few_words(evidence: Evidence, _target: Target) -> Evidence | NotApplicable:
    """Each text cell has only three words."""
    return _with_text(evidence, lambda source: " ".join(source.split()[:_FEW_WORDS]))


@mutation(
    "text-about-something-else",
    scope="notebook",
    concerns={"text": lambda params: bool(params.all or params.any or params.topics or params.near)},
)
def _text_about_something_else(evidence: Evidence, _target: Target) -> Evidence | NotApplicable:
    """The text has as many words, but about the weather."""
    weather = _WEATHER.split()

    def rained(source: str) -> str:
        count = len(re.findall(r"\w+", source))
        return " ".join(weather[at % len(weather)] for at in range(count))

    return _with_text(evidence, rained)


@mutation("assignment-handed-in", scope="notebook", concerns={"text": always})
def _assignment_handed_in(evidence: Evidence, target: Target) -> Evidence | NotApplicable:
    """The text is the assignment's own, as it was handed out."""
    template = target.rubric.template_text
    if not template:
        return NotApplicable("the rubric has no `template` with text")
    parts = (template,) if isinstance(template, str) else template
    first = next((cell.index for cell in evidence.cells if cell.kind == "markdown"), None)
    if first is None:
        return NotApplicable("the notebook has no text")
    cells = tuple(
        cell.model_copy(update={"source": "\n\n".join(parts) if cell.index == first else ""})
        if cell.kind == "markdown"
        else cell
        for cell in evidence.cells
    )
    return evidence.model_copy(update={"cells": cells})

"""The check `runs`."""

from grader.checks.registry import check
from grader.checks.support.params import Params
from grader.facts.case import Case
from grader.facts.language import english
from grader.facts.wording import plural
from grader.schema.base import Assurance, Pointer, spoken_cell
from grader.schema.grade import Finding
from grader.schema.submission import Run

__all__ = ["RunsParams", "runs"]

_SHOWN_ERRORS = 3


class RunsParams(Params):
    """Parameters of `runs`."""

    partial: bool = False
    """Give the part of the points that corresponds to the part of the code cells that ran without an error."""


@check("runs")
def runs(case: Case, params: RunsParams) -> Finding:
    """The notebook runs from top to bottom without an error.

    What it does:
        Looks at the one execution in a fresh kernel: every code cell was run in the order of the file and none raised,
        and neither the time nor the memory ran out. A training that the grader stopped at an epoch's end is no error.

    Why it matters:
        A notebook that only works in the order its author happened to click cannot be checked or built upon.

    Example:
        `{check: runs, with: {partial: true}}`
    """
    run = case.evidence.run
    clean = max(0, run.cells_run - len(run.errors))
    measured = {"status": run.status, "cells_total": run.cells_total, "cells_run": run.cells_run, "cells_clean": clean}
    if run.cells_total == 0:
        return Finding.failed(
            "The notebook has no code cells, so nothing was run.",
            advice="Hand in the notebook with your code; check that you saved the right file.",
            assurance=Assurance.RECORDED,
            measured=measured,
        )
    if run.status == "completed" and not run.errors:
        message = f"All {plural(run.cells_total, 'code cell')} ran from top to bottom without an error."
        return Finding.passed(message, assurance=Assurance.RECORDED, measured=measured)
    fraction = min(clean / run.cells_total, 1.0) if params.partial else 0.0
    return Finding.scored(
        _what_went_wrong(run),
        fraction if fraction < 1 else 0.0,
        advice=_advice(run),
        assurance=Assurance.RECORDED,
        measured=measured,
        evidence=tuple(Pointer(cell=error.cell) for error in run.errors),
    )


def _what_went_wrong(run: Run) -> str:
    shown = [f"{spoken_cell(e.cell)} raised {e.name} ({_first_line(e.message)})" for e in run.errors[:_SHOWN_ERRORS]]
    hidden = len(run.errors) - len(shown)
    parts = [f"{plural(len(run.errors), 'of the code cells', 'of the code cells')} raised"] if run.errors else []
    if run.cut_short:
        parts.append(
            f"{run.cells_run} of {plural(run.cells_total, 'code cell')} were run: {english(run.reason) or run.status}"
        )
    text = "; ".join(parts) or f"The notebook did not complete: {english(run.reason) or run.status}"
    detail = "; ".join(shown) + (f"; and {hidden} more" if hidden > 0 else "")
    return f"{text[0].upper()}{text[1:]}{': ' + detail if detail else ''}."


def _first_line(text: str) -> str:
    line = text.strip().splitlines()[0] if text.strip() else "no message"
    return line if len(line) <= 120 else line[:119] + "…"  # noqa: PLR2004 - a readable length


def _advice(run: Run) -> str:
    if run.errors:
        first = run.errors[0]
        return (
            english(first.advice)
            or f"Start with {spoken_cell(first.cell)}: later errors often follow from the first one."
        )
    return "Train fewer epochs or use less memory, so that the whole notebook fits the assignment's budget."

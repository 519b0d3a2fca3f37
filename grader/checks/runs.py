"""The check `runs`."""

from grader.checks.registry import check
from grader.checks.support.params import Params
from grader.facts.case import Case
from grader.facts.stops import describe_cut, follows_from_a_stop
from grader.schema.base import Assurance, Pointer
from grader.schema.grade import Finding
from grader.schema.message import Message, MessageLike, say, say_count, sentences
from grader.schema.submission import CellError, Run

__all__ = ["RunsParams", "runs"]

_SHOWN_ERRORS = 3
"""Errors that a message names; further errors are counted."""


class RunsParams(Params):
    """Parameters of `runs`."""

    partial: bool = False
    """Whether each code cell that ran without an error earns its share of the points."""


@check("runs")
def runs(case: Case, params: RunsParams) -> Finding:
    """The notebook runs from top to bottom without an error.

    What it does:
        Looks at the execution in a fresh kernel: every code cell ran in the order of the file, no cell raised an
        error, and neither time nor memory ran out. A training that the grader stopped after an epoch is no error. If
        the only errors follow from such a stop, such as a plot over all planned epochs, a person must judge it.

    Why it matters:
        Nobody else can use a notebook that only works if its cells run in a special order.

    Example:
        `{check: runs, with: {partial: true}}`
    """
    run = case.evidence.run
    clean = max(0, run.cells_run - len(run.errors))
    measured = {"status": run.status, "cells_total": run.cells_total, "cells_run": run.cells_run, "cells_clean": clean}
    if run.cells_total == 0:
        return Finding.failed(
            say("The notebook has no code cells, so nothing was run."),
            advice=say("Hand in the notebook with your code; check that you saved the right file."),
            assurance=Assurance.RECORDED,
            measured=measured,
        )
    if run.status == "completed" and not run.errors:
        message = say_count(
            "The only code cell ran without an error.",
            "All {count:number} code cells ran from top to bottom without an error.",
            run.cells_total,
        )
        return Finding.passed(message, assurance=Assurance.RECORDED, measured=measured)
    stops = [follows_from_a_stop(case.evidence, error) for error in run.errors]
    if not run.cut_short and stops and stops[0] is not None and None not in stops:
        message = sentences(
            _problems(run),
            describe_cut(stops[0]),
            say("The error may follow from that, so a person must judge it."),
        )
        pointers = tuple(Pointer(cell=error.cell) for error in run.errors)
        return Finding.pending(message, assurance=Assurance.RECORDED, measured=measured, evidence=pointers)
    fraction = min(clean / run.cells_total, 1.0) if params.partial else 0.0
    return Finding.scored(
        _problems(run),
        fraction if fraction < 1 else 0.0,
        advice=_advice(run),
        assurance=Assurance.RECORDED,
        measured=measured,
        evidence=tuple(Pointer(cell=error.cell) for error in run.errors),
    )


def _problems(run: Run) -> Message:
    reason = run.reason or run.status
    cut_short = say(
        "{run:number} of {total:number} code cells ran: {reason}.",
        run=run.cells_run,
        total=run.cells_total,
        reason=reason,
    )
    if not run.errors and not run.cut_short:
        return say("The notebook did not complete: {reason}.", reason=reason)
    return sentences(cut_short if run.cut_short else None, _errors(run) if run.errors else None)


def _errors(run: Run) -> Message:
    errors = [_error(error) for error in run.errors[:_SHOWN_ERRORS]]
    hidden = len(run.errors) - len(errors)
    if hidden:
        errors.append(say("and {count:number} more", count=hidden))
    return say_count(
        "{count:number} code cell raised an error: {errors:clauses}.",
        "{count:number} code cells raised an error: {errors:clauses}.",
        len(run.errors),
        errors=errors,
    )


def _error(error: CellError) -> Message:
    text = _first_line(error.message)
    if not text:
        return say("{cell:cell} raised {error:raw}", cell=error.cell, error=error.name)
    return say("{cell:cell} raised {error:raw} ({text:raw})", cell=error.cell, error=error.name, text=text)


def _first_line(text: str) -> str:
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line if len(line) <= 120 else line[:119] + "…"  # noqa: PLR2004 - a readable length


def _advice(run: Run) -> MessageLike:
    if run.errors:
        first = run.errors[0]
        return first.advice or say(
            "Start with the error in {cell:cell}: later errors often follow from the first one.", cell=first.cell
        )
    return say(
        "Train for fewer epochs or use less memory, so that the whole notebook stays within the assignment's limits."
    )

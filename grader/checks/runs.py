"""The check `runs`."""

from collections.abc import Mapping, Sequence
from typing import Final

from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.params import Params
from grader.facts.case import Case
from grader.facts.follow_ups import FollowUp, advice_of, cause_text, follow_ups
from grader.facts.language import english
from grader.facts.stops import describe_cut, follows_from_a_stop
from grader.facts.work import does_nothing
from grader.schema.base import Assurance, Pointer
from grader.schema.evidence import Evidence
from grader.schema.grade import Finding, MeasureLabel
from grader.schema.message import Message, MessageLike, say, say_count, sentences
from grader.schema.submission import CellError

__all__ = ["RunsParams", "runs"]

_SHOWN_ERRORS = 3
"""Errors that a message names; further errors are counted."""
_SHOWN_FOLLOWING = 5
"""Cells that a message names whose errors follow from earlier ones."""
_MOST_CHARACTERS = 200
"""Length of an error's cause in a message."""


class RunsParams(Params):
    """Parameters of `runs`."""

    partial: bool = False
    """Whether each code cell that ran without an error earns its share of the points."""
    not_empty: bool = False
    """Whether a notebook earns nothing if it loads no data, creates no model and draws no figure, although it runs."""


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "cells_total": measure(say("Code cells"), "number"),
    "cells_run": measure(say("Code cells that were run"), "number"),
    "cells_clean": measure(say("Code cells without an error"), "number"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("runs", measures=_MEASURES)
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
    if params.not_empty and does_nothing(case.evidence):
        message = say_count(
            "The only code cell ran, but it loads no data, creates no model and draws no figure.",
            "All {count:number} code cells ran, but they load no data, create no model and draw no figure.",
            run.cells_total,
        )
        advice = say("Hand in the notebook with your work; check that you saved the right file.")
        return Finding.failed(message, advice=advice, assurance=Assurance.RECORDED, measured=measured)
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
            _problems(case.evidence),
            describe_cut(stops[0]),
            say("The error may follow from that, so a person must judge it."),
        )
        pointers = tuple(Pointer(cell=error.cell) for error in run.errors)
        return Finding.pending(message, assurance=Assurance.RECORDED, measured=measured, evidence=pointers)
    fraction = min(clean / run.cells_total, 1.0) if params.partial else 0.0
    return Finding.scored(
        _problems(case.evidence),
        fraction if fraction < 1 else 0.0,
        advice=_advice(case.evidence),
        assurance=Assurance.RECORDED,
        measured=measured,
        evidence=tuple(Pointer(cell=error.cell) for error in run.errors),
        lacks="run",
    )


def _problems(evidence: Evidence) -> Message:
    run = evidence.run
    reason = run.reason or run.status
    cut_short = say(
        "{run:number} of {total:number} code cells ran: {reason}.",
        run=run.cells_run,
        total=run.cells_total,
        reason=reason,
    )
    # The end of the kernel is the reason why the notebook was cut short, which is named already.
    errors = tuple(error for error in run.errors if not (run.cut_short and error.message == english(run.reason)))
    if not errors and not run.cut_short:
        return say("The notebook did not complete: {reason}.", reason=reason)
    reasons = follow_ups(evidence)
    return sentences(cut_short if run.cut_short else None, _errors(errors, reasons) if errors else None)


def _errors(errors: Sequence[CellError], reasons: Mapping[int, FollowUp]) -> Message:
    following = [error for error in errors if _follows(error, reasons)]
    first = [error for error in errors if not _follows(error, reasons)]
    shown = [_error(error) for error in first[:_SHOWN_ERRORS]]
    hidden = len(first) - len(shown)
    if hidden:
        shown.append(say("and {count:number} more", count=hidden))
    return sentences(
        say_count(
            "{count:number} code cell raised an error: {errors:clauses}.",
            "{count:number} code cells raised an error: {errors:clauses}.",
            len(first),
            errors=shown,
        ),
        say_count(
            "{count:number} further error follows from it, in {cells:cell}.",
            "{count:number} further errors follow from this, in {cells:cell}.",
            len(following),
            cells=[error.cell for error in following[:_SHOWN_FOLLOWING]],
        )
        if following
        else None,
    )


def _follows(error: CellError, reasons: Mapping[int, FollowUp]) -> bool:
    reason = None if error.cell is None else reasons.get(error.cell)
    return reason is not None and reason.root is not None


def _error(error: CellError) -> Message:
    text = _cut(cause_text(error))
    if not text:
        return say("{cell:cell} raised {error:raw}", cell=error.cell, error=error.name)
    return say("{cell:cell} raised {error:raw} ({text:raw})", cell=error.cell, error=error.name, text=text)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "…"


def _advice(evidence: Evidence) -> MessageLike:
    run = evidence.run
    if run.errors:
        first, reasons = run.errors[0], follow_ups(evidence)
        return advice_of(first, None if first.cell is None else reasons.get(first.cell)) or say(
            "Start with the error in {cell:cell}: later errors often follow from the first one.", cell=first.cell
        )
    return say(
        "Train for fewer epochs or use less memory, so that the whole notebook stays within the assignment's limits."
    )

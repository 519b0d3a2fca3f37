"""The check `runs`."""

from typing import Any

import pytest

from grader.checks.runs import RunsParams, runs
from grader.facts.language import english
from grader.schema.evidence import DatasetFact, Evidence
from grader.schema.grade import Finding
from grader.schema.message import say
from grader.schema.submission import CellError
from tests.support.factories import (
    a_case,
    a_cell,
    a_figure,
    a_fit,
    a_model,
    a_named_array,
    a_run,
    an_error,
    an_evidence,
)
from tests.support.says import says


def judge(*, partial: bool = False, **run: Any) -> Finding:
    return runs(a_case(an_evidence(run=a_run(**run))), RunsParams(partial=partial))


def test_a_notebook_without_errors_runs() -> None:
    finding = judge()
    assert (finding.status, finding.fraction) == ("passed", 1)
    assert says(finding.message, "The only code cell ran without an error.", count=8)


def test_code_that_does_nothing_of_an_assignment_can_earn_nothing() -> None:
    idle = Evidence(run=a_run(cells_total=1, cells_run=1))
    assert runs(a_case(idle), RunsParams()).status == "passed"
    finding = runs(a_case(idle), RunsParams(not_empty=True, partial=True))
    assert (finding.status, finding.fraction) == ("failed", 0)
    assert says(finding.message, "The only code cell ran, but it loads no data, creates no model and draws no figure.")


@pytest.mark.parametrize(
    "work",
    [
        {"datasets": (DatasetFact(event=1, cell=0, dataset="mnist", via="keras.datasets.mnist.load_data"),)},
        {"models": (a_model(),)},
        {"figures": (a_figure(),)},
        {"arrays": (a_named_array("x"),)},
    ],
)
def test_a_notebook_that_does_anything_is_not_empty(work: dict[str, Any]) -> None:
    finding = runs(a_case(Evidence(run=a_run(), **work)), RunsParams(not_empty=True))
    assert finding.status == "passed"


def test_an_error_is_named_with_its_cell_and_pointed_to() -> None:
    finding = judge(status="cell_error", errors=(an_error(3),))
    assert (finding.status, finding.fraction) == ("failed", 0)
    assert says(
        finding.message,
        "{cell:cell} raised {error:raw} ({text:raw})",
        cell=3,
        error="NameError",
        text="name 'x' is not defined",
    )
    assert [p.cell for p in finding.evidence] == [3]


def test_many_errors_are_counted_and_three_are_shown() -> None:
    finding = judge(status="cell_error", errors=tuple(an_error(n) for n in range(5)))
    assert says(finding.message, "{count:number} code cell raised an error: {errors:clauses}.", count=5)
    assert says(finding.message, "and {count:number} more", count=2)


def test_an_error_that_follows_from_another_one_is_not_counted_again() -> None:
    cells = (a_cell(3, "1 / 0\nx = 1"), a_cell(4, "print(x)"))
    errors = (an_error(3, "ZeroDivisionError", "division by zero"), an_error(4))
    finding = runs(a_case(an_evidence(cells=cells, run=a_run(status="cell_error", errors=errors))), RunsParams())
    assert english(finding.message) == (
        "1 code cell raised an error: cell 4 raised ZeroDivisionError (division by zero). "
        "1 further error follows from it, in cell 5."
    )


def test_the_cause_is_shown_instead_of_the_whole_text() -> None:
    error = an_error(3, "ValueError", "in user code:\n  File …").model_copy(update={"cause": "Shapes do not fit"})
    finding = judge(status="cell_error", errors=(error,))
    assert "cell 4 raised ValueError (Shapes do not fit)" in english(finding.message)


def test_the_end_of_the_kernel_is_named_once() -> None:
    reason = say("the kernel was stopped in {cell:cell}: it used too much memory", cell=3)
    ended = an_error(3, "KernelEnded", english(reason))
    finding = judge(status="memory", reason=reason, cells_run=3, errors=(ended,))
    assert english(finding.message) == (
        "3 of 8 code cells ran: the kernel was stopped in cell 4: it used too much memory."
    )


def test_partial_points_follow_the_cells_that_ran() -> None:
    finding = judge(partial=True, status="cell_error", errors=(an_error(3), an_error(4)))
    assert (finding.status, finding.fraction) == ("partial", 0.75)


def test_nothing_that_ran_clean_earns_nothing() -> None:
    finding = judge(partial=True, status="cell_error", cells_run=1, cells_total=1, errors=(an_error(0),))
    assert (finding.status, finding.fraction) == ("failed", 0)


@pytest.mark.parametrize("status", ["timeout", "memory", "died"])
def test_a_run_that_was_cut_off_says_how_far_it_came(status: str) -> None:
    finding = judge(status=status, reason="it took too long", cells_run=5, partial=True)
    assert (finding.status, finding.fraction) == ("partial", 0.625)
    assert says(
        finding.message,
        "{run:number} of {total:number} code cells ran: {reason}.",
        run=5,
        total=8,
        reason="it took too long",
    )


def test_a_notebook_without_code_does_not_pass() -> None:
    assert judge(cells_run=0, cells_total=0).status == "failed"


def test_a_training_stopped_by_the_grader_is_no_error() -> None:
    case = a_case(an_evidence(fits=(a_fit(status="stopped_by_budget"),)))
    assert runs(case, RunsParams()).status == "passed"


def test_an_error_that_follows_from_a_stop_of_the_grader_waits_for_a_person() -> None:
    def status(*errors: CellError, **keys: Any) -> str:
        known = {"cell": 2, "status": "stopped_by_budget", "epochs_asked": 50, "epochs_done": 3}
        run = a_run(status="cell_error", errors=errors)
        return runs(a_case(an_evidence(fits=(a_fit(**(known | keys)),), run=run)), RunsParams(partial=True)).status

    lengths = an_error(3, "ValueError", "x and y must have same first dimension, but have shapes (50,) and (3,)")
    assert status(lengths) == "pending"
    assert status(lengths, status="completed") == "partial"
    assert status(lengths, cell=4) == "partial"
    assert status(lengths, epochs_asked=40) == "partial"
    assert status(lengths, an_error()) == "partial"
    assert status(lengths, kind="custom_loop", epochs_asked=None) == "pending"

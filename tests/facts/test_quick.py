"""A quick run judges only what short trainings cannot change."""

from typing import Any

import pytest

from grader.checks.registry import all_checks
from grader.facts.gaps import GapWatch, for_comparison
from grader.facts.quick import NOT_JUDGED, as_quick, hides_in_quick_run, is_quick_doubt, is_unjudged, quick_doubt
from grader.facts.roles import resolve_roles
from grader.facts.stops import is_cut
from grader.grading.grade import grade
from grader.schema.evidence import EvaluateFact, Evidence
from grader.schema.grade import CriterionGrade, Grade
from tests.support.factories import (
    a_case,
    a_cell,
    a_figure,
    a_fit,
    a_rubric,
    a_run,
    a_stamp,
    a_submission,
    an_accuracy,
    an_error,
    an_evidence,
)

SHORT = a_fit(status="stopped_by_budget")
MODEL = {"model": "net"}
ROLES = {"net": {"pick": "last_trained"}}


def quick(**keys: Any) -> Evidence:
    return as_quick(an_evidence(**({"fits": (SHORT,), "accuracies": ()} | keys)))


def graded(evidence: Evidence, *criteria: dict[str, Any]) -> Grade:
    rubric = a_rubric(*criteria, roles=ROLES)
    case = a_case(evidence, rubric, **resolve_roles(rubric, evidence))
    return grade(case, submission=a_submission(), stamp=a_stamp(), checks=all_checks(), diagnostics={}, reference=None)


def verdict(evidence: Evidence, check: str, **params: Any) -> CriterionGrade:
    return graded(evidence, {"id": "c", "points": 1, "check": check, "with": {**MODEL, **params}}).criteria[0]


def test_the_trainings_that_were_shortened_are_marked() -> None:
    evidence = as_quick(an_evidence(fits=(SHORT, a_fit())))
    assert evidence.quick
    assert [fit.shortened for fit in evidence.fits] == [True, False]
    assert [is_cut(fit) for fit in evidence.fits] == [True, False]


@pytest.mark.parametrize("status", ["passed", "partial", "failed"])
def test_no_verdict_may_depend_on_what_a_quick_run_does_not_have(status: Any) -> None:
    assert quick_doubt(quick(), status, frozenset({"models", "accuracies"}))
    assert not quick_doubt(an_evidence(), status, frozenset({"models", "accuracies"}))
    assert not quick_doubt(quick(), status, frozenset({"models", "compiles"}))


def test_no_points_may_depend_on_the_first_steps_of_a_training() -> None:
    assert quick_doubt(quick(), "passed", frozenset({"fits.history"}))
    assert not quick_doubt(quick(), "failed", frozenset({"fits.history"}))


@pytest.mark.parametrize(
    ("error", "doubtful"),
    [
        ("IndexError: list index out of range", True),
        ("AssertionError: ", True),
        ("ValueError: x and y must have same first dimension", True),
        ("FileNotFoundError: no file best.keras", True),
        ("NameError: name 'modle' is not defined", False),
        ("NameError: name 'best' is not defined", True),
        ("UnboundLocalError: cannot access local variable 'best'", True),
        ("TypeError: fit() got an unexpected keyword argument", False),
        ("TypeError: 'NoneType' object is not subscriptable", True),
        ("AttributeError: 'History' object has no attribute 'acc'", False),
        ("AttributeError: 'NoneType' object has no attribute 'predict'", True),
        ("ModuleNotFoundError: No module named 'torch'", False),
    ],
)
def test_an_error_after_a_short_training_may_come_from_it(error: str, *, doubtful: bool) -> None:
    name, message = error.split(": ", 1)
    run = a_run(status="cell_error", errors=(an_error(cell=9, name=name, message=message),))
    cells = (a_cell(8, "if accuracy > 0.9:\n    best = model"),)
    assert bool(quick_doubt(quick(run=run, cells=cells), "failed", frozenset({"run"}))) is doubtful


def test_an_error_that_follows_from_an_own_mistake_is_one() -> None:
    errors = (an_error(cell=7, name="TypeError"), an_error(cell=9, name="NameError", message="name 'best' is not"))
    run = a_run(status="cell_error", errors=errors)
    cells = (a_cell(7, "best = len(3)"), a_cell(9, "best"))
    assert not quick_doubt(quick(run=run, cells=cells), "failed", frozenset({"run"}))


def test_an_error_after_an_evaluation_may_come_from_its_few_images() -> None:
    run = a_run(status="cell_error", errors=(an_error(cell=9, name="AssertionError"),))
    whole = {"run": run, "fits": (a_fit(),)}
    evaluation = EvaluateFact(event=1, cell=8, model="m1")
    assert quick_doubt(quick(**whole, evaluations=(evaluation,)), "failed", frozenset())
    assert not quick_doubt(quick(**whole), "failed", frozenset())


def test_an_error_before_the_first_training_is_the_notebooks_own() -> None:
    run = a_run(status="cell_error", errors=(an_error(cell=0, name="ValueError"),))
    assert not quick_doubt(quick(run=run, fits=(a_fit(status="stopped_by_budget", cell=5),)), "failed", frozenset())


def test_a_quick_run_that_is_out_of_time_misses_nothing() -> None:
    (gap,) = quick_doubt(quick(run=a_run(status="timeout")), "failed", frozenset({"models"}))
    assert is_quick_doubt(gap)


def test_an_accuracy_is_not_judged_and_says_so() -> None:
    line = verdict(quick(), "accuracy", split="test", at_least=0.9)
    assert (line.status, line.says) == ("pending", NOT_JUDGED)
    assert is_unjudged(line)
    assert verdict(an_evidence(accuracies=(an_accuracy(),)), "accuracy", split="test", at_least=0.9).status == "passed"


def test_what_the_student_wrote_is_judged() -> None:
    assert verdict(quick(), "output_shape", shape=[10]).status == "passed"
    assert verdict(quick(), "output_shape", shape=[9]).status == "failed"
    assert verdict(quick(), "trained", epochs_at_least=4, loss_falls=False).status == "passed"
    assert verdict(quick(), "trained", epochs_at_least=900, loss_falls=False).status == "failed"


def test_a_falling_loss_is_not_judged() -> None:
    line = verdict(quick(), "trained", loss_falls=True)
    assert is_unjudged(line)


def test_a_plot_of_the_history_is_judged_whatever_its_values_are() -> None:
    history = SHORT.history
    evidence = quick(
        figures=(a_figure(history["accuracy"], history["val_accuracy"], xlabel="epoch", ylabel="accuracy"),)
    )
    assert verdict(evidence, "plots", metric="accuracy", of="both").status == "passed"
    assert verdict(quick(figures=()), "plots", metric="accuracy", of="both").status == "failed"


def test_another_check_may_decide_a_criterion() -> None:
    """A missing half decides `all_of`, a passed one decides `any_of`."""
    accuracy = {"check": "accuracy", "with": {**MODEL, "split": "test", "at_least": 0.9}}
    right, wrong = ({"check": "output_shape", "with": {**MODEL, "shape": [n]}} for n in (10, 9))
    statuses = {
        (kind, other is right): graded(quick(), {"id": "c", "points": 1, kind: [accuracy, other]}).criteria[0].status
        for kind in ("all_of", "any_of")
        for other in (right, wrong)
    }
    assert statuses == {
        ("all_of", True): "pending",
        ("all_of", False): "failed",
        ("any_of", True): "passed",
        ("any_of", False): "pending",
    }


def test_a_grade_says_that_it_is_of_a_quick_run() -> None:
    criterion = {"id": "c", "points": 1, "check": "output_shape", "with": {**MODEL, "shape": [10]}}
    assert graded(quick(), criterion).quick is True
    assert graded(an_evidence(), criterion).quick is False


def test_notes_about_the_outcome_are_left_out() -> None:
    assert hides_in_quick_run(quick(), frozenset({"fits.history"}))
    assert not hides_in_quick_run(quick(), frozenset({"models"}))
    assert not hides_in_quick_run(an_evidence(), frozenset({"fits.history"}))


def test_a_history_that_is_only_compared_is_another_part() -> None:
    watch = GapWatch(a_case(quick()))
    watch.run(lambda case: for_comparison(case).evidence.fits[0].history)
    assert "fits.curves" in watch.read
    assert "fits.history" not in watch.read
    plain = a_case(an_evidence())
    assert for_comparison(plain) is plain


def test_the_steps_of_all_epochs_count() -> None:
    short = SHORT.model_copy(update={"epochs_done": 4, "total_steps": 8})
    assert verdict(quick(fits=(short,)), "training", steps={"at_least": 1000}).status == "passed"
    assert verdict(quick(fits=(short,)), "training", steps={"at_most": 1000}).status == "failed"
    unknown = short.model_copy(update={"steps": None})
    assert verdict(quick(fits=(unknown,)), "training", steps={"at_least": 1000}).status == "pending"


def test_a_loop_that_the_grader_ended_used_all_its_images() -> None:
    loop = a_fit(kind="custom_loop", status="stopped_by_budget", epochs_asked=None, epochs_done=0, total_steps=8)
    assert verdict(quick(fits=(loop,)), "rows", at_least=50_000).status == "passed"
    ended = loop.model_copy(update={"status": "completed"})
    assert verdict(quick(fits=(ended,)), "rows", at_least=50_000).status == "failed"

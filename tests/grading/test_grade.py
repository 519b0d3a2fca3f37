"""From findings to points."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.checks import all_checks, all_diagnostics
from grader.checks.support.params import Params
from grader.facts.case import Case, CheckSpec, DiagnosticSpec
from grader.facts.language import english
from grader.grading import grade, rejected, ungraded
from grader.grading.grade import Outlines, outline
from grader.schema.base import Assurance, Pointer
from grader.schema.errors import HarnessError, NotebookError, PredictorError, RubricError
from grader.schema.evidence import DatasetFact, Evidence
from grader.schema.grade import Diagnostic, Finding, Grade, RoleMatch
from grader.schema.message import literal
from grader.store.results import grade_bytes, grade_data
from tests.support.factories import (
    a_case,
    a_fit,
    a_model,
    a_rubric,
    a_run,
    a_stamp,
    a_submission,
    an_accuracy,
    an_error,
    an_evidence,
    dense,
    operation,
)
from tests.support.mailing import a_grade


def says(finding: Finding) -> CheckSpec:
    return CheckSpec(name="said", parameters=Params, run=lambda _case, _params: finding, doc="")


def raising(error: Exception) -> CheckSpec:
    def run(_case: Case, _params: Params) -> Finding:
        raise error

    return CheckSpec(name="broken", parameters=Params, run=run, doc="")


PASSED = Finding(status="passed", message="all there", assurance=Assurance.VERIFIED)
HALF = Finding(status="partial", fraction=0.5, message="half there", assurance=Assurance.RECORDED, advice="add labels")
FAILED = Finding(status="failed", message="nothing there", advice="begin", evidence=(Pointer(cell=3),))
CHECKS: Mapping[str, CheckSpec] = {"yes": says(PASSED), "half": says(HALF), "no": says(FAILED)}


def grading(
    *criteria: Mapping[str, Any],
    checks: Mapping[str, CheckSpec] = CHECKS,
    evidence: Evidence | None = None,
    **more: Any,
) -> Grade:
    case = a_case(evidence, a_rubric(*criteria))
    return grade(
        case,
        submission=a_submission(),
        stamp=a_stamp(),
        **({"checks": checks, "diagnostics": {}, "reference": None} | more),
    )


def one(points: float = 10, **keys: Any) -> dict[str, Any]:
    return {"id": f"c{abs(hash(str(keys))) % 999_999}", "points": points, **keys}


def test_operations_between_a_networks_layers_are_not_listed_as_layers() -> None:
    worked = a_model(operation("TrueDivide"), dense(10), operation("nn.softmax", cls="TFOpLambda"))
    (listed,) = grading(one(check="yes"), evidence=an_evidence(models=(worked,))).models
    assert [layer.name for layer in listed.layers] == ["dense"]


def test_points_follow_the_finding() -> None:
    graded = grading(one(check="yes"), one(check="half"), one(check="no"))
    assert [c.points for c in graded.criteria] == [10, 5, 0]
    assert (graded.score, graded.max_score, graded.pending) == (15, 30, 0)


def test_a_manual_criterion_waits_and_is_no_loss_yet() -> None:
    graded = grading(one(check="yes"), one(5, manual={"guide": "Is it right?"}))
    assert (graded.score, graded.max_score, graded.pending) == (10, 15, 5)
    assert graded.criteria[1].status == "pending"
    assert "Is it right?" in graded.criteria[1].message


def test_the_best_of_any_of_counts() -> None:
    graded = grading(one(any_of=[{"check": "no"}, {"check": "half"}, {"check": "yes"}]))
    assert graded.criteria[0].status == "passed"
    assert graded.criteria[0].message == "all there"


def test_the_worst_of_all_of_counts_and_every_lack_is_said() -> None:
    graded = grading(one(all_of=[{"check": "yes"}, {"check": "half"}, {"check": "no"}]))
    (criterion,) = graded.criteria
    assert (criterion.status, criterion.points) == ("failed", 0)
    assert criterion.message == "half there nothing there"
    assert criterion.assurance is Assurance.RECORDED
    assert criterion.evidence == (Pointer(cell=3),)


OPEN: Mapping[str, CheckSpec] = {**CHECKS, "open": says(Finding.pending("not seen"))}


@pytest.mark.parametrize(
    ("tests", "best", "worst"),
    [
        (("open", "no"), "pending", "failed"),
        (("open", "half"), "pending", "pending"),
        (("open", "yes"), "passed", "pending"),
        (("open", "no", "yes"), "passed", "failed"),
    ],
    ids=str,
)
def test_a_pending_check_leaves_a_criterion_open_unless_another_check_decides(
    tests: tuple[str, ...], best: str, worst: str
) -> None:
    for order in (tests, tests[::-1]):
        named = [{"check": name} for name in order]
        graded = grading(one(any_of=named), one(all_of=named), checks=OPEN)
        assert [criterion.status for criterion in graded.criteria] == [best, worst]


DOUBT = Finding(status="failed", message="by a hair", borderline=True, measured={"missing": 1})
DOUBTFUL: Mapping[str, CheckSpec] = {**CHECKS, "doubt": says(DOUBT)}


@pytest.mark.parametrize(
    ("criterion", "borderline"),
    [
        ({"check": "doubt"}, True),
        ({"all_of": [{"check": "yes"}, {"check": "doubt"}]}, True),
        ({"all_of": [{"check": "no"}, {"check": "doubt"}]}, False),
        ({"all_of": [{"check": "half"}, {"check": "doubt"}]}, False),
        ({"any_of": [{"check": "no"}, {"check": "doubt"}]}, True),
        ({"any_of": [{"check": "half"}, {"check": "doubt"}]}, True),
        ({"any_of": [{"check": "yes"}, {"check": "doubt"}]}, False),
    ],
    ids=str,
)
def test_a_criterion_is_borderline_where_nothing_but_doubt_lies_between_it_and_full_marks(
    criterion: Mapping[str, Any],
    borderline: bool,  # noqa: FBT001 - the expected answer
) -> None:
    graded = grading(one(**criterion), checks=DOUBTFUL)
    (line,) = graded.criteria
    assert line.borderline is borderline
    assert graded.borderline == ((line.id,) if borderline else ())
    if borderline:
        assert line.measured["missing"] == 1
        assert "by a hair" in line.message


def test_doubt_gives_no_points() -> None:
    graded = grading(one(any_of=[{"check": "half"}, {"check": "doubt"}]), checks=DOUBTFUL)
    assert (graded.score, graded.criteria[0].status) == (5, "partial")


def test_a_bonus_comes_on_top_of_the_maximum() -> None:
    graded = grading(one(check="yes"), one(3, check="yes", bonus=True))
    assert (graded.score, graded.max_score) == (13, 10)


def test_a_criterion_without_points_is_advice_only() -> None:
    graded = grading(one(check="yes"), one(0, check="no", advice="Try it."))
    assert (graded.score, graded.max_score) == (10, 10)
    assert graded.criteria[1].advice == "Try it. begin"


def test_advice_is_given_only_to_those_who_missed_something() -> None:
    graded = grading(
        one(check="yes", advice="A"), one(check="half", advice="B"), one(manual={"guide": "g"}, advice="C")
    )
    assert [c.advice for c in graded.criteria] == ["", "B add labels", ""]


def test_hidden_criteria_are_marked_and_count() -> None:
    graded = grading(one(check="yes", hidden=True))
    assert graded.criteria[0].hidden
    assert graded.score == 10


def test_a_criterion_without_a_title_is_called_by_its_id() -> None:
    assert grading({"id": "shape", "points": 1, "check": "yes"}).criteria[0].title == "shape"


def test_points_are_rounded_half_up_to_cents() -> None:
    third = Finding(status="partial", fraction=1 / 3, message="a third")
    eighth = Finding(status="partial", fraction=0.0125, message="little")
    graded = grading(one(10, check="a"), one(1, check="b", title="b"), checks={"a": says(third), "b": says(eighth)})
    assert [c.points for c in graded.criteria] == [3.33, 0.01]
    assert graded.score == 3.34


def test_a_status_and_its_fraction_cannot_disagree() -> None:
    odd = Finding(status="failed", fraction=0.9, message="no")
    assert grading(one(check="odd"), checks={"odd": says(odd)}).score == 0


@pytest.mark.parametrize("error", [ZeroDivisionError("division by zero"), NotebookError("not JSON")])
def test_a_check_that_raises_is_the_graders_failure_and_no_score(error: Exception) -> None:
    with pytest.raises(HarnessError, match="check 'broken' failed") as caught:
        grading(one(check="broken"), checks={"broken": raising(error)})
    assert "criterion" in caught.value.where
    assert caught.value.exit_code == 3


def test_a_check_that_names_the_graders_failure_is_passed_on() -> None:
    with pytest.raises(PredictorError, match="no memory"):
        grading(one(check="broken"), checks={"broken": raising(PredictorError("no memory"))})


@pytest.mark.parametrize("error", [KeyError("x"), HarnessError("no disk")])
def test_a_diagnostic_that_raises_is_a_problem_and_costs_no_grade(error: Exception) -> None:
    def run(_case: Case) -> tuple[Diagnostic, ...]:
        raise error

    note = Diagnostic(id="other", title="t", message="m", advice="a")
    specs = {
        "d": DiagnosticSpec(id="d", run=run, doc=""),
        "other": DiagnosticSpec(id="other", run=lambda _: (note,), doc=""),
    }
    result = grading(one(check="yes"), diagnostics=specs)
    assert (result.status, result.score) == ("graded", 10)
    assert [one.id for one in result.diagnostics] == [note.id]
    (problem,) = result.problems
    assert "the diagnostic `d` failed" in problem
    (message,) = result.problems_says
    assert (message.values["diagnostic"], message.values["exception"]) == ("d", type(error).__name__)


def test_an_unknown_check_is_a_rubric_error() -> None:
    with pytest.raises(RubricError, match="unknown check 'perhaps'"):
        grading(one(check="perhaps"))


def test_wrong_parameters_are_a_rubric_error() -> None:
    with pytest.raises(RubricError, match="wrong parameters"):
        grading({"id": "a", "points": 1, "check": "yes", "with": {"x": 1}})


def test_the_same_note_stands_once_and_many_alike_are_counted() -> None:
    def run(_case: Case) -> tuple[Diagnostic, ...]:
        return tuple(Diagnostic(id="d", title="t", cell=n // 2, message="m.", advice="a") for n in range(16))

    graded = grading(one(check="yes"), diagnostics={"d": DiagnosticSpec(id="d", run=run, doc="")})
    assert [note.cell for note in graded.diagnostics] == [0, 1, 2, 3, 4]
    assert graded.diagnostics[-1].message == "m. The same is in 3 more places."


def test_the_grade_tells_the_networks_and_the_execution() -> None:
    evidence = an_evidence(run=a_run(status="cell_error", errors=(an_error(2),)))
    case = a_case(evidence, None, cnn=RoleMatch(role="cnn", model="m1"))
    graded = grade(
        case, submission=a_submission(), stamp=a_stamp(), checks=all_checks(), diagnostics={}, reference=evidence
    )
    told = json.loads(grade_bytes(grade_data(graded)))
    assert told["models"][0]["roles"] == ["cnn"]
    assert told["models"][0]["layers"][0]["class"] == "Conv2D"
    assert told["models"][0]["accuracy"]["mnist/test"]["value"] == 0.991
    assert told["execution"]["errors"][0]["cell"] == 2
    assert told["execution"]["status"] == "cell_error"
    assert told["reference"]["epochs"] == 4
    assert told["reference"]["accuracy"]["mnist/test"]["correct"] == 9_910


def test_the_reference_is_compared_with_the_network_of_the_first_role() -> None:
    evidence = an_evidence(
        models=(a_model(), a_model(model_id="m2", parameters=7)),
        fits=(a_fit(), a_fit(model="m2", event=30)),
        accuracies=(an_accuracy(), an_accuracy(9_000, model="m2")),
        evaluations=(),
        figures=(),
    )
    rubric = a_rubric(roles={"first": {"pick": "first"}})
    case = a_case(evidence, rubric, first=RoleMatch(role="first", model="m1"))
    graded = grade(
        case, submission=a_submission(), stamp=a_stamp(), checks=all_checks(), diagnostics={}, reference=evidence
    )
    assert graded.reference is not None
    assert graded.reference.parameters == 7
    assert graded.reference.comparison["accuracy"]["mnist/test"]["difference"] == 0.091


def test_a_failure_of_the_grader_has_no_score() -> None:
    rubric = a_rubric(one(check="runs"), one(manual={"guide": "g"}))
    graded = ungraded(a_submission(), a_stamp(), HarnessError("the sandbox did not start"), rubric)
    assert (graded.status, graded.score, graded.max_score, graded.pending) == ("not_graded", None, 20, 0)
    assert graded.reason is not None
    assert "sandbox did not start" in graded.reason
    assert graded.reason_says is not None
    assert english(graded.reason_says) == graded.reason
    assert {c.status for c in graded.criteria} == {"skipped"}


def test_a_file_that_is_no_notebook_fails_with_the_reason_and_a_person_judges_the_rest() -> None:
    rubric = a_rubric(one(check="runs"), one(check="text"), one(manual={"guide": "g"}))
    graded = rejected(a_submission(), a_stamp(), rubric, NotebookError("the file is not JSON"))
    assert (graded.status, graded.score, graded.max_score, graded.pending) == ("graded", 0, 30, 10)
    assert [c.status for c in graded.criteria] == ["failed", "failed", "pending"]
    assert all("the file is not JSON" in c.message for c in graded.criteria)
    assert graded.reason_says == literal("the file is not JSON")
    assert all("Jupyter" in c.advice for c in graded.criteria[:2])


def test_a_diverged_loss_is_null_in_the_grade() -> None:
    evidence = an_evidence(fits=(a_fit(history={"loss": (1.0, float("nan"))}),))
    graded = grading(one(check="runs"), checks=all_checks(), evidence=evidence, reference=evidence)
    text = grade_bytes(grade_data(graded)).decode()
    assert "NaN" not in text
    assert json.loads(text)["reference"]["comparison"]["curves"]["student"]["loss"] == [1.0, None]


FINDINGS = st.builds(
    Finding,
    status=st.sampled_from(["passed", "partial", "failed", "skipped"]),
    fraction=st.floats(0, 1),
    message=st.text(max_size=20),
)
POINTS = st.floats(0, 1000).map(lambda value: round(value, 3))


@given(st.lists(st.tuples(POINTS, FINDINGS, st.booleans()), min_size=1, max_size=8))
def test_the_score_lies_between_nothing_and_everything(lines: list[tuple[float, Finding, bool]]) -> None:
    checks = {f"c{n}": says(finding) for n, (_, finding, _) in enumerate(lines)}
    criteria = [
        {"id": f"c{n}", "points": points, "check": f"c{n}", "bonus": bonus}
        for n, (points, _, bonus) in enumerate(lines)
    ]
    graded = grading(*criteria, checks=checks)
    assert graded.score is not None
    bonus = sum(c.max_points for c in graded.criteria if c.bonus)
    assert 0 <= graded.score <= graded.max_score + bonus + 0.01 * len(lines)
    assert all(0 <= c.points <= c.max_points for c in graded.criteria)
    assert graded.score == pytest.approx(sum(c.points for c in graded.criteria))


RUBRIC_CHECKS: tuple[dict[str, Any], ...] = (
    {"check": "runs"},
    {"check": "accuracy", "with": {"at_least": 0.99, "partial_from": 0.97}},
    {"check": "plots", "with": {"metric": "loss"}},
    {"check": "trained", "with": {"only_split": "train", "partial": True}},
    {"check": "has_layer", "with": {"layer": "any_dropout", "before": "Dense"}},
)


@given(st.integers(0, 10_000), st.lists(st.sampled_from(RUBRIC_CHECKS), min_size=1, max_size=4), st.booleans())
def test_grading_again_gives_the_same_bytes(correct: int, tests: list[dict[str, Any]], best: bool) -> None:  # noqa: FBT001 - hypothesis draws it
    evidence = an_evidence(accuracies=(an_accuracy(correct),))
    kept = Evidence.model_validate_json(evidence.model_dump_json())
    criteria = [one(any_of=tests) if best else one(all_of=tests)]
    more: dict[str, Any] = {"checks": all_checks(), "diagnostics": all_diagnostics()}
    first = grading(*criteria, evidence=evidence, reference=evidence, **more)
    again = grading(*criteria, evidence=kept, reference=kept, **more)
    assert grade_bytes(grade_data(first)) == grade_bytes(grade_data(again))
    assert Grade.model_validate_json(grade_bytes(grade_data(first))).score == first.score


def test_a_stand_in_is_told_where_the_notebook_loaded_it() -> None:
    loaded = DatasetFact(event=2, cell=1, dataset="cifar10", via="keras.datasets.cifar10.load_data")
    told = grading(one(check="yes"), evidence=an_evidence(datasets=(loaded,), stand_ins=("cifar10",))).execution
    unused = grading(one(check="yes"), evidence=an_evidence(stand_ins=("cifar10",))).execution
    assert told is not None
    assert unused is not None
    assert [text for text in told.emulations if "`cifar10` was not on the grader's machine" in text]
    assert unused.emulations == ()


def test_outlines_of_a_class_share_what_is_equal() -> None:
    outlines = Outlines()
    grades = [a_grade("amara"), a_grade("ben"), a_grade("chiara", accuracy=10.0)]
    amara, ben, chiara = made = [outlines.of(one) for one in grades]
    assert made == [outline(one) for one in grades]
    assert amara.rubric is ben.rubric is chiara.rubric
    assert all(one is other for one, other in zip(amara.criteria, ben.criteria, strict=True))
    assert [one is other for one, other in zip(amara.criteria, chiara.criteria, strict=True)] == [
        one.id != "accuracy" for one in amara.criteria
    ]

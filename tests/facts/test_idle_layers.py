"""A layer whose removal changes no prediction does not count, and a person decides."""

from dataclasses import replace
from typing import Any

import pytest

from grader.checks import all_checks
from grader.facts.idle_layers import has_idle_layers, left_to_a_person, without_idle_layers
from grader.grading import grade
from grader.schema.grade import Finding
from grader.schema.rubric import Criterion
from tests.support.factories import a_case, a_model, a_rubric, a_stamp, a_submission, an_evidence, conv, dense, layer
from tests.support.says import says, values

WITHOUT = (
    "A person has to judge this: without the layer {names:list}, {model:code} gives the same answers, so it does not "
    "count."
)


def case_with(*idle: str, **keys: Any) -> Any:
    model = a_model(
        conv(name="c"), layer("Dropout", name="d", config={"rate": 0.3}), dense(10), idle_layers=idle, **keys
    )
    return a_case(an_evidence(models=(model,)))


def test_idle_layers_are_taken_away_also_in_a_nested_model() -> None:
    case = case_with("c", "x")
    assert has_idle_layers(case)
    assert not has_idle_layers(case_with())
    assert [each.cls for each in without_idle_layers(case).evidence.models[0].layers] == ["Dropout", "Dense"]
    nested = a_model(layer("Functional", layers=(conv(name="c"), dense(5))), dense(10), idle_layers=("c",))
    (model,) = without_idle_layers(a_case(an_evidence(models=(nested,)))).evidence.models
    assert [each.cls for each in model.flat_layers()] == ["Dense", "Dense"]


@pytest.mark.parametrize(
    ("finding", "other", "pending"),
    [
        (Finding.passed("a"), Finding.passed("b"), False),
        (Finding.passed("a"), Finding.failed("b"), True),
        (Finding.passed("a"), Finding.partial("b", 0.5), True),
        (Finding.partial("a", 0.5), Finding.partial("b", 0.4), True),
        (Finding.failed("a"), Finding.passed("b"), False),
        (Finding.pending("a"), Finding.failed("b"), False),
    ],
)
def test_a_person_judges_only_what_depends_on_them(finding: Finding, other: Finding, *, pending: bool) -> None:
    after = left_to_a_person(case_with("c"), finding, other, ["network"])
    assert (after is not finding) is pending
    if pending:
        assert after.status == "pending"
        assert says(after.message, WITHOUT)
        assert values(after.message, WITHOUT)["model"] == case_with().evidence.models[0].name


def test_a_criterion_that_counts_one_is_pending_and_the_others_are_not() -> None:
    criteria = [
        {"id": name, "title": "T", "points": 1, "check": "has_layer", "with": {"layer": wanted}}
        for name, wanted in (("conv", "any_convolution"), ("dropout", "Dropout"), ("pool", "any_pooling"))
    ]
    case = replace(case_with("c"), rubric=a_rubric(criteria=tuple(map(Criterion.model_validate, criteria))))
    graded = grade(
        case, submission=a_submission(), stamp=a_stamp(), checks=all_checks(), diagnostics={}, reference=None
    )
    assert [each.status for each in graded.criteria] == ["pending", "passed", "failed"]

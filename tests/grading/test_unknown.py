"""Unknown is never failed: a fact that the grader lost makes a criterion pending, never failed.

Each example takes complete evidence that passes every criterion, and removes or blanks one fact. The evidence is what
the grader recorded of the shipped solutions; further criteria cover the checks that no shipped rubric uses.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.checks import all_checks, all_diagnostics
from grader.facts.case import Case
from grader.facts.roles import resolve_roles
from grader.grading import grade
from grader.pipeline.reference import read_reference
from grader.pipeline.rubrics import find_rubric
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade
from grader.schema.rubric import Rubric
from tests.support.factories import a_stamp, a_submission
from tests.support.removals import Removal, gap_of, kinds_of, removals, remove

RUBRICS = ("mnist-cnn", "keras-mnist-cnn", "cifar-deep", "fashion-transfer", "parameter-golf")
MORE: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "fashion-transfer": (
        {"check": "labels", "with": {"model": "first", "flat": True, "classes": 8}},
        {"check": "split", "with": {"model": "first", "train": 0.8, "tolerance": 0.2, "not_test": True}},
    ),
}
"""Criteria for the checks that the shipped rubrics do not use."""
UNKNOWN = frozenset(
    {
        ("fits", "digests_after"),
        ("fits", "history"),
        ("fits", "overlap"),
        ("fits", "x"),
        ("fits", "val_x"),
        ("labels", "right"),
        ("models", "artefact"),
        ("calls", "repeats"),
        ("models", "output_shape"),
        ("models", "input_shape"),
        ("models", "parameters"),
        ("predictions", "outputs_differ"),
        ("calls", "outputs_differ"),
    }
)
"""Attributes whose absence means that the grader does not know the fact, even without a gap in the record."""


@cache
def solution(rubric_id: str) -> tuple[Rubric, Evidence]:
    """A shipped rubric with further criteria, and the evidence of its solution."""
    loaded = find_rubric(rubric_id)
    evidence = read_reference(loaded)
    assert evidence is not None
    data = loaded.rubric.model_dump(by_alias=True, exclude_unset=True, mode="json")
    data["criteria"] += [
        {"id": f"more-{number}", "points": 1, **test} for number, test in enumerate(MORE.get(rubric_id, ()))
    ]
    return Rubric.model_validate(data), evidence


@cache
def facts(rubric_id: str) -> tuple[Removal, ...]:
    return tuple(removals(solution(rubric_id)[1]))


def graded(rubric: Rubric, evidence: Evidence) -> Grade:
    case = Case(evidence=evidence, rubric=rubric, roles=resolve_roles(rubric, evidence), lacking="unable")
    return grade(
        case,
        submission=a_submission(),
        stamp=a_stamp(),
        checks=all_checks(),
        diagnostics=all_diagnostics(),
        reference=None,
    )


def blamed(result: Grade) -> dict[str, str]:
    """The criteria that cost the student points, with their messages."""
    return {line.id: line.message for line in result.criteria if line.status not in {"passed", "pending"}}


@pytest.mark.parametrize("rubric_id", RUBRICS)
def test_the_complete_evidence_passes_everything(rubric_id: str) -> None:
    rubric, evidence = solution(rubric_id)
    result = graded(rubric, evidence)
    assert not blamed(result)
    manual = {criterion.id for criterion in rubric.criteria if criterion.manual is not None}
    assert {line.id for line in result.criteria if line.status == "pending"} == manual


def test_every_check_is_among_the_criteria() -> None:
    used = {test.check for name in RUBRICS for criterion in solution(name)[0].criteria for test in criterion.tests}
    assert used == set(all_checks())


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_one_lost_fact_costs_no_points(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(RUBRICS))
    removal = data.draw(st.sampled_from(facts(name)))
    kind = data.draw(st.sampled_from(kinds_of(removal)))
    rubric, evidence = solution(name)
    less = remove(evidence, removal).model_copy(update={"gaps": (gap_of(kind),)})
    assert not blamed(graded(rubric, less)), (name, removal, kind)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_several_lost_facts_cost_no_points(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(RUBRICS))
    rubric, less = solution(name)
    gaps = []
    for _ in range(data.draw(st.integers(2, 5))):
        removal = data.draw(st.sampled_from(tuple(removals(less))))
        less = remove(less, removal)
        gaps.append(gap_of(data.draw(st.sampled_from(kinds_of(removal)))))
    assert not blamed(graded(rubric, less.model_copy(update={"gaps": tuple(gaps)}))), (name, gaps)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUBRICS)
def test_no_lost_fact_costs_points(name: str) -> None:
    rubric, evidence = solution(name)
    for removal in facts(name):
        less = remove(evidence, removal)
        for kind in kinds_of(removal) if blamed(graded(rubric, less)) else ():
            assert not blamed(graded(rubric, less.model_copy(update={"gaps": (gap_of(kind),)}))), (removal, kind)


@pytest.mark.parametrize("name", RUBRICS)
def test_an_unknown_fact_costs_no_points_even_without_a_gap(name: str) -> None:
    rubric, evidence = solution(name)
    for removal in facts(name):
        if (removal[0], removal[2]) in UNKNOWN:
            assert not blamed(graded(rubric, remove(evidence, removal))), removal


@pytest.mark.parametrize("name", RUBRICS)
def test_the_criteria_can_fail(name: str) -> None:
    """Without this, the tests above could pass because nothing reads the facts."""
    rubric, evidence = solution(name)
    nothing = evidence.model_copy(
        update=dict.fromkeys(("fits", "models", "figures", "calls", "arrays", "accuracies", "compiles"), ())
    )
    assert len(blamed(graded(rubric, nothing))) > len(rubric.criteria) / 3

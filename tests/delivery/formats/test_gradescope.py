"""`results.json` of a Gradescope autograder: what students see, undecided points, and text that is never markup."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.delivery.editions import editions_of
from grader.delivery.formats.gradescope import gradescope_results
from grader.facts.language import language
from grader.schema.errors import ArtefactError
from grader.schema.judgement import LateGrade
from tests.support.mailing import GUIDE, RUBRIC, a_criterion, a_grade

TOP = {
    *("score", "execution_time", "output", "output_format", "test_output_format", "test_name_format"),
    *("stdout_visibility", "extra_data", "tests"),
}
TEST = {"score", "max_score", "status", "name", "number", "output", "visibility", "extra_data"}
LATE = LateGrade(
    due=datetime(2026, 5, 1, tzinfo=UTC),
    submitted=datetime(2026, 5, 2, tzinfo=UTC),
    days=1,
    points=-4.5,
    before=24.0,
)


def results(**keys: Any) -> dict[str, Any]:
    return gradescope_results(editions_of(a_grade(**keys), RUBRIC))


def by_name(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {test["extra_data"]["criterion"]: test for test in document["tests"]}


def test_the_document_has_only_the_keys_and_values_of_the_specification() -> None:
    document = results(pending=True, late=LATE, score=19.5)
    assert set(document) == TOP
    assert all(set(test) <= TEST for test in document["tests"])
    assert {test["status"] for test in document["tests"] if "status" in test} == {"passed", "failed"}
    assert [test["number"] for test in document["tests"]] == ["1", "2", "3", "4", "5", "6"]


def test_hidden_criteria_are_tests_that_only_instructors_see() -> None:
    tests = by_name(results())
    assert {name for name, test in tests.items() if test["visibility"] == "hidden"} == {"trap"}
    assert all("trap" not in test["output"] for test in tests.values() if test["visibility"] == "visible")


def test_an_undecided_criterion_has_no_score_and_its_guide_is_not_shown() -> None:
    document = results(pending=True)
    waiting = by_name(document)["explained"]
    assert {"score", "max_score", "status"} & set(waiting) == set()
    assert (document["score"], document["extra_data"]["pending"]) == (24.0, 5.0)
    assert GUIDE not in str(document)


def test_the_score_has_the_deduction_for_a_late_submission_which_is_a_test_of_its_own() -> None:
    document = results(late=LATE, score=19.5)
    late = by_name(document)["late"]
    assert (document["score"], late["score"], late["max_score"]) == (19.5, -4.5, 0.0)
    assert sum(test["score"] for test in document["tests"]) == document["score"]
    assert "2 May 2026" in late["output"]


def test_bonus_points_have_no_maximum() -> None:
    bonus = a_criterion("extra", 2, 3, bonus=True)
    tests = by_name(results(criteria=(bonus,), score=2.0))
    assert (tests["extra"]["score"], tests["extra"]["max_score"]) == (2.0, 0.0)


def test_a_submission_without_a_grade_has_no_results() -> None:
    grade = a_grade(status="not_graded", score=None, reason="the sandbox did not start", criteria=())
    with pytest.raises(ArtefactError, match="without a grade"):
        gradescope_results(editions_of(grade, RUBRIC))


def test_the_texts_are_in_the_language_of_the_student() -> None:
    document = gradescope_results(editions_of(a_grade(pending=True), RUBRIC, language("de")))
    assert "Punkten" in document["output"]


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_text_of_the_student_is_plain_text_without_control_characters(name: str) -> None:
    line = a_criterion("runs", 0, 4, message=f"`{name}` <b>is</b> missing", advice=name)
    document = gradescope_results(editions_of(a_grade(criteria=(line,)), RUBRIC))
    assert {document[f"{part}_format"] for part in ("output", "test_output", "test_name")} == {"text"}
    assert all("output_format" not in test and "name_format" not in test for test in document["tests"])
    output = document["tests"][0]["output"].replace("\r\n", "\n")
    assert not {char for char in output if ord(char) < 32} - {"\t", "\n"}
    str(document).encode("utf-8")

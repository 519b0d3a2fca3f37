"""JUnit XML of grades."""

import xml.etree.ElementTree as ET
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from grader.delivery.junit import JunitCounts, junit_counts, junit_xml, xml_text
from grader.facts.language import language
from grader.schema.base import Assurance
from grader.schema.grade import CauseGrade
from grader.schema.message import literal, say
from tests.support.mailing import a_criterion, a_grade


def cases(document: str) -> dict[str, ET.Element]:
    """The test cases of a document, by name."""
    return {case.attrib["name"]: case for case in ET.fromstring(document).iter("testcase")}  # noqa: S314 - own output


def properties(element: ET.Element) -> dict[str, str]:
    """The properties of a suite or a test case."""
    return {one.attrib["name"]: one.attrib["value"] for one in element.findall("properties/property")}


def test_each_criterion_is_a_test_case_with_its_points() -> None:
    found = cases(junit_xml([a_grade(pending=True)]))
    assert list(found) == ["runs", "accuracy", "trap", "shape", "explained"]
    assert properties(found["accuracy"]) == {
        "title": "Title of accuracy",
        "points": "20",
        "max_points": "33",
        "status": "partial",
    }
    assert found["accuracy"].attrib == {"classname": "sample.amara", "name": "accuracy", "time": "0.000"}


def test_verdicts_follow_the_status() -> None:
    found = cases(junit_xml([a_grade(pending=True)]))
    verdicts = {name: [c.tag for c in case if c.tag != "properties"] for name, case in found.items()}
    assert verdicts == {
        "runs": ["failure"],
        "accuracy": ["failure"],
        "trap": ["failure"],
        "shape": [],
        "explained": ["skipped"],
    }


def test_a_failure_has_the_message_and_the_advice() -> None:
    failure = cases(junit_xml([a_grade()]))["accuracy"].find("failure")
    assert failure is not None
    assert failure.attrib == {"message": "Seen in accuracy.", "type": "partial"}
    assert failure.text == "Seen in accuracy.\n→ Train `model` longer. Use dropout."


def test_a_failure_names_the_cause_and_the_cell() -> None:
    cause = CauseGrade(
        kind="error", cell=4, line=2, code="x = model", message="-", says=say("{cell:Cell} raised an error.", cell=4)
    )
    line = a_criterion("accuracy", 0, 5, cause=cause, assurance=Assurance.RECORDED)
    failure = cases(junit_xml([a_grade(criteria=(line,))]))["accuracy"].find("failure")
    assert failure is not None
    assert failure.text == "Seen in accuracy.\nCell 5 raised an error.\n> x = model"
    assert properties(cases(junit_xml([a_grade(criteria=(line,))]))["accuracy"])["assurance"] == "recorded"


def test_missed_criteria_without_a_loss_of_points_are_no_failures() -> None:
    bonus = a_criterion("bonus", 0, 5, bonus=True)
    advice = a_criterion("advice", 0, 0, status="failed")
    document = junit_xml([a_grade(criteria=(bonus, advice))])
    assert [case.find("skipped") is not None for case in cases(document).values()] == [True, True]
    assert properties(cases(document)["bonus"])["bonus"] == "true"


def test_a_failure_of_the_grader_is_an_error_and_no_failure() -> None:
    lost = a_grade(status="not_graded", score=None, criteria=(), reason="The sandbox did not start.")
    document = junit_xml([lost])
    assert junit_counts(lost) == JunitCounts(tests=1, failures=0, errors=1, skipped=0)
    error = cases(document)["not_graded"].find("error")
    assert error is not None
    assert error.attrib == {"message": "The sandbox did not start.", "type": "not_graded"}


def test_suites_and_the_root_count_their_cases() -> None:
    lost = a_grade("ben", status="not_graded", score=None, criteria=(), reason="lost", problems=("disk full",))
    root = ET.fromstring(junit_xml([a_grade(pending=True), lost], at=datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)))  # noqa: S314
    assert root.attrib == {"name": "grader", "tests": "6", "failures": "3", "errors": "1"}
    first, second = root.findall("testsuite")
    assert first.attrib == {
        "name": "amara",
        "tests": "5",
        "failures": "3",
        "errors": "0",
        "skipped": "1",
        "time": "1.000",
        "timestamp": "2026-05-04T03:02:01+00:00",
    }
    assert properties(first)["score"] == "24"
    assert properties(first)["pending"] == "5"
    assert "score" not in properties(second)
    assert second.findtext("system-err") == "disk full"


def test_messages_are_in_the_language_of_the_reader() -> None:
    says = say("{cell:Cell} raised an error.", cell=4)
    line = a_criterion("runs", 0, 4, says=says)
    german = language("de")
    failure = cases(junit_xml([a_grade(criteria=(line,))], german))["runs"].find("failure")
    assert failure is not None
    assert failure.attrib["message"] == german.text(says)


def test_an_empty_class_is_a_document_without_suites() -> None:
    root = ET.fromstring(junit_xml([]))  # noqa: S314 - own output
    assert list(root) == []
    assert root.attrib == {"name": "grader", "tests": "0", "failures": "0", "errors": "0"}


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_of_a_student_survives_or_is_made_visible(text: str) -> None:
    line = a_criterion("runs", 0, 4, says=literal(f"<{text}"), title=text)
    case = cases(junit_xml([a_grade("]]>&" + text, criteria=(line,))]))["runs"]
    failure = case.find("failure")
    assert failure is not None
    assert failure.attrib["message"] == xml_text(f"<{text}")
    assert [child.tag for child in case] == ["properties", "failure"]


def test_characters_that_xml_cannot_hold_are_shown_as_codes() -> None:
    assert xml_text("a\x1b[31m\x00\ud800\ufffe b\n") == "a#x1B[31m#x00#xD800#xFFFE b\n"
    assert len(xml_text("x" * 100_000)) == 20_000

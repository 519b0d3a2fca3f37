"""Rows of a class find their people in another tool's file; nobody is guessed."""

from typing import Any

import pytest

from grader.delivery.pairing import Pairing, Person, pair_people
from grader.schema.grade import SubmissionStamp
from tests.support.exporting import a_row
from tests.support.mailing import a_grade, a_student


def pairs(pairing: Pairing) -> dict[int, int]:
    """Line of the person by the index of the row."""
    return {index: person.line for index, person in pairing.pairs.items()}


@pytest.mark.parametrize(
    ("student", "person"),
    [
        ({"sis_id": "U77"}, {"sis_id": "u77"}),
        ({"moodle_participant": "Participant 2001"}, {"participant": "Teilnehmer/in2001"}),
        ({"id": "4711"}, {"ids": ("4711",)}),
        ({"login": "alee"}, {"login": "ALee"}),
        ({"email": "a@example.org"}, {"email": "A@example.org"}),
        ({"email": "a@example.org"}, {"login": "a@example.org"}),
        ({"name": "Jana M\u00fcller"}, {"name": "Mueller, Jana"}),
    ],
)
def test_a_student_is_found_by_each_key(student: dict[str, Any], person: dict[str, Any]) -> None:
    empty = {"name": "", "email": "", "id": ""}
    row = a_row(student=a_student("x", **(empty | student)))
    other = Person(9, name="Somebody Else", ids=("1",), sis_id="2", login="3", email="4@example.org", participant="P 5")
    assert pairs(pair_people([row], [other, Person(5, **person)])) == {0: 5}


def test_namesakes_are_not_guessed_and_an_id_decides() -> None:
    people = [Person(2, name="Ann Lee", ids=("1",)), Person(3, name="Ann Lee", ids=("2",))]
    unknown = pair_people([a_row(student=a_student("x", name="Ann Lee"))], people)
    assert unknown.reasons == {0: "several people match: Ann Lee, Ann Lee"}
    assert pairs(pair_people([a_row(student=a_student("2", name="Ann Lee"))], people)) == {0: 3}


def test_an_id_and_a_name_of_different_people_are_a_contradiction() -> None:
    people = [Person(2, name="Ann Lee", ids=("1",)), Person(3, name="Ben Roth", ids=("2",))]
    found = pair_people([a_row(student=a_student("2", name="Ann Lee"))], people)
    assert pairs(found) == {}
    assert found.reasons == {0: "the id and the name match different people: Ben Roth, Ann Lee"}


def test_two_rows_for_one_person_are_both_left_out() -> None:
    rows = [a_row(student=a_student("1", name="Ann Lee")), a_row(student=a_student("x", name="Lee, Ann"))]
    found = pair_people(rows, [Person(2, name="Ann Lee", ids=("1",))])
    assert pairs(found) == {}
    assert set(found.reasons.values()) == {"Ann Lee and Lee, Ann both match Ann Lee"}
    assert [one.line for one in found.left] == [2]


def test_without_a_roster_the_name_of_the_submission_decides() -> None:
    rows = [a_row(a_grade("lee-4711")), a_row(a_grade("ben-roth")), a_row(a_grade("nobody"))]
    people = [Person(2, name="Anna Lee", ids=("4711",)), Person(3, name="Ben Roth", participant="Participant 12")]
    found = pair_people(rows, people)
    assert pairs(found) == {0: 2, 1: 3}
    assert found.reasons == {2: "nobody in the file matches"}


def test_a_number_that_no_platform_added_is_no_key() -> None:
    people = [Person(2, name="Ann Lee", ids=("12",)), Person(3, name="Ben Roth", ids=("4711",))]
    homework = a_row(a_grade("homework-12"), a_student("x", name="Cleo Wu"))
    assert pairs(pair_people([homework], people)) == {}
    stamp = SubmissionStamp(id="broth-4711", student="broth", files=(), sha256="0" * 64)
    assert pairs(pair_people([a_row(a_grade(submission=stamp), a_student("x", name="B. R."))], people)) == {0: 3}


def test_an_anonymous_worksheet_is_matched_by_moodles_number() -> None:
    row = a_row(a_grade("Participant 2002"), a_student("s1", name="Ann Lee"))
    people = [Person(2, participant="Participant 2001"), Person(3, participant="Participant 2002")]
    assert pairs(pair_people([row], people)) == {0: 3}

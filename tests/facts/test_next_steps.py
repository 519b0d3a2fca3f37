"""What brings the most points."""

from typing import Any

from grader.facts.next_steps import next_steps
from grader.schema.grade import CauseGrade, CriterionGrade, Grade
from grader.schema.message import say
from tests.support.factories import a_stamp

BROKEN = CauseGrade(kind="error", cell=4, message="Cell 5 raised an error.", says=say("Cell 5 raised an error."))


def line(name: str, points: float, most: float, status: str = "failed", **more: Any) -> CriterionGrade:
    return CriterionGrade.model_validate(
        {"id": name, "title": name, "points": points, "max_points": most, "status": status, "message": "m", **more}
    )


def steps(*criteria: CriterionGrade) -> list[tuple[float, list[str]]]:
    stamp = {"id": "s", "student": "s", "files": (), "sha256": ""}
    grade = Grade.model_validate(
        {
            "submission": stamp,
            "rubric": a_stamp(),
            "status": "graded",
            "score": 0,
            "max_score": 10,
            "pending": 0,
            "criteria": criteria,
        }
    )
    return [(step.points, [criterion.id for criterion in step.criteria]) for step in next_steps(grade)]


def test_the_step_with_the_most_points_comes_first() -> None:
    assert steps(line("a", 0, 2), line("b", 1, 5, "partial"), line("c", 0, 3)) == [(4, ["b"]), (3, ["c"]), (2, ["a"])]


def test_criteria_with_the_same_cause_are_one_step() -> None:
    assert steps(line("a", 0, 2, cause=BROKEN), line("b", 0, 4), line("c", 0, 3, cause=BROKEN)) == [
        (5, ["a", "c"]),
        (4, ["b"]),
    ]


def test_nothing_is_to_be_done_for_full_marks_and_for_a_person() -> None:
    full, open_, skipped = line("a", 2, 2, "passed"), line("b", 0, 5, "pending"), line("c", 0, 1, "skipped")
    assert steps(full, open_, skipped, line("d", 0, 0)) == []

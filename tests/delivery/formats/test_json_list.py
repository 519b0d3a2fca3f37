"""The document of `--to json`: hidden criteria for instructors, unknown points, scores that are held back."""

import re
from pathlib import Path

from grader.delivery.editions import editions_of
from grader.delivery.formats.json_list import grade_entry
from grader.schema.grade_list import GradeList
from tests.delivery.formats.test_gradescope import LATE
from tests.support.mailing import RUBRIC, a_grade, a_student


def test_an_entry_has_every_criterion_and_only_texts_that_students_may_see() -> None:
    entry = grade_entry(editions_of(a_grade(pending=True), RUBRIC), a_student("amara", group="G1"))
    lines = {line.id: line for line in entry.criteria}
    assert set(lines) == {"runs", "accuracy", "trap", "shape", "explained"}
    assert (lines["trap"].hidden, lines["trap"].text) == (True, "")
    assert (lines["explained"].points, lines["explained"].status) == (None, "pending")
    assert lines["accuracy"].text == "Seen in accuracy.\n→ Train `model` longer. Use dropout."
    assert entry.student is not None
    assert (entry.student.id, entry.student.group, entry.score, entry.pending) == ("amara", "G1", 24.0, 5.0)


def test_a_score_that_is_held_back_is_empty_and_says_why() -> None:
    entry = grade_entry(editions_of(a_grade(late=LATE), RUBRIC), held="5 points are pending")
    assert (entry.score, entry.held, entry.late_points) == (None, "5 points are pending", -4.5)


def test_an_excused_student_has_no_score() -> None:
    entry = grade_entry(editions_of(a_grade(excused="was ill"), RUBRIC))
    assert (entry.status, entry.score) == ("excused", None)
    assert "was ill" not in entry.model_dump_json()


def test_the_example_of_the_documentation_is_a_valid_document() -> None:
    page = (Path(__file__).parents[3] / "docs" / "export.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    (entry,) = GradeList.model_validate_json(example).grades
    assert (entry.submission, entry.score, entry.criteria[0].id) == ("ann-lee", 85.0, "runs")

"""`feedback.json` and `htmlFeedback.html` of Coursera: a fraction, and a page with escaped text."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.delivery.editions import editions_of
from grader.delivery.formats.coursera import FORMAT, coursera_feedback, coursera_html
from grader.schema.errors import ArtefactError
from tests.support.exporting import a_row, an_export
from tests.support.mailing import GUIDE, RUBRIC, a_criterion, a_grade


def test_the_score_is_a_fraction_of_the_points_that_were_decided() -> None:
    document = coursera_feedback(editions_of(a_grade(pending=True), RUBRIC))
    assert document["fractionalScore"] == pytest.approx(24 / 44, abs=1e-6)
    assert set(document) == {"fractionalScore", "feedback", "feedbackType"}
    assert document["feedbackType"] == "HTML"
    assert "24 of 41 points so far" in document["feedback"]


def test_the_page_lists_the_criteria_without_hidden_ones_and_guides() -> None:
    page = coursera_html(editions_of(a_grade(pending=True), RUBRIC))
    assert "<td>Title of accuracy</td><td>20 / 33</td>" in page
    assert "<td>Title of explained</td><td>\N{EN DASH} / 5</td>" in page
    assert "trap" not in page
    assert GUIDE not in page


@given(st.text(max_size=40))
def test_text_of_the_student_is_no_markup(text: str) -> None:
    line = a_criterion("runs", 0, 4, message=f"<script>{text}</script>", title="<img src=x>")
    page = coursera_html(editions_of(a_grade(criteria=(line,)), RUBRIC))
    plain = page
    for tag in ("p", "table", "tr", "td"):
        plain = plain.replace(f"<{tag}>", "").replace(f"</{tag}>", "")
    assert "<" not in plain.replace("<br>", "")


def test_nothing_decided_is_no_feedback() -> None:
    waiting = a_criterion("explained", 0, 5, status="pending")
    grade = a_grade(criteria=(waiting,), score=0.0, max_score=5.0).model_copy(update={"pending": 5.0})
    with pytest.raises(ArtefactError, match="without a score"):
        coursera_feedback(editions_of(grade, RUBRIC))


def test_each_submission_has_a_folder_with_both_files(tmp_path: Path) -> None:
    (report,) = FORMAT.write(an_export(tmp_path, a_row()))
    assert (report.state, report.value, report.place) == ("written", "0.5455", "amara/")
    assert json.loads((tmp_path / "amara" / "feedback.json").read_text())["fractionalScore"] == 0.545455
    assert "<table>" in (tmp_path / "amara" / "htmlFeedback.html").read_text()

"""The section about several executions of one notebook."""

import pytest

from grader.report.attempts import AttemptsView, attempts_view
from grader.schema.grade import AttemptsGrade, Spread
from tests.report import samples
from tests.support.says import says


def _view(**changes: object) -> AttemptsView:
    attempts = samples.several_grade().attempts
    assert attempts is not None
    view = attempts_view(AttemptsGrade.model_validate(attempts.model_dump() | changes))
    assert view is not None
    return view


def test_the_head_gives_the_selected_attempt_and_the_scores_of_all() -> None:
    head = _view().head
    assert says(head, "This page shows attempt {number} of {asked}.", number=2, asked=4)
    scores = "The {graded} graded attempts score from {low:points} to {high:points}."
    assert says(head, scores, graded=3, low=61, high=70.5)


def test_equal_scores_are_given_once() -> None:
    head = _view(score=Spread(low=61, high=61)).head
    assert says(head, "All {graded} graded attempts score {score:points}.", graded=3, score=61)


@pytest.mark.parametrize("asked", [1, 3])
def test_the_head_says_that_no_attempt_could_be_graded(asked: int) -> None:
    assert says(_view(taken=None, score=None, asked=asked).head, "The only attempt could not be graded.", count=asked)


def test_each_attempt_has_an_outcome() -> None:
    assert [line.outcome.id for line in _view().lines] == ["completed", "completed", "not graded", "completed"]
    assert [line.score for line in _view().lines] == ["69.75", "70.5", "\u2013", "61"]


def test_the_range_covers_the_graded_attempts() -> None:
    spread = _view().spread
    assert spread is not None
    assert (spread.score, spread.accuracies) == ("61 to 70.5", (("97.8 % to 98.85 %", ""),))


def test_a_single_execution_has_no_section() -> None:
    assert attempts_view(None) is None

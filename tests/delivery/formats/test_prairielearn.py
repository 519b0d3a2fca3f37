"""`results.json` of an external grader of PrairieLearn: the fraction of decided points, and the limit of the file."""

import json
from typing import Any

import pytest

from grader.delivery.editions import editions_of
from grader.delivery.formats.prairielearn import LARGEST, prairielearn_results
from tests.delivery.formats.test_gradescope import LATE
from tests.support.mailing import GUIDE, RUBRIC, a_criterion, a_grade


def results(**keys: Any) -> dict[str, Any]:
    return prairielearn_results(editions_of(a_grade(**keys), RUBRIC))


def test_the_score_is_a_fraction_of_the_points_that_were_decided() -> None:
    assert results()["score"] == pytest.approx(24 / 44, abs=1e-6)
    assert results(pending=True)["score"] == pytest.approx(24 / 44, abs=1e-6)


def test_each_test_has_points_so_that_prairielearn_shows_them() -> None:
    document = results(pending=True, late=LATE, score=19.5)
    assert set(document) == {"gradable", "score", "message", "tests"}
    assert all(set(test) == {"name", "points", "max_points", "message"} for test in document["tests"])
    points = {test["name"]: (test["points"], test["max_points"]) for test in document["tests"]}
    assert points == {
        "Title of runs": (0.0, 4.0),
        "Title of accuracy": (20.0, 33.0),
        "Title of shape": (4.0, 4.0),
        "Title of explained": (0.0, 0.0),
        "Late submission": (-4.5, 0.0),
    }
    assert "trap" not in json.dumps(document)
    assert GUIDE not in json.dumps(document)


def test_a_submission_that_was_not_graded_costs_no_attempt() -> None:
    document = results(status="not_graded", score=None, reason="the sandbox did not start", criteria=())
    assert document == {"gradable": False, "format_errors": ["the sandbox did not start"]}


def test_a_submission_of_which_nothing_was_decided_is_not_gradable() -> None:
    waiting = a_criterion("explained", 0, 5, status="pending")
    assert not results(criteria=(waiting,), score=0.0, max_score=5.0, pending=5.0)["gradable"]


def test_bonus_points_do_not_make_more_than_everything() -> None:
    bonus = a_criterion("extra", 9, 9, bonus=True)
    document = results(criteria=(a_criterion("runs", 4, 4), bonus), score=13.0, max_score=4.0)
    assert (document["score"], document["tests"][1]["max_points"]) == (1.0, 0.0)


def test_many_long_messages_stay_below_the_limit_of_the_file() -> None:
    lines = tuple(a_criterion(f"c{number}", 0, 1, message="\N{SNOWMAN}" * 5_000) for number in range(200))
    assert len(json.dumps(results(criteria=lines, score=0.0, max_score=200.0))) < LARGEST

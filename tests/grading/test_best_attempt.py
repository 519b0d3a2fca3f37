"""Which of several attempts is taken, and what is said of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.checks import all_checks
from grader.facts.language import english
from grader.grading import grade
from grader.grading.best_attempt import attempt_seed, choose, graded_attempt, nothing_to_gain, summary
from grader.grading.judged import with_judgements
from grader.schema.grade import AccuracyGrade, AttemptGrade, Grade, RoleMatch
from grader.schema.judgement import Judgement
from grader.schema.rubric import Rubric, Take
from tests.support.factories import a_case, a_model, a_rubric, a_stamp, a_submission, an_accuracy, an_evidence
from tests.support.says import says, values

TAKES: tuple[Take, ...] = ("best", "median", "first")
FULL = {"id": "runs", "points": 5, "check": "runs"}
MANUAL = {"id": "text", "points": 5, "manual": {"guide": "Is it right?"}}
SHARP = {"id": "sharp", "points": 5, "check": "accuracy", "with": {"at_least": 0.999}}


def attempt(number: int, score: float | None = 1.0, accuracy: float | None = None, **keys: Any) -> AttemptGrade:
    facts = {}
    if accuracy is not None:
        fact = AccuracyGrade(value=accuracy, low=0, high=1, assurance="verified", correct=0, total=1)
        facts = {"cnn": {"mnist/test": fact}}
    return AttemptGrade(number=number, seed=number, **({"status": "graded", "score": score, "accuracy": facts} | keys))


def lost(number: int) -> AttemptGrade:
    return AttemptGrade(number=number, seed=number, status="not_graded", reason="the kernel did not start")


def left_out(number: int) -> AttemptGrade:
    return AttemptGrade(number=number, seed=number, status="skipped", reason="there is no need")


def taken(take: Take, *tried: AttemptGrade) -> int | None:
    found = choose(tried, take)
    return found.number if found else None


def test_the_highest_score_is_the_best_and_the_one_in_the_middle_the_median() -> None:
    tried = (attempt(1, 60), attempt(2, 90), attempt(3, 70))
    assert [taken(take, *tried) for take in TAKES] == [2, 3, 1]


def test_of_an_even_number_the_lower_one_in_the_middle_is_the_median() -> None:
    assert taken("median", attempt(1, 90), attempt(2, 60), attempt(3, 80), attempt(4, 70)) == 4
    assert taken("median", attempt(1, 90), attempt(2, 60)) == 2


def test_the_accuracy_decides_between_equal_scores_and_the_order_between_equal_accuracies() -> None:
    assert taken("best", attempt(1, 9, 0.97), attempt(2, 9, 0.99), attempt(3, 9, 0.98)) == 2
    assert taken("median", attempt(1, 9, 0.97), attempt(2, 9, 0.99), attempt(3, 9, 0.98)) == 3
    assert taken("best", attempt(1, 9, 0.97), attempt(2, 9, 0.97)) == 1


def test_points_that_wait_for_a_person_are_more_than_points_that_were_missed() -> None:
    assert taken("best", attempt(1, 60), attempt(2, 60, pending=40.0)) == 2


def test_a_failure_of_the_grader_is_never_taken_and_pulls_no_median_down() -> None:
    assert [taken(take, lost(1), attempt(2, 0), lost(3)) for take in TAKES] == [2, 2, 2]
    assert taken("median", attempt(1, 100), lost(2), attempt(3, 60)) == 1
    assert [taken(take, lost(1), lost(2)) for take in TAKES] == [None, None, None]


def test_an_attempt_that_was_not_executed_does_not_move_the_median() -> None:
    assert taken("median", attempt(1, 90), attempt(2, 60), attempt(3, 70), left_out(4), left_out(5)) == 3


ATTEMPTS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 4), st.sampled_from([None, 0.5, 0.9])),
        st.sampled_from(["lost", "left out"]),
    ),
    min_size=1,
    max_size=8,
).map(
    lambda made: [
        {"lost": lost, "left out": left_out}[one](number) if isinstance(one, str) else attempt(number, *one)
        for number, one in enumerate(made, start=1)
    ]
)


@given(ATTEMPTS, st.sampled_from(TAKES), st.randoms(use_true_random=False))
def test_the_choice_is_a_graded_attempt_and_does_not_depend_on_the_order(
    tried: list[AttemptGrade], take: Take, random: Any
) -> None:
    found = choose(tried, take)
    assert (found is None) == (not any(one.status == "graded" for one in tried))
    assert found is None or found.status == "graded"
    mixed = list(tried)
    random.shuffle(mixed)
    assert choose(mixed, take) == found


@given(ATTEMPTS)
def test_the_best_is_no_worse_than_the_median_and_the_median_within_the_spread(tried: list[AttemptGrade]) -> None:
    best, median = choose(tried, "best"), choose(tried, "median")
    if best is None or median is None:
        return
    scores = sorted(one.score or 0 for one in tried if one.status == "graded")
    assert (best.score or 0) == scores[-1]
    assert scores[0] <= (median.score or 0) <= scores[-1]
    if all(one.status == "graded" for one in tried):
        assert median.score == scores[(len(scores) - 1) // 2]


@given(ATTEMPTS, st.sampled_from(TAKES))
def test_one_more_failure_of_the_grader_never_costs_points(tried: list[AttemptGrade], take: Take) -> None:
    before, after = choose(tried, take), choose([*tried, lost(len(tried) + 1)], take)
    assert (before is None) == (after is None)
    assert before is None or after is None or (after.score or 0) >= (before.score or 0)


@given(st.integers(0, 2**32 - 1), st.integers(1, 20))
def test_seeds_of_attempts_follow_each_other_and_stay_seeds(seed: int, number: int) -> None:
    assert attempt_seed(seed, 1) == seed
    assert 0 <= attempt_seed(seed, number) < 2**32
    assert len({attempt_seed(seed, n) for n in range(1, number + 1)}) == number


def graded(*criteria: dict[str, Any], ranked: bool = False, take: Take = "best") -> tuple[Grade, Rubric]:
    ranking = {"criterion": criteria[0]["id"]} if ranked else None
    rubric = a_rubric(*criteria, run={"take": take}, ranking=ranking)
    made = grade(
        a_case(an_evidence(), rubric),
        submission=a_submission(), stamp=a_stamp(), checks=all_checks(), diagnostics={}, reference=None,
    )  # fmt: skip
    return made, rubric


@pytest.mark.parametrize(
    ("criteria", "keys", "settled"),
    [
        ((FULL,), {}, True),
        ((FULL, MANUAL), {}, True),
        ((FULL, SHARP), {}, False),
        ((FULL, {**SHARP, "points": 0}), {}, True),
        ((FULL, {**SHARP, "bonus": True}), {}, False),
        ((FULL,), {"take": "median"}, False),
        ((FULL,), {"take": "first"}, False),
        ((FULL,), {"ranked": True}, False),
    ],
    ids=["full", "a person's", "missed", "advice", "bonus", "median", "first", "ranked"],
)
def test_only_full_marks_of_the_best_make_further_attempts_needless(
    criteria: tuple[dict[str, Any], ...],
    keys: dict[str, Any],
    settled: bool,  # noqa: FBT001 - the expected answer
) -> None:
    assert nothing_to_gain(*graded(*criteria, **keys)) is settled


def test_a_line_has_the_accuracies_of_the_networks_that_the_roles_mean() -> None:
    other = a_model(model_id="m2", name="other")
    facts = (an_accuracy(9_000), an_accuracy(9_900, model="m2"))
    rubric = a_rubric(FULL, roles={"main": {"name": "model"}})
    main = RoleMatch(role="main", model="m1")
    case = a_case(an_evidence(models=(a_model(), other), accuracies=facts), rubric, main=main)
    made = grade(case, submission=a_submission(), stamp=a_stamp(), checks=all_checks(), diagnostics={}, reference=None)
    line = graded_attempt(2, made, rubric)
    assert {role: found["mnist/test"].value for role, found in line.accuracy.items()} == {"main": 0.9}
    assert (line.number, line.seed, line.execution, line.score) == (2, case.evidence.run.seed, "completed", 5)


def test_the_summary_says_what_was_taken_why_and_what_became_of_the_others() -> None:
    told = summary([attempt(3, 80, 0.9), lost(2), attempt(1, 60, 0.8), left_out(4), left_out(5)], asked=5, take="best")
    assert [one.number for one in told.tried] == [1, 2, 3, 4, 5]
    assert told.taken == 3
    assert told.why == (
        "Attempt 3 was taken, the best of 2. Attempt 2 was not graded: the kernel did not start. "
        "Attempts 4 and 5 were not executed: there is no need. "
        "Failures of the grader are not counted; the same command tries again."
    )
    assert told.why_says is not None
    assert says(told.why_says, "Attempt {number:number} was taken, the best of {total:number}.", number=3, total=2)
    assert says(told.why_says, "Attempt {numbers} was not graded: {reason}.", count=1, numbers=[2])
    assert says(told.why_says, "Attempt {numbers} was not executed: {reason}.", count=2, numbers=[4, 5])
    assert told.score is not None
    assert (told.score.low, told.score.high) == (60, 80)
    spread = told.accuracy["cnn"]["mnist/test"]
    assert (spread.low, spread.high) == (0.8, 0.9)


MOST_ACCURATE = (
    "Attempt {number:number} was taken, the best of {total:number}. "
    "It has the highest accuracy of the {level:number} with the same score."
)
FIRST_OF_LEVEL = (
    "Attempt {number:number} was taken, the best of {total:number}. "
    "It is the first of the {level:number} with the same score."
)
MEDIAN = "Attempt {number:number} was taken, the median of {total:number} by score, then by accuracy."
FIRST = "Attempt {number:number} was taken, the first of {total:number}."
ONLY = "Attempt {number:number} was taken, the only one that could be graded."


@pytest.mark.parametrize(
    ("tried", "take", "reason", "figures"),
    [
        ((attempt(1, 9, 0.8), attempt(2, 9, 0.9)), "best", MOST_ACCURATE, {"number": 2, "total": 2, "level": 2}),
        ((attempt(1, 9), attempt(2, 9)), "best", FIRST_OF_LEVEL, {"number": 1, "total": 2, "level": 2}),
        ((attempt(1, 9), attempt(2, 8)), "median", MEDIAN, {"number": 2, "total": 2}),
        ((lost(1), attempt(2, 9), attempt(3, 8)), "first", FIRST, {"number": 2, "total": 2}),
        ((attempt(1, 9),), "best", ONLY, {"number": 1}),
        ((lost(1),), "best", "No attempt could be graded.", {}),
    ],
)
def test_the_choice_is_explained(
    tried: tuple[AttemptGrade, ...], take: Take, reason: str, figures: dict[str, int]
) -> None:
    chosen = summary(tried, asked=len(tried), take=take)
    assert chosen.why_says is not None
    assert values(chosen.why_says, reason) == figures
    assert chosen.why == english(chosen.why_says)


@pytest.mark.parametrize(("criterion", "points", "settled"), [(FULL, 0.0, True), (SHARP, 5.0, False)])
def test_the_points_of_a_person_say_nothing_about_further_attempts(
    criterion: dict[str, Any],
    points: float,
    settled: bool,  # noqa: FBT001 - the expected answer
) -> None:
    computed, rubric = graded(criterion)
    override = Judgement.model_validate(
        {
            "at": "2026-05-01T18:00:00Z",
            "by": "Nina",
            "submission": computed.submission.id,
            "kind": "override",
            "criterion": criterion["id"],
            "points": points,
            "why": "x",
        }
    )
    judged = with_judgements(computed, [override])
    assert judged.score == points
    assert nothing_to_gain(judged, rubric) is settled

"""The check `score_curve`."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from grader.checks.score_curve import CurvePoint, ScoreCurveParams, height, score_curve, wanted_accuracy
from grader.schema.base import Assurance
from grader.schema.errors import PredictorError
from grader.schema.grade import Finding, RoleMatch
from tests.support.factories import a_case, a_fit, a_model, an_accuracy, an_array, an_evidence, rows
from tests.support.says import ids, says

CURVE = (
    CurvePoint(parameters=100, none=0.7, full=0.9),
    CurvePoint(parameters=10_000, none=0.9, full=0.98),
)
PARAMS = ScoreCurveParams(curve=CURVE)
NO_PLACE = "{model:code} has no place on the curve of {dataset:dataset} ({split:split}): {reason}."


def judge(parameters: int | None, correct: int, params: ScoreCurveParams = PARAMS, **keys: Any) -> Finding:
    model = a_model(parameters=parameters, trainable_parameters=parameters, **keys)
    return score_curve(a_case(an_evidence(models=(model,), accuracies=(an_accuracy(correct),))), params)


def test_a_point_of_the_curve_itself_earns_full_marks() -> None:
    finding = judge(100, 9_000)
    assert (finding.status, finding.fraction) == ("passed", 1.0)


def test_the_message_gives_both_figures_and_the_accuracies_of_the_curve() -> None:
    message = judge(100, 9_000).message
    assert says(
        message,
        "{model:code} has {parameters} and classifies {accuracy:percent} of the {images} correctly.",
        accuracy=0.9,
    )
    assert says(message, "{count:number} parameter", count=100)
    assert says(
        message,
        "For this size, points start at {none:percent}, and {full:percent} earns full points.",
        none=0.7,
        full=0.9,
    )


def test_half_way_up_at_a_point_of_the_curve_earns_half() -> None:
    assert judge(100, 8_000).fraction == pytest.approx(0.5)
    assert judge(100, 8_000).status == "partial"


def test_between_two_points_the_curve_is_straight_over_the_logarithm() -> None:
    assert wanted_accuracy(CURVE, 1_000) == pytest.approx((0.8, 0.94))
    assert judge(1_000, 8_700).fraction == pytest.approx(0.5)


def test_beyond_its_ends_the_curve_is_level() -> None:
    assert wanted_accuracy(CURVE, 1) == (0.7, 0.9)
    assert wanted_accuracy(CURVE, 10**9) == (0.9, 0.98)


def test_below_the_curve_nothing_is_earned() -> None:
    finding = judge(100, 7_000)
    assert (finding.status, finding.fraction) == ("failed", 0.0)


def test_above_the_curve_the_height_still_tells_two_apart() -> None:
    one, other = judge(100, 9_100), judge(100, 9_200)
    assert one.fraction == other.fraction == 1.0
    assert one.measured["height"] == pytest.approx(1.05)
    assert other.measured["height"] == pytest.approx(1.1)


def test_frozen_parameters_count_unless_only_trainable_ones_are_asked_for() -> None:
    model = a_model(parameters=10_000, trainable_parameters=100)
    case = a_case(an_evidence(models=(model,), accuracies=(an_accuracy(9_000),)))
    assert score_curve(case, PARAMS).status == "failed"
    assert score_curve(case, ScoreCurveParams(curve=CURVE, count="trainable")).status == "passed"


def test_the_weaker_of_two_assurances_counts() -> None:
    assert judge(100, 9_000).assurance is Assurance.VERIFIED
    assert judge(100, 9_000, assurance=Assurance.RECORDED).assurance is Assurance.RECORDED


def test_recorded_parameters_wait_for_a_person_where_verified_ones_are_required() -> None:
    strict = ScoreCurveParams(curve=CURVE, require_verified=True)
    finding = judge(100, 9_000, strict, assurance=Assurance.RECORDED)
    assert finding.status == "pending"
    assert judge(100, 10, strict, assurance=Assurance.RECORDED).status == "failed"
    assert "The grader could not verify the size, which was only recorded in the notebook's own process" in ids(
        finding.message
    )
    assert "This rubric counts only verified figures." in ids(finding.message)
    assert judge(100, 9_000, strict).status == "passed"


def test_a_network_that_was_never_trained_is_told_so() -> None:
    finding = score_curve(a_case(an_evidence(fits=(), accuracies=(), models=(a_model(),))), PARAMS)
    assert finding.status == "failed"


def test_a_network_without_weights_is_told_so() -> None:
    evidence = an_evidence(models=(a_model(parameters=None),), fits=(), accuracies=())
    case = a_case(evidence, net=RoleMatch(role="net", model="m1"))
    finding = score_curve(case, ScoreCurveParams(model="net", curve=CURVE))
    assert finding.status == "failed"
    assert "it was never trained" in ids(finding.message)


def test_a_trained_network_with_an_unknown_number_of_weights_waits_for_a_person() -> None:
    finding = judge(None, 9_000)
    assert finding.status == "pending"
    assert "the grader could not see its number of parameters" in ids(finding.message)


def test_a_network_trained_on_other_data_has_no_place() -> None:
    fit = a_fit(x=an_array(of=rows(train=50_000, dataset="cifar10")))
    finding = score_curve(a_case(an_evidence(fits=(fit,), accuracies=())), PARAMS)
    assert finding.status == "failed"
    assert says(finding.message, NO_PLACE, dataset="mnist", split="test")


def test_an_accuracy_the_grader_should_have_is_the_graders_failure() -> None:
    fit = a_fit(x=an_array(of=rows(train=54_000)))
    with pytest.raises(PredictorError, match="not known although a trained model was kept"):
        score_curve(a_case(an_evidence(fits=(fit,), accuracies=())), PARAMS)
    finding = score_curve(replace(a_case(an_evidence(fits=(fit,), accuracies=())), lacking="unable"), PARAMS)
    assert (finding.status, finding.measured["accuracy"]) == ("pending", None)
    assert says(finding.message, "{unknown}: {reason}. A person must look at it.")


@pytest.mark.parametrize(
    "curve",
    [
        [],
        [{"parameters": 10, "none": 0.9, "full": 0.9}],
        [{"parameters": 10, "none": 0.5, "full": 0.9}, {"parameters": 10, "none": 0.6, "full": 0.95}],
        [{"parameters": 10, "none": 0.5, "full": 0.9}, {"parameters": 20, "none": 0.6, "full": 0.8}],
        [{"parameters": 10, "none": 0.5, "full": 0.9}, {"parameters": 20, "none": 0.4, "full": 0.95}],
    ],
)
def test_a_curve_that_is_none_is_refused(curve: Any) -> None:
    with pytest.raises(ValidationError):
        ScoreCurveParams.model_validate({"curve": curve})


@st.composite
def curves(draw: st.DrawFn) -> tuple[CurvePoint, ...]:
    sizes = sorted(draw(st.sets(st.integers(1, 10**8), min_size=1, max_size=6)))
    nones = sorted(draw(st.integers(0, 600)) for _ in sizes)
    fulls = sorted(draw(st.integers(601, 1000)) for _ in sizes)
    return tuple(
        CurvePoint(parameters=size, none=none / 1000, full=full / 1000)
        for size, none, full in zip(sizes, nones, fulls, strict=True)
    )


@given(curves(), st.integers(0, 10**9), st.integers(0, 10_000))
def test_one_more_right_answer_never_earns_less(curve: tuple[CurvePoint, ...], size: int, correct: int) -> None:
    assert height(curve, size, correct / 10_000) < height(curve, size, (correct + 1) / 10_000)


@given(curves(), st.integers(1, 10**9), st.integers(1, 10**9), st.integers(0, 10_000))
def test_more_parameters_never_earn_more(curve: tuple[CurvePoint, ...], one: int, other: int, correct: int) -> None:
    small, large = sorted((one, other))

    def earned(size: int) -> float:
        return min(max(height(curve, size, correct / 10_000), 0.0), 1.0)

    assert earned(large) <= earned(small) + 1e-9


@given(curves())
def test_every_point_lies_on_the_curve(curve: tuple[CurvePoint, ...]) -> None:
    for point in curve:
        assert wanted_accuracy(curve, point.parameters) == pytest.approx((point.none, point.full))


def test_a_network_for_images_that_were_shrunk_outside_of_it_is_left_to_a_person() -> None:
    model = a_model(input_shape=(14, 14, 1), artefact="models/m1.keras")
    fit = a_fit(x=an_array(of=None, shape=(60_000, 14, 14, 1)))
    evidence = an_evidence(models=(model,), fits=(fit,), accuracies=())
    finding = score_curve(a_case(evidence), ScoreCurveParams(curve=CURVE))
    assert finding.status == "pending"
    assert says(finding.message, NO_PLACE)
    assert "A person must look at it." in ids(finding.message)


@pytest.mark.parametrize(("correct", "status"), [(9_000, "passed"), (8_000, "pending"), (10, "pending")])
def test_a_training_that_the_grader_cut_short_loses_no_points(correct: int, status: str) -> None:
    model = a_model(parameters=100)
    fit = a_fit(status="stopped_by_budget", epochs_asked=300)
    found = an_evidence(models=(model,), fits=(fit,), accuracies=(an_accuracy(correct),))
    assert score_curve(a_case(found), PARAMS).status == status


@pytest.mark.parametrize("keys", [{"artefact": None}, {"unkept_reason": "it was too large"}])
def test_a_model_that_the_grader_could_not_use_waits_for_a_person(keys: dict[str, str]) -> None:
    known: dict[str, Any] = {"artefact": "models/m1.keras", "parameters": 100} | keys
    assert score_curve(a_case(an_evidence(models=(a_model(**known),), accuracies=())), PARAMS).status == "pending"
    other = a_model(**(known | {"output_shape": (3,)}))
    assert score_curve(a_case(an_evidence(models=(other,), accuracies=())), PARAMS).status == "failed"


def test_a_training_whose_labels_were_not_seen_waits_for_a_person() -> None:
    finding = score_curve(a_case(an_evidence(fits=(a_fit(y=None),), accuracies=())), PARAMS)
    assert finding.status == "pending"
    assert "the grader could not see which class each label of its training stands for" in ids(finding.message)

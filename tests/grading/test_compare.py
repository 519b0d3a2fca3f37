"""The submission beside the reference."""

import json
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.grading.compare import aligned_layers, compare, learning_curves, mcnemar, mcnemar_p_value
from grader.schema.evidence import LayerFact
from tests.support.factories import (
    HISTORY,
    a_fit,
    a_model,
    an_accuracy,
    an_evidence,
    conv,
    dense,
    dropout,
    good_cnn,
    operation,
)

COUNTS = st.integers(0, 400)


@pytest.mark.parametrize(
    ("b", "c", "expected"),
    [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625), (1, 9, 0.021484375), (0, 10, 0.001953125), (6, 4, 0.75390625)],
)
def test_the_p_value_is_the_binomial_one(b: int, c: int, expected: float) -> None:
    assert mcnemar_p_value(b, c) == pytest.approx(expected)


@given(COUNTS, COUNTS)
def test_the_p_value_is_a_probability_and_symmetric(b: int, c: int) -> None:
    p = mcnemar_p_value(b, c)
    assert 0 < p <= 1
    assert p == mcnemar_p_value(c, b)


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_p_value_agrees_with_the_sum_written_out(b: int, c: int) -> None:
    n = b + c
    expected = min(1.0, 2 * sum(comb(n, i) for i in range(min(b, c) + 1)) / 2**n)
    assert mcnemar_p_value(b, c) == pytest.approx(expected, rel=1e-12)


@given(st.integers(0, 300), st.integers(1, 300))
def test_a_more_lopsided_disagreement_is_less_likely(b: int, more: int) -> None:
    n = 2 * b + more
    assert mcnemar_p_value(b, n - b) >= mcnemar_p_value(max(0, b - 1), n - max(0, b - 1))


def test_the_largest_disagreement_of_ten_thousand_is_still_computed() -> None:
    assert mcnemar_p_value(5_000, 5_000) == 1
    assert 0 < mcnemar_p_value(4_800, 5_200) < 0.0001


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        mcnemar_p_value(-1, 2)


@given(st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=1, max_size=60))
def test_the_four_counts_are_all_the_images(triples: list[tuple[int, int, int]]) -> None:
    student, reference, labels = zip(*triples, strict=True)
    result = mcnemar(student, reference, labels)
    assert result.student_only + result.reference_only + result.both_right + result.both_wrong == len(triples)
    assert result.student_only + result.both_right == sum(s == t for s, t in zip(student, labels, strict=True))


def test_unequal_numbers_of_predictions_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        mcnemar([1, 2], [1, 2], [1])


def test_an_added_layer_shifts_nothing_else() -> None:
    with_dropout = (conv(), dropout(), dense(10))
    rows = aligned_layers((conv(), dense(10)), with_dropout)
    assert [(r["student"] is None, r["reference"]["class"]) for r in rows] == [
        (False, "Conv2D"),
        (True, "Dropout"),
        (False, "Dense"),
    ]
    assert [row["same"] for row in rows] == [True, False, True]


def test_a_differing_setting_is_named() -> None:
    (row,) = aligned_layers((conv(8),), (conv(16),))
    assert row["differences"] == ["filters", "output_shape", "parameters"]
    assert row["same"] is False


@given(st.lists(st.sampled_from("CDPF"), max_size=12), st.lists(st.sampled_from("CDPF"), max_size=12))
def test_the_alignment_keeps_every_layer_once_and_in_order(left: list[str], right: list[str]) -> None:
    def build(kinds: list[str]) -> list[LayerFact]:
        return [LayerFact(name=f"{k}{i}", cls=k, parameters=0, trainable=True) for i, k in enumerate(kinds)]

    rows = aligned_layers(build(left), build(right))
    assert [r["student"]["class"] for r in rows if r["student"]] == left
    assert [r["reference"]["class"] for r in rows if r["reference"]] == right
    assert all(r["student"]["class"] == r["reference"]["class"] for r in rows if r["student"] and r["reference"])


def test_curves_run_over_all_trainings_under_one_name() -> None:
    fits = (a_fit(history={"loss": (1.0, float("nan")), "val_acc": (0.5, 0.6)}), a_fit(history={"loss": (0.5,)}))
    assert learning_curves(fits) == {"loss": [1.0, None, 0.5], "val_accuracy": [0.5, 0.6, None]}


def test_the_comparison_is_plain_json_with_the_figures_of_both() -> None:
    labels = [0, 1, 2, 3]
    student = an_evidence(accuracies=(an_accuracy(3, 4, predicted=(0, 1, 2, 9)),))
    reference = an_evidence(
        models=(a_model(*good_cnn(), dropout(name="last")),), accuracies=(an_accuracy(2, 4, predicted=(0, 9, 9, 3)),)
    )
    result = compare((student, student.models[0]), (reference, reference.models[0]), {"mnist/test": labels})
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["accuracy"]["mnist/test"]["mcnemar"] == {
        "student_only": 2,
        "reference_only": 1,
        "both_right": 1,
        "both_wrong": 0,
        "p_value": 1.0,
    }
    assert result["epochs"] == {"student": 4, "reference": 4}
    assert result["seconds"] == {"student": 12.5, "reference": 12.5}
    assert result["layers"][-1]["student"] is None
    assert result["curves"]["student"]["accuracy"] == list(HISTORY["accuracy"])


def test_operations_between_the_layers_are_not_compared() -> None:
    worked = an_evidence(models=(a_model(operation("TrueDivide"), dense(10), operation("Softmax")),))
    usual = an_evidence(models=(a_model(dense(10)),))
    found = compare((worked, worked.models[0]), (usual, usual.models[0]))
    assert [row["same"] for row in found["layers"]] == [True]


def test_without_labels_there_is_no_paired_test() -> None:
    evidence = an_evidence()
    result = compare((evidence, evidence.models[0]), (evidence, evidence.models[0]))
    assert result["accuracy"]["mnist/test"]["mcnemar"] is None


def test_without_a_network_of_the_student_the_reference_stands_alone() -> None:
    evidence = an_evidence()
    result = compare((evidence, None), (evidence, evidence.models[0]))
    assert result["accuracy"] == {}
    assert result["parameters"]["student"] is None
    assert all(row["student"] is None for row in result["layers"])

"""The submission beside the reference."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.grading.compare import compare, learning_curves, mcnemar
from tests.support.factories import (
    HISTORY,
    a_fit,
    a_model,
    an_accuracy,
    an_evidence,
    dense,
    dropout,
    good_cnn,
    operation,
)


@given(st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=1, max_size=60))
def test_the_four_counts_are_all_the_images(triples: list[tuple[int, int, int]]) -> None:
    student, reference, labels = zip(*triples, strict=True)
    result = mcnemar(student, reference, labels)
    assert result.student_only + result.reference_only + result.both_right + result.both_wrong == len(triples)
    assert result.student_only + result.both_right == sum(s == t for s, t in zip(student, labels, strict=True))


def test_unequal_numbers_of_predictions_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        mcnemar([1, 2], [1, 2], [1])


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

"""Which recorded series is which metric."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.checks.beats import readings
from grader.checks.plots import PlotsParams, plots
from grader.facts.metrics import CURVES, canonical_metric, fit_curves, is_accuracy, metric_in, metric_of
from grader.grading.compare import learning_curves as compared_curves
from grader.report.curves import learning_curves as drawn_curves
from tests.support.factories import a_case, a_figure, a_fit, an_evidence

KERAS = ("accuracy", "acc", "sparse_categorical_accuracy", "categorical_accuracy", "binary_accuracy", "accuracy_1")
STUDENTS = ("my_acc", "train_accuracy", "BalancedAccuracy")
OTHERS = ("loss", "top_k_categorical_accuracy", "top_5_acc", "sparse_top_k_categorical_accuracy", "auc", "mae")


@pytest.mark.parametrize("name", KERAS)
def test_a_usual_name_of_the_accuracy_has_one_canonical_name(name: str) -> None:
    assert canonical_metric(name) == "accuracy"
    assert canonical_metric(f"val_{name}") == "val_accuracy"


@pytest.mark.parametrize("name", [*KERAS, *STUDENTS])
def test_an_accuracy_is_found_on_both_sides(name: str) -> None:
    assert is_accuracy(name)
    fit = a_fit(history={"loss": (2.0,), name: (0.5,), f"val_{name}": (0.4,)})
    assert (metric_of(fit, "accuracy"), metric_of(fit, "val_accuracy")) == ((0.5,), (0.4,))


@pytest.mark.parametrize("name", OTHERS)
def test_another_metric_is_no_accuracy(name: str) -> None:
    assert not is_accuracy(name)
    assert metric_in({name: 1.0, f"val_{name}": 1.0}, "accuracy") is None
    assert metric_in({name: 1.0, f"val_{name}": 2.0}, f"val_{canonical_metric(name)}") == 2.0


def test_of_several_accuracies_the_usual_one_counts() -> None:
    recorded = {"my_acc": 1.0, "binary_accuracy": 2.0, "accuracy": 3.0, "top_k_categorical_accuracy": 4.0}
    assert metric_in(recorded, "accuracy") == 3.0
    assert metric_in({"my_acc": 1.0, "accuracy_1": 2.0, "val_accuracy": 3.0}, "accuracy") == 2.0


@pytest.mark.parametrize("name", [*KERAS, *STUDENTS, *OTHERS[1:]])
def test_checks_comparison_and_report_take_the_same_series(name: str) -> None:
    values = (0.25, 0.5, 0.75)
    fit = a_fit(history={"loss": (2.0, 1.0, 0.5), name: values}, epochs_done=3)
    evidence = an_evidence(fits=(fit,), figures=(a_figure(values),), accuracies=())
    expected = values if is_accuracy(name) else ()
    assert tuple(compared_curves((fit,)).get("accuracy", ())) == expected
    assert tuple(v for v in drawn_curves((fit,)).accuracy if v is not None) == expected
    assert tuple(reading.value for reading in readings(evidence, evidence.models[0], "mnist")) == expected
    drawn = plots(a_case(evidence), PlotsParams(metric="accuracy", of="training"))
    assert (drawn.status == "passed") == bool(expected)


@given(st.lists(st.floats(), max_size=6), st.integers(0, 8))
def test_each_curve_has_one_value_or_a_gap_for_each_epoch(values: list[float], epochs: int) -> None:
    found = fit_curves(a_fit(history={"val_acc": tuple(values)}), epochs)
    assert set(found) == set(CURVES)
    assert {len(curve) for curve in found.values()} == {epochs}
    assert set(found["loss"]) <= {None}
    assert all(value is None or value in values for value in found["val_accuracy"])

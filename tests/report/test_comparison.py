"""The comparison with the reference."""

import pytest

from grader.report.comparison import ComparisonView, comparison_view
from grader.schema.message import MessageLike
from tests.report import samples
from tests.support.says import says

COUNTS = (
    "Images that only the submission classifies correctly: {ours}. "
    "Images that only the reference classifies correctly: {theirs}."
)
CHANCE = "A difference of this size can be due to chance ({test})."
BETTER = "The submission is better, and chance does not explain the difference ({test})."
WORSE = "The reference is better, and chance does not explain the difference ({test})."


def _view(ours: int, theirs: int, p: float) -> ComparisonView:
    test = {"mcnemar": {"student_only": ours, "reference_only": theirs, "p_value": p}}
    view = comparison_view(samples.rich_grade({"accuracy": {"mnist/test": test}}), None, None, None)
    assert view is not None
    return view


def _test(ours: int, theirs: int, p: float) -> MessageLike:
    (sentence,) = _view(ours, theirs, p).sentences
    return sentence


@pytest.mark.parametrize(("p", "conclusion"), [(0.078, CHANCE), (0.012, WORSE)])
def test_the_paired_test_gives_both_counts_and_a_conclusion(p: float, conclusion: str) -> None:
    sentence = _test(6, 15, p)
    assert says(sentence, COUNTS, ours=6, theirs=15)
    assert says(sentence, conclusion)
    assert says(sentence, "McNemar's exact test: p = {p}", p=p)


def test_a_tiny_p_value_is_given_as_a_bound() -> None:
    sentence = _test(60, 3, 1e-14)
    assert says(sentence, BETTER)
    assert says(sentence, "McNemar's exact test: p < {p}", p=0.001)


def test_equal_predictions_need_no_test() -> None:
    assert says(_test(0, 0, 1.0), "The submission and the reference classify exactly the same images correctly.")


def test_the_figures_of_both_models_are_formatted() -> None:
    accuracy, parameters, *_ = _view(6, 15, 0.078).rows
    assert says(accuracy.label, "Accuracy on {data}", data="mnist/test")
    assert (accuracy.student, accuracy.reference) == ("98.85 %", "99.3 %")
    assert (parameters.student, parameters.reference) == ("54,410", "941,654")


def test_remarks_of_the_comparison_are_shown_once() -> None:
    view = comparison_view(samples.rich_grade({"message": "Read this.", "note": "Read this."}), None, None, None)
    assert view is not None
    assert view.sentences == ("Read this.",)

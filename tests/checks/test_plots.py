"""The check `plots`."""

from typing import Any

import pytest

from grader.checks.plots import PlotsParams, plots
from grader.schema.evidence import FigureFact
from grader.schema.grade import Finding
from grader.schema.submission import CellError
from tests.support.factories import HISTORY, a_case, a_figure, a_fit, a_run, an_error, an_evidence
from tests.support.says import ids, says, values

ACCURACY, VALIDATION = HISTORY["accuracy"], HISTORY["val_accuracy"]


def judge(*figures: FigureFact, fits: Any = None, **params: Any) -> Finding:
    evidence = an_evidence(figures=figures, fits=fits or (a_fit(),))
    return plots(a_case(evidence), PlotsParams.model_validate({"metric": "accuracy"} | params))


def test_the_recorded_curve_with_labels_passes() -> None:
    finding = judge(a_figure(ACCURACY))
    assert (finding.status, finding.fraction) == ("passed", 1)
    assert says(finding.message, "The figure in {cells:cell} shows the recorded {curves}.", cells=[5])
    assert says(finding.message, "training {metric:raw}", metric="accuracy")


def test_the_right_curve_without_labels_earns_a_part() -> None:
    finding = judge(a_figure(ACCURACY, xlabel="", ylabel=" "))
    assert (finding.status, finding.fraction) == ("partial", 0.5)
    assert says(finding.message, "The {axes} axis has no label.", count=2, axes=["x", "y"])


def test_labels_need_not_be_asked_for() -> None:
    assert judge(a_figure(ACCURACY, xlabel=""), labels=False).status == "passed"


def test_invented_numbers_are_not_the_recorded_curve() -> None:
    finding = judge(a_figure((0.95, 0.975, 0.984, 0.995)))
    assert finding.status == "failed"
    assert says(finding.message, "{count:number} figure", count=1)
    assert values(finding.message, "The notebook drew {figures} with {lines}, but no line shows the recorded {curve}.")


@pytest.mark.parametrize("form", [lambda v: 100 * v, lambda v: 1 - v, lambda v: 100 * (1 - v), lambda v: round(v, 3)])
def test_percent_error_and_rounded_values_are_the_same_curve(form: Any) -> None:
    assert judge(a_figure(tuple(form(v) for v in ACCURACY))).status == "passed"


def test_a_loss_is_not_taken_for_its_complement() -> None:
    drawn = a_figure(tuple(1 - v for v in HISTORY["loss"]))
    assert judge(drawn, metric="loss").status == "failed"


def test_a_curve_from_the_second_epoch_on_still_counts() -> None:
    assert judge(a_figure(ACCURACY[1:])).status == "passed"


def test_less_than_half_a_curve_does_not() -> None:
    assert judge(a_figure(ACCURACY[3:]), points_at_least=1).status == "failed"


def test_two_trainings_in_one_line_count() -> None:
    assert judge(a_figure(ACCURACY * 2), fits=(a_fit(), a_fit(event=9))).status == "passed"


def test_the_curve_of_a_network_that_was_loaded_and_trained_further_may_begin_before_it() -> None:
    past = a_fit(model="m2", event=4, digests_before={"out": "0"}, digests_after={"out": "1"})
    present = a_fit(event=9, digests_before={"out": "1"}, digests_after={"out": "2"})
    assert judge(a_figure(ACCURACY * 2), fits=(past, present)).status == "passed"
    assert judge(a_figure(ACCURACY * 2), fits=(past, a_fit(event=9))).status == "failed"


def test_the_side_asked_for_is_the_side_that_counts() -> None:
    assert judge(a_figure(ACCURACY), of="validation").status == "failed"
    assert judge(a_figure(ACCURACY), of="both").status == "failed"
    assert judge(a_figure(ACCURACY, VALIDATION), of="both").status == "passed"


def test_an_old_metric_name_is_the_same_metric() -> None:
    fit = a_fit(history={"loss": (1.0, 0.5), "sparse_categorical_accuracy": (0.5, 0.6)})
    assert judge(a_figure((0.5, 0.6)), fits=(fit,), metric="acc").status == "passed"


def test_no_figure_at_all_is_said() -> None:
    assert "No figure was drawn, so none shows the {curve}." in ids(judge().message)


def test_a_metric_that_was_not_recorded_is_said_with_how_to_record_it() -> None:
    finding = judge(a_figure((1.0, 0.5)), fits=(a_fit(history={"loss": (1.0, 0.5)}),))
    assert "No training recorded the {curve}, so no figure can show it." in ids(finding.message)
    assert ids(finding.advice) == ["Pass `metrics` to `compile`, and `validation_data` or `validation_split` to `fit`."]


def test_one_epoch_makes_no_curve() -> None:
    finding = judge(a_figure((0.9,)), fits=(a_fit(history={"accuracy": (0.9,)}),))
    assert finding.status == "failed"
    assert says(finding.message, "{count:number} epoch of training is too few for a curve of the {curve}.", count=1)


def test_the_labelled_one_of_two_figures_counts() -> None:
    assert judge(a_figure(ACCURACY, xlabel=""), a_figure(ACCURACY)).status == "passed"


def test_a_diverged_loss_can_be_drawn() -> None:
    losses = (0.5, float("nan"), float("nan"))
    fit = a_fit(history={"loss": losses})
    assert judge(a_figure(losses), fits=(fit,), metric="loss").status == "passed"


def test_a_smoothed_curve_is_the_recorded_one() -> None:
    history = {"loss": (0.92, 0.41, 0.33, 0.36, 0.22)}
    drawn = [history["loss"][0]]
    for value in history["loss"][1:]:
        drawn.append(0.8 * drawn[-1] + 0.2 * value)
    finding = judge(a_figure(tuple(drawn), ylabel="loss"), fits=(a_fit(history=history),), metric="loss")
    assert finding.status == "passed"
    assert "The curve is smoothed." in ids(finding.message)


def judge_loop(*figures: FigureFact, **params: Any) -> Finding:
    """With a training loop of the student's own, of which no numbers are known."""
    return judge(*figures, fits=(a_fit(kind="custom_loop", history={}),), metric="loss", **params)


def test_a_curve_of_a_loop_of_ones_own_counts_by_its_name() -> None:
    finding = judge_loop(a_figure((0.9, 0.5, 0.4), ylabel="Training Loss"))
    assert (finding.status, finding.assurance) == ("passed", "stated")
    assert says(
        finding.message, "A curve with the name {metric:code} is drawn in {cells:cell}.", metric="loss", cells=[5]
    )


def test_without_labels_it_earns_a_part_there_too() -> None:
    finding = judge_loop(a_figure((0.9, 0.5, 0.4), xlabel="", ylabel="", title="Loss"))
    assert (finding.status, finding.fraction) == ("partial", 0.5)
    assert says(finding.message, "The {axes} axis has no label.", count=2, axes=["x", "y"])


def test_a_nameless_curve_of_a_loop_of_ones_own_waits_for_a_person() -> None:
    finding = judge_loop(a_figure((0.9, 0.5, 0.4), ylabel="Verlauf"))
    assert finding.status == "pending"
    assert says(finding.message, "No curve in {cells:cell or} has the name {metric:code}.", metric="loss", cells=[5])


def test_a_loop_of_ones_own_without_a_curve_fails() -> None:
    assert judge_loop().status == "failed"
    assert judge_loop(a_figure((0.9,), ylabel="loss")).status == "failed"


def test_a_curve_called_by_another_metrics_name_is_not_it() -> None:
    assert judge_loop(a_figure((0.9, 0.95), ylabel="accuracy")).status == "pending"


LENGTHS = "x and y must have same first dimension, but have shapes (300,) and (2,)"


def after_a_stop(*figures: FigureFact, errors: tuple[CellError, ...] = (), **keys: Any) -> str:
    """The status after the grader stopped a training of 300 epochs, by default after the first one."""
    history = {name: values[:1] for name, values in HISTORY.items()}
    known = {"status": "stopped_by_budget", "epochs_asked": 300, "epochs_done": 1, "history": history}
    found = an_evidence(fits=(a_fit(**(known | keys)),), figures=figures, run=a_run(errors=errors))
    return plots(a_case(found), PlotsParams(metric="accuracy")).status


def test_a_curve_that_the_grader_cut_to_a_point_waits_for_a_person() -> None:
    drawn = a_figure((0.5,), ylabel="accuracy")
    assert after_a_stop(drawn) == "pending"
    assert after_a_stop(drawn, epochs_asked=1) == "failed"
    assert after_a_stop(drawn, status="completed") == "failed"


def test_a_plot_that_failed_for_the_epochs_that_the_grader_cut_off_waits_for_a_person() -> None:
    two = {name: values[:2] for name, values in HISTORY.items()}
    error = an_error(cell=5, name="ValueError", message=LENGTHS)
    assert after_a_stop(errors=(error,), epochs_done=2, history=two) == "pending"
    assert after_a_stop(errors=(an_error(cell=5),), epochs_done=2, history=two) == "failed"


def test_a_student_who_drew_nothing_or_measured_nothing_fails_despite_a_stop() -> None:
    assert after_a_stop() == "failed"
    assert after_a_stop(a_figure((0.5,)), history={"loss": (0.5,)}) == "failed"

"""The check `plots`."""

import math
from typing import Any

import pytest

from grader.checks.plots import PlotsParams, plots
from grader.facts.language import english
from grader.schema.evidence import EvaluateFact, FigureFact, LineFact
from grader.schema.grade import Finding
from grader.schema.submission import CellError
from tests.support.factories import (
    HISTORY,
    a_case,
    a_cell,
    a_figure,
    a_fit,
    a_model,
    a_run,
    an_error,
    an_evidence,
    conv,
    dense,
)
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


def test_a_curve_in_percent_is_not_smoothed() -> None:
    drawn = a_figure(*(tuple(100 * value for value in side) for side in (ACCURACY, VALIDATION)))
    finding = judge(drawn, of="both")
    assert finding.measured["forms"] == ["in percent"]
    assert "The curve is smoothed." not in ids(finding.message)


def test_another_curve_in_percent_is_not_a_smoothed_one() -> None:
    """One per cent of 90 % is far more than the tolerance."""
    recorded = {"accuracy": (0.686, 0.8783, 0.913, 0.9317), "val_accuracy": (0.89, 0.92, 0.927, 0.925)}
    fit = a_fit(history=recorded)
    drawn = a_figure(tuple(100 * value for value in recorded["accuracy"]))
    assert judge(drawn, fits=(fit,), of="both").status == "failed"
    assert judge(a_figure((68.6, 86.0, 92.0, 93.5)), fits=(fit,)).status == "failed"


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
    one = a_fit(history={"accuracy": (0.9,), "val_accuracy": (0.8,)})
    drawn = judge(a_figure((0.9,)), fits=(one,))
    assert drawn.status == "failed"
    assert says(drawn.message, "The figure in {cells:cell} shows the recorded {curves}.", cells=[5])
    assert says(drawn.message, "It has only {count:number} point, which is too few for a curve.", count=1)
    absent = judge(a_figure((0.5,)), fits=(one,))
    assert absent.status == "failed"
    assert says(absent.message, "{count:number} epoch of training is too few for a curve of the {curve}.", count=1)


def test_one_epoch_of_a_training_that_the_grader_stopped_waits_for_a_person() -> None:
    stopped = a_fit(history={"accuracy": (0.9,)}, status="stopped_by_budget", epochs_asked=5, epochs_done=1)
    assert judge(a_figure((0.9,)), fits=(stopped,)).status == "pending"


LONG = (0.5, 0.62, 0.7, 0.74, 0.79, 0.8, 0.83, 0.85, 0.855, 0.87, 0.878, 0.881)
LOSS = (2.0, 1.5, 1.2, 0.9, 0.8, 0.71, 0.63, 0.6, 0.55, 0.5, 0.48, 0.46)


def exponential(values: tuple[float, ...], factor: float, *, corrected: bool) -> tuple[float, ...]:
    total, drawn = 0.0, []
    for place, value in enumerate(values, start=1):
        total = factor * total + (1 - factor) * value
        drawn.append(total / (1 - factor**place) if corrected else total)
    return tuple(drawn)


def rolling(values: tuple[float, ...], window: int, before: int) -> tuple[float, ...]:
    parts = [values[max(0, place - before) : place - before + window] for place in range(len(values))]
    return tuple(sum(part) / len(part) for part in parts)


FORMS: dict[str, tuple[float, ...]] = {
    "a value before the first epoch": (0.0, *LONG),
    "from the second epoch on": LONG[1:],
    "every second epoch": LONG[::2],
    "every third epoch": LONG[2::3],
    "two decimals": tuple(round(value, 2) for value in LONG),
    "percent with one decimal": tuple(round(100 * value, 1) for value in LONG),
    "smoothed as in TensorBoard": exponential(LONG, 0.6, corrected=True),
    "smoothed from 0": exponential(LONG, 0.6, corrected=False),
    "mean of at most three epochs": rolling(LONG, 3, 2),
    "centered mean of at most five epochs": rolling(LONG, 5, 2),
    "error": tuple(1 - value for value in LONG),
}
OTHERS: dict[str, tuple[float, ...]] = {
    "two values before the first epoch": (0.0, 0.1, *LONG),
    "reversed": LONG[::-1],
    "sorted by the alphabet": tuple(sorted(LONG, key=str))[::-1],
    "a straight line": tuple(0.5 + 0.035 * place for place in range(12)),
    "one value changed": (*LONG[:5], 0.9, *LONG[6:]),
    "every fifth epoch": LONG[::5],
    "a better curve": tuple(value + 0.05 for value in LONG),
    "as logarithm": tuple(math.log(value) for value in LONG),
    "the best value so often": (max(LONG),) * 12,
}


@pytest.mark.parametrize("form", FORMS)
def test_a_history_is_recognized_in_many_forms(form: str) -> None:
    fits = (a_fit(history={"accuracy": LONG}),)
    assert judge(a_figure(FORMS[form]), fits=fits).status == "passed"
    assert judge(a_figure(FORMS[form]), fits=(a_fit(history={"accuracy": LONG[::-1]}),)).status == "failed"


@pytest.mark.parametrize("form", OTHERS)
def test_a_curve_that_is_not_the_history_is_no_form_of_it(form: str) -> None:
    assert judge(a_figure(OTHERS[form]), fits=(a_fit(history={"accuracy": LONG}),)).status == "failed"


@pytest.mark.parametrize("form", [math.log, math.log10])
def test_a_loss_may_be_drawn_as_its_logarithm(form: Any) -> None:
    drawn = a_figure(tuple(form(value) for value in LOSS))
    assert judge(drawn, metric="loss", fits=(a_fit(history={"loss": LOSS}),)).status == "passed"
    assert judge(drawn, metric="loss", fits=(a_fit(history={"loss": LOSS[::-1]}),)).status == "failed"


def test_a_scatter_plot_shows_a_history() -> None:
    figure = a_figure()
    axes = figure.axes[0].model_copy(update={"lines": (), "scatters": (LineFact(y=ACCURACY),)})
    assert judge(figure.model_copy(update={"axes": (axes,)})).status == "passed"


@pytest.mark.parametrize(
    "name", ["train_acc", "acc1", "digit_accuracy", "my_accuracy", "sparse_categorical_accuracy_3"]
)
def test_an_accuracy_of_any_name_is_recognized(name: str) -> None:
    fits = (a_fit(history={name: ACCURACY, f"val_{name}": VALIDATION}),)
    assert judge(a_figure(ACCURACY, VALIDATION), fits=fits, of="both").status == "passed"


def test_the_accuracy_of_each_output_counts() -> None:
    fits = (a_fit(history={"digit_accuracy": ACCURACY, "parity_accuracy": VALIDATION, "digit_loss": LOSS[:4]}),)
    assert judge(a_figure(ACCURACY), fits=fits).status == "passed"
    assert judge(a_figure(VALIDATION), fits=fits).status == "passed"
    assert judge(a_figure(LOSS[:4]), fits=fits, metric="loss").status == "passed"


def test_a_metric_whose_class_is_an_accuracy_is_one_whatever_its_name() -> None:
    history = {"exact": ACCURACY, "val_exact": VALIDATION}
    known = a_fit(history=history, accuracies=("exact", "val_exact"))
    assert judge(a_figure(ACCURACY, VALIDATION), fits=(known,), of="both").status == "passed"


def test_a_metric_that_may_be_an_accuracy_waits_for_a_person() -> None:
    for name, status in (("exact", "pending"), ("precision", "failed"), ("mse", "failed"), ("aux_loss", "failed")):
        fits = (a_fit(history={name: ACCURACY, f"val_{name}": VALIDATION}),)
        assert judge(a_figure(ACCURACY), fits=fits).status == status
        assert judge(a_figure(LONG), fits=fits).status == "failed"


def test_the_mean_over_the_folds_of_a_cross_validation_counts() -> None:
    histories = [LONG, tuple(v - 0.02 for v in LONG), (*(v + 0.01 for v in LONG[:-1]), 0.9)]
    models = tuple(a_model(model_id=f"m{n}", name="model") for n in (1, 2, 3))
    fits = tuple(a_fit(model=f"m{n}", event=n, history={"accuracy": h}) for n, h in enumerate(histories, start=1))
    mean = tuple(sum(values) / 3 for values in zip(*histories, strict=True))
    evidence = an_evidence(figures=(a_figure(mean),), fits=fits, models=models)
    params = PlotsParams(metric="accuracy")
    assert plots(a_case(evidence), params).status == "passed"
    elsewhere = tuple(fit.model_copy(update={"cell": place}) for place, fit in enumerate(fits, start=3))
    assert plots(a_case(evidence.model_copy(update={"fits": elsewhere})), params).status == "failed"


def test_after_a_cross_validation_the_model_may_be_trained_again_on_all_images() -> None:
    folds = [a_model(model_id=f"m{n}", name="model") for n in (1, 2)]
    histories = [{"accuracy": LONG, "val_accuracy": tuple(v - 0.02 * n for v in LONG)} for n in (1, 2)]
    fits = [a_fit(model=f"m{n}", event=n, history=h) for n, h in enumerate(histories, start=1)]
    final = a_fit(model="m3", event=9, cell=7, history={"accuracy": tuple(v + 0.01 for v in LONG)})
    evidence = an_evidence(
        figures=(a_figure(tuple(v - 0.03 for v in LONG)),),
        fits=(*fits, final),
        models=(*folds, a_model(model_id="m3", name="best")),
    )
    assert plots(a_case(evidence), PlotsParams(metric="accuracy", of="validation")).status == "passed"
    other = a_model(conv(), dense(10), model_id="m3", name="best", parameters=7)
    elsewhere = evidence.model_copy(update={"models": (*folds, other)})
    assert plots(a_case(elsewhere), PlotsParams(metric="accuracy", of="validation")).status == "failed"


def test_charts_that_are_not_recorded_wait_for_a_person() -> None:
    charts = (a_cell(5, charts=1),)
    for fits in (None, (a_fit(kind="custom_loop", history={}),)):
        evidence = an_evidence(figures=(), cells=charts, **({} if fits is None else {"fits": fits}))
        finding = plots(a_case(evidence), PlotsParams(metric="loss"))
        assert finding.status == "pending"
        assert "charts in cell 6" in english(finding.message)
    shown = an_evidence(figures=(a_figure(HISTORY["loss"]),), cells=charts)
    assert plots(a_case(shown), PlotsParams(metric="loss")).status == "passed"


def test_bars_that_may_show_an_epoch_each_wait_for_a_person() -> None:
    def bars(count: int, ylabel: str = "accuracy") -> Finding:
        return judge(a_figure(ylabel=ylabel, bars=count))

    assert len(ACCURACY) == 4
    for count in (4, 8):
        finding = bars(count)
        assert finding.status == "pending"
        assert "bars in cell 6" in english(finding.message)
    assert bars(10).status == "failed"
    assert bars(4, "images").status == "failed"
    assert judge(a_figure(bars=4), a_figure(ACCURACY)).status == "passed"


def test_the_evaluations_between_trainings_are_a_validation_curve() -> None:
    fits = tuple(a_fit(event=n, history={"accuracy": (v,)}) for n, v in enumerate((0.5, 0.6, 0.7), start=1))
    curve = (0.4, 0.5, 0.55)
    results = [
        EvaluateFact(event=20 + n, cell=4, model="m1", results={"accuracy": value}) for n, value in enumerate(curve)
    ]
    evidence = an_evidence(figures=(a_figure(curve),), fits=fits, evaluations=tuple(results))
    assert plots(a_case(evidence), PlotsParams(metric="accuracy", of="validation")).status == "passed"
    assert plots(a_case(evidence), PlotsParams(metric="accuracy", of="training")).status == "failed"


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

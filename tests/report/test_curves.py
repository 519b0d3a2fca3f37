"""Learning curves."""

import re
import xml.etree.ElementTree as ET

import pytest

from grader.report.curves import Curves, curve_panel, curve_rows, learning_curves
from grader.report.svg import Scale, nice_ticks
from grader.schema.evidence import FitFact
from tests.report import samples


def _fit(history: dict[str, tuple[float, ...]], **more: object) -> FitFact:
    given = {"event": 1, "cell": 1, "model": "m1", "status": "completed", "history": history}
    return FitFact.model_validate(given | {"epochs_done": max(map(len, history.values()), default=0)} | more)


def test_two_trainings_of_one_network_stand_end_to_end() -> None:
    first = _fit({"loss": (2.0, 1.0), "accuracy": (0.5, 0.6)})
    curves = learning_curves([first, _fit({"loss": (0.5,), "val_loss": (0.7,)}, status="stopped_by_budget")])
    assert curves.epochs == 3
    assert curves.loss == (2.0, 1.0, 0.5)
    assert curves.accuracy == (0.5, 0.6, None)
    assert curves.val_loss == (None, None, 0.7)
    assert (curves.starts, curves.stops) == ((2,), (3,))


@pytest.mark.parametrize("name", ["acc", "accuracy", "sparse_categorical_accuracy", "my_acc"])
def test_accuracy_is_found_under_whatever_name_it_was_recorded(name: str) -> None:
    assert learning_curves([_fit({name: (0.5,), f"val_{name}": (0.4,)})]).val_accuracy == (0.4,)


def test_a_figure_that_is_not_a_number_is_a_gap_and_not_a_point() -> None:
    curves = learning_curves([_fit({"loss": (1.0, float("nan"), float("inf"), 0.5)})])
    assert curves.loss == (1.0, None, None, 0.5)
    panel = str(curve_panel("loss", curves, Curves()))
    assert "nan" not in panel
    assert "L" not in "".join(re.findall(r' d="([^"]*)"', panel))
    assert panel.count("h0") == 2


def test_a_network_that_reported_nothing_has_no_plot() -> None:
    assert not learning_curves([_fit({})]).drawn
    assert curve_panel("loss", Curves(), Curves()) == ""


def test_the_plot_says_in_words_what_it_shows_and_where_the_grader_stopped() -> None:
    curves = learning_curves([_fit({"accuracy": (0.9, 0.98)}, status="stopped_by_budget")])
    root = ET.fromstring(str(curve_panel("accuracy", curves, Curves())))  # noqa: S314  our own drawing
    said = root.findtext("desc") or ""
    assert said == ("Submission, training: 90 % to 98 % in 2 epochs. The grader stopped the training after epoch 2.")
    assert root.get("aria-labelledby") == "curve-accuracy-title curve-accuracy-desc"
    assert "stopped by the grader" in [text.text for text in root.iter("text")]


def test_every_point_lies_within_the_drawing() -> None:
    student = learning_curves([_fit({"loss": (9e8, 1e-7, 3.0), "val_loss": (0.0, 5.0, 1.0)})])
    root = ET.fromstring(str(curve_panel("loss", student, Curves())))  # noqa: S314  our own drawing
    points = [
        re.findall(r"([\d.-]+) ([\d.-]+)", path.get("d", ""))
        for path in root.iter("path")
        if "curve" in path.get("class", "")
    ]
    assert sum(map(len, points)) == 2 * 6
    assert all(0 <= float(x) <= 400 and 0 <= float(y) <= 260 for point in points for x, y in point)


def test_a_loss_over_many_sizes_is_drawn_on_a_logarithmic_scale() -> None:
    curves = learning_curves([_fit({"loss": (100.0, 1.0, 0.01)})])
    assert "Loss (logarithmic scale)" in curve_panel("loss", curves, Curves())


def test_the_table_has_the_figures_of_the_plot() -> None:
    rows = curve_rows(learning_curves([_fit({"accuracy": (0.5, 0.75), "loss": (2.0, 1.5)})]), Curves())
    assert [row.epoch for row in rows] == [1, 2]
    assert rows[1].student == ("75 %", "\u2013", "1.5", "\u2013")


def test_a_table_of_a_thousand_epochs_stays_readable_and_keeps_the_last() -> None:
    rows = curve_rows(learning_curves([_fit(samples.history(1000, 0.99))]), Curves())
    assert len(rows) <= 202
    assert rows[-1].epoch == 1000


def test_ticks_are_round_and_within_the_ends() -> None:
    assert nice_ticks(0.0, 1.0, 5) == (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    assert nice_ticks(0.913, 0.998, 5) == (0.92, 0.94, 0.96, 0.98)
    assert nice_ticks(3.0, 3.0) == (3.0,)


def test_a_scale_moves_what_lies_outside_to_its_ends() -> None:
    scale = Scale(1, 100, 0, 10, log=True)
    assert [scale(1), scale(10), scale(1_000)] == [0, 5, 10]

"""Description of a drawn figure."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from grader.inside.record.events import MAX_POINTS
from grader.inside.watch.figures import describe_figure


def _axes() -> tuple[Figure, Any]:
    figure = Figure()
    return figure, figure.subplots()


def test_titles_labels_legend_and_lines_are_kept() -> None:
    figure, axes = _axes()
    figure.suptitle("Training")
    axes.plot([1, 2, 3], [0.5, 0.25, 0.125], label="loss")
    axes.plot([9, 8])
    axes.set(title="Curves", xlabel="epoch", ylabel="loss")
    axes.legend()
    assert describe_figure(figure) == {
        "title": "Training",
        "axes": [
            {
                "title": "Curves", "xlabel": "epoch", "ylabel": "loss", "legend": ["loss"],
                "lines": [{"label": "loss", "y": [0.5, 0.25, 0.125]}, {"label": "", "y": [9.0, 8.0]}],
                "scatters": [], "images": 0, "bars": 0, "points": 0,
            }
        ],
    }  # fmt: skip


def test_images_bars_and_points_are_counted_and_colour_bars_are_no_axes() -> None:
    figure, axes = _axes()
    figure.colorbar(axes.imshow(np.eye(3)))
    axes.bar([1, 2], [3, 4])
    axes.scatter([1, 2, 3], [1, 2, 3])
    (kept,) = describe_figure(figure)["axes"]
    assert (kept["images"], kept["bars"], kept["points"]) == (1, 2, 3)


def test_the_points_of_a_scatter_plot_are_kept_in_order() -> None:
    figure, axes = _axes()
    axes.scatter([3, 2, 1], [0.5, 0.25, np.nan], label="loss")
    axes.scatter([], [])
    (kept,) = describe_figure(figure)["axes"]
    assert kept["scatters"] == [{"label": "loss", "y": [0.5, 0.25, None]}, {"label": "", "y": []}]


def test_values_that_are_no_numbers_become_none() -> None:
    figure, axes = _axes()
    axes.plot([1, np.nan, np.inf, 2])
    (kept,) = describe_figure(figure)["axes"]
    assert kept["lines"][0]["y"] == [1.0, None, None, 2.0]


def test_a_long_line_is_thinned_with_its_ends_kept() -> None:
    figure, axes = _axes()
    axes.plot(np.arange(10_000))
    (kept,) = describe_figure(figure)["axes"]
    values = kept["lines"][0]["y"]
    assert (len(values), values[0], values[-1]) == (MAX_POINTS, 0.0, 9999.0)


@pytest.mark.parametrize("labels", [["a", "b", "c"], ["1", "2", "3"]])
def test_categories_on_the_y_axis_do_not_stop_the_record(labels: list[str]) -> None:
    figure, axes = _axes()
    axes.plot([1, 2, 3], labels)
    (kept,) = describe_figure(figure)["axes"]
    assert kept["lines"][0]["y"] == [0.0, 1.0, 2.0]


def test_labels_and_a_legend_of_the_whole_figure_count_for_its_axes() -> None:
    figure, axes = _axes()
    axes.plot([1], label="loss")
    figure.supxlabel("epoch")
    figure.legend()
    (kept,) = describe_figure(figure)["axes"]
    assert (kept["xlabel"], kept["legend"]) == ("epoch", ["loss"])


def test_tied_axes_share_their_label() -> None:
    figure, left = _axes()
    left.set_xlabel("epoch")
    left.set_ylabel("loss")
    left.twinx().plot([0.5, 0.9])
    kept = describe_figure(figure)["axes"]
    assert [axes["xlabel"] for axes in kept] == ["epoch", "epoch"]
    assert [axes["ylabel"] for axes in kept] == ["loss", ""]


def test_axes_beside_each_other_do_not() -> None:
    figure = Figure()
    left, _ = figure.subplots(1, 2)
    left.set_xlabel("epoch")
    assert [axes["xlabel"] for axes in describe_figure(figure)["axes"]] == ["epoch", ""]


def _sides(draw: Callable[[Any], object]) -> tuple[list[str], list[str]]:
    """Return the hidden and the named axes of a small plot."""
    figure, axes = _axes()
    axes.plot([0, 1], [1, 2])
    draw(axes)
    (kept,) = describe_figure(figure)["axes"]
    return list(kept.get("hidden", [])), list(kept.get("named", []))


@pytest.mark.parametrize(
    ("draw", "hidden"),
    [
        (lambda _: None, []),
        (lambda axes: axes.axis("off"), ["x", "y"]),
        (lambda axes: axes.set_axis_off(), ["x", "y"]),
        (lambda axes: axes.set_yticks([]), ["y"]),
        (lambda axes: axes.get_xaxis().set_visible(False), ["x"]),
        (lambda axes: axes.set_xticks([0, 1], labels=["", ""]), ["x"]),
        (lambda axes: axes.set_xscale("log"), []),
    ],
)
def test_axes_that_are_switched_off_or_have_no_ticks_are_hidden(
    draw: Callable[[Any], object], hidden: list[str]
) -> None:
    assert _sides(draw) == (hidden, [])


@pytest.mark.parametrize(
    ("draw", "named"),
    [
        (lambda axes: axes.set_xticks([0, 1], labels=["cat", "dog"]), ["x"]),
        (lambda axes: axes.set_xticks([0, 1], labels=["0", "1.5"]), []),
        (lambda axes: axes.set_yticks([1, 2]), []),
    ],
)
def test_ticks_with_names_are_told_from_numbers(draw: Callable[[Any], object], named: list[str]) -> None:
    assert _sides(draw) == ([], named)


def test_categories_are_names() -> None:
    figure, axes = _axes()
    axes.bar(["cat", "dog"], [1, 2])
    (kept,) = describe_figure(figure)["axes"]
    assert kept["named"] == ["x"]

"""Description of a Plotly figure."""

from typing import Any

import numpy as np
import pytest

from grader.inside.watch.plotly_figures import describe_plotly

express = pytest.importorskip("plotly.express")
objects = pytest.importorskip("plotly.graph_objects")
subplots = pytest.importorskip("plotly.subplots")


def test_lines_labels_and_legend_of_an_express_figure_are_kept() -> None:
    labels = {"index": "epoch", "value": "value of the loss"}
    figure = express.line({"loss": [3, 2, 1], "val_loss": [3.5, 2, 2]}, y=["loss", "val_loss"], labels=labels)
    assert describe_plotly(figure.to_dict())["axes"] == [
        {
            "title": "", "xlabel": "epoch", "ylabel": "value of the loss", "legend": ["loss", "val_loss"],
            "lines": [{"label": "loss", "y": [3.0, 2.0, 1.0]}, {"label": "val_loss", "y": [3.5, 2.0, 2.0]}],
            "scatters": [], "images": 0, "bars": 0, "points": 0,
        }
    ]  # fmt: skip


def test_each_pair_of_axes_has_its_own_traces_and_labels() -> None:
    figure = subplots.make_subplots(1, 2)
    figure.add_trace(objects.Scatter(y=np.array([1.0, np.nan]), mode="markers", name="points"), 1, 1)
    figure.add_trace(objects.Scatter(y=[3, 4], showlegend=False), 1, 2)
    figure.update_xaxes(title_text="epoch", col=2)
    figure.update_yaxes(visible=False, col=1)
    figure.update_layout(title="Training")
    described = describe_plotly(figure.to_dict())
    assert described["title"] == "Training"
    left, right = described["axes"]
    assert (left["lines"], left["scatters"], left["points"]) == ([], [{"label": "points", "y": [1.0, None]}], 2)
    assert (left["xlabel"], left["hidden"]) == ("", ["y"])
    assert (right["xlabel"], right["legend"], right["lines"]) == ("epoch", [], [{"label": "", "y": [3.0, 4.0]}])


@pytest.mark.parametrize(
    ("trace", "kept"),
    [
        ({"type": "bar", "y": [1, 2, 3]}, {"bars": 3, "images": 0}),
        ({"type": "heatmap", "z": [[1, 2]]}, {"bars": 0, "images": 1}),
        ({"type": "pie", "values": [1, 2]}, None),
    ],
)
def test_other_traces_are_counted_or_have_no_axes(trace: dict[str, Any], kept: dict[str, int] | None) -> None:
    axes = describe_plotly({"data": [trace], "layout": {}})["axes"]
    assert [{key: each[key] for key in ("bars", "images")} for each in axes] == ([kept] if kept else [])

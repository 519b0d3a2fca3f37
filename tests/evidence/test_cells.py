"""The cells of a notebook as text."""

from typing import Any

import pytest

from grader.evidence.cells import cell_facts
from tests.support.factories import a_run


def sources(*cells: object) -> list[str]:
    """The recorded sources of text cells."""
    notebook = {"cells": [{"cell_type": "markdown", "source": source} for source in cells]}
    return [fact.source for fact in cell_facts(notebook, None, a_run())]


def test_a_pasted_picture_does_not_take_the_place_of_the_text_after_it() -> None:
    picture = "![](data:image/png;base64," + 400_000 * "iVBOR+/=" + ")"
    (source,) = sources(f"Before.\n{picture}\nAfter.")
    assert source == "Before.\n![](data:)\nAfter."
    (lines,) = sources(["Before.\n", picture, "\nAfter."])
    assert lines == source


def test_a_long_text_without_pictures_is_cut() -> None:
    assert [len(source) for source in sources(30_000 * "a", None)] == [20_000, 0]


@pytest.mark.parametrize(
    ("data", "charts"),
    [
        ({"application/vnd.vegalite.v5+json": {}, "text/plain": "alt.Chart(...)"}, 1),
        ({"text/html": ["<div></div>\n", '<script src="vega-embed.js"></script>']}, 1),
        ({"application/vnd.plotly.v1+json": {}}, 0),
        ({"text/html": "<table><td>bokeh</td></table>"}, 0),
        ({"text/html": "<script>hide()</script>"}, 0),
        ({"image/png": ""}, 0),
    ],
)
def test_charts_whose_curves_are_not_recorded_are_counted(data: dict[str, Any], charts: int) -> None:
    outputs = [{"output_type": "display_data", "data": data}]
    (fact,) = cell_facts({"cells": [{"cell_type": "code", "source": "", "outputs": outputs}]}, None, a_run())
    assert fact.charts == charts

"""The notebook in the report."""

import nbformat
import pytest

from grader.report.notebook import MAX_CELLS, cell_anchor, notebook_cells
from tests.report import samples


def test_cells_are_counted_as_people_count() -> None:
    (first, second) = notebook_cells(samples.notebook(samples.code("1"), nbformat.v4.new_markdown_cell("*x*")))
    assert (first.name, first.anchor, cell_anchor(11)) == ("cell 1", "cell-1", "cell-12")
    assert second.source == "<p><em>x</em></p>\n"


def test_the_picture_wins_over_the_text_of_the_same_output() -> None:
    (cell,) = notebook_cells(
        samples.notebook(samples.code("1", samples.shown(image_png=samples.png(), text_plain="<Figure>")))
    )
    assert [output.kind for output in cell.outputs] == ["image"]
    assert 'alt="Picture drawn by cell 1: &lt;Figure&gt;"' in cell.outputs[0].body


def test_a_refused_picture_leaves_a_note_and_the_text() -> None:
    (cell,) = notebook_cells(
        samples.notebook(samples.code("1", samples.shown(image_png=samples.bomb(), text_plain="<Figure>")))
    )
    assert [output.kind for output in cell.outputs] == ["note", "text"]


@pytest.mark.parametrize("kind", ["image/svg+xml", "application/javascript", "application/vnd.plotly.v1+json"])
def test_an_output_that_could_act_is_named_and_not_shown(kind: str) -> None:
    (cell,) = notebook_cells(
        samples.notebook(samples.code("1", nbformat.v4.new_output("display_data", {kind: "alert(1)"})))
    )
    assert [output.kind for output in cell.outputs] == ["note"]
    assert kind in cell.outputs[0].body
    assert "alert" not in cell.outputs[0].body


def test_html_with_nothing_to_read_gives_way_to_its_text() -> None:
    (cell,) = notebook_cells(
        samples.notebook(samples.code("1", samples.shown(text_html="<script>x</script>", text_plain="a plot")))
    )
    assert [(output.kind, str(output.body)) for output in cell.outputs] == [("text", "a plot")]


def test_pieces_of_one_stream_are_joined() -> None:
    (cell,) = notebook_cells(
        samples.notebook(samples.code("1", samples.printed("a"), samples.printed("b"), samples.printed("c", "stderr")))
    )
    assert [(output.kind, str(output.body)) for output in cell.outputs] == [("text", "ab"), ("stderr", "c")]


def test_long_text_shows_its_first_lines_and_opens_the_rest_on_demand() -> None:
    (cell,) = notebook_cells(samples.notebook(samples.code("1", samples.printed("\n".join(map(str, range(100)))))))
    (output,) = cell.outputs
    assert output.body.count("\n") == 11
    assert output.more_label == "88 more lines"
    assert output.more.endswith("99")


def test_text_without_end_is_cut() -> None:
    (cell,) = notebook_cells(samples.notebook(samples.code("1", samples.printed("x" * 3_000_000))))
    assert len(cell.outputs[0].body) < 21_000
    assert "the whole text is in executed.ipynb" in cell.outputs[0].body


def test_a_cell_that_raised_is_marked() -> None:
    (cell,) = notebook_cells(samples.notebook(samples.code("1", samples.raised("ValueError", "<no>", "line"))))
    assert cell.failed
    assert "<strong>ValueError</strong>: &lt;no&gt;" in cell.outputs[0].body


def test_a_notebook_of_broken_parts_is_still_shown() -> None:
    outputs = [
        None,
        {"output_type": "stream", "text": 5},
        {"output_type": "display_data", "data": {"image/png": [1]}},
        {"output_type": "error", "traceback": 3},
    ]
    code = {"cell_type": "code", "source": ["a", "b", 7], "outputs": outputs, "execution_count": "x"}
    markdown = {"cell_type": "markdown", "source": None, "attachments": [1]}
    cells = notebook_cells({"cells": [code, markdown, "nonsense", {}]})
    assert [cell.kind for cell in cells] == ["code", "markdown", "raw"]
    assert cells[0].source == "ab"


def test_a_notebook_without_end_is_cut() -> None:
    many = {"cells": [{"cell_type": "markdown", "source": "x"}] * (MAX_CELLS + 5)}
    assert len(notebook_cells(many)) == MAX_CELLS


def test_no_notebook_has_no_cells() -> None:
    assert notebook_cells(None) == ()

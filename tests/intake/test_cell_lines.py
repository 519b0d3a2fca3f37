"""The lines of a notebook file that hold the lines of its cells."""

import json
import re
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.intake.cell_lines import cell_lines

SOURCES = ["# Title", "import keras\n\nmodel = keras.Sequential()\nmodel.fit(x, y)", "", "print('[{\"')"]


def notebook(*sources: str) -> Any:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.v4.new_notebook(cells=cells)


def test_each_line_is_found_in_the_usual_layout() -> None:
    text = nbformat.writes(notebook(*SOURCES))
    lines = text.splitlines()
    found = cell_lines(text)
    assert "Title" in lines[found.line(0, 1) - 1]
    assert "keras.Sequential()" in lines[found.line(1, 3) - 1]
    assert "model.fit" in lines[found.line(1, 4) - 1]
    assert "print" in lines[found.line(3) - 1]


def test_a_line_that_a_cell_does_not_have_is_the_line_of_the_cell() -> None:
    text = nbformat.writes(notebook(*SOURCES))
    found = cell_lines(text)
    assert text.splitlines()[found.line(1, 99) - 1].strip() == "{"
    assert text.splitlines()[found.line(2) - 1].strip() == '"source": []' or found.line(2) == found.line(2, 7)


def test_an_unknown_cell_is_the_first_line() -> None:
    found = cell_lines(nbformat.writes(notebook("x = 1")))
    assert [found.line(None), found.line(7), found.line(-1)] == [1, 1, 1]


def test_a_notebook_on_one_line_has_one_line() -> None:
    found = cell_lines(json.dumps(notebook(*SOURCES)))
    assert {found.line(1, 3), found.line(3), found.line(0)} == {1}


def test_a_text_in_one_string_is_on_one_line() -> None:
    text = '{\n "cells": [\n  {\n   "source": "a\\nb\\nc"}]}'
    assert [cell_lines(text).line(0, line) for line in (1, 2, 3, 4)] == [4, 4, 4, 3]


def test_the_last_of_repeated_keys_counts() -> None:
    text = '{"cells": [{"source":\n "a\\nb",\n "source":\n "c"}]}'
    assert cell_lines(text).line(0, 1) == 4


def test_notebooks_of_format_3_have_worksheets() -> None:
    text = '{"worksheets": [\n{"cells": [\n{"input": [\n"a\\n",\n"b"]}]}]}'
    assert [cell_lines(text).line(0, 1), cell_lines(text).line(0, 2)] == [4, 5]


def test_texts_elsewhere_are_no_lines_of_cells() -> None:
    text = '{"metadata": {"cells": [{"source": "x"}]},\n"cells": [{"metadata": {"source": "y"},\n"source": ["z"]}]}'
    assert cell_lines(text).line(0, 1) == 3


@pytest.mark.parametrize("text", ["", "{", "[1, 2", '{"cells": [{"source": ["a"', "not a notebook", '{"cells": [{]}'])
def test_a_broken_file_has_no_lines(text: str) -> None:
    assert cell_lines(text).line(0, 1) == 1


def test_a_deep_file_has_no_lines() -> None:
    assert cell_lines('{"cells": ' + "[" * 100_000).line(0, 1) == 1


def test_a_byte_order_mark_is_skipped() -> None:
    assert cell_lines('\ufeff{"cells": [{\n"source": "a"}]}').line(0, 1) == 2


@given(
    st.lists(st.text(), max_size=4),
    st.sampled_from([None, 0, 1, 3]),
)
def test_lines_are_found_in_any_layout(sources: list[str], indent: int | None) -> None:
    """Each line of a cell, as Python counts them, starts in the line of the file that is named for it."""
    cells = [{"source": source.splitlines(keepends=True)} for source in sources]
    text = json.dumps({"cells": cells}, indent=indent)
    found, lines = cell_lines(text), text.split("\n")
    for place, source in enumerate(sources):
        for number, line in enumerate(re.split("\r\n|\r|\n", source), 1):
            start = next(iter(line.splitlines()), "")
            assert json.dumps(start)[1:-1] in lines[found.line(place, number) - 1]


def test_the_parts_of_a_text_may_end_anywhere() -> None:
    text = '{"cells": [{"source": [\n"a",\n" + 1\\n",\n"\\nb\\n",\n"c"]},\n{"source": ["d\\n",\n"e"]}]}'
    assert [cell_lines(text).line(0, line) for line in (1, 2, 3, 4)] == [2, 4, 4, 5]
    assert [cell_lines(text).line(1, line) for line in (1, 2)] == [6, 7]

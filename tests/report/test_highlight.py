"""Colours in code: they are where Python itself sees tokens, and nothing of the text is lost or can act."""

import html
import io
import keyword
import re
import sys
import tokenize
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.report.highlight import highlighted
from grader.report.text import clean

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted([*(ROOT / "reference").glob("*.ipynb"), *(ROOT / "examples").rglob("*.ipynb")])
_SPAN = re.compile(r'<span class="([a-z])">(.*?)</span>', re.DOTALL)


def _pieces(source: str, wanted: str) -> list[str]:
    return [html.unescape(text) for kind, text in _SPAN.findall(highlighted(source)) if kind == wanted]


def _text(markup: str) -> str:
    return html.unescape(re.sub(r"</?span[^>]*>", "", markup))


def test_code_is_coloured_and_escaped() -> None:
    assert highlighted("def f(): return '<b>'") == (
        '<span class="k">def</span> <span class="f">f</span>(): <span class="k">return</span> '
        '<span class="s">&#39;&lt;b&gt;&#39;</span>'
    )


def test_code_that_reads_otherwise_than_it_runs_is_shown_as_it_runs() -> None:
    assert "⟦U+202E⟧" in highlighted("x = 1 # \u202e 0 = x")


def test_an_attribute_is_no_builtin_and_a_name_no_number() -> None:
    assert _pieces("x1 = a.max(b2, max(3, .5e-3j))", "b") == ["max"]
    assert _pieces("x1 = a.max(b2, max(3, .5e-3j))", "m") == ["3", ".5e-3j"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_colours_are_where_python_sees_tokens(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code" or re.search(r"^\s*[%!]", cell.source, re.MULTILINE):
            continue
        if sys.version_info >= (3, 12) and re.search(r"\b[rR]?[fF]['\"]", cell.source):
            continue  # from there on its tokens are the pieces of an f-string
        try:
            tokens = list(tokenize.generate_tokens(io.StringIO(cell.source).readline))
        except (tokenize.TokenError, IndentationError):
            continue  # an unfinished cell
        for kind, wanted in ((tokenize.COMMENT, "c"), (tokenize.STRING, "s"), (tokenize.NUMBER, "m")):
            assert _pieces(cell.source, wanted) == [token.string for token in tokens if token.type == kind]
        words = [t.string for t in tokens if t.type == tokenize.NAME and keyword.iskeyword(t.string)]
        assert _pieces(cell.source, "k") == words


@given(st.text(st.sampled_from(list("'\"#\\\n rbfdef class@x.0e_<&é")) | st.characters(), max_size=200))
def test_nothing_is_lost_and_nothing_can_act(source: str) -> None:
    markup = highlighted(source)
    assert _text(markup) == clean(source)
    assert "<" not in re.sub(r'<span class="[a-z]">|</span>', "", markup)


@pytest.mark.parametrize("piece", ["'", '"""', "\\", "'\\", "1e", "def ", "@a", "\n'''", ".", "_", "f'{"])
def test_a_crafted_cell_is_coloured_in_one_pass(piece: str) -> None:
    source = piece * (40_000 // len(piece))
    assert _text(highlighted(source)) == clean(source)

"""Colours in Python source."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.report.highlight import highlighted


def test_code_is_coloured_and_escaped() -> None:
    assert highlighted("def f(): return '<b>'") == (
        '<span class="k">def</span> <span class="f">f</span>(): <span class="k">return</span> '
        '<span class="s">&#39;</span><span class="s">&lt;b&gt;</span><span class="s">&#39;</span>'
    )


def test_code_that_reads_otherwise_than_it_runs_is_shown_as_it_runs() -> None:
    assert "⟦U+202E⟧" in highlighted("x = 1 # \u202e 0 = x")


@given(st.text(st.sampled_from("ab'\"#<>&\\ \n()=@%!1.f"), max_size=80))
def test_whatever_is_coloured_nothing_of_it_is_lost(source: str) -> None:
    plain = re.sub(r"</?span[^>]*>", "", highlighted(source))
    assert html.unescape(plain) == source


@pytest.mark.parametrize("piece", ["\n    ", " ", "\n"])
def test_code_with_very_many_blanks_is_shown_without_colors(piece: str) -> None:
    assert "span" not in highlighted(f"x = 1{piece * 20_000}y = 'a'")
    assert "span" in highlighted(f"x = 1{piece * 100}y = 'a'")

"""Grades in a notebook: complete, harmless, and readable as plain text."""

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import grader
from grader.report.shown import enable_display, show
from grader.schema.grade import CriterionGrade, Grade
from tests.support.mailing import a_grade

EVIL = "<script>alert(1)</script> **bold** [x](javascript:y) | `a<b` \u202e"


def with_text(text: str) -> Grade:
    line = CriterionGrade(id="c", title=text, points=1, max_points=2, status="partial", message=text, advice=text)
    return a_grade("ada").model_copy(
        update={"criteria": (line,), "status": "not_graded", "score": None, "reason": text}
    )


def test_a_grade_is_shown_with_its_criteria() -> None:
    grade = a_grade("ada")
    html, text = show(grade)._repr_html_(), str(show(grade))
    assert grade.criteria
    for line in grade.criteria:
        assert line.title in html
        assert line.title in text
    assert f"{grade.max_score:g} points" in text
    assert repr(show(grade)) == show(grade)._repr_markdown_() == text


def test_several_grades_are_a_table() -> None:
    shown = grader.show([a_grade("ada"), a_grade("ben")])
    assert shown._repr_html_().count("<tr>") == 3
    assert len(str(shown).splitlines()) == 4
    assert str(show([])).startswith("| Student")


def test_a_grade_that_was_not_made_is_no_zero() -> None:
    assert "This is not a score of zero." in str(show(with_text("no sandbox")))


@given(text=st.text(max_size=60) | st.text("`|<a>\\[]*_#", max_size=12) | st.just(EVIL))
def test_texts_of_students_are_only_texts(text: str) -> None:
    for grades in (with_text(text), [with_text(text)]):
        html, lines = show(grades)._repr_html_(), str(show(grades))
        assert set(re.findall(r"</?(\w+)", html)) <= {
            *("div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "bdi", "code", "em", "br", "ul", "li")
        }
        assert set(re.findall(r"</?(\w+)", MarkdownIt("commonmark", {"html": True}).enable("table").render(lines))) <= {
            *("p", "strong", "table", "thead", "tbody", "tr", "th", "td", "code", "ul", "li")
        }
        html.encode()
        lines.encode()


def test_outside_of_ipython_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = repr(a_grade("ada"))
    enable_display()
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    enable_display()
    assert repr(a_grade("ada")) == before

"""Mails and their preview in a real Chromium: on a phone, in dark mode, and without styles."""

import re
from pathlib import Path
from typing import Any

import pytest

from grader.delivery.letter import grade_sent
from grader.delivery.preview import Row, preview_html, render_index
from grader.delivery.rendering import render
from grader.facts.language import language
from tests.report import samples
from tests.report.test_browser import opened
from tests.support.accessibility import violations
from tests.support.mailing import TEMPLATES, a_grade, a_letter, a_student

pytestmark = pytest.mark.chromium

CONTRAST = """() => {
  const part = text => text.match(/[\\d.]+/g).map(Number);
  const light = rgb => { const [r, g, b] = rgb.map(v => v / 255).map(
      v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = node => { for (let n = node; n; n = n.parentElement) {
      const c = part(getComputedStyle(n).backgroundColor); if (c.length === 3 || c[3] > 0) return c; }
    return [255, 255, 255]; };
  return [...document.querySelectorAll('h1, h2, p, li, a, strong, td')].filter(n => n.innerText.trim()).map(n => {
    const [a, b] = [light(part(getComputedStyle(n).color)), light(ground(n))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05); }).reduce((x, y) => Math.min(x, y), 21); }"""
"""The smallest contrast of a text with the color behind it."""


def message() -> str:
    """A message with every part."""
    letter = a_letter(samples.rich_grade(), before=grade_sent(a_grade()), report="https://example.org/report.html")
    return preview_html(render(letter, language("en"), TEMPLATES, picture="cid:curves"), "curves")


def index() -> str:
    """The page of a mailing, with every kind of row."""
    states = ("would be sent", "sent", "waiting", "done", "held", "skipped", "unknown", "refused")
    rows = [Row(f"s{n}", "Jana", "j@example.org", "Feedback", state, "why " * 20) for n, state in enumerate(states)]
    return render_index(rows, [a_student("zoe")], TEMPLATES.shipped)


PAGES = {"message": message, "index": index}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.slow
def test_a_page_fits_and_can_be_read(browser: Any, name: str, width: int, scheme: str, tmp_path: Path) -> None:
    with opened(browser, PAGES[name](), tmp_path, width, color_scheme=scheme) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        assert seen.page.evaluate(CONTRAST) >= 4.5
        assert violations(seen.page) == []
        assert [url for url in seen.requests if not url.startswith(("file:", "data:image/png"))] == []
        assert (seen.errors, seen.console) == ([], [])


def test_a_message_without_its_style_sheet_looks_the_same(browser: Any, tmp_path: Path) -> None:
    html = message()
    plain = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    assert plain != html
    heights = []
    for text in (html, plain):
        with opened(browser, text, tmp_path, 390, color_scheme="light") as seen:
            heights.append(seen.page.evaluate("document.body.scrollHeight"))
            assert seen.page.evaluate(CONTRAST) >= 4.5
    assert heights[0] == heights[1]


def test_a_message_without_any_style_is_complete(browser: Any, tmp_path: Path) -> None:
    bare = re.sub(r"<style>.*?</style>| style=\"[^\"]*\"", "", message(), flags=re.DOTALL)
    with opened(browser, bare, tmp_path, 390) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= 390
        order = seen.page.evaluate("[...document.querySelectorAll('h1, h2')].map(h => h.innerText)")
    assert order[0] == samples.rich_grade().rubric.title
    assert order[-3:] == ["Your training", "Your report", "If you disagree"]

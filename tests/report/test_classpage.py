"""The page of a class."""

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest

from grader.report.classpage import ClassRow, class_row, render_class_page
from grader.schema.grade import Grade
from tests.report import samples


def _rows() -> list[ClassRow]:
    best = samples.rich_grade().model_copy(update={"score": 96.0, "pending": 0.0})
    grades: Sequence[Grade] = (samples.rich_grade(), samples.failing_grade(), samples.ungraded(), best)
    return [class_row(grade, f"{index}/report.html") for index, grade in enumerate(grades)]


@pytest.fixture(scope="module")
def page(templates: Path) -> str:
    """The page of four submissions."""
    return render_class_page(_rows(), title="MNIST", templates=templates)


def _plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_each_submission_has_a_line_with_score_verdicts_accuracy_and_a_link(page: str) -> None:
    line = page[page.index('<a href="./0/report.html">') :].partition("</tr>")[0]
    assert '<td class="sum" data-v="70.5">70.5</td>' in line
    assert '<td class="q">34.5</td>' in line
    assert '<td class="w"></td>' in line
    assert "98.85" in line
    assert '<td class="l">completed</td>' in line


def test_a_submission_that_was_not_graded_has_its_reason_instead_of_a_score(page: str) -> None:
    line = page[page.index("Cleo Late") :].partition("</tr>")[0]
    assert "not graded yet No score: the sandbox did not start" in _plain(line)
    assert "sum" not in line


def test_the_head_gives_the_figures_of_the_class_without_what_was_not_graded(page: str) -> None:
    head = _plain(page[page.index("<header") : page.index("</header>")])
    assert "Submissions 4 Mean score 55.5 Median score 70.5" in head
    assert "Not graded yet 1" in head


def test_attempts_and_borderline_criteria_are_told_modestly(templates: Path, page: str) -> None:
    grades = (samples.several_grade(), samples.ungraded())
    told = render_class_page([class_row(grade, None) for grade in grades], title="MNIST", templates=templates)
    line = told[told.index("Ada Lovelace") :].partition("</tr>")[0]
    assert '<td class="l">2 of 4: 61 to 70.5</td>' in line
    assert "borderline ≈ 34.5" in _plain(line)
    assert "data-borderline" in told[: told.index("Ada Lovelace")]
    assert "Borderline 1" in _plain(told[told.index("<header") : told.index("</header>")])
    for absent in ("data-borderline", ">Attempt<", "borderline: a person should look"):
        assert absent not in page


def test_each_criterion_says_how_many_missed_it(page: str) -> None:
    items = _plain(page[page.index('<table class="items">') :])
    assert "The notebook runs from top to bottom" in items
    assert "2 0 1 67 %" in items


def test_the_spread_of_scores_is_drawn_with_its_figures(page: str) -> None:
    assert "0 % to 10 %: 1; 70 % to 80 %: 1; 90 % to 100 %: 1." in page


def test_only_the_page_s_own_script_is_allowed_and_by_its_hash(page: str) -> None:
    assert page.count("<script>") == 1
    assert re.search(r"script-src &#39;sha256-[^;]+&#39;;", page)
    assert "unsafe-inline" not in page


def test_a_name_cannot_leave_its_cell_nor_a_link_the_folder(templates: Path) -> None:
    grade = samples.attack_grade()
    row = class_row(grade, "javascript:alert(1)//evil")
    page = render_class_page([row], title="<script>alert(1)</script>", templates=templates)
    assert page.count("<script>") == 1
    assert 'href="./javascript%3Aalert%281%29//evil"' in page


def test_a_class_without_submissions_has_a_page(templates: Path) -> None:
    assert "There are no submissions." in render_class_page([], title="MNIST", templates=templates)


def test_two_thousand_submissions_make_a_page_of_moderate_size(templates: Path) -> None:
    rows = _rows() * 500
    page = render_class_page(rows, title="MNIST", templates=templates)
    assert len(page) < 2_000_000


def test_every_tag_of_the_page_is_closed(page: str) -> None:
    class Balance(HTMLParser):
        open: list[str] = []  # noqa: RUF012  one instance

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            del attrs
            if tag not in {"meta", "br", "img"}:
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    balance = Balance()
    balance.feed(page)
    assert balance.open == []

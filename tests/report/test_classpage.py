"""The page of a class."""

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest

from grader.facts.language import language
from grader.report.classpage import ClassRow, class_row
from grader.schema.grade import Grade
from tests.report import samples
from tests.support.whole_class_page import whole_class_page


def _rows() -> list[ClassRow]:
    best = samples.rich_grade().model_copy(update={"score": 96.0, "pending": 0.0})
    grades: Sequence[Grade] = (samples.rich_grade(), samples.failing_grade(), samples.ungraded(), best)
    return [class_row(grade, f"{index}/report.html") for index, grade in enumerate(grades)]


@pytest.fixture(scope="module")
def page(templates: Path) -> str:
    """The page of four submissions."""
    return whole_class_page(_rows(), title="MNIST", templates=templates)


def _line(page: str, name: str) -> str:
    """The table row of a student."""
    body = page[page.index("<tbody>") :]
    return body[body.index(name) :].partition("</tr>")[0]


def _plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_each_submission_has_a_line_with_score_verdicts_accuracy_and_a_link(page: str) -> None:
    line = _line(page, '<a href="./0/report.html">')
    assert '<td class="sum" data-v="70.5">70.5</td>' in line
    assert '<td class="p"></td>' in line
    assert '<td class="q" data-v="34.5">34.5</td>' in line
    assert '<td class="w"></td>' in line
    assert "98.85" in line
    assert '<td class="l">completed</td>' in line


def test_a_submission_that_was_not_graded_has_its_reason_instead_of_a_score(page: str) -> None:
    line = _line(page, "Cleo Late")
    assert "not graded yet No score: the sandbox did not start" in _plain(line)
    assert "sum" not in line


def test_the_head_counts_submissions_and_names_the_rubric(page: str) -> None:
    head = _plain(page[page.index("<header") : page.index("</header>")])
    assert "3 graded 1 not graded yet rubric cdcdcd" in head
    assert 'href="./grades.csv"' in page


def test_mean_and_median_leave_out_what_was_not_graded(page: str) -> None:
    assert "Mean 55.5, median 70.5 of 100." in _plain(page)


def test_the_page_can_be_in_german(templates: Path) -> None:
    page = whole_class_page(_rows(), title="MNIST", templates=templates, language=language("de"))
    assert '<html lang="de">' in page
    text = _plain(page)
    assert "Mittel 55,5, Median 70,5 von 100." in text
    assert "1 lief mit Fehlern" in text
    assert '<td class="sum" data-v="70.5">70,5</td>' in page
    assert re.search(r'data-v="0.9885"[^>]*>98,85', page)


def test_a_rounded_cell_has_its_exact_points(templates: Path) -> None:
    grade = samples.rich_grade()
    criteria = tuple(c.model_copy(update={"points": 30.86}) if c.points == 34.5 else c for c in grade.criteria)
    row = class_row(grade.model_copy(update={"criteria": criteria}), None)
    line = _line(whole_class_page([row], title="MNIST", templates=templates), "Ada Lovelace")
    assert '<td class="q" data-v="30.86" title="30.86 of 40">30.9</td>' in line


def test_attempts_and_borderline_criteria_are_told_modestly(templates: Path, page: str) -> None:
    grades = (samples.several_grade(), samples.ungraded())
    told = whole_class_page([class_row(grade, None) for grade in grades], title="MNIST", templates=templates)
    line = _line(told, "Ada Lovelace")
    assert '<td class="l">2 of 4: 61 to 70.5</td>' in line
    assert "borderline ≈ 34.5" in _plain(line)
    assert '<tr data-f="w b n0 n1">' in told
    assert "1 is borderline" in _plain(told)
    for absent in (">Attempt<", "borderline: a person should look"):
        assert absent not in page


def test_each_criterion_says_how_many_missed_it(page: str) -> None:
    items = page[page.index('<table class="items analysis">') :]
    hardest = _plain(items[items.index("<tbody>") :].partition("</tr>")[0])
    assert "criterion-5 The learning curves are plotted" in hardest
    runs = next(line for line in items.split("</tr>") if "The notebook runs from top to bottom" in line)
    assert 'href="./1/report.html"' in runs
    assert 'href="./0/report.html"' not in runs
    assert re.search(r"2 0 1 0 67 % 67 % –", _plain(runs))
    assert "It is undefined (–) below 20 judged submissions" in _plain(items)


def test_the_spread_of_scores_is_drawn_with_its_figures(page: str) -> None:
    assert "0 % to 10 %: 1; 70 % to 80 %: 1; 90 % to 100 %: 1." in page


def test_only_the_page_s_own_script_is_allowed_and_by_its_hash(page: str) -> None:
    assert page.count("<script>") == 1
    assert re.search(r"script-src &#39;sha256-[^;]+&#39;;", page)
    assert "unsafe-inline" not in page


def test_a_name_cannot_leave_its_cell_nor_a_link_the_folder(templates: Path) -> None:
    grade = samples.attack_grade()
    row = class_row(grade, "javascript:alert(1)//evil")
    page = whole_class_page([row], title="<script>alert(1)</script>", templates=templates)
    assert page.count("<script>") == 1
    assert 'href="./javascript%3Aalert%281%29//evil"' in page


def test_a_class_without_submissions_has_a_page(templates: Path) -> None:
    assert "There are no submissions." in whole_class_page([], title="MNIST", templates=templates)


def test_two_thousand_submissions_make_a_page_of_moderate_size(templates: Path) -> None:
    rows = _rows() * 500
    page = whole_class_page(rows, title="MNIST", templates=templates)
    assert len(page) < 2_000_000


def test_every_tag_of_the_page_is_closed(page: str) -> None:
    class Balance(HTMLParser):
        open: list[str] = []  # noqa: RUF012  one instance

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            del attrs
            if tag not in {"meta", "br", "img", "input"}:
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    balance = Balance()
    balance.feed(page)
    assert balance.open == []

"""Pages in another language: each of their words goes through the catalog, except for names and data."""

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from grader.facts.language import language
from grader.report.classpage import class_row
from grader.report.page import render_report
from grader.report.plain import plain_report
from grader.schema.grade import Grade
from grader.schema.message import say
from tests.report import samples
from tests.support.visible import MARKED, unmarked
from tests.support.whole_class_page import whole_class_page

_WORDS = re.compile(r"[^\W\d_]{2,}")
DATA = {
    *("MNIST", "test", "Keras", "tf_keras", "bubblewrap", "cpu", "MiB", "GiB", "KiB", "min", "mnist"),
    *("grades", "csv"),
}
"""Names and units that are the same in every language."""


def words_of(*documents: Any) -> set[str]:
    """List the words of the texts in documents, which are not messages in these samples; keys do not count."""
    words: set[str] = set()
    for document in documents:
        if isinstance(document, BaseModel):
            words |= words_of(dict(document))
        elif isinstance(document, Mapping):
            words |= words_of(*document.values())
        elif isinstance(document, (list, tuple)):
            words |= words_of(*document)
        elif isinstance(document, str):
            words |= set(_WORDS.findall(document))
    return words


def measures(grade: Grade) -> set[str]:
    """List the words of measured values' names, which are shown as they are if the check has no labels for them."""
    return {word for line in grade.criteria for key in line.measured for word in key.split("_")}


def test_each_word_of_a_report_is_a_message_or_data(rich: dict[str, Any]) -> None:
    page = render_report(**rich, language=MARKED)
    known = (
        DATA | words_of(rich["grade"], rich["evidence"], rich["reference"], rich["notebook"]) | measures(rich["grade"])
    )
    assert unmarked(page) - known == set()


def test_each_word_of_a_class_page_is_a_message_or_data(templates: Path) -> None:
    grades = (samples.rich_grade(), samples.several_grade(), samples.failing_grade(), samples.ungraded())
    rows = [class_row(grade, f"{index}/report.html") for index, grade in enumerate(grades)]
    page = whole_class_page(rows, title="MNIST", templates=templates, language=MARKED)
    known = DATA | words_of(*grades)
    assert unmarked(page) - known == set()


def test_titles_of_a_rubric_are_in_the_language_of_each_page(rich: dict[str, Any], templates: Path) -> None:
    grade = rich["grade"]
    titles = [grade.rubric.title, *(line.title for line in grade.criteria)]
    german = language("de").with_texts({title: f"Titel {place:02}" for place, title in enumerate(titles)})
    report = render_report(**rich, language=german)
    rows = [class_row(grade, "ada/report.html")]
    overview = whole_class_page(rows, title=grade.rubric.title, templates=templates, language=german)
    for page in (report, overview):
        assert all(f"Titel {place:02}" in page for place, _ in enumerate(titles))
        assert [title for title in titles if escape(title) in page] == []


@pytest.mark.parametrize(("code", "number"), [("en", "98.85 %"), ("de", "98,85 %")])
def test_a_page_names_its_language_and_writes_numbers_in_it(rich: dict[str, Any], code: str, number: str) -> None:
    page = render_report(**rich, language=language(code))
    assert f'<html lang="{code}">' in page
    assert number in page.replace("\N{NO-BREAK SPACE}", " ")


def test_the_page_without_templates_is_in_its_language_too() -> None:
    failure = say("The grader could not render the whole report ({error:raw}).", error="KeyError")
    page = plain_report(samples.rich_grade(), failure, language("de"))
    assert '<html lang="de">' in page
    assert "70,5 von " in page
    assert "Volle Punktzahl" in page
    assert escape(language("de").text(failure)) in page

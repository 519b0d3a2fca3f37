"""What a message says, in both of its parts."""

import io
import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from grader.delivery.letter import Curves, digest_of_grade, grade_sent, letter
from grader.delivery.picture import curves_png, curves_say
from grader.delivery.rendering import LARGEST_HTML, TEXT_WIDTH, render, wrapped
from grader.facts.language import language
from grader.schema.grade import Grade
from grader.schema.message import literal
from tests.report import samples
from tests.support.mailing import TEMPLATES, a_criterion, a_grade, a_letter

EN = language("en")


def text_of(grade: Grade | None = None, **keys: object) -> str:
    return render(a_letter(grade, **keys), EN, TEMPLATES, picture="cid:x").text


def test_the_text_of_a_first_message() -> None:
    text = text_of(object_until=date(2026, 12, 13), report="https://example.org/r/amara/report.html")
    assert text == (
        "A sample\n\nHello Amara Ö.,\n\nyour notebook was executed and graded.\n\n24 of 44 points.\n\n"
        "BEGIN WITH CELL 5, LINE 2\n\n    history = ###\nSyntaxError: invalid syntax\n\n"
        "WHAT BRINGS THE MOST POINTS\n\n"
        "1. Title of accuracy (+13)\n   Seen in accuracy.\n   Train `model` longer. Use dropout.\n"
        "2. Title of runs (+4) – cell 5, line 2\n   Cell 5 raised an error.\n"
        "3. Title of trap (+3)\n   The hidden trap was missed.\n\n"
        "WHAT WENT WELL\n\n- Title of shape\n\n"
        "YOUR TRAINING\n\nAccuracy over 3 epochs: training ends at 99 %, validation at 98 %.\n\n"
        "YOUR REPORT\n\nhttps://example.org/r/amara/report.html\n\n"
        "IF YOU DISAGREE\n\nReply to this message until December 13, 2026, and name the criterion. A\n"
        "person reads your reply.\n\n--\n"
        "This message was made by a program that executed your notebook. A person of\n"
        "the course is responsible for it.\n"
    )


def test_what_is_open_is_named_and_not_counted() -> None:
    text = text_of(a_grade(pending=True))
    assert "24 of 44 points so far." in text
    assert "A person still reads one answer, for up to 5 points." in text


def test_a_course_can_keep_points_out_of_mail() -> None:
    before = grade_sent(a_grade(accuracy=1.0))
    rendered = render(a_letter(a_grade(pending=True), before=before, scores=False), EN, TEMPLATES, picture="")
    for part in (rendered.text, re.sub(r"<style>.*?</style>| style=\"[^\"]*\"|width=\"[^\"]*\"", "", rendered.html)):
        assert not re.search(r"\bpoints|\+\d|\d of \d", part)
        assert "Title of accuracy: " in part
        assert "partly met" in part


def test_at_most_five_steps_are_named_and_the_others_counted() -> None:
    criteria = tuple(a_criterion(f"c{n}", 0, 1 + n) for n in range(9))
    text = text_of(a_grade(criteria=criteria))
    assert re.findall(r"^\d\. Title of c(\d)", text, re.MULTILINE) == ["8", "7", "6", "5", "4"]
    assert "4 more criteria are in the report." in text


def test_a_notebook_that_could_not_be_executed_says_why() -> None:
    text = text_of(a_grade(execution=None, score=0.0, reason="It is not a notebook."), curves=None)
    assert "THE NOTEBOOK COULD NOT BE EXECUTED\n\nIt is not a notebook.\n" in text


def test_every_word_of_a_student_or_a_rubric_is_escaped() -> None:
    evil = "<img src=x onerror=alert(1)>"
    grade = a_grade(criteria=(a_criterion("c", 0, 1, title=evil, says=literal(f"`{evil}` {evil}"), advice=evil),))
    rendered = render(a_letter(grade, name=evil, sources={4: f"x\n{evil}"}), EN, TEMPLATES, picture="")
    assert "<img src=x" not in rendered.html
    assert "&lt;img" in rendered.html


@pytest.mark.parametrize("make", [samples.rich_grade, samples.failing_grade, samples.attack_grade, a_grade])
@pytest.mark.parametrize("code", ["en", "de"])
def test_the_html_is_small_and_needs_no_style_sheet(make: object, code: str) -> None:
    grade = make()  # type: ignore[operator]
    rendered = render(a_letter(grade, before=grade_sent(a_grade())), language(code), TEMPLATES, picture="cid:x")
    html = rendered.html
    assert len(html.encode()) < LARGEST_HTML
    assert max(map(len, rendered.text.splitlines())) <= TEXT_WIDTH
    assert "var(" not in html
    assert "data:" not in html
    assert html.count("<table") - html.count("[if mso]><table") == html.count('role="presentation"') - 1
    assert "max-width:600px" in html
    assert all('alt="' in tag for tag in re.findall("<img[^>]*>", html))


def test_the_largest_message_stays_small() -> None:
    long = "A very long sentence about the network, and what it should be. " * 30
    criteria = tuple(a_criterion(f"c{n}", 0, 9, title=long[:200], message=long, advice=long) for n in range(30))
    grade = a_grade(criteria=criteria)
    rendered = render(a_letter(grade, before=grade_sent(a_grade())), EN, TEMPLATES, picture="cid:x")
    assert len(rendered.html.encode()) < LARGEST_HTML


@given(st.text())
def test_any_text_is_wrapped_and_no_word_is_lost(text: str) -> None:
    lines = wrapped(text)
    assert all(len(line) <= TEXT_WIDTH for line in lines.splitlines())
    assert re.sub(r"\s", "", lines) == re.sub(r"\s", "", text)


def test_a_web_address_stays_whole() -> None:
    address = f"https://example.org/{'a' * 100}/report.html"
    assert address in wrapped(f"See {address} now").splitlines()


def test_the_picture_is_small_and_says_what_it_shows() -> None:
    curves = Curves({"accuracy": (0.9, 0.95), "val_accuracy": (0.9, 0.94)})
    png = curves_png(curves, EN)
    assert png is not None
    assert len(png) < 20_000
    assert Image.open(io.BytesIO(png)).size == (1072, 440)
    assert EN.text(curves_say(curves)) == "Accuracy over 2 epochs: training ends at 95 %, validation at 94 %."


def test_the_loss_is_drawn_where_no_accuracy_is_known() -> None:
    curves = Curves({"loss": (2.0, None, float("nan"), 0.5), "accuracy": (None, None)})
    assert curves_png(curves, EN) is not None
    assert EN.text(curves_say(curves)) == "Loss over 4 epochs: training ends at 0.5."


@pytest.mark.parametrize("values", [{}, {"accuracy": (0.9,)}, {"loss": (None, float("inf"))}])
def test_nothing_is_drawn_where_there_is_no_curve(values: dict[str, tuple[float | None, ...]]) -> None:
    assert curves_png(Curves(values), EN) is None
    assert not curves_say(Curves(values))


def test_the_digest_follows_points_and_verdicts_not_words() -> None:
    grade = a_grade()
    worded = grade.model_copy(update={"diagnostics": (), "execution": None})
    assert digest_of_grade(grade) == digest_of_grade(worded)
    assert digest_of_grade(grade) != digest_of_grade(a_grade(accuracy=20.5))


def test_criteria_that_came_or_went_are_changes() -> None:
    grade = a_grade()
    changed = letter(
        grade.model_copy(update={"criteria": grade.criteria[1:]}), name="", before=grade_sent(a_grade(pending=True))
    )
    assert [(one.title, one.before is None, one.after is None) for one in changed.changes] == [
        ("runs", False, True),
        ("explained", False, True),
    ]

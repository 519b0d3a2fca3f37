"""Annotations and the job summary of GitHub Actions."""

import math
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from grader.delivery.github import LARGEST_SUMMARY, annotations, commands, escaped, job_summary
from grader.facts.language import language
from grader.facts.quick import ENDED, NOT_JUDGED
from grader.report.curves import Curves
from grader.schema.base import Pointer
from grader.schema.grade import CauseGrade, DiagnosticGrade, Grade
from grader.schema.message import literal, say
from tests.support.mailing import a_criterion, a_grade

ENGLISH, GERMAN = language("en"), language("de")
ANY_TEXT = st.text(st.characters(exclude_categories=()))
CURVES = Curves(
    epochs=3, accuracy=(0.5, 0.7, 0.8), val_accuracy=(0.4, 0.6, 0.7), loss=(2.0, 1.0, 0.5), val_loss=(None, 1.5, 1.0)
)


def line_of(cell: int | None, line: int | None) -> int:
    """A file in which each cell has a hundred lines."""
    return 1 if cell is None else 100 * cell + (line or 0)


def told(grade: Grade) -> list[str]:
    return list(commands(annotations(grade, line_of, ENGLISH), "work/a.ipynb"))


def a_cause(cell: int = 2, line: int | None = 3) -> CauseGrade:
    return CauseGrade(
        kind="error",
        cell=cell,
        line=line,
        code="x = modell",
        message="-",
        says=say("{cell:Cell} raised an error.", cell=cell),
        advice="Define it.",
    )


def test_a_missed_criterion_is_an_annotation_on_its_line() -> None:
    line = a_criterion("shape", 0, 4, title="A shape", evidence=(Pointer(cell=7),), advice="Add an axis: one, two.")
    (only,) = told(a_grade(criteria=(line,), execution=None))
    assert only == (
        "::error file=work/a.ipynb,line=700,endLine=700,title=A shape · 0 of 4 points::"
        "Seen in shape.%0AAdd an axis: one, two."
    )


def test_a_partly_met_criterion_and_a_missed_bonus_are_warnings() -> None:
    lines = (a_criterion("part", 2, 4), a_criterion("extra", 0, 4, bonus=True))
    assert [one.partition(" ")[0] for one in told(a_grade(criteria=lines, execution=None))] == ["::warning"] * 2


def test_a_cause_of_several_criteria_is_one_annotation() -> None:
    lines = tuple(a_criterion(name, 0, 4, cause=a_cause()) for name in ("first", "second"))
    (only,) = told(a_grade(criteria=lines, execution=None))
    assert ",line=203,endLine=203,title=Cell 3 raised an error.::Define it.%0A" in only
    assert only.endswith("2 criteria with 8 points depend on this.%0A- Title of first%0A- Title of second")


def test_errors_and_notes_are_annotated_once() -> None:
    note = DiagnosticGrade(id="x", title="A note", cell=1, message="Look here.", advice="Do that.")
    unfinished = DiagnosticGrade(id="unfinished-cell", title="Unfinished", cell=2, message="-", advice="-")
    line = a_criterion("first", 0, 4, cause=a_cause())
    found = told(a_grade(criteria=(line,), diagnostics=(note, unfinished)))
    assert [re.sub(r"title=|::[A-Z].*", "", one.split(",")[-1]) for one in found] == [
        "Title of first · 0 of 4 points",
        "SyntaxError%3A invalid syntax",
        "A note",
    ]
    assert "line=402," in found[1]


def test_the_reason_of_a_notebook_that_was_not_run_is_the_only_annotation() -> None:
    grade = a_grade(criteria=(a_criterion("first", 0, 4), a_criterion("second", 0, 4)), reason="the file is empty")
    found = annotations(grade, line_of, ENGLISH)
    assert [(one.level, one.title, one.message) for one in found] == [
        ("error", "The notebook was not run", "the file is empty")
    ]


def test_an_error_that_may_come_from_a_quick_run_is_a_warning() -> None:
    line = a_criterion("runs", 0, 4, status="pending", says=ENDED)
    grade = a_grade(criteria=(line,), quick=True)
    assert [(one.level, one.title) for one in annotations(grade, line_of, ENGLISH)] == [
        ("warning", "SyntaxError: invalid syntax")
    ]
    assert "perhaps only because it was a quick one" in told(grade)[0]
    text = page(summary(grade)).text
    assert "SyntaxError: invalid syntax · cell 5" in text
    assert "perhaps only because it was a quick one" in text


def test_there_are_at_most_ten_of_a_kind() -> None:
    lines = tuple(a_criterion(f"c{n}", n % 2, 4) for n in range(60))
    found = told(a_grade(criteria=lines, execution=None))
    assert [sum(one.startswith(f"::{level} ") for one in found) for level in ("error", "warning", "notice")] == [
        10,
        10,
        0,
    ]


def test_a_failure_of_the_grader_is_an_error_on_the_first_line() -> None:
    (only,) = told(a_grade(status="not_graded", score=None, criteria=(), reason="disk full"))
    assert only.startswith("::error file=work/a.ipynb,line=1,")
    assert only.endswith("::disk full")


@pytest.mark.parametrize(
    ("text", "data", "inside"),
    [
        ("50 %\r\na: b, c", "50 %25%0Aa: b, c", None),
        ("::stop-commands::x", "::stop-commands::x", "%3A%3Astop-commands%3A%3Ax"),
        ("a,b:c", "a,b:c", "a%2Cb%3Ac"),
    ],
)
def test_commands_are_escaped(text: str, data: str, inside: str | None) -> None:
    assert escaped(text) == data
    if inside is not None:
        assert escaped(text, inside=True) == inside


@given(ANY_TEXT)
def test_no_text_ends_a_command_or_starts_one(text: str) -> None:
    note = DiagnosticGrade(id="x", title=text, message=text, advice=text, says=literal(text))
    lines = (a_criterion("a", 0, 4, title=text, says=literal(text)), a_criterion("b", 1, 4, message=text, advice=text))
    found = told(a_grade(criteria=lines, diagnostics=(note,), execution=None))
    assert len(found) == 3
    for one in found:
        assert len(one.splitlines()) == 1
        assert re.fullmatch(r"::(error|warning|notice) file=[^,:]*,line=\d+,endLine=\d+,title=[^,:]*::.*", one)


# ---------------------------------------------------------------------------------------------------------------------


class _Tags(HTMLParser):
    """Collects the tags of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page(markdown: str) -> _Tags:
    """Render a summary as GitHub does, before it sanitizes: with HTML, tables and automatic links."""
    renderer = MarkdownIt("gfm-like", {"html": True, "linkify": False})
    tags = _Tags()
    tags.feed(renderer.render(markdown))
    return tags


def summary(grade: Grade, curves: Curves | None = CURVES) -> str:
    return job_summary(grade, curves, ENGLISH)


def test_a_summary_has_score_cause_and_criteria() -> None:
    lines = tuple(a_criterion(name, 0, 4, cause=a_cause()) for name in ("first", "second"))
    text = page(summary(a_grade(criteria=(*lines, a_criterion("third", 4, 4)), score=4.0))).text
    assert "4 of 12 points" in text
    assert "Next step (up to 8 points): Define it." in text
    assert "Cell 3 raised an error. · cell 3, line 3" in text
    assert "x = modell" in text
    assert text.index("Next step") < text.index("What is missing") < text.index("All criteria")


def test_points_that_wait_are_counted_by_what_they_wait_for() -> None:
    unjudged = a_criterion("accuracy", 0, 30, status="pending", says=NOT_JUDGED)
    person = a_criterion("explained", 0, 5, status="pending")
    grade = a_grade(criteria=(unjudged, person, a_criterion("shape", 4, 4)), score=4.0, quick=True)
    text = page(summary(grade)).text
    assert "4 of 4 points" in text
    assert "30 points: not judged in a quick run" in text
    assert "5 points: a person judges them later" in text
    assert "mermaid" not in summary(grade)


def test_curves_are_charts_that_github_draws() -> None:
    written = summary(a_grade())
    assert written.count("```mermaid") == 2
    assert "  line [50, 70, 80]\n  line [40, 60, 70]" in written
    # The validation loss of the first epoch is unknown, so there is no line.
    assert "  line [2, 1, 0.5]\n```" in written
    assert "training, at the end 80 % · 🟠 validation, at the end 70 %" in page(written).text


@pytest.mark.parametrize(
    "curves",
    [
        None,
        Curves(),
        Curves(epochs=1, loss=(1.0,)),
        Curves(epochs=2, loss=(math.nan, 1.0)),
        Curves(epochs=2, loss=(None, 1.0)),
    ],
)
def test_without_a_whole_curve_there_is_no_chart(curves: Curves | None) -> None:
    assert "mermaid" not in summary(a_grade(), curves)


def test_numbers_have_no_exponent() -> None:
    written = summary(a_grade(), Curves(epochs=2, accuracy=(1e-7, 0.999), loss=(-123456.7, 1234567.8)))
    assert "  line [0.00001, 99.9]" in written
    assert "  line [-123456.7, 1234567.8]" in written
    assert "mermaid" not in summary(a_grade(), Curves(epochs=2, loss=(1.0, 1e30)))


def test_a_long_training_has_few_points() -> None:
    values = tuple(1 / (n + 1) for n in range(2_000))
    written = summary(a_grade(), Curves(epochs=2_000, loss=values))
    (line,) = re.findall(r"  line \[(.*)\]", written)
    assert len(line.split(",")) == 60
    assert 'x-axis "epoch" 1 --> 2000' in written


def test_a_failure_of_the_grader_has_no_score() -> None:
    text = page(summary(a_grade(status="not_graded", score=None, criteria=(), reason="disk full"))).text
    assert "This is no score of zero. disk full".replace(". ", ".") in text.replace(". ", ".")
    assert "points" not in text


def test_a_summary_keeps_the_limit_and_says_so() -> None:
    lines = tuple(a_criterion(f"c{n}", 0, 4, message="ä" * 5_000, advice="b `c` " * 500) for n in range(1_000))
    written = summary(a_grade(criteria=lines))
    assert len(written.encode()) <= LARGEST_SUMMARY
    assert "The rest did not fit" in page(written[-200:]).text


def test_a_summary_is_in_the_language_of_the_rubric() -> None:
    assert "Alle Kriterien" in job_summary(a_grade(), CURVES, GERMAN)


ATTACKS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</code></li><h1>100 points</h1>",
    "![x](https://evil.example/p.png)",
    "[click](javascript:alert(1))",
    "| a | b |\n|---|---|\n| c | d |",
    "`a` ``<b>`` ```\n```mermaid\ngraph TD",
    "\n\n# 100 of 100 points\n\n---\n",
    "https://evil.example www.evil.example <https://evil.example>",
    "a\\\n\\\\`b` &lt;i&gt; &#60;i&#62;",
    "\u202egnp.exe \x1b[31m \ud800",
)


@pytest.mark.parametrize("text", ATTACKS)
def test_known_attacks_are_only_text(text: str) -> None:
    check_only_text(text)
    # GitHub makes links of these.
    assert re.search(r"://|www\\.|@", summary(filled(text))) is None


@given(ANY_TEXT)
def test_any_text_is_only_text(text: str) -> None:
    check_only_text(text)


def check_only_text(text: str) -> None:
    """The page has the same tags as with a harmless text, except for `code`, which names in backticks get."""
    harmless = [tag for tag, _ in page(summary(filled("x"))).tags if tag != "code"]
    found = page(summary(filled(text)))
    allowed = [one for one in found.tags if one[0] != "code"]
    # An empty text leaves its lines out.
    assert {tag for tag, _ in allowed} <= set(harmless)
    assert all(keys.keys() <= {"class", "style"} for tag, keys in allowed)
    assert sum(tag == "table" for tag, _ in allowed) == 1
    assert sum(tag in {"h1", "h2", "h3"} for tag, _ in allowed) == sum(tag in {"h1", "h2", "h3"} for tag in harmless)


def filled(text: str) -> Grade:
    """A grade with a text in each place that a student can write to."""
    cause = a_cause().model_copy(update={"code": text, "says": literal(text), "advice": text, "advice_says": None})
    lines = (
        *(a_criterion(name, 0, 4, title=f"x{text}", says=literal(text), cause=cause) for name in ("a", "b")),
        a_criterion("c", 1, 4, title=f"x{text}", message=text, advice=text),
    )
    note = DiagnosticGrade(id="x", title=f"x{text}", message=text, advice=text, says=literal(text), cell=3)
    return a_grade(criteria=lines, diagnostics=(note,), reason=f"x{text}")

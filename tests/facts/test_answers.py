"""The cells that answer a question, and which answers say the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.facts.answers import answer_to, normalized, own_text, starter_lines, without_placeholders
from grader.schema.evidence import CellFact

TITLE, GUIDE = (
    "The critique of the warm-up model",
    "Kernels with zeros; softmax in a hidden layer; dropout after the output.",
)


def cells(*sources: str | tuple[str, int]) -> list[CellFact]:
    """Text cells from texts; code cells from (code, number of images)."""
    return [
        CellFact(index=index, kind="markdown", source=source)
        if isinstance(source, str)
        else CellFact(index=index, kind="code", source=source[0], images=source[1])
        for index, source in enumerate(sources)
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The *weights* are **zero**.", "the weights   are zero."),
        ("# Critique\n\n- zeros\n- softmax", "critique\nzeros\nsoftmax"),
        ("> quoted `code`", "quoted code"),
        ("1. zeros", "zeros"),
        ("***both***", "both"),
        ("ﬁlters", "filters"),
        ("a\n\n---\n\nb", "a\nb"),
    ],
)
def test_markup_case_and_space_make_no_difference(one: str, other: str) -> None:
    assert normalized(one) == normalized(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("train > validation", "train validation"),
        ("a * b", "a b"),
        ("2 * 3 * 4", "2 3 4"),
        ("x_train", "xtrain"),
        ("loss = 0.1", "loss = 0.2"),
        ("it is overfitting", "it is not overfitting"),
        ("- 5", "+ 5 or 6"),
    ],
)
def test_signs_that_mean_something_make_a_difference(one: str, other: str) -> None:
    assert normalized(one) != normalized(other)


@given(st.text(max_size=300))
def test_a_normalized_text_does_not_change_again_by_case_or_spaces(text: str) -> None:
    once = normalized(text)
    assert normalized(once.replace(" ", "  ").replace("\n", "\n\n")) == normalized(once)


@given(st.text(max_size=300))
def test_the_text_of_the_assignment_is_no_answer(text: str) -> None:
    assert own_text(text, starter_lines([text])) == ""


@pytest.mark.parametrize(
    "text",
    [
        "*your answer here*",
        "Type your answer here.",
        "TODO",
        "**Answer:**",
        "...",
        "Double-click to edit this answer",
        "_Write your answer here_",
    ],
)
def test_a_placeholder_is_no_answer(text: str) -> None:
    assert own_text(text, ()) == ""


@pytest.mark.parametrize("text", ["The answer is here: zeros never change.", "Todo lists are no layers.", "no", "42"])
def test_a_short_answer_is_an_answer(text: str) -> None:
    assert own_text(text, ()) != ""


def test_a_sentence_in_a_heading_is_an_answer() -> None:
    heading = "## The kernels are zeros, so that all filters of a layer stay the same"
    assert answer_to(TITLE, GUIDE, cells("## Critique", heading)).cells == (1,)
    assert answer_to(TITLE, GUIDE, cells("## Critique", "## Kernels")).cells == ()


def test_the_section_about_the_question_is_the_answer() -> None:
    answer = answer_to(
        TITLE,
        GUIDE,
        cells(
            "# Homework\nAda",
            "## Critique of the warm-up",
            "Zeros; the softmax is hidden.",
            ("x = 1", 0),
            "## Data\nThe images are scaled.",
        ),
    )
    assert answer.cells == (2,)
    assert answer.text == "zeros; the softmax is hidden."
    assert not answer.pictures


def test_the_assignments_own_words_are_left_out() -> None:
    question = "## Critique\nName the flaws of the warm-up model: kernels, softmax, dropout."
    answer = answer_to(TITLE, GUIDE, cells(question, f"{question}\nThe kernels are zeros."), starter_lines([question]))
    assert answer.cells == (1,)
    assert answer.text == "the kernels are zeros."


def test_an_unchanged_notebook_has_no_answer() -> None:
    texts = ("# Homework", "## Critique\nName the flaws: softmax.", "*your answer here*")
    answer = answer_to(TITLE, GUIDE, cells(*texts, ("x = 1", 0)), starter_lines(texts[:2]))
    assert (answer.cells, answer.text, answer.pictures) == ((), "", False)


def test_if_the_section_of_the_question_is_empty_other_sections_are_no_answer() -> None:
    answer = answer_to(TITLE, GUIDE, cells("## Critique of the model", "## Curves\nBoth fall."))
    assert (answer.cells, answer.text) == ((), "")


def test_a_students_own_headings_do_not_end_the_section_of_the_assignment() -> None:
    question = "## Critique\nName the flaws of the warm-up model: kernels, softmax, dropout."
    texts = (question, "### My list\nThe kernels are zeros.", "## Curves", "They fall.")
    answer = answer_to(TITLE, GUIDE, cells(*texts), starter_lines([question, "## Curves"]))
    assert answer.text == "the kernels are zeros."


def test_figures_of_the_section_are_shown_but_do_not_divide_equal_texts() -> None:
    answer = answer_to(TITLE, GUIDE, cells("## Critique\nThe softmax is hidden.", ("plot()", 1), ("x = 1", 0)))
    assert answer.cells == (0, 1)
    assert not answer.pictures


@pytest.mark.parametrize("text", ["![sketch](attachment:a.png)", '<img src="data:image/png;base64,AAAA">'])
def test_a_picture_in_the_text_belongs_to_the_answer(text: str) -> None:
    answer = answer_to("A sketch of the architecture", "A drawing.", cells(f"## Sketch of the architecture\n{text}"))
    assert answer.cells == (0,)
    assert answer.pictures


def test_a_figure_alone_is_an_answer_that_equals_no_other() -> None:
    answer = answer_to(
        "A sketch of the architecture", "A drawing.", cells("## Sketch of the architecture", ("draw()", 1))
    )
    assert answer.cells == (1,)
    assert answer.pictures


def test_without_any_word_of_the_question_all_own_text_counts() -> None:
    answer = answer_to(TITLE, GUIDE, cells("## Eins\nNullen.", ("x = 1", 0), "## Zwei\nZuviel."))
    assert answer.cells == (0, 2)


@given(
    st.lists(st.one_of(st.text(max_size=80), st.tuples(st.text(max_size=20), st.integers(0, 2))), max_size=8),
    st.text(max_size=60),
)
def test_any_notebook_has_an_answer_of_its_own_cells(sources: list[str | tuple[str, int]], guide: str) -> None:
    some = cells(*sources)
    answer = answer_to(guide[:20], guide, some)
    assert list(answer.cells) == sorted(set(answer.cells))
    assert set(answer.cells) <= {cell.index for cell in some}
    assert not answer.text or answer.cells


@pytest.mark.parametrize(
    "line", ["YOUR ANSWER HERE", "_Type your answer here, replacing this text._", "> your answer here."]
)
def test_a_placeholder_is_no_text(line: str) -> None:
    assert without_placeholders(f"Why?\n{line}\nBecause.") == "Why?\nBecause."


@pytest.mark.parametrize("line", ["Put the dropout layer here", "Your answer here is wrong", "The answer is here"])
def test_a_sentence_is_no_placeholder(line: str) -> None:
    assert without_placeholders(line) == line

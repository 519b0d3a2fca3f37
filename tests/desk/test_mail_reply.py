"""A request is the student's own text in a pasted mail."""

import pytest

from grader.desk.mail_reply import named_criterion, unquoted
from grader.schema.grade import CriterionGrade, Grade, RubricStamp, SubmissionStamp

MAIL = """From: Ada <ada@example.org>
To: Course <course@example.org>
Subject: Re: Your grade

Hello,

please look at "The critique of the model" again:
I named the softmax.

Best
Ada

On Mon, 4 May 2030 at 12:00, Course
<course@example.org> wrote:
> Your grade is 10 of 21.
>
> All cells run: 4 of 4
--
Ada Abara
"""


def _grade() -> Grade:
    titles = {"runs": "All cells run", "critique": "The critique of the model", "curves": ""}
    lines = [
        CriterionGrade(id=name, title=title, points=0, max_points=1, status="pending", message="")
        for name, title in titles.items()
    ]
    return Grade(
        submission=SubmissionStamp(id="ada", student="Ada", files=(), sha256=""),
        rubric=RubricStamp(id="r", sha256=""),
        status="graded",
        score=0,
        max_score=3,
        pending=3,
        criteria=tuple(lines),
    )


def test_headers_quotations_and_the_signature_are_left_out() -> None:
    expected = 'Hello,\n\nplease look at "The critique of the model" again:\nI named the softmax.\n\nBest\nAda'
    assert unquoted(MAIL) == expected
    assert unquoted(MAIL.replace("\n", "\r\n")) == expected


def test_a_german_introduction_is_left_out() -> None:
    assert unquoted("Bitte prüfen.\n\nAm 04.05.30 um 12:00 schrieb Kurs:\n> Note: 10") == "Bitte prüfen."


@pytest.mark.parametrize("text", ["", "\n\n", "> only a quotation\n> of a mail", "Subject: nothing\n\n"])
def test_a_mail_without_own_text_is_empty(text: str) -> None:
    assert unquoted(text) == ""


def test_a_line_with_a_colon_inside_the_text_stays() -> None:
    assert unquoted("On the curves I wrote:\nthe loss falls.") == "On the curves I wrote:\nthe loss falls."


@pytest.mark.parametrize(
    ("text", "criterion"),
    [
        ("please look at the  CRITIQUE of the model", "critique"),
        ("about curves: they are right", "curves"),
        ("the procurves", "*"),
        ("the critique of the model, and all cells run", "*"),
        ("everything", "*"),
    ],
)
def test_the_criterion_is_the_one_that_the_text_names(text: str, criterion: str) -> None:
    assert named_criterion(text, _grade()) == criterion


def test_a_quotation_names_no_criterion() -> None:
    assert named_criterion(unquoted(MAIL), _grade()) == "critique"

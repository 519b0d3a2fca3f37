"""The decisions of people on the report, in both editions and languages."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from grader.facts.language import language
from grader.grading.judged import with_judgements
from grader.report.page import render_report
from grader.schema.grade import Audience, Grade
from grader.schema.judgement import Judgement, LateGrade
from tests.report import samples

TEMPLATES = Path(__file__).parents[2] / "templates"
DAY = datetime(2026, 5, 1, 18, tzinfo=UTC)


def judged_grade() -> Grade:
    grade = samples.rich_grade()
    first, second = grade.criteria[:2]
    values: tuple[dict[str, Any], ...] = (
        {"kind": "override", "criterion": first.id, "points": 0.5, "why": "Agreed with the class."},
        {"kind": "comment", "criterion": second.id, "comment": "Read chapter <two>.\nThen try again."},
        {"kind": "comment", "comment": "Well done."},
        {"kind": "flag", "why": "Ask about the data."},
        {"kind": "request", "by": "Ada", "criterion": first.id, "why": "<script>alert(1)</script> Please."},
        {"kind": "answer", "criterion": first.id, "comment": "Half of it is right."},
        {"kind": "request", "by": "Ada", "why": "And the rest?"},
        {"kind": "points", "criterion": "gone", "points": 1.0},
    )
    judgements = [
        Judgement.model_validate({"at": DAY, "by": "Nina", "submission": grade.submission.id, **one}) for one in values
    ]
    late = LateGrade(due=DAY - timedelta(days=2), submitted=DAY, days=2, points=-4.0, before=64.0)
    return with_judgements(grade, judgements).model_copy(update={"late": late, "score": 60.0})


def text_of(grade: Grade, audience: Audience, code: str = "en") -> str:
    page = render_report(
        grade=grade,
        evidence=None,
        reference=None,
        notebook=None,
        images={},
        audience=audience,
        templates=TEMPLATES,
        language=language(code),
    )
    assert "<script>alert" not in page
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("</style>")[2])).replace("\u00a0", " ")


def test_students_see_names_days_comments_answers_and_the_deduction() -> None:
    page = text_of(judged_grade(), "student")
    for words in (
        "Changed by Nina on 1 May 2026.",
        "Nina judged this: 0.5 of",
        "Read chapter &lt;two&gt;. Then try again.",
        "Well done.",
        "Ada asked on 1 May 2026: &lt;script&gt;alert(1)&lt;/script&gt; Please.",
        "Nina answered on 1 May 2026: Half of it is right.",
        "Nobody has answered this yet.",
        "Late submission: -4 points. The score without this deduction is 56.",
        "Handed in on 1 May 2026, 18:00 UTC, due on 29 Apr 2026, 18:00 UTC.",
    ):
        assert words in page, words


@pytest.mark.parametrize(
    "words",
    ["Agreed with the class.", "Ask about the data.", "The grader's own verdict: ", "The rubric has no such criterion"],
)
def test_only_instructors_see_reasons_flags_and_the_verdict_of_the_grader(words: str) -> None:
    escaped = words.replace("'", "&#39;")
    assert escaped in text_of(judged_grade(), "instructor")
    assert escaped not in text_of(judged_grade(), "student")


@pytest.mark.parametrize(
    ("code", "words", "other"),
    [("en", "Confirmed by Nina on 1 May 2026.", "Changed by"), ("de", "Bestätigt von Nina am 01.05.2026.", "Geändert")],
)
@pytest.mark.parametrize("audience", ["student", "instructor"])
def test_equal_points_and_verdict_are_confirmed(audience: Audience, code: str, words: str, other: str) -> None:
    grade = samples.rich_grade()
    line = next(one for one in grade.criteria if one.status == "partial")
    judgement = Judgement(
        at=DAY,
        by="Nina",
        submission=grade.submission.id,
        kind="override",
        criterion=line.id,
        points=line.points,
        why="The points are right.",
    )
    page = text_of(with_judgements(grade, [judgement]), audience, code)
    assert words in page
    assert other not in page


def test_the_time_of_a_commit_is_shown_as_a_claim() -> None:
    grade = judged_grade()
    claim = grade.model_copy(update={"submission": grade.submission.model_copy(update={"submitted_from": "commit"})})
    words = "This is the time of the last commit, as the computer that made it wrote it."
    assert words in text_of(claim, "student")
    assert words not in text_of(grade, "student")


def test_the_page_is_translated() -> None:
    page = text_of(judged_grade(), "student", "de")
    for words in (
        "Geändert von Nina am 01.05.2026.",
        "Nina hat dies beurteilt: 0,5 von",
        "Ada hat am 01.05.2026 gefragt:",
        "Nina hat am 01.05.2026 geantwortet:",
        "Das hat noch niemand beantwortet.",
        "Verspätete Abgabe: -4 Punkte.",
    ):
        assert words in page, words


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("en", "The rule gives 20 points; the score cannot fall below 0."),
        ("de", "Die Regel ergibt 20 Punkte; die Punktzahl kann nicht unter 0 fallen."),
    ],
)
def test_a_deduction_that_the_score_limits_is_explained(code: str, words: str) -> None:
    grade = judged_grade()
    assert grade.late is not None
    for points in (-14.0, 0.0):
        late = grade.late.model_copy(update={"points": points, "before": -points, "rule": -20.0})
        assert words in text_of(grade.model_copy(update={"late": late, "score": 0.0}), "student", code)
    assert words not in text_of(grade, "student", code)


@pytest.mark.parametrize(
    ("reason", "shown", "hidden"),
    [("Ill.", "Excused from this assignment. Reason: Ill.", ""), ("", "Excused from this assignment.", "Reason:")],
)
def test_an_excuse_is_at_the_head(reason: str, shown: str, hidden: str) -> None:
    grade = samples.rich_grade().model_copy(update={"excused": reason})
    page = text_of(grade, "instructor")
    assert shown in page
    assert not hidden or hidden not in page

"""Render a grade without templates, for the case that the report cannot be rendered."""

from html import escape

from grader.facts.language import Language
from grader.facts.rubric_texts import with_titles
from grader.report.bars import VERDICTS
from grader.report.text import ENGLISH, rendered
from grader.schema.grade import Grade
from grader.schema.message import Message, say

__all__ = ["plain_report"]


def plain_report(grade: Grade, failure: Message, language: Language = ENGLISH) -> str:
    """Render the student, the score and the criteria as a plain page without styles.

    Args:
        grade: The grade.
        failure: The reason why the page is plain, as a sentence.
        language: The language of the page.
    """
    grade = with_titles(grade, language)
    rows = "".join(
        f"<tr><td>{escape(line.title)}</td><td>{escape(language.text(VERDICTS[line.status]))}</td>"
        f"<td>{language.points(line.points)} / {language.points(line.max_points)}</td>"
        f"<td>{escape(rendered(line.says or line.message, language))}</td></tr>"
        for line in grade.criteria
    )
    title = escape(f"{grade.rubric.title or grade.rubric.id}: {grade.submission.student}")
    return (
        f'<!doctype html><html lang="{language.tag}"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'">'
        f"<title>{title}</title></head><body><h1>{title}</h1><p>{escape(_score(grade, language))}</p>"
        f"<p>{escape(language.text(failure))}</p><table>{rows}</table></body></html>"
    )


def _score(grade: Grade, language: Language) -> str:
    if grade.status != "graded" or grade.score is None:
        return rendered(grade.reason_says or grade.reason or "", language)
    return language.text(say("{score:points} of {most:points}", score=grade.score, most=grade.max_score))

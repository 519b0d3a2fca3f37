"""The format `coursera`: `feedback.json` and `htmlFeedback.html` of a custom grader of Coursera."""

from collections.abc import Sequence
from html import escape
from typing import Any

from grader.delivery.editions import (
    Editions,
    criterion_text,
    decided_fraction,
    fraction_text,
    has_points,
    overall_text,
    plain_text,
)
from grader.delivery.grade_export import GradeExport, GradeFormat, RowReport
from grader.delivery.submission_files import json_bytes, write_submissions
from grader.schema.errors import ArtefactError
from grader.schema.grade import CriterionGrade

__all__ = ["FEEDBACK", "FORMAT", "HTML_FEEDBACK", "coursera_feedback", "coursera_html"]

FEEDBACK = "feedback.json"
HTML_FEEDBACK = "htmlFeedback.html"
"""Names of the files, in `/shared/`."""


def coursera_feedback(editions: Editions) -> dict[str, Any]:
    """Make the feedback of a submission for Coursera; `coursera_html` makes the page that belongs to it.

    The score is a fraction of the decided points, since Coursera has no points of people.

    Args:
        editions: The grade.

    Raises:
        ArtefactError: There is no score. Then no file should be written, so that Coursera reports a failure of the
            grader instead of a score.
    """
    fraction = decided_fraction(editions.whole)
    if fraction is None:
        msg = "a submission without a score has no feedback"
        raise ArtefactError(msg, where=editions.whole.submission.id, advice="grade it again")
    return {"fractionalScore": round(fraction, 6), "feedback": overall_text(editions), "feedbackType": "HTML"}


def coursera_html(editions: Editions) -> str:
    """Make the page with the criteria; everything that is no markup of the grader is escaped.

    Args:
        editions: The grade.
    """
    overall = "<br>".join(map(escape, overall_text(editions).splitlines()))
    rows = "".join(_row(line, editions) for line in editions.shown.criteria)
    return f"<p>{overall}</p>\n<table>\n{rows}</table>\n"


def _row(line: CriterionGrade, editions: Editions) -> str:
    language = editions.language
    points = language.points(line.points) if has_points(line) else "\N{EN DASH}"
    text = "<br>".join(map(escape, criterion_text(line, language).splitlines()))
    title = escape(plain_text(line.title or line.id))
    return f"<tr><td>{title}</td><td>{points} / {language.points(line.max_points)}</td><td>{text}</td></tr>\n"


def _write(export: GradeExport) -> Sequence[RowReport]:
    return write_submissions(export, _files, lambda editions: fraction_text(editions.whole))


def _files(editions: Editions) -> dict[str, bytes]:
    page = coursera_html(editions).encode("utf-8", "replace")
    return {FEEDBACK: json_bytes(coursera_feedback(editions)), HTML_FEEDBACK: page}


FORMAT = GradeFormat(
    name="coursera",
    title="feedback.json of a custom grader of Coursera for each submission",
    file="",
    write=_write,
)

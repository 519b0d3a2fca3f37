"""Render a grade without templates, for the case that the report cannot be rendered."""

from html import escape

from grader.schema.grade import Grade

__all__ = ["plain_report"]


def plain_report(grade: Grade, failure: str) -> str:
    """Render the student, the score and the criteria as a plain page without styles.

    Args:
        grade: The grade.
        failure: The reason why the page is plain, as a sentence.
    """
    rows = "".join(
        f"<tr><td>{escape(line.title)}</td><td>{escape(line.status)}</td>"
        f"<td>{line.points:g} / {line.max_points:g}</td><td>{escape(line.message)}</td></tr>"
        for line in grade.criteria
    )
    title = escape(f"{grade.rubric.title or grade.rubric.id}: {grade.submission.student}")
    score = f"{grade.score:g} of {grade.max_score:g}" if grade.status == "graded" else escape(grade.reason or "")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'">'
        f"<title>{title}</title></head><body><h1>{title}</h1><p>{score}</p><p>{escape(failure)}</p>"
        f"<table>{rows}</table></body></html>"
    )

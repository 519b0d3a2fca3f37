"""The points of one grade in a line of English, for terminals."""

from grader.facts.quick import is_unjudged
from grader.schema.grade import Grade

__all__ = ["reachable", "summary_line"]


def summary_line(grade: Grade) -> str:
    """Format the points and the number of criteria by result, such as `11 of 85 · 3 passed, 11 missed`.

    The total counts neither points that a person still has to give nor bonus points.
    """
    words = {
        "passed": "passed",
        "partial": "partly met",
        "failed": "missed",
        "pending": "{wait} for a person",
        "unjudged": "not judged in a quick run",
        "skipped": "not judged",
    }
    kinds = ["unjudged" if is_unjudged(c) else c.status for c in grade.criteria]
    counts = {kind: kinds.count(kind) for kind in words}
    parts = (f"{count} {words[kind]}" for kind, count in counts.items() if count)
    listed = ", ".join(parts).format(wait="waits" if counts["pending"] == 1 else "wait")
    run = "quick run: " if grade.quick else ""
    score = "–" if grade.score is None else f"{grade.score:g}"
    return f"{run}{score} of {reachable(grade):g} · {listed or 'no criteria'}"


def reachable(grade: Grade) -> float:
    """Compute full marks without points that a person still has to give, and without bonus points."""
    return grade.max_score - sum(c.max_points for c in grade.criteria if c.status == "pending" and not c.bonus)

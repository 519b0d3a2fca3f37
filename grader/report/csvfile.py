"""Write grades as a CSV table that spreadsheets open without evaluating its text."""

import csv
import io
from collections.abc import Iterator, Sequence

from grader.report.classpage import ClassRow, CriterionCell

__all__ = ["guarded", "rows_csv"]

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Prefixes that make a spreadsheet treat text as a formula, including full-width forms that some convert to these."""


_ATTEMPTS = ("attempts", "attempt", "lowest_score", "highest_score")


def rows_csv(rows: Sequence[ClassRow]) -> str:
    """Write one row a submission.

    Columns: `id`, `student`, `status`, `score`, `max_score`, `pending`, then for each criterion its points under its
    id and its verdict under `<id>.status`, then `borderline` (ids of the criteria that a person should look at),
    `attempts` (how many were graded), `attempt` (the number of the one taken), `lowest_score` and `highest_score` of
    them, `accuracy` (a part of 1), `parameters`, `reason`, and what these figures are of: `model` (the graded model's
    name) and `accuracy_on` (the images, such as `mnist/test`). What is not known is left empty: a submission that was
    not graded has no score, not a 0; the columns of attempts are empty where one execution was asked for.

    Args:
        rows: Lines of the class page, in the order of the rows; thousands of them fit into memory.

    Returns:
        RFC 4180 text with a header line, CRLF at line ends.
    """
    ids = list(dict.fromkeys(criterion.id for row in rows for criterion in row.criteria))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    criteria = [column for name in ids for column in (name, f"{name}.status")]
    head = ["id", "student", "status", "score", "max_score", "pending", *criteria, "borderline", *_ATTEMPTS]
    head += ["accuracy", "parameters", "reason", "model", "accuracy_on"]
    writer.writerow(map(guarded, head))
    writer.writerows(list(_fields(row, ids)) for row in rows)
    return buffer.getvalue()


def guarded(text: str) -> str:
    """Add an apostrophe to text that a spreadsheet would treat as a formula, which makes it plain text.

    Args:
        text: Text of one cell.

    Returns:
        The text without NUL characters, with a leading apostrophe if its first character after spaces is that of a
        formula.
    """
    text = text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    return f"'{text}" if text.startswith(_DANGEROUS) or text.lstrip().startswith(_DANGEROUS) else text


def _fields(row: ClassRow, ids: Sequence[str]) -> Iterator[str | float | int | None]:
    criteria = {criterion.id: criterion for criterion in row.criteria}
    yield from (guarded(row.id), guarded(row.student), "graded" if row.graded else "not_graded")
    yield from (row.score, row.max_score, row.pending)
    for name in ids:
        yield from _pair(criteria.get(name))
    yield guarded(" ".join(cell.id for cell in row.criteria if cell.borderline))
    yield from row.spread or (None,) * len(_ATTEMPTS)
    yield row.accuracy
    yield row.parameters
    yield from (guarded(row.reason), guarded(row.model), guarded(row.accuracy_on))


def _pair(criterion: CriterionCell | None) -> tuple[float | None, str]:
    return (None, "") if criterion is None else (criterion.points, criterion.status)

"""Write grades as a CSV table that spreadsheets open without evaluating its text."""

import csv
import io
from collections.abc import Iterator, Sequence

from grader.report.classrow import ClassRow, CriterionCell, People, RosterCell

__all__ = ["guarded", "rows_csv", "unguarded"]

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Prefixes that make a spreadsheet treat text as a formula, including full-width forms that some convert to these."""


_ATTEMPTS = ("attempts", "attempt", "lowest_score", "highest_score")
_ROSTER = ("student_id", "name", "email", "login", "section", "group", "sis_id", "moodle_participant")
_PEOPLE = ("judged_by", "judged_at", "late_points", "excused", "flags", "review", "requests")


def rows_csv(rows: Sequence[ClassRow]) -> str:
    """Write one row per submission; with a roster, one per student, also for students without a submission.

    Columns: `id`, `student`, `status`, `score`, `max_score`, `pending`, then for each criterion its points under
    `points.<id>` and its verdict under `status.<id>`, then `borderline` (ids of the criteria that a person should look
    at), `attempts` (the number of graded attempts), `attempt` (the number of the selected one), `lowest_score` and
    `highest_score` of the attempts, `accuracy` (a fraction of 1), `parameters`, `reason`, `model` (the graded model's
    name) and `accuracy_on` (the data set and split of the accuracy, such as `mnist/test`). The decisions of people
    follow: `judged_by` (names, separated by commas), `judged_at` (the last time, in UTC), `late_points` (the deduction
    for a late submission, which the score includes), `excused` (`yes` or empty), and the ids of the criteria with
    `flags`, with judgements to `review` and with open `requests`, where `*` is the whole submission. Unknown values
    are empty: a submission that was not graded has no score, not a 0. The columns of attempts are empty if there was
    only one execution. `submitted` is the time of submission in UTC.

    With a roster, its columns follow: `student_id`, `name`, `email`, `login`, `section`, `group`, `sis_id` and
    `moodle_participant`. All members of a group have the grade of its submission. Students without a submission have
    the status `missing` and no score. Excused students have the status `excused` and no score.

    Args:
        rows: Rows of the class page, in the order to write; thousands of them fit into memory.

    Returns:
        RFC 4180 text with a header row and CRLF line ends.
    """
    ids = list(dict.fromkeys(criterion.id for row in rows for criterion in row.criteria))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    criteria = [column for name in ids for column in (f"points.{name}", f"status.{name}")]
    head = ["id", "student", "status", "score", "max_score", "pending", *criteria, "borderline", *_ATTEMPTS]
    head += ["accuracy", "parameters", "reason", "model", "accuracy_on", *_PEOPLE, "submitted"]
    with_roster = any(row.roster is not None for row in rows)
    writer.writerow(map(guarded, (*head, *_ROSTER) if with_roster else head))
    writer.writerows([*_fields(row, ids), *(_cells(row.roster) if with_roster else ())] for row in rows)
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


def unguarded(text: str) -> str:
    """Remove the apostrophe that `guarded` adds.

    Args:
        text: Text of one cell.
    """
    return text[1:] if text.startswith("'") and guarded(text[1:]) == text else text


def _fields(row: ClassRow, ids: Sequence[str]) -> Iterator[str | float | int | None]:
    criteria = {criterion.id: criterion for criterion in row.criteria}
    yield from (guarded(row.id), guarded(row.student), row.status)
    yield from (None if row.state == "excused" else row.score, row.max_score, row.pending)
    for name in ids:
        yield from _pair(criteria.get(name))
    yield guarded(" ".join(cell.id for cell in row.criteria if cell.borderline))
    yield from row.spread or (None,) * len(_ATTEMPTS)
    yield row.accuracy
    yield row.parameters
    yield from (guarded(row.reason), guarded(row.model), guarded(row.accuracy_on))
    people = row.people or People()
    yield from (guarded(", ".join(people.by)), people.at, people.late_points, "yes" if people.excused else "")
    yield from (guarded(" ".join(ids)) for ids in (people.flags, people.review, people.requests))
    yield row.submitted


def _cells(student: RosterCell | None) -> Iterator[str]:
    """Yield the roster's columns of a row; empty without a student."""
    cell = student or RosterCell()
    yield from (guarded(text) for text in (cell.id, cell.name, cell.email, cell.login, cell.section, cell.group))
    yield from (guarded(cell.sis_id), guarded(cell.moodle_participant))


def _pair(criterion: CriterionCell | None) -> tuple[float | None, str]:
    return (None, "") if criterion is None else (criterion.points, criterion.status)

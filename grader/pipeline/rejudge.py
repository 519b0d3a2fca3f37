"""Make grades again after people judged them: some submissions, without a regrade of the class."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from grader.pipeline.changes import Changed
from grader.pipeline.course import Course
from grader.pipeline.judgements import judged_course
from grader.pipeline.publish import kept_row, publish_rows
from grader.pipeline.regrade import regrade_chosen
from grader.report.classrow import ClassRow
from grader.store.results import ResultsFolder

__all__ = ["ClassRows", "rejudge"]

_WAIT = 30.0
"""Seconds to wait for another grader that uses the folder."""


@dataclass(slots=True)
class ClassRows:
    """The rows of the class page, read again only for grades whose files changed. For one results folder."""

    _rows: dict[str, tuple[tuple[int, int], ClassRow]] = field(default_factory=dict)

    def read(self, course: Course, out: ResultsFolder) -> list[ClassRow]:
        """Return the rows of all submissions with a grade, in the order of the class page."""
        names = out.submissions()
        for name in set(self._rows) - set(names):
            del self._rows[name]
        return [row for name in names if (row := self._row(name, course, out)) is not None]

    def _row(self, name: str, course: Course, out: ResultsFolder) -> ClassRow | None:
        try:
            status = out.grade_path(name).stat()
        except OSError:
            return None
        stamp = (status.st_mtime_ns, status.st_size)
        known = self._rows.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        row = kept_row(out, name, course)
        if row is not None:
            self._rows[name] = (stamp, row)
        return row


def rejudge(  # noqa: PLR0913 - all but the first three by keyword
    out: ResultsFolder,
    course: Course,
    submissions: Iterable[str],
    *,
    rows: ClassRows | None = None,
    pages: bool = True,
    wait: float = _WAIT,
) -> tuple[Changed, ...]:
    """Make grades and reports again after judgements were appended, and the class pages.

    The judgements are read while the folder is locked, so that the result has all of them, whoever appended them.

    Args:
        out: The results folder; this function locks it.
        course: Rubric, reference and data; its judgements are read again.
        submissions: Ids of the submissions; those without results are skipped.
        rows: Rows of an earlier call, which save most of the time of a large class.
        pages: Whether to write the class pages; not so between several calls.
        wait: Seconds to wait for another grader that uses the folder.

    Returns:
        The changed submissions.

    Raises:
        UsageError: Another grader uses the folder for longer, or the file of judgements is wrong.
        StorageError: Results cannot be written.
    """
    with out.at_work(wait=wait, small=True):
        current = judged_course(course, out)
        present = set(out.submissions())
        changed = regrade_chosen(current, out, [name for name in dict.fromkeys(submissions) if name in present])
        if pages:
            publish_rows((rows or ClassRows()).read(current, out), current, out)
        return changed

"""Find grades whose inputs cannot have changed, by the status of the files instead of their content.

For each grade, the database has the status of its files (inode, size, and times in nanoseconds) and its row on the
class page. If nothing differs, no file is opened. A file that changed just before it was looked at may have the same
times after another change, so its status is not used; then, and whenever a status differs, the content is compared.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from grader.pipeline.course import Course
from grader.pipeline.publish import inputs_of, kept_row
from grader.report.classrow import ClassRow
from grader.schema.grade import SubmissionStamp
from grader.schema.judgement import ReviewGrade
from grader.store.database import Database, StandingRow
from grader.store.results import ResultsFolder

__all__ = [
    "Outcome",
    "PagesRecord",
    "Unchanged",
    "kept_rows",
    "standing_row",
    "unchanged_grades",
]

_SETTLED: Final = 50_000_000
"""Nanoseconds after which another change of a file has other times; kernels count time in steps of 1 to 10 ms."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The part of a grade that a regrade reports."""

    row: ClassRow
    counted: tuple[int, ...]
    """Numbers of the attempts in the grade."""
    review: tuple[ReviewGrade, ...] = ()


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A grade whose inputs and files are as they were."""

    submission: str
    basis: str
    """Digest of its inputs and files, as in the row of its grading."""
    student: str
    counted: tuple[int, ...]
    """Numbers of the attempts in the grade."""
    review: tuple[ReviewGrade, ...]


@dataclass(frozen=True, slots=True)
class _Summary:
    """An outcome without its row, which is read faster."""

    counted: tuple[int, ...]
    review: tuple[ReviewGrade, ...]


_OUTCOME: Final = TypeAdapter(Outcome)
_SUMMARY: Final = TypeAdapter(_Summary)


def standing_row(
    stamp: SubmissionStamp, basis: str, outcome: Outcome, course: Course, out: ResultsFolder
) -> StandingRow | None:
    """Describe a grade that was compared with its inputs; None if its files are missing or just changed.

    Args:
        stamp: The submission in the grade.
        basis: Digest of its inputs and files.
        outcome: What a regrade reports of it.
        course: Rubric, reference and data.
        out: The results folder.
    """
    seen = _status(out, stamp.id)
    if seen is None or seen[1] > time.time_ns() - _SETTLED:
        return None
    return StandingRow(
        submission=stamp.id,
        rubric=course.stamp.id,
        basis=basis,
        inputs=inputs_of(stamp, course),
        stamp=stamp.model_dump_json(),
        files=seen[0],
        outcome=_OUTCOME.dump_json(outcome).decode("utf-8"),
    )


def unchanged_grades(course: Course, out: ResultsFolder, names: Sequence[str]) -> list[Unchanged]:
    """Find the grades that are current without opening their files.

    Args:
        course: Rubric, reference and data, with the judgements.
        out: The results folder.
        names: The submissions, sorted.

    Raises:
        ArtefactError: The database is damaged.
        StorageError: The database cannot be used.
    """
    found = list[Unchanged]()
    for row in _standings(course, out, names):
        seen = _status(out, row.submission)
        if seen is None or seen[0] != row.files:
            continue
        try:
            stamp = SubmissionStamp.model_validate_json(row.stamp)
            if inputs_of(stamp, course) == row.inputs:
                known = _SUMMARY.validate_json(row.outcome)
                found.append(Unchanged(row.submission, row.basis, stamp.student, known.counted, known.review))
        except ValidationError:
            continue
    return found


def kept_rows(course: Course, out: ResultsFolder, names: Sequence[str]) -> Iterator[ClassRow]:
    """Read the rows of grades that `unchanged_grades` found.

    Args:
        course: Rubric, reference and data, with the judgements.
        out: The results folder.
        names: The submissions, sorted.

    Raises:
        ArtefactError: The database is damaged.
        StorageError: The database cannot be used.
    """
    for row in _standings(course, out, names):
        try:
            yield _OUTCOME.validate_json(row.outcome).row
        except ValidationError:
            # Somebody changed the database; the grade is as it was.
            if (read := kept_row(out, row.submission, course)) is not None:
                yield read


def _standings(course: Course, out: ResultsFolder, names: Sequence[str]) -> Iterator[StandingRow]:
    """List the rows of submissions, which are sorted, with the rubric of the course."""
    if names:
        wanted = set(names)
        for row in Database(out.database_path).standings(course.stamp.id, names[0], names[-1]):
            if row.submission in wanted:
                yield row


class PagesRecord:
    """The inputs of the pages of the class, with the status of the pages."""

    def __init__(self, course: Course, out: ResultsFolder, bases: Sequence[tuple[str, str]]) -> None:
        """Set the class.

        Args:
            course: Rubric, reference and data.
            out: The results folder.
            bases: Each submission with the `basis` of its grading, in the order of the pages.
        """
        self._course = course
        self._out = out
        # With a roster, the pages depend on more than the grades.
        self._known = course.assignment is None and all(basis for _, basis in bases)
        text = json.dumps([course.basis, course.language.code, str(course.zone), *bases])
        self._made_from = hashlib.sha256(text.encode()).hexdigest()

    def stands(self) -> bool:
        """Whether the pages were made from these grades, and their files did not change."""
        known, now = Database(self._out.database_path).pages_standing(self._course.stamp.id), self._now()
        return known is not None and now is not None and known == now

    def note(self) -> None:
        """Note the status of the pages, which were just compared with their content."""
        now = self._now()
        if now is not None and not self.stands():
            Database(self._out.database_path).record_standings([now])

    def _now(self) -> StandingRow | None:
        seen = _status_of(self._out.pages()) if self._known else None
        if seen is None or seen[1] > time.time_ns() - _SETTLED:
            return None
        return StandingRow("", self._course.stamp.id, self._made_from, "", "", seen[0], "")


def _status(out: ResultsFolder, name: str) -> tuple[str, int] | None:
    """Return the status of the files of a grade, and the time of the last change; None if one is missing."""
    attempts, paths = out.texts_of_paths(name)
    return None if os.path.lexists(attempts) else _status_of(paths)


def _status_of(paths: Iterable[Path | str]) -> tuple[str, int] | None:
    words, last = list[str](), 0
    for path in paths:
        try:
            found = os.lstat(path)
        except OSError:
            return None
        words.append(f"{found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}")
        last = max(last, found.st_ctime_ns, found.st_mtime_ns)
    return "\n".join(words), last

"""Grades and pages from kept evidence, without execution."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from grader.bulk import in_chunks
from grader.changes import Changed, Journal, changes_csv, changes_of
from grader.checks.registry import all_checks, all_diagnostics
from grader.courses import Course, note_rubric
from grader.grading.grade import rejected, ungraded
from grader.publishing import grade_kept, judge, publish_rows, report_of, row_of, unexpected
from grader.report.classpage import ClassRow
from grader.schema.errors import (
    ArtefactError,
    GraderError,
    HarnessError,
    NotebookError,
)
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade, SubmissionStamp
from grader.schema.submission import Submission
from grader.store.database import Database, GradingRow, grading_row
from grader.store.results import Batch, ResultsFolder, grade_bytes, grade_data, parse_grade

__all__ = ["Regrade", "regrade_class", "report_class", "rubrics_used"]

_CHANGES = "changes.csv"


@dataclass(frozen=True, slots=True)
class Regrade:
    """What a regrade of a class came to."""

    total: int
    not_graded: int
    changed: tuple[Changed, ...]
    """In the order of the submissions."""


@dataclass(frozen=True, slots=True)
class _Regraded:
    """What a worker tells of one submission; thousands of these are kept, and so no grade is in it."""

    row: ClassRow
    grading: GradingRow
    changed: Changed | None


def regrade_class(
    course: Course,
    out: ResultsFolder,
    *,
    workers: int | None = None,
    listener: Callable[[int, int], None] = lambda _done, _all: None,
) -> Regrade:
    """Grade every submission again from its kept evidence, without execution, and write what changed.

    A submission whose evidence is damaged or gone becomes `not_graded`; so does one that the rubric's checks fail on.
    Where nothing changed no file is touched. Killed at any moment, the same call completes what is missing and leaves
    the same files: a report is in its place before the grade that it shows, and a grade says what has been done.

    Args:
        course: Rubric, reference, data.
        out: The results folder.
        workers: Processes; by default as many as there are cores.
        listener: Told how many of how many are done.

    Raises:
        StorageError: Results cannot be written, or another process is writing them.
        HarnessError: A worker was lost.
    """
    with out.claimed():
        note_rubric(course.loaded, out)
        names, database = out.submissions(), Database(out.database_path)
        journal = Journal(out.root, course.stamp.sha256)
        earlier = journal.begin()
        # Beside a failed execution lies what an earlier one saw, of another notebook perhaps.
        failed = frozenset(row.submission for row in database.executions() if row.status == "failed")
        known = {row.submission: row for row in database.gradings() if row.rubric == course.stamp.id}
        _work_out(course)
        rows: list[ClassRow] = []
        changed: list[Changed] = []
        for answer in in_chunks(partial(_regrade_some, course, out, failed, journal), names, workers=workers):
            rows += [one.row for one in answer]
            found = ((one.changed, earlier.get(one.row.id)) for one in answer)
            changed += [change for now, before in found if (change := now or before) is not None]
            database.record_gradings(_unknown([one.grading for one in answer], known))
            listener(len(rows), len(names))
        pages = Batch(out.root)
        publish_rows(rows, out, course.loaded.rubric.title, pages)
        if changed:
            out.write_page(_CHANGES, changes_csv(changed), pages)
        pages.commit()
        if changed:
            out.sync()
        journal.end()
    return Regrade(len(rows), sum(not row.graded for row in rows), tuple(changed))


def _work_out(course: Course) -> None:
    """Have everything that all submissions share before workers are forked, so that none works it out again."""
    all_checks()
    all_diagnostics()
    _ = (course.labels, course.images, course.reference_roles)


def _unknown(rows: Sequence[GradingRow], known: Mapping[str, GradingRow]) -> list[GradingRow]:
    """Leave out what the database says already, but for the time."""
    now = time.time()
    fresh = (row for row in rows if (old := known.get(row.submission)) is None or replace(old, finished=0.0) != row)
    return [replace(row, finished=now) for row in fresh]


def _regrade_some(
    course: Course, out: ResultsFolder, failed: frozenset[str], journal: Journal, names: Sequence[str]
) -> list[_Regraded]:
    """Grade a few submissions again and write their files together."""
    batch = Batch(out.root)
    done = [one for name in names if (one := _regrade_one(course, out, name, name in failed, batch)) is not None]
    journal.note(one.changed for one in done if one.changed is not None)
    batch.commit()
    return done


def _regrade_one(course: Course, out: ResultsFolder, name: str, failed: bool, batch: Batch) -> _Regraded | None:  # noqa: FBT001 - bound by name in its one call
    old = out.grade_data(name)
    submission = _submission_of(name, old)
    evidence = None
    try:
        evidence = None if failed else out.read_evidence(name)
        new = judge(submission, evidence, course) if evidence else _without_evidence(grade_kept(out, name), course)
        if new is None:
            return None
        changed = _written(old, new, evidence, course, out, batch)
    except HarnessError as error:
        new = ungraded(submission, course.stamp, error, course.loaded.rubric)
        changed = _written(old, new, None, course, out, batch)
    except GraderError:
        raise
    except Exception as error:  # noqa: BLE001 - a fault of the grader's in one submission must not cost the class
        new = ungraded(submission, course.stamp, unexpected(error), course.loaded.rubric)
        changed = _written(old, new, None, course, out, batch)
    return _Regraded(row_of(new, course.ranked_by), grading_row(new), changed)


def _written(  # noqa: PLR0913, PLR0917 - a grade, what it came from, and where it goes
    old: Any, new: Grade, evidence: Evidence | None, course: Course, out: ResultsFolder, batch: Batch
) -> Changed | None:
    """Write a report and then its grade, where they are not there already; tell what changed."""
    name, data = new.submission.id, grade_data(new)
    # JSON values are compared first: in most regrades they are equal, and need not be written out to be seen so.
    content = b"" if data == old else grade_bytes(data)
    same = not content or out.says(name, content)
    if same and out.has_report(name):
        return None
    batch.add(out.report_path(name), report_of(new, evidence, course, out))
    if same:
        return None
    batch.add(out.grade_path(name), content)
    # Both as they are read back: what JSON cannot tell apart is no change.
    return changes_of(grade_kept(out, name), parse_grade(content))


def rubrics_used(out: ResultsFolder) -> set[str]:
    """Ids of the rubrics that a results folder was graded with."""
    return {found for name in out.submissions() if (found := out.rubric_id(name)) is not None}


def _without_evidence(old: Grade | None, course: Course) -> Grade | None:
    """Grade again what was never executed: no notebook to begin with, or a failure of the grader's.

    Raises:
        ArtefactError: It was executed, but what was seen is no longer kept.
    """
    if old is None:
        return None
    rubric, submission, reason = (
        course.loaded.rubric,
        _submission_of(old.submission.id, grade_data(old)),
        old.reason or "",
    )
    if old.status == "not_graded":
        return ungraded(submission, course.stamp, HarnessError(reason), rubric)
    if old.execution is None:
        advice = next((c.advice for c in old.criteria), "")
        return rejected(submission, course.stamp, rubric, NotebookError(reason, advice=advice))
    msg = "the evidence of its execution is no longer kept"
    raise ArtefactError(msg, where=old.submission.id)


def _submission_of(name: str, old: Any) -> Submission:
    """Whose work it is, from its kept grade as JSON values; where there is none, its folder's name is all there is."""
    try:
        stamp = SubmissionStamp.model_validate(old["submission"])
    except (TypeError, KeyError, ValidationError):
        return Submission(id=name, student=name, notebook=Path(), sha256="")
    return Submission(id=stamp.id, student=stamp.student, notebook=Path(), files=stamp.files, sha256=stamp.sha256)


def report_class(course: Course, out: ResultsFolder, *, workers: int | None = None) -> int:
    """Render every page of a results folder again from what is kept.

    Args:
        course: Rubric, reference, data.
        out: The results folder.
        workers: Processes; by default as many as there are cores.

    Returns:
        How many reports were written.

    Raises:
        ArtefactError: A grade is damaged.
        StorageError: Results cannot be written, or another process is writing them.
    """
    with out.claimed():
        _work_out(course)
        answers = in_chunks(partial(_render_some, course, out), out.submissions(), workers=workers)
        rows = [row for answer in answers for row in answer]
        pages = Batch(out.root)
        publish_rows(rows, out, course.loaded.rubric.title, pages)
        pages.commit()
        out.sync()
    return len(rows)


def _render_some(course: Course, out: ResultsFolder, names: Sequence[str]) -> list[ClassRow]:
    batch = Batch(out.root)
    rows: list[ClassRow] = []
    for name in names:
        kept = out.read_grade(name)
        if kept is None:
            continue
        evidence = out.read_evidence(name) if kept.status == "graded" else None
        batch.add(out.report_path(name), report_of(kept, evidence, course, out))
        rows.append(row_of(kept, course.ranked_by))
    batch.commit()
    return rows

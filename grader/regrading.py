"""Grades and pages from kept evidence, without execution."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from grader.attempts import regrade_attempts
from grader.courses import Course
from grader.grading.grade import rejected, ungraded
from grader.publishing import grade_kept, judge, publish, publish_class, render
from grader.schema.errors import (
    ArtefactError,
    HarnessError,
    NotebookError,
)
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade
from grader.schema.submission import Submission
from grader.store.attempts import AttemptsFolder
from grader.store.database import Database, ExecutionRow
from grader.store.results import ResultsFolder

__all__ = [
    "differs",
    "regrade_class",
    "report_class",
    "rubrics_used",
]


def regrade_class(course: Course, out: ResultsFolder) -> Iterator[tuple[Grade | None, Grade]]:
    """Grade every submission again from its kept evidence, without execution.

    A submission whose evidence is damaged or gone becomes `not_graded`; so does one that the rubric's checks fail on.

    Yields:
        The old grade (None where there was none that can be read) and the new one; files are written only where
        something changed.

    Raises:
        StorageError: Results cannot be written.
    """
    rows: defaultdict[str, list[ExecutionRow]] = defaultdict(list)
    for row in Database(out.database_path).executions():
        rows[row.submission].append(row)
    for name in out.submissions():
        old = grade_kept(out, name)
        evidence: Evidence | None = None
        new: Grade | None
        try:
            if AttemptsFolder(out, name).exists():
                new, evidence = regrade_attempts(_submission_of(name, old), old, course, out, tuple(rows[name]))
            else:
                # Beside a failed execution lies what an earlier one saw, of another notebook perhaps.
                failed = any(row.status == "failed" for row in rows[name])
                evidence = None if failed else out.read_evidence(name)
                new = judge(_submission_of(name, old), evidence, course) if evidence else _without_evidence(old, course)
        except HarnessError as error:
            new = ungraded(_submission_of(name, old), course.stamp, error, course.loaded.rubric)
        if new is None:
            continue
        if new != old:
            publish(new, evidence, course, out)
        yield old, new


def differs(old: Grade | None, new: Grade) -> bool:
    """Whether a regrade changed anything that a person reads; the rubric's own digest alone is no change."""
    return old is None or old != new.model_copy(update={"rubric": old.rubric})


def rubrics_used(out: ResultsFolder) -> set[str]:
    """Ids of the rubrics that a results folder was graded with."""
    return {kept.rubric.id for name in out.submissions() if (kept := grade_kept(out, name)) is not None}


def _without_evidence(old: Grade | None, course: Course) -> Grade | None:
    """Grade again what was never executed: no notebook to begin with, or a failure of the grader's.

    Raises:
        ArtefactError: It was executed, but what was seen is no longer kept.
    """
    if old is None:
        return None
    rubric, submission, reason = course.loaded.rubric, _submission_of(old.submission.id, old), old.reason or ""
    if old.status == "not_graded":
        return ungraded(submission, course.stamp, HarnessError(reason), rubric)
    if old.execution is None:
        advice = next((c.advice for c in old.criteria), "")
        return rejected(submission, course.stamp, rubric, NotebookError(reason, advice=advice))
    msg = "the evidence of its execution is no longer kept"
    raise ArtefactError(msg, where=old.submission.id)


def _submission_of(name: str, old: Grade | None) -> Submission:
    if old is None:
        return Submission(id=name, student=name, notebook=Path(), sha256="")
    stamp = old.submission
    return Submission(id=stamp.id, student=stamp.student, notebook=Path(), files=stamp.files, sha256=stamp.sha256)


def report_class(course: Course, out: ResultsFolder) -> int:
    """Render every page of a results folder again from what is kept.

    Returns:
        How many reports were written.
    """
    count = 0
    for name in out.submissions():
        old = out.read_grade(name)
        if old is None:
            continue
        render(old, out.read_evidence(name) if old.status == "graded" else None, course, out)
        count += 1
    publish_class(out, course.loaded.rubric.title, course.ranked_by)
    return count

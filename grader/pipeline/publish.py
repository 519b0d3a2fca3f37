"""From evidence to what people read: a grade, its report, and the pages of the class."""

import errno
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

import nbformat

from grader.checks.registry import all_checks, all_diagnostics
from grader.facts.case import Case
from grader.facts.roles import resolve_roles
from grader.grading.grade import grade
from grader.pipeline.course import Course
from grader.report.classpage import ClassRow, class_row, render_class_page
from grader.report.csvfile import rows_csv
from grader.report.page import render_report
from grader.resources import share
from grader.schema.errors import (
    ArtefactError,
    HarnessError,
    StorageError,
)
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade, Lacking, SubmissionStamp
from grader.schema.submission import Submission
from grader.store.database import Database, digest_of
from grader.store.files import Batch
from grader.store.results import ResultsFolder

__all__ = [
    "basis_of",
    "grade_kept",
    "judge",
    "publish",
    "publish_class",
    "publish_rows",
    "render",
    "report_of",
    "row_of",
    "standing_grade",
    "unexpected",
]


def judge(submission: Submission, evidence: Evidence, course: Course, lacking: Lacking = "lost") -> Grade:
    """Grade from evidence alone.

    Args:
        submission: Whose work it is.
        evidence: What was seen of it.
        course: Rubric, reference, data.
        lacking: What it means where a prediction is lacking; see `Course.lacking`.
    """
    rubric = course.loaded.rubric
    return grade(
        Case(evidence=evidence, rubric=rubric, roles=resolve_roles(rubric, evidence), lacking=lacking),
        submission=submission,
        stamp=course.stamp,
        checks=all_checks(),
        diagnostics=all_diagnostics(),
        reference=course.reference,
        reference_roles=course.reference_roles,
        labels=course.labels(),
    )


def publish(result: Grade, evidence: Evidence | None, course: Course, out: ResultsFolder) -> None:
    """Write a grade and its report, then note that both are there."""
    out.write_grade(result)
    render(result, evidence, course, out)
    Database(out.database_path).record_grading(result, basis=basis_of(result.submission, course, out))


def standing_grade(submission: Submission, course: Course, out: ResultsFolder) -> Grade | None:
    """Read a grade that would come out the same, report and all; None where it is not certain that it would.

    Args:
        submission: Whose evidence is kept and of what is to be graded.
        course: Rubric, reference, data.
        out: The results folder.

    Raises:
        ArtefactError: A file of the submission's cannot be read.
        StorageError: The database cannot be used.
    """
    basis = basis_of(submission, course, out)
    if Database(out.database_path).needs_grading(submission.id, course.loaded.rubric.id, basis):
        return None
    return grade_kept(out, submission.id)


def basis_of(submission: Submission | SubmissionStamp, course: Course, out: ResultsFolder) -> str:
    """Digest what a grade follows from, and the files it was written to.

    Raises:
        ArtefactError: A file of the submission's cannot be read.
    """
    stamp = [submission.id, submission.student, submission.files, submission.sha256]
    return digest_of(course.basis, stamp, out.standing(submission.id))


def render(result: Grade, evidence: Evidence | None, course: Course, out: ResultsFolder) -> None:
    """Render a report from a grade and what is kept beside it, and write it.

    Raises:
        StorageError: It cannot be written.
    """
    out.write_report(result.submission.id, report_of(result, evidence, course, out))


def report_of(result: Grade, evidence: Evidence | None, course: Course, out: ResultsFolder) -> str:
    """Render a report from a grade and what is kept beside it."""
    executed = out.executed_path(result.submission.id)
    notebook = nbformat.reads(executed.read_text(encoding="utf-8"), 4) if evidence and executed.is_file() else None
    return render_report(
        grade=result,
        evidence=evidence,
        reference=course.reference,
        notebook=notebook,
        images=course.images(),
        templates=share("templates"),
    )


def publish_class(out: ResultsFolder, title: str, ranked_by: str | None = None) -> None:
    """Write `index.html` and `grades.csv` from every grade in the results folder.

    Args:
        out: The results folder.
        title: The rubric's title.
        ranked_by: Id of the criterion that the rubric ranks submissions by, if it does.
    """
    kept = (grade_kept(out, name) for name in out.submissions())
    publish_rows([row_of(found, ranked_by) for found in kept if found is not None], out, title)


def publish_rows(rows: Sequence[ClassRow], out: ResultsFolder, title: str, batch: Batch | None = None) -> None:
    """Write `index.html` and `grades.csv` from what `row_of` left of each grade; pages that say the same stay.

    Args:
        rows: In the order to show.
        out: The results folder.
        title: The rubric's title.
        batch: Writes them together with other files.

    Raises:
        StorageError: They cannot be written.
    """
    out.write_page("index.html", render_class_page(rows, title=title, templates=share("templates")), batch)
    out.write_page("grades.csv", rows_csv(rows), batch)


def row_of(result: Grade, ranked_by: str | None) -> ClassRow:
    """Reduce a grade to its line on the class page: thousands of lines fit into memory, thousands of grades do not."""
    return class_row(result, f"{result.submission.id}/report.html", ranked_by)


def grade_kept(out: ResultsFolder, name: str) -> Grade | None:
    """Read a grade; a damaged one is as none, since it can be made again."""
    try:
        return out.read_grade(name)
    except ArtefactError:
        return None


def unexpected(error: Exception) -> HarnessError:
    """Name a fault that nobody foresaw by what was raised, and where in the grader."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StorageError("the disk is full", where=str(error.filename or tempfile.gettempdir()))
    home = Path(__file__).parents[1]
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if home in Path(frame.filename).parents]
    place = f"{Path(own[-1].filename).relative_to(home.parent)}:{own[-1].lineno}" if own else ""
    said = str(error).strip().splitlines()
    message = f"a fault of the grader's own: {type(error).__name__}" + (f": {said[0][:300]}" if said else "")
    return HarnessError(message, where=place, advice="report it with this line; the same command tries again")

"""From evidence to what people read: a grade, its report, and the pages of the class."""

import nbformat

from grader.checks.registry import all_checks, all_diagnostics
from grader.courses import Course
from grader.evidence.roles import resolve_roles
from grader.grading.grade import grade
from grader.places import share
from grader.report.classpage import class_row, render_class_page
from grader.report.csvfile import grades_csv
from grader.report.page import render_report
from grader.schema.errors import (
    ArtefactError,
)
from grader.schema.evidence import Evidence
from grader.schema.grade import Case, Grade
from grader.schema.submission import Submission
from grader.store.database import Database, digest_of
from grader.store.results import ResultsFolder

__all__ = ["grade_kept", "judge", "publish", "publish_class", "render", "standing_grade"]


def judge(submission: Submission, evidence: Evidence, course: Course) -> Grade:
    """Grade from evidence alone."""
    rubric = course.loaded.rubric
    reference = course.reference
    return grade(
        Case(evidence=evidence, rubric=rubric, roles=resolve_roles(rubric, evidence)),
        submission=submission,
        stamp=course.stamp,
        checks=all_checks(),
        diagnostics=all_diagnostics(),
        reference=reference,
        reference_roles=resolve_roles(rubric, reference) if reference else None,
        labels={key: labels.tolist() for key, labels in course.labels().items()},
    )


def publish(result: Grade, evidence: Evidence | None, course: Course, out: ResultsFolder) -> None:
    """Write a grade and its report, then note that both are there."""
    out.write_grade(result)
    render(result, evidence, course, out)
    stamp = result.submission
    basis = _basis(stamp.id, stamp.student, stamp.files, stamp.sha256, course, out)
    Database(out.database_path).record_grading(result, basis=basis)


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
    basis = _basis(submission.id, submission.student, submission.files, submission.sha256, course, out)
    if Database(out.database_path).needs_grading(submission.id, course.loaded.rubric.id, basis):
        return None
    return grade_kept(out, submission.id)


def _basis(  # noqa: PLR0913, PLR0917 - the parts of a submission's stamp
    name: str, student: str, files: tuple[str, ...], sha256: str, course: Course, out: ResultsFolder
) -> str:
    """Digest what a grade follows from, and the files it was written to."""
    return digest_of(course.basis, [name, student, files, sha256], out.standing(name))


def render(result: Grade, evidence: Evidence | None, course: Course, out: ResultsFolder) -> None:
    """Render a report from a grade and what is kept beside it.

    Raises:
        StorageError: It cannot be written.
    """
    executed = out.executed_path(result.submission.id)
    notebook = nbformat.reads(executed.read_text(encoding="utf-8"), 4) if evidence and executed.is_file() else None
    page = render_report(
        grade=result,
        evidence=evidence,
        reference=course.reference,
        notebook=notebook,
        images=course.images(),
        templates=share("templates"),
    )
    out.write_report(result.submission.id, page)


def publish_class(out: ResultsFolder, title: str, ranked_by: str | None = None) -> None:
    """Write `index.html` and `grades.csv` from every grade in the results folder.

    Args:
        out: The results folder.
        title: The rubric's title.
        ranked_by: Id of the criterion that the rubric ranks submissions by, if it does.
    """
    grades = [found for name in out.submissions() if (found := grade_kept(out, name)) is not None]
    rows = [class_row(one, f"{one.submission.id}/report.html", ranked_by) for one in grades]
    out.write_page("index.html", render_class_page(rows, title=title, templates=share("templates")))
    out.write_page("grades.csv", grades_csv(grades))


def grade_kept(out: ResultsFolder, name: str) -> Grade | None:
    """Read a grade; a damaged one is as none, since it can be made again."""
    try:
        return out.read_grade(name)
    except ArtefactError:
        return None

"""Make grades, reports and class pages from evidence, and write them."""

import errno
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

import nbformat

from grader.checks.registry import all_checks, all_diagnostics
from grader.evidence.cells import cell_facts
from grader.facts.case import Case
from grader.facts.language import english
from grader.facts.points import total_of
from grader.facts.roles import resolve_roles
from grader.grading.grade import grade, rejected
from grader.grading.parts import Parts
from grader.intake.cells import oddity_messages
from grader.pipeline.class_list import grade_kept, kept_row, list_class, page_rows, row_of, rows_of, table_rows
from grader.pipeline.course import Course
from grader.pipeline.kept_work import KeptWork
from grader.report.classpage import class_page
from grader.report.classrow import ClassRow
from grader.report.csvfile import rows_csv
from grader.report.edition import edition
from grader.report.fragments import Fragments
from grader.report.page import render_report
from grader.report.plain import plain_report
from grader.schema.errors import (
    HarnessError,
    NotebookError,
    StorageError,
)
from grader.schema.evidence import Evidence, RefusalFact
from grader.schema.grade import AUDIENCES, Audience, Grade, Lacking, SubmissionStamp
from grader.schema.message import as_message, say
from grader.schema.submission import Run, Submission
from grader.store.database import Database, digest_of
from grader.store.files import Batch, encoded_pieces
from grader.store.results import ResultsFolder
from grader.store.seal import is_edited

__all__ = [
    "Judge",
    "basis_of",
    "edited_grades",
    "grade_kept",
    "inputs_of",
    "judge",
    "judge_refused",
    "kept_row",
    "publish",
    "publish_class",
    "publish_rows",
    "refused_evidence",
    "render",
    "report_of",
    "reports_of",
    "row_of",
    "standing_grade",
    "unexpected",
]


Judge = Callable[[Submission, Evidence, Course, Lacking], Grade]
"""The function `judge`, or one with the same results."""


def judge(
    submission: Submission,
    evidence: Evidence,
    course: Course,
    lacking: Lacking = "lost",
    *,
    parts: Parts | None = None,
) -> Grade:
    """Grade a submission from its evidence.

    Args:
        submission: The submission.
        evidence: Its evidence.
        course: Rubric, reference and data.
        lacking: The reason for a missing prediction; see `Course.lacking`.
        parts: The parts of an earlier grade of the same evidence with the same reference and data; see `Parts`.
    """
    rubric = course.loaded.rubric
    if evidence.refusal is not None:
        return judge_refused(submission, evidence, _refusal_error(evidence.refusal), course)
    return grade(
        Case(evidence=evidence, rubric=rubric, roles=resolve_roles(rubric, evidence), lacking=lacking),
        submission=submission,
        stamp=course.stamp,
        checks=all_checks(),
        diagnostics=all_diagnostics(),
        reference=course.reference,
        reference_roles=course.reference_roles,
        labels=course.labels(),
        parts=parts,
    )


def judge_refused(submission: Submission, evidence: Evidence | None, error: NotebookError, course: Course) -> Grade:
    """Grade a submission that was not executed.

    Args:
        submission: The submission.
        evidence: Its cells; None if none can be read.
        error: The reason.
        course: Rubric, reference and data.
    """
    return rejected(submission, course.stamp, course.loaded.rubric, error, evidence=evidence, checks=all_checks())


def refused_evidence(notebook: Mapping[str, Any], error: NotebookError) -> Evidence:
    """Describe the cells of a notebook that is not executed.

    Args:
        notebook: The notebook in the standard form.
        error: The reason.
    """
    code = sum(cell["cell_type"] == "code" and bool(cell["source"].strip()) for cell in notebook["cells"])
    run = Run(
        status="died",
        reason=error.says,
        seconds=0.0,
        cells_run=0,
        cells_total=code,
        isolation="none",
        seed=0,
        dialect="keras3",
    )
    return Evidence(
        run=run,
        cells=cell_facts(notebook, notebook, run),
        problems=oddity_messages(notebook),
        refusal=RefusalFact(reason=error.says, advice=error.advice_says),
    )


def _refusal_error(refusal: RefusalFact) -> NotebookError:
    reason, advice = as_message(refusal.reason), as_message(refusal.advice)
    return NotebookError(english(reason), advice=english(advice), says=reason, advice_says=advice)


def publish(
    result: Grade, evidence: Evidence | None, course: Course, out: ResultsFolder, parts: Parts | None = None
) -> None:
    """Write a grade and both editions of its report, then record both in the database.

    Args:
        result: The grade.
        evidence: Its evidence.
        course: Rubric, reference and data.
        out: The results folder.
        parts: The parts of the grade, which the first regrade can then use again.
    """
    out.write_grade(result)
    render(result, evidence, course, out, parts)
    Database(out.database_path).record_grading(result, basis=basis_of(result.submission, course, out))


def standing_grade(submission: Submission, course: Course, out: ResultsFolder) -> Grade | None:
    """Read the existing grade if none of its inputs changed, else return None.

    Args:
        submission: The submission.
        course: Rubric, reference and data.
        out: The results folder.

    Raises:
        ArtefactError: A file of the submission cannot be read.
        StorageError: The database cannot be used.
    """
    basis = basis_of(submission, course, out)
    if Database(out.database_path).needs_grading(submission.id, course.loaded.rubric.id, basis):
        return None
    if out.report_language(submission.id) != course.language.code:
        return None
    return grade_kept(out, submission.id)


def basis_of(
    submission: Submission | SubmissionStamp,
    course: Course,
    out: ResultsFolder,
    standing: Mapping[str, str] | None = None,
) -> str:
    """Digest the inputs of a grade, and its files.

    Args:
        submission: The submission.
        course: Rubric, reference and data.
        out: The results folder.
        standing: The digests of the files, as `ResultsFolder.standing` returns them; by default, the files are read.

    Raises:
        ArtefactError: A file of the submission cannot be read.
    """
    stamp, *others = _inputs(submission, course)
    return digest_of(course.basis, stamp, standing or out.standing(submission.id), *others)


def inputs_of(submission: Submission | SubmissionStamp, course: Course) -> str:
    """Digest the inputs of a grade and of its pages that are not files of the submission."""
    return digest_of(course.basis, *_inputs(submission, course), ["language", course.language.code])


def _inputs(submission: Submission | SubmissionStamp, course: Course) -> Sequence[Sequence[object]]:
    """List the inputs of one grade that are no files: its stamp, then the decisions of people."""
    stamp: list[object] = [submission.id, submission.student, submission.files, submission.sha256]
    notes = submission.notes if isinstance(submission, Submission) else submission.notes_says
    if notes:
        stamp.append([note.model_dump(mode="json") for note in notes])
    when = course.time_of(submission)
    if when is None and submission.submitted_from not in {"", "times"}:
        stamp.append([submission.submitted_from, submission.submitted and submission.submitted.isoformat()])
    judgements = course.judgements_of(submission)
    people = [[one.model_dump(mode="json") for one in judgements]] if judgements else []
    due = [] if course.due is None else [course.due.digest_parts()]
    times = [] if when is None else [when.isoformat()]
    zone = [] if course.zone == UTC else [["zone", str(course.zone)]]
    return (stamp, *people, *due, *times, *zone)


def render(
    result: Grade, evidence: Evidence | None, course: Course, out: ResultsFolder, parts: Parts | None = None
) -> None:
    """Render both editions of a report from a grade and the stored results, and write them.

    Args:
        result: The grade, which is stored already.
        evidence: Its evidence.
        course: Rubric, reference and data.
        out: The results folder.
        parts: The parts of the grade, which are noted for the first regrade.

    Raises:
        StorageError: A report cannot be written.
    """
    work = KeptWork(course, out, result.submission.id, parts)
    for audience, page in reports_of(result, evidence, course, out, work).items():
        out.write_report(result.submission.id, page, audience)
    work.store(result)


def reports_of(
    result: Grade, evidence: Evidence | None, course: Course, out: ResultsFolder, work: KeptWork
) -> Mapping[Audience, str]:
    """Render both editions of a report from a grade and the stored results.

    Args:
        result: The grade.
        evidence: Its evidence.
        course: Rubric, reference and data.
        out: The results folder.
        work: Work that was done before, from which parts of the pages are used again; the caller stores new parts.
    """
    # Another attempt may be selected at any time, and nothing is rendered twice without an execution.
    fixed = evidence is not None and evidence.refusal is None and not out.attempts_folder(result.submission.id).exists()
    fragments = work.fragments() if fixed else None
    return {audience: report_of(result, evidence, course, out, audience, fragments) for audience in AUDIENCES}


def report_of(  # noqa: PLR0913, PLR0917 - each is a separate document
    result: Grade,
    evidence: Evidence | None,
    course: Course,
    out: ResultsFolder,
    audience: Audience,
    fragments: Fragments | None = None,
) -> str:
    """Render one edition of a report from a grade and the stored results.

    A failure to render never undoes a grade: the page then shows the grade alone, and names the failure.
    """
    try:
        return _report(result, evidence, course, out, audience, fragments)
    except Exception as error:  # noqa: BLE001 - the grade is made, and the page must show it
        failure = say("The grader could not render the whole report ({error:raw}).", error=type(error).__name__)
    problems = (*result.problems_says, failure)
    known = result.model_copy(update={"problems": tuple(map(english, problems)), "problems_says": problems})
    try:
        return _report(known, None, course, out, audience, None)
    except Exception:  # noqa: BLE001 - as above
        return plain_report(edition(result, course.loaded.rubric, audience), failure, course.language)


def _report(  # noqa: PLR0913, PLR0917 - as `report_of`
    result: Grade,
    evidence: Evidence | None,
    course: Course,
    out: ResultsFolder,
    audience: Audience,
    fragments: Fragments | None,
) -> str:
    if evidence is not None and evidence.refusal is not None:
        evidence = None
    executed = out.executed_path(result.submission.id)

    def notebook() -> Mapping[str, Any] | None:
        if evidence is None or not executed.is_file():
            return None
        read: Mapping[str, Any] = nbformat.reads(executed.read_text(encoding="utf-8"), 4)
        return read

    return render_report(
        grade=result,
        evidence=evidence,
        reference=course.reference,
        notebook=notebook,
        images=course.images(),
        rubric=course.loaded.rubric,
        audience=audience,
        templates=course.templates,
        language=course.language,
        fragments=fragments,
    )


def publish_class(course: Course, out: ResultsFolder) -> None:
    """Write `index.html` and `grades.csv` from all grades in the results folder.

    Args:
        course: The rubric, its ranking, and the language of pages.
        out: The results folder.
    """
    publish_rows(rows_of(out, course), course, out)


def publish_rows(rows: Sequence[ClassRow], course: Course, out: ResultsFolder, batch: Batch | None = None) -> None:
    """Write `index.html` and `grades.csv` from the rows of `row_of`; unchanged pages are not written.

    With a roster, both list all students, also those without a submission.

    Args:
        rows: The rows, in order.
        course: The rubric, and the language of pages.
        out: The results folder.
        batch: Writes them together with other files.

    Raises:
        StorageError: The pages cannot be written.
    """
    listed = list_class(rows, course)
    most = total_of((course.loaded.rubric.max_score,))
    shown = list(page_rows(rows, listed, most)) if listed.roster else rows
    page = class_page(shown, title=course.loaded.rubric.title, templates=course.templates, language=course.language)
    out.write_page("index.html", encoded_pieces(page), batch)
    out.write_page("grades.csv", rows_csv(list(table_rows(listed, most)) if listed.roster else rows), batch)


def edited_grades(out: ResultsFolder) -> tuple[str, ...]:
    """List the submissions whose `grade.json` somebody edited by hand."""
    return tuple(name for name in out.submissions() if is_edited(out.grade_data(name)))


def unexpected(error: Exception) -> HarnessError:
    """Convert an unexpected exception to an error with the exception and its place in the grader."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StorageError("the disk is full", where=str(error.filename or tempfile.gettempdir()))
    home = Path(__file__).parents[1]
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if home in Path(frame.filename).parents]
    place = f"{Path(own[-1].filename).relative_to(home.parent)}:{own[-1].lineno}" if own else ""
    lines = str(error).strip().splitlines()
    message = f"an error in the grader: {type(error).__name__}" + (f": {lines[0][:300]}" if lines else "")
    return HarnessError(message, where=place, advice="report it with this line; the same command tries again")

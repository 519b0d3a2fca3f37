"""Export the grades of a class to another tool: read the class, decide what may be written, and write the file."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from grader.delivery.editions import Editions, editions_of
from grader.delivery.grade_export import ExportState, GradeExport, GradeFormat, GradeRow, RowReport, Worksheet
from grader.delivery.submission_files import json_bytes
from grader.grading.loader import LoadedRubric
from grader.pipeline.class_list import SUPERSEDED, ListEntry, list_class, row_of
from grader.pipeline.exporting import EXPORTS, refuse_foreign, staging
from grader.pipeline.judgements import class_judgements
from grader.pipeline.regrade import rubric_of_results
from grader.pipeline.rubrics import noted_language
from grader.report.classrow import ClassRow, RosterCell, absent_row
from grader.schema.errors import ArtefactError, EditedGradeError, UsageError
from grader.schema.grade import Grade
from grader.schema.grade_list import EntryStatus
from grader.store.files import writing
from grader.store.results import ResultsFolder

__all__ = ["INDEX", "ExportedGrades", "GradeExportOptions", "export_grades", "grade_rows"]

INDEX = "export.json"
"""File of an exported folder that lists what was written."""
_EDITED: Final = "somebody edited its grade.json by hand: `grader regrade DIR` restores it"
_LARGEST: Final = 64 << 20
"""Largest worksheet that is read, in bytes."""


@dataclass(frozen=True, slots=True)
class GradeExportOptions:
    """Options of an export of grades."""

    format: GradeFormat
    target: Path | None = None
    """The file or the folder; None for a place in the results folder."""
    worksheet: Path | None = None
    column: str = ""
    scale: bool = False
    python: str = ""
    with_pending: bool = False
    """Whether scores are written although a person still has to give points."""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExportedGrades:
    """The result of an export of grades."""

    target: Path
    reports: tuple[RowReport, ...]
    pending: tuple[str, ...]
    """Students whose scores are held back only because points are pending."""
    faults: tuple[str, ...]
    """Submissions that were not graded, or whose grade cannot be used."""

    def count(self, *states: ExportState) -> int:
        """Count the rows in any of some states."""
        return sum(one.state in states for one in self.reports)


def export_grades(
    out: ResultsFolder,
    options: GradeExportOptions,
    listener: Callable[[int, int], None] = lambda _done, _all: None,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ExportedGrades:
    """Export the grades of a class; an earlier export is replaced when the new one is complete.

    Args:
        out: The results folder.
        options: Options.
        listener: Called with the number of submissions that were read and the total.
        now: Function that returns the time, with its zone.

    Raises:
        SubmissionPathError: The folder has no results.
        RubricError: The rubric is missing, without which nobody knows what students may see.
        UsageError: An option or the worksheet is wrong.
        StorageError: The file cannot be written.
    """
    _check_options(options)
    loaded = rubric_of_results(out)
    loaded = replace(loaded, language=loaded.language or noted_language(out))
    worksheet = None if options.worksheet is None else _read_worksheet(options.worksheet, options.format)
    target = _target(out, options)
    rows = grade_rows(out, loaded, listener, with_pending=options.with_pending)
    title = loaded.writer().rubric_text(loaded.rubric.title) or loaded.rubric.id
    with staging(target) as folder, writing(target):
        export = GradeExport(
            rows=rows,
            rubric=loaded.rubric.id,
            title=title,
            max_score=next((row.max_score for row in rows if row.score is not None), loaded.rubric.max_score),
            target=folder / options.format.file if options.format.file else folder,
            now=now(),
            worksheet=worksheet,
            column=options.column,
            scale=options.scale,
            python=options.python,
            environment=options.environment,
        )
        reports = tuple(options.format.write(export))
        _adopt(folder, target, options.format, reports)
    return ExportedGrades(
        target=target,
        reports=reports,
        pending=tuple(row.label for row in rows if _waits(row)),
        faults=tuple(dict.fromkeys(row.submission for row in rows if row.status in {"not_graded", "unreadable"})),
    )


def _waits(row: GradeRow) -> bool:
    return row.status == "graded" and bool(row.held) and row.pending > 0


# --- rows ------------------------------------------------------------------------------------------------------


def grade_rows(
    out: ResultsFolder,
    loaded: LoadedRubric,
    listener: Callable[[int, int], None] = lambda _done, _all: None,
    *,
    with_pending: bool = False,
) -> tuple[GradeRow, ...]:
    """Read the rows of a class: the students in the order of the roster, then submissions of nobody.

    Args:
        out: The results folder.
        loaded: The rubric, with the language of the students.
        listener: Called with the number of submissions that were read and the total.
        with_pending: Whether scores may be written although a person still has to give points.

    Raises:
        UsageError: The course folder, the roster or the file of judgements is wrong.
    """
    kept = _Kept(out, loaded)
    names = out.submissions()
    for done, name in enumerate(names, 1):
        kept.add(name)
        listener(done, len(names))
    listed = list_class(kept.rows, class_judgements(out, loaded.rubric.id))
    return tuple(kept.row(entry, with_pending=with_pending) for entry in listed.entries)


@dataclass(slots=True)
class _Kept:
    """The grades of a results folder, reduced to what every format needs."""

    out: ResultsFolder
    loaded: LoadedRubric
    rows: list[ClassRow] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    """Why the grade of a submission cannot be used."""

    def add(self, name: str) -> None:
        """Read the grade of a submission."""
        try:
            grade = self._read(name)
        except ArtefactError as error:
            self.problems[name] = f"its grade cannot be read: {error.message}"
            self.rows.append(_unreadable(name))
            return
        self.rows.append(row_of(grade, None))

    def _read(self, name: str) -> Grade:
        """Read a grade; one that somebody edited by hand is a problem, but its student is known."""
        try:
            grade = self.out.read_grade(name)
        except EditedGradeError:
            grade = self.out.read_grade(name, edited=True)
            self.problems[name] = _EDITED
        if grade is None:
            msg = "there is no grade.json"
            raise ArtefactError(msg, where=name)
        return grade

    def row(self, entry: ListEntry, *, with_pending: bool) -> GradeRow:
        """Make the row of a student or a submission."""
        listed, name = entry.row, entry.submission
        status = self._status(entry)
        report = self.out.report_path(name) if listed is not None else None
        return GradeRow(
            status=status,
            submission=name,
            handed_in_as="" if listed is None else listed.student,
            student=entry.student,
            score=None if listed is None else listed.score,
            max_score=self.loaded.rubric.max_score if listed is None else listed.max_score,
            pending=0.0 if listed is None else listed.pending,
            read=lambda: self.editions(name),
            report=report if report is not None and report.is_file() else None,
            held=self._held(entry, status, with_pending=with_pending),
        )

    def editions(self, name: str) -> Editions:
        """Read the grade of a submission."""
        grade = self.out.read_grade(name)
        if grade is None:
            msg = "the grade was removed meanwhile"
            raise ArtefactError(msg, where=name)
        return editions_of(grade, self.loaded.rubric, self.loaded.writer())

    def _status(self, entry: ListEntry) -> EntryStatus:
        return "unreadable" if entry.submission in self.problems and entry.status != "excused" else entry.status

    def _held(self, entry: ListEntry, status: EntryStatus, *, with_pending: bool) -> str:
        """Say why no score is written; empty if it may be written."""
        always: Mapping[EntryStatus, str] = {
            "unreadable": self.problems.get(entry.submission, ""),
            "excused": "the student is excused",
            "missing": "nothing was handed in",
            "not_graded": "it was not graded, because the grader failed: grade it again",
        }
        if status in always:
            return always[status]
        if entry.reason == SUPERSEDED:
            return SUPERSEDED
        pending = 0.0 if entry.row is None else entry.row.pending
        return f"{pending:g} points are pending" if pending > 0 and not with_pending else ""


def _unreadable(name: str) -> ClassRow:
    """Make the row of a submission whose grade cannot be read; its name may still tell its student."""
    return replace(absent_row(name, "missing", 0.0, RosterCell()), id=name, state="")


# --- options and files -----------------------------------------------------------------------------------------


def _check_options(options: GradeExportOptions) -> None:
    """Refuse options that the format does not use, and ask for the worksheet that it needs.

    Raises:
        UsageError: An option is wrong.
    """
    chosen = options.format
    values = {"column": options.column, "scale": options.scale, "python": options.python}
    for name, value in values.items():
        if value and name not in chosen.options:
            msg = f"the format {chosen.name} does not use it"
            raise UsageError(msg, where=f"--{name}")
    if options.worksheet is not None and not chosen.worksheet:
        msg = f"the format {chosen.name} fills in no file"
        raise UsageError(msg, where="--worksheet")
    if options.worksheet is None and chosen.worksheet and not chosen.optional:
        msg = f"the format {chosen.name} fills in {chosen.worksheet}"
        raise UsageError(msg, where="--worksheet", advice="name the file that you downloaded")


def _read_worksheet(path: Path, chosen: GradeFormat) -> Worksheet:
    if chosen.worksheet_is_database:
        return Worksheet(path, b"")
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        msg = f"the file cannot be read: {error.strerror or error}"
        raise UsageError(msg, where=f"--worksheet {path}") from error
    if len(content) > _LARGEST:
        msg = f"the file is larger than {_LARGEST >> 20} MiB"
        raise UsageError(msg, where=f"--worksheet {path}")
    return Worksheet(path, content)


def _target(out: ResultsFolder, options: GradeExportOptions) -> Path:
    """Return the path of the file or folder to write.

    Raises:
        UsageError: It is the worksheet itself, or a folder with other files.
    """
    chosen, named = options.format, options.target
    if not chosen.file:
        target = named or out.root / EXPORTS / chosen.name
        refuse_foreign(target, INDEX)
        return target
    folder = out.root / EXPORTS / chosen.name if named is None else named
    target = folder / chosen.file if named is None or named.is_dir() else folder
    if options.worksheet is not None and target.exists() and target.samefile(options.worksheet):
        msg = "the export would replace the worksheet"
        raise UsageError(msg, where=f"--out {target}", advice="name another file, so that you can compare both")
    return target


def _adopt(staging: Path, target: Path, chosen: GradeFormat, reports: tuple[RowReport, ...]) -> None:
    """Move the finished file into place; a folder replaces the folder of an earlier export."""
    if chosen.file:
        (staging / chosen.file).replace(target)
        return
    index = [
        {"student": one.student, "submission": one.submission, "state": one.state, "value": one.value, "why": one.why}
        for one in reports
    ]
    (staging / INDEX).write_bytes(json_bytes(index))
    shutil.rmtree(target, ignore_errors=True)
    staging.replace(target)

"""Grades and pages from kept evidence, without execution."""

import functools
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from grader.checks.registry import all_checks, all_diagnostics
from grader.datasets.store import DatasetStore
from grader.grading.grade import rejected, ungraded
from grader.grading.loader import LoadedRubric
from grader.pipeline.attempts import regrade_attempts
from grader.pipeline.changes import Changed, Journal, changes_of, write_changes
from grader.pipeline.course import Course, load_course
from grader.pipeline.process_pool import in_chunks
from grader.pipeline.publish import basis_of, grade_kept, judge, publish_rows, report_of, row_of, unexpected
from grader.pipeline.rubrics import find_rubric, note_rubric, noted_attempts, noted_rubric
from grader.report.classpage import ClassRow, CriterionCell
from grader.schema.errors import (
    ArtefactError,
    GraderError,
    HarnessError,
    NotebookError,
    StorageError,
    SubmissionPathError,
    UsageError,
)
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade, SubmissionStamp
from grader.schema.submission import Submission
from grader.store.attempts import AttemptsFolder
from grader.store.database import Database, ExecutionRow, GradingRow, grading_row
from grader.store.files import Batch
from grader.store.results import ResultsFolder, grade_bytes, grade_data, parse_grade

__all__ = ["Regrade", "course_of_results", "regrade_class", "report_class", "rubrics_used"]

_CHANGES = "changes.csv"


@dataclass(frozen=True, slots=True)
class Regrade:
    """What a regrade of a class came to."""

    total: int
    not_graded: int
    changed: int
    """How many submissions changed."""
    first: tuple[Changed, ...]
    """The first of them, in the order of the submissions; `changes.csv` has them all."""
    ineffective: tuple[str, ...] = ()
    """What of the rubric is other than it was when notebooks were executed, such as `run.time`."""
    outdated: int = 0
    """How many submissions were executed with something else there."""


@dataclass(frozen=True, slots=True)
class _Regraded:
    """What a worker tells of one submission; thousands of these are kept, and so no grade is in it."""

    row: ClassRow
    grading: GradingRow
    counted: frozenset[int]
    """Which attempts are in its grade; of others stale executions may be noted."""


@dataclass(frozen=True, slots=True)
class _Room:
    """What all submissions of a regrade share; workers inherit it."""

    course: Course
    out: ResultsFolder
    journal: Journal
    executions: Mapping[str, tuple[ExecutionRow, ...]]
    known: Mapping[str, GradingRow]
    """The last gradings with this rubric."""


def regrade_class(
    course: Course,
    out: ResultsFolder,
    *,
    workers: int | None = None,
    most: int | None = None,
    listener: Callable[[int, int], None] = lambda _done, _all: None,
) -> Regrade:
    """Grade every submission again from its kept evidence, without execution, and write what changed.

    A submission whose evidence is damaged or gone becomes `not_graded`; so does one that the rubric's checks fail on.
    Where nothing changed no file is touched. Killed at any moment, the same call completes what is missing and leaves
    the same files: a report is in its place before the grade that it shows, and a grade says what has been done. The
    caller holds the folder (`ResultsFolder.at_work`).

    Args:
        course: Rubric, reference, data.
        out: The results folder.
        workers: Processes; by default as many as there are cores.
        most: How many changed submissions are told in full; by default all of them.
        listener: Told how many of how many are done.

    Raises:
        StorageError: Results cannot be written.
        HarnessError: A worker was lost.
    """
    note_rubric(course.loaded, out, executes=False)
    names, database = out.submissions(), Database(out.database_path)
    room = _Room(
        course=course,
        out=out,
        journal=Journal(out.root, course.stamp.sha256),
        executions=_by_submission(database.executions()),
        known={row.submission: row for row in database.gradings() if row.rubric == course.stamp.id},
    )
    room.journal.begin()
    _work_out(course)
    rows: list[ClassRow] = []
    cells: dict[CriterionCell, CriterionCell] = {}
    counted: dict[str, frozenset[int]] = {}
    # Closed here, so that the caller does not let go of the folder while workers still write there.
    with closing(in_chunks(partial(_regrade_some, room), names, workers=workers)) as answers:
        for answer in answers:
            rows += [_shared(one.row, cells) for one in answer]
            counted |= {one.grading.submission: one.counted for one in answer}
            database.record_gradings(_unknown([one.grading for one in answer], room.known))
            listener(len(rows), len(names))
    pages = Batch(out.root)
    publish_rows(rows, out, course.loaded.rubric.title, pages)
    found = room.journal.places()
    # Also what an interrupted regrade changed before this one; what is no longer here is told of no more.
    places = [found[name] for name in names if name in found]
    if places:
        with pages.opened(out.root / _CHANGES) as file:
            write_changes(file, room.journal.read(places))
    pages.commit()
    first = tuple(room.journal.read(places[:most])) if places else ()
    if places:
        out.sync()
    room.journal.end()
    not_graded = sum(not row.graded for row in rows)
    return Regrade(len(rows), not_graded, len(places), first, *_ineffective(room, counted))


def _ineffective(room: _Room, counted: Mapping[str, frozenset[int]]) -> tuple[tuple[str, ...], int]:
    """What of the rubric only another execution brings into effect, and how many submissions it concerns.

    Args:
        room: What is noted of executions.
        counted: Of each submission, which attempts are in its grade.
    """
    course, asked = room.course, noted_attempts(room.out)
    differing = functools.cache(course.differing_parts)
    fewer = ("run.attempts",) if asked not in {None, course.loaded.rubric.run.attempts} else ()
    found, outdated = dict.fromkeys(fewer), 0
    for name, numbers in counted.items():
        noted = room.executions.get(name, ())
        rows = [row for row in noted if row.status == "executed" and row.attempt in numbers]
        parts = [part for row in rows for part in differing(row.parts)]
        found |= dict.fromkeys(parts)
        outdated += bool(rows and (parts or fewer))
    return tuple(sorted(found)), outdated


def _counted(grade: Grade) -> frozenset[int]:
    """Which attempts are in a grade; without several attempts it is of the first."""
    if grade.attempts is None:
        return frozenset({1})
    return frozenset(one.number for one in grade.attempts.tried if one.status == "graded")


def _shared(row: ClassRow, cells: dict[CriterionCell, CriterionCell]) -> ClassRow:
    """Let lines share their equal cells: a class of thousands has hundreds of thousands, and few that differ."""
    return replace(row, criteria=tuple(cells.setdefault(cell, cell) for cell in row.criteria))


def _by_submission(rows: Sequence[ExecutionRow]) -> dict[str, tuple[ExecutionRow, ...]]:
    """Bring each submission's executions together."""
    found: defaultdict[str, list[ExecutionRow]] = defaultdict(list)
    for row in rows:
        found[row.submission].append(row)
    return {name: tuple(its) for name, its in found.items()}


def _work_out(course: Course) -> None:
    """Have everything that all submissions share before workers are forked, so that none works it out again."""
    all_checks()
    all_diagnostics()
    _ = (course.labels(), course.images(), course.reference_roles)


def _unknown(rows: Sequence[GradingRow], known: Mapping[str, GradingRow]) -> list[GradingRow]:
    """Leave out what the database says already, but for the time."""
    now = time.time()
    fresh = (row for row in rows if (old := known.get(row.submission)) is None or replace(old, finished=0.0) != row)
    return [replace(row, finished=now) for row in fresh]


def _regrade_some(room: _Room, names: Sequence[str]) -> list[_Regraded]:
    """Grade a few submissions again and write their files together."""
    batch, done, changed = Batch(room.out.root), list[_Regraded](), list[Changed]()
    for name in names:
        one = _standing(room, name) or _regrade_one(room, name, batch, changed)
        if one is not None:
            done.append(one)
    room.journal.note(changed)
    batch.commit()
    return [one if one.grading.basis else replace(one, grading=_based(room, one.grading)) for one in done]


def _standing(room: _Room, name: str) -> _Regraded | None:
    """What stands in its place and would come out the same, report and all; None where that is not certain."""
    known = room.known.get(name)
    if known is None or known.status != "graded" or not known.basis or AttemptsFolder(room.out, name).exists():
        return None
    if known.sha256 != room.course.stamp.sha256 or _basis(room, name) != known.basis:
        return None
    kept = grade_kept(room.out, name)
    if kept is None:
        return None
    return _Regraded(row_of(kept, room.course.ranked_by), replace(known, finished=0.0), _counted(kept))


def _basis(room: _Room, name: str) -> str:
    """Digest what a grade follows from and its files; empty where they cannot be read."""
    try:
        return basis_of(_submission_of(name, room.out.grade_data(name)), room.course, room.out)
    except ArtefactError:
        return ""


def _based(room: _Room, row: GradingRow) -> GradingRow:
    """Note of a grade that is in its place now what it follows from."""
    return replace(row, basis=_basis(room, row.submission))


def _regrade_one(room: _Room, name: str, batch: Batch, changed: list[Changed]) -> _Regraded | None:
    course, out = room.course, room.out
    old = out.grade_data(name)
    submission = _submission_of(name, old)
    try:
        new, evidence = _judged(room, submission)
        if new is None:
            return None
        difference = _written(old, new, evidence, course, out, batch)
    except StorageError:
        raise
    except HarnessError as error:
        new = ungraded(submission, course.stamp, error, course.loaded.rubric)
        difference = _written(old, new, None, course, out, batch)
    except GraderError:
        raise
    except Exception as error:  # noqa: BLE001 - a fault of the grader's in one submission must not cost the class
        new = ungraded(submission, course.stamp, unexpected(error), course.loaded.rubric)
        difference = _written(old, new, None, course, out, batch)
    if difference is not None:
        changed.append(difference)
    return _Regraded(row_of(new, course.ranked_by), grading_row(new), _counted(new))


def _judged(room: _Room, submission: Submission) -> tuple[Grade | None, Evidence | None]:
    """Grade from what is kept of one submission; None where nothing is."""
    course, out, name = room.course, room.out, submission.id
    rows = room.executions.get(name, ())
    if AttemptsFolder(out, name).exists():
        return regrade_attempts(submission, grade_kept(out, name), course, out, rows)
    # Beside a failed execution lies what an earlier one saw, of another notebook perhaps.
    failed = any(row.status == "failed" for row in rows)
    evidence = None if failed else out.read_evidence(name)
    if evidence is None:
        return _without_evidence(grade_kept(out, name), course), None
    noted = next((row.parts for row in rows if row.attempt == 1), "")
    return judge(submission, evidence, course, course.lacking(evidence, noted, executes=False)), evidence


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


def course_of_results(
    out: ResultsFolder, loaded: LoadedRubric | None = None, store: DatasetStore | None = None
) -> Course:
    """Bring together what a regrade of a results folder needs.

    Args:
        out: The results folder.
        loaded: The rubric; without one, the rubric that its grades were made with.
        store: Where the data sets are; by default this machine's folder for them.

    Raises:
        SubmissionPathError: The folder has no results.
        UsageError: Its grades are of several rubrics, and none was given.
        HarnessError: A data set or the reference's evidence is missing.
    """
    if not out.submissions():
        msg = "there are no results here"
        raise SubmissionPathError(msg, where=str(out.root), advice="name the `--out` folder of a `grader grade`")
    if loaded is None:
        used = rubrics_used(out)
        if len(used) != 1:
            msg = f"the grades here are of {len(used)} rubrics"
            raise UsageError(msg, where=str(out.root), advice="say which with `--rubric`")
        loaded = find_rubric(noted_rubric(out, used.pop()))
    return load_course(loaded, store or DatasetStore(may_download=True))


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
        StorageError: Results cannot be written.
    """
    _work_out(course)
    with closing(in_chunks(partial(_render_some, course, out), out.submissions(), workers=workers)) as answers:
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

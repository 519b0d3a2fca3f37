"""Make grades and pages again from stored evidence, without execution."""

import functools
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from grader.checks.registry import all_checks, all_diagnostics
from grader.datasets.store import DatasetStore
from grader.facts.language import english
from grader.grading.grade import rejected, ungraded
from grader.grading.loader import LoadedRubric
from grader.pipeline.attempts import Handling, regrade_attempts
from grader.pipeline.changes import Changed, Journal, changes_of, write_changes
from grader.pipeline.course import Course, load_course
from grader.pipeline.course_folder import assignment_of
from grader.pipeline.judgements import check_missing, judged_course, orphans_of, with_people
from grader.pipeline.kept_work import KeptWork
from grader.pipeline.process_pool import in_chunks, sparing
from grader.pipeline.publish import (
    Judge,
    basis_of,
    edited_grades,
    grade_kept,
    judge,
    kept_row,
    publish_rows,
    reports_of,
    row_of,
    unexpected,
)
from grader.pipeline.rubrics import find_rubric, note_rubric, noted_attempts, noted_language, noted_rubric
from grader.pipeline.standing import (
    Outcome,
    PagesRecord,
    Unchanged,
    kept_rows,
    standing_row,
    unchanged_grades,
)
from grader.report.classrow import ClassRow, with_shared_parts
from grader.schema.errors import (
    ArtefactError,
    EditedGradeError,
    GraderError,
    HarnessError,
    NotebookError,
    StorageError,
    SubmissionPathError,
    UsageError,
)
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade, Lacking, SubmissionStamp
from grader.schema.judgement import Judgement, ReviewGrade
from grader.schema.message import Message
from grader.schema.submission import Submission
from grader.store.attempts import AttemptsFolder
from grader.store.database import Database, ExecutionRow, GradingRow, StandingRow, grading_row
from grader.store.files import Batch, encoded
from grader.store.results import ResultsFolder, as_stored, grade_bytes, grade_data, unsealed_data
from grader.store.seal import SEAL, is_edited, is_sealed_stamp

__all__ = [
    "Regrade",
    "Review",
    "Room",
    "Source",
    "attempted",
    "counted_attempts",
    "course_of_results",
    "difference",
    "ineffective",
    "precompute",
    "regrade_chosen",
    "regrade_class",
    "report_class",
    "room_of",
    "rubric_of_results",
    "rubrics_used",
    "source_of",
    "unchanged",
    "with_kept_parts",
]

_T = TypeVar("_T")

_CHANGES = "changes.csv"
_MANY: Final = 2_000
"""Number of submissions whose files one process can look at in a tenth of a second."""


@dataclass(frozen=True, slots=True)
class Review:
    """A judgement that needs another look, because what it was about has changed."""

    submission: str
    student: str
    judgement: ReviewGrade

    def as_json(self) -> dict[str, Any]:
        """Return the JSON values that `grader regrade --json` prints."""
        return {"submission": self.submission, **self.judgement.model_dump(mode="json")}


@dataclass(frozen=True, slots=True)
class Regrade:
    """The result of a regrade of a class."""

    total: int
    not_graded: int
    changed: int
    """Number of changed submissions."""
    first: tuple[Changed, ...]
    """The first changes, in the order of submissions; `changes.csv` has all of them."""
    ineffective: tuple[str, ...] = ()
    """Parts of the rubric that changed after notebooks were executed, such as `run.time`."""
    outdated: int = 0
    """Number of submissions that were executed with other values of these parts."""
    review: tuple[Review, ...] = ()
    """Judgements that need another look."""
    orphans: tuple[Judgement, ...] = ()
    """Judgements whose submission does not exist."""
    edited: tuple[str, ...] = ()
    """Submissions whose `grade.json` somebody had edited by hand; they were graded again."""


@dataclass(frozen=True, slots=True)
class _Regraded:
    """A worker's result for one submission, without the grade, to save memory."""

    outcome: Outcome
    grading: GradingRow
    edited: bool = False
    """Whether somebody had edited its `grade.json` by hand."""
    standing: StandingRow | None = None
    """The status of its files, so that the next regrade does not open them; None if it must."""
    stamp: SubmissionStamp | None = None
    """The submission in the grade, until its files are written."""


@dataclass(slots=True)
class _Collected:
    """The results of all submissions; equal parts are in memory once."""

    rows: list[ClassRow] = field(default_factory=list)
    """The rows of the submissions that were graded again."""
    kept: list[str] = field(default_factory=list)
    """The other submissions, whose rows are read only if the pages of the class are written."""
    counted: dict[str, frozenset[int]] = field(default_factory=dict)
    """Numbers of the attempts in each grade; the database may have stale executions of other attempts."""
    bases: dict[str, str] = field(default_factory=dict)
    """The `basis` of each grading; empty for what could not be graded."""
    review: list[Review] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    _shared: dict[Any, Any] = field(default_factory=dict)

    def keep(self, known: Unchanged) -> None:
        """Add a submission whose grade stays."""
        self.kept.append(known.submission)
        self._note(known.submission, known.basis, known.counted)
        self.review += [Review(known.submission, known.student, judgement) for judgement in known.review]

    def add(self, submission: str, outcome: Outcome, basis: str, *, edited: bool = False) -> None:
        """Add the result of a submission that was graded again."""
        row = with_shared_parts(outcome.row, self._shared)
        self.rows.append(row)
        self._note(submission, basis, outcome.counted)
        self.review += [Review(row.id, row.student, judgement) for judgement in outcome.review]
        if edited:
            self.edited.append(row.id)

    def all_rows(self, kept: Iterable[ClassRow]) -> list[ClassRow]:
        """Return the rows of all submissions, by submission.

        Args:
            kept: The rows of the grades that stay.
        """
        rows = [*self.rows, *(with_shared_parts(row, self._shared) for row in kept)]
        return sorted(rows, key=lambda row: row.id)

    def _note(self, submission: str, basis: str, counted: Sequence[int]) -> None:
        numbers = frozenset(counted)
        self.bases[submission] = basis
        self.counted[submission] = self._shared.setdefault(numbers, numbers)


@dataclass(frozen=True, slots=True)
class Room:
    """Data that all submissions of a regrade share; workers inherit it."""

    course: Course
    out: ResultsFolder
    journal: Journal
    executions: Mapping[str, tuple[ExecutionRow, ...]]
    known: Mapping[str, GradingRow]
    """The previous gradings with this rubric, by submission."""
    judge: Judge
    """Grades evidence."""
    read: Callable[[str], Evidence | None] | None = None
    """Reads the evidence of a submission; by default, the results folder does."""
    writes: bool = True
    """Whether files may change; otherwise a chosen attempt is not moved in place."""


@dataclass(frozen=True, slots=True)
class Source:
    """A submission, as its stored grade describes it."""

    submission: Submission
    edited: bool
    """Whether somebody edited the stored grade by hand."""


def room_of(course: Course, out: ResultsFolder) -> Room:
    """Collect the data that all submissions of a regrade share.

    Args:
        course: Rubric, reference and data, with the judgements.
        out: The results folder.

    Raises:
        ArtefactError: The database is damaged.
        StorageError: The database cannot be used.
    """
    database = Database(out.database_path)
    return Room(
        course=course,
        out=out,
        journal=Journal(out.root, course.stamp.sha256),
        executions=_by_submission(database.executions()),
        known={row.submission: row for row in database.gradings() if row.rubric == course.stamp.id},
        judge=judge,
    )


def regrade_class(
    course: Course,
    out: ResultsFolder,
    *,
    workers: int | None = None,
    most: int | None = None,
    listener: Callable[[int, int], None] = lambda _done, _all: None,
) -> Regrade:
    """Grade all submissions again from stored evidence, without execution, and write the changes.

    A submission becomes `not_graded` if its evidence is damaged or missing, or if a check raises an exception. Files
    without changes are not written. If the regrade is killed, the same call completes it with the same files, because
    the reports are written before their grade. The caller must lock the folder (`ResultsFolder.at_work`).

    Args:
        course: Rubric, reference and data.
        out: The results folder.
        workers: Number of processes; by default the number of cores.
        most: Number of changed submissions to return; by default all of them.
        listener: Called with the number of finished submissions and the total.

    Raises:
        StorageError: Results cannot be written.
        HarnessError: A worker process died.
    """
    # The status of an unchanged grade shows that it has no judgements, without a look into its file.
    course = judged_course(course, out, names=())
    names, collected = out.submissions(), _Collected()
    known = in_chunks(partial(unchanged_grades, course, out), names, workers=workers, least=_MANY, most=_MANY)
    with closing(known) as answers:
        for staying in chain.from_iterable(answers):
            collected.keep(staying)
    rest = [name for name in names if name not in collected.counted]
    check_missing(out, rest)
    note_rubric(course.loaded, out, executes=False)
    database, room = Database(out.database_path), room_of(course, out)
    room.journal.begin()
    listener(len(names) - len(rest), len(names))
    if rest:
        precompute(course)
    # Close the workers before the caller unlocks the folder.
    with closing(in_chunks(partial(_regrade_some, room), rest, workers=workers)) as answers:
        for answer in answers:
            for one in answer:
                collected.add(one.grading.submission, one.outcome, one.grading.basis, edited=one.edited)
            database.record_gradings(_new_rows([one.grading for one in answer], room.known))
            database.record_standings([one.standing for one in answer if one.standing is not None])
            listener(len(collected.bases), len(names))
    pages, page_record = Batch(out.root), PagesRecord(course, out, sorted(collected.bases.items()))
    if not page_record.stands():
        publish_rows(collected.all_rows(kept_rows(course, out, collected.kept)), course, out, pages)
    offsets = room.journal.places()
    # Include changes of an interrupted regrade; skip submissions that no longer exist.
    places = [offsets[name] for name in names if name in offsets]
    if places:
        with pages.opened(out.root / _CHANGES) as file:
            write_changes(file, room.journal.read(places))
    pages.commit()
    page_record.note()
    first = tuple(room.journal.read(places[:most])) if places else ()
    if places:
        out.sync()
    room.journal.end()
    not_graded = sum(not row.graded for row in collected.rows)
    parts, outdated = ineffective(room, collected.counted)
    return Regrade(
        total=len(collected.bases),
        not_graded=not_graded,
        changed=len(places),
        first=first,
        ineffective=parts,
        outdated=outdated,
        review=tuple(sorted(collected.review, key=lambda one: one.submission)),
        orphans=orphans_of(course, names),
        edited=tuple(collected.edited),
    )


def regrade_chosen(course: Course, out: ResultsFolder, names: Sequence[str]) -> tuple[Changed, ...]:
    """Grade some submissions again from stored evidence, and write their grades and reports, but no class pages.

    The caller must lock the folder, as for `regrade_class`.

    Args:
        course: Rubric, reference and data, with the judgements.
        out: The results folder.
        names: Ids of submissions in the folder.

    Returns:
        The changed submissions.

    Raises:
        StorageError: Results cannot be written.
    """
    database, room = Database(out.database_path), room_of(course, out)
    batch, changed = Batch(out.root), list[Changed]()
    done = [one for name in names if (one := _current(room, name) or _regrade_one(room, name, batch, changed))]
    batch.commit()
    database.record_gradings(_new_rows([_with_basis(room, one).grading for one in done], room.known))
    return tuple(changed)


def ineffective(room: Room, counted: Mapping[str, frozenset[int]]) -> tuple[tuple[str, ...], int]:
    """Find changes of the rubric that need another execution, and count the submissions that they concern.

    Args:
        room: The shared data.
        counted: Numbers of the attempts in each submission's grade.
    """
    course, asked = room.course, noted_attempts(room.out)
    differing = functools.cache(course.differing_parts)
    fewer = ("run.attempts",) if asked not in {None, course.loaded.rubric.run.attempts} else ()
    changed_parts, outdated = dict.fromkeys(fewer), 0
    for name, numbers in counted.items():
        executions = room.executions.get(name, ())
        rows = [row for row in executions if row.status == "executed" and row.attempt in numbers]
        parts = [part for row in rows for part in differing(row.parts)]
        changed_parts |= dict.fromkeys(parts)
        outdated += bool(rows and (parts or fewer))
    return tuple(sorted(changed_parts)), outdated


def counted_attempts(grade: Grade) -> frozenset[int]:
    """Return the numbers of the attempts in a grade; 1 for a single execution."""
    if grade.attempts is None:
        return frozenset({1})
    return frozenset(one.number for one in grade.attempts.tried if one.status == "graded")


def _by_submission(rows: Sequence[ExecutionRow]) -> dict[str, tuple[ExecutionRow, ...]]:
    """Group executions by submission."""
    groups: defaultdict[str, list[ExecutionRow]] = defaultdict(list)
    for row in rows:
        groups[row.submission].append(row)
    return {name: tuple(executions) for name, executions in groups.items()}


def precompute(course: Course) -> None:
    """Compute data that all submissions share before workers are forked, so that each worker inherits it."""
    all_checks()
    all_diagnostics()
    _ = (course.labels(), course.images(), course.reference_roles)


def _new_rows(rows: Sequence[GradingRow], known: Mapping[str, GradingRow]) -> list[GradingRow]:
    """Drop rows that differ from the database only in `finished`."""
    now = time.time()
    fresh = (row for row in rows if (old := known.get(row.submission)) is None or replace(old, finished=0.0) != row)
    return [replace(row, finished=now) for row in fresh]


def _regrade_some(room: Room, names: Sequence[str]) -> list[_Regraded]:
    """Grade several submissions again, and write their files together."""
    batch, done, changed = Batch(room.out.root), list[_Regraded](), list[Changed]()
    for name in sparing(names):
        one = _current(room, name) or _regrade_one(room, name, batch, changed)
        if one is not None:
            done.append(one)
    room.journal.note(changed)
    batch.commit()
    return [_with_basis(room, one) for one in done]


def _current(room: Room, name: str) -> _Regraded | None:
    """Return the existing result if none of its inputs changed, else None."""
    standing = unchanged(room, name)
    return None if standing is None else _regraded(standing[0], replace(standing[1], finished=0.0), room.course)


def unchanged(room: Room, name: str) -> tuple[Grade, GradingRow] | None:
    """Return the existing grade and its row if none of its inputs changed, else None.

    Args:
        room: The shared data.
        name: Id of the submission.
    """
    row = room.known.get(name)
    if row is None or row.status != "graded" or not row.basis or AttemptsFolder(room.out, name).exists():
        return None
    if row.sha256 != room.course.stamp.sha256 or _basis(room, name, room.out.grade_data(name)) != row.basis:
        return None
    if room.out.report_language(name) != room.course.language.code:
        return None
    kept = grade_kept(room.out, name)
    return None if kept is None else (kept, row)


def _regraded(grade: Grade, row: GradingRow, course: Course) -> _Regraded:
    counted = tuple(sorted(counted_attempts(grade)))
    outcome = Outcome(row_of(grade, course.ranked_by), counted, grade.review)
    return _Regraded(outcome, row, stamp=grade.submission)


def _basis(room: Room, name: str, data: Any) -> str:
    """Digest the inputs of a grade and its files; empty if they cannot be read."""
    try:
        return basis_of(_submission_of(name, data), room.course, room.out)
    except ArtefactError:
        return ""


def _with_basis(room: Room, one: _Regraded) -> _Regraded:
    """Add the digest of its inputs to the row of a grade that was just written, and the status of its files."""
    name, row, stamp = one.grading.submission, one.grading, one.stamp
    if not row.basis:
        row = replace(row, basis=_basis(room, name, room.out.grade_data(name)))
    if row.status != "graded" or not row.basis or stamp is None:
        return replace(one, grading=row, stamp=None)
    try:
        standing = standing_row(stamp, row.basis, one.outcome, room.course, room.out)
    except ValueError:  # lone surrogates
        standing = None
    return replace(one, grading=row, standing=standing, stamp=None)


def _regrade_one(room: Room, name: str, batch: Batch, changed: list[Changed]) -> _Regraded | None:
    work = KeptWork(room.course, room.out, name)
    source = source_of(room, name, work.data, trusted=work.is_by_grader)
    own = with_kept_parts(room, work, name)
    result = attempted(own, source, lambda new, evidence: _written(work, new, evidence, own, batch))
    if result is None:
        return None
    new, written = result
    if written.changes is not None:
        changed.append(written.changes)
    return replace(_regraded(new, grading_row(new, written.basis), room.course), edited=source.edited)


def with_kept_parts(room: Room, work: KeptWork, name: str) -> Room:
    """Let a submission's grade use the parts of its stored grade that cannot differ.

    Args:
        room: The shared data.
        work: The work that was done before.
        name: Id of the submission.
    """
    if room.judge is not judge or AttemptsFolder(room.out, name).exists():
        return room

    def with_parts(submission: Submission, evidence: Evidence, course: Course, lacking: Lacking) -> Grade:
        return judge(submission, evidence, course, lacking, parts=work.parts())

    return replace(room, judge=with_parts, read=work.evidence)


def source_of(room: Room, name: str, old: Any, *, trusted: bool = False) -> Source:
    """Describe a submission by its stored grade, as far as it can be trusted.

    Args:
        room: The shared data.
        name: Id of the submission.
        old: The JSON values of its stored grade; None if there is none.
        trusted: Whether nobody edited it, which is then not determined by its seal.
    """
    edited = not trusted and is_edited(old)
    known = not edited or is_sealed_stamp(old)
    return Source(_submission_of(name, old) if known else _without_stamp(room, name), edited)


def attempted(room: Room, source: Source, use: Callable[[Grade, Evidence | None], _T]) -> tuple[Grade, _T] | None:
    """Grade a submission from its stored evidence, and use the grade; a failure of either makes it `not_graded`.

    Args:
        room: The shared data.
        source: The submission.
        use: Called with the grade and its evidence, if there is any, and again with the grade after a failure.

    Returns:
        The grade and the result of `use`; None if nothing is stored.

    Raises:
        StorageError: Results cannot be written.
        GraderError: An error that is neither the submission's nor the grader's, such as a wrong rubric.
    """
    course, submission = room.course, source.submission
    try:
        computed, evidence = _judged(room, source)
        if computed is None:
            return None
        new = with_people(computed, course)
        return new, use(new, evidence)
    except StorageError:
        raise
    except HarnessError as error:
        new = with_people(ungraded(submission, course.stamp, error, course.loaded.rubric), course)
    except GraderError:
        raise
    except Exception as error:  # noqa: BLE001 - an error of the grader in one submission must not stop the class
        new = with_people(ungraded(submission, course.stamp, unexpected(error), course.loaded.rubric), course)
    return new, use(new, None)


def _without_stamp(room: Room, name: str) -> Submission:
    """Describe a submission whose own data in `grade.json` were edited, by its folder and its execution."""
    notebooks = {row.key.notebook for row in room.executions.get(name, ())}
    sha256 = notebooks.pop() if len(notebooks) == 1 else ""
    return Submission(id=name, student=name, notebook=Path(), sha256=sha256)


def _judged(room: Room, source: Source) -> tuple[Grade | None, Evidence | None]:
    """Grade a submission from its stored evidence; None if nothing is stored.

    Raises:
        EditedGradeError: Its only source is a grade that somebody edited.
    """
    submission = source.submission
    course, out, name = room.course, room.out, submission.id
    rows = room.executions.get(name, ())
    if AttemptsFolder(out, name).exists():
        handling = Handling(judge=room.judge, writes=room.writes)
        return regrade_attempts(submission, grade_kept(out, name), course, out, rows, handling=handling)
    # After a failed execution the stored evidence is from an earlier one, perhaps of another notebook.
    failed = any(row.status == "failed" for row in rows)
    evidence = None if failed else (room.read or out.read_evidence)(name)
    if evidence is None and source.edited:
        msg = "somebody edited this grade by hand, and there is no evidence to make it again"
        raise EditedGradeError(msg, where=name, advice="grade the submission again with `grader grade`")
    if evidence is None:
        return _without_evidence(grade_kept(out, name), course), None
    noted = next((row.parts for row in rows if row.attempt == 1), "")
    return room.judge(submission, evidence, course, course.lacking(evidence, noted, executes=False)), evidence


@dataclass(frozen=True, slots=True)
class _Written:
    """The result of writing a grade and its reports."""

    changes: Changed | None = None
    basis: str = ""
    """Digest of the grade's inputs and files; empty if they have to be read for it."""


def _written(work: KeptWork, new: Grade, evidence: Evidence | None, room: Room, batch: Batch) -> _Written:
    """Write the reports and then the grade, unless they are current."""
    name, data, course, out = new.submission.id, unsealed_data(new, work.known), room.course, room.out
    # Compare JSON values first: if they are equal, no bytes are needed.
    content = work.content
    if work.data is None or not work.is_by_grader or {**data, SEAL: None} != {**work.data, SEAL: None}:
        sealed = work.sealed(new, data)
        content = content if sealed == work.data else grade_bytes(sealed)
    same = content == work.content
    if same and out.has_reports(name) and _speaks(out, name, course):
        work.store(new)
        return _Written()
    pages = {audience: encoded(page) for audience, page in reports_of(new, evidence, course, out, work).items()}
    for audience, page in pages.items():
        batch.add(out.report_path(name, audience), page)
    work.store(new, b"" if same else content)
    if not same:
        batch.add(out.grade_path(name), content)
    digests = {} if AttemptsFolder(out, name).exists() else work.digests_with(content, pages)
    return _Written(
        changes=None if same else difference(work, new, data),
        basis=basis_of(new.submission, course, out, digests) if digests else "",
    )


def _speaks(out: ResultsFolder, name: str, course: Course) -> bool:
    """Return whether a submission's report has the language and the time zone of the course."""
    return out.report_language(name) == course.language.code and out.report_zone(name) == str(course.zone)


def difference(work: KeptWork, new: Grade, data: Mapping[str, Any]) -> Changed | None:
    """Find the differences between a stored grade and a new one, both after a JSON round trip.

    Args:
        work: The stored grade.
        new: The new grade.
        data: The new grade's JSON values, with or without a seal.
    """
    if isinstance(work.data, dict) and _same_but_for_the_rubric(work.data, data):
        return None
    return changes_of(work.grade, as_stored(new, data, work.known))


def _same_but_for_the_rubric(old: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    """Whether two grades differ at most in their seals, and in the texts that identify the rubric."""
    stamp = old.get("rubric")
    same_form = (
        isinstance(stamp, dict)
        and stamp.keys() == data["rubric"].keys()
        and all(isinstance(text, str) for text in stamp.values())
    )
    return same_form and {**data, "rubric": stamp, SEAL: None} == {**old, SEAL: None}


def course_of_results(
    out: ResultsFolder, loaded: LoadedRubric | None = None, store: DatasetStore | None = None
) -> Course:
    """Load the course of a results folder, with the language that was chosen for its pages.

    Args:
        out: The results folder.
        loaded: The rubric; by default the rubric of the grades.
        store: The data sets; by default this machine's data sets.

    Raises:
        SubmissionPathError: The folder has no results.
        UsageError: Its grades have several rubrics, and none was given.
        HarnessError: A data set or the reference's evidence is missing.
    """
    loaded = rubric_of_results(out, loaded)
    loaded = replace(loaded, language=loaded.language or noted_language(out))
    return load_course(loaded, store or DatasetStore(may_download=True))


def rubric_of_results(out: ResultsFolder, loaded: LoadedRubric | None = None) -> LoadedRubric:
    """Find the rubric of a results folder: that of its assignment in a course folder, else that of its grades.

    Args:
        out: The results folder.
        loaded: A rubric to use instead of the rubric of the course folder or of the grades.

    Raises:
        SubmissionPathError: The folder has no results.
        UsageError: Its grades have several rubrics, and none was given.
    """
    names = out.submissions()
    if not names:
        msg = "the folder has no results"
        raise SubmissionPathError(
            msg, where=str(out.root), advice="give the `--out` folder of a `grader grade` command"
        )
    assignment = assignment_of(out)
    if assignment is not None:
        return assignment.load(loaded)
    if loaded is not None:
        return loaded
    used = rubrics_used(out, names)
    if len(used) > 1:
        # Somebody may have edited the rubric's name in a grade.
        own = set(names) - set(edited_grades(out))
        used = {one for name in own if (one := out.rubric_id(name)) is not None} or used
    if len(used) != 1:
        msg = f"the grades in the folder have {len(used)} different rubrics"
        raise UsageError(msg, where=str(out.root), advice="choose one with `--rubric`")
    return find_rubric(noted_rubric(out, used.pop()))


def rubrics_used(out: ResultsFolder, names: Iterable[str]) -> set[str]:
    """Find the ids of the rubrics of the grades of submissions in a results folder."""
    return {rubric for name in names if (rubric := out.rubric_id(name)) is not None}


def _without_evidence(old: Grade | None, course: Course) -> Grade | None:
    """Grade a submission again that was never executed, because of its file or a failure of the grader.

    Raises:
        ArtefactError: It was executed, but its evidence is missing.
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
        advice, advice_says = _computed_advice(old)
        error = NotebookError(reason, advice=advice, says=old.reason_says, advice_says=advice_says)
        return rejected(submission, course.stamp, rubric, error)
    msg = "the evidence of its execution is missing"
    raise ArtefactError(msg, where=old.submission.id)


def _computed_advice(old: Grade) -> tuple[str, Message | None]:
    """Return the advice of a grade without an execution, which each of its criteria has."""
    line = next(iter(old.criteria), None)
    if line is None:
        return "", None
    if line.judged is None:
        return line.advice, line.advice_says
    says = line.judged.computed_advice_says
    return "" if says is None else english(says), says


def _submission_of(name: str, old: Any) -> Submission:
    """Make a submission from its stored grade (JSON values), or from the name of its folder alone."""
    try:
        stamp = SubmissionStamp.model_validate(old["submission"])
    except (TypeError, KeyError, ValidationError):
        return Submission(id=name, student=name, notebook=Path(), sha256="")
    return Submission(
        id=stamp.id,
        student=stamp.student,
        notebook=Path(),
        files=stamp.files,
        sha256=stamp.sha256,
        notes=stamp.notes_says,
        submitted=stamp.submitted,
        submitted_from=stamp.submitted_from,
    )


def report_class(course: Course, out: ResultsFolder, *, workers: int | None = None) -> int:
    """Render all pages of a results folder again from stored results, except for grades that somebody edited by hand.

    Args:
        course: Rubric, reference and data.
        out: The results folder.
        workers: Number of processes; by default the number of cores.

    Returns:
        Number of written reports.

    Raises:
        ArtefactError: A grade is damaged.
        StorageError: Results cannot be written.
    """
    precompute(course)
    with closing(in_chunks(partial(_render_some, course, out), out.submissions(), workers=workers)) as answers:
        rows = [row for answer in answers for row in answer]
    pages = Batch(out.root)
    publish_rows(rows, course, out, pages)
    pages.commit()
    out.sync()
    return len(rows)


def _render_some(course: Course, out: ResultsFolder, names: Sequence[str]) -> list[ClassRow]:
    batch = Batch(out.root)
    rows: list[ClassRow] = []
    for name in sparing(names):
        try:
            kept = out.read_grade(name)
        except EditedGradeError:
            # Its old report is better than one with points that nobody can explain.
            rows += [row for row in [kept_row(out, name, course)] if row is not None]
            continue
        if kept is None:
            continue
        evidence = out.read_evidence(name) if kept.status == "graded" else None
        work = KeptWork(course, out, name)
        for audience, page in reports_of(kept, evidence, course, out, work).items():
            batch.add(out.report_path(name, audience), page)
        work.store(kept)
        rows.append(row_of(kept, course.ranked_by))
    batch.commit()
    return rows

"""Export the marks of a class for a spreadsheet, import them as judgements, and join the files of several graders."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from grader.delivery.marks import Mark, MarkLine, listed, parse_marks
from grader.facts.nearest import did_you_mean
from grader.grading.judged import concerns, latest, points_now
from grader.pipeline.course import Course
from grader.pipeline.course_folder import find_course
from grader.pipeline.judgements import judgement_file
from grader.schema.errors import EditedGradeError, UsageError
from grader.schema.grade import CriterionGrade, Grade
from grader.schema.judgement import Judgement, JudgementKind, moment_text
from grader.store.judgements import judgement_line, parse_judgements
from grader.store.results import ResultsFolder

__all__ = [
    "ImportedMarks",
    "Joined",
    "Take",
    "after",
    "check_grader",
    "current_grades",
    "export_marks",
    "import_marks",
    "join_judgements",
]

Take = Literal["file", "stored"]
"""Which mark counts if somebody judged since the export: the file's mark, or the stored mark."""
_ADVICE = "nothing was imported; docs/judgements.md describes the file"
_STEP = timedelta(microseconds=1)
_DECIDE: tuple[JudgementKind, ...] = ("override", "points")


@dataclass(frozen=True, slots=True)
class ImportedMarks:
    """The result of an import."""

    judgements: tuple[Judgement, ...]
    """The new judgements, which are stored unless it was a trial."""
    unchanged: int
    """Number of rows without a change."""
    kept: tuple[str, ...] = ()
    """Descriptions of rows that were left out, because somebody judged since the export."""


@dataclass(frozen=True, slots=True)
class Joined:
    """The result of joining files of judgements."""

    judgements: tuple[Judgement, ...]
    """The new judgements."""
    replaced: tuple[str, ...] = ()
    """Descriptions of criteria that several people judged differently; the latest judgement counts."""


@dataclass(frozen=True, slots=True)
class _Standing:
    """The judgements about a criterion that count now."""

    decision: Judgement | None = None
    comment: Judgement | None = None
    """A comment without points."""
    past: tuple[Judgement, ...] = ()
    """All judgements about the criterion."""

    @property
    def last(self) -> Judgement | None:
        return self.decision or self.comment


def check_grader(out: ResultsFolder, name: str) -> str:
    """Return the name of a person who judges, without surrounding spaces.

    Raises:
        UsageError: The name is empty, or the course lists its graders, and this is none of them.
    """
    name = " ".join(name.split())
    if not name:
        msg = "the name is empty"
        raise UsageError(msg, where="--by", advice="give the name of the person who judged")
    course = find_course(out.root)
    return name if course is None else course.grader(name)


def after(now: datetime, judgements: Iterable[Judgement]) -> datetime:
    """Return a time for a new judgement: now, but later than all those it replaces, whatever their clocks said.

    Args:
        now: The time, with its zone.
        judgements: Judgements that the new one replaces.
    """
    return max([now.astimezone(UTC), *(one.at + _STEP for one in judgements)])


# --- export ------------------------------------------------------------------------------------------------------


def export_marks(out: ResultsFolder, course: Course, *, criterion: str | None = None) -> tuple[Mark, ...]:
    """List the marks of a class: each criterion that a person judges or judged.

    Args:
        out: The results folder.
        course: The course with its judgements.
        criterion: Id of the only criterion, also if no person has to judge it; None for all.

    Raises:
        UsageError: The rubric has no such criterion.
        EditedGradeError: Somebody edited a grade by hand.
    """
    known = [one.id for one in course.loaded.rubric.criteria]
    if criterion is not None and criterion not in known:
        msg = f"the rubric has no criterion {criterion!r}{did_you_mean(criterion, known)}"
        raise UsageError(msg, where=f"--criterion {criterion}")
    return tuple(
        _exported(grade, line, course)
        for grade in current_grades(out).values()
        if grade.status == "graded"
        for line in grade.criteria
        if (line.id == criterion if criterion is not None else _for_people(line))
    )


def _for_people(line: CriterionGrade) -> bool:
    return line.status == "pending" or line.judged is not None


def current_grades(out: ResultsFolder) -> dict[str, Grade]:
    """Read all grades of a results folder, by submission.

    Raises:
        EditedGradeError: Somebody edited a grade by hand.
        ArtefactError: A grade is damaged.
    """
    grades: dict[str, Grade] = {}
    edited: list[str] = []
    for name in out.submissions():
        try:
            grade = out.read_grade(name)
        except EditedGradeError:
            edited.append(name)
            continue
        if grade is not None:
            grades[name] = grade
    if edited:
        msg = f"somebody edited these grades by hand: {', '.join(edited)}"
        raise EditedGradeError(msg, where=str(out.root))
    return grades


def _exported(grade: Grade, line: CriterionGrade, course: Course) -> Mark:
    standing = _standing(course.judgements.get(grade.submission.id, ()), line.id, grade.submission.sha256)
    last, decision = standing.last, standing.decision
    return Mark(
        submission=grade.submission.id,
        student=grade.submission.student,
        notebook=grade.submission.sha256,
        criterion=line.id,
        title=line.title,
        max_points=line.max_points,
        points=None if decision is None else points_now(decision, line.max_points),
        comment="" if last is None else last.comment.strip(),
        why="" if last is None else last.why.strip(),
        judged_by="" if last is None else last.by,
        judged_at="" if last is None else moment_text(last.at),
    )


def _standing(judgements: Sequence[Judgement], criterion: str, notebook: str) -> _Standing:
    """Find the judgements of one submission that count for a criterion and a notebook."""
    about = tuple(one for one in judgements if one.criterion == criterion)
    current = {key: one for key, one in latest(about).items() if one.notebook in {"", notebook}}
    decisions = [one for kind in _DECIDE if (one := current.get((criterion, kind))) is not None]
    decision = max(decisions, key=lambda one: one.at) if decisions else None
    return _Standing(decision, current.get((criterion, "comment")), about)


# --- import ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Import:
    """An import in progress."""

    grades: Mapping[str, Grade]
    by: str
    rubric: str
    now: datetime
    take: Take | None
    judgements: list[Judgement] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    unchanged: int = 0

    def add(self, row: MarkLine, stored: Sequence[Judgement]) -> None:
        """Convert a row to judgements, or list its problem."""
        grade = self.grades.get(row.submission)
        if grade is None:
            near = did_you_mean(row.submission, self.grades)
            self._problem(row, f"there is no submission {row.submission!r}{near}")
            return
        line = next((one for one in grade.criteria if one.id == row.criterion), None)
        if line is None:
            near = did_you_mean(row.criterion, [one.id for one in grade.criteria])
            self._problem(row, f"{row.submission} has no criterion {row.criterion!r}{near}")
            return
        standing = _standing(stored, row.criterion, grade.submission.sha256)
        if self._same(row, standing, line):
            self.unchanged += 1
            return
        problem = self._refused(row, grade, line)
        if problem is not None:
            self._problem(row, problem)
            return
        if self._conflicts(row, standing):
            if self._untouched(row, standing, line):
                self.unchanged += 1
                return
            self.conflicts.append(_conflict(row, standing))
            if self.take != "file":
                return
        self.judgements.append(self._judgement(row, grade, line, standing))

    def _problem(self, row: MarkLine, text: str) -> None:
        self.problems.append(f"line {row.line}: {text}")

    @staticmethod
    def _same(row: MarkLine, standing: _Standing, line: CriterionGrade) -> bool:
        """Whether a row says what is stored."""
        last, decision = standing.last, standing.decision
        points = None if decision is None else points_now(decision, line.max_points)
        texts = ("", "") if last is None else (_plain(last.comment), _plain(last.why))
        return (row.points, row.comment, row.why) == (points, *texts)

    @staticmethod
    def _refused(row: MarkLine, grade: Grade, line: CriterionGrade) -> str | None:
        """Find the reason why a changed row cannot be imported."""
        if grade.status != "graded":
            return f"{row.submission} was not graded, because the grader failed: grade it again first"
        if row.notebook != grade.submission.sha256:
            return (
                f"{row.submission} has another notebook now: export the marks again, "
                "read the new notebook, and enter the points there"
            )
        if row.points is not None and row.points > line.max_points:
            return f"{row.points:g} points are more than the {line.max_points:g} points of {row.criterion}"
        if row.points is not None and not _waited(line) and not row.why:
            return (
                f"the grader computes {row.criterion}: give the reason for other points in the column `why`, "
                "which students do not see"
            )
        return None

    @staticmethod
    def _conflicts(row: MarkLine, standing: _Standing) -> bool:
        """Whether somebody judged since the export."""
        last = standing.last
        if row.judged_at is None:
            return last is not None
        return row.judged_at != ("" if last is None else moment_text(last.at))

    @staticmethod
    def _untouched(row: MarkLine, standing: _Standing, line: CriterionGrade) -> bool:
        """Whether a row still says what was stored at the export, so that nobody changed it in the file."""
        if not row.judged_at:
            return row.judged_at == "" and (row.points, row.comment, row.why) == (None, "", "")
        base = [one for one in standing.past if moment_text(one.at) == row.judged_at]
        return any(
            (row.points, row.comment, row.why)
            == (
                None if one.points is None else points_now(one, line.max_points),
                _plain(one.comment),
                _plain(one.why),
            )
            for one in base
        )

    def _judgement(self, row: MarkLine, grade: Grade, line: CriterionGrade, standing: _Standing) -> Judgement:
        decision = standing.decision
        kind: JudgementKind = "points" if _waited(line) else "override"
        if row.points is None:
            # Without points, a decision is withdrawn; without a decision, there can still be a comment.
            kind = "comment" if decision is None else decision.kind
        withdraws = row.points is None and decision is not None
        return Judgement(
            at=after(self.now, standing.past),
            by=self.by,
            submission=grade.submission.id,
            notebook=grade.submission.sha256,
            rubric=self.rubric,
            criterion=line.id,
            kind=kind,
            points=row.points,
            of=None if row.points is None else line.max_points,
            comment="" if withdraws else row.comment,
            why="" if withdraws else row.why,
        )


def _waited(line: CriterionGrade) -> bool:
    """Whether the grader leaves a criterion to a person."""
    return (line.judged.computed_status if line.judged is not None else line.status) == "pending"


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _conflict(row: MarkLine, standing: _Standing) -> str:
    last = standing.last
    if last is None:
        return f"line {row.line}: {row.submission}, {row.criterion}: the judgement was withdrawn since the export"
    now = "a comment" if last.points is None else f"{last.points:g} points"
    return f"line {row.line}: {row.submission}, {row.criterion}: {last.by} gave {now} since the export"


def import_marks(  # noqa: PLR0913 - all but the first three by keyword
    out: ResultsFolder,
    course: Course,
    file: Path,
    *,
    by: str,
    now: Callable[[], datetime],
    take: Take | None = None,
    dry_run: bool = False,
) -> ImportedMarks:
    """Import a table of marks as judgements: all rows, or none if one is wrong.

    A row that says what is stored writes nothing. The caller makes the grades again (`rejudge`).

    Args:
        out: The results folder.
        course: The course.
        file: The table, as `export_marks` and `marks_csv` make it.
        by: Name of the person who judged.
        now: Function that returns the time, with its zone.
        take: Which mark counts if somebody judged since the export; None refuses the import.
        dry_run: Whether nothing is stored.

    Raises:
        UsageError: The table is wrong, or somebody judged since the export; all problems are listed with their lines.
        EditedGradeError: Somebody edited a grade by hand.
        StorageError: The judgements cannot be stored.
    """
    by = check_grader(out, by)
    rows = parse_marks(_content(file), name=str(file))
    work = _Import(current_grades(out), by, course.stamp.id, now(), take)

    def decide(stored: tuple[Judgement, ...]) -> tuple[Judgement, ...]:
        groups = _by_submission(stored, course.stamp.id)
        for row in rows:
            work.add(row, groups.get(row.submission, ()))
        conflicts = work.conflicts if take is None else []
        if work.problems or conflicts:
            advice = (
                _ADVICE if work.problems else f"{_ADVICE}; `--take file` or `--take stored` decides for all of them"
            )
            raise UsageError(listed([*work.problems, *conflicts]), where=str(file), advice=advice)
        return tuple(work.judgements)

    stored = judgement_file(out)
    new = decide(stored.read().judgements) if dry_run else stored.update(decide)
    return ImportedMarks(new, work.unchanged, tuple(work.conflicts) if take == "stored" else ())


def _by_submission(judgements: Iterable[Judgement], rubric: str) -> dict[str, tuple[Judgement, ...]]:
    groups: dict[str, tuple[Judgement, ...]] = {}
    for one in judgements:
        if concerns(one, one.submission, rubric):
            groups[one.submission] = (*groups.get(one.submission, ()), one)
    return groups


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        msg = f"the file cannot be read: {error.strerror or error}"
        raise UsageError(msg, where=str(file)) from error


# --- join --------------------------------------------------------------------------------------------------------


def join_judgements(out: ResultsFolder, files: Sequence[Path], *, dry_run: bool = False) -> Joined:
    """Add the judgements of other files to the file of a results folder; lines that are already there are left out.

    The caller makes the grades again (`rejudge`).

    Args:
        out: The results folder.
        files: Files of judgements, such as of other graders.
        dry_run: Whether nothing is stored.

    Raises:
        UsageError: A file cannot be read, or has lines that are not judgements; nothing was added.
        StorageError: The judgements cannot be stored.
    """
    others = [one for file in files for one in parse_judgements(_content(file), name=str(file)).judgements]
    replaced: list[str] = []

    def decide(stored: tuple[Judgement, ...]) -> tuple[Judgement, ...]:
        known = {judgement_line(one) for one in stored}
        new = tuple({line: one for one in others if (line := judgement_line(one)) not in known}.values())
        replaced.extend(_differences(stored, new))
        return new

    file = judgement_file(out)
    new = decide(file.read().judgements) if dry_run else file.update(decide)
    return Joined(new, tuple(replaced))


def _differences(stored: Sequence[Judgement], new: Sequence[Judgement]) -> Iterator[str]:
    """Describe criteria that different people judged with different points."""
    groups: dict[tuple[str, str, str, JudgementKind], list[Judgement]] = {}
    for one in (*stored, *new):
        if one.kind in _DECIDE and not one.withdraws:
            groups.setdefault((one.submission, one.rubric, one.criterion, one.kind), []).append(one)
    added = set(map(judgement_line, new))
    for (submission, _, criterion, _), judgements in groups.items():
        people = {one.by: one for one in sorted(judgements, key=lambda one: one.at)}
        if len({one.points for one in people.values()}) > 1 and any(judgement_line(one) in added for one in judgements):
            said = ", ".join(f"{one.by} {one.points:g}" for one in sorted(people.values(), key=lambda one: one.at))
            yield f"{submission}, {criterion}: {said}; the last one counts"

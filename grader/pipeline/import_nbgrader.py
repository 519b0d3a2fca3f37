"""Make a course folder out of a course of nbgrader."""

import contextlib
import csv
import io
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from grader.delivery.marks import Mark, marks_csv
from grader.delivery.roster import RosterTable, single_line, table_bytes
from grader.facts.times import moment_of
from grader.grading.nbgrader_rubric import EXTRA, DraftRubric, draft_rubric, slug
from grader.intake.find import find_all
from grader.intake.nbgrader.folder import STEPS, NbgraderCourse, SourceAssignment, SubmittedWork, read_nbgrader_course
from grader.intake.notebook import read_notebook
from grader.pipeline.course_folder import SUBMISSIONS, CourseFolder
from grader.pipeline.new_course import GITIGNORE, ROSTER, ROSTER_HEADING, course_readme, quoted, write_course
from grader.report.csvfile import guarded
from grader.schema.course import COURSE_FILE, parse_zone
from grader.schema.errors import NotebookError, UnreadableError, UsageError
from grader.schema.nbgrader import BookScore, BookStudent, BookSubmission, Gradebook, GradedNotebook
from grader.store.files import writing

__all__ = ["ImportedAssignment", "ImportedCourse", "import_nbgrader"]

_SCORES = "nbgrader/scores.csv"
_SCORE_COLUMNS = (
    *("assignment", "notebook", "cell", "student", "auto_score", "manual_score", "extra_credit"),
    *("needs_manual_grade", "comment"),
)
_TIMESTAMP = "timestamp.txt"
_LONGEST_TIMESTAMP = 200
_USED = frozenset({"course_id", "root", "directory_structure", "db_url", "db_students", "db_assignments", "timezone"})
_USED |= {f"{step}_directory" for step in STEPS}
_ALL = "all settings"
_LATE = "penalt"
_PATTERN = re.compile(r"[*?\[]")
_MOST_NAMES = 10


@dataclass(frozen=True, slots=True)
class ImportedAssignment:
    """One assignment of the new course."""

    id: str
    assignment: str
    """Name of the assignment in nbgrader."""
    notebook: str
    """Name of its notebook."""
    points: float
    criteria: int
    """Number of cells with points; each has a criterion."""
    checks: Mapping[str, str]
    """Names of the proposed checks by grade_id of a test cell."""
    by_person: tuple[str, ...]
    """Grade_ids of test cells that became criteria for a person."""
    submissions: int = 0
    marks: int = 0
    """Number of scores in the file of marks."""
    due: datetime | None = None


@dataclass(frozen=True, slots=True)
class ImportedCourse:
    """The result of an import."""

    folder: Path
    assignments: tuple[ImportedAssignment, ...]
    students: int
    todo: tuple[str, ...]
    """Work that is left for a person."""


def import_nbgrader(folder: Path, out: Path | None = None, *, submissions: bool = True) -> ImportedCourse:
    """Make a course folder out of a course of nbgrader. Nothing is executed, and no existing file is replaced.

    Args:
        folder: The folder of the course of nbgrader.
        out: The new course folder; None for a folder in the current one, named after the course.
        submissions: Whether submitted work is copied.

    Raises:
        UsageError: It is no course of nbgrader, or the new folder has a file of the course already.
        StorageError: The new folder cannot be written.
    """
    plan = _Plan(read_nbgrader_course(folder))
    plan.add(submissions=submissions)
    course = write_course(
        out or Path(f"{slug(plan.title, 'nbgrader')}-course"), plan.files, [one.id for one in plan.parts]
    )
    imported = tuple(_imported(plan, part, course) for part in plan.parts)
    plan.todo += _roster_problem(course)
    return ImportedCourse(course.root, imported, len(plan.students), tuple(dict.fromkeys(plan.todo)))


@dataclass(frozen=True, slots=True)
class _Part:
    """A notebook of nbgrader, which is an assignment of the new course."""

    id: str
    source: SourceAssignment
    notebook: GradedNotebook
    draft: DraftRubric
    starter: str | None
    due: datetime | None
    students: set[str] = field(default_factory=set)
    """Students whose work was copied."""
    times: dict[str, datetime] = field(default_factory=dict)
    """Times of submission that no file of the submission has, by student."""


class _Plan:
    """Collects the files of the new course, and what is left for a person."""

    def __init__(self, course: NbgraderCourse) -> None:
        self.course = course
        self.book = course.gradebook or Gradebook()
        self.title = course.config.text("course_id") or self.book.course or course.folder.resolve().name
        self.todo: list[str] = list(course.problems)
        self.files: dict[str, bytes | Path] = {}
        self.parts: list[_Part] = []
        self.zone: tzinfo = UTC
        self.zone_name = "UTC"
        self.students = _students(course, self.book)

    def add(self, *, submissions: bool) -> None:
        self._settings()
        for source in self.course.assignments:
            self._assignment(source)
        if not self.parts:
            msg = "no notebook of the course can be read"
            raise UsageError(msg, where=str(self.course.folder), advice="; ".join(self.todo[:3]))
        if submissions:
            for work in self.course.submitted:
                self._work(work)
        self._book()
        self.files[ROSTER] = table_bytes(_roster(self.students))
        self.files["judgements.jsonl"] = b""
        self.files[".gitignore"] = GITIGNORE.encode()
        self.files["README.md"] = course_readme(self.title, "en", self.parts[0].id).encode()
        for part in self.parts:
            if part.times:
                self.files[f"times/{part.id}.csv"] = _times_csv(part.times)
        self.files[COURSE_FILE] = _course_yaml(self).encode()

    def _settings(self) -> None:
        config = self.course.config
        zone = config.values.get("Exchange.timezone", config.values.get("TransferApp.timezone"))
        if isinstance(zone, str):
            try:
                self.zone, self.zone_name = parse_zone(zone), zone
            except ValueError as error:
                self.todo.append(f"{COURSE_FILE}: {error}; set `timezone`")
        other = []
        for name in dict.fromkeys((*config.values, *config.unread)):
            own = name.rpartition(".")[2]
            if name == _ALL or (own in _USED and name in config.unread):
                self.todo.append(f"nbgrader_config: {name} could not be read: {config.unread[name]}")
            elif _LATE in name.casefold():
                self.todo.append(f"{COURSE_FILE}: set `late` as in {name}, which is code of nbgrader")
            elif own not in _USED:
                other.append(name)
        if other:
            self.todo.append(f"settings of nbgrader that were not taken over: {_some(other)}")

    def _assignment(self, source: SourceAssignment) -> None:
        graded = [one for one in source.notebooks if one.cells] or list(source.notebooks)
        for notebook in (one for one in source.notebooks if one not in graded):
            self.todo.append(f"{source.name}/{notebook.name}.ipynb has no points, so it has no rubric")
        if not graded:
            self.todo.append(f"{source.name} has no notebook, so it was left out")
            return
        folder = f"{slug(source.name, 'assignment')}-files"
        files = self._course_files(source, folder)
        for notebook in graded:
            name = source.name if len(graded) == 1 else f"{source.name}-{notebook.name}"
            self._part(source, notebook, self._free_id(name), files)
        if len(graded) > 1:
            own = [part.id for part in self.parts if part.source is source]
            self.todo.append(
                f"{source.name} has {len(graded)} notebooks, so it became {len(own)} assignments: {_some(own)}"
            )

    def _free_id(self, name: str) -> str:
        own, count = slug(name, "assignment")[:60], 1
        unique = own
        while unique in {part.id for part in self.parts}:
            count += 1
            unique = f"{own}-{count}"
        return unique

    def _course_files(self, source: SourceAssignment, folder: str) -> list[dict[str, str]]:
        """Take over files that notebooks need, such as data and pictures; return the rubric's entries for them."""
        for file in source.files:
            self.files[f"rubrics/{folder}/{file}"] = source.folder / file
        tops = tuple(dict.fromkeys(file.partition("/")[0] for file in source.files))
        for name in (one for one in tops if _PATTERN.search(one)):
            self.todo.append(f"rubrics: the name {name!r} cannot be listed in `files`; rename it")
        return [{"from": f"{folder}/{name}", "to": name} for name in tops if not _PATTERN.search(name)]

    def _part(
        self, source: SourceAssignment, notebook: GradedNotebook, name: str, files: Sequence[Mapping[str, str]]
    ) -> None:
        path = source.folder / f"{notebook.name}.ipynb"
        self.files[f"reference/{name}.ipynb"] = path
        extra: defaultdict[str, float] = defaultdict(float)
        for one in self.book.scores:
            if (one.assignment, one.notebook) == (source.name, notebook.name):
                extra[one.student] += one.extra or 0.0
        starter = self._starter(source, notebook, name)
        draft = draft_rubric(
            notebook,
            name=name,
            title=single_line(notebook.title or name),
            source=f"{source.name}/{notebook.name}.ipynb",
            reference=f"../reference/{name}.ipynb",
            template=starter,
            files=files,
            extra=max(extra.values(), default=0.0),
        )
        self.files[f"rubrics/{name}.yaml"] = draft.text.encode()
        self.parts.append(_Part(name, source, notebook, draft, starter, self._due(source.name)))
        self._explain(self.parts[-1])

    def _starter(self, source: SourceAssignment, notebook: GradedNotebook, name: str) -> str | None:
        path = source.released.get(notebook.name)
        if path is None:
            self.todo.append(
                f"{name}: there is no released notebook; run `nbgrader generate_assignment {source.name}` "
                "before the import, or set `starter` in course.yaml"
            )
            return None
        try:
            read_notebook(path)
        except (NotebookError, UnreadableError) as error:
            self.todo.append(f"{name}: the released notebook cannot be read: {error}")
            return None
        self.files[f"rubrics/{name}-assignment.ipynb"] = path
        return f"{name}-assignment.ipynb"

    def _due(self, name: str) -> datetime | None:
        known = next((one.due for one in self.book.assignments if one.name == name), None)
        if known is not None:
            return known
        for entry in _dicts(self.course.config.of_course("db_assignments")):
            if entry.get("name") == name and isinstance(text := entry.get("duedate"), str):
                return moment_of(text, self.zone)
        return None

    def _explain(self, part: _Part) -> None:
        """Say which criteria need a person."""
        for cell, check in part.draft.checks.items():
            self.todo.append(
                f"rubrics/{part.id}.yaml: the test {cell} became the check {check}; make sure that it asks the same"
            )
        if part.draft.by_person:
            self.todo.append(
                f"rubrics/{part.id}.yaml: no check was proposed for the tests {_some(part.draft.by_person)}; "
                "map them to checks, or let a person judge them"
            )
        if not part.notebook.cells:
            self.todo.append(f"rubrics/{part.id}.yaml: the notebook has no points; add criteria")
        points = {cell.grade_id: cell.points for cell in part.notebook.cells}
        for one in self.book.cells:
            if (one.assignment, one.notebook) != (part.source.name, part.notebook.name):
                continue
            if one.name not in points:
                self.todo.append(f"{part.id}: the cell {one.name} of the gradebook is not in the source notebook")
            elif one.points != points[one.name]:
                self.todo.append(
                    f"{part.id}: {one.name} has {points[one.name]:g} points in the source notebook, "
                    f"but {one.points:g} in the gradebook; the rubric has those of the notebook"
                )

    def _work(self, work: SubmittedWork) -> None:
        """Copy a submission into the folder of each notebook's assignment."""
        parts = [part for part in self.parts if part.source.name == work.assignment]
        if not parts:
            self.todo.append(f"{work.folder}: there is no source of the assignment {work.assignment}")
            return
        notebooks = {file for file in work.files if file.endswith(".ipynb")}
        expected = {f"{notebook.name}.ipynb" for notebook in parts[0].source.notebooks}
        unknown = notebooks - expected
        for part in parts:
            own = f"{part.notebook.name}.ipynb"
            chosen = {own} if own in notebooks else unknown if len(parts) > 1 else notebooks
            if not chosen and len(parts) > 1:
                self.todo.append(f"{part.id}: {work.student} submitted no {own}")
                continue
            if own not in notebooks:
                self.todo.append(
                    f"{part.id}: {work.student} submitted no {own}, but {_some(sorted(chosen)) or 'no notebook'}"
                )
            for file in work.files:
                if file in chosen or file not in notebooks:
                    self.files[f"{SUBMISSIONS}/{part.id}/{work.student}/{file}"] = work.folder / file
            part.students.add(work.student)
            moment = self._submitted(work)
            if moment is not None:
                part.times[work.student] = moment

    def _submitted(self, work: SubmittedWork) -> datetime | None:
        """Return the gradebook's time of a submission if the submission itself has no readable one."""
        if _TIMESTAMP in work.files:
            with contextlib.suppress(OSError), (work.folder / _TIMESTAMP).open("rb") as file:
                text = file.read(_LONGEST_TIMESTAMP).decode("utf-8", "replace")
                if moment_of(text, self.zone) is not None:
                    return None
        own = (
            one.submitted
            for one in self.book.submissions
            if (one.student, one.assignment) == (work.student, work.assignment)
        )
        return next(own, None)

    def _book(self) -> None:
        """Keep all scores, and list extensions and penalties."""
        if self.book.scores:
            self.files[_SCORES] = _scores_csv(self.book.scores)
        sources = {source.name for source in self.course.assignments}
        for one in self.book.assignments:
            if one.name not in sources:
                self.todo.append(
                    f"the gradebook has an assignment {one.name} without a source folder; its scores are in {_SCORES}"
                )
        for own in self.book.submissions:
            for part in (one for one in self.parts if one.source.name == own.assignment):
                self.todo += _extension(part, own)
            if own.penalty:
                self.todo.append(
                    f"{own.assignment}: {own.student} lost {own.penalty:g} points for lateness; set `late`"
                )


def _extension(part: _Part, own: BookSubmission) -> Iterator[str]:
    if own.extension is not None and part.due is not None:
        until = part.due + own.extension
        yield (
            f"after grading: grader extend results/{part.id} {own.student} --until '{until:%Y-%m-%d %H:%M:%S} +00:00' "
            "--by NAME --why 'extension in nbgrader'"
        )


# --- people ----------------------------------------------------------------------------------------------------------


def _students(course: NbgraderCourse, book: Gradebook) -> tuple[BookStudent, ...]:
    """List the students of the gradebook, else of the configuration, and those who submitted."""
    known = {one.id: one for one in book.students}
    if not known:
        keys = ("id", "first_name", "last_name", "email")
        for entry in _dicts(course.config.of_course("db_students")):
            one = BookStudent(**{key: str(entry.get(key) or "") for key in keys})
            known[one.id] = one
    for work in course.submitted:
        known.setdefault(work.student, BookStudent(id=work.student))
    return tuple(one for one in known.values() if one.id)


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _roster(students: Iterable[BookStudent]) -> RosterTable:
    students = list(students)
    more = ("lms_user_id",) if any(one.lms_user_id for one in students) else ()
    empty = ("",) * (len(ROSTER_HEADING) - 3)
    rows = tuple(
        (
            one.id,
            single_line(f"{one.first_name} {one.last_name}"),
            one.email,
            *empty,
            *([one.lms_user_id] if more else []),
        )
        for one in students
    )
    return RosterTable((*ROSTER_HEADING, *more), rows)


def _roster_problem(course: CourseFolder) -> list[str]:
    try:
        return [] if course.students else [f"{ROSTER}: there is no student; add your class"]
    except UsageError as error:
        return [f"{ROSTER}: {error.message}"]


# --- files -----------------------------------------------------------------------------------------------------------


def _csv(heading: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(heading)
    writer.writerows([guarded(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return buffer.getvalue().encode("utf-8", "replace")


def _scores_csv(scores: Iterable[BookScore]) -> bytes:
    rows = (
        (s.assignment, s.notebook, s.cell, s.student, s.auto, s.manual, s.extra, int(s.waits), s.comment)
        for s in scores
    )
    return _csv(_SCORE_COLUMNS, rows)


def _times_csv(times: Mapping[str, datetime]) -> bytes:
    return _csv(("id", "submitted"), ((student, f"{when:%Y-%m-%d %H:%M:%S} UTC") for student, when in times.items()))


def _course_yaml(plan: _Plan) -> str:
    lines = [
        "# Made from a course of nbgrader. `grader rubric schema --of course` prints all keys for editors.",
        "version: 1",
        f"title: {quoted(single_line(plan.title))}",
        "# Zone of due dates and of times in file names.",
        f"timezone: {quoted(plan.zone_name)}",
        f"roster: {ROSTER}",
        "judgements: judgements.jsonl",
        "assignments:",
    ]
    for part in plan.parts:
        due = None if part.due is None else part.due.astimezone(plan.zone).isoformat(sep=" ", timespec="seconds")
        lines += [
            f"  {quoted(part.id)}:",
            f"    rubric: rubrics/{part.id}.yaml",
            *([f"    starter: rubrics/{part.starter}"] if part.starter else []),
            f"    due: {due[:19]} {due[19:]}" if due else "    # due: 2026-11-08 18:00",
            "    # late: {grace: 30 min, per_day: 10 %, at_most: 50 %}",
            *([f"    times: times/{part.id}.csv"] if part.times else []),
        ]
    return "\n".join([*lines, ""])


# --- scores ----------------------------------------------------------------------------------------------------------


def _imported(plan: _Plan, part: _Part, course: CourseFolder) -> ImportedAssignment:
    """Check an assignment of the written course, and write its file of marks."""
    assignment = course.assignment(part.id)
    assignment.load()
    marks = _marks(plan, part, assignment.submissions) if part.students else ()
    if marks:
        name = f"nbgrader/{part.id}-marks.csv"
        path = course.root / name
        with writing(path):
            path.parent.mkdir(exist_ok=True)
            with path.open("xb") as file:
                file.write(marks_csv(marks))
        plan.todo.append(
            f"after grading: grader marks import results/{part.id} {name} --by NAME takes over {len(marks)} scores"
        )
    return ImportedAssignment(
        id=part.id,
        assignment=part.source.name,
        notebook=part.notebook.name,
        points=part.draft.points,
        criteria=len(part.notebook.cells),
        checks=part.draft.checks,
        by_person=part.draft.by_person,
        submissions=len(part.students),
        marks=len(marks),
        due=part.due,
    )


def _marks(plan: _Plan, part: _Part, submissions: Path) -> tuple[Mark, ...]:
    """List the scores of the gradebook as marks of the submissions that were copied."""
    scores = defaultdict[str, list[BookScore]](list)
    for one in plan.book.scores:
        if (one.assignment, one.notebook) == (part.source.name, part.notebook.name):
            scores[one.student].append(one)
    with tempfile.TemporaryDirectory(prefix="grader-") as folder:
        found = find_all([submissions], unpack_to=Path(folder), zone=plan.zone).found
    titles = {cell.grade_id: cell for cell in part.notebook.cells}
    marks: list[Mark] = []
    for submission in found:
        own = scores.get(submission.student, [])
        for score in own:
            marks += _mark(plan, part, score, submission.id, submission.sha256, titles)
        extra = sum(score.extra or 0.0 for score in own)
        if extra:
            marks.append(
                Mark(submission.id, submission.student, submission.sha256, EXTRA, "Extra credit", extra, extra)
            )
    return tuple(marks)


def _mark(  # noqa: PLR0913, PLR0917 - the parts of a mark
    plan: _Plan, part: _Part, score: BookScore, submission: str, sha256: str, cells: Mapping[str, Any]
) -> Iterator[Mark]:
    cell, checked = cells.get(score.cell), score.cell in part.draft.checks
    points = score.manual if checked else score.points
    if cell is None or points is None:
        return
    if not 0 <= points <= cell.points:
        plan.todo.append(
            f"{part.id}: {score.student} has {points:g} of {cell.points:g} points for {score.cell}; see {_SCORES}"
        )
        return
    yield Mark(
        submission=submission,
        student=score.student,
        notebook=sha256,
        criterion=part.draft.criteria[score.cell],
        title=score.cell,
        max_points=cell.points,
        points=points,
        comment=score.comment,
        why="score in nbgrader" if checked else "",
    )


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{', '.join(names[:_MOST_NAMES])}{more}"

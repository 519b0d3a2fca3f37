"""The course folder: `course.yaml`, the roster, judgements, and the folders of each assignment."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from grader.delivery.roster import Matcher, Student, Submitted, read_roster
from grader.delivery.times import Times, read_times
from grader.facts.nearest import suggestion
from grader.grading.course_files import more_files
from grader.grading.course_settings import load_course_settings
from grader.grading.loader import LoadedRubric
from grader.pipeline.rubrics import find_rubric, noted_assignment, shipped_rubrics
from grader.schema.course import COURSE_FILE, AssignmentSettings, CourseSettings
from grader.schema.errors import UsageError
from grader.store.results import ResultsFolder

__all__ = [
    "RESULTS",
    "SUBMISSIONS",
    "Assignment",
    "CourseFolder",
    "assignment_at",
    "assignment_of",
    "find_assignment",
    "find_course",
    "open_course",
]

SUBMISSIONS, RESULTS = "submissions", "results"
"""Folders of a course; each has one folder for each assignment."""


@dataclass(frozen=True)
class CourseFolder:
    """A folder with a `course.yaml`."""

    root: Path
    """The folder, resolved."""
    settings: CourseSettings

    @property
    def file(self) -> Path:
        """Path of `course.yaml`."""
        return self.root / COURSE_FILE

    @property
    def roster_path(self) -> Path | None:
        """Path of the roster; None without a roster."""
        return None if self.settings.roster is None else self.root / self.settings.roster

    @property
    def judgements_path(self) -> Path:
        """Path of the file with the decisions of people."""
        return self.root / self.settings.judgements

    @property
    def secrets(self) -> tuple[Path, ...]:
        """The files that no notebook may get."""
        files = (self.file, self.judgements_path)
        return files if self.roster_path is None else (*files, self.roster_path)

    @cached_property
    def students(self) -> tuple[Student, ...]:
        """The students of the roster; none without a roster.

        Raises:
            UsageError: The roster cannot be read, or is wrong.
        """
        return () if self.roster_path is None else read_roster(self.roster_path, addresses=False)

    @cached_property
    def matcher(self) -> Matcher:
        """Finds the student of a submission."""
        return Matcher(self.students)

    @cached_property
    def groups(self) -> Mapping[str, tuple[Student, ...]]:
        """The members of each group of the roster."""
        groups: defaultdict[str, list[Student]] = defaultdict(list)
        for student in self.students:
            if student.group:
                groups[student.group].append(student)
        return {name: tuple(members) for name, members in groups.items()}

    @cached_property
    def assignments(self) -> tuple["Assignment", ...]:
        """The assignments, in the order of the file."""
        return tuple(Assignment(self, name) for name in self.settings.assignments)

    def assignment(self, name: str) -> "Assignment":
        """Find an assignment by its id.

        Raises:
            UsageError: The course has no such assignment.
        """
        if name not in self.settings.assignments:
            msg = f"there is no assignment {name!r}{suggestion(name, self.settings.assignments)}"
            raise UsageError(msg, where=str(self.file), advice="add it to `assignments`, or name another one")
        return Assignment(self, name)

    def grader(self, name: str) -> str:
        """Return the name of a person who grades.

        Raises:
            UsageError: The course lists its graders, and this is none of them.
        """
        if self.settings.graders and name not in self.settings.graders:
            msg = f"{name!r} is none of the `graders` of the course{suggestion(name, self.settings.graders)}"
            raise UsageError(msg, where=str(self.file), advice="add the name to `graders`, or use another one")
        return name


@dataclass(frozen=True)
class Assignment:
    """An assignment of a course."""

    course: CourseFolder
    id: str

    @property
    def settings(self) -> AssignmentSettings:
        """Its settings in `course.yaml`."""
        return self.course.settings.assignments[self.id]

    @property
    def rubric(self) -> str:
        """Id of a shipped rubric, or the path of a file, as `find_rubric` reads it."""
        named = self.settings.rubric
        file = self.course.root / named
        return str(file) if file.suffix in {".yaml", ".yml"} or "/" in named else named

    def load(self, rubric: LoadedRubric | None = None) -> LoadedRubric:
        """Load the rubric with the course's files and language.

        Args:
            rubric: Another rubric than that of `course.yaml`.

        Raises:
            RubricError: The rubric does not exist or is wrong.
            UsageError: A file of the course is missing.
        """
        loaded = find_rubric(self.rubric) if rubric is None else rubric
        root, own = self.course.root, self.course
        secrets = (*own.secrets, loaded.path)
        try:
            files = more_files(self.settings.files, root, secrets)
        except (OSError, ValueError) as error:
            message = f"a file of the course cannot be read: {error}" if isinstance(error, OSError) else str(error)
            raise UsageError(message, where=f"{own.file}, assignments.{self.id}.files") from error
        known = {file.target for file in loaded.files}
        if twice := sorted(known & {file.target for file in files}):
            msg = f"the rubric already gives notebooks a file {twice[0]!r}"
            raise UsageError(msg, where=f"{own.file}, assignments.{self.id}.files", advice="remove it from one of them")
        every = sorted((*loaded.files, *files), key=lambda file: file.target)
        added = frozenset(file.target for file in files)
        language = loaded.language or own.settings.language
        return replace(loaded, files=tuple(every), added=added, language=language)

    @property
    def submissions(self) -> Path:
        """Folder of the submissions."""
        return self.course.root / SUBMISSIONS / self.id

    @property
    def results(self) -> Path:
        """Folder of the results."""
        return self.course.root / RESULTS / self.id

    @property
    def due(self) -> datetime | None:
        """The due date, in UTC."""
        return self.course.settings.moment(self.settings.due)

    @property
    def release(self) -> datetime | None:
        """The time before which nothing is sent to students, in UTC."""
        return self.course.settings.moment(self.settings.release)

    @property
    def starter(self) -> Path | None:
        """Path of the notebook that students started from."""
        return None if self.settings.starter is None else self.course.root / self.settings.starter

    def group_of(self, student: Student) -> tuple[Student, ...]:
        """Return the students who share a submission with a student, in the order of the roster, with the student."""
        if not self.settings.groups or not student.group:
            return (student,)
        return self.course.groups[student.group]

    def members_of(self, submission: Submitted) -> tuple[Student, ...]:
        """Find the students of a submission: one, all members of a group, or none."""
        students = self.course.students
        if not students:
            return ()
        if self.settings.groups and (members := self._group_named(submission)):
            return members
        student, _ = self.course.matcher.student_of(submission)
        return () if student is None else self.group_of(student)

    def time_of(self, submission: Submitted) -> datetime | None:
        """Find the time of a submission in the course's file of times, by its name or its students."""
        if not self.times.by_line:
            return None
        own = self.times.of(submission)
        members = [moment for one in self.members_of(submission) if (moment := self.times.of_student(one)) is not None]
        return own if own is not None else max(members, default=None)

    def _group_named(self, submission: Submitted) -> tuple[Student, ...]:
        """Find the group whose name a submission has, such as `group-7`."""
        names = {_plain(submission.id), _plain(submission.student)}
        return next((members for name, members in self.course.groups.items() if _plain(name) in names), ())

    @cached_property
    def times(self) -> Times:
        """The times of submission in the course's file; none without a file.

        Raises:
            UsageError: The file cannot be read, or is wrong.
        """
        if self.settings.times is None:
            return Times()
        return read_times(self.course.root / self.settings.times, self.course.settings.zone)


def _plain(name: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", name.casefold()))


def open_course(root: Path) -> CourseFolder:
    """Open a course folder.

    Args:
        root: A folder with `course.yaml`.

    Raises:
        UsageError: The file cannot be read, or is wrong.
    """
    root = root.resolve()
    return CourseFolder(root, load_course_settings(root / COURSE_FILE, [path.stem for path in shipped_rubrics()]))


def find_course(path: Path) -> CourseFolder | None:
    """Find the course folder that contains a path; None if there is none.

    Args:
        path: A results folder, submissions, or any other path; it need not exist.

    Raises:
        UsageError: `course.yaml` cannot be read, or is wrong.
    """
    place = path.resolve()
    root = next((folder for folder in (place, *place.parents) if _is_course(folder / COURSE_FILE)), None)
    return None if root is None else open_course(root)


def _is_course(file: Path) -> bool:
    """Return whether a `course.yaml` belongs to a course folder; an empty file and a rubric do not."""
    try:
        content = file.read_bytes() if file.is_file() else b""
    except OSError:
        return True  # reading it again reports the error
    return bool(content.strip()) and re.search(rb"^criteria\s*:", content, re.MULTILINE) is None


def find_assignment(path: Path) -> Assignment | None:
    """Find the assignment that a path belongs to by its place, such as `results/ID` or `submissions/ID/ann`.

    Args:
        path: A path.

    Raises:
        UsageError: `course.yaml` cannot be read, or is wrong.
    """
    course = find_course(path)
    return None if course is None else assignment_at(course, path)


def assignment_at(course: CourseFolder, path: Path) -> Assignment | None:
    """Find the assignment of a course that a path belongs to; see `find_assignment`."""
    place = path.resolve()
    return next(
        (
            one
            for one in course.assignments
            if place.is_relative_to(one.results.resolve()) or place.is_relative_to(one.submissions.resolve())
        ),
        None,
    )


def assignment_of(out: ResultsFolder) -> Assignment | None:
    """Find the assignment of a results folder: by its place, else by the note of `grader grade`.

    Raises:
        UsageError: `course.yaml` cannot be read, or is wrong.
    """
    found = find_assignment(out.root)
    if found is not None:
        return found
    noted = noted_assignment(out)
    if noted is None:
        return None
    root, name = noted
    if not (root / COURSE_FILE).is_file():
        msg = f"the course folder of these results is missing: {root}"
        raise UsageError(msg, where=str(out.root), advice="grade with the course folder's new place once")
    return open_course(root).assignment(name)

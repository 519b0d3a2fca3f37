"""Read the judgements of a results folder, and add them to grades."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grader.grading.judged import concerns, latest, with_judgements
from grader.grading.late import with_late
from grader.pipeline.course import Course
from grader.pipeline.course_folder import Assignment, assignment_of
from grader.pipeline.rubrics import noted_judgements
from grader.schema.errors import UsageError
from grader.schema.grade import Grade
from grader.schema.judgement import Judgement
from grader.store.judgements import JudgementFile
from grader.store.results import ResultsFolder

__all__ = [
    "ClassJudgements",
    "check_missing",
    "class_judgements",
    "judged_course",
    "judgement_file",
    "orphans_of",
    "with_people",
]

_HAS_JUDGEMENTS = re.compile(rb'"(?:judged": \{|excused": "|(?:comments|flags|requests|review)": \[\s*\{)')
"""Part of a `grade.json` with judgements. Strings from a student cannot match, since quotes in strings are escaped."""
_WITHOUT_SUBMISSION = frozenset({"excuse", "extension"})
"""Kinds that a student without a submission can have, too."""


@dataclass(frozen=True, slots=True)
class ClassJudgements:
    """The decisions of people about a class, and its assignment."""

    judgements: Mapping[str, tuple[Judgement, ...]]
    """Judgements by submission, or by the student's key."""
    assignment: Assignment | None
    """None outside of a course folder."""


def judgement_file(out: ResultsFolder) -> JudgementFile:
    """Find the file of judgements of a results folder; the file may not exist yet.

    It is the file that `--judgements` named before, else that of the course folder, else `<DIR>-judgements.jsonl` next
    to the results folder.

    Raises:
        UsageError: `course.yaml` is wrong.
    """
    noted = noted_judgements(out)
    if noted is not None:
        return JudgementFile(noted)
    assignment = assignment_of(out)
    if assignment is not None:
        return JudgementFile(assignment.course.judgements_path)
    root = out.root.resolve()
    return JudgementFile(root.with_name(f"{root.name}-judgements.jsonl"))


def judged_course(
    course: Course, out: ResultsFolder, path: Path | None = None, names: Sequence[str] | None = None
) -> Course:
    """Add the judgements of a results folder to its course, and the assignment of the course folder.

    Args:
        course: Rubric, reference and data.
        out: The results folder.
        path: The file of judgements; by default see `judgement_file`.
        names: As for `class_judgements`.

    Raises:
        UsageError: As `class_judgements`.
    """
    found = class_judgements(out, course.stamp.id, path, names)
    return replace(course, judgements=found.judgements, assignment=found.assignment)


def class_judgements(
    out: ResultsFolder, rubric: str, path: Path | None = None, names: Sequence[str] | None = None
) -> ClassJudgements:
    """Read the judgements of a results folder, and find the assignment of the course folder.

    Args:
        out: The results folder.
        rubric: Id of the rubric.
        path: The file of judgements; by default see `judgement_file`.
        names: The submissions whose grades are read to see whether they need a missing file; by default all.

    Raises:
        UsageError: The file of judgements cannot be read, has lines that are not judgements, or is missing although
            grades in the folder have judgements; or `course.yaml` or the roster is wrong.
    """
    file = judgement_file(out) if path is None else JudgementFile(path)
    if not file.path.exists():
        _check_missing(file, out, out.submissions() if names is None else names)
    groups: defaultdict[str, list[Judgement]] = defaultdict(list)
    for one in file.read().judgements:
        if concerns(one, one.submission, rubric):
            groups[one.submission].append(one)
    assignment = assignment_of(out)
    if assignment is not None:
        _ = (assignment.course.students, assignment.times)  # errors concern the whole class, not one submission
    return ClassJudgements({name: tuple(several) for name, several in groups.items()}, assignment)


def check_missing(out: ResultsFolder, names: Sequence[str]) -> None:
    """Refuse to make grades without the judgements that they had before; see `class_judgements`.

    Args:
        out: The results folder.
        names: The submissions.

    Raises:
        UsageError: The file of judgements is missing, although one of the grades has judgements.
    """
    file = judgement_file(out)
    if not file.path.exists():
        _check_missing(file, out, names)


def _check_missing(file: JudgementFile, out: ResultsFolder, names: Sequence[str]) -> None:
    judged = [name for name in names if _has_judgements(out, name)]
    if judged:
        msg = f"the file of judgements is missing, but {len(judged)} grades have judgements, such as {judged[0]}"
        advice = "put the file back, name it with `--judgements FILE`, or make an empty file to remove the judgements"
        raise UsageError(msg, where=str(file.path), advice=advice)


def _has_judgements(out: ResultsFolder, name: str) -> bool:
    try:
        return _HAS_JUDGEMENTS.search(out.grade_path(name).read_bytes()) is not None
    except OSError:
        return False


def with_people(computed: Grade, course: Course) -> Grade:
    """Add the decisions of people to a computed grade, and then the deduction for a late submission.

    Args:
        computed: The grade as computed from evidence.
        course: The course with its judgements.
    """
    computed = _timed(computed, course)
    judgements = course.judgements_of(computed.submission)
    judged = with_judgements(computed, judgements)
    return judged if course.due is None else with_late(judged, course.due, judgements)


def _timed(grade: Grade, course: Course) -> Grade:
    """Replace the time of submission by that of the course's file of times."""
    submission = grade.submission
    when = course.time_of(submission)
    if when is not None:
        update = {"submitted": when, "submitted_from": "times"}
    elif submission.submitted_from == "times":  # the file had it before
        update = {"submitted": None, "submitted_from": ""}
    else:
        return grade
    return grade.model_copy(update={"submission": submission.model_copy(update=update)})


def orphans_of(course: Course, submissions: Iterable[str]) -> tuple[Judgement, ...]:
    """Find judgements that count, but whose submission does not exist.

    Args:
        course: The course with its judgements.
        submissions: Ids of the submissions in the results folder.
    """
    present = set(submissions)
    groups: Sequence[Sequence[Judgement]] = [
        judgements for name, judgements in sorted(course.judgements.items()) if name not in present
    ]
    return tuple(one for group in groups for one in latest(group).values() if one.kind not in _WITHOUT_SUBMISSION)

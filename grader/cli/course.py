"""Find what a command works on in a course folder, where options are left out."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grader.cli.completion import complete_rubric

if TYPE_CHECKING:
    from grader.grading.loader import LoadedRubric
    from grader.pipeline.course_folder import Assignment, CourseFolder

__all__ = [
    "AssignmentOption",
    "CourseOutOption",
    "CourseRubricOption",
    "Work",
    "only_assignment",
    "refuse_missing",
    "submissions_of",
    "work_of",
]

CourseRubricOption = Annotated[
    str | None,
    typer.Option(
        "--rubric",
        metavar="ID|FILE",
        help="A shipped rubric's id, or a YAML file; required outside of a course folder.",
        show_default="the assignment's",
        autocompletion=complete_rubric,
    ),
]
CourseOutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Folder for the results; required outside of a course folder.",
        show_default="the assignment's, results/ID",
    ),
]
AssignmentOption = Annotated[
    str | None,
    typer.Option(
        "--assignment",
        metavar="ID",
        help="Assignment of the course folder.",
        show_default="that of PATH or of the current folder, or the only one",
    ),
]


@dataclass(frozen=True, slots=True)
class Work:
    """Submissions, rubric and results folder of a `grader grade`."""

    paths: tuple[Path, ...]
    rubric: str | None
    """The rubric of the command line; None for the rubric of the assignment."""
    out: Path
    assignment: "Assignment | None"

    def load(self) -> "LoadedRubric":
        """Load the rubric.

        Raises:
            RubricError: It does not exist or is wrong.
        """
        from grader.pipeline.rubrics import find_rubric

        if self.assignment is not None:
            return self.assignment.load(None if self.rubric is None else find_rubric(self.rubric))
        return find_rubric(self.rubric or "")


def work_of(
    context: typer.Context, paths: Sequence[Path] | None, rubric: str | None, out: Path | None, name: str | None
) -> Work:
    """Complete the arguments of `grader grade` by the course folder that contains the paths or the current folder.

    Args:
        context: The command, for errors about missing options.
        paths: Paths of submissions.
        rubric: Value of `--rubric`.
        out: Value of `--out`.
        name: Value of `--assignment`.

    Raises:
        UsageError: The assignment is unknown or not unique, or `course.yaml` is wrong.
    """
    complete = bool(paths) and rubric is not None and out is not None
    assignment = _assignment(paths or (), name, needed=not complete)
    if not paths and assignment is None:
        refuse_missing(context, "paths")
    if rubric is None and assignment is None:
        refuse_missing(context, "rubric")
    results = out if out is not None else assignment.results if assignment is not None else None
    if results is None:
        refuse_missing(context, "out")
        raise AssertionError
    submissions = tuple(paths) if paths else (assignment.submissions,) if assignment is not None else ()
    return Work(submissions, rubric, results, assignment)


def submissions_of(
    context: typer.Context, paths: Sequence[Path] | None, name: str | None
) -> "tuple[tuple[Path, ...], Assignment | None]":
    """Return the paths of submissions and their assignment; without paths those of the assignment.

    Args:
        context: The command, for errors about missing arguments.
        paths: Paths of submissions.
        name: Value of `--assignment`.

    Raises:
        UsageError: The assignment is unknown or not unique, or `course.yaml` is wrong.
    """
    assignment = _assignment(paths or (), name, needed=not paths)
    if paths:
        return tuple(paths), assignment
    if assignment is None:
        refuse_missing(context, "paths")
        raise AssertionError
    return (assignment.submissions,), assignment


def _assignment(paths: Sequence[Path], name: str | None, *, needed: bool) -> "Assignment | None":
    """Find the assignment of the paths, else of the current folder, else the only one of the course."""
    from grader.pipeline.course_folder import assignment_at, find_assignment, find_course
    from grader.schema.errors import UsageError

    here = Path.cwd()
    if name is not None:
        course = next((found for path in (*paths, here) if (found := find_course(path)) is not None), None)
        if course is None:
            msg = "there is no course folder here, so there are no assignments"
            raise UsageError(msg, where=f"--assignment {name}", advice="run it in a folder of `grader new`")
        return course.assignment(name)
    several = list({one.id: one for path in paths if (one := find_assignment(path)) is not None}.values())
    if len(several) > 1:
        msg = f"the paths belong to several assignments: {', '.join(one.id for one in several)}"
        raise UsageError(msg, advice="grade one assignment at a time, or choose one with `--assignment`")
    if several or not needed:
        return next(iter(several), None)
    own = next((found for path in (*paths, here) if (found := find_course(path)) is not None), None)
    return None if own is None else assignment_at(own, here) or only_assignment(own)


def only_assignment(course: "CourseFolder") -> "Assignment":
    """Return the only assignment of a course.

    Raises:
        UsageError: The course has several.
    """
    from grader.schema.errors import UsageError

    if len(course.assignments) > 1:
        names = ", ".join(one.id for one in course.assignments)
        msg = f"the course has several assignments: {names}"
        raise UsageError(
            msg, where=str(course.file), advice="choose one with `--assignment ID`, or give its submissions"
        )
    return course.assignments[0]


def refuse_missing(context: typer.Context, name: str) -> None:
    """Raise the error for a missing argument or option."""
    known: Any = next(one for one in context.command.params if one.name == name)
    parameter = copy.copy(known)
    parameter.required = True
    parameter.process_value(context, None)

"""Define the command `release`, which makes the students' version of an assignment."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grader.cli.course import CourseRubricOption, only_assignment, refuse_missing
from grader.cli.echo import echo, echo_json
from grader.cli.exit_codes import BELOW, DONE
from grader.cli.help import RESULT
from grader.cli.language import in_language
from grader.cli.options import (
    Device,
    DeviceOption,
    Isolation,
    IsolationOption,
    JsonOption,
    LanguageOption,
    options_of,
)

if TYPE_CHECKING:
    from rich.table import Table

    from grader.grading.loader import LoadedRubric
    from grader.pipeline.course_folder import Assignment
    from grader.pipeline.release import Release
    from grader.schema.release import ReleaseCheck, ReleaseRow, Removed

__all__ = ["release_command"]

_REMOVED: "Mapping[Removed, tuple[str, str]]" = {
    "solution": ("solution", "solutions"),
    "hidden tests": ("region of hidden tests", "regions of hidden tests"),
    "mark scheme": ("mark scheme", "mark schemes"),
    "cell": ("cell for instructors", "cells for instructors"),
}
"""Names of removed parts, for one and for several."""
_FOLDER = "release"
"""Folder of a course folder with the students' versions."""


class Ci(StrEnum):
    """Platforms of students' repositories."""

    GITHUB = "github"
    GITLAB = "gitlab"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class _Work:
    """Notebook and rubric of a release, and its folder."""

    notebook: Path
    loaded: "LoadedRubric"
    out: Path


def release_command(
    context: typer.Context,
    notebook: Annotated[
        str | None,
        typer.Argument(
            metavar="NOTEBOOK|ASSIGNMENT",
            help="The instructor's notebook with markers; in a course folder, also the id of an assignment.",
            show_default="the reference of the rubric",
        ),
    ] = None,
    *,
    rubric: CourseRubricOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FOLDER",
            help="Folder for the students' files; required outside of a course folder.",
            show_default="release/ID in the course folder",
            file_okay=False,
        ),
    ] = None,
    ci: Annotated[Ci, typer.Option("--ci", help="Platform of the workflow that checks students' pushes.")] = Ci.GITHUB,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Execute nothing: do not grade the two notebooks.")
    ] = False,
    fail_over: Annotated[
        float,
        typer.Option(
            "--fail-over",
            metavar="P",
            min=0,
            max=100,
            help="Exit with 1 if the students' version gets more than P percent of the points that need no person.",
            rich_help_panel=RESULT,
        ),
    ] = 10.0,
    isolation: IsolationOption = Isolation.AUTO,
    device: DeviceOption = Device.AUTO,
    language: LanguageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the students' version of an assignment: no solutions, but the public rubric and a workflow for CI.

    Then grade the students' version, which must get about 0 points, and the instructor's notebook, which must get full
    marks. The exit code is 1 if one of them does not.
    """
    from grader.pipeline.release import make_release, write_release

    work = _work_of(context, notebook, rubric, out, language)
    release = make_release(work.notebook, work.loaded, ci.value)
    write_release(release, work.out, force=force)
    if not as_json:
        for line in _written(release, work.out):
            echo(line)
    result = None if no_check else _check(release, work, isolation, device)
    if as_json:
        echo_json(json.dumps(_as_json(release, work.out, result), indent=1))
    elif result is None:
        echo("not checked: it was not tested how many points the students' version gets (`--no-check`)")
    else:
        _print(result, work, fail_over)
    wrong = result is not None and (result.percent > fail_over or any(row.misses for row in result.rows))
    raise typer.Exit(BELOW if wrong else DONE)


def _work_of(
    context: typer.Context, named: str | None, rubric: str | None, out: Path | None, language: str | None
) -> _Work:
    """Complete the arguments by the course folder that contains the notebook or the current folder.

    Raises:
        UsageError: There is no such notebook or assignment.
    """
    from grader.pipeline.reference import reference_notebook
    from grader.pipeline.rubrics import find_rubric
    from grader.schema.errors import UsageError

    path = Path(named) if named is not None and _is_path(named) else None
    assignment = _assignment(context, path, named, rubric)
    other = None if rubric is None else find_rubric(rubric)
    loaded = other if assignment is None else assignment.load(other)
    if out is None and assignment is not None:
        out = assignment.course.root / _FOLDER / assignment.id
    if loaded is None or out is None:
        refuse_missing(context, "rubric" if loaded is None else "out")
        raise AssertionError
    source = reference_notebook(loaded) if path is None else path
    if source is None:
        msg = "the rubric has no reference"
        raise UsageError(msg, where=str(loaded.path), advice="add `reference: NAME.ipynb`, or name the notebook")
    return _Work(source, in_language(loaded, language), out)


def _assignment(
    context: typer.Context, path: Path | None, named: str | None, rubric: str | None
) -> "Assignment | None":
    """Find the assignment that is named, or whose notebook is; None outside of a course folder, and for a rubric alone.

    Args:
        context: The command, for errors about missing arguments.
        path: Path of the notebook, if a notebook is named.
        named: The argument: a path, or the id of an assignment.
        rubric: Value of `--rubric`.

    Raises:
        UsageError: There is no such notebook or assignment.
    """
    from grader.pipeline.course_folder import find_course
    from grader.schema.errors import UsageError

    if rubric is not None and (path is not None or named is None):
        return None
    course = find_course(Path.cwd() if path is None else path)
    if path is not None:
        return None if course is None else _assignment_with(path, course.assignments) or only_assignment(course)
    if course is not None:
        return only_assignment(course) if named is None else course.assignment(named)
    if named is None:
        refuse_missing(context, "notebook")
    msg = f"there is no notebook {named!r}, and no course folder here whose assignment it could be"
    raise UsageError(msg, advice="name a notebook: FILE.ipynb")


def _is_path(named: str) -> bool:
    return named.endswith(".ipynb") or "/" in named or Path(named).is_file()


def _assignment_with(notebook: Path, assignments: "Sequence[Assignment]") -> "Assignment | None":
    """Find the assignment whose reference is this notebook."""
    from grader.pipeline.reference import reference_notebook
    from grader.schema.errors import RubricError

    for assignment in assignments:
        try:
            reference = reference_notebook(assignment.load())
        except RubricError:
            continue
        if reference is not None and reference.resolve() == notebook.resolve():
            return assignment
    return None


def _check(release: "Release", work: _Work, isolation: Isolation, device: Device) -> "ReleaseCheck":
    from grader.cli.site import open_store
    from grader.cli.terminal import progress_on, terminal
    from grader.pipeline.release import Run, check_release, kept_grade

    options = options_of(isolation, device, jobs=1, seed=None, resume=False)
    store = open_store(may_download=True)
    reference = kept_grade(work.notebook, work.loaded, store) or work.notebook
    with progress_on(terminal(stderr=True)) as listener:
        listener.begin(2 if isinstance(reference, Path) else 1)
        run = Run(options, listener.step)
        return check_release(work.out / release.notebook, reference, work.loaded, store, run)


def _written(release: "Release", out: Path) -> Iterator[str]:
    counts = Counter(part.kind for part in release.removed)
    listed = ", ".join(f"{count} {_REMOVED[kind][count != 1]}" for kind, count in counts.items())
    yield f"written to {out}: {', '.join(release.files)}"
    yield f"students do not get: {listed}"


def _as_json(release: "Release", out: Path, result: "ReleaseCheck | None") -> dict[str, object]:
    summary: dict[str, object] = {
        "folder": str(out),
        "notebook": release.notebook,
        "files": list(release.files),
        "removed": [part.model_dump(mode="json") for part in release.removed],
    }
    if result is None:
        return {**summary, "check": None}
    totals = {"most": result.most, "released": result.gained, "percent": result.percent, "reference": result.earned}
    return {**summary, "check": {**totals, **result.model_dump(mode="json")}}


def _print(result: "ReleaseCheck", work: _Work, fail_over: float) -> None:
    from grader.cli.terminal import number, terminal

    console = terminal()
    console.print(_table(result))
    for line in (*_leaks(result, work), *_misses(result), *_waiting(result)):
        console.print(line, markup=False, soft_wrap=True)
    if not result.executed["reference"]:
        console.print("the instructor's notebook was not executed again: its stored evidence is current")
    gained, most = number(round(result.gained, 2)), number(result.most)
    limit = (
        f"more than {number(fail_over)} % allowed"
        if result.percent > fail_over
        else f"at most {number(fail_over)} % allowed"
    )
    console.print(
        f"students' version: {gained} of {most} points, {result.percent:.0f} % ({limit}); "
        f"instructor's notebook: {number(round(result.earned, 2))} of {most} points",
        soft_wrap=True,
    )


def _table(result: "ReleaseCheck") -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for heading in ("criterion", "points", "students'", "instructor's"):
        table.add_column(heading, justify="left" if heading == "criterion" else "right", overflow="fold")
    for row in result.rows:
        released = _points(row.released, row.released_status)
        style = "yellow" if row.gains else "red" if row.misses else ""
        bonus = " (bonus)" if row.bonus else ""
        table.add_row(
            f"{row.id}{bonus}",
            f"{row.max_points:g}",
            released,
            _points(row.reference, row.reference_status),
            style=style,
        )
    return table


def _points(points: float, status: str) -> str:
    return "pending" if status == "pending" else f"{round(points, 2):g}"


def _leaks(result: "ReleaseCheck", work: _Work) -> Iterator[str]:
    """List the criteria in which the students' version already gets points."""
    from grader.facts.language import english
    from grader.schema.message import say

    leaks = [row for row in result.rows if row.gains]
    if leaks:
        yield "the students' version already gets points:"
    for row in leaks:
        cells = "".join(f", {english(say('{cell:cell}', cell=cell))}" for cell in row.cells)
        yield f"  {row.id}: {row.released:g} of {row.max_points:g}{cells} – {row.released_message}"
    if leaks:
        yield "  enclose the code of these cells in markers too, or make the criteria stricter"
    if _has_text(leaks, work) and work.loaded.rubric.template is None:
        yield "  the text of the assignment counts as a student's, unless the rubric's `template` names a copy of it"


def _has_text(rows: "Sequence[ReleaseRow]", work: _Work) -> bool:
    ids = {row.id for row in rows}
    return any(
        test.check == "text"
        for criterion in work.loaded.rubric.criteria
        if criterion.id in ids
        for test in criterion.tests
    )


def _misses(result: "ReleaseCheck") -> Iterator[str]:
    """List the criteria in which the instructor's notebook misses points."""
    misses = [row for row in result.rows if row.misses]
    if misses:
        yield "the instructor's notebook misses points:"
    for row in misses:
        yield f"  {row.id}: {row.reference:g} of {row.max_points:g} – {row.reference_message}"


def _waiting(result: "ReleaseCheck") -> Iterator[str]:
    """List the criteria without points for one of the notebooks."""
    for row in result.unknown:
        yield f"not known for the students' version: {row.id} – {row.released_message}"
    if result.waiting:
        points = sum(row.max_points for row in result.waiting)
        yield f"for a person to judge: {', '.join(row.id for row in result.waiting)} ({points:g} points)"

"""Define the commands `grader import …`, which make a course folder out of a course of another tool."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grader.cli.echo import echo_json
from grader.cli.help import CommandLine
from grader.cli.options import JsonOption

if TYPE_CHECKING:
    from grader.pipeline.import_nbgrader import ImportedCourse

__all__ = ["import_app"]

import_app = CommandLine(help="Make a course folder out of a course of another tool.")


@import_app.callback()
def _group() -> None:
    """Keep the name of the only command."""


@import_app.command("nbgrader")
def import_nbgrader_command(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Folder of a course of nbgrader.", exists=True, file_okay=False),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="COURSE",
            help="Course folder to make.",
            show_default="a folder in the current one, named after the course",
            file_okay=False,
        ),
    ] = None,
    submissions: Annotated[
        bool, typer.Option("--submissions/--no-submissions", help="Copy the submitted work.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Make a course folder out of a course of nbgrader; nothing is executed, and no existing file is replaced.

    Takes over points, answers that people grade, tests, students, due dates, scores and submissions.
    """
    from grader.pipeline.import_nbgrader import import_nbgrader

    imported = import_nbgrader(folder, out, submissions=submissions)
    if as_json:
        echo_json(json.dumps(_document(imported), indent=1, ensure_ascii=False))
        return
    _print(imported)


def _document(imported: "ImportedCourse") -> dict[str, object]:
    return {
        "course": str(imported.folder),
        "students": imported.students,
        "assignments": [
            {
                "id": one.id,
                "assignment": one.assignment,
                "notebook": one.notebook,
                "rubric": f"rubrics/{one.id}.yaml",
                "points": one.points,
                "criteria": one.criteria,
                "checks": dict(one.checks),
                "tests_by_person": list(one.by_person),
                "submissions": one.submissions,
                "scores": one.marks,
                "due": None if one.due is None else one.due.isoformat(),
            }
            for one in imported.assignments
        ],
        "todo": list(imported.todo),
    }


def _print(imported: "ImportedCourse") -> None:
    from grader.cli.terminal import pairs_table, terminal

    console = terminal()
    console.print(f"course folder: {imported.folder}", markup=False, soft_wrap=True)
    rows = [
        [
            one.id,
            f"{one.points:g}",
            str(one.criteria),
            f"{len(one.checks)} of {len(one.checks) + len(one.by_person)}",
            str(one.submissions),
            str(one.marks),
            "" if one.due is None else f"{one.due:%Y-%m-%d %H:%M} UTC",
        ]
        for one in imported.assignments
    ]
    heading = ("assignment", "points", "cells", "tests as checks", "submissions", "scores", "due")
    console.print(pairs_table(rows, heading))
    console.print(f"students: {imported.students}", markup=False)
    if imported.todo:
        console.print(f"\nfor a person ({len(imported.todo)}):", markup=False)
    for text in imported.todo:
        console.print(f"- {text}", markup=False, soft_wrap=True)
    first = imported.assignments[0].id
    console.print(f"\nnext: cd {imported.folder} && grader grade submissions/{first}", markup=False, soft_wrap=True)

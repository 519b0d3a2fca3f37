"""Define the command `grader submissions`: what was taken for what, before anything is executed."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grader.cli.course import AssignmentOption, submissions_of
from grader.cli.echo import echo_json
from grader.cli.exit_codes import DONE
from grader.cli.options import JsonOption

if TYPE_CHECKING:
    from rich.table import Table

    from grader.delivery.roster import Student
    from grader.intake.accounting import Skipped
    from grader.pipeline.overview import Overview, Taken

__all__ = ["submissions_command"]

_VERSION = 1
"""Version of the JSON. 1: first version."""
_NOTHING, _ROSTER = "–", "in the roster"
"""Text of an empty cell, and the heading of the column with students of the roster."""
_NAMED_FILES = 3
"""Number of files that the table names for a submission."""


def submissions_command(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH...",
            help="Notebooks, folders of them, or zips, as for `grader grade`.",
            show_default="the submissions of the assignment, in a course folder",
        ),
    ] = None,
    *,
    roster: Annotated[
        Path | None,
        typer.Option(
            "--roster",
            metavar="FILE",
            help="CSV file with the students of the class, to list those without a submission.",
            show_default="the roster of the course folder",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    assignment: AssignmentOption = None,
    as_json: JsonOption = False,
) -> None:
    """List which files are taken for which submission, and every file that is skipped, with the reason.

    Nothing is executed and nothing is written.
    """
    from grader.delivery.roster import read_roster
    from grader.execution.sandbox.scratch import held_folder
    from grader.intake.find import find_all
    from grader.pipeline.overview import overview_of

    places, work = submissions_of(context, paths, assignment)
    students = () if roster is None else read_roster(roster, addresses=False)
    zone: tzinfo = UTC if work is None else work.course.settings.zone
    with held_folder() as folder:
        findings = find_all(places, unpack_to=folder, zone=zone)
        overview = overview_of(places, findings, assignment=work, students=students)
    if as_json:
        echo_json(json.dumps(_document(overview), indent=1))
    else:
        _print(overview, zone)
    raise typer.Exit(DONE)


# --- JSON ------------------------------------------------------------------------------------------------------------


def _document(overview: "Overview") -> dict[str, Any]:
    from grader.facts.language import english

    missing = {"missing": [_student(one) for one in overview.missing]} if overview.roster else {}
    return {
        "version": _VERSION,
        "submissions": [_submission(one) for one in overview.taken],
        **missing,
        "skipped": [{"path": one.path, "reason": english(one.reason)} for one in overview.skipped],
        "notices": [english(notice) for notice in overview.notices],
    }


def _submission(one: "Taken") -> dict[str, Any]:
    from grader.facts.language import english
    from grader.schema.judgement import moment_text

    return {
        "id": one.id,
        "student": one.student,
        "roster": [_student(student) for student in one.in_roster],
        "platform": one.platform or None,
        "attempt": one.attempt or None,
        "other_attempts": one.others,
        "submitted": None if one.submitted is None else moment_text(one.submitted),
        "submitted_from": one.submitted_from,
        "late": one.late,
        "notebook": one.notebook or None,
        "files": one.files,
        "kept": one.kept,
        "parts": one.parts,
        "notes": [english(note) for note in one.notes],
        "problem": one.problem or None,
    }


def _student(student: "Student") -> dict[str, str]:
    return {"id": student.id, "name": student.name, "email": student.email}


# --- the table -------------------------------------------------------------------------------------------------------


def _print(overview: "Overview", zone: tzinfo) -> None:
    from grader.cli.terminal import terminal

    console = terminal()
    console.print(_table(overview, zone))
    for line in _lines(overview):
        console.print(line, soft_wrap=True)


def _table(overview: "Overview", zone: tzinfo) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    rows = [_row(one, zone) for one in overview.taken]
    empty = {heading for heading in rows[0] if all(row[heading] == _NOTHING for row in rows)} if rows else set()
    hidden = empty if overview.roster else {*empty, _ROSTER}
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    headings = [heading for heading in (rows[0] if rows else ()) if heading not in hidden]
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(escape(row[heading]) for heading in headings))
    return table


def _row(one: "Taken", zone: tzinfo) -> dict[str, str]:
    """Format the cells of a submission by their headings."""
    return {
        "student": one.student,
        "id": one.id,
        "taken from": one.platform or _NOTHING,
        "submitted": _time(one, zone),
        "notebook": one.notebook or "none",
        "other files": _some([name for name in one.files if name != one.notebook]),
        "other attempts": _some(one.others),
        _ROSTER: ", ".join(student.label for student in one.in_roster) or "nobody",
    }


def _time(one: "Taken", zone: tzinfo) -> str:
    """Format the time of submission, or the attempt without a readable time; mark a claim and a late one."""
    moment = one.attempt if one.submitted is None else f"{one.submitted.astimezone(zone):%Y-%m-%d %H:%M}"
    claim = "(commit)" if one.submitted_from == "commit" else ""
    return " ".join(part for part in (moment, claim, "late" if one.late else "") if part) or _NOTHING


def _some(names: Sequence[str]) -> str:
    """List the first names, and count the others."""
    shown = ", ".join(names[:_NAMED_FILES])
    return f"{shown} + {len(names) - _NAMED_FILES}" if len(names) > _NAMED_FILES else shown or _NOTHING


def _lines(overview: "Overview") -> Iterator[str]:
    from rich.markup import escape

    from grader.cli.terminal import COMMIT_TIMES, some_of
    from grader.facts.language import english
    from grader.schema.message import say_count

    yield english(say_count("{count:number} submission", "{count:number} submissions", len(overview.taken)))
    for one in overview.taken:
        if one.problem:
            yield f"[yellow]cannot be executed:[/] {escape(one.id)}: {escape(one.problem)}"
        for note in one.notes:
            yield f"[yellow]files:[/] {escape(one.id)}: {escape(english(note))}"
    if any(one.submitted_from == "commit" for one in overview.taken):
        yield f"[yellow]times of submission:[/] {COMMIT_TIMES}"
    for notice in overview.notices:
        yield f"[yellow]notice:[/] {escape(english(notice))}"
    if overview.missing:
        names = some_of([student.label for student in overview.missing], len(overview.missing))
        yield f"[yellow]no submission:[/] {len(overview.missing)}: {escape(names)}"
    yield from _skipped_lines(overview.skipped)


def _skipped_lines(skipped: "Sequence[Skipped]") -> Iterator[str]:
    """List every path that was skipped, with the reason."""
    from rich.markup import escape

    from grader.facts.language import english

    if skipped:
        yield f"[yellow]skipped:[/] {len(skipped)}"
    else:
        yield "skipped: nothing"
    for one in skipped:
        yield f"  {escape(one.path)} – {escape(english(one.reason))}"

"""Define the commands for the decisions of people: `grader marks …` and `grader requests …`."""

import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grader.cli.echo import echo, echo_json
from grader.cli.help import RESULT, CommandLine
from grader.cli.options import JsonOption

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from grader.delivery.roster import Student
    from grader.pipeline.course import Course
    from grader.schema.judgement import Judgement
    from grader.store.results import ResultsFolder

__all__ = ["marks_app", "requests_app"]

marks_app = CommandLine(help="Export marks for a spreadsheet, import them, and join the files of several graders.")
requests_app = CommandLine(help="Import, list and answer requests of students to look at a criterion again.")

_FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="A results folder.", exists=True, file_okay=False)]
_ByOption = Annotated[str, typer.Option("--by", metavar="NAME", help="Name of the person who judged.")]
_DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only show what would be stored.", rich_help_panel=RESULT)
]


class Take(StrEnum):
    """The mark that counts if somebody judged since the export."""

    FILE = "file"
    STORED = "stored"


@marks_app.command("export")
def marks_export(
    folder: _FolderArgument,
    *,
    criterion: Annotated[
        str | None,
        typer.Option(
            "--criterion",
            metavar="ID",
            help="Only this criterion, also if the grader computes it.",
            show_default="all that a person judges",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="File to write.", show_default="the terminal", dir_okay=False),
    ] = None,
) -> None:
    """Write the marks of people as CSV, with one row for each submission and criterion."""
    from grader.delivery.marks import marks_csv
    from grader.pipeline.marks import export_marks
    from grader.store.files import write_atomically

    course, results = _course_of(folder)
    marks = export_marks(results, course, criterion=criterion)
    content = marks_csv(marks)
    if out is None:
        echo(content.decode("utf-8-sig"), nl=False)
        return
    write_atomically(out, content)
    missing = sum(mark.points is None for mark in marks)
    echo(f"rows: {len(marks)}, without points: {missing}, written to {out}")


@marks_app.command("import")
def marks_import(
    folder: _FolderArgument,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A table of `grader marks export`.", exists=True, dir_okay=False)
    ],
    by: _ByOption,
    *,
    take: Annotated[
        Take | None,
        typer.Option(
            "--take",
            help="Mark that counts if somebody judged since the export.",
            show_default="none: such a table is refused",
        ),
    ] = None,
    dry_run: _DryRunOption = False,
) -> None:
    """Store the changed marks of a table as judgements, and make the grades again: all rows, or none."""
    from grader.pipeline.marks import import_marks

    course, results = _course_of(folder)
    done = import_marks(
        results, course, file, by=by, now=_now, take=None if take is None else take.value, dry_run=dry_run
    )
    _print_judgements(done.judgements)
    for text in done.kept:
        echo(f"left out: {text}", err=True)
    echo(f"{_verb('imported', dry_run=dry_run)}: {len(done.judgements)}, unchanged: {done.unchanged}")
    if not dry_run:
        _rejudge(results, course, done.judgements)


@marks_app.command("join")
def marks_join(
    folder: _FolderArgument,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Files of judgements.", exists=True, dir_okay=False)
    ],
    *,
    dry_run: _DryRunOption = False,
) -> None:
    """Add the judgements of other graders' files, and make the grades again."""
    from grader.pipeline.marks import join_judgements

    course, results = _course_of(folder)
    joined = join_judgements(results, files, dry_run=dry_run)
    for text in joined.replaced:
        echo(f"judged differently: {text}", err=True)
    echo(f"{_verb('added', dry_run=dry_run)}: {len(joined.judgements)}")
    if not dry_run:
        _rejudge(results, course, joined.judgements)


@requests_app.command("list")
def requests_list(folder: _FolderArgument, *, as_json: JsonOption = False) -> None:
    """List the requests that nobody has answered, the oldest first."""
    from grader.cli.terminal import pairs_table, terminal
    from grader.pipeline.course_folder import assignment_of
    from grader.pipeline.requests import open_requests
    from grader.store.results import ResultsFolder

    out = ResultsFolder(folder)
    requests = open_requests(out)
    if as_json:
        rows = [{"submission": one.submission, **one.request.model_dump(mode="json")} for one in requests]
        echo_json(json.dumps(rows, indent=1))
        return
    assignment = assignment_of(out)
    zone = UTC if assignment is None else assignment.course.settings.zone
    lines = [
        [
            one.submission,
            one.request.criterion,
            one.title,
            f"{one.request.at.astimezone(zone):%Y-%m-%d}",
            one.request.why,
        ]
        for one in requests
    ]
    if lines:
        terminal().print(pairs_table(lines, ("submission", "criterion", "title", "asked", "reason")))
    echo(f"open requests: {len(lines)}")


@requests_app.command("import")
def requests_import(
    folder: _FolderArgument,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="CSV with `submission`, `student` or `email`, and `reason`, or the mail of a student (.eml, .txt).",
            exists=True,
            dir_okay=False,
        ),
    ],
    *,
    roster: Annotated[
        Path | None,
        typer.Option(
            "--roster",
            metavar="FILE",
            help="The class as CSV, by which ids and addresses are known.",
            show_default="the roster of the course",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    dry_run: _DryRunOption = False,
) -> None:
    """Store the requests of a table, or of a mail, and make the reports again: all rows, or none."""
    from grader.pipeline.requests import import_requests

    course, results = _course_of(folder)
    new = import_requests(results, course, file, _students(folder, roster), now=_now, dry_run=dry_run)
    _print_judgements(new)
    echo(f"{_verb('imported', dry_run=dry_run)}: {len(new)}")
    if not dry_run:
        _rejudge(results, course, new)


@requests_app.command("answer")
def requests_answer(
    folder: _FolderArgument,
    submission: Annotated[str, typer.Argument(metavar="SUBMISSION", help="Id of the submission.")],
    criterion: Annotated[str, typer.Argument(metavar="CRITERION", help="Id of the criterion, or `*`.")],
    by: _ByOption,
    comment: Annotated[str, typer.Option("--comment", metavar="TEXT", help="The answer, which the student reads.")],
    *,
    points: Annotated[
        float | None,
        typer.Option("--points", metavar="P", min=0, help="New points.", show_default="the points stay"),
    ] = None,
    why: Annotated[
        str,
        typer.Option(
            "--why", metavar="TEXT", help="Reason for other points than the grader's.", show_default="no reason"
        ),
    ] = "",
) -> None:
    """Answer a request, perhaps with new points, and make the report again."""
    from grader.pipeline.requests import Answer, answer_request

    course, results = _course_of(folder)
    answer = Answer(submission, criterion, by, comment, points, why)
    _rejudge(results, course, answer_request(results, course, answer, now=_now))


def _now() -> datetime:
    return datetime.now(UTC)


def _verb(word: str, *, dry_run: bool) -> str:
    return f"would be {word}" if dry_run else word


def _course_of(folder: Path) -> "tuple[Course, ResultsFolder]":
    """Load the course of a results folder, with its judgements."""
    from grader.pipeline.judgements import judged_course
    from grader.pipeline.regrade import course_of_results
    from grader.store.results import ResultsFolder

    results = ResultsFolder(folder)
    return judged_course(course_of_results(results), results), results


def _students(folder: Path, roster: Path | None) -> "Sequence[Student]":
    from grader.delivery.roster import read_roster
    from grader.pipeline.course_folder import find_course

    if roster is None:
        course = find_course(folder)
        roster = None if course is None else course.roster_path
    return () if roster is None or not roster.exists() else read_roster(roster, addresses=False)


def _print_judgements(judgements: "Iterable[Judgement]") -> None:
    from grader.cli.terminal import number, pairs_table, terminal

    rows = [[one.submission, one.criterion, one.kind, number(one.points), one.comment or one.why] for one in judgements]
    if rows:
        terminal().print(pairs_table(rows, ("submission", "criterion", "judgement", "points", "text")))


def _rejudge(results: "ResultsFolder", course: "Course", judgements: "Sequence[Judgement]") -> None:
    """Make the grades of the judged submissions again, and print the new scores."""
    from grader.cli.terminal import changes_table, terminal
    from grader.pipeline.rejudge import rejudge
    from grader.schema.errors import UsageError

    if not judgements:
        return
    try:
        changed = rejudge(results, course, dict.fromkeys(one.submission for one in judgements))
    except UsageError as error:
        advice = f"the judgements are stored; run `grader regrade {results.root}` later, which makes the grades again"
        raise UsageError(error.message, where=error.where, advice=advice) from error
    if changed:
        terminal().print(changes_table(changed))
    echo(f"grades made again: {len(changed)}")

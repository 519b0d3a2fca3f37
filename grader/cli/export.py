"""Define the command `export`."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grader.cli.completion import complete_format
from grader.cli.counter import counted
from grader.cli.echo import echo_json
from grader.cli.exit_codes import DONE, HARNESS
from grader.cli.options import JsonOption
from grader.cli.stopping import stoppable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grader.delivery.export import Format
    from grader.delivery.grade_export import ExportState
    from grader.pipeline.exporting import ClassExport
    from grader.pipeline.grade_exporting import ExportedGrades, GradeExportOptions

__all__ = ["export_command"]

_MOST_LISTED = 40
_STATES: "Mapping[ExportState, str]" = {
    "written": "written",
    "unchanged": "unchanged",
    "held": "held back",
    "missing": "without a submission",
    "unmatched": "not found in the file",
    "left": "rows of nobody in the class",
}
_MOST_NAMES = 12
_GRADES, _TABLES = "Grades for other tools", "Tables (csv, parquet)"


def export_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A results folder.", exists=True, file_okay=False)],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help="canvas, classroom50, coursera, csv, gradescope, json, junit, moodle, moodle-feedback, nbgrader, "
            "parquet or prairielearn.",
            autocompletion=complete_format,
        ),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="PATH",
            help="The file or folder to write; for tables a folder, or a file with the format's suffix for one table.",
            show_default="DIR/export/FORMAT",
        ),
    ] = None,
    worksheet: Annotated[
        Path | None,
        typer.Option(
            "--worksheet",
            metavar="FILE",
            rich_help_panel=_GRADES,
            help="The file of the other tool to fill in: Canvas's gradebook, Moodle's grading worksheet, or nbgrader's "
            "gradebook.db. It is not changed; the export is a copy.",
            show_default="none; canvas, moodle and nbgrader need one",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    column: Annotated[
        str,
        typer.Option(
            "--column",
            metavar="NAME",
            rich_help_panel=_GRADES,
            help="The assignment's column in the worksheet: its heading, its title, or Canvas's id; for nbgrader the "
            "assignment.",
            show_default="found by its title",
        ),
    ] = "",
    scale: Annotated[
        bool,
        typer.Option(
            "--scale",
            rich_help_panel=_GRADES,
            help="Convert scores if the assignment has another maximum in the other tool.",
        ),
    ] = False,
    with_pending: Annotated[
        bool,
        typer.Option(
            "--with-pending",
            rich_help_panel=_GRADES,
            help="Write scores although a person still has to give points.",
        ),
    ] = False,
    python: Annotated[
        str,
        typer.Option(
            "--python",
            metavar="FILE",
            rich_help_panel=_GRADES,
            help="Interpreter in whose environment nbgrader is installed.",
            show_default="that of the grader",
        ),
    ] = "",
    table: Annotated[
        list[str] | None,
        typer.Option(
            "--table",
            metavar="NAME",
            rich_help_panel=_TABLES,
            help="Only this table; repeatable.",
            show_default="all",
        ),
    ] = None,
    anonymous: Annotated[
        bool,
        typer.Option(
            "--anonymous",
            rich_help_panel=_TABLES,
            help="Replace people and submissions by pseudonyms; leave out their words.",
        ),
    ] = False,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            metavar="FILE",
            rich_help_panel=_TABLES,
            help="Key of the pseudonyms; the same file gives the same pseudonyms. It is created if it is missing.",
            show_default="DIR/pseudonyms.key",
            dir_okay=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Export the class: its grades for another tool, or everything as tables of data."""
    from grader.delivery.export import Format
    from grader.delivery.format_registry import find_any_format
    from grader.pipeline.grade_exporting import GradeExportOptions

    chosen = find_any_format(to)
    for_tables = {"--table": bool(table), "--anonymous": anonymous, "--key": key is not None}
    for_grades = {
        "--worksheet": worksheet is not None,
        "--column": bool(column),
        "--scale": scale,
        "--with-pending": with_pending,
        "--python": bool(python),
    }
    if isinstance(chosen, Format):
        _refuse(chosen.name, for_grades)
        _export_tables(folder, chosen, out, tuple(table or ()), key, anonymous=anonymous, as_json=as_json)
        return
    _refuse(chosen.name, for_tables)
    options = GradeExportOptions(
        format=chosen,
        target=out,
        worksheet=worksheet,
        column=column,
        scale=scale,
        python=python,
        with_pending=with_pending,
        environment=os.environ,
    )
    _export_grades(folder, options, as_json=as_json)


def _refuse(name: str, given: dict[str, bool]) -> None:
    """Refuse options that the format does not use.

    Raises:
        UsageError: One is given.
    """
    from grader.schema.errors import UsageError

    for option, is_given in given.items():
        if is_given:
            msg = f"the format {name} does not use it"
            raise UsageError(msg, where=option)


def _export_tables(
    folder: Path,
    chosen: "Format",
    out: Path | None,
    tables: tuple[str, ...],
    key: Path | None,
    *,
    anonymous: bool,
    as_json: bool,
) -> None:
    from grader.cli.terminal import terminal
    from grader.pipeline.exporting import ExportOptions, export_class
    from grader.schema.errors import UsageError
    from grader.store.results import ResultsFolder

    if key is not None and not anonymous:
        msg = "a key is used only for pseudonyms"
        raise UsageError(msg, where="--key", advice="add `--anonymous`")
    options = ExportOptions(chosen, out, tables, anonymous=anonymous, key=key)
    console = terminal(stderr=True)
    with stoppable(console, "Nothing was exported."), counted(console, "submissions") as listener:
        result = export_class(ResultsFolder(folder), options, listener)
    _print_tables(result, as_json=as_json)
    raise typer.Exit(HARNESS if result.damaged else DONE)


def _print_tables(result: "ClassExport", *, as_json: bool) -> None:
    from grader.cli.terminal import terminal

    if as_json:
        damaged = [{"submission": one.submission, "reason": one.reason} for one in result.damaged]
        summary = {"path": str(result.target), "submissions": result.submissions, "rows": result.rows}
        echo_json(json.dumps({**summary, "damaged": damaged}, indent=1))
        return
    console = terminal()
    rows = ", ".join(f"{name} {count:,}" for name, count in result.rows.items())
    console.print(f"submissions: {result.submissions}, rows: {rows}", markup=False, soft_wrap=True)
    for one in result.damaged[:_MOST_LISTED]:
        console.print(f"damaged: {one.submission}: {one.reason}", markup=False, soft_wrap=True)
    if (more := len(result.damaged) - _MOST_LISTED) > 0:
        console.print(f"… and {more} more")
    console.print(f"written: {result.target.resolve()}", markup=False, soft_wrap=True)


def _export_grades(folder: Path, options: "GradeExportOptions", *, as_json: bool) -> None:
    from grader.cli.terminal import terminal
    from grader.pipeline.grade_exporting import export_grades
    from grader.store.results import ResultsFolder

    console = terminal(stderr=True)
    with stoppable(console, "Nothing was exported."), counted(console, "submissions") as listener:
        result = export_grades(ResultsFolder(folder), options, listener)
    _print_grades(result, as_json=as_json)
    raise typer.Exit(HARNESS if result.faults else DONE)


def _print_grades(result: "ExportedGrades", *, as_json: bool) -> None:
    from grader.cli.terminal import export_table, some_of, terminal

    if as_json:
        rows = [asdict(one) for one in result.reports]
        echo_json(json.dumps({"path": str(result.target), "rows": rows}, indent=1))
        return
    console = terminal()
    first = [one for one in result.reports if one.state not in {"written", "unchanged"}]
    rest = [one for one in result.reports if one.state in {"written", "unchanged"}]
    listed = [*first, *rest]
    console.print(export_table(listed[:_MOST_LISTED]))
    if (more := len(listed) - _MOST_LISTED) > 0:
        console.print(f"… and {more} more; `--json` lists all")
    counts = [f"{label}: {count}" for state, label in _STATES.items() if (count := result.count(state))]
    console.print(", ".join(counts) or "nothing to export", markup=False)
    if result.pending:
        console.print(
            f"held back because points are pending: {len(result.pending)} ({some_of(result.pending, _MOST_NAMES)}); "
            "`--with-pending` writes them",
            markup=False,
            soft_wrap=True,
        )
    console.print(f"written: {result.target.resolve()}", markup=False, soft_wrap=True)

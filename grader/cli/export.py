"""Define the command `export`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grader.cli.completion import complete_format
from grader.cli.counter import counted
from grader.cli.exit_codes import DONE, HARNESS
from grader.cli.options import JsonOption
from grader.cli.stopping import stoppable

if TYPE_CHECKING:
    from grader.pipeline.exporting import ClassExport

__all__ = ["export_command"]

_MOST_LISTED = 40


def export_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A results folder.", exists=True, file_okay=False)],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help="csv or parquet.",
            autocompletion=complete_format,
        ),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="PATH",
            help="A folder; or a file with the format's suffix, for one table.",
            show_default="DIR/export/FORMAT",
        ),
    ] = None,
    table: Annotated[
        list[str] | None,
        typer.Option("--table", metavar="NAME", help="Only this table; repeatable.", show_default="all"),
    ] = None,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Replace people and submissions by pseudonyms; leave out their words.")
    ] = False,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            metavar="FILE",
            help="Key of the pseudonyms; the same file gives the same pseudonyms. It is created if it is missing.",
            show_default="DIR/pseudonyms.key",
            dir_okay=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Export the class as data: tables of grades, models, trainings, notes and judgements."""
    from grader.cli.terminal import terminal
    from grader.delivery.format_registry import find_format
    from grader.pipeline.exporting import ExportOptions, export_class
    from grader.schema.errors import UsageError
    from grader.store.results import ResultsFolder

    if key is not None and not anonymous:
        msg = "a key is used only for pseudonyms"
        raise UsageError(msg, where="--key", advice="add `--anonymous`")
    options = ExportOptions(find_format(to), out, tuple(table or ()), anonymous=anonymous, key=key)
    console = terminal(stderr=True)
    with stoppable(console, "Nothing was exported."), counted(console, "submissions") as listener:
        result = export_class(ResultsFolder(folder), options, listener)
    _print(result, as_json=as_json)
    raise typer.Exit(HARNESS if result.damaged else DONE)


def _print(result: "ClassExport", *, as_json: bool) -> None:
    from grader.cli.terminal import terminal

    if as_json:
        damaged = [{"submission": one.submission, "reason": one.reason} for one in result.damaged]
        summary = {"path": str(result.target), "submissions": result.submissions, "rows": result.rows}
        typer.echo(json.dumps({**summary, "damaged": damaged}, indent=1))
        return
    console = terminal()
    rows = ", ".join(f"{name} {count:,}" for name, count in result.rows.items())
    console.print(f"submissions: {result.submissions}, rows: {rows}", markup=False, soft_wrap=True)
    for one in result.damaged[:_MOST_LISTED]:
        console.print(f"damaged: {one.submission}: {one.reason}", markup=False, soft_wrap=True)
    if (more := len(result.damaged) - _MOST_LISTED) > 0:
        console.print(f"… and {more} more")
    console.print(f"written: {result.target.resolve()}", markup=False, soft_wrap=True)

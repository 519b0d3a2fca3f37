"""Define the commands `grader data …`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from grader.cli.echo import echo, echo_json
from grader.cli.help import CommandLine
from grader.cli.options import DatasetArgument, JsonOption

__all__ = ["data_app"]

data_app = CommandLine(help="List, find, fetch and import data sets.")


def _store() -> Any:
    from grader.cli.site import open_store

    return open_store()


@data_app.command("list")
def data_list(*, as_json: JsonOption = False) -> None:
    """List data sets and whether they are on this machine."""
    from grader.cli.terminal import pairs_table, terminal

    known = _store().available()
    if as_json:
        items = [{"name": d.name, "title": d.title, "source": d.source, "path": d.path and str(d.path)} for d in known]
        echo_json(json.dumps(items, indent=1))
        return
    rows = [[d.name, d.title, d.source or "missing", d.licence] for d in known]
    terminal().print(pairs_table(rows, ("name", "title", "source", "licence"), {"missing": "yellow"}))


@data_app.command("path")
def data_path(name: DatasetArgument) -> None:
    """Print the path of a data set."""
    echo(_store().path(name))


@data_app.command("fetch")
def data_fetch(
    name: DatasetArgument,
    *,
    base_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Another server with the same official files.",
            show_default="the data set's own servers",
        ),
    ] = None,
) -> None:
    """Download a data set's official files and verify their digests."""
    echo(_store().fetch(name, base_url=base_url))


@data_app.command("import")
def data_import(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of a known data set, or a new name for your course's own.")
    ],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, help="An `.npz`, a folder of IDX files, or a tar of images.")
    ],
) -> None:
    """Import a local file as a data set."""
    echo(_store().import_file(name, file))

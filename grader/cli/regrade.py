"""Commands that execute nothing: `regrade` and `report`."""

import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grader.cli.exit_codes import DONE, HARNESS
from grader.cli.options import JsonOption
from grader.cli.stopping import stoppable

if TYPE_CHECKING:
    from rich.console import Console

    from grader.pipeline.course import Course
    from grader.pipeline.regrade import Regrade
    from grader.store.results import ResultsFolder

__all__ = ["regrade_command", "report_command"]

_MOST_LISTED = 40
"""Changed submissions that a regrade lists on the terminal; a file has them all."""


def regrade_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A results folder.", exists=True, file_okay=False)],
    rubric: Annotated[
        str | None, typer.Option("--rubric", metavar="ID|FILE", help="By default the one used before.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Grade again from kept evidence after a change of the rubric: nothing is executed."""
    from grader.cli.terminal import changes_table, terminal
    from grader.pipeline.regrade import regrade_class

    course, out = _course_of(folder, rubric)
    console = terminal(stderr=True)
    with stoppable(console), out.at_work(), _counted(console) as listener:
        result = regrade_class(course, out, most=None if as_json else _MOST_LISTED, listener=listener)
    if as_json:
        changed = [one.as_json() for one in result.first]
        told = {"regraded": result.total, "changed": changed, "not_in_effect": result.ineffective}
        typer.echo(json.dumps(told, indent=1))
    else:
        console = terminal()
        if result.changed:
            console.print(changes_table(result.first))
        if (more := result.changed - len(result.first)) > 0:
            console.print(f"… and {more} more")
        console.print(f"{result.total} graded again, {result.changed} changed")
        if result.changed:
            console.print(f"who and why: {(folder / 'changes.csv').resolve()}", markup=False, soft_wrap=True)
    if result.ineffective:
        _say_ineffective(result, out, course.loaded.rubric.id)
    raise typer.Exit(HARNESS if result.not_graded else DONE)


def _say_ineffective(result: "Regrade", out: "ResultsFolder", rubric: str) -> None:
    """Say what of the rubric a regrade cannot bring into effect, and what does."""
    from grader.cli.terminal import terminal
    from grader.pipeline.rubrics import noted_rubric

    where = shlex.join(["--rubric", noted_rubric(out, rubric), "--out", str(out.root)])
    told = (
        f"not in effect: {', '.join(result.ineffective)} changed after {result.outdated} of {result.total} were "
        f"executed, and a regrade executes nothing. This does:\ngrader grade PATH... {where}"
    )
    terminal(stderr=True).print(told, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _counted(console: "Console") -> "Iterator[Callable[[int, int], None]]":
    """Count on a terminal what is done; nowhere else, and gone afterwards."""

    def count(done: int, total: int) -> None:
        if console.is_terminal:
            console.file.write(f"\r{done} of {total}\x1b[K")
            console.file.flush()

    try:
        yield count
    finally:
        if console.is_terminal:
            console.file.write("\r\x1b[K")


def _course_of(folder: Path, rubric: str | None) -> "tuple[Course, ResultsFolder]":
    """Bring the course of a results folder together; its grades say which rubric it was."""
    from grader.cli.site import open_store
    from grader.pipeline.regrade import course_of_results
    from grader.pipeline.rubrics import find_rubric
    from grader.store.results import ResultsFolder

    out = ResultsFolder(folder)
    loaded = None if rubric is None else find_rubric(rubric)
    return course_of_results(out, loaded, open_store(may_download=True)), out


def report_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A results folder.", exists=True, file_okay=False)],
    rubric: Annotated[
        str | None, typer.Option("--rubric", metavar="ID|FILE", help="By default the one used before.")
    ] = None,
) -> None:
    """Render every report and the class page again from kept grades and evidence."""
    from grader.cli.terminal import terminal
    from grader.pipeline.regrade import report_class

    course, out = _course_of(folder, rubric)
    words = "Every page is an old or a new one. This makes them all again:"
    with stoppable(terminal(stderr=True), words), out.at_work():
        count = report_class(course, out)
    typer.echo(f"{count} reports and {folder / 'index.html'}")

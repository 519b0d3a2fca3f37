"""Parse the command line, call the pipeline and print results. Commands import heavy packages when they need them."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from grader.cli.completion import completion_command, enable_completion
from grader.cli.data import data_app
from grader.cli.desk import desk_command
from grader.cli.doctor import doctor_command
from grader.cli.echo import echo
from grader.cli.exit_codes import DONE, HARNESS
from grader.cli.export import export_command
from grader.cli.extend import excuse_command, extend_command
from grader.cli.grade import check_command, demo_command, grade_command
from grader.cli.help import CommandLine
from grader.cli.import_ import import_app
from grader.cli.mail import mail_command
from grader.cli.new import new_command
from grader.cli.pack import pack_app
from grader.cli.people import marks_app, requests_app
from grader.cli.regrade import regrade_command, report_command
from grader.cli.release import release_command
from grader.cli.rubric import rubric_app
from grader.cli.serve import serve_command
from grader.cli.similar import similar_command
from grader.cli.submissions import submissions_command
from grader.version import __version__

__all__ = ["app", "main"]

app = CommandLine(
    name="grader",
    help="Grade CNN assignments: execute a notebook once in a sandbox, record what its training really was, and judge "
    "the record against a rubric. A site file sets defaults of options: `grader doctor` shows them.",
)
app.add_typer(rubric_app, name="rubric")
app.add_typer(data_app, name="data")
app.command("new")(new_command)
app.command("release")(release_command)
app.add_typer(import_app, name="import")
app.add_typer(pack_app, name="pack")
app.add_typer(marks_app, name="marks")
app.add_typer(requests_app, name="requests")
app.command("submissions")(submissions_command)
app.command("grade")(grade_command)
app.command("check")(check_command)
app.command("regrade")(regrade_command)
app.command("report")(report_command)
app.command("export")(export_command)
app.command("extend")(extend_command)
app.command("excuse")(excuse_command)
app.command("mail")(mail_command)
app.command("desk")(desk_command)
app.command("similar")(similar_command)
app.command("serve")(serve_command)
app.command("demo")(demo_command)
app.command("doctor")(doctor_command)
app.command("completion")(completion_command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line, and exit with the documented exit code.

    Args:
        arguments: Arguments after `grader`; by default the arguments of the process.
    """
    from grader.schema.errors import GraderError

    enable_completion()
    try:
        app(args=None if arguments is None else list(arguments), prog_name="grader")
    except GraderError as error:
        from grader.cli.terminal import error_text, terminal

        terminal(stderr=True).print(error_text(error))
        sys.exit(error.exit_code or HARNESS)
    except Exception as error:
        # A traceback would be hard to read, and its exit code 1 has another meaning.
        from grader.cli.terminal import fault_text, terminal

        if os.environ.get("GRADER_TRACEBACK"):
            raise
        terminal(stderr=True).print(fault_text(error))
        sys.exit(HARNESS)
    sys.exit(DONE)


def _version(*, wanted: bool) -> None:
    if wanted:
        echo(f"grader {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=lambda v: _version(wanted=v), is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Handle options before a command."""
    del version  # its callback has printed it and exited
    if context.invoked_subcommand in {"grade", "check", "demo", "release", "serve"}:
        from grader.cli.site import load_site, option_defaults

        context.default_map = option_defaults(load_site())

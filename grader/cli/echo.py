"""Print lines and JSON that may contain words of students, without steering the terminal.

Commands print through these functions or through `grader.cli.terminal.terminal`, and in no other way.
"""

import typer

from grader.facts.controls import as_json_escapes, visible

__all__ = ["echo", "echo_json"]


def echo(text: object, *, err: bool = False, nl: bool = True) -> None:
    """Print a text with its control characters made visible.

    Args:
        text: The text; anything else is converted to text.
        err: Whether to print to the standard error.
        nl: Whether to end the line.
    """
    typer.echo(visible(str(text)), err=err, nl=nl)


def echo_json(document: str) -> None:
    """Print a JSON document with its control characters escaped."""
    typer.echo(as_json_escapes(document))

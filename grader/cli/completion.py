"""Define `grader completion`, and complete the names that commands take."""

import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["complete_dataset", "complete_format", "complete_rubric", "completion_command", "enable_completion"]

_PROGRAM = "grader"
_VARIABLE = "_GRADER_COMPLETE"
"""Set by the shell's script when it asks for completions."""


class Shell(StrEnum):
    """A shell with completion."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion_command(
    context: typer.Context,
    shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="Your shell.")],
) -> None:
    """Print the shell's script that completes commands, options, rubrics and data sets.

    \b
    bash:  grader completion bash >> ~/.bashrc
    zsh:   grader completion zsh > FOLDER/_grader
           (FOLDER is one of $fpath)
    fish:  cd ~/.config/fish/completions
           grader completion fish > grader.fish
    """  # noqa: D301 - `\\b` is the mark that keeps lines as they are
    from typer.completion import shell_complete

    _register_shells()
    shell_complete(context.find_root().command, {}, _PROGRAM, _VARIABLE, f"source_{shell.value}")


def enable_completion() -> None:
    """Register the shells if a shell's script asks for completions."""
    if os.environ.get(_VARIABLE):
        _register_shells()


def _register_shells() -> None:
    from typer.completion import get_completion_inspect_parameters

    # Typer registers them when it makes the options that `add_completion` would add.
    get_completion_inspect_parameters()


def complete_rubric(incomplete: str) -> Iterator[str]:
    """List the ids of shipped rubrics, and YAML files, that begin with a text."""
    from grader.resources import share

    # Reading the rubrics would take too long between two keys.
    yield from sorted(path.stem for path in share("rubrics").glob("*.yaml") if path.stem.startswith(incomplete))
    folder, _, beginning = incomplete.rpartition("/")
    place = Path(f"{folder}/" if folder or incomplete.startswith("/") else ".")
    try:
        names = sorted(path.name for path in place.iterdir())
    except OSError:
        return
    prefix = incomplete.removesuffix(beginning)
    yield from (f"{prefix}{name}" for name in names if name.endswith((".yaml", ".yml")) and name.startswith(beginning))


def complete_dataset(incomplete: str) -> Iterator[str]:
    """List the data sets that begin with a text: known ones, and the course's own."""
    from grader.cli.site import open_store

    yield from (one.name for one in open_store().available() if one.name.startswith(incomplete))


def complete_format(incomplete: str) -> Iterator[str]:
    """List the formats of exports that begin with a text."""
    from grader.delivery.format_registry import all_formats, grade_formats

    yield from (name for name in sorted({*all_formats(), *grade_formats()}) if name.startswith(incomplete))

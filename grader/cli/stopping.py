"""Handle signals: the first one stops a command cleanly, the second one at once."""

import os
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from grader.schema.progress import Listener, Step

__all__ = ["CONTINUE", "NO_RESUME", "stoppable", "until_stopped"]

NO_RESUME = "--no-resume"
CONTINUE = "Finished results are stored. This command continues:"


@contextmanager
def stoppable(console: "Console", words: str = CONTINUE) -> Iterator[list[int]]:
    """Stop cleanly on the first signal, and at once on the second; the next run removes the remains.

    Args:
        console: Console for messages.
        words: Explanation of the results so far. If it ends with a colon, the command to continue follows.

    Yields:
        A list that is empty until a signal arrives, and then contains its number.

    Raises:
        Exit: A signal arrived.
    """
    stopping: list[int] = []

    def stop(number: int, _: object) -> None:
        if stopping:
            # Sandboxes and workers end with this process.
            console.show_cursor()
            os._exit(128 + number)
        stopping.append(number)
        console.print("[yellow]stopping …[/] a second signal stops at once")
        raise KeyboardInterrupt(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield stopping
    except KeyboardInterrupt as stopped:
        console.print(f"[yellow]stopped.[/] {words}")
        if words.endswith(":"):
            _print_continuation(console, sys.argv[1:])
        raise typer.Exit(128 + (stopped.args[0] if stopped.args else signal.SIGINT)) from stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_continuation(console: "Console", arguments: "Sequence[str]") -> None:
    """Print the command to continue, without `--no-resume`, which would repeat finished work."""
    console.print(
        shlex.join(["grader", *(word for word in arguments if word != NO_RESUME)]), markup=False, soft_wrap=True
    )
    if NO_RESUME in arguments:
        console.print(f"{NO_RESUME} was dropped: submissions not re-executed yet keep their earlier results.")


def until_stopped(listener: "Listener", stopping: "Sequence[int]") -> "Listener":
    """Also raise in the progress listener after a signal; a KeyboardInterrupt in the main thread can get lost."""

    def step(one: "Step") -> None:
        if stopping:
            raise KeyboardInterrupt(stopping[0])
        listener(one)

    return step

"""Signals: the first one stops in good order, the second one at once."""

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

__all__ = ["GOES_ON", "NO_RESUME", "stoppable", "until_stopped"]

NO_RESUME = "--no-resume"
GOES_ON = "What is done is kept. This goes on:"


@contextmanager
def stoppable(console: "Console", words: str = GOES_ON) -> Iterator[list[int]]:
    """Stop on the first signal in good order, and on the second at once: what that leaves the next run removes.

    Args:
        console: Where it is told.
        words: What becomes of what is done; after a colon comes the command that goes on.

    Yields:
        A list that is empty until there was a signal, and then holds its number.

    Raises:
        Exit: There was a signal.
    """
    stopping: list[int] = []

    def stop(number: int, _: object) -> None:
        if stopping:
            # Sandboxes and workers die with this process.
            console.show_cursor()
            os._exit(128 + number)
        stopping.append(number)
        console.print("[yellow]stopping …[/] once more stops at once")
        raise KeyboardInterrupt(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield stopping
    except KeyboardInterrupt as stopped:
        console.print(f"[yellow]stopped.[/] {words}")
        if words.endswith(":"):
            _print_going_on(console, sys.argv[1:])
        raise typer.Exit(128 + (stopped.args[0] if stopped.args else signal.SIGINT)) from stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_going_on(console: "Console", words: "Sequence[str]") -> None:
    """Print the command that goes on from what is done, which `--no-resume` would do again."""
    console.print(shlex.join(["grader", *(word for word in words if word != NO_RESUME)]), markup=False, soft_wrap=True)
    if NO_RESUME in words:
        console.print(f"Without {NO_RESUME}: what was executed before and not yet again stands as it was.")


def until_stopped(listener: "Listener", stopping: "Sequence[int]") -> "Listener":
    """Have whoever says how it goes hear of a signal too: what interrupts the main thread is lost in rare places."""

    def step(one: "Step") -> None:
        if stopping:
            raise KeyboardInterrupt(stopping[0])
        listener(one)

    return step

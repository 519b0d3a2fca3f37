"""Tidy the tracebacks that students see: only their code and the library's, with advice if there is some."""

import sys
from types import TracebackType
from typing import Any

from ..record.notes import Notes
from .ending import ends_cell
from .paths import advise_missing

__all__ = ["end_before", "install_shell"]


def end_before(error: BaseException, package: str) -> None:
    """Remove a package's own frames from the end of a traceback, between the student's call and the failure.

    Args:
        error: The exception; its traceback is changed unless all its frames belong to the package.
        package: Name of the package.
    """
    last: TracebackType | None = None
    frame = error.__traceback__
    while frame is not None:
        if not str(frame.tb_frame.f_globals.get("__name__", "")).startswith(f"{package}."):
            last = frame
        frame = frame.tb_next
    if last is not None:
        last.tb_next = None


def install_shell(notes: Notes, shell: Any) -> None:
    """Tidy the tracebacks that a shell shows, and add advice to errors about missing files.

    Args:
        notes: Receives the advice.
        shell: The IPython shell.
    """
    show = shell.showtraceback

    def showtraceback(exc_tuple: Any = None, *args: Any, **kwargs: Any) -> Any:
        error = exc_tuple[1] if exc_tuple else sys.exc_info()[1]
        if ends_cell(error):
            return None
        if error is not None:
            end_before(error, __package__)
            advice = advise_missing(error)
            if advice:
                error.add_note(advice)
                notes.tell("path.missing", advice)
        return show(exc_tuple, *args, **kwargs)

    shell.showtraceback = showtraceback

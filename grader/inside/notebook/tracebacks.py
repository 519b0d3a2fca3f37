"""What a student sees under a cell that raised: their own code and the library's, and advice where there is some."""

import sys
from types import TracebackType
from typing import Any

from ..record.notes import Notes
from .paths import advise_missing

__all__ = ["end_before", "install_shell"]


def end_before(error: BaseException, package: str) -> None:
    """Take a package's own frames off the end of a traceback, where they stand between a call and its failure.

    Args:
        error: The exception; its traceback is changed. One that has frames of the package only is left alone.
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
    """Tidy the tracebacks that a shell shows, and put advice under those of missing files.

    Args:
        notes: Where the advice is noted.
        shell: The IPython shell.
    """
    show = shell.showtraceback

    def showtraceback(exc_tuple: Any = None, *args: Any, **kwargs: Any) -> Any:
        error = exc_tuple[1] if exc_tuple else sys.exc_info()[1]
        if error is not None:
            end_before(error, __package__)
            advice = advise_missing(error)
            if advice:
                error.add_note(advice)
                notes.tell("path.missing", advice)
        return show(exc_tuple, *args, **kwargs)

    shell.showtraceback = showtraceback

"""Parse the command line and print results."""

import gc
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

__all__ = ["main"]

_IMPORT = "<frozen importlib._bootstrap>"
"""File name of Python's own code that imports modules."""

_NEW_OBJECTS = 20_000
"""New objects between two searches for garbage. With Python's 700, a tenth of a command's start is searches, since
hardly anything that modules create is garbage."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line, and exit with the documented exit code.

    Args:
        arguments: Arguments after `grader`; by default the arguments of the process.
    """
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    try:
        from grader.cli.app import main as run

        run(arguments)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """End at once while a module is imported, since nothing is to be undone then; otherwise raise an exception.

    An exception would print a traceback or, in an extension module, get lost.
    """
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT:
            os._exit(128 + number)
        frame = frame.f_back
    raise KeyboardInterrupt

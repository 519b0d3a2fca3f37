"""Parse the command line and print results."""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

__all__ = ["main"]

_IMPORT = "<frozen importlib._bootstrap>"
"""File name of Python's own code that imports modules."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line, and exit with the documented exit code.

    Args:
        arguments: Arguments after `grader`; by default the arguments of the process.
    """
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

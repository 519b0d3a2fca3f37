"""Make grades and pages again in the background after judgements, so that recording one never waits."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Condition, Thread
from typing import Final

from grader.schema.errors import GraderError, UsageError

__all__ = ["UpdateState", "Updates", "regrade_in_process"]

_QUIET: Final = 20.0
"""Seconds without a judgement before the pages are made."""
_MOST_WORDS: Final = 400


@dataclass(frozen=True, slots=True)
class UpdateState:
    """The pages that have to be made again."""

    waiting: int
    """Number of submissions."""
    running: bool
    problem: str = ""
    """Why the last update failed; empty if it did not."""


class Updates:
    """A thread that calls a function a while after the last judgement, when asked, and at the end."""

    def __init__(self, run: Callable[[], None], *, quiet: float = _QUIET) -> None:
        """Set the function, and the seconds to wait after a judgement."""
        self._run = run
        self._quiet = quiet
        self._condition = Condition()
        self._waiting: set[str] = set()
        self._asked = self._running = self._ended = self._blocked = False
        self._changes = 0
        self._problem = ""
        self._thread = Thread(target=self._work, name="desk-updates", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def note(self, submissions: Iterable[str]) -> None:
        """Note submissions whose pages are out of date."""
        with self._condition:
            self._waiting |= set(submissions)
            self._changes += 1
            self._blocked = False
            self._condition.notify_all()

    def ask(self) -> None:
        """Make the pages now."""
        with self._condition:
            self._asked = True
            self._condition.notify_all()

    def finish(self) -> UpdateState:
        """Make all pages that are out of date, end the thread, and return the result."""
        with self._condition:
            self._ended = True
            self._condition.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        if self.state().waiting:
            self._update()
        return self.state()

    def state(self) -> UpdateState:
        """Return the pages that have to be made again."""
        with self._condition:
            return UpdateState(len(self._waiting), self._running, self._problem)

    def _work(self) -> None:
        while self._due():
            self._update()

    def _due(self) -> bool:
        """Wait until the pages have to be made; return False at the end."""
        with self._condition:
            while not self._ended:
                self._condition.wait_for(lambda: self._ended or self._asked or (self._waiting and not self._blocked))
                seen = self._changes
                more = self._condition.wait_for(partial(self._interrupted, seen), timeout=self._quiet)
                if self._asked or not more:
                    self._asked = False
                    return True
            return False

    def _interrupted(self, seen: int) -> bool:
        return self._ended or self._asked or self._changes != seen

    def _update(self) -> None:
        with self._condition:
            batch, self._running, self._problem = set(self._waiting), True, ""
            self._waiting.clear()
        problem = ""
        try:
            self._run()
        except GraderError as error:
            problem = str(error)
        finally:
            with self._condition:
                self._running, self._problem = False, problem
                self._blocked = bool(problem)
                if problem:
                    self._waiting |= batch


def regrade_in_process(folder: Path, rubric: Path, sha256: str) -> None:
    """Run `grader regrade` in a process with low priority.

    Args:
        folder: The results folder.
        rubric: The rubric's file.
        sha256: The expected SHA-256 of that file; a changed rubric is never applied on the way.

    Raises:
        UsageError: The rubric has changed, or the command failed.
    """
    try:
        current = hashlib.sha256(rubric.read_bytes()).hexdigest()
    except OSError as error:
        msg = f"the rubric cannot be read: {error.strerror or error}"
        raise UsageError(msg, where=str(rubric)) from error
    if current != sha256:
        msg = "the rubric has changed since the desk was opened"
        raise UsageError(msg, where=str(rubric), advice="run `grader regrade`, and open the desk again")
    command = [sys.executable, "-m", "grader", "regrade", str(folder), "--rubric", str(rubric), "--json"]
    result = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        start_new_session=True,  # Ctrl+C ends the desk, not this
        env={**os.environ, "TERM": "dumb", "NO_COLOR": "1"},
    )
    if result.returncode not in {0, 3}:
        words = " ".join(result.stderr.split())[-_MOST_WORDS:]
        msg = f"the pages could not be made again: {words}"
        raise UsageError(msg)

"""One execution for each notebook of a pytest session, also with several worker processes.

The first process that needs the grade of a notebook holds a lock, executes the notebook and keeps the outcome in a file
of the session. The others wait for the lock and read the file.
"""

import fcntl
import hashlib
import os
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from grader.grading.loader import LoadedRubric
from grader.pipeline.setup import IsolationChoice
from grader.schema.base import Document
from grader.schema.errors import GraderError, IsolationRefusedError
from grader.schema.grade import Grade
from grader.store.files import write_atomically

__all__ = ["FOLDER", "Check", "Outcome", "Outcomes", "Settings", "check_notebook"]

FOLDER = "grader_outcomes"
"""Key of the folder of outcomes in the input of a worker of pytest-xdist."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Options of an execution."""

    isolation: IsolationChoice = "auto"
    device: Literal["auto", "cpu", "gpu"] = "auto"
    seed: int | None = None
    """None uses the rubric's."""
    quick: bool = False
    """Whether trainings are cut short, and nothing that depends on them is judged."""


Check = Callable[[Path, LoadedRubric, Settings], Grade]
"""Function that executes and grades a notebook."""


class Outcome(Document):
    """The outcome of grading one notebook."""

    notebook: str
    """Path of the notebook."""
    grade: Grade | None = None
    """None if the grader failed before there was a grade."""
    fault: str = ""
    """Why the grader could not grade the notebook; empty if it could."""
    notices: tuple[str, ...] = ()
    """Warnings that were issued meanwhile."""


def check_notebook(notebook: Path, loaded: LoadedRubric, settings: Settings) -> Grade:
    """Execute and grade a notebook as `grader check` does."""
    from grader.api import check  # noqa: PLC0415 - slow, and only needed for an execution

    return check(
        notebook,
        loaded,
        isolation=settings.isolation,
        device=settings.device,
        seed=settings.seed,
        quick=settings.quick,
    )


class Outcomes:
    """The outcomes of a session, in a folder that all its processes share."""

    def __init__(self, folder: Path, check: Callable[[Path], Grade]) -> None:
        """Use a folder, which is created if necessary.

        Args:
            folder: The folder of the session.
            check: Function that executes and grades a notebook.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._check = check
        self._known: dict[Path, Outcome] = {}

    def of(self, notebook: Path) -> Outcome:
        """Return the outcome of a notebook; execute the notebook if no process did yet."""
        if notebook not in self._known:
            file = self._folder / f"{hashlib.sha256(os.fsencode(notebook)).hexdigest()}.json"
            with _locked(file.with_suffix(".lock")):
                if not file.exists():
                    outcome = _outcome(notebook, self._check)
                    write_atomically(file, outcome.model_dump_json(by_alias=True).encode())
                self._known[notebook] = Outcome.model_validate_json(file.read_bytes())
        return self._known[notebook]

    def all(self) -> tuple[Outcome, ...]:
        """Return all outcomes of the session, sorted by path."""
        outcomes = [Outcome.model_validate_json(file.read_bytes()) for file in self._folder.glob("*.json")]
        return tuple(sorted(outcomes, key=lambda outcome: outcome.notebook))


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold a lock; the operating system releases it if this process dies."""
    with file.open("wb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _outcome(notebook: Path, check: Callable[[Path], Grade]) -> Outcome:
    """Grade a notebook; every failure of the grader is an outcome."""
    # Filters of the project, such as `error`, are about its own code.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            grade, fault = check(notebook), ""
        except GraderError as error:
            grade, fault = None, _fault_text(error)
        except Exception as error:  # noqa: BLE001 - a mistake in the grader never costs points
            grade, fault = None, f"an error in the grader: {type(error).__name__}\n{traceback.format_exc()}"
    if grade is not None and grade.status == "not_graded":
        fault = grade.reason or "the grader failed"
    notices = dict.fromkeys(str(one.message) for one in caught if one.category is RuntimeWarning)
    return Outcome(notebook=str(notebook), grade=grade, fault=fault, notices=tuple(notices))


def _fault_text(error: GraderError) -> str:
    """Format an error, with the plugin's name of the option for the sandbox."""
    if isinstance(error, IsolationRefusedError):
        error = IsolationRefusedError(error.message, where=error.where, advice=error.own_notebook)
        return str(error).replace("--isolation", "--grader-isolation")
    return str(error)

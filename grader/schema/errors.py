"""The error tree: what happened, where, and what to do about it.

GraderError                      (an exit code and a piece of advice each)
├── UsageError                   exit 2   the command line cannot be carried out
│   ├── RubricError              exit 2   a rubric file is wrong (file, line, nearest name)
│   ├── SubmissionPathError      exit 2   nothing to grade at the given path
│   └── IsolationRefusedError    exit 2   strangers' notebooks without a sandbox
├── HarnessError                 exit 3   the grader's own failure: `not_graded`, retried, never a zero
│   ├── UnreadableError          what was handed in is there, and cannot be read now
│   ├── SandboxError             the sandbox or the kernel did not start
│   ├── DatasetMissingError      a data set the rubric needs is not on this machine
│   ├── ReferenceMissingError    the rubric names a reference that is missing or stale
│   ├── PredictorError           the predictor's sandbox failed
│   ├── ArtefactError            kept evidence is damaged or of another version
│   └── StorageError             results cannot be written
└── StudentError                 exit 0   the submission cannot be executed: a clear grade, not a crash
    └── NotebookError            not JSON, no cells, another language, too large …
"""

from collections.abc import Callable
from typing import Any, ClassVar

__all__ = [
    "ArtefactError",
    "DatasetMissingError",
    "GraderError",
    "HarnessError",
    "IsolationRefusedError",
    "NotebookError",
    "PredictorError",
    "ReferenceMissingError",
    "RubricError",
    "SandboxError",
    "StorageError",
    "StudentError",
    "SubmissionPathError",
    "UnreadableError",
    "UsageError",
]


class GraderError(Exception):
    """Base of every error the grader raises on purpose.

    Attributes:
        message: What happened.
        where: The file, line, cell or setting concerned; empty when there is none.
        advice: What to do about it; empty falls back to the class's own advice.
    """

    exit_code: ClassVar[int] = 3
    default_advice: ClassVar[str] = ""

    def __init__(self, message: str, *, where: str = "", advice: str = "") -> None:
        """Keep the three parts apart so that each reader can show them its own way."""
        super().__init__(message)
        self.message = message
        self.where = where
        self.advice = advice or self.default_advice

    def __str__(self) -> str:
        """Return `where: message (advice)` with the empty parts left out."""
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text} — {self.advice}" if self.advice else text

    def __reduce__(self) -> tuple[Callable[..., "GraderError"], tuple[Any, ...]]:
        """Survive pickling between processes with all three parts."""
        return (_rebuild, (type(self), self.message, self.where, self.advice))


def _rebuild(kind: type[GraderError], message: str, where: str, advice: str) -> GraderError:
    return kind(message, where=where, advice=advice)


class UsageError(GraderError):
    """The command cannot be carried out as given."""

    exit_code = 2


class RubricError(UsageError):
    """A rubric file is wrong."""

    default_advice = "run `grader rubric validate FILE`; `grader rubric schema` prints what is allowed"


class SubmissionPathError(UsageError):
    """There is nothing to grade at a given path."""

    default_advice = "name a notebook, a folder of notebooks, or a zip of them"


class IsolationRefusedError(UsageError):
    """Running strangers' notebooks without a sandbox was not asked for."""

    default_advice = (
        "install bubblewrap (Debian, Ubuntu: `apt-get install bubblewrap`; Fedora: `dnf install bubblewrap`), "
        "or say `--isolation none` for notebooks that you trust as you trust your own code"
    )


class HarnessError(GraderError):
    """The grader failed, not the student: the submission is `not_graded` and is tried again."""

    exit_code = 3


class UnreadableError(HarnessError):
    """What was handed in cannot be read at the moment, whatever is in it."""

    default_advice = "look at its permissions and at the disk it lies on; the same command tries again"


class SandboxError(HarnessError):
    """The sandbox or the kernel in it did not start."""

    default_advice = "run `grader doctor`"


class DatasetMissingError(HarnessError):
    """A data set is not on this machine."""

    default_advice = "run `grader data fetch NAME`, or `grader data import NAME FILE`"


class ReferenceMissingError(HarnessError):
    """The rubric's reference solution has no kept evidence."""

    default_advice = "run `grader rubric test ID --update`"


class PredictorError(HarnessError):
    """The predictor's sandbox failed for a reason of its own."""

    default_advice = "run `grader doctor`"


class ArtefactError(HarnessError):
    """Kept evidence is damaged, too large, or of a version this grader does not read."""

    default_advice = "grade the submission again with `--no-resume`"


class StorageError(HarnessError):
    """Results cannot be written."""

    default_advice = "check the free space and the permissions of the `--out` folder"


class StudentError(GraderError):
    """The submission itself cannot be executed; it gets a clear grade."""

    exit_code = 0


class NotebookError(StudentError):
    """The submitted file is not a notebook that can be executed."""

    default_advice = "open the file in Jupyter, run it from top to bottom, save it and submit it again"

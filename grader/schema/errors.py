"""The error tree. Each error has a message, a place and advice.

GraderError                      (each class has an exit code and default advice)
├── UsageError                   exit 2   the command cannot be executed as given
│   ├── RubricError              exit 2   a rubric file is wrong (file, line, nearest name)
│   ├── SubmissionPathError      exit 2   nothing to grade at the given path
│   └── IsolationRefusedError    exit 2   untrusted notebooks without a sandbox
├── HarnessError                 exit 3   the grader's own failure: `not_graded`, retried, never a zero
│   ├── UnreadableError          a submitted file exists but cannot be read now
│   ├── SandboxError             the sandbox or the kernel did not start
│   ├── DatasetMissingError      a data set the rubric needs is not on this machine
│   ├── ReferenceMissingError    the rubric names a reference that is missing or stale
│   ├── PredictorError           the predictor's sandbox failed
│   ├── ArtefactError            stored evidence is damaged or has another version
│   │   └── EditedGradeError     somebody edited `grade.json` by hand
│   ├── StorageError             results cannot be written
│   └── DeliveryError            the mail server cannot be used
└── StudentError                 exit 0   the submission cannot be executed: a clear grade, not a crash
    └── NotebookError            not JSON, no cells, another language, too large …
"""

from collections.abc import Callable
from typing import Any, ClassVar

from grader.schema.message import Message, literal

__all__ = [
    "ArtefactError",
    "DatasetMissingError",
    "DeliveryError",
    "EditedGradeError",
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
    """Base class of all errors that the grader raises on purpose.

    Attributes:
        message: What happened.
        where: The file, line, cell or setting concerned; empty when there is none.
        advice: What to do about it; if empty, the default advice of the class.
    """

    exit_code: ClassVar[int] = 3
    default_advice: ClassVar[str] = ""

    def __init__(self, message: str, *, where: str = "", advice: str = "") -> None:
        """Store the three parts separately, so that each interface can format them."""
        super().__init__(message)
        self.message = message
        self.where = where
        self.advice = advice or self.default_advice

    def __str__(self) -> str:
        """Return `where: message (advice)` without the empty parts."""
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text} — {self.advice}" if self.advice else text

    def __reduce__(self) -> tuple[Callable[..., "GraderError"], tuple[Any, ...]]:
        """Keep all three parts when the error is pickled."""
        return (_rebuild, (type(self), self.message, self.where, self.advice))


def _rebuild(kind: type[GraderError], message: str, where: str, advice: str) -> GraderError:
    return kind(message, where=where, advice=advice)


class UsageError(GraderError):
    """The command cannot be executed as given."""

    exit_code = 2


class RubricError(UsageError):
    """A rubric file is wrong."""

    default_advice = "run `grader rubric validate FILE`; `grader rubric schema` prints what is allowed"


class SubmissionPathError(UsageError):
    """A path contains nothing to grade."""

    default_advice = "name a notebook, a folder of notebooks, or a zip of them"


class IsolationRefusedError(UsageError):
    """No sandbox works here, and `--isolation none` was not given."""

    default_advice = (
        "install bubblewrap (Debian, Ubuntu: `apt-get install bubblewrap`; Fedora: `dnf install bubblewrap`), "
        "or give `--isolation none` for notebooks that you trust like your own code"
    )
    own_notebook: ClassVar[str] = (
        "your own notebook: `--isolation none` is right here; it runs the notebook with your permissions, as Jupyter "
        "does. For a notebook of somebody else, install bubblewrap (Debian, Ubuntu: `apt-get install bubblewrap`)"
    )
    """Advice for the author of the notebook."""


class HarnessError(GraderError):
    """The grader failed, not the student: the submission is `not_graded` and can be retried."""

    exit_code = 3


class UnreadableError(HarnessError):
    """A submitted file cannot be read at the moment, whatever its content."""

    default_advice = "check its permissions and its disk; the same command tries again"


class SandboxError(HarnessError):
    """The sandbox or the kernel in it did not start."""

    default_advice = "run `grader doctor`"


class StarvedError(HarnessError):
    """A notebook ran out of time while other programs kept the machine busy."""

    default_advice = (
        "the same command tries again: run it when fewer programs run on this machine, or with a smaller `--jobs`"
    )


class DatasetMissingError(HarnessError):
    """A data set is not on this machine."""

    default_advice = "run `grader data fetch NAME`, or `grader data import NAME FILE`"


class ReferenceMissingError(HarnessError):
    """The rubric's reference solution has no stored evidence."""

    default_advice = "run `grader rubric test ID --update`"


class PredictorError(HarnessError):
    """The predictor's sandbox failed."""

    default_advice = "run `grader doctor`"


class ArtefactError(HarnessError):
    """Stored evidence is damaged, too large, or of an unsupported version."""

    default_advice = "grade the submission again with `--no-resume`"


class EditedGradeError(ArtefactError):
    """Somebody edited `grade.json` by hand."""

    default_advice = "run `grader regrade DIR`, which restores it; use judgements to change points (docs/judgements.md)"


class StorageError(HarnessError):
    """Results cannot be written."""

    default_advice = "check the free space and the permissions of the `--out` folder"


class DeliveryError(HarnessError):
    """The mail server cannot be reached, or accepts neither the login nor the sender."""

    default_advice = "check the mail settings (docs/mail.md); messages that were not sent are sent by the same command"


class StudentError(GraderError):
    """The submission itself cannot be executed; it gets a grade that says why."""

    exit_code = 0


class NotebookError(StudentError):
    """The submitted file is not a notebook that can be executed.

    Attributes:
        says: The message as data.
        advice_says: The advice as data.
    """

    default_advice = "open the file in Jupyter, run it from top to bottom, save it and submit it again"

    def __init__(
        self,
        message: str,
        *,
        where: str = "",
        advice: str = "",
        says: Message | None = None,
        advice_says: Message | None = None,
    ) -> None:
        """Store the texts; `grader.facts.refusal` makes the error from messages."""
        super().__init__(message, where=where, advice=advice)
        self.says = literal(message) if says is None else says
        self.advice_says = literal(self.advice) if advice_says is None else advice_says

    def __reduce__(self) -> tuple[Callable[..., "GraderError"], tuple[Any, ...]]:
        """Keep all parts when the error is pickled."""
        return (_rebuild_notebook_error, (self.message, self.where, self.advice, self.says, self.advice_says))


def _rebuild_notebook_error(
    message: str, where: str, advice: str, says: Message, advice_says: Message
) -> NotebookError:
    return NotebookError(message, where=where, advice=advice, says=says, advice_says=advice_says)

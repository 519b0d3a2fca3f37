"""The header of a sample: what it tries, and what must happen. Strict, so that a misspelled expectation is an error."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Combination", "Must", "Outcome", "Sample", "Status"]

Outcome = Literal["graded", "flagged", "refused"]
"""`graded` for what it really did, `flagged` for a person with the evidence, or `refused` with a reason."""
Status = Literal["passed", "partial", "failed", "pending", "skipped"]
Combination = Literal["warm-root", "cold-root", "warm-user", "cold-user"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Must(_Strict):
    """The required result. Criteria are those of `course.RUBRIC`; a message is named by the start of its id."""

    outcome: Outcome | tuple[Outcome, ...]
    """The outcome; several only if the machine decides which one."""
    score: float | None = None
    """The score, exactly."""
    points: Mapping[str, float] = Field(default_factory=dict)
    """Criterion → its points, exactly."""
    criteria: Mapping[str, Status | tuple[Status, ...]] = Field(default_factory=dict)
    """Criterion → its status."""
    execution: str | tuple[str, ...] | None = None
    """Status of the execution; `none` if the submission was not executed."""
    cells: int | None = None
    """Number of cells that ran."""
    says: tuple[str, ...] = ()
    """Messages that `grade.json` must contain."""
    silent: tuple[str, ...] = ()
    """Messages that `grade.json` must not contain."""
    explains: tuple[str, ...] = ()
    """Regular expressions that the problems, the reason or the messages of the criteria must match."""
    notes: tuple[str, ...] = ()
    """Ids of diagnostics."""
    prints: tuple[str, ...] = ()
    """Regular expressions that the outputs of the executed notebook must match."""
    never: tuple[str, ...] = ()
    """Regular expressions that these outputs must not match."""
    hides: tuple[str, ...] = ()
    """Texts that the student's report must not contain."""
    recorded: tuple[str, ...] = ()
    """Criteria that may at most be called recorded, since they depend on what the notebook's own process said."""
    unverified: bool = False
    """Whether no accuracy may be called verified."""
    announces: tuple[str, ...] = ()
    """Regular expressions that the output of the command must match."""


class Sample(_Strict):
    """A submission of the corpus, without its files."""

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    topic: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    tries: str = Field(min_length=10)
    """One sentence: what the student tries."""
    source: str = ""
    """A CVE, or another public name of the attack."""
    must: Must
    only: tuple[Combination, ...] = ()
    """The combinations in which the sample can be judged; empty for all."""
    open: str = ""
    """Why the grader does not do yet what must happen; empty if it does. A sample that became right must not say so."""
    honest: bool = False
    """Whether it is an honest neighbor, whom the others must not harm."""

"""What a person sees in a terminal: tables, progress, errors. Nothing here decides anything."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from grader.facts.graded_model import main_accuracy, main_model
from grader.schema.errors import GraderError
from grader.schema.grade import Grade
from grader.schema.progress import Step

if TYPE_CHECKING:
    from grader.pipeline.changes import Changed

__all__ = [
    "Listener",
    "changes_table",
    "criteria_table",
    "error_text",
    "fault_text",
    "grades_table",
    "number",
    "pairs_table",
    "problem_text",
    "problems_of",
    "progress_on",
    "terminal",
]

_PIPED_WIDTH = 160
"""Columns where output goes into a file or a pipe."""
_MOST_PROBLEMS = 10
"""Grades whose problems are listed below a class's table."""
_WIDE = 100
"""Columns from which on a class is shown with what is nice to know."""
_MARKS = {"passed": "✓", "partial": "◐", "failed": "✗", "pending": "…", "skipped": "–"}
_COLOURS = {"passed": "green", "partial": "yellow", "failed": "red", "pending": "cyan", "skipped": "dim"}


class Listener(Protocol):
    """Is told how the grading of a class goes; called from several threads."""

    def begin(self, total: int) -> None:
        """So many submissions are to be done."""

    def step(self, step: Step) -> None:
        """Something happened to one submission."""


def terminal(*, stderr: bool = False) -> Console:
    """Make a console that uses colour only on a terminal, and is wide where no terminal sets a width."""
    shown = (sys.stderr if stderr else sys.stdout).isatty()
    width = None if shown or "COLUMNS" in os.environ else _PIPED_WIDTH
    return Console(stderr=stderr, highlight=False, soft_wrap=not shown, width=width)


def number(value: float | None) -> str:
    """Write points without needless zeros."""
    return "–" if value is None else f"{value:g}"


def grades_table(grades: Sequence[Grade], title: str, *, width: int = _PIPED_WIDTH) -> Table:
    """Lay out a class: one row a submission.

    Args:
        grades: The class.
        title: What was graded.
        width: Columns there are; a narrow table leaves out what is only nice to know.
    """
    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left", header_style="bold", pad_edge=False)
    columns = [column for column in _COLUMNS if _wanted(column, grades, width)]
    for column in columns:
        table.add_column(
            column.heading,
            justify="right" if column.right else "left",
            no_wrap=column.heading != _MISSING,
            overflow="fold" if column.heading == _MISSING else "ellipsis",
            max_width=None if column.heading == _MISSING or width >= _WIDE else 24,
        )
    for grade in grades:
        table.add_row(*(column.cell(grade) for column in columns))
    return table


def _score(grade: Grade) -> str:
    return f"{number(grade.score)} / {number(grade.max_score)}"


def _pending(grade: Grade) -> str:
    return number(grade.pending if grade.status == "graded" else None)


def _accuracy(grade: Grade) -> str:
    known = main_accuracy(grade)
    if known is None:
        return "–"
    fact = known[1]
    # What the student's own process says is told apart from what was computed from its network.
    return f"{fact.value:.2%}" + ("" if fact.assurance.value == "verified" else f" {fact.assurance.value}")


def _parameters(grade: Grade) -> str:
    model = main_model(grade)
    return "–" if model is None or model.parameters is None else f"{model.parameters:,}"


def _seconds(grade: Grade) -> str:
    return f"{grade.execution.seconds:.0f}" if grade.execution else "–"


def _attempts(grade: Grade) -> str:
    """Which attempt is graded, and between which scores all of them lie."""
    told = grade.attempts
    if told is None:
        return "–"
    lost = sum(one.status == "not_graded" for one in told.tried)
    parts = [f"{told.taken or '–'} of {told.asked}"]
    if told.score is not None and told.score.low < told.score.high:
        parts.append(f"{number(told.score.low)} to {number(told.score.high)}")
    if lost:
        parts.append(f"[yellow]{lost} not graded[/]")
    return ", ".join(parts)


def _missing(grade: Grade) -> str:
    """Say in words what is missing: a colour or a sign alone does not reach everyone."""
    if grade.status == "not_graded":
        return f"[yellow]not graded:[/] {escape(grade.reason or '')}"
    if grade.reason:
        return escape(grade.reason)
    parts = []
    for status in ("failed", "partial"):
        names = ", ".join(
            f"{c.id} (borderline)" if c.borderline else c.id for c in grade.criteria if c.status == status
        )
        if names:
            parts.append(f"[{_COLOURS[status]}]{status}:[/] {escape(names)}")
    return "; ".join(parts) or "[green]nothing[/]"


class _Column(NamedTuple):
    """A column of a class's table."""

    heading: str
    cell: Callable[[Grade], str]
    right: bool = False
    nice: bool = False
    """Shown only where there is room."""


_MISSING = "what is missing"
_COLUMNS = (
    _Column("submission", lambda grade: escape(grade.submission.id)),
    _Column("score", _score, right=True),
    _Column("pending", _pending, right=True),
    _Column("accuracy", _accuracy, right=True),
    _Column("parameters", _parameters, right=True, nice=True),
    _Column("seconds", _seconds, right=True, nice=True),
    _Column("attempts", _attempts),
    _Column(_MISSING, _missing),
)


def _wanted(column: _Column, grades: Sequence[Grade], width: int) -> bool:
    """Whether a column says anything here, and whether there is room for it."""
    if column.nice and width < _WIDE:
        return False
    optional = {"pending", "accuracy", "parameters", "seconds", "attempts"}
    return column.heading not in optional or any(column.cell(grade) not in {"–", "0"} for grade in grades)


def criteria_table(grade: Grade, *, hidden: bool = True) -> Table:
    """Lay out one grade: one row a criterion, advice below what was missed."""
    score = f"{number(grade.score)} of {number(grade.max_score)}"
    pending = f", {number(grade.pending)} pending" if grade.pending else ""
    table = Table(
        title=f"{grade.submission.id}: {score} points{pending}", title_justify="left", box=SIMPLE_HEAD, pad_edge=False
    )
    table.add_column("")
    table.add_column("criterion")
    table.add_column("points", justify="right", no_wrap=True)
    table.add_column("what was seen")
    for criterion in grade.criteria:
        if criterion.hidden and not hidden:
            continue
        seen = escape(criterion.message)
        if criterion.advice and criterion.status in {"failed", "partial"}:
            seen += f"\n[dim]→ {escape(criterion.advice)}[/]"
        mark = f"[{_COLOURS[criterion.status]}]{_MARKS[criterion.status]} {criterion.status}[/]"
        mark += "\n  borderline" if criterion.borderline else ""
        table.add_row(mark, escape(criterion.title), f"{number(criterion.points)}/{number(criterion.max_points)}", seen)
    return table


def problem_text(problem: str, submission: str = "") -> str:
    """Write a problem of the grader for a person.

    Args:
        problem: An item of a grade's `problems`.
        submission: Whose grade has it, where several are shown.
    """
    return f"[yellow]problem:[/] {escape(f'{submission}: ' if submission else '')}{escape(problem)}"


def problems_of(grades: Sequence[Grade]) -> list[str]:
    """Write the first problem of each grade, and count the others; at most ten grades are listed."""
    concerned = [grade for grade in grades if grade.problems]
    lines = []
    for grade in concerned[:_MOST_PROBLEMS]:
        more = f" (and {len(grade.problems) - 1} more in its report)" if len(grade.problems) > 1 else ""
        lines.append(problem_text(grade.problems[0] + more, grade.submission.id))
    if len(concerned) > _MOST_PROBLEMS:
        lines.append(problem_text(f"the grades of {len(concerned) - _MOST_PROBLEMS} more submissions have problems"))
    return lines


def error_text(error: GraderError) -> str:
    """Write an error for a person: what happened, where, what to do."""
    where = f"[bold]{escape(error.where)}[/]: " if error.where else ""
    advice = f"\n  [dim]→ {escape(error.advice)}[/]" if error.advice else ""
    return f"[red]error:[/] {where}{escape(error.message)}{advice}"


def fault_text(error: Exception) -> str:
    """Write a fault of the grader's own for a person: what was raised, and how to see where."""
    said = escape(str(error).strip().split("\n")[0][:300])
    return (
        f"[red]error:[/] a fault of the grader's own: {type(error).__name__}: {said}\n"
        "  [dim]→ report it with what GRADER_TRACEBACK=1 before the same command prints[/]"
    )


def progress_on(console: Console) -> "AbstractContextManager[Listener]":
    """Choose how progress is shown: live bars on a terminal, a line a submission elsewhere."""
    return _Bars(console) if console.is_terminal else _Lines(console)


class _Lines(AbstractContextManager["Listener"]):
    """A line when a submission begins and one when it is done."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._begun = time.monotonic()
        self._done = 0
        self._failed = 0
        self._total = 0

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def begin(self, total: int) -> None:
        self._total = total

    def step(self, step: Step) -> None:
        with self._lock:
            if step.kind == "begun":
                self._console.print(f"{escape(step.submission)}: started")
            elif step.kind == "done":
                self._done += 1
                self._failed += step.failed
                spent = time.monotonic() - self._begun
                left = spent / self._done * (self._total - self._done)
                tail = f", {self._failed} not graded" if self._failed else ""
                tail += f", about {_duration(left)} left" if left else ""
                self._console.print(
                    f"{escape(step.submission)}: {escape(step.text)} ({self._done} of {self._total}{tail})"
                )


def _duration(seconds: float) -> str:
    """Write a length of time as precisely as a guess deserves."""
    minutes = round(seconds / 60)
    if minutes < 2:  # noqa: PLR2004 — "90 s" is still easily read
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"  # noqa: PLR2004 — the same with hours


class _Bars(AbstractContextManager["Listener"]):
    """One bar for the class, one for each submission that runs."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[text]}"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=False),
            console=console,
            transient=True,
        )
        self._lock = threading.Lock()
        self._all: TaskID | None = None
        self._running: dict[str, TaskID] = {}
        self._failed = 0

    def __enter__(self) -> "Listener":
        self._progress.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.__exit__(kind, value, traceback)

    def begin(self, total: int) -> None:
        self._all = self._progress.add_task("[bold]all submissions[/]", total=total, text="")

    def step(self, step: Step) -> None:
        with self._lock:
            if step.kind == "done":
                self._end(step)
                return
            if step.submission not in self._running:
                name = escape(step.submission)
                self._running[step.submission] = self._progress.add_task(name, total=step.total or None, text="")
                self._sum_up()
            task = self._running[step.submission]
            self._progress.update(task, completed=step.done, total=step.total or None, text=escape(step.text))

    def _end(self, step: Step) -> None:
        task = self._running.pop(step.submission, None)
        if task is not None:
            self._progress.remove_task(task)
        self._failed += step.failed
        self._progress.console.print(f"{escape(step.submission)}: {escape(step.text)}")
        if self._all is not None:
            self._progress.advance(self._all)
        self._sum_up()

    def _sum_up(self) -> None:
        if self._all is not None:
            failed = f", {self._failed} not graded" if self._failed else ""
            self._progress.update(self._all, text=f"{len(self._running)} running{failed}")


def changes_table(changed: "Iterable[Changed]") -> Table:
    """Lay out what a regrade changed: one row a submission."""
    rows = [
        [one.submission, number(one.old), number(one.new), "\n".join(change.why for change in one.changes)]
        for one in changed
    ]
    return pairs_table(rows, ("submission", "old", "new", "why"))


def pairs_table(
    rows: Iterable[Sequence[str]], headings: Sequence[str], styles: Mapping[str, str] | None = None
) -> Table:
    """Lay out plain rows; a cell found in `styles` is coloured."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading)
    for row in rows:
        table.add_row(*(f"[{styles[c]}]{escape(c)}[/]" if styles and c in styles else escape(c) for c in row))
    return table

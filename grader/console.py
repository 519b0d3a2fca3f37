"""What a person sees in a terminal: tables, progress, errors. Nothing here decides anything."""

import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol

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

from grader.schema.errors import GraderError
from grader.schema.grade import Grade
from grader.schema.progress import Step

__all__ = ["Listener", "criteria_table", "error_text", "grades_table", "pairs_table", "progress_on", "terminal"]

_MARKS = {"passed": "✓", "partial": "◐", "failed": "✗", "pending": "…", "skipped": "–"}
_COLOURS = {"passed": "green", "partial": "yellow", "failed": "red", "pending": "cyan", "skipped": "dim"}


class Listener(Protocol):
    """Is told how the grading of a class goes; called from several threads."""

    def begin(self, total: int) -> None:
        """So many submissions are to be done."""

    def step(self, step: Step) -> None:
        """Something happened to one submission."""


def terminal(*, stderr: bool = False) -> Console:
    """Make a console that uses colour only on a terminal."""
    return Console(stderr=stderr, highlight=False, soft_wrap=not (sys.stderr if stderr else sys.stdout).isatty())


def number(value: float | None) -> str:
    """Write points without needless zeros."""
    return "–" if value is None else f"{value:g}"


def grades_table(grades: Sequence[Grade], title: str) -> Table:
    """Lay out a class: one row a submission."""
    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left", header_style="bold", pad_edge=False)
    for heading, justify in (
        ("submission", "left"),
        ("score", "right"),
        ("pending", "right"),
        ("test accuracy", "left"),
    ):
        table.add_column(heading, justify="right" if justify == "right" else "left", no_wrap=heading == "submission")
    table.add_column("parameters", justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("what is missing")
    for grade in grades:
        table.add_row(*_row(grade))
    return table


def _row(grade: Grade) -> tuple[str, ...]:
    if grade.status == "not_graded":
        reason = f"[yellow]not graded:[/] {escape(grade.reason or '')}"
        return (escape(grade.submission.id), "–", "–", "–", "–", "–", reason)
    best = next((a for m in grade.models for a in m.accuracy.values()), None)
    counted = next((m for m in grade.models if m.accuracy), None)
    accuracy = f"{best.value:.2%} {best.assurance.value}" if best else "–"
    missing = [
        f"[{_COLOURS[c.status]}]{_MARKS[c.status]}[/] {c.id}"
        for c in grade.criteria
        if c.status in {"failed", "partial"}
    ]
    if grade.reason:
        missing.insert(0, escape(grade.reason))
    seconds = f"{grade.execution.seconds:.0f}" if grade.execution else "–"
    return (
        escape(grade.submission.id),
        f"{number(grade.score)} / {number(grade.max_score)}",
        number(grade.pending),
        accuracy,
        f"{counted.parameters:,}" if counted and counted.parameters is not None else "–",
        seconds,
        ", ".join(missing) or "[green]nothing[/]",
    )


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
        table.add_row(mark, escape(criterion.title), f"{number(criterion.points)}/{number(criterion.max_points)}", seen)
    return table


def error_text(error: GraderError) -> str:
    """Write an error for a person: what happened, where, what to do."""
    where = f"[bold]{escape(error.where)}[/]: " if error.where else ""
    advice = f"\n  [dim]→ {escape(error.advice)}[/]" if error.advice else ""
    return f"[red]error:[/] {where}{escape(error.message)}{advice}"


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
                self._console.print(f"{escape(step.submission)}: begun")
            elif step.kind == "done":
                self._done += 1
                spent = time.monotonic() - self._begun
                left = spent / self._done * (self._total - self._done)
                tail = f", about {left:.0f} s left" if left else ""
                self._console.print(
                    f"{escape(step.submission)}: {escape(step.text)} ({self._done} of {self._total}{tail})"
                )


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
            task = self._running[step.submission]
            self._progress.update(task, completed=step.done, total=step.total or None, text=escape(step.text))

    def _end(self, step: Step) -> None:
        task = self._running.pop(step.submission, None)
        if task is not None:
            self._progress.remove_task(task)
        self._progress.console.print(f"{escape(step.submission)}: {escape(step.text)}")
        if self._all is not None:
            self._progress.advance(self._all)


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

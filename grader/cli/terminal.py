"""Format tables, progress and errors for the terminal."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from grader.facts.controls import visible
from grader.facts.graded_model import main_accuracy, main_model
from grader.facts.language import english
from grader.schema.errors import GraderError
from grader.schema.grade import Grade
from grader.schema.message import say_count
from grader.schema.progress import Step

if TYPE_CHECKING:
    from grader.delivery.grade_export import RowReport
    from grader.delivery.roster import Student
    from grader.pipeline.changes import Changed
    from grader.pipeline.class_list import ClassList
    from grader.pipeline.mailing import Outcome
    from grader.pipeline.regrade import Review
    from grader.schema.judgement import Judgement

__all__ = [
    "COLORS",
    "COMMIT_TIMES",
    "Listener",
    "announced",
    "changes_table",
    "class_lines",
    "distribution_table",
    "error_text",
    "export_table",
    "fault_text",
    "grades_table",
    "late_lines",
    "mail_table",
    "notes_of",
    "number",
    "pairs_table",
    "problem_text",
    "problems_of",
    "progress_on",
    "review_table",
    "some_of",
    "terminal",
]

_PIPED_WIDTH = 160
"""Width of output to a file or a pipe, in columns."""
_MOST_PROBLEMS = 10
"""Most grades whose problems are listed below a class's table."""
_BAR = 40
"""Width of the longest bar of a distribution, in columns."""
_WIDE = 100
"""Width from which a class's table has all columns."""
_SECONDS_BETWEEN_LINES = 30
"""Shortest time between two lines about running submissions in a log."""
_MOST_RUNNING = 4
"""Most running submissions that such a line names."""
COLORS = {"passed": "green", "partial": "yellow", "failed": "red", "pending": "cyan", "skipped": "dim"}
"""Colors of criteria by status."""


class Listener(Protocol):
    """Receives progress reports of a class, from several threads."""

    def begin(self, total: int) -> None:
        """Set the number of submissions."""

    def step(self, step: Step) -> None:
        """Receive a report about one submission."""


class _CleanConsole(Console):
    """A console on which only its own styles control the terminal, whatever the printed text contains."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render anything, with the control characters of its texts made visible."""
        return map(_cleaned, super().render(renderable, options))


def _cleaned(segment: Segment) -> Segment:
    """Clean a piece of text; codes of rich itself, such as cursor movements, are marked as such and stay."""
    text, style, control = segment
    if control:
        return segment
    clickable = style is not None and style.link is not None
    return Segment(visible(text), style.update_link(None) if style is not None and clickable else style)


def terminal(*, stderr: bool = False) -> Console:
    """Make a console with colors only on a terminal, and a fixed width elsewhere.

    Texts of students cannot control the terminal: see `_CleanConsole`.
    """
    shown = (sys.stderr if stderr else sys.stdout).isatty()
    width = None if shown or "COLUMNS" in os.environ else _PIPED_WIDTH
    return _CleanConsole(stderr=stderr, highlight=False, soft_wrap=not shown, width=width)


def number(value: float | None) -> str:
    """Format points without trailing zeros."""
    return "–" if value is None else f"{value:g}"


def grades_table(grades: Sequence[Grade], title: str, *, width: int = _PIPED_WIDTH) -> Table:
    """Make the table of a class, with one row per submission.

    Args:
        grades: The grades of the class.
        title: Title of the assignment.
        width: Width in columns; a narrow table has only essential columns.
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
    accuracy = main_accuracy(grade)
    if accuracy is None:
        return "–"
    fact = accuracy[1]
    # Mark accuracies that were only recorded in the student's process.
    return f"{fact.value:.2%}" + ("" if fact.assurance.value == "verified" else f" {fact.assurance.value}")


def _parameters(grade: Grade) -> str:
    model = main_model(grade)
    return "–" if model is None or model.parameters is None else f"{model.parameters:,}"


def _seconds(grade: Grade) -> str:
    return f"{grade.execution.seconds:.0f}" if grade.execution else "–"


def _attempts(grade: Grade) -> str:
    """Format the number of the graded attempt, and the range of all scores."""
    attempts = grade.attempts
    if attempts is None:
        return "–"
    lost = sum(one.status == "not_graded" for one in attempts.tried)
    parts = [f"{attempts.taken or '–'} of {attempts.asked}"]
    if attempts.score is not None and attempts.score.low < attempts.score.high:
        parts.append(f"{number(attempts.score.low)} to {number(attempts.score.high)}")
    if lost:
        parts.append(f"[yellow]{lost} not graded[/]")
    return ", ".join(parts)


def _missing(grade: Grade) -> str:
    """List missed criteria in words, because not everyone can see colors and signs."""
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
            parts.append(f"[{COLORS[status]}]{status}:[/] {escape(names)}")
    return "; ".join(parts) or "[green]nothing[/]"


class _Column(NamedTuple):
    """A column of a class's table."""

    heading: str
    cell: Callable[[Grade], str]
    right: bool = False
    nice: bool = False
    """Whether the column is shown only in a wide table."""


COMMIT_TIMES = (
    "clones have the time of the last commit, as its author's computer wrote it; `times` in course.yaml names a file "
    "with other times"
)
"""A time that is only the student's claim, in the lists of a class."""
_MISSING = "missing"
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
    """Whether a column has any content, and enough space."""
    if column.nice and width < _WIDE:
        return False
    optional = {"pending", "accuracy", "parameters", "seconds", "attempts"}
    return column.heading not in optional or any(column.cell(grade) not in {"–", "0"} for grade in grades)


def problem_text(problem: str, submission: str = "") -> str:
    """Format a problem of the grader.

    Args:
        problem: An item of a grade's `problems`.
        submission: Id of the submission, if several are shown.
    """
    return f"[yellow]problem:[/] {escape(f'{submission}: ' if submission else '')}{escape(problem)}"


def notes_of(grades: Sequence[Grade]) -> list[str]:
    """Format the notes on how submissions were read; all of them, since only a person can decide on another reading."""
    return [
        f"[yellow]files:[/] {escape(grade.submission.id)}: {escape(note)}"
        for grade in grades
        for note in grade.submission.notes
    ]


def late_lines(grades: Sequence[Grade]) -> list[str]:
    """Format how many submissions were late, and how many have no known time although there is a due date."""
    late = [grade for grade in grades if grade.late is not None]
    unknown = [grade for grade in grades if grade.due is not None and grade.submission.submitted is None]
    marked = [grade.submission.id for grade in unknown if grade.submission.submitted_from == "mark"]
    lines = []
    if late:
        deductions = (f"{grade.submission.id} {grade.late.points:g}" for grade in late if grade.late is not None)
        lines.append(f"[yellow]late:[/] {escape(some_of(list(deductions)))}")
    if unknown:
        words = say_count(
            "the time of {count:number} submission is unknown, so that it is not late",
            "the time of {count:number} submissions is unknown, so that they are not late",
            len(unknown),
        )
        lines.append(f"[yellow]due date:[/] {english(words)}; `times` in course.yaml names a file with times")
    if any(grade.due is not None and grade.submission.submitted_from == "commit" for grade in grades):
        lines.append(f"[yellow]times of submission:[/] {COMMIT_TIMES}")
    if marked:
        lines.append(f"[yellow]due date:[/] the platform marks as late: {escape(some_of(marked))}")
    return lines


def class_lines(listed: "ClassList") -> list[str]:
    """Format who handed in nothing, who is excused, and what a person should know about the class."""
    lines = []
    for heading, students in (("handed in nothing", listed.missing), ("excused", listed.excused)):
        if students:
            names = some_of([one.label for one in students])
            lines.append(f"[yellow]{heading}:[/] {len(students)}: {escape(names)}")
    strangers = [one.submission for one in listed.entries if listed.roster and one.student is None]
    if strangers:
        lines.append(f"[yellow]not in the roster:[/] {len(strangers)}: {escape(some_of(strangers))}")
    return [*lines, *(f"[yellow]class:[/] {escape(english(notice))}" for notice in listed.notices)]


def some_of(names: Sequence[str], most: int = _MOST_PROBLEMS) -> str:
    """Join names, and count those after the first ones.

    Args:
        names: The names.
        most: Number of names to list.
    """
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def problems_of(grades: Sequence[Grade]) -> list[str]:
    """Format the first problem of each grade, and count the others; at most ten grades are listed."""
    concerned = [grade for grade in grades if grade.problems]
    lines = []
    for grade in concerned[:_MOST_PROBLEMS]:
        more = f" (and {len(grade.problems) - 1} more in its report)" if len(grade.problems) > 1 else ""
        lines.append(problem_text(grade.problems[0] + more, grade.submission.id))
    if len(concerned) > _MOST_PROBLEMS:
        more_grades = say_count(
            "the grade of {count:number} more submission has problems",
            "the grades of {count:number} more submissions have problems",
            len(concerned) - _MOST_PROBLEMS,
        )
        lines.append(problem_text(english(more_grades)))
    return lines


def error_text(error: GraderError) -> str:
    """Format an error with its place and advice."""
    where = f"[bold]{escape(error.where)}[/]: " if error.where else ""
    advice = f"\n  [dim]→ {escape(error.advice)}[/]" if error.advice else ""
    return f"[red]error:[/] {where}{escape(error.message)}{advice}"


def fault_text(error: Exception) -> str:
    """Format an unexpected exception, with the way to get its traceback."""
    text = escape(str(error).strip().split("\n")[0][:300])
    return (
        f"[red]error:[/] an error in the grader: {type(error).__name__}: {text}\n"
        "  [dim]→ report it with the output of the same command with GRADER_TRACEBACK=1 before it[/]"
    )


@contextmanager
def announced(console: Console, text: str) -> Iterator[None]:
    """Say what a command does until its progress can be shown: a moving line on a terminal, a plain line elsewhere.

    Args:
        console: Where to say it.
        text: What it does.
    """
    if console.is_terminal:
        with console.status(escape(text)):
            yield
        return
    console.print(text, markup=False, soft_wrap=True)
    yield


def progress_on(console: Console, clock: Callable[[], float] = time.monotonic) -> "AbstractContextManager[Listener]":
    """Choose the progress display: live bars on a terminal, lines elsewhere.

    Args:
        console: Where to show it.
        clock: Seconds, for the lines.
    """
    return _Bars(console) if console.is_terminal else _Lines(console, clock)


class _Lines(AbstractContextManager["Listener"]):
    """Prints a line when a submission starts and when it is done, and now and then one about all that run.

    Lines are plain text without control characters, since they are read in a log.
    """

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._console = console
        self._clock = clock
        self._lock = threading.Lock()
        self._start = self._printed = clock()
        self._running: dict[str, Step] = {}
        self._parts: dict[str, float] = {}
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
            if step.kind == "done":
                self._end(step)
                return
            if step.kind == "begun":
                self._print(f"{step.submission}: started")
            self._running[step.submission] = step
            if step.total:
                part = min((step.done + step.part) / step.total, 1.0)
                self._parts[step.submission] = max(part, self._parts.get(step.submission, 0.0))
            if self._clock() - self._printed >= _SECONDS_BETWEEN_LINES:
                self._print(f"running: {self._activities()}{self._so_far()}")

    def _end(self, step: Step) -> None:
        self._running.pop(step.submission, None)
        self._parts.pop(step.submission, None)
        self._done += 1
        self._failed += step.failed
        tail = f", {self._failed} not graded" if self._failed else ""
        self._print(f"{step.submission}: {step.text} ({self._done} of {self._total}{tail}{self._left()})")

    def _activities(self) -> str:
        """List the first running submissions with their activities, and count the others."""
        shown = [f"{name} ({step.text})" if step.text else name for name, step in self._running.items()]
        more = len(shown) - _MOST_RUNNING
        return ", ".join(shown[:_MOST_RUNNING]) + (f" and {more} more" if more > 0 else "")

    def _so_far(self) -> str:
        count = f"; {self._done} of {self._total} done" if self._total > 1 else ""
        return f"{count}{self._left()}"

    def _left(self) -> str:
        """Estimate the remaining time from the finished submissions and the finished parts of the running ones."""
        finished = self._done + sum(self._parts.values())
        left = (self._clock() - self._start) / finished * (self._total - finished) if finished else 0
        return f", about {_duration(left)} left" if left > 0 else ""

    def _print(self, line: str) -> None:
        self._printed = self._clock()
        plain = "".join(character if character.isprintable() else " " for character in line)
        self._console.print(plain, markup=False)


def _duration(seconds: float) -> str:
    """Format an estimated duration."""
    minutes = round(seconds / 60)
    if minutes < 2:  # noqa: PLR2004 — "90 s" is still easy to read
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"  # noqa: PLR2004 — the same for hours


class _TimeLeft(ProgressColumn):
    """Estimates the remaining time from the finished part: of the cells, and of the epochs of the running cell."""

    def render(self, task: Task) -> Text:
        if not task.completed or not task.total or task.elapsed is None or task.completed >= task.total:
            return Text()
        left = task.elapsed / task.completed * (task.total - task.completed)
        return Text(f"about {_duration(left)} left", style="progress.remaining")


class _Bars(AbstractContextManager["Listener"]):
    """Shows one bar for each running submission, and one for the class if there are several submissions.

    A bar never goes back: steps that are not about cells, such as the verification, change only its text, and an
    execution that starts again fills the bar only from where it was.
    """

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[text]}"),
            _TimeLeft(),
            console=console,
            transient=True,
        )
        self._lock = threading.Lock()
        self._all: TaskID | None = None
        self._running: dict[str, TaskID] = {}
        self._reached: dict[str, float] = {}
        self._failed = 0

    def __enter__(self) -> "Listener":
        self._progress.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.__exit__(kind, value, traceback)

    def begin(self, total: int) -> None:
        if total > 1:
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
            self._progress.update(task, text=escape(step.text))
            if step.total:
                reached = max(step.done + step.part, self._reached.get(step.submission, 0.0))
                self._reached[step.submission] = reached
                self._progress.update(task, completed=reached, total=step.total)

    def _end(self, step: Step) -> None:
        task = self._running.pop(step.submission, None)
        self._reached.pop(step.submission, None)
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


def mail_table(outcomes: "Sequence[Outcome]", missing: "Sequence[Student]") -> Table:
    """Make the table of a mailing: who gets what, who does not and why, and who is missing.

    Args:
        outcomes: The submissions.
        missing: Students of the roster without a submission.
    """
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for heading in ("submission", "student", "address", "state", "why"):
        table.add_column(heading, overflow="fold")
    for one in outcomes:
        student = one.entry.student
        state = f"{one.state} (reply)" if one.entry.action == "reply" else one.state
        words = (one.entry.submission, student.label if student else "–", student.email if student else "–", state)
        table.add_row(*map(escape, (*words, english(one.detail))))
    for absent in missing:
        table.add_row("–", escape(absent.label), escape(absent.email), "missing", f"line {absent.line} of the roster")
    return table


def export_table(reports: "Iterable[RowReport]") -> Table:
    """Make the table of an export: what was written for whom, what was not, and why."""
    rows = [
        [one.student or "–", one.submission or "–", one.state, one.value or "–", one.place, one.why] for one in reports
    ]
    return pairs_table(rows, ("student", "submission", "state", "value", "place", "why"))


def changes_table(changed: "Iterable[Changed]") -> Table:
    """Make the table of a regrade's changes, with one row per submission."""
    rows = [
        [one.submission, number(one.old), number(one.new), "\n".join(change.why for change in one.changes)]
        for one in changed
    ]
    return pairs_table(rows, ("submission", "old", "new", "why"))


_REASONS: Mapping[str, str] = {
    "notebook": "another notebook was handed in, so it has no effect",
    "points": "the criterion's points changed, so the same fraction counts",
    "criterion": "the rubric has no such criterion any more, so it has no effect",
    "computed": "the grader computes this criterion now; the person's points count",
}


def review_table(review: "Iterable[Review]", orphans: "Iterable[Judgement]") -> Table:
    """Make the table of judgements that need another look, with one row per judgement."""
    rows = [_review_row(one) for one in review]
    rows += [
        [one.submission, one.criterion, one.kind, number(one.points), one.by, "there is no such submission"]
        for one in orphans
    ]
    table = pairs_table(rows, ("submission", "criterion", "judgement", "points", "by", "look again, because"))
    table.title = "judgements to review"
    return table


def _review_row(one: "Review") -> list[str]:
    judgement = one.judgement
    points = number(judgement.points)
    if judgement.of is not None:
        points += f" of {judgement.of:g}"
    reason = _REASONS[judgement.reason]
    return [one.submission, judgement.criterion, judgement.kind, points, judgement.by, reason]


def distribution_table(before: Sequence[int], after: Sequence[int]) -> Table:
    """Make the table of a class's scores before and after a regrade.

    Args:
        before: Number of submissions in each bin, from 0 to 100 % of full marks.
        after: The same after the regrade.
    """
    bins, tallest = len(before), max((*before, *after, 1))
    rows = [
        [
            f"{100 * index // bins} to {100 * (index + 1) // bins} %",
            str(old),
            str(new),
            "█" * round(_BAR * new / tallest) or ("▏" if new else ""),
        ]
        for index, (old, new) in enumerate(zip(before, after, strict=True))
    ]
    return pairs_table(rows, ("score", "before", "after", ""))


def pairs_table(
    rows: Iterable[Sequence[str]], headings: Sequence[str], styles: Mapping[str, str] | None = None
) -> Table:
    """Make a table of plain rows; `styles` gives the colors of cells by their text."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading)
    for row in rows:
        table.add_row(*(f"[{styles[c]}]{escape(c)}[/]" if styles and c in styles else escape(c) for c in row))
    return table

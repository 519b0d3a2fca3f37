"""Format one grade for a terminal: what brings points first, then notes, and the total in the last line."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.text import Text

from grader.cli.terminal import COLORS, number
from grader.facts.language import language
from grader.facts.next_steps import NextStep, next_steps
from grader.facts.quick import is_unjudged
from grader.report.shown import MARKS
from grader.report.summary import summary_line
from grader.schema.grade import CauseGrade, CriterionGrade, DiagnosticGrade, Grade

__all__ = ["print_grade", "result_lines"]

_T = TypeVar("_T")
_K = TypeVar("_K", bound=Hashable)
_INDENT = 2
_UNFINISHED = "unfinished-cell"
"""Diagnostic of a cell that still contains a placeholder."""
_NARROWEST = 20
"""Least width of wrapped text, in columns."""
_ENGLISH = language("en")


def print_grade(grade: Grade, console: Console) -> None:
    """Print a grade in the width of the console.

    Args:
        grade: The grade, in the edition for its readers.
        console: The console.
    """
    for line in result_lines(grade, console.width):
        # The lines are already wrapped.
        console.print(line, soft_wrap=True)


def result_lines(grade: Grade, width: int) -> Iterator[Text]:
    """Format a grade: missed criteria, pending criteria, notes, full marks, and the summary.

    A problem on which several criteria depend is reported once, with the names of the criteria.

    Args:
        grade: The grade, in the edition for its readers.
        width: Width in columns; only words that are longer are folded.
    """
    page = _Page(width)
    yield page.rule(" · ".join(filter(None, (grade.submission.id, grade.rubric.title or grade.rubric.id))), "═")
    if grade.status == "not_graded":
        yield from page.text(f"not graded: {grade.reason}", style="yellow")
        return
    if grade.reason:
        yield Text()
        yield from page.text(grade.reason, style="red")
    yield from _missed(grade, page)
    yield from _errors(grade, page)
    yield from _pending(grade, page)
    yield from _notes([note for note in grade.diagnostics if not _is_cause(note, grade)], page)
    yield from _remarks(grade, page)
    yield from _passed(grade.criteria, page)
    yield Text()
    yield from page.text(summary_line(grade), style=f"bold {_summary_color(grade)}")


def _summary_color(grade: Grade) -> str:
    statuses = {criterion.status for criterion in grade.criteria}
    return "red" if "failed" in statuses else "yellow" if "partial" in statuses else "green"


class _Page:
    """Wraps text to a width."""

    def __init__(self, width: int) -> None:
        self._width = max(width, _NARROWEST)
        self._console = Console(width=self._width)

    def rule(self, title: str, character: str = "─", style: str = "bold") -> Text:
        """Make a line across the page with a title; a title that is too long is not cut."""
        fill = max(self._width - len(title) - 2, 0)
        left = fill // 2
        return Text(f"{character * left} {title} {character * (fill - left)}".strip(), style=style)

    def section(self, title: str, style: str = "bold") -> Iterator[Text]:
        """Start a section."""
        yield Text()
        yield self.rule(title, style=style)

    def text(self, text: str | Text, indent: int = 0, style: str = "", *, hang: int = 0) -> Iterator[Text]:
        """Wrap text; only a word longer than a line is folded.

        Args:
            text: The text.
            indent: Columns before each line.
            style: Style of a plain text.
            hang: Further columns before each line except the first.
        """
        whole = text if isinstance(text, Text) else Text(text, style=style)
        room = max(self._width - indent - hang, _NARROWEST)
        for place, line in enumerate(whole.wrap(self._console, room, overflow="fold")):
            line.rstrip()
            yield Text(" " * (indent + (hang if place else 0))).append_text(line)

    def heading(self, text: Text) -> Iterator[Text]:
        """Wrap the heading of a block."""
        return self.text(text, hang=_INDENT)

    def advice(self, text: str) -> Iterator[Text]:
        """Wrap advice, with an arrow before its first line."""
        return self.text(f"→ {text}", _INDENT, hang=_INDENT)


def _missed(grade: Grade, page: _Page) -> Iterator[Text]:
    """Format what brings points: first the causes of several missed criteria, then the criteria, most points first."""
    steps = sorted(next_steps(grade), key=lambda step: len(step.criteria) == 1)
    if not steps:
        return
    criteria, points = sum(len(step.criteria) for step in steps), sum(step.points for step in steps)
    yield from page.section(f"missed: {_count(criteria, 'criterion', 'criteria')}, {_points(points)}", "bold red")
    for step in steps:
        yield Text()
        if step.cause is not None and len(step.criteria) > 1:
            yield from _cause(step, step.cause, points, grade, page)
        else:
            for criterion in step.criteria:
                yield from _criterion(criterion, step.cause, grade, page)


def _cause(step: NextStep, cause: CauseGrade, missing: float, grade: Grade, page: _Page) -> Iterator[Text]:
    """Format a problem on which several criteria depend, and the names of the criteria."""
    yield from page.heading(_heading("failed", cause.message, _place(cause)))
    yield from _code(cause, page)
    if cause.advice:
        yield from page.advice(cause.advice)
    yield from _followers(cause.cell, grade, page)
    depend = f"{len(step.criteria)} criteria depend on this, {number(step.points)} of the {_points(missing)} missing:"
    yield from page.text(depend, _INDENT)
    for criterion in step.criteria:
        yield from page.text(f"{criterion.title} · {_score(criterion)}", 2 * _INDENT, hang=_INDENT)


def _criterion(criterion: CriterionGrade, cause: CauseGrade | None, grade: Grade, page: _Page) -> Iterator[Text]:
    """Format a missed criterion: title, points and place, then what was seen, and advice."""
    place = _place(cause) if cause is not None else _cells(criterion)
    yield from page.heading(_heading(criterion.status, criterion.title, f"{_score(criterion)} points", place))
    if criterion.message != grade.reason:
        yield from page.text(criterion.message, _INDENT)
    if criterion.borderline:
        yield from page.text("Borderline: a person should look at this.", _INDENT, "yellow")
    if cause is not None and cause.code:
        yield from page.text(cause.message, _INDENT)
        yield from _code(cause, page)
    if criterion.advice:
        yield from page.advice(criterion.advice)
    if cause is not None:
        yield from _followers(cause.cell, grade, page)


def _heading(status: str, title: str, *details: str) -> Text:
    text = Text(f"{MARKS[status]} {title}", style=f"bold {COLORS[status]}")
    for detail in filter(None, details):
        text.append(f" · {detail}", style="not bold default")
    return text


def _score(criterion: CriterionGrade) -> str:
    return f"{number(criterion.points)} of {number(criterion.max_points)}"


def _code(cause: CauseGrade, page: _Page) -> Iterator[Text]:
    if cause.code:
        yield from page.text(f"> {cause.code}", _INDENT, "cyan")


def _place(cause: CauseGrade) -> str:
    if cause.cell is None:
        return ""
    return _ENGLISH.cell(cause.cell) + (f", line {cause.line}" if cause.line is not None else "")


def _cells(criterion: CriterionGrade) -> str:
    cells = dict.fromkeys(pointer.cell for pointer in criterion.evidence if pointer.cell is not None)
    return ", ".join(map(_ENGLISH.cell, cells))


def _followers(cell: int | None, grade: Grade, page: _Page) -> Iterator[Text]:
    """Name the cells whose errors follow from the error of a cell."""
    errors = grade.execution.errors if grade.execution is not None else ()
    cells = [error.cell for error in errors if cell is not None and error.follows == cell]
    if cells:
        subject = "The error in {} follows" if len(cells) == 1 else "The errors in {} follow"
        yield from page.text(f"{subject.format(', '.join(map(_ENGLISH.cell, cells)))} from it.", _INDENT)


def _errors(grade: Grade, page: _Page) -> Iterator[Text]:
    """Format the errors that follow from no other and are not yet shown as the cause of a missed criterion."""
    errors = grade.execution.errors if grade.execution is not None else ()
    shown = {step.cause.cell for step in next_steps(grade) if step.cause is not None}
    roots = [error for error in errors if error.follows is None and error.cell not in shown]
    if not roots:
        return
    yield from page.section(_count(len(roots), "further error", "further errors") if shown else "errors", "bold red")
    for error in roots:
        yield Text()
        place = _ENGLISH.cell(error.cell) + (f", line {error.line}" if error.line is not None else "")
        cause = error.cause or next(iter(error.message.strip().splitlines()), "")
        yield from page.heading(_heading("failed", ": ".join(filter(None, (error.name, cause))), place))
        if error.advice:
            yield from page.advice(error.advice)
        yield from _followers(error.cell, grade, page)


def _pending(grade: Grade, page: _Page) -> Iterator[Text]:
    """Format the criteria that a full run or a person judges."""
    waiting = [criterion for criterion in grade.criteria if criterion.status == "pending"]
    unjudged = [criterion for criterion in waiting if is_unjudged(criterion)]
    yield from _waiting(unjudged, "not judged in a quick run", page)
    yield from _waiting([criterion for criterion in waiting if criterion not in unjudged], "a person reads", page)


def _waiting(criteria: Sequence[CriterionGrade], title: str, page: _Page) -> Iterator[Text]:
    """Format pending criteria; a message that several have appears once."""
    if not criteria:
        return
    points = sum(criterion.max_points for criterion in criteria)
    yield from page.section(f"{title}: {_count(len(criteria), 'criterion', 'criteria')}, {_points(points)}")
    for message, group in _grouped(criteria, lambda one: one.message):
        yield Text()
        for criterion in group:
            details = (_points(criterion.max_points), _cells(criterion))
            yield from page.heading(_heading("pending", criterion.title, *details))
        yield from page.text(message, _INDENT)


def _is_cause(note: DiagnosticGrade, grade: Grade) -> bool:
    """Whether a note is about a placeholder that is already shown as the cause of missed criteria."""
    causes = (criterion.cause for criterion in grade.criteria)
    return note.id == _UNFINISHED and any(
        cause is not None and cause.kind == "placeholder" and cause.cell == note.cell for cause in causes
    )


def _notes(notes: Sequence[DiagnosticGrade], page: _Page) -> Iterator[Text]:
    """Format notes; the advice that several alike ones have appears once."""
    if not notes:
        return
    yield from page.section(_count(len(notes), "note", "notes"))
    for (title, advice, cell), group in _grouped(notes, lambda note: (note.title, note.advice, note.cell)):
        yield Text()
        heading = Text(title, style="bold yellow")
        if cell is not None:
            heading.append(f" · {_ENGLISH.cell(cell)}", style="not bold default")
        yield from page.heading(heading)
        for note in group:
            yield from page.text(note.message, _INDENT)
        if advice:
            yield from page.advice(advice)


def _remarks(grade: Grade, page: _Page) -> Iterator[Text]:
    """Format how the files were read, and failures of the grader."""
    lines = [f"files: {note}" for note in grade.submission.notes]
    lines += [f"problem: {problem}" for problem in grade.problems]
    if lines:
        yield Text()
    for line in lines:
        yield from page.text(line, style="yellow")


def _passed(criteria: Iterable[CriterionGrade], page: _Page) -> Iterator[Text]:
    titles = [criterion.title for criterion in criteria if criterion.status == "passed"]
    if titles:
        yield Text()
        yield from page.text(f"{MARKS['passed']} full marks: {'; '.join(titles)}", style="green", hang=_INDENT)


def _grouped(items: Iterable[_T], key: Callable[[_T], _K]) -> Iterable[tuple[_K, list[_T]]]:
    """Group items by a key, in the order of the first item of each group."""
    groups: dict[_K, list[_T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups.items()


def _points(points: float) -> str:
    return f"{number(points)} {'point' if points == 1 else 'points'}"


def _count(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"

"""The texts of the plugin: pure functions of grades and errors."""

from collections.abc import Iterable, Iterator

from grader.delivery.junit import missed_lines
from grader.facts.language import language
from grader.pytest_plugin.outcomes import Outcome
from grader.report.summary import summary_line
from grader.report.text import clean
from grader.schema.errors import GraderError
from grader.schema.grade import CriterionGrade, DiagnosticGrade

__all__ = ["fault_text", "missed_text", "skip_reason", "summary_lines", "unreadable_text"]

_ENGLISH = language("en")


def missed_text(line: CriterionGrade) -> str:
    """Say what a missed criterion lacks: points, what was seen and in which cell, and advice."""
    seen, *more = missed_lines(line)
    return _joined([f"{line.points:g} of {line.max_points:g} points: {seen}", *more])


def skip_reason(line: CriterionGrade) -> str:
    """Say in one line why a criterion neither passed nor failed."""
    missed = "missed, but no points are lost: " if line.status in {"failed", "partial"} else ""
    return " ".join(clean(missed + line.message).split())


def fault_text(fault: str, *, told_at: str = "") -> str:
    """Say that the grader failed.

    Args:
        fault: The reason.
        told_at: Id of the item that has the whole reason; empty for this one.
    """
    return clean(f"not graded: the reason is at {told_at}" if told_at else f"not graded: {fault}")


def unreadable_text(error: GraderError) -> str:
    """Say why a file cannot be read as a notebook, and what to do."""
    where = f"{error.where}: " if error.where else ""
    return _joined([where + error.message, f"→ {error.advice}" if error.advice else ""])


def summary_lines(name: str, outcome: Outcome, *, notes: bool) -> Iterator[str]:
    """List the score of a notebook, and what no criterion shows.

    Args:
        name: Name of the notebook.
        outcome: Its outcome.
        notes: Whether to add notes and notices.
    """
    if outcome.fault or outcome.grade is None:
        yield clean(f"{name}: not graded: {next(iter(outcome.fault.splitlines()), '')}")
    else:
        yield clean(f"{name}: {summary_line(outcome.grade)}")
    if not notes:
        return
    for line in _notes(outcome):
        yield f"  {clean(line)}"


def _notes(outcome: Outcome) -> Iterator[str]:
    grade = outcome.grade
    if grade is not None:
        if grade.reason and grade.status == "graded":
            yield grade.reason
        for note in grade.diagnostics:
            yield from _note(note)
        yield from (f"files: {note}" for note in grade.submission.notes)
        yield from (f"problem: {problem}" for problem in grade.problems)
    yield from (f"notice: {notice}" for notice in outcome.notices)


def _note(note: DiagnosticGrade) -> Iterator[str]:
    cell = "" if note.cell is None else f" ({_ENGLISH.cell(note.cell)})"
    yield f"note: {note.title}{cell}: {note.message}"
    if note.advice:
        yield f"  → {note.advice}"


def _joined(lines: Iterable[str]) -> str:
    return clean("\n".join(filter(None, lines)))

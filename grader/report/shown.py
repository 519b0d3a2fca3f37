"""Show grades in a Jupyter notebook, in English as on the terminal: a table of criteria, or of submissions."""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from markupsafe import Markup

from grader.report.text import bdi, clean, cut, points, prose
from grader.schema.grade import Grade

__all__ = ["MARKS", "Shown", "enable_display", "show"]

MARKS: Final = {"passed": "✓", "partial": "◐", "failed": "✗", "pending": "…", "skipped": "–"}
"""Signs of criteria by status."""
_NOT_GRADED: Final = "Not graded. This is not a score of zero."
_LONGEST: Final = 1_200
_ACTIVE: Final = re.compile(r"([\\*_{}\[\]<>#|~$&!])")
"""Characters that Markdown or HTML in it may give a meaning; backticks keep theirs."""


class Shown:
    """One or several grades in the form in which Jupyter, IPython and `print` show them."""

    def __init__(self, grades: Sequence[Grade], *, alone: bool) -> None:
        """Set the grades.

        Args:
            grades: The grades.
            alone: Whether to show the criteria of a single grade instead of a table of submissions.
        """
        self._grades = grades
        self._alone = alone

    def _repr_html_(self) -> str:
        """Return an HTML fragment without scripts and without outside parts, as Jupyter asks for it."""
        return str(_grade_html(self._grades[0]) if self._alone else _class_html(self._grades))

    def _repr_markdown_(self) -> str:
        """Return Markdown, for pages that show no HTML."""
        return str(self)

    def __str__(self) -> str:
        """Return Markdown."""
        return "\n".join(_grade_lines(self._grades[0]) if self._alone else _class_lines(self._grades))

    __repr__ = __str__


def show(grades: Grade | Iterable[Grade]) -> Shown:
    """Show a grade, or several, in a notebook or with `print`.

    Jupyter shows a single grade in this way by itself. For students, show only the students' edition, which
    `grader.check` returns.

    Args:
        grades: A grade, or the grades that `grader.grade` returns.

    Returns:
        An object that a notebook shows as a table; `print` shows it as Markdown.

    Example:
        ```python
        grader.show(grader.grade("submissions", "mnist-cnn", "results"))
        ```
    """
    return Shown((grades,), alone=True) if isinstance(grades, Grade) else Shown(tuple(grades), alone=False)


def enable_display() -> None:
    """Let IPython show each `Grade` as `show` does, if this runs in IPython."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return
    formatters = shell.display_formatter.formatters
    formatters["text/html"].for_type(Grade, lambda grade: show(grade)._repr_html_())
    formatters["text/markdown"].for_type(Grade, lambda grade: show(grade)._repr_markdown_())
    formatters["text/plain"].for_type(Grade, _print_plain)


def _print_plain(grade: Grade, printer: Any, _cycle: bool) -> None:  # noqa: FBT001 - IPython's signature
    printer.text(str(show(grade)))


def _headline(grade: Grade) -> str:
    if grade.status == "not_graded":
        return f"{_NOT_GRADED} {grade.reason or ''}".strip()
    pending = f"; {points(grade.pending)} points wait for a person" if grade.pending else ""
    reason = f". {grade.reason}" if grade.reason else ""
    return f"{points(grade.score)} of {points(grade.max_score)} points{pending}{reason}"


def _remarks(grade: Grade) -> Iterator[tuple[str, str, str]]:
    """Yield the place, the text and the advice of each error and each note."""
    for error in grade.execution.errors if grade.execution is not None else ():
        yield _cell(error.cell), f"{error.name}: {error.message}", ""
    for note in grade.diagnostics:
        yield _cell(note.cell), f"{note.title}. {note.message}", note.advice


def _cell(index: int | None) -> str:
    """Name a cell in the numbers of reports, which count from 1."""
    return "" if index is None else f"Cell {index + 1}"


# --- HTML


def _grade_html(grade: Grade) -> Markup:
    rows = Markup().join(
        Markup("<tr><td>{}</td><td>{}</td><td>{} / {}</td><td style='text-align:left'>{}{}</td></tr>").format(
            MARKS[line.status],
            bdi(line.title),
            points(line.points),
            points(line.max_points),
            prose(line.message),
            _advice_html(line.advice),
        )
        for line in grade.criteria
    )
    remarks = Markup().join(
        Markup("<li>{}{}{}</li>").format(f"{place}: " if place else "", prose(text), _advice_html(advice))
        for place, text, advice in _remarks(grade)
    )
    table = Markup(
        "<table><thead><tr><th></th><th>Criterion</th><th>Points</th><th>Finding</th></tr></thead>"
        "<tbody>{}</tbody></table>"
    ).format(rows)
    return Markup("<div><p>{}: <strong>{}</strong></p>{}{}</div>").format(
        bdi(grade.rubric.title or grade.rubric.id),
        prose(_headline(grade)),
        table if rows else "",
        Markup("<p>Errors and notes</p><ul>{}</ul>").format(remarks) if remarks else "",
    )


def _advice_html(advice: str) -> Markup:
    return Markup("<br><em>{}</em>").format(prose(advice)) if advice else Markup()


def _class_html(grades: Sequence[Grade]) -> Markup:
    rows = Markup().join(
        Markup("<tr><td>{}</td><td style='text-align:left'>{}</td></tr>").format(
            bdi(grade.submission.student), prose(_headline(grade))
        )
        for grade in grades
    )
    return Markup("<table><thead><tr><th>Student</th><th>Grade</th></tr></thead><tbody>{}</tbody></table>").format(rows)


# --- Markdown


def _plain(text: str, *, in_table: bool = False) -> str:
    """Make a text harmless in a line of Markdown; the text between backticks stays code.

    Args:
        text: Any text.
        in_table: Whether the line is a row of a table, where a bar ends a cell even in code.
    """
    pieces = " ".join(clean(cut(text, _LONGEST)).split()).split("`")
    if len(pieces) % 2 == 0 or not all(pieces[1:-1]):  # neighbors would be a longer mark of code
        return "\\`".join(map(_escaped, pieces))
    if in_table:
        pieces[1::2] = [piece.replace("|", "\\|") for piece in pieces[1::2]]
    pieces[::2] = map(_escaped, pieces[::2])
    return "`".join(pieces)


def _escaped(text: str) -> str:
    return _ACTIVE.sub(r"\\\1", text)


def _grade_lines(grade: Grade) -> Iterator[str]:
    yield f"**{_plain(grade.rubric.title or grade.rubric.id)}**: {_plain(_headline(grade))}"
    yield ""
    for line in grade.criteria:
        given = f"{points(line.points)} / {points(line.max_points)}"
        yield f"- {MARKS[line.status]} {_plain(line.title)} ({given}): {_plain(line.message)}"
        if line.advice:
            yield f"  - {_plain(line.advice)}"
    for place, text, advice in _remarks(grade):
        yield f"- {place}{': ' if place else ''}{_plain(text)}"
        if advice:
            yield f"  - {_plain(advice)}"


def _class_lines(grades: Sequence[Grade]) -> Iterator[str]:
    yield "| Student | Grade |"
    yield "|---|---|"
    for grade in grades:
        student, headline = grade.submission.student, _headline(grade)
        yield f"| {_plain(student, in_table=True)} | {_plain(headline, in_table=True)} |"

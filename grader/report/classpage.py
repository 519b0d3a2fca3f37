"""Render the page of a whole class: scores, their distribution, and the verdicts on each criterion."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import mean, median
from typing import Final
from urllib.parse import quote

from markupsafe import Markup

from grader.facts.graded_model import main_accuracy, main_model
from grader.facts.language import Language
from grader.report.attempts import OUTCOMES
from grader.report.bars import histogram, verdict_bar
from grader.report.ranking import Place, front_plot, places, standing
from grader.report.templating import Templates, asset, environment, policy
from grader.report.text import DASH, ENGLISH, count, percent, points
from grader.schema.grade import AttemptsGrade, CriterionGrade, CriterionStatus, Grade
from grader.schema.message import Message, MessageLike, say

__all__ = ["ClassRow", "CriterionCell", "class_row", "render_class_page"]

_ORDER: Final[tuple[CriterionStatus, ...]] = ("passed", "partial", "failed", "pending", "skipped")
_LETTERS: Final[Mapping[str, str]] = {"passed": "p", "partial": "q", "failed": "x", "pending": "w", "skipped": "n"}
"""CSS class names of one letter, since a page of 2,000 rows has tens of thousands of cells."""


_PIECES: Final = 4096
_NOT_EXECUTED: Final = say("not executed")


@dataclass(frozen=True, slots=True)
class CriterionCell:
    """One criterion of one submission."""

    id: str
    title: str
    status: CriterionStatus
    points: float
    max_points: float
    borderline: bool = False


@dataclass(frozen=True, slots=True)
class ClassRow:
    """The part of a grade that the class page shows; kept small, since thousands of rows are in memory."""

    id: str
    student: str
    graded: bool
    reason: str
    score: float | None
    max_score: float
    pending: float
    criteria: tuple[CriterionCell, ...]
    model: str
    """Name of the graded model; empty if there is none."""
    accuracy: float | None
    accuracy_on: str
    """Data set and split of the accuracy, such as `mnist/test`; empty if unknown."""
    parameters: int | None
    execution: str
    """How the execution ended; empty if there was none."""
    report: str | None
    """Relative address of the report; None if there is none."""
    standing: Place | None = None
    """Figures for the rubric's competition; None without a competition or without the required figures."""
    attempts: int = 0
    """Number of attempts that were requested; 0 if only one execution was requested."""
    spread: tuple[int, int | None, float | None, float | None] | None = None
    """Number of graded attempts, selected attempt, lowest and highest score; None if there was only one execution."""

    @property
    def borderline(self) -> bool:
        """Whether a person should look at a criterion that was missed within the noise."""
        return any(cell.borderline for cell in self.criteria)


@dataclass(frozen=True, slots=True)
class _Cell:
    """A table cell in the form that the template shows."""

    letter: str
    text: str
    borderline: bool = False


@dataclass(frozen=True, slots=True)
class _Line:
    """A table row in the form that the template shows."""

    row: ClassRow
    href: str | None
    status: MessageLike
    attempts: str
    """Selected attempt, with the lowest and highest score of all attempts; empty if there was only one execution."""
    cells: tuple[_Cell, ...]


@dataclass(frozen=True, slots=True)
class _Item:
    """Results of one criterion over the class."""

    title: str
    bar: Markup
    counts: Mapping[str, int]
    share: str


def class_row(grade: Grade, report: str | None, ranked_by: str | None = None) -> ClassRow:
    """Reduce a grade to its row on the class page.

    Args:
        grade: The grade.
        report: Address of its report relative to the class page, such as `ada/report.html`; None if there is none.
        ranked_by: Id of the criterion that the rubric ranks submissions by; None without a ranking.
    """
    model = main_model(grade)
    accuracy = main_accuracy(grade)
    return ClassRow(
        id=grade.submission.id,
        student=grade.submission.student,
        graded=grade.status == "graded",
        reason=grade.reason or "",
        score=grade.score,
        max_score=grade.max_score,
        pending=grade.pending,
        criteria=tuple(_criterion_cell(c) for c in grade.criteria),
        model=model.name if model else "",
        accuracy=accuracy[1].value if accuracy else None,
        accuracy_on=accuracy[0] if accuracy else "",
        parameters=model.parameters if model else None,
        execution=grade.execution.status if grade.execution else "",
        report=report,
        standing=standing(grade, ranked_by, _relative(report)) if ranked_by else None,
        attempts=grade.attempts.asked if grade.attempts else 0,
        spread=_spread(grade.attempts),
    )


def _criterion_cell(line: CriterionGrade) -> CriterionCell:
    return CriterionCell(line.id, line.title, line.status, line.points, line.max_points, line.borderline)


def _spread(attempts: AttemptsGrade | None) -> tuple[int, int | None, float | None, float | None] | None:
    if attempts is None:
        return None
    graded = sum(one.status == "graded" for one in attempts.tried)
    return (
        graded,
        attempts.taken,
        attempts.score.low if attempts.score else None,
        attempts.score.high if attempts.score else None,
    )


def _attempts(row: ClassRow) -> Message:
    _, taken, low, high = row.spread or (0, None, None, None)
    if low is None or high is None:
        return Message(id="")
    if low == high:
        return say("{number} of {asked}: {score:points}", number=taken, asked=row.attempts, score=low)
    return say(
        "{number} of {asked}: {low:points} to {high:points}", number=taken, asked=row.attempts, low=low, high=high
    )


def render_class_page(
    rows: Sequence[ClassRow], *, title: str, templates: Path | Templates, language: Language = ENGLISH
) -> str:
    """Render the page of a class.

    The page needs no server and works without its only script, which sorts and filters. The page's policy allows that
    script by its hash and no other.

    Args:
        rows: One row per submission, in the order to show.
        title: The rubric's title.
        templates: The templates, or their folder.
        language: The language of messages and figures.

    Returns:
        A self-contained HTML page, whose only addresses are links to the reports.

    Raises:
        StorageError: The style sheet or the script cannot be read.
    """
    style, script = asset(templates, "report.css"), asset(templates, "class.js")
    titles = _titles(rows)
    scores = [row.score for row in rows if row.score is not None]
    shares = [row.score / row.max_score for row in rows if row.score is not None and row.max_score > 0]
    ranked = places([row.standing for row in rows if row.standing is not None])
    view = {
        "title": title,
        "ranked": ranked,
        "front": front_plot(ranked, language),
        "titles": titles,
        # Use a generator to hold only one row at a time, but an empty tuple without rows, which is falsy.
        "lines": (_line(row, list(titles), language) for row in rows) if rows else (),
        "tiles": _tiles(rows, scores, language),
        "histogram": histogram(shares, language),
        "items": _items(rows, titles, language),
        "full": rows[0].max_score if rows else 0,
        "with_attempts": any(_attempts(row) for row in rows),
        "with_borderline": any(row.borderline for row in rows),
        "style": style.body,
        "script": script.body,
        "policy": policy(style, script),
    }
    return _joined(environment(templates, language).get_template("class.html.j2").generate(view))


def _joined(pieces: Iterable[str]) -> str:
    """Join a page's pieces in batches of a few thousand, since a list of a million small strings needs much memory."""
    several, joined = iter(pieces), list[str]()
    while some := list(islice(several, _PIECES)):
        joined.append("".join(some))
    return "".join(joined)


def _titles(rows: Sequence[ClassRow]) -> dict[str, str]:
    """Map every criterion's id to its title, in the order of first appearance."""
    titles: dict[str, str] = {}
    for row in rows:
        for cell in row.criteria:
            titles.setdefault(cell.id, cell.title)
    return titles


def _line(row: ClassRow, ids: Sequence[str], language: Language) -> _Line:
    cells = {cell.id: cell for cell in row.criteria}
    return _Line(
        row,
        _relative(row.report),
        OUTCOMES.get(row.execution, row.execution) if row.execution else _NOT_EXECUTED,
        language.text(_attempts(row)),
        tuple(_cell(cells.get(name), language) for name in ids),
    )


def _relative(address: str | None) -> str | None:
    """Convert a relative path to a link that cannot lead to another scheme or host."""
    if address is None:
        return None
    return f"./{quote(address.lstrip('/'))}"


def _cell(cell: CriterionCell | None, language: Language) -> _Cell:
    if cell is None:
        return _Cell("n", DASH)
    if cell.status == "pending":
        return _Cell(_LETTERS[cell.status], "")
    if not cell.max_points:
        return _Cell(_LETTERS[cell.status], DASH if cell.status == "skipped" else "")
    return _Cell(_LETTERS[cell.status], points(cell.points, language), cell.borderline)


def _tiles(rows: Sequence[ClassRow], scores: Sequence[float], language: Language) -> list[tuple[Message, str]]:
    """List the figures at the head of the page."""
    waiting = sum(row.pending > 0 for row in rows)
    ungraded = sum(not row.graded for row in rows)
    accuracies = [row.accuracy for row in rows if row.accuracy is not None]
    borderline = sum(row.borderline for row in rows)
    tiles = [(say("Submissions"), count(len(rows), language))]
    if scores:
        tiles.append((say("Mean score"), points(round(mean(scores), 1), language)))
        tiles.append((say("Median score"), points(round(median(scores), 1), language)))
    if accuracies:
        tiles.append((say("Best accuracy"), percent(max(accuracies), language)))
    if waiting:
        tiles.append((say("Waiting for a person"), count(waiting, language)))
    if borderline:
        tiles.append((say("Borderline"), count(borderline, language)))
    if ungraded:
        tiles.append((say("Not graded yet"), count(ungraded, language)))
    return tiles


def _items(rows: Sequence[ClassRow], titles: Mapping[str, str], language: Language) -> list[_Item]:
    """Summarize each criterion: verdicts, and the mean fraction of its points where it was judged."""
    items: list[_Item] = []
    cells: dict[str, list[CriterionCell]] = {name: [] for name in titles}
    for row in rows:
        for cell in row.criteria:
            cells[cell.id].append(cell)
    for number, (name, title) in enumerate(titles.items(), start=1):
        counted = Counter(cell.status for cell in cells[name])
        judged = [
            c.points / c.max_points for c in cells[name] if c.max_points and c.status not in {"pending", "skipped"}
        ]
        counts: dict[str, int] = {status: counted[status] for status in _ORDER}
        share = percent(mean(judged) if judged else None, language, 0)
        items.append(_Item(title, verdict_bar(f"item-{number}", counts, language), counts, share))
    return items

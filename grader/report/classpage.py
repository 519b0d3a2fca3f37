"""Render the page of a whole class: who needs a person, frequent notes, scores, verdicts, and the criteria."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from statistics import fmean, median
from typing import Final

from markupsafe import Markup

from grader.facts.language import Language
from grader.report.attempts import OUTCOMES
from grader.report.attention import Group, Student, alike, concerns, error_groups, marks_of, note_groups, students_of
from grader.report.bars import amount_bar, histogram, verdict_bar
from grader.report.classrow import ClassRow, CriterionCell, class_row, relative
from grader.report.itemanalysis import FEWEST, Item, analyzed
from grader.report.ranking import front_plot, places
from grader.report.strip import accuracy_strip
from grader.report.svg import element
from grader.report.templating import Asset, Templates, asset, environment, policy
from grader.report.text import DASH, ENGLISH, figure, percent, points
from grader.schema.message import Message, MessageLike, say, say_count

__all__ = ["ClassRow", "CriterionCell", "class_page", "class_row"]

_LETTERS: Final[Mapping[str, str]] = {"passed": "p", "partial": "q", "failed": "x", "pending": "w", "skipped": "n"}
"""CSS class names of one letter, since a page of 2,000 rows has tens of thousands of cells."""

_STYLES: Final = ("report.css", "class.css")
_SCRIPTS: Final = ("class-table.js", "class-keys.js", "class-print.js")
_PIECES: Final = 4096
_NOT_EXECUTED: Final = say("not executed")
_EXCUSED: Final = say("excused")
_FREQUENT: Final = 6
"""Number of notes at the head of the page; the filter lists all of them."""
_DIGITS: Final = 6
"""Digits of the rubric's digest at the head of the page."""
_SEPARATES: Final = 0.1
"""A discrimination below it is marked."""
_FIGURES: Final[Mapping[int, Message]] = {3: say("waiting"), 4: say("accuracy"), 5: say("parameters")}
"""Names of figures on a card, by column."""
_STEP: Final = 200
"""Number of rows to show at once; a browser needs seconds to lay out thousands."""
_COLUMNS: Final = 6
"""Columns of the table before the attempt and the criteria."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A table row in the form that the template shows."""

    row: ClassRow
    href: str | None
    marks: str
    """Letters of the filters that show it, separated by spaces."""
    status: MessageLike
    attempts: str
    """Selected attempt, with the lowest and highest score of all attempts; empty if there was only one execution."""
    cells: Markup


@dataclass(frozen=True, slots=True)
class _ItemLine:
    """Results of one criterion in the form that the template shows."""

    item: Item
    column: int
    """Index of its column in the table."""
    bar: Markup
    rate: str
    mean: str
    discrimination: str
    doubtful: bool
    """Whether the criterion hardly separates strong submissions from weak ones."""
    students: tuple[Student, ...]
    more: int


def class_page(
    rows: Sequence[ClassRow], *, title: str, templates: Path | Templates, language: Language = ENGLISH
) -> Iterator[str]:
    """Render the page of a class in pieces, since the page of a large class needs much memory.

    The page needs no server, and without its script it shows everything except filters, keys and sorting. Its policy
    allows only its own script and style sheet, by their hashes.

    Args:
        rows: One row per submission, in the order to show.
        title: The rubric's title.
        templates: The templates, or their folder.
        language: The language of the page, with the rubric's texts.

    Yields:
        The pieces of a self-contained HTML page, whose only addresses are links to the reports and to `grades.csv`.

    Raises:
        StorageError: A style sheet or a script cannot be read.
    """
    titles = {name: language.rubric_text(text) for name, text in _titles(rows).items()}
    with_attempts = any(row.spread is not None and row.spread[2] is not None for row in rows)
    first = _COLUMNS + with_attempts
    style = _joined_assets(templates, _STYLES, _card_labels(tuple(titles), first, language))
    script = _joined_assets(templates, _SCRIPTS)
    ranked = places([row.standing for row in rows if row.standing is not None])
    notes, errors, same_name = note_groups(rows), error_groups(rows), alike(rows)
    columns = {name: first + place for place, name in enumerate(titles)}
    view = {
        "title": language.rubric_text(title),
        "facts": _facts(rows),
        "concerns": concerns(rows, same_name),
        "notes": notes,
        "frequent": [(group, amount_bar(group.number, len(rows))) for group in notes[:_FREQUENT]],
        "errors": errors,
        "ranked": ranked,
        "front": front_plot(ranked, language),
        "titles": titles,
        "columns": columns,
        # Use a generator to hold only one row at a time, but an empty tuple without rows, which is falsy.
        "lines": _lines(rows, titles, notes, errors, same_name, language) if rows else (),
        "histogram": histogram(_shares(rows), language),
        "scores": _scores_caption(rows),
        **_accuracies(rows, language),
        "items": [_item_line(item, columns[item.id], language) for item in analyzed(rows)],
        "fewest": FEWEST,
        "written": element("time"),
        "grades": "grades.csv",
        "moving": ("j", "k"),
        "full": rows[0].max_score if rows else 0,
        "first": first,
        "step": _STEP,
        "with_attempts": with_attempts,
        "with_borderline": any(row.borderline for row in rows),
        "style": style.body,
        "script": script.body,
        "policy": policy(style, script),
    }
    # The template yields a million small strings for a large class.
    small = environment(templates, language).get_template("class.html.j2").generate(view)
    while some := list(islice(small, _PIECES)):
        yield "".join(some)


@lru_cache(maxsize=8)
def _joined_assets(templates: Path | Templates, names: Sequence[str], more: str = "") -> Asset:
    """Join style sheets or scripts into one, so that the page's policy has one hash for them."""
    return Asset("\n".join([*(str(asset(templates, name).body) for name in names), more]))


def _card_labels(names: Sequence[str], first: int, language: Language) -> str:
    """Write the style rules that name figures and criteria on the cards of a narrow screen.

    The rules are shorter than a name in each of thousands of cells. A criterion's id has only letters, digits, `-` and
    `_`; other characters are dropped.

    Args:
        names: Ids of the criteria.
        first: Index of the first one's column.
        language: The language of the page.
    """
    figures = {column: language.text(name) for column, name in _FIGURES.items()}
    rules = [
        f'#class-table td:nth-child({column + 1}):not(:empty)::before {{ content: "{_letters(name)} "; }}'
        for column, name in figures.items()
    ]
    rules += [
        f'#class-table td:nth-child({first + place + 1})::after {{ content: "{_letters(name)}"; }}'
        for place, name in enumerate(names)
    ]
    return "@media screen and (max-width: 700px) {\n" + "\n".join(rules) + "\n}\n"


def _letters(name: str) -> str:
    """Keep the characters of a name that are safe in a string of a style sheet."""
    return "".join(letter for letter in name if letter.isalnum() or letter in " -_")


def _titles(rows: Sequence[ClassRow]) -> dict[str, str]:
    """Map every criterion's id to its title, in the order of first appearance."""
    titles: dict[str, str] = {}
    for row in rows:
        for cell in row.criteria:
            titles.setdefault(cell.id, cell.title)
    return titles


# --- the head of the page


def _facts(rows: Sequence[ClassRow]) -> list[Message]:
    """List the figures of the header line."""
    graded, absent = sum(row.graded for row in rows), sum(row.absent for row in rows)
    excused = sum(row.status == "excused" or bool(row.people and row.people.excused) for row in rows)
    facts = [say_count("{count:number} graded", "{count:number} graded", graded)]
    if graded + absent < len(rows):
        facts.append(say("{number:number} not graded yet", number=len(rows) - graded - absent))
    if missing := sum(row.state == "missing" for row in rows):
        facts.append(say_count("{count:number} handed in nothing", "{count:number} handed in nothing", missing))
    if excused:
        facts.append(say_count("{count:number} excused", "{count:number} excused", excused))
    rubrics = sorted({row.rubric[:_DIGITS] for row in rows if row.rubric})
    if rubrics:
        facts.append(say_count("rubric {names:list}", "rubrics {names:list}", len(rubrics), names=rubrics[:3]))
    return facts


def _shares(rows: Sequence[ClassRow]) -> list[float]:
    return [row.score / row.max_score for row in rows if row.score is not None and row.max_score > 0]


def _scores_caption(rows: Sequence[ClassRow]) -> Message:
    scores = [row.score for row in rows if row.score is not None]
    if not scores:
        return Message(id="")
    return say(
        "Mean {mean:points}, median {median:points} of {full:points}. Points that wait for a person are not included.",
        mean=round(fmean(scores), 1),
        median=round(median(scores), 1),
        full=rows[0].max_score,
    )


def _accuracies(rows: Sequence[ClassRow], language: Language) -> dict[str, object]:
    """Draw the accuracies on the data that most submissions were measured on."""
    counted = Counter(row.accuracy_on for row in rows if row.accuracy is not None)
    if not counted:
        return {"strip": Markup(), "accuracies": Message(id="")}
    measured_on = counted.most_common(1)[0][0]
    values = [row.accuracy for row in rows if row.accuracy is not None and row.accuracy_on == measured_on]
    threshold = next((row.threshold for row in rows if row.threshold is not None), None)
    caption = say(
        "On {data:raw}: median {median:percent}, best {best:percent}.",
        data=measured_on or DASH,
        median=median(values),
        best=max(values),
    )
    return {"strip": accuracy_strip(values, threshold, language), "accuracies": caption}


# --- the table


def _lines(  # noqa: PLR0913, PLR0917 - the class and what the page has found in it
    rows: Sequence[ClassRow],
    titles: Mapping[str, str],
    notes: Sequence[Group],
    errors: Sequence[Group],
    same_name: frozenset[str],
    language: Language,
) -> Iterator[_Line]:
    note_marks = {group.key: group.mark for group in notes}
    error_marks = {group.key: group.mark for group in errors}
    for row in rows:
        cells = {cell.id: cell for cell in row.criteria}
        yield _Line(
            row=row,
            href=relative(row.report),
            marks=" ".join((*_states(row, same_name), *_grouped(row, note_marks, error_marks))),
            status=_status(row),
            attempts=language.text(_attempts(row)),
            cells=Markup().join(_cell(cells.get(name), language) for name in titles),
        )


def _status(row: ClassRow) -> MessageLike:
    if row.people is not None and row.people.excused:
        return _EXCUSED
    return OUTCOMES.get(row.execution, row.execution) if row.execution else _NOT_EXECUTED


def _states(row: ClassRow, same_name: frozenset[str]) -> Iterator[str]:
    """Yield the letters of a row's states, as the filter and `concerns` use them."""
    if row.absent:
        yield from ("m",) if row.state == "missing" else ("d",)
        return
    yield "u" if not row.graded else "w" if row.pending else "d"
    yield from (mark for mark in marks_of(row) if mark not in "wu")
    if row.id in same_name:
        yield "c"


def _grouped(row: ClassRow, notes: Mapping[str, str], errors: Mapping[str, str]) -> Iterator[str]:
    yield from (notes[note.id] for note in row.notes)
    yield from (errors[name] for name in dict.fromkeys((*row.errors, row.execution)) if name in errors)


def _attempts(row: ClassRow) -> Message:
    _, taken, low, high = row.spread or (0, None, None, None)
    if low is None or high is None:
        return Message(id="")
    if low == high:
        return say("{number} of {asked}: {score:points}", number=taken, asked=row.attempts, score=low)
    return say(
        "{number} of {asked}: {low:points} to {high:points}", number=taken, asked=row.attempts, low=low, high=high
    )


@lru_cache(maxsize=4096)
def _cell(cell: CriterionCell | None, language: Language) -> Markup:
    """Write a cell; the style sheet adds the sign of its verdict."""
    if cell is None:
        return element("td", class_="n")
    letter = _LETTERS[cell.status]
    shown: list[object] = []
    exact = title = None
    if cell.borderline:
        sign = element("span", "≈", aria_hidden="true")
        hint = language.text(say("borderline"))
        shown.append(element("span", element("span", f"{hint} ", class_="sr"), sign, class_="doubt", title=hint))
    if cell.status == "partial" and cell.max_points:
        exact, rounded = cell.points, round(cell.points, 1)
        shown.append((" " if shown else "") + points(rounded, language))
        if rounded != exact:
            title = language.text(say("{points:points} of {full:points}", points=exact, full=cell.max_points))
    return element("td", *shown, class_=letter, data_v=None if exact is None else repr(exact), title=title)


# --- the criteria


def _item_line(item: Item, column: int, language: Language) -> _ItemLine:
    value = item.discrimination
    students, more = students_of(item.missed)
    return _ItemLine(
        item=item,
        column=column,
        bar=verdict_bar(f"item-{column}", item.counts, language),
        rate=percent(item.pass_rate, language, 0),
        mean=percent(item.mean_share, language, 0),
        discrimination=DASH if value is None else figure(round(value, 2), language),
        doubtful=value is not None and value < _SEPARATES,
        students=students,
        more=more,
    )

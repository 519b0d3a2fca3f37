"""What GitHub Actions shows of a grade: annotations in the notebook's file, and a job summary.

The words of a student, such as names in messages, are never part of a command or of markup: commands escape them, and
the summary writes each sign with a meaning in Markdown or HTML as a character reference.
"""

import html
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from grader.facts.language import Language
from grader.facts.next_steps import NextStep, missed_points, next_steps
from grader.facts.points import total_of
from grader.facts.quick import error_doubt, is_unjudged
from grader.report.curves import Curves, Measure
from grader.report.text import clean, cut
from grader.schema.grade import CauseGrade, CriterionGrade, DiagnosticGrade, ErrorGrade, Grade
from grader.schema.message import Message, MessageLike, say, say_count

__all__ = [
    "LARGEST_SUMMARY",
    "MOST_OF_A_KIND",
    "Annotation",
    "annotations",
    "commands",
    "escaped",
    "job_summary",
]

Level = Literal["error", "warning", "notice"]
Lines = Callable[[int | None, int | None], int]
"""Cell from 0 and its line from 1 → line of the notebook's file."""

MOST_OF_A_KIND = 10
"""Number of annotations of each level that GitHub shows for a step."""
LARGEST_SUMMARY = 1 << 20
"""Limit of a step's job summary in bytes."""
_LONGEST = 2_000
"""Most characters of an annotation."""
_MOST_PROSE = 600
_MOST_CODE = 120
_MOST_POINTS = 60
"""Most points of a drawn curve."""
_LARGEST_NUMBER = 1e9
"""A larger loss has diverged, and its curve shows nothing."""
_MEASURES: tuple[Measure, ...] = ("accuracy", "loss")
_COLORS: dict[str, str] = {"training": "#1d5fa8", "validation": "#b4480f"}
_MARKS = {"passed": "✅", "partial": "🟡", "failed": "❌", "pending": "⏳", "skipped": "⚪"}
_MEANING = re.compile(r"[!-$&-+\--/:<->@\[-`{-~]")
"""ASCII characters that may mean something in Markdown, HTML or an automatic link."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """A remark at a line of a file."""

    level: Level
    title: str
    message: str
    line: int


# ---------------------------------------------------------------------------------------------------------------------
# Annotations


def annotations(grade: Grade, lines: Lines, language: Language) -> tuple[Annotation, ...]:
    """List the remarks on a notebook: missed criteria, each cause once, then errors and notes.

    Args:
        grade: The grade, in the students' edition.
        lines: Finds the lines of cells in the file.
        language: The language of the remarks.
    """
    if grade.status == "not_graded":
        title = language.text(say("The grader could not grade this notebook"))
        return (_at("error", title, _said(grade.reason_says, grade.reason or "", language), 1),)
    if grade.reason:
        # Every criterion is missed for this reason.
        found = tuple(_reason(grade, language))
    else:
        found = (*_missed(grade, lines, language), *_errors(grade, lines, language))
    return (*found, *(_note(note, lines, language) for note in grade.diagnostics if not _is_cause(note, grade)))


def commands(found: Sequence[Annotation], file: str) -> Iterator[str]:
    """Write the workflow commands of annotations, at most ten of each level, as GitHub shows no more.

    Args:
        found: The annotations, the most important first.
        file: The notebook's path, relative to the workspace.
    """
    counts: dict[str, int] = {}
    for one in found:
        counts[one.level] = counts.get(one.level, 0) + 1
        if counts[one.level] <= MOST_OF_A_KIND:
            properties = {"file": file, "line": str(one.line), "endLine": str(one.line), "title": one.title}
            listed = ",".join(f"{name}={escaped(value, inside=True)}" for name, value in properties.items())
            yield f"::{one.level} {listed}::{escaped(cut(one.message, _LONGEST))}"


def escaped(text: str, *, inside: bool = False) -> str:
    """Escape text for a workflow command, so that it can neither end the command nor start another one.

    Args:
        text: Any text.
        inside: Whether it is the value of a property.
    """
    safe = "\n".join(clean(text).splitlines()).replace("%", "%25").replace("\n", "%0A")
    return safe.replace(":", "%3A").replace(",", "%2C") if inside else safe


def _reason(grade: Grade, language: Language) -> Iterator[Annotation]:
    """Report why the notebook could not be executed."""
    title = language.text(say("The notebook was not run"))
    yield _at("error", title, _said(grade.reason_says, grade.reason or "", language), 1)


def _missed(grade: Grade, lines: Lines, language: Language) -> Iterator[Annotation]:
    for step in next_steps(grade):
        if step.cause is not None and len(step.criteria) > 1:
            yield _cause(step, step.cause, lines, language)
        else:
            for criterion in step.criteria:
                yield _criterion(criterion, step.cause, lines, language)


def _cause(step: NextStep, cause: CauseGrade, lines: Lines, language: Language) -> Annotation:
    depend = _depend(step, language)
    listed = "\n".join(f"- {language.rubric_text(one.title)}" for one in step.criteria)
    texts = (_said(cause.advice_says, cause.advice, language), depend, listed)
    title = _said(cause.says, cause.message, language)
    return _at("error", title, "\n".join(filter(None, texts)), lines(cause.cell, cause.line))


def _criterion(criterion: CriterionGrade, cause: CauseGrade | None, lines: Lines, language: Language) -> Annotation:
    level: Level = "error" if criterion.status == "failed" and not criterion.bonus else "warning"
    title = f"{language.rubric_text(criterion.title)} · {_score(criterion, language)}"
    texts = [_said(criterion.says, criterion.message, language)]
    if cause is not None:
        texts += [_said(cause.says, cause.message, language), _said(cause.advice_says, cause.advice, language)]
    texts.append(_said(criterion.advice_says, criterion.advice, language))
    cell, line = (cause.cell, cause.line) if cause is not None and cause.cell is not None else (_cell(criterion), None)
    return _at(level, title, "\n".join(dict.fromkeys(filter(None, texts))), lines(cell, line))


def _at(level: Level, title: str, message: str, line: int) -> Annotation:
    return Annotation(level, cut(title, 200), message or title, line)


def _errors(grade: Grade, lines: Lines, language: Language) -> Iterator[Annotation]:
    """Report the errors that are not the cause of a missed criterion and follow from no other."""
    doubt = error_doubt(grade)
    for error in _own_errors(grade):
        texts = (_said(error.advice_says, error.advice, language), "" if doubt is None else language.text(doubt))
        level: Level = "error" if doubt is None else "warning"
        yield _at(level, _error_title(error), "\n".join(filter(None, texts)), lines(error.cell, error.line))


def _own_errors(grade: Grade) -> Iterator[ErrorGrade]:
    """List the errors that are not the cause of a missed criterion and follow from no other."""
    causes = {c.cause.cell for c in grade.criteria if c.cause is not None}
    for error in grade.execution.errors if grade.execution is not None else ():
        if error.cell not in causes and error.follows is None:
            yield error


def _error_title(error: ErrorGrade) -> str:
    return f"{error.name}: {error.cause or error.message}"


def _note(note: DiagnosticGrade, lines: Lines, language: Language) -> Annotation:
    texts = (_said(note.says, note.message, language), _said(note.advice_says, note.advice, language))
    title = _said(note.title_says, note.title, language)
    return _at("notice", title, "\n".join(filter(None, texts)), lines(note.cell, None))


def _is_cause(note: DiagnosticGrade, grade: Grade) -> bool:
    """Whether a note is about an unfinished cell that is already reported as a cause."""
    causes = (c.cause for c in grade.criteria)
    return note.id == "unfinished-cell" and any(c is not None and c.cell == note.cell for c in causes)


def _cell(criterion: CriterionGrade) -> int | None:
    return next((pointer.cell for pointer in criterion.evidence if pointer.cell is not None), None)


def _score(criterion: CriterionGrade, language: Language) -> str:
    return language.text(
        say("{points:points} of {full:points} points", points=criterion.points, full=criterion.max_points)
    )


def _depend(step: NextStep, language: Language) -> str:
    return language.text(
        say_count(
            "{count:number} criterion with {points:points} points depends on this.",
            "{count:number} criteria with {points:points} points depend on this.",
            len(step.criteria),
            points=step.points,
        )
    )


def _said(says: MessageLike | None, text: str, language: Language) -> str:
    """Render a message; grades of earlier versions have only its text."""
    return language.text(says) if isinstance(says, Message) else (says or text)


# ---------------------------------------------------------------------------------------------------------------------
# The job summary


def job_summary(grade: Grade, curves: Curves | None, language: Language, *, most: int = LARGEST_SUMMARY) -> str:
    """Write the job summary: points, the next step, what is missing, curves, all criteria, and notes.

    Args:
        grade: The grade, in the students' edition.
        curves: The learning curves of the graded model; None without any.
        language: The language of the summary.
        most: Limit in bytes. Whole parts are left out at the end, and the summary says so.

    Returns:
        GitHub's Markdown.
    """
    parts = [_head(grade, language)]
    if grade.status == "graded":
        steps = sorted(next_steps(grade), key=lambda step: len(step.criteria) == 1)
        parts += _next(grade, language)
        parts += _steps(steps, language)
        parts += _other_errors(grade, language)
        parts += [] if curves is None or grade.quick else _charts(curves, language)
        parts += _table(grade, language)
        parts += _notes(grade, language)
    return _joined(parts, language, most)


def _joined(parts: Sequence[str], language: Language, most: int) -> str:
    """Join as many parts as fit."""
    more = f"\n\n{_text(language.text(say('The rest did not fit; the report has it.')))}\n"
    left = most - len(more.encode())
    kept: list[str] = []
    for part in parts:
        size = len(part.encode()) + 2
        if size > left:
            return "\n\n".join(kept) + more
        left -= size
        kept.append(part)
    return "\n\n".join(kept) + "\n"


def _head(grade: Grade, language: Language) -> str:
    title = f"## {_text(cut(language.rubric_text(grade.rubric.title or grade.rubric.id), 200))}"
    if grade.status == "not_graded":
        words = language.text(say("The grader could not grade this notebook. This is no score of zero."))
        return f"{title}\n\n❌ **{_text(words)}** {_prose(_said(grade.reason_says, grade.reason or '', language))}"
    waiting = [c for c in grade.criteria if c.status == "pending"]
    unjudged = [c for c in waiting if is_unjudged(c)]
    people = total_of(c.max_points for c in waiting if not is_unjudged(c))
    reachable = total_of(c.max_points for c in grade.criteria if c.status != "pending" and not c.bonus)
    score = say("{points:points} of {full:points} points", points=grade.score or 0.0, full=reachable)
    mark = _MARKS["failed" if any(map(missed_points, grade.criteria)) else "passed"]
    lines = [title, f"### {mark} {_text(language.text(score))}"]
    if unjudged:
        later = total_of(c.max_points for c in unjudged)
        wait = say("{points:points} points: not judged in a quick run", points=later)
        lines.append(f"⏳ {_text(language.text(wait))}")
    if people:
        wait = say("{points:points} points: a person judges them later", points=people)
        lines.append(f"⏳ {_text(language.text(wait))}")
    if grade.quick:
        quick = say("A quick run cuts trainings short. It does not show how well the models learn.")
        lines.append(f"> {_text(language.text(quick))}")
    if grade.reason:
        lines.append(f"**{_prose(_said(grade.reason_says, grade.reason, language))}**")
    return "\n\n".join(lines)


def _next(grade: Grade, language: Language) -> Iterator[str]:
    """Name the step that brings the most points."""
    step = next(iter(next_steps(grade)), None)
    if step is None:
        return
    one = step.criteria[0]
    if step.cause is not None:
        what = _said(step.cause.advice_says, step.cause.advice, language)
        what = what or _said(step.cause.says, step.cause.message, language)
    else:
        what = _said(one.advice_says, one.advice, language) or _said(one.says, one.message, language)
    points = language.text(
        say_count("up to {count:points} point", "up to {count:points} points", int(step.points))
        if step.points == int(step.points)
        else say("up to {points:points} points", points=step.points)
    )
    yield f"**{_text(language.text(say('Next step')))}** ({_text(points)}): {_prose(what)}"


def _steps(steps: Sequence[NextStep], language: Language) -> Iterator[str]:
    if not steps:
        return
    yield f"### {_text(language.text(say('What is missing')))}"
    for step in steps:
        if step.cause is not None and len(step.criteria) > 1:
            yield _cause_part(step, step.cause, language)
        else:
            for criterion in step.criteria:
                yield _criterion_part(criterion, step.cause, language)


def _cause_part(step: NextStep, cause: CauseGrade, language: Language) -> str:
    lines = [f"- **{_prose(_said(cause.says, cause.message, language))}**{_place(cause, language)}"]
    lines += _code_and_advice(cause, language)
    lines.append(f"  {_text(_depend(step, language))}")
    lines += [f"  - {_text(language.rubric_text(one.title))} · {_text(_score(one, language))}" for one in step.criteria]
    return "\n".join(lines)


def _criterion_part(criterion: CriterionGrade, cause: CauseGrade | None, language: Language) -> str:
    place = _place(cause, language) if cause is not None else _cells(criterion, language)
    title, score = _text(language.rubric_text(criterion.title)), _text(_score(criterion, language))
    lines = [f"- {_MARKS[criterion.status]} **{title}** · {score}{place}"]
    lines.append(f"  {_prose(_said(criterion.says, criterion.message, language))}")
    if cause is not None and cause.code:
        lines.append(f"  {_prose(_said(cause.says, cause.message, language))}")
        lines += _code_and_advice(cause, language)
    advice = _said(criterion.advice_says, criterion.advice, language)
    if advice:
        lines.append(f"  → {_prose(advice)}")
    return "\\\n".join(lines)


def _other_errors(grade: Grade, language: Language) -> Iterator[str]:
    errors = list(_own_errors(grade))
    if not errors:
        return
    yield f"### {_text(language.text(say('Cells that raised an error')))}"
    if doubt := error_doubt(grade):
        yield _text(language.text(doubt))
    for error in errors:
        where = "" if error.cell is None else f" · {_text(language.cell(error.cell))}"
        lines = [f"- **{_text(cut(_error_title(error), _MOST_PROSE))}**{where}"]
        advice = _said(error.advice_says, error.advice, language)
        lines += [f"  → {_prose(advice)}"] if advice else []
        yield "\\\n".join(lines)


def _code_and_advice(cause: CauseGrade, language: Language) -> Iterator[str]:
    if cause.code:
        yield f"  {_code(cause.code)}"
    advice = _said(cause.advice_says, cause.advice, language)
    if advice:
        yield f"  → {_prose(advice)}"


def _place(cause: CauseGrade, language: Language) -> str:
    if cause.cell is None:
        return ""
    where = language.cell(cause.cell)
    if cause.line is not None:
        where = language.text(say("{cell:cell}, line {line:number}", cell=cause.cell, line=cause.line))
    return f" · {_text(where)}"


def _cells(criterion: CriterionGrade, language: Language) -> str:
    cells = dict.fromkeys(pointer.cell for pointer in criterion.evidence if pointer.cell is not None)
    return "".join(f" · {_text(language.cell(cell))}" for cell in list(cells)[:5])


def _table(grade: Grade, language: Language) -> Iterator[str]:
    """Write the table of all criteria."""
    heads = (say("Criterion"), say("Points"))
    yield f"### {_text(language.text(say('All criteria')))}"
    rows = [f"| | {' | '.join(_text(language.text(head)) for head in heads)} |", "|:-:|:--|--:|"]
    for line in grade.criteria:
        points = f"{language.points(line.points)} / {language.points(line.max_points)}"
        if line.status == "pending":
            points = f"– / {language.points(line.max_points)}"
        rows.append(f"| {_MARKS[line.status]} | {_text(cut(language.rubric_text(line.title), 200))} | {points} |")
    yield "\n".join(rows)


def _notes(grade: Grade, language: Language) -> Iterator[str]:
    notes = [note for note in grade.diagnostics if not _is_cause(note, grade)]
    if not notes:
        return
    yield f"### {_text(language.text(say('Notes')))}"
    for cell, group in groupby(notes, key=lambda note: note.cell):
        where = "" if cell is None else f" · {_text(language.cell(cell))}"
        for note in group:
            lines = [f"- **{_prose(_said(note.title_says, note.title, language))}**{where}"]
            lines.append(f"  {_prose(_said(note.says, note.message, language))}")
            advice = _said(note.advice_says, note.advice, language)
            lines += [f"  → {_prose(advice)}"] if advice else []
            yield "\\\n".join(lines)


def _text(text: str) -> str:
    """Write text so that none of its characters has a meaning in Markdown or HTML, on one line."""
    return _MEANING.sub(lambda match: f"&#{ord(match[0])};", " ".join(clean(text).split()))


def _code(text: str) -> str:
    return f"<code>{_text(cut(text.strip(), _MOST_CODE))}</code>"


def _prose(text: str) -> str:
    """Write a message, names in backticks as code."""
    pieces = cut(" ".join(text.split()), _MOST_PROSE).split("`")
    if len(pieces) % 2 == 0:
        return _text("`".join(pieces))
    return "".join(f"<code>{_inner(piece)}</code>" if at % 2 else _inner(piece) for at, piece in enumerate(pieces))


def _inner(piece: str) -> str:
    """Write a part of a line, and keep the spaces at its ends."""
    return f"{' ' * piece.startswith(' ')}{_text(piece)}{' ' * (piece.endswith(' ') and len(piece) > 1)}"


# ---------------------------------------------------------------------------------------------------------------------
# Curves: GitHub removes embedded pictures and SVG from a summary, but draws Mermaid's charts.


def _charts(curves: Curves, language: Language) -> Iterator[str]:
    charts = [chart for measure in _MEASURES if (chart := _chart(curves, measure, language))]
    if charts:
        yield f"### {_text(language.text(say('Learning curves')))}"
        yield from charts


def _chart(curves: Curves, measure: Measure, language: Language) -> str:
    """Draw the training and the validation of one measure; empty if there is no curve."""
    factor = 100.0 if measure == "accuracy" else 1.0
    both = zip(_COLORS, curves.of(measure), strict=True)
    known = {name: [factor * v for v in values if v is not None and math.isfinite(v)] for name, values in both}
    drawn = {name: values for name, values in known.items() if len(values) == curves.epochs > 1}
    if not drawn:
        return ""
    title = say("Accuracy in percent") if measure == "accuracy" else say("Loss")
    numbers = [number for values in drawn.values() for number in values]
    low, high = min(numbers), max(numbers)
    if max(-low, high) > _LARGEST_NUMBER:
        return ""
    margin = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    floor = max(low - margin, 0.0) if low >= 0 else low - margin
    ceiling = min(high + margin, 100.0) if measure == "accuracy" and high < 100.0 else high + margin  # noqa: PLR2004
    palette = ", ".join(_COLORS[name] for name in drawn)
    lines = [
        "```mermaid",
        f"%%{{init: {{'themeVariables': {{'xyChart': {{'plotColorPalette': '{palette}'}}}}}}}}%%",
        "xychart-beta",
        f'  title "{_label(title, language)}"',
        f'  x-axis "{_label(say("epoch"), language)}" 1 --> {curves.epochs}',
        f"  y-axis {_digits(floor)} --> {_digits(ceiling)}",
        *(f"  line [{', '.join(map(_digits, _thin(values)))}]" for values in drawn.values()),
        "```",
    ]
    legend = " · ".join(_legend(name, values, measure, language) for name, values in drawn.items())
    return "\n".join([*lines, "", legend])


def _legend(name: str, values: Sequence[float], measure: Measure, language: Language) -> str:
    last = language.percent(values[-1] / 100.0) if measure == "accuracy" else language.number(values[-1])
    if name == "training":
        return f"🔵 {_text(language.text(say('training, at the end {value:raw}', value=last)))}"
    return f"🟠 {_text(language.text(say('validation, at the end {value:raw}', value=last)))}"


def _label(message: Message, language: Language) -> str:
    """Write a text of a chart without the signs that could end it."""
    return html.escape(re.sub(r"[^\w\s%]", " ", language.text(message)))


def _digits(number: float) -> str:
    """Write a number without an exponent, which Mermaid does not read."""
    return f"{number:.6f}".rstrip("0").rstrip(".")


def _thin(values: Sequence[float]) -> Sequence[float]:
    """Keep at most 60 evenly spaced values, including the first and the last."""
    if len(values) <= _MOST_POINTS:
        return values
    return [values[round(at * (len(values) - 1) / (_MOST_POINTS - 1))] for at in range(_MOST_POINTS)]

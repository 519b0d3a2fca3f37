"""Render the report of one submission: one HTML file that opens anywhere, loads nothing and runs nothing."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from grader.facts.graded_model import main_model, reference_model
from grader.facts.language import Language, english
from grader.facts.next_steps import next_steps
from grader.facts.quick import is_unjudged
from grader.facts.rubric_texts import with_titles
from grader.report.attempts import attempts_view
from grader.report.bars import points_bar
from grader.report.comparison import comparison_view
from grader.report.criteria import ASSURANCES, CriterionView, begin_view, criterion_views, groups_of
from grader.report.edition import edition
from grader.report.execution import errors_of, facts_of
from grader.report.fragments import Fragments
from grader.report.links import Target
from grader.report.notebook import NotebookView, PageCell
from grader.report.notes import NoteView, note_groups, note_views
from grader.report.people import people_view
from grader.report.results import Images, Parts, model_views
from grader.report.templating import Templates, asset, environment, page_of, policy
from grader.report.text import ENGLISH
from grader.schema.base import Assurance
from grader.schema.evidence import Evidence
from grader.schema.grade import Audience, CriterionGrade, CriterionStatus, Grade
from grader.schema.message import Message, say, say_count
from grader.schema.rubric import Rubric

__all__ = ["ASSURANCES", "Images", "render_report"]

_MISSED: Final = frozenset({"failed", "partial"})
"""Statuses of criteria without full marks."""


@dataclass(frozen=True, slots=True)
class _Margin:
    """Notes and criteria next to a cell."""

    criteria: tuple[CriterionView, ...]
    notes: tuple[NoteView, ...]


def render_report(  # noqa: PLR0913  all by keyword: each is a separate document
    *,
    grade: Grade,
    evidence: Evidence | None,
    reference: Evidence | None,
    notebook: Mapping[str, Any] | Callable[[], Mapping[str, Any] | None] | None,
    images: Images,
    rubric: Rubric | None = None,
    audience: Audience = "instructor",
    templates: Path | Templates,
    language: Language = ENGLISH,
    fragments: Fragments | None = None,
) -> str:
    """Render one grade as a self-contained HTML page.

    The function only reads the templates; it sends, loads and executes nothing. All text of the student is escaped or
    sanitized. The page's policy forbids scripts, external addresses, and any style except its own.

    Args:
        grade: The grade to show.
        evidence: The submission's evidence, for curves and predictions; None omits them.
        reference: The reference's evidence; None omits the comparison of curves and layers.
        notebook: The executed notebook (nbformat 4), or a function that reads it; None omits it.
        images: Test images, uint8 of shape (n, 28, 28) or (n, 32, 32, 3), and their labels (n,), with keys such as
            `mnist/test`; without the required key, the confusion matrix is omitted.
        rubric: The rubric, which decides with the grade what students may see.
        audience: The readers; `student` omits everything that `edition` removes.
        templates: The templates, or their folder.
        language: The language of messages and figures.
        fragments: Parts of earlier pages of this submission; parts that cannot differ are not rendered again.

    Returns:
        The page.

    Raises:
        StorageError: The style sheet cannot be read.
    """
    shared = fragments or Fragments()
    parts = Parts()
    read = functools.cache(notebook) if callable(notebook) else lambda: notebook
    whole, grade = grade, with_titles(edition(grade, rubric, audience), language)
    _derive(shared, whole, grade, rubric)
    if audience == "student" and grade.reference is None:
        reference = None
    made = functools.cache(
        lambda: parts.make(say("the notebook"), lambda: NotebookView(read, language, shared), _NO_CELLS)
    )
    sources: Any = _Later(lambda: made().sources)
    to = Target(sources, frozenset(model.name for model in grade.models), language)
    style = asset(templates, "report.css")
    lines = _criteria(grade, to)
    # The last section lists the parts that failed.
    problems: Any = _Later(lambda: _problems(grade, _recorded(evidence, shared), parts.failed, language))
    view = {
        "grade": grade,
        "audience": audience,
        "lang": language.code,
        "title": grade.rubric.title or grade.rubric.id,
        **lines,
        **_results(grade, evidence, reference, images, language, parts),
        "people": people_view(grade),
        "attempts": attempts_view(grade.attempts, language),
        "facts": _Later(lambda: facts_of(grade.execution, language)),
        "errors": _Later(lambda: errors_of(grade.execution, to)),
        "versions": sorted(grade.execution.versions.items()) if grade.execution else [],
        "emulations": _emulations(grade),
        "cells": _Later(lambda: made().cells),
        "left_out": _Later(lambda: made().total - len(made().cells)),
        "style": style.body,
        "policy": policy(style),
        "margins": _Later(lambda: _margins(made().cells, lines["criteria"], lines["notes"])),
        "legend": _legend(lines["criteria"]),
        "problems": problems,
        "kept": _Kept(shared, grade, lines["criteria"], audience, problems, has_reference=reference is not None),
    }
    page = page_of(environment(templates, language).get_template("report.html.j2"), view)
    if parts.failed:
        shared.forget()
    return page


@dataclass(frozen=True, slots=True)
class _NoCells:
    """Instead of a notebook that cannot be shown."""

    cells: Sequence[PageCell] = ()
    sources: Mapping[int, str] = field(default_factory=dict)
    total: int = 0


_NO_CELLS: Final[NotebookView | _NoCells] = _NoCells()


def _derive(fragments: Fragments, whole: Grade, shown: Grade, rubric: Rubric | None) -> None:
    """Note which criteria of an edition are computed from criteria of the whole grade."""
    origins = {line.id: line for line in whole.criteria}
    criteria = {} if rubric is None else {criterion.id: criterion for criterion in rubric.criteria}
    for line in shown.criteria:
        origin = origins[line.id]
        if line is not origin:
            # The rubric's criterion counts only for a grade of an earlier version, without a text for students.
            criterion = criteria.get(line.id) if origin.student is None else None
            fragments.derive(line, origin, shown.edition, criterion)


class _Later:
    """A value that is made when it is first used."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make: Callable[[], Any] | None = make
        self._value: Any = None

    def _made(self) -> Any:
        if self._make is not None:
            self._value, self._make = self._make(), None
        return self._value

    def __bool__(self) -> bool:
        return bool(self._made())

    def __len__(self) -> int:
        return len(self._made())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._made())

    def __contains__(self, item: object) -> bool:
        return item in self._made()

    def __eq__(self, other: object) -> bool:
        return bool(self._made() == other)

    def __hash__(self) -> int:
        return hash(self._made())

    def __lt__(self, other: Any) -> bool:
        return bool(self._made() < other)

    def __gt__(self, other: Any) -> bool:
        return bool(self._made() > other)

    def __int__(self) -> int:
        return int(self._made())

    def __getitem__(self, key: Any) -> Any:
        return self._made()[key]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made(), name)


class _Kept:
    """Inserts parts of the page that were rendered before; templates call it with the part as the body of the call."""

    def __init__(  # noqa: PLR0913 - all inputs of the parts
        self,
        fragments: Fragments,
        grade: Grade,
        views: Sequence[CriterionView],
        audience: Audience,
        problems: Iterable[str],
        *,
        has_reference: bool,
    ) -> None:
        self._fragments = fragments
        graded = (grade.models, grade.main_model, grade.main_accuracy)
        notes = (grade.diagnostics, grade.main_model, [model.name for model in grade.models], fragments.notebook)
        # Without a reference to itself, which would keep the grade in memory; see `page_of`.
        of_criteria = functools.cache(lambda: fragments.key("criteria", notes, audience, grade.quick, grade.status))
        self._of_criteria = of_criteria
        self._of_cells = functools.cache(lambda: fragments.key("cells", fragments.notebook))

        def lines(*statuses: CriterionStatus) -> tuple[object, ...]:
            shown = [(view.number, view.grade) for view in views if view.grade.status in statuses]
            return (of_criteria(), shown)

        self._inputs: Mapping[str, Callable[[], tuple[object, ...]]] = {
            "results": lambda: (graded, grade.reference, has_reference, fragments.evidence),
            "comparison": lambda: (graded, grade.reference, has_reference, fragments.evidence),
            "notes": lambda: notes,
            "execution": lambda: (grade.execution, list(problems), fragments.notebook),
            "begin": lambda: lines("failed", "partial"),
            "improve": lambda: lines("failed", "partial"),
            "waiting": lambda: lines("pending"),
            "full": lambda: lines("passed"),
            "skipped": lambda: lines("skipped"),
            "notebook": lambda: (fragments.notebook, grade.diagnostics, [_mark(view) for view in views]),
        }

    def __call__(self, name: str, *, caller: Callable[[], str]) -> Markup:
        """Insert a section."""
        return self._fragments.section(self._fragments.key(name, *self._inputs[name]()), caller)

    def cell(self, cell: PageCell, form: str, *, caller: Callable[[], str]) -> Markup:
        """Insert a cell without its margin."""
        return self._part("cell", self._of_cells(), caller, cell.index, form)

    def criterion(self, view: CriterionView, place: str, *, caller: Callable[[], str]) -> Markup:
        """Insert a criterion at a place of the page that shows it in its own way."""
        return self._part("criterion", self._of_criteria(), caller, place, view.number, view.grade)

    def _part(self, name: str, base: str | None, caller: Callable[[], str], *inputs: object) -> Markup:
        key = None if base is None else self._fragments.key(name, base, *inputs)
        return self._fragments.markup(key, caller)


def _mark(view: CriterionView) -> tuple[object, ...] | None:
    """Describe what the margins of cells show of a criterion; None for nothing."""
    if view.grade.status not in _MISSED:
        return None
    cells = sorted({place.cell for place in view.grade.evidence if place.cell is not None})
    return (view.number, view.grade.status, view.grade.title, cells)


def _criteria(grade: Grade, to: Target) -> dict[str, Any]:
    """Describe the criteria, the next steps and the notes."""
    main, graded = main_model(grade), grade.status == "graded"
    notes: Any = _Later(lambda: note_views(grade.diagnostics, to))
    views = criterion_views(grade.criteria, notes, main, to)
    steps = functools.cache(lambda: next_steps(grade) if graded else ())
    pending = [view for view in views if view.grade.status == "pending"]
    open_points = sum(view.grade.max_points for view in pending if not view.grade.bonus)
    return {
        "bar": points_bar(grade.criteria, grade.max_score, to.language) if graded else Markup(),
        "totals": _totals(grade.criteria),
        "bonus_note": _bonus_note(grade.criteria, grade.max_score),
        "judged": grade.max_score - open_points,
        "waiting": _waiting(pending) if pending else None,
        "criteria": views,
        "begin": _Later(lambda: begin_view(steps(), views, to)),
        "groups": _Later(lambda: groups_of(steps(), views, to) if graded else ()),
        "improve": sum(view.grade.status in _MISSED for view in views) if graded else 0,
        "pending": pending,
        "full": [view for view in views if view.grade.status == "passed"],
        "skipped": [view for view in views if view.grade.status == "skipped"],
        "notes": notes,
        "note_groups": _Later(lambda: note_groups(notes, main)),
    }


def _waiting(pending: Sequence[CriterionView]) -> Message:
    if any(is_unjudged(view.grade) for view in pending):
        points = sum(view.grade.max_points for view in pending)
        return say("{points:points} more points are open: a full run or a person judges them.", points=points)
    return say_count(
        "{points:points} more points are open: a person reads {count} answer.",
        "{points:points} more points are open: a person reads {count} answers.",
        len(pending),
        points=sum(view.grade.max_points for view in pending),
    )


def _results(  # noqa: PLR0913, PLR0917 - each is a separate document
    grade: Grade,
    evidence: Evidence | None,
    reference: Evidence | None,
    images: Images,
    language: Language,
    parts: Parts,
) -> dict[str, Any]:
    """Describe the models and the comparison with the reference."""
    theirs = functools.cache(lambda: reference_model(grade, reference))
    compare = say("the comparison with the reference solution")

    def comparison() -> Any:
        return parts.make(compare, lambda: comparison_view(grade, evidence, reference, theirs(), language), None)

    return {
        "models": _Later(lambda: model_views(grade, evidence, reference, theirs(), images, language, parts)),
        "comparison": _Later(comparison),
    }


def _totals(shown: Sequence[CriterionGrade]) -> Mapping[str, float]:
    """Sum the earned, waiting and missed points of the shown criteria."""
    waiting = sum(c.max_points for c in shown if c.status == "pending" and not c.bonus)
    earned = sum(c.points for c in shown if not c.bonus)
    bonus = sum(c.points for c in shown if c.bonus)
    missed = sum(c.max_points for c in shown if not c.bonus) - waiting - earned
    return {"earned": earned, "waiting": waiting, "missed": max(missed, 0.0), "bonus": bonus}


def _bonus_note(shown: Sequence[CriterionGrade], most: float) -> Message | None:
    """Explain how bonus points count; None without a bonus criterion."""
    bonus = [criterion for criterion in shown if criterion.bonus]
    possible = sum(criterion.max_points for criterion in bonus)
    earned = sum(criterion.points for criterion in bonus)
    if not possible:
        return None
    if not earned:
        return say(
            "Up to {possible:points} bonus points are possible on top of the {most:points} points. They are not needed "
            "for full marks.",
            possible=possible,
            most=most,
        )
    return say(
        "The score includes {earned:points} of {possible:points} possible bonus points. They come on top of the "
        "{most:points} points, so the score can be higher than {most:points}.",
        earned=earned,
        possible=possible,
        most=most,
    )


def _legend(criteria: Sequence[CriterionView]) -> tuple[tuple[Assurance, Message], ...]:
    """Explain the assurances that the page shows, each once."""
    shown = {view.assurance for view in criteria}
    return tuple((assurance, words) for assurance, words in ASSURANCES.items() if assurance.value in shown)


def _emulations(grade: Grade) -> Sequence[Message | str]:
    if grade.execution is None:
        return ()
    return grade.execution.emulations_says or grade.execution.emulations


def _recorded(evidence: Evidence | None, fragments: Fragments) -> Sequence[str]:
    """List the problems that the evidence has."""

    def recorded() -> list[str]:
        return [] if evidence is None else [english(problem) for problem in evidence.problems]

    return fragments.data(fragments.key("problems", fragments.evidence), recorded)


def _problems(grade: Grade, recorded: Sequence[str], failed: Sequence[Message], language: Language) -> tuple[str, ...]:
    """List the problems of the grader; a grade of an earlier version has none of its own."""
    return tuple(dict.fromkeys((*grade.problems, *recorded, *map(language.text, failed))))


def _margins(
    cells: Sequence[PageCell], criteria: Sequence[CriterionView], notes: Sequence[NoteView]
) -> Mapping[int, _Margin]:
    """Collect the notes and the missed criteria in the margin of each cell."""
    missed = [view for view in criteria if view.grade.status in _MISSED]
    return {
        cell.index: _Margin(
            tuple(view for view in missed if any(place.cell == cell.index for place in view.grade.evidence)),
            tuple(view for view in notes if view.note.cell == cell.index),
        )
        for cell in cells
    }

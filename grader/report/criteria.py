"""The criteria in the form that the template shows, grouped by what a reader does about them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from grader.facts.next_steps import NextStep, missed_points
from grader.facts.student_view import manual_view
from grader.report.bars import VERDICTS
from grader.report.code_lines import code_line
from grader.report.links import Link, Target
from grader.report.notes import NoteView
from grader.report.people import Decision, Remark, decision_of, remarks_of
from grader.report.text import cut, rendered, value
from grader.schema.base import Assurance, Json
from grader.schema.grade import CriterionGrade, MeasureLabel, ModelGrade
from grader.schema.message import Message, MessageLike, say, say_count

__all__ = ["ASSURANCES", "Begin", "CriterionView", "Group", "StepView", "begin_view", "criterion_views", "groups_of"]

ASSURANCES: Final[Mapping[Assurance, Message]] = {
    Assurance.VERIFIED: say("computed by the grader outside the notebook's process"),
    Assurance.RECORDED: say("recorded while the notebook ran"),
    Assurance.STATED: say("claimed by the notebook's own text or printed output"),
    Assurance.JUDGED: say("decided by a person"),
}
_READ: Final = manual_view()
"""What students see of a criterion that a person judges; the heading of these criteria says it already."""
_SENTENCE_END: Final = re.compile(r"(?<=[a-z)`%][.!?]) (?=[A-Z`\d])")
_CELL: Final = re.compile(r"\b[Cc]ell (\d+)\b")
_MOST_STEPS: Final = 5
_NUMERIC: Final = frozenset({"number", "percent", "shape", "number list"})
"""Formats of numbers; a check may give a word instead, such as `unknown`."""
_MOST_RELATED: Final = 4
_LONGEST_REASON: Final = 130


@dataclass(frozen=True)
class CriterionView:
    """One criterion in the form that the template shows; its texts are made when they are first used."""

    grade: CriterionGrade
    number: int
    notes: Sequence[NoteView]
    """All notes of the page."""
    main: ModelGrade | None
    to: Target

    @property
    def anchor(self) -> str:
        """Its anchor on the page."""
        return f"criterion-{self.number}"

    @property
    def verdict(self) -> Message:
        """The word for its status."""
        return VERDICTS[self.grade.status]

    @cached_property
    def _guided(self) -> bool:
        says = self.grade.says
        return says is not None and ("guide" in says.values or says == _READ.says)

    @cached_property
    def _text(self) -> MessageLike:
        return self.to.text(self.grade.message, self.grade.says)

    @property
    def message(self) -> MessageLike:
        """Its message; empty for a criterion that a person judges, whose message only repeats the guide."""
        return "" if self._guided else self._text

    @property
    def guide(self) -> MessageLike:
        """The guide for the person who judges; empty for other criteria."""
        return self._text if self._guided else ""

    @property
    def advice(self) -> MessageLike:
        """The advice."""
        return self.to.text(self.grade.advice, self.grade.advice_says)

    @cached_property
    def missed(self) -> float:
        """The points that it can still bring."""
        return missed_points(self.grade)

    @cached_property
    def measured(self) -> tuple[tuple[MessageLike, str], ...]:
        """The measured values with their labels."""
        return _measured(self.grade, self.to)

    @cached_property
    def steps(self) -> tuple[tuple[str, bool | None, MessageLike], ...]:
        """Steps that the check looks for: name, whether it was done (None if unknown), observation."""
        return _steps(self.grade)

    @property
    def assurance(self) -> str:
        """The assurance of its facts; empty without any."""
        return self.grade.assurance.value if self.grade.assurance else ""

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """The cells of its evidence."""
        return self.to.links(self.grade.evidence)

    @cached_property
    def code(self) -> str:
        """The line of code that the criterion is about; empty if unknown."""
        return _code(self.grade, self.to)

    @cached_property
    def related(self) -> tuple[NoteView, ...]:
        """Notes on the same code."""
        return _related(self.grade, self.notes, self.main)

    @cached_property
    def decision(self) -> Decision | None:
        """The decision of a person; None if the grader computed the points."""
        return decision_of(self.grade, self.to)

    @cached_property
    def comments(self) -> tuple[Remark, ...]:
        """Comments of people."""
        return remarks_of(self.grade.comments)


@dataclass(frozen=True, slots=True)
class Group:
    """Missed criteria, with the cause that they share."""

    says: MessageLike
    """The cause; empty for a criterion that depends on no other problem."""
    advice: MessageLike
    code: str
    link: Link | None
    summary: Message | None
    criteria: tuple[CriterionView, ...]


@dataclass(frozen=True, slots=True)
class StepView:
    """A line of the list of next steps."""

    points: float
    title: MessageLike
    reason: str
    href: str


@dataclass(frozen=True, slots=True)
class Begin:
    """What to do first, and what to do after that."""

    title: MessageLike
    """The title of the criterion; empty for the cause of several criteria."""
    link: Link | None
    """The cell to begin with."""
    href: str
    """The place on the page that explains the step."""
    code: str
    says: MessageLike
    advice: MessageLike
    points: float
    gain: Message
    related: tuple[NoteView, ...]
    steps: tuple[StepView, ...]
    more: int
    """Number of further steps that are not listed."""


def criterion_views(
    criteria: Sequence[CriterionGrade], notes: Sequence[NoteView], main: ModelGrade | None, to: Target
) -> tuple[CriterionView, ...]:
    """Convert the criteria, in the order of the rubric.

    Args:
        criteria: The criteria.
        notes: The notes, which missed criteria link to.
        main: The graded model.
        to: The page.
    """
    return tuple(
        CriterionView(criterion, number, notes, main, to) for number, criterion in enumerate(criteria, start=1)
    )


def _code(criterion: CriterionGrade, to: Target) -> str:
    if criterion.status == "passed":
        return ""
    if criterion.cause is not None and criterion.cause.code:
        return criterion.cause.code
    return code_line(criterion.message, _cells(criterion), to.sources, to.models)


def _cells(criterion: CriterionGrade) -> tuple[int, ...]:
    """List the cells that a criterion is about: those that its message names, else those of its evidence."""
    named = [int(number) - 1 for number in _CELL.findall(criterion.message)]
    seen = [pointer.cell for pointer in criterion.evidence if pointer.cell is not None]
    return tuple(dict.fromkeys([cell for cell in named if cell in seen] or list(reversed(seen))))


def _related(criterion: CriterionGrade, notes: Sequence[NoteView], main: ModelGrade | None) -> tuple[NoteView, ...]:
    """Find the notes on the graded model in the cells of a missed criterion."""
    if not missed_points(criterion) or main is None or criterion.assurance is Assurance.STATED:
        return ()
    cells = {pointer.cell for pointer in criterion.evidence}
    return tuple(n for n in notes if n.note.model == main.id and n.note.cell in cells)[:_MOST_RELATED]


def _measured(criterion: CriterionGrade, to: Target) -> tuple[tuple[MessageLike, str], ...]:
    """List the measured values that the check labels; grades of an earlier version have no labels."""
    if criterion.measured_labels:
        return tuple(
            (label.says, to.language.value(criterion.measured[key], label.form))
            for key, label in criterion.measured_labels.items()
            if _fits(criterion.measured.get(key), label)
        )
    return tuple(
        (key.replace("_", " "), value(key, measurement, to.language))
        for key, measurement in criterion.measured.items()
        if isinstance(measurement, str | int | float)
    )


def _fits(measurement: Json, label: MeasureLabel) -> bool:
    """Whether there is a value that the format can write."""
    if measurement is None or measurement == [] or isinstance(measurement, Mapping):
        return False
    return not (label.form in _NUMERIC and isinstance(measurement, str))


def _steps(criterion: CriterionGrade) -> tuple[tuple[str, bool | None, MessageLike], ...]:
    steps = criterion.measured.get("steps")
    if not isinstance(steps, list | tuple):
        return ()
    return tuple(
        (str(step.get("step", "")), bool(step["holds"]) if step.get("holds") is not None else None, _seen(step))
        for step in steps
        if isinstance(step, Mapping)
    )


def _seen(step: Mapping[str, Json]) -> MessageLike:
    says = step.get("says")
    return Message.model_validate(says) if isinstance(says, Mapping) else str(step.get("seen", ""))


def groups_of(steps: Iterable[NextStep], views: Sequence[CriterionView], to: Target) -> tuple[Group, ...]:
    """Group the missed criteria: those with a cause first, then by the points that they can bring.

    Args:
        steps: The next steps, most points first.
        views: All criteria.
        to: The page.
    """
    by_id = {view.grade.id: view for view in views}
    ordered = sorted(steps, key=lambda step: step.cause is None)
    groups = [_group(step, by_id, to) for step in ordered]
    free = [v for v in views if v.grade.status in {"failed", "partial"} and not v.missed]
    return (*groups, *(Group("", "", "", None, None, (view,)) for view in free))


def _group(step: NextStep, by_id: Mapping[str, CriterionView], to: Target) -> Group:
    criteria = tuple(by_id[criterion.id] for criterion in step.criteria)
    cause = step.cause
    if cause is None or (len(criteria) == 1 and criteria[0].grade.evidence):
        return Group("", "", "", None, None, criteria)
    summary = say_count(
        "{count} criterion with {points:points} missing points depends on this.",
        "{count} criteria with {points:points} missing points depend on this.",
        len(criteria),
        points=step.points,
    )
    link = to.link(cause.cell, upper=True) if cause.cell is not None else None
    says, advice = to.text(cause.message, cause.says), to.text(cause.advice, cause.advice_says)
    return Group(says, advice, cause.code, link, summary, criteria)


def begin_view(steps: Sequence[NextStep], views: Sequence[CriterionView], to: Target) -> Begin | None:
    """Describe the step that brings most points, and list the next ones; None if nothing brings points."""
    if not steps:
        return None
    by_id = {view.grade.id: view for view in views}
    first, missing = steps[0], round(sum(step.points for step in steps), 2)
    lines = tuple(_step(step, by_id, to) for step in steps[1 : 1 + _MOST_STEPS])
    gain = _gain(first, missing)
    view, cause, more = by_id[first.criteria[0].id], first.cause, max(len(steps) - 1 - _MOST_STEPS, 0)
    own = _cells(first.criteria[0]) if first.criteria[0].assurance is not Assurance.STATED else ()
    cell = cause.cell if cause is not None else next(iter(own), None)
    return Begin(
        title=view.grade.title if cause is None else "",
        link=to.link(cell) if cell is not None else None,
        href=f"#{view.anchor}",
        code=view.code if cause is None else cause.code,
        says=view.message if cause is None else to.text(cause.message, cause.says),
        advice=view.advice if cause is None else to.text(cause.advice, cause.advice_says),
        points=first.points,
        gain=gain,
        related=view.related if cause is None else (),
        steps=lines,
        more=more,
    )


def _gain(step: NextStep, missing: float) -> Message:
    if step.cause is None:
        return say(
            "This brings up to {points:points} of the {missing:points} missing points.",
            points=step.points,
            missing=missing,
        )
    return say_count(
        "{count} criterion and {points:points} of the {missing:points} missing points depend on this.",
        "{count} criteria and {points:points} of the {missing:points} missing points depend on this.",
        len(step.criteria),
        points=step.points,
        missing=missing,
    )


def _step(step: NextStep, by_id: Mapping[str, CriterionView], to: Target) -> StepView:
    view = by_id[step.criteria[0].id]
    if step.cause is None:
        return StepView(step.points, view.grade.title, _first_sentence(view.message, to), f"#{view.anchor}")
    says = rendered(to.text(step.cause.message, step.cause.says), to.language)
    alone = len(step.criteria) == 1
    title, reason = (view.grade.title, says) if alone else (says, "")
    return StepView(step.points, title, reason, f"#{view.anchor}")


def _first_sentence(message: MessageLike, to: Target) -> str:
    """Return the first sentence of a message."""
    first = _SENTENCE_END.split(rendered(message, to.language), maxsplit=1)[0]
    if len(first) <= _LONGEST_REASON:
        return first
    # A cut between two backticks would show the rest as code.
    short = first[: first.rindex(" ", 0, _LONGEST_REASON)] if " " in first[:_LONGEST_REASON] else first
    return cut(short + ("`" if short.count("`") % 2 else "") + " …", _LONGEST_REASON + 4)

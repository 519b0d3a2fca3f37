"""Reduce a grade to its row on the class page and in the table of grades."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import quote

from grader.facts.graded_model import main_accuracy, main_model
from grader.report.ranking import Place, standing
from grader.schema.grade import AttemptsGrade, CriterionGrade, CriterionStatus, DiagnosticGrade, ExecutionGrade, Grade
from grader.schema.judgement import moment_text
from grader.schema.message import Message, as_message

__all__ = [
    "ClassRow",
    "CriterionCell",
    "NoteMark",
    "People",
    "RosterCell",
    "absent_row",
    "class_row",
    "relative",
    "with_shared_parts",
]


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
class NoteMark:
    """One kind of note that a submission got; the class page counts submissions, not notes."""

    id: str
    """The diagnostic's id."""
    title: Message


@dataclass(frozen=True, slots=True)
class People:
    """The decisions of people about one submission."""

    by: tuple[str, ...] = ()
    """Who judged its criteria, each once."""
    at: str = ""
    """When a criterion was judged last; empty if none was."""
    late_points: float | None = None
    """The deduction for a late submission, 0 or negative; None if it was not late."""
    excused: bool = False
    flags: tuple[str, ...] = ()
    """Criteria with a flag; `*` is the whole submission."""
    review: tuple[str, ...] = ()
    """Criteria with a judgement that needs another look."""
    requests: tuple[str, ...] = ()
    """Criteria with a request that nobody has answered."""


@dataclass(frozen=True, slots=True)
class RosterCell:
    """The student of a row, by the roster of the class."""

    id: str = ""
    name: str = ""
    email: str = ""
    login: str = ""
    section: str = ""
    group: str = ""
    sis_id: str = ""
    moodle_participant: str = ""


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
    notes: tuple[NoteMark, ...] = ()
    """The kinds of its notes, each once."""
    errors: tuple[str, ...] = ()
    """Names of its exceptions, each once, without those that follow from an earlier one."""
    problems: int = 0
    """Number of the grader's own failures to record, read or compute something."""
    threshold: float | None = None
    """Accuracy that the rubric requires for full marks; None if unknown."""
    rubric: str = ""
    """SHA-256 of the rubric."""
    people: People | None = None
    """The decisions of people; None without any."""
    edited: bool = False
    """Whether somebody edited its `grade.json` by hand."""
    submitted: str = ""
    """When it was handed in, in UTC; empty if unknown."""
    state: Literal["", "missing", "excused"] = ""
    """`missing`: the student handed in nothing. `excused`: the student is excused. Empty for any other row."""
    roster: RosterCell | None = None
    """The student in the roster; None if there is none."""

    @property
    def absent(self) -> bool:
        """Whether the row is about a student without a submission."""
        return self.state != "" and self.report is None

    @property
    def status(self) -> str:
        """The word for tables: `graded`, `not_graded`, `missing` or `excused`."""
        return self.state or ("graded" if self.graded else "not_graded")

    @property
    def borderline(self) -> bool:
        """Whether a person should look at a criterion that was missed within the noise."""
        return any(cell.borderline for cell in self.criteria)


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
        standing=standing(grade, ranked_by, relative(report)) if ranked_by else None,
        attempts=grade.attempts.asked if grade.attempts else 0,
        spread=_spread(grade.attempts),
        notes=tuple({note.id: _mark(note) for note in grade.diagnostics}.values()),
        errors=_root_errors(grade.execution),
        problems=len(grade.problems),
        threshold=_threshold(grade),
        rubric=grade.rubric.sha256,
        people=_people(grade),
        submitted="" if grade.submission.submitted is None else moment_text(grade.submission.submitted),
    )


def absent_row(name: str, state: Literal["missing", "excused"], max_score: float, roster: RosterCell) -> ClassRow:
    """Make the row of a student without a submission.

    Args:
        name: The student's name.
        state: What is known of the student.
        max_score: The most points of the assignment.
        roster: The student in the roster.
    """
    return ClassRow(
        id="",
        student=name,
        graded=False,
        reason="",
        score=None,
        max_score=max_score,
        pending=0.0,
        criteria=(),
        model="",
        accuracy=None,
        accuracy_on="",
        parameters=None,
        execution="",
        report=None,
        state=state,
        roster=roster,
    )


def _people(grade: Grade) -> People | None:
    judged = [line.judged for line in grade.criteria if line.judged is not None]
    people = People(
        by=tuple(dict.fromkeys(one.by for one in judged)),
        at=moment_text(max(one.at for one in judged)) if judged else "",
        late_points=None if grade.late is None else grade.late.points,
        excused=grade.excused is not None,
        flags=tuple(dict.fromkeys(one.criterion for one in grade.flags)),
        review=tuple(dict.fromkeys(one.criterion for one in grade.review)),
        requests=tuple(dict.fromkeys(one.criterion for one in grade.requests if one.answer is None)),
    )
    return None if people == People() else people


def relative(address: str | None) -> str | None:
    """Convert a relative path to a link that cannot lead to another scheme or host."""
    if address is None:
        return None
    return f"./{quote(address.lstrip('/'))}"


def with_shared_parts(row: ClassRow, parts: dict[Any, Any]) -> ClassRow:
    """Let a row share its equal parts with other rows, to save memory in large classes.

    Args:
        row: The row.
        parts: The parts of all rows so far; the row's new parts are added.
    """
    criteria = tuple(parts.setdefault(cell, cell) for cell in row.criteria)
    notes = tuple(parts.setdefault(note, note) for note in row.notes)
    return replace(
        row,
        criteria=parts.setdefault(criteria, criteria),
        notes=parts.setdefault(notes, notes),
        errors=parts.setdefault(row.errors, row.errors),
        model=parts.setdefault(row.model, row.model),
        accuracy_on=parts.setdefault(row.accuracy_on, row.accuracy_on),
        execution=parts.setdefault(row.execution, row.execution),
        rubric=parts.setdefault(row.rubric, row.rubric),
    )


def _criterion_cell(line: CriterionGrade) -> CriterionCell:
    return CriterionCell(line.id, line.title, line.status, line.points, line.max_points, line.borderline)


def _mark(note: DiagnosticGrade) -> NoteMark:
    return NoteMark(note.id, note.title_says or as_message(note.title))


def _root_errors(execution: ExecutionGrade | None) -> tuple[str, ...]:
    if execution is None:
        return ()
    return tuple(dict.fromkeys(error.name for error in execution.errors if error.follows is None))


def _threshold(grade: Grade) -> float | None:
    """Find the accuracy that earns full marks among the measured values of the accuracy criterion."""
    for line in grade.criteria:
        measured: Mapping[str, Any] = line.measured
        if "accuracy" in measured and isinstance(wanted := measured.get("at_least"), (int, float)):
            return float(wanted)
    return None


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

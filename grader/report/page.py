"""Render the report of one submission: one HTML file that opens anywhere, loads nothing and runs nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from grader.facts.graded_model import accuracy_fact, main_accuracy, main_model, reference_model
from grader.facts.language import Language, english
from grader.report.attempts import attempts_view
from grader.report.bars import VERDICTS, points_bar
from grader.report.comparison import comparison_view
from grader.report.confusion import Confusion, Mistake, confusion, mistakes
from grader.report.curves import CurveRow, Curves, curve_panel, curve_rows, learning_curves
from grader.report.edition import edition
from grader.report.layers import LayerPair, aligned
from grader.report.notebook import CellView, cell_anchor, notebook_cells
from grader.report.templating import Templates, asset, environment, policy
from grader.report.text import DASH, ENGLISH, count, duration, value
from grader.schema.base import Assurance, Pointer
from grader.schema.evidence import Evidence, ModelFact
from grader.schema.grade import Audience, CriterionGrade, DiagnosticGrade, ExecutionGrade, Grade, ModelGrade
from grader.schema.message import Message, MessageLike, say, sentences
from grader.schema.rubric import Rubric

__all__ = ["ASSURANCES", "Images", "render_report"]

T = TypeVar("T")

Images = Mapping[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]
"""Map from data set and split, such as `mnist/test`, to images and labels."""

ASSURANCES: Final[Mapping[Assurance, Message]] = {
    Assurance.VERIFIED: say("computed by the grader outside the notebook's process"),
    Assurance.RECORDED: say("recorded while the notebook ran"),
    Assurance.STATED: say("claimed by the notebook's own text or printed output"),
}
_RESULTS: Final[Mapping[str, Message]] = {
    "completed": say("All cells ran without an error."),
    "cell_error": say("All cells ran, but at least one raised an error."),
    "timeout": say("The time budget was used up."),
    "memory": say("The memory, disk or process budget was used up."),
    "died": say("The kernel died."),
}
_ISOLATIONS: Final[Mapping[str, Message]] = {
    "bubblewrap": say("bubblewrap sandbox"),
    "container": say("container"),
    "none": say("none: the notebook ran with the grader's permissions"),
}
_DIALECTS: Final[Mapping[str, str]] = {"keras3": "Keras 3", "keras2": "Keras 2 (tf_keras)"}
_MIB: Final = 1 << 20
_MOST_MISTAKES: Final = 40


@dataclass(frozen=True, slots=True)
class Link:
    """Name of a cell, with a link if the cell is on the page."""

    label: str
    href: str | None


@dataclass(frozen=True, slots=True)
class CriterionView:
    """One criterion in the form that the template shows."""

    grade: CriterionGrade
    anchor: str
    verdict: Message
    measured: tuple[tuple[str, str], ...]
    assurance: str
    assurance_text: Message | None
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class NoteView:
    """A diagnostic in the form that the template shows, in the list of notes and next to its cell."""

    note: DiagnosticGrade
    anchor: str
    link: Link | None


@dataclass(frozen=True, slots=True)
class NetworkView:
    """The layer table and the figures above it."""

    name: str
    parameters: str
    reference_parameters: str
    pairs: tuple[LayerPair, ...]
    with_reference: bool
    assurance: str
    assurance_text: Message | None


@dataclass(frozen=True, slots=True)
class CurvesView:
    """Plot of the learning curves, and the same figures as a table."""

    name: str
    """Name of the model."""
    panels: tuple[Markup, ...]
    rows: tuple[CurveRow, ...]
    student: Curves
    reference: Curves


@dataclass(frozen=True, slots=True)
class PredictionsView:
    """Wrong predictions of the model."""

    matrix: Confusion
    mistakes: tuple[Mistake, ...]
    data: str
    assurance: Message


def render_report(  # noqa: PLR0913  all by keyword: each is a separate document
    *,
    grade: Grade,
    evidence: Evidence | None,
    reference: Evidence | None,
    notebook: Mapping[str, Any] | None,
    images: Images,
    rubric: Rubric | None = None,
    audience: Audience = "instructor",
    templates: Path | Templates,
    language: Language = ENGLISH,
) -> str:
    """Render one grade as a self-contained HTML page.

    The function only reads the templates; it sends, loads and executes nothing. All text of the student is escaped or
    sanitized. The page's policy forbids scripts, external addresses, and any style except its own.

    Args:
        grade: The grade to show.
        evidence: The submission's evidence, for curves and predictions; None omits them.
        reference: The reference's evidence; None omits the comparison of curves and layers.
        notebook: The executed notebook (nbformat 4); None omits it.
        images: Test images, uint8 of shape (n, 28, 28) or (n, 32, 32, 3), and their labels (n,), with keys such as
            `mnist/test`; without the required key, the confusion matrix is omitted.
        rubric: The rubric, which decides with the grade what students may see.
        audience: The readers; `student` omits everything that `edition` removes.
        templates: The templates, or their folder.
        language: The language of messages and figures.

    Returns:
        The page.

    Raises:
        StorageError: The style sheet cannot be read.
    """
    parts, no_cells = _Parts(), tuple[CellView, ...]()
    cells = parts.make(say("the notebook"), lambda: notebook_cells(notebook, language), no_cells)
    places = {cell.index for cell in cells}
    grade = edition(grade, rubric, audience)
    if audience == "student" and grade.reference is None:
        reference = None
    model = main_model(grade)
    theirs = reference_model(grade, reference)
    to = _Target(places, language)
    criteria = tuple(_criterion(number, criterion, to) for number, criterion in enumerate(grade.criteria, start=1))
    notes = tuple(_note(number, note, to) for number, note in enumerate(grade.diagnostics, start=1))
    style = asset(templates, "report.css")
    view = {
        "grade": grade,
        "audience": audience,
        "title": _title(grade),
        "bar": points_bar(grade.criteria, grade.max_score, language) if grade.status == "graded" else Markup(),
        "totals": _totals(grade.criteria),
        "criteria": criteria,
        "notes": notes,
        "curves": parts.make(
            say("the learning curves"), lambda: _curves(evidence, model, reference, theirs, language), None
        ),
        "network": parts.make(say("the table of layers"), lambda: _network(model, theirs, language), None),
        "comparison": parts.make(
            say("the comparison with the reference solution"),
            lambda: comparison_view(grade, evidence, reference, theirs, language),
            None,
        ),
        "predictions": parts.make(say("the wrong predictions"), lambda: _predictions(grade, evidence, images), None),
        "attempts": attempts_view(grade.attempts, language),
        "facts": _facts(grade.execution, language),
        "errors": _errors(grade.execution, to),
        # A grade of an earlier version has no problems of its own.
        "problems": tuple(
            dict.fromkeys(
                (
                    *grade.problems,
                    *(map(english, evidence.problems) if evidence else ()),
                    *map(language.text, parts.failed),
                )
            )
        ),
        "versions": sorted(grade.execution.versions.items()) if grade.execution else [],
        "emulations": grade.execution.emulations if grade.execution else (),
        "cells": cells,
        "left_out": _cells_of(notebook) - len(cells),
        "margins": _margins(cells, criteria, notes),
        "style": style.body,
        "policy": policy(style),
    }
    return environment(templates, language).get_template("report.html.j2").render(view)


class _Parts:
    """Renders the optional parts of the page; a part that fails is left out and named among the problems."""

    def __init__(self) -> None:
        self.failed: list[Message] = []

    def make(self, name: Message, part: Callable[[], T], without: T) -> T:
        """Render one part.

        Args:
            name: The part, such as "the learning curves".
            part: Renders it.
            without: The value if that fails.
        """
        try:
            return part()
        except Exception as error:  # noqa: BLE001 - no part of the page may cost the student the other parts
            self.failed.append(
                say(
                    "The grader could not show {part} ({error:raw}). This does not affect the grade.",
                    part=name,
                    error=type(error).__name__,
                )
            )
            return without


def _title(grade: Grade) -> str:
    """Return the heading of the page: the name of the assignment."""
    return grade.rubric.title or grade.rubric.id


@dataclass(frozen=True, slots=True)
class _Target:
    """The page that links lead to: the indexes of its cells, and its language."""

    cells: set[int]
    language: Language

    def link(self, cell: int | None) -> Link:
        href = f"#{cell_anchor(cell)}" if cell is not None and cell in self.cells else None
        return Link(self.language.cell(cell), href)

    def links(self, pointers: Sequence[Pointer]) -> tuple[Link, ...]:
        """Link each cell once, in order."""
        cells = dict.fromkeys(pointer.cell for pointer in pointers if pointer.cell is not None)
        return tuple(self.link(cell) for cell in cells)


def _criterion(number: int, criterion: CriterionGrade, to: _Target) -> CriterionView:
    return CriterionView(
        grade=criterion,
        anchor=f"criterion-{number}",
        verdict=VERDICTS[criterion.status],
        measured=tuple(
            (key.replace("_", " "), value(key, measurement, to.language))
            for key, measurement in criterion.measured.items()
            if measurement is not None
        ),
        assurance=criterion.assurance.value if criterion.assurance else "",
        assurance_text=ASSURANCES[criterion.assurance] if criterion.assurance else None,
        links=to.links(criterion.evidence),
    )


def _note(number: int, note: DiagnosticGrade, to: _Target) -> NoteView:
    return NoteView(note, f"note-{number}", to.link(note.cell) if note.cell is not None else None)


def _totals(shown: Sequence[CriterionGrade]) -> Mapping[str, float]:
    """Sum the earned, waiting and missed points of the shown criteria."""
    waiting = sum(c.max_points for c in shown if c.status == "pending" and not c.bonus)
    earned = sum(c.points for c in shown if not c.bonus)
    bonus = sum(c.points for c in shown if c.bonus)
    missed = sum(c.max_points for c in shown if not c.bonus) - waiting - earned
    return {"earned": earned, "waiting": waiting, "missed": max(missed, 0.0), "bonus": bonus}


def _curves(
    evidence: Evidence | None,
    model: ModelGrade | None,
    reference: Evidence | None,
    theirs: ModelFact | None,
    language: Language,
) -> CurvesView | None:
    fits = evidence.fits_of(model.id) if evidence is not None and model is not None else ()
    student = learning_curves(fits)
    other = learning_curves(reference.fits_of(theirs.id) if reference is not None and theirs is not None else ())
    if model is None or not student.drawn:
        return None
    panels = (curve_panel("accuracy", student, other, language), curve_panel("loss", student, other, language))
    rows = curve_rows(student, other, language)
    return CurvesView(model.name, tuple(panel for panel in panels if panel), rows, student, other)


def _network(model: ModelGrade | None, theirs: ModelFact | None, language: Language) -> NetworkView | None:
    if model is None:
        return None
    other = theirs.counted_layers() if theirs else ()
    return NetworkView(
        name=model.name,
        parameters=count(model.parameters, language),
        reference_parameters=count(theirs.parameters if theirs else None, language),
        pairs=aligned(model.layers, other, language),
        with_reference=bool(other),
        assurance=model.assurance.value,
        assurance_text=ASSURANCES[model.assurance],
    )


def _predictions(grade: Grade, evidence: Evidence | None, images: Images) -> PredictionsView | None:
    model, accuracy = main_model(grade), main_accuracy(grade)
    key = accuracy[0] if accuracy else None
    fact = accuracy_fact(evidence, model.id if model else None, key)
    if fact is None or not fact.predicted:
        return None
    data = f"{fact.dataset}/{fact.split}"
    if data not in images:
        return None
    pixels, labels = images[data]
    predicted = np.asarray(fact.predicted)
    matrix = confusion(labels, predicted.tolist(), fact.dataset)
    if matrix is None:
        return None
    wrong = mistakes(pixels, labels, predicted.tolist(), fact.dataset, _MOST_MISTAKES)
    return PredictionsView(matrix, wrong, data, ASSURANCES[fact.assurance])


def _facts(execution: ExecutionGrade | None, language: Language) -> tuple[tuple[Message, MessageLike], ...]:
    """List facts of the execution as pairs of a name and a text."""
    if execution is None:
        return ()
    memory = execution.peak_memory_mib
    return (
        (say("Result"), sentences(_RESULTS[execution.status], execution.reason)),
        (say("Cells run"), say("{run} of {total}", run=execution.cells_run, total=execution.cells_total)),
        (say("Time"), duration(execution.seconds, language)),
        (say("Peak memory"), DASH if memory is None else language.size(memory * _MIB)),
        (say("Device"), execution.device),
        (say("Seed"), str(execution.seed)),
        (say("Dialect"), _DIALECTS.get(execution.dialect, execution.dialect)),
        (say("Isolation"), _ISOLATIONS.get(execution.isolation, execution.isolation)),
    )


def _errors(execution: ExecutionGrade | None, to: _Target) -> tuple[tuple[Any, Link], ...]:
    return tuple((error, to.link(error.cell)) for error in execution.errors) if execution else ()


def _cells_of(notebook: Mapping[str, Any] | None) -> int:
    cells = notebook.get("cells") if notebook is not None else None
    return len(cells) if isinstance(cells, list) else 0


def _margins(
    cells: Sequence[CellView], criteria: Sequence[CriterionView], notes: Sequence[NoteView]
) -> Mapping[int, tuple[list[CriterionView], list[NoteView]]]:
    """Collect the criteria and notes in the margin of each cell."""
    margins: dict[int, tuple[list[CriterionView], list[NoteView]]] = {cell.index: ([], []) for cell in cells}
    for criterion in criteria:
        for index in dict.fromkeys(pointer.cell for pointer in criterion.grade.evidence):
            if index in margins:
                margins[index][0].append(criterion)
    for note in notes:
        if note.note.cell in margins:
            margins[note.note.cell][1].append(note)
    return margins

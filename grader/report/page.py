"""Render the report of one submission: one HTML file that opens anywhere, loads nothing and runs nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from grader.facts.graded_model import accuracy_fact, main_accuracy, main_model, reference_model
from grader.facts.language import english
from grader.report.attempts import attempts_view
from grader.report.bars import points_bar
from grader.report.comparison import comparison_view
from grader.report.confusion import Confusion, Mistake, confusion, mistakes
from grader.report.curves import CurveRow, Curves, curve_panel, curve_rows, learning_curves
from grader.report.layers import LayerPair, aligned
from grader.report.notebook import CellView, cell_anchor, notebook_cells
from grader.report.templating import asset, environment, policy
from grader.report.text import DASH, count, duration, value
from grader.schema.base import Assurance, Pointer, spoken_cell
from grader.schema.evidence import Evidence, ModelFact
from grader.schema.grade import CriterionGrade, DiagnosticGrade, ExecutionGrade, Grade, ModelGrade

__all__ = ["ASSURANCE_WORDS", "VERDICT_WORDS", "Audience", "Images", "render_report"]

Audience = Literal["instructor", "student"]
Images = Mapping[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]
"""Map from data set and split, such as `mnist/test`, to images and labels."""

VERDICT_WORDS: Final[Mapping[str, str]] = {
    "passed": "Full marks",
    "partial": "Part of the points",
    "failed": "Missed",
    "pending": "Waits for a person",
    "skipped": "Not judged",
}
ASSURANCE_WORDS: Final[Mapping[Assurance, str]] = {
    Assurance.VERIFIED: "computed by the grader itself, from what the notebook left behind",
    Assurance.RECORDED: "seen by the recorder while the notebook ran",
    Assurance.STATED: "only what the notebook's own text or printed output says",
}
_EXECUTION_WORDS: Final[Mapping[str, str]] = {
    "completed": "Ran from top to bottom without an error",
    "cell_error": "Ran to the end, but a cell raised an error",
    "timeout": "The time budget ran out",
    "memory": "The memory, disk or process budget ran out",
    "died": "The kernel ended by itself",
}
_ISOLATION_WORDS: Final[Mapping[str, str]] = {
    "bubblewrap": "bubblewrap sandbox",
    "container": "container",
    "none": "none: the notebook ran with the grader's own rights",
}
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
    word: str
    measured: tuple[tuple[str, str], ...]
    assurance: str
    assurance_words: str
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
    assurance_words: str


@dataclass(frozen=True, slots=True)
class CurvesView:
    """Plot of the learning curves, and the same figures as a table."""

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
    assurance: str


def render_report(  # noqa: PLR0913  all by keyword: each is a separate document
    *,
    grade: Grade,
    evidence: Evidence | None,
    reference: Evidence | None,
    notebook: Mapping[str, Any] | None,
    images: Images,
    audience: Audience = "instructor",
    templates: Path,
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
        audience: `student` omits hidden criteria.
        templates: Folder of the templates.

    Returns:
        The page.

    Raises:
        StorageError: The style sheet cannot be read.
    """
    cells = notebook_cells(notebook)
    places = {cell.index for cell in cells}
    shown = [criterion for criterion in grade.criteria if audience == "instructor" or not criterion.hidden]
    model = main_model(grade)
    theirs = reference_model(grade, reference)
    criteria = tuple(_criterion(number, criterion, places) for number, criterion in enumerate(shown, start=1))
    notes = tuple(_note(number, note, places) for number, note in enumerate(grade.diagnostics, start=1))
    style = asset(templates, "report.css")
    view = {
        "grade": grade,
        "audience": audience,
        "title": _title(grade),
        "bar": points_bar(shown, grade.max_score) if grade.status == "graded" else Markup(),
        "totals": _totals(shown),
        "unseen": any(c.hidden and c.max_points for c in grade.criteria) and audience == "student",
        "criteria": criteria,
        "notes": notes,
        "curves": _curves(evidence, model, reference, theirs),
        "network": _network(model, theirs),
        "comparison": comparison_view(grade, evidence, reference, theirs),
        "predictions": _predictions(grade, evidence, images),
        "attempts": attempts_view(grade.attempts),
        "facts": _facts(grade.execution),
        "errors": _errors(grade.execution, places),
        # A grade of an earlier version has no problems of its own.
        "problems": tuple(dict.fromkeys((*grade.problems, *(map(english, evidence.problems) if evidence else ())))),
        "versions": sorted(grade.execution.versions.items()) if grade.execution else [],
        "emulations": grade.execution.emulations if grade.execution else (),
        "cells": cells,
        "left_out": _cells_of(notebook) - len(cells),
        "beside": _beside(cells, criteria, notes),
        "style": style.body,
        "policy": policy(style),
    }
    return environment(templates).get_template("report.html.j2").render(view)


def _title(grade: Grade) -> str:
    """Return the heading of the page: the name of the assignment."""
    return grade.rubric.title or grade.rubric.id


def _link(cell: int | None, places: set[int]) -> Link:
    return Link(spoken_cell(cell), f"#{cell_anchor(cell)}" if cell is not None and cell in places else None)


def _links(pointers: Sequence[Pointer], places: set[int]) -> tuple[Link, ...]:
    """Link each cell once, in order."""
    cells = dict.fromkeys(pointer.cell for pointer in pointers if pointer.cell is not None)
    return tuple(_link(cell, places) for cell in cells)


def _criterion(number: int, criterion: CriterionGrade, places: set[int]) -> CriterionView:
    return CriterionView(
        grade=criterion,
        anchor=f"criterion-{number}",
        word=VERDICT_WORDS[criterion.status],
        measured=tuple(
            (key.replace("_", " "), value(key, measurement))
            for key, measurement in criterion.measured.items()
            if measurement is not None
        ),
        assurance=criterion.assurance.value if criterion.assurance else "",
        assurance_words=ASSURANCE_WORDS[criterion.assurance] if criterion.assurance else "",
        links=_links(criterion.evidence, places),
    )


def _note(number: int, note: DiagnosticGrade, places: set[int]) -> NoteView:
    return NoteView(note, f"note-{number}", _link(note.cell, places) if note.cell is not None else None)


def _totals(shown: Sequence[CriterionGrade]) -> Mapping[str, float]:
    """Sum the earned, waiting and missed points of the shown criteria."""
    waiting = sum(c.max_points for c in shown if c.status == "pending" and not c.bonus)
    earned = sum(c.points for c in shown if not c.bonus)
    bonus = sum(c.points for c in shown if c.bonus)
    missed = sum(c.max_points for c in shown if not c.bonus) - waiting - earned
    return {"earned": earned, "waiting": waiting, "missed": max(missed, 0.0), "bonus": bonus}


def _curves(
    evidence: Evidence | None, model: ModelGrade | None, reference: Evidence | None, theirs: ModelFact | None
) -> CurvesView | None:
    fits = evidence.fits_of(model.id) if evidence is not None and model is not None else ()
    student = learning_curves(fits)
    other = learning_curves(reference.fits_of(theirs.id) if reference is not None and theirs is not None else ())
    if not student.drawn:
        return None
    panels = (curve_panel("accuracy", student, other), curve_panel("loss", student, other))
    return CurvesView(tuple(panel for panel in panels if panel), curve_rows(student, other), student, other)


def _network(model: ModelGrade | None, theirs: ModelFact | None) -> NetworkView | None:
    if model is None:
        return None
    other = theirs.counted_layers() if theirs else ()
    return NetworkView(
        name=model.name,
        parameters=count(model.parameters),
        reference_parameters=count(theirs.parameters if theirs else None),
        pairs=aligned(model.layers, other),
        with_reference=bool(other),
        assurance=model.assurance.value,
        assurance_words=ASSURANCE_WORDS[model.assurance],
    )


def _predictions(grade: Grade, evidence: Evidence | None, images: Images) -> PredictionsView | None:
    model, known = main_model(grade), main_accuracy(grade)
    key = known[0] if known else None
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
    return PredictionsView(matrix, wrong, data, ASSURANCE_WORDS[fact.assurance])


def _facts(execution: ExecutionGrade | None) -> tuple[tuple[str, str], ...]:
    """List facts of the execution as pairs of a name and a text."""
    if execution is None:
        return ()
    memory = DASH if execution.peak_memory_mib is None else f"{count(round(execution.peak_memory_mib))} MiB"
    dialect = {"keras3": "Keras 3", "keras2": "Keras 2 (tf_keras)"}.get(execution.dialect, execution.dialect)
    result = _EXECUTION_WORDS[execution.status]
    return (
        ("Result", f"{result}. {execution.reason}" if execution.reason else result),
        ("Cells run", f"{execution.cells_run} of {execution.cells_total}"),
        ("Time", duration(execution.seconds)),
        ("Most memory", memory),
        ("Device", execution.device),
        ("Seed", str(execution.seed)),
        ("Dialect", dialect),
        ("Isolation", _ISOLATION_WORDS.get(execution.isolation, execution.isolation)),
    )


def _errors(execution: ExecutionGrade | None, places: set[int]) -> tuple[tuple[Any, Link], ...]:
    return tuple((error, _link(error.cell, places)) for error in execution.errors) if execution else ()


def _cells_of(notebook: Mapping[str, Any] | None) -> int:
    cells = notebook.get("cells") if notebook is not None else None
    return len(cells) if isinstance(cells, list) else 0


def _beside(
    cells: Sequence[CellView], criteria: Sequence[CriterionView], notes: Sequence[NoteView]
) -> Mapping[int, tuple[list[CriterionView], list[NoteView]]]:
    """Collect the criteria and notes in the margin of each cell."""
    margin: dict[int, tuple[list[CriterionView], list[NoteView]]] = {cell.index: ([], []) for cell in cells}
    for criterion in criteria:
        for index in dict.fromkeys(pointer.cell for pointer in criterion.grade.evidence):
            if index in margin:
                margin[index][0].append(criterion)
    for note in notes:
        if note.note.cell in margin:
            margin[note.note.cell][1].append(note)
    return margin

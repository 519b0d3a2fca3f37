"""What the models of a notebook achieved: curves, mistakes and layers, one part for each graded model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from grader.facts.graded_model import accuracy_fact, main_accuracy, main_model
from grader.facts.language import Language
from grader.report.confusion import ConfusedPair, Confusion, confused_pairs, confusion
from grader.report.criteria import ASSURANCES
from grader.report.curves import CurveRow, Curves, curve_panel, curve_rows, learning_curves
from grader.report.diagram import diagram
from grader.report.text import count
from grader.schema.evidence import Evidence, ModelFact
from grader.schema.grade import AccuracyGrade, Grade, ModelGrade
from grader.schema.message import Message, say

__all__ = ["CurvesView", "Images", "ModelView", "NetworkView", "Parts", "PredictionsView", "model_views"]

T = TypeVar("T")

Images = Mapping[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]
"""Map from data set and split, such as `mnist/test`, to images and labels."""
_MOST_TABS: Final = 8
"""Maximum number of models that are shown; the style sheet has a rule for each tab."""
_GRAY_AXES, _GRAY_IMAGES, _COLOR_IMAGES = 3, 4, 3


class Parts:
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
class NetworkView:
    """The diagram of the layers, and the figures above it."""

    name: str
    parameters: str
    reference_parameters: str
    drawing: Markup
    reference: Markup
    """The diagram of the reference's model; empty if it is not shown."""
    assurance: str


@dataclass(frozen=True, slots=True)
class PredictionsView:
    """Wrong predictions of the model."""

    matrix: Confusion
    pairs: tuple[ConfusedPair, ...]
    data: str
    assurance: Message


@dataclass(frozen=True, slots=True)
class ModelView:
    """One graded model: the content of one tab."""

    key: str
    """Makes ids unique on the page."""
    name: str
    roles: tuple[str, ...]
    main: bool
    accuracy: tuple[str, AccuracyGrade] | None
    curves: CurvesView | None
    network: NetworkView | None
    predictions: PredictionsView | None


@dataclass(frozen=True, slots=True)
class _Sources:
    """Everything that the parts of one model are made from."""

    grade: Grade
    evidence: Evidence | None
    reference: Evidence | None
    theirs: ModelFact | None
    images: Images
    language: Language


def model_views(  # noqa: PLR0913, PLR0917 - each is a separate document
    grade: Grade,
    evidence: Evidence | None,
    reference: Evidence | None,
    theirs: ModelFact | None,
    images: Images,
    language: Language,
    parts: Parts,
) -> tuple[ModelView, ...]:
    """Describe the models with a role, the graded model first in its place, at most eight.

    Args:
        grade: The grade.
        evidence: The submission's evidence; None omits curves and mistakes.
        reference: The reference's evidence; None omits the reference.
        theirs: The reference's model that is compared with the graded model.
        images: Test images and labels.
        language: The language of the texts.
        parts: Collects parts that cannot be rendered.
    """
    main = main_model(grade)
    shown = [model for model in grade.models if model.roles or model is main]
    sources = _Sources(grade, evidence, reference, theirs, images, language)
    return tuple(
        _model_view(f"m{number}", model, sources, parts, main=model is main)
        for number, model in enumerate(shown[:_MOST_TABS], start=1)
    )


def _model_view(key: str, model: ModelGrade, sources: _Sources, parts: Parts, *, main: bool) -> ModelView:
    return ModelView(
        key=key,
        name=model.name,
        roles=model.roles,
        main=main,
        accuracy=_accuracy(sources.grade, model, main=main),
        curves=parts.make(say("the learning curves"), lambda: _curves(key, model, sources, main=main), None),
        network=parts.make(say("the diagram of the layers"), lambda: _network(key, model, sources, main=main), None),
        predictions=parts.make(say("the wrong predictions"), lambda: _predictions(model, sources, main=main), None),
    )


def _accuracy(grade: Grade, model: ModelGrade, *, main: bool) -> tuple[str, AccuracyGrade] | None:
    return main_accuracy(grade) if main else next(iter(model.accuracy.items()), None)


def _curves(key: str, model: ModelGrade, sources: _Sources, *, main: bool) -> CurvesView | None:
    evidence, reference, theirs = sources.evidence, sources.reference, sources.theirs
    student = learning_curves(evidence.fits_of(model.id) if evidence is not None else ())
    compared = main and reference is not None and theirs is not None
    other = learning_curves(reference.fits_of(theirs.id) if compared and reference and theirs else ())
    if not student.drawn:
        return None
    language = sources.language
    panels = (
        curve_panel("accuracy", student, other, language, key=key),
        curve_panel("loss", student, other, language, key=key),
    )
    rows = curve_rows(student, other, language)
    return CurvesView(model.name, tuple(panel for panel in panels if panel), rows, student, other)


def _network(key: str, model: ModelGrade, sources: _Sources, *, main: bool) -> NetworkView:
    theirs, language = sources.theirs if main else None, sources.language
    drawing = diagram(f"{key}-layers", model.name, model.layers, language)
    other = diagram(f"{key}-reference", theirs.name, theirs.counted_layers(), language) if theirs else Markup()
    return NetworkView(
        name=model.name,
        parameters=count(model.parameters, language),
        reference_parameters=count(theirs.parameters if theirs else None, language),
        drawing=drawing,
        reference=other,
        assurance=model.assurance.value,
    )


def _predictions(model: ModelGrade, sources: _Sources, *, main: bool) -> PredictionsView | None:
    accuracy = _accuracy(sources.grade, model, main=main)
    fact = accuracy_fact(sources.evidence, model.id, accuracy[0] if accuracy else None)
    if fact is None or not fact.predicted:
        return None
    data = "/".join(part for part in (fact.dataset, fact.split, fact.task) if part)
    if data not in sources.images:
        return None
    pixels, labels = sources.images[data]
    predicted = np.asarray(fact.predicted).tolist()
    matrix = confusion(labels, predicted, fact.dataset)
    if matrix is None:
        return None
    number = _images_each(pixels, main=main)
    pairs = confused_pairs(pixels, labels, predicted, fact.dataset, most_images=number)
    return PredictionsView(matrix, pairs, data, ASSURANCES[fact.assurance])


def _images_each(pixels: npt.NDArray[Any], *, main: bool) -> int:
    """Return how many images to show of one pair of classes.

    A color image takes eight times the space of a digit, so that only the graded model has some.
    """
    if pixels.ndim > _GRAY_AXES:
        return _COLOR_IMAGES if main else 0
    return _GRAY_IMAGES

"""Which predictions the predictor is asked for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from grader.evidence.artefacts import ArrayReader
from grader.evidence.provenance import DatasetIndex
from grader.evidence.transform import PixelMap, Preparation, describe_transform, prepare_images
from grader.facts.recognition import known_rows
from grader.facts.tasks import label_classes, names_classes, tasks_of
from grader.facts.weights import ancestor_of
from grader.schema.errors import ArtefactError, DatasetMissingError
from grader.schema.evidence import ArrayFact, Evidence, ModelFact, Shape, TransformFact
from grader.schema.rubric import Rubric

__all__ = [
    "Moment",
    "PredictionPlan",
    "PredictionResult",
    "Reading",
    "Task",
    "can_read",
    "part_of_split",
    "plan_inputs",
    "plan_predictions",
    "whole_split",
]

Form = Literal["keras", "saved_model", "predictions"]
Moment = Literal["trained", "later"]

_LATER = "as it was after another network's training had changed layers that both hold"
_PROBE = 500
"""Images whose range is compared with a training array's."""

_CANDIDATES = (
    TransformFact(kind="affine", scale=1 / 255, shift=0.0),
    TransformFact(kind="affine", scale=1.0, shift=0.0),
    TransformFact(kind="affine", scale=1 / 255, shift=-0.5),
    TransformFact(kind="affine", scale=1 / 127.5, shift=-1.0),
    TransformFact(kind="per_image", rule="standardise"),
    TransformFact(kind="per_image", rule="l2_columns"),
)
"""Preparations that are tried where a model's own was not recognised, the commonest first."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What predictions are judged against: a whole split, or the images of some of its classes."""

    dataset: str
    split: str
    images: NDArray[np.uint8]
    """Raw, (n, h, w[, c])."""
    labels: NDArray[np.int32]
    """Classes by the data set's own numbers, one an image."""
    classes: int
    """Outputs a network for this task has."""
    name: str | None = None
    """The rubric's name for it; None for a whole split."""
    members: tuple[int, ...] = ()
    """The classes of a part; a network's labels for them may be any."""
    binary: bool = False
    """Whether one output may tell two classes apart."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a network's outputs name classes, where they are not simply the data set's own.

    Attributes:
        labels: Label → class. Output k stands for the label k; a single output decides between the labels 0 and 1.
        threshold: From where on a single output says 1: 0.5 for a probability, 0 for a logit.
    """

    labels: Mapping[int, int]
    threshold: float


@dataclass(frozen=True, slots=True, eq=False)
class PredictionPlan:
    """One job for the predictor."""

    id: str
    """Unique among a submission's plans; letters, digits, `-` and `_`."""
    model: str
    dataset: str
    split: str
    artefact: str
    """The kept model (or, for the form `predictions`, its outputs), relative to the evidence folder."""
    format: Form
    dialect: Literal["keras3", "keras2"]
    input_shape: Shape
    """One input without the batch axis."""
    preparation: Preparation
    preprocessing: str
    """The preparation in words."""
    note: str = ""
    """How the preparation was found, where it is not simply the training's own."""
    guessed: bool = False
    """Whether it is one of several candidates, of which the best counts."""
    part: Task | None = None
    """The part of the split that is predicted; None for all of it."""
    reading: Reading | None = None
    """How the outputs of a network for a part are read."""
    moment: Moment = "trained"
    """Whether the model as it was trained is judged, or as another network's training left it."""

    @property
    def key(self) -> tuple[str, str, str, str | None, Moment]:
        """Model, data set, split, task, moment: plans with the same ones compete, and the best counts."""
        return self.model, self.dataset, self.split, self.part.name if self.part else None, self.moment


@dataclass(frozen=True, slots=True, eq=False)
class PredictionResult:
    """What one job came to."""

    plan: PredictionPlan
    outputs: NDArray[Any] | None
    """One row of outputs an image; None where the job failed."""
    error: str = ""
    description: Mapping[str, Any] | None = field(default=None)
    """The model as the predictor found it; untrusted in form like everything out of a sandbox."""


def whole_split(index: DatasetIndex, split: str) -> Task:
    """The ordinary task: every image of one split, every class.

    Raises:
        DatasetMissingError: The data set has no such split.
    """
    if split not in index.images:
        msg = f"the data set {index.name!r} has no split {split!r}, only {', '.join(index.images)}"
        raise DatasetMissingError(msg)
    return Task(index.name, split, index.images[split], index.labels[split], index.classes)


def part_of_split(index: DatasetIndex, split: str, name: str, rubric: Rubric) -> Task:
    """A rubric's task: the images of one split that are of its classes.

    Args:
        index: The data set.
        split: Which split of it.
        name: A key of the rubric's `tasks`.
        rubric: The rubric.

    Raises:
        DatasetMissingError: The data set has no such split.
    """
    whole, settings = whole_split(index, split), rubric.tasks[name]
    chosen = np.isin(whole.labels, settings.classes)
    return Task(
        dataset=whole.dataset,
        split=split,
        images=whole.images[chosen],
        labels=whole.labels[chosen],
        classes=len(settings.classes),
        name=name,
        members=settings.classes,
        binary=settings.binary,
    )


def plan_predictions(  # noqa: PLR0913, PLR0917 - what is to be predicted, and what is known
    evidence: Evidence,
    dataset: str,
    splits: Sequence[str],
    indexes: Mapping[str, DatasetIndex],
    arrays: ArrayReader | None = None,
    rubric: Rubric | None = None,
) -> tuple[PredictionPlan, ...]:
    """Plan the predictions of every trained model that was kept and could classify the data set.

    The images are prepared as those of the model's last training were. Where that is not known, other arrays the model
    was given speak for it; where none does, several preparations are planned and the best one counts. A model that was
    loaded or copied from a trained one is planned like that one.

    A model whose last training was on one of the rubric's tasks is also planned on that task's images, where the labels
    of that training show what its outputs stand for.

    Args:
        evidence: What `build_evidence` made.
        dataset: The graded data set.
        splits: Which of its splits.
        indexes: Known data sets by name.
        arrays: Reads `derived/` arrays of the evidence, for standardisations of single pixels.
        rubric: Its `tasks` name parts of the data; without it only whole splits are planned.

    Raises:
        DatasetMissingError: The data set or one of the splits is not there.
    """
    if dataset not in indexes:
        msg = f"the data set {dataset!r} is not among those that were read"
        raise DatasetMissingError(msg)
    teachers = {model.id: _teacher(evidence, model) for model in evidence.models}
    wholes = tuple(whole_split(indexes[dataset], split) for split in splits)
    parts = _parts(splits, indexes, rubric)
    return tuple(
        plan
        for model in evidence.models
        if (teacher := teachers[model.id]) is not None
        for task in (*_own_parts(evidence, teacher, parts, rubric), *wholes)
        for plan in _plans(evidence, model, teacher, task, arrays)
    )


def _teacher(evidence: Evidence, model: ModelFact) -> ModelFact | None:
    """The model whose trainings say how a model's images were prepared: itself, or the one it was copied from."""
    if any(fit.model == model.id for fit in evidence.fits):
        return model
    ancestor = ancestor_of(evidence, model.id)
    return evidence.model(ancestor) if ancestor is not None else None


def _parts(splits: Sequence[str], indexes: Mapping[str, DatasetIndex], rubric: Rubric | None) -> tuple[Task, ...]:
    if rubric is None:
        return ()
    named = ((name, rubric.task_dataset(name)) for name in rubric.tasks)
    return tuple(
        part_of_split(indexes[dataset], split, name, rubric)
        for name, dataset in named
        if dataset in indexes
        for split in splits
    )


def _own_parts(
    evidence: Evidence, teacher: ModelFact, parts: tuple[Task, ...], rubric: Rubric | None
) -> Iterator[Task]:
    """The parts that a model's last training was on."""
    last = next((fit for fit in reversed(evidence.fits_of(teacher.id)) if fit.x is not None), None)
    if rubric is None or last is None:
        return
    names = tasks_of(last, rubric)
    yield from (part for part in parts if part.name in names)


def plan_inputs(plan: PredictionPlan, indexes: Mapping[str, DatasetIndex]) -> NDArray[np.float32]:
    """The predictor's inputs for one plan: float32, (n, *input_shape), in the data set's own order.

    Raises:
        ValueError: The plan was not made by `plan_predictions`, or is one whose outputs were already recorded.
    """
    inputs = None
    if plan.format != "predictions":
        images = plan.part.images if plan.part is not None else indexes[plan.dataset].images[plan.split]
        inputs = prepare_images(images, plan.preparation, plan.input_shape)
    if inputs is None:
        msg = f"plan {plan.id} has no inputs"
        raise ValueError(msg)
    return inputs


def _plans(
    evidence: Evidence, model: ModelFact, teacher: ModelFact, task: Task, arrays: ArrayReader | None
) -> Iterator[PredictionPlan]:
    """Every plan of one model on one task.

    Args:
        evidence: All there is.
        model: The model that is judged.
        teacher: The model whose trainings tell how its images were prepared; mostly itself.
        task: What it is judged on.
        arrays: Reads derived arrays.
    """
    reading = _reading(evidence, teacher, task)
    if not _classifies(evidence, model, teacher, task, reading):
        return
    forms: dict[str, str | None] = {model.artefact_format or "": model.artefact, **model.fallbacks}
    ways = tuple(_ways(evidence, teacher, task, arrays))
    loadable: tuple[Form, ...] = ("keras", "saved_model")
    for form in loadable:
        artefact = forms.get(form)
        for number, way in enumerate(ways if artefact is not None else ()):
            yield replace(_plan(model, task, f"{form}-{number}", way, form, artefact or ""), reading=reading)
    recorded = forms.get("predictions")
    if recorded is not None and task.split == "test" and task.name is None:
        yield _plan(model, task, "recorded", _recorded_way(evidence, teacher), "predictions", recorded)
    for number, way in enumerate(ways if model.later_artefact is not None else ()):
        plan = _plan(model, task, f"later-{number}", way, "keras", model.later_artefact or "")
        yield replace(plan, reading=reading, moment="later", note=_with(plan.note, _LATER))


def _with(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _reading(evidence: Evidence, teacher: ModelFact, task: Task) -> Reading | None:
    """What a model's outputs stand for in a part of the data; None where it is not known, and for a whole split."""
    labels = label_classes(evidence, teacher.id, task.members) if task.name is not None else None
    if labels is None:
        return None
    fits = evidence.fits_of(teacher.id)
    compiled = evidence.compile_of(fits[-1]) if fits else None
    logits = compiled is not None and compiled.loss is not None and compiled.loss.from_logits is True
    return Reading(labels, 0.0 if logits else 0.5)


@dataclass(frozen=True, slots=True, eq=False)
class _Way:
    """One way to prepare a model's inputs."""

    shape: Shape
    preparation: Preparation
    words: str
    note: str = ""
    guessed: bool = False


def _ways(evidence: Evidence, model: ModelFact, task: Task, arrays: ArrayReader | None) -> Iterator[_Way]:
    """The one way that is known, or several to try; none where the model does not take the task's images."""
    shape = _input_shape(evidence, model)
    if shape is None or prepare_images(task.images[:1], Preparation(_CANDIDATES[1]), shape) is None:
        return
    found, note = _own_preparation(evidence, model, task, arrays)
    if found is not None:
        yield _Way(shape, found, _words(found.fact, shape, task), note)
        return
    guesses = _guesses(evidence, model, task, arrays)
    note = "what the model was given of the training images could not be recognised"
    tried = "judged by their range" if len(guesses) == 1 else f"the best of {len(guesses)} preparations counts"
    for guess in guesses:
        yield _Way(shape, guess, _words(guess.fact, shape, task), f"{note}; {tried}", guessed=True)


def _words(fact: TransformFact, shape: Shape, task: Task) -> str:
    """Say the preparation, with the frame where the model takes larger images than the data set's."""
    words = describe_transform(fact)
    height, width = task.images.shape[1:3]
    if len(shape) < 2 or shape[0] is None or shape[1] is None:  # noqa: PLR2004 - no height and width
        return words
    grown = shape[0] >= height and shape[1] >= width and shape[:2] != (height, width)
    return f"{words}, in a black frame of {shape[0]} by {shape[1]} pixels" if grown else words


def _recorded_way(evidence: Evidence, model: ModelFact) -> _Way:
    x = _last_x(evidence, model)
    known = x is not None and x.transform is not None and x.transform.kind != "unknown"
    words = describe_transform(x.transform) if known and x is not None and x.transform is not None else "as in training"
    return _Way(_input_shape(evidence, model) or (), Preparation(TransformFact(kind="unknown")), words)


def _plan(  # noqa: PLR0913, PLR0917 - the parts of a plan
    model: ModelFact, task: Task, name: str, way: _Way, form: Form, artefact: str
) -> PredictionPlan:
    return PredictionPlan(
        id="-".join(part for part in (model.id, task.dataset, task.split, task.name, name) if part),
        model=model.id,
        dataset=task.dataset,
        split=task.split,
        artefact=artefact,
        format=form,
        dialect=model.dialect,
        input_shape=way.shape,
        preparation=way.preparation,
        preprocessing=way.words,
        note=way.note,
        guessed=way.guessed,
        part=task if task.name is not None else None,
    )


def _classifies(evidence: Evidence, model: ModelFact, teacher: ModelFact, task: Task, reading: Reading | None) -> bool:
    """Whether a model's outputs are the task's classes and its last training was not on another data set."""
    rows = known_rows(_last_x(evidence, teacher))
    if rows is not None and rows.dataset != task.dataset:
        return False
    if task.name is None:
        return model.output_shape is None or model.output_shape == (task.classes,)
    if reading is None:
        return False
    return model.output_shape is None or (
        len(model.output_shape) == 1 and can_read(model.output_shape[0] or 0, task, reading)
    )


def can_read(outputs: int, task: Task, reading: Reading) -> bool:
    """Whether so many outputs name the classes of a part."""
    return names_classes(outputs, reading.labels, binary=task.binary)


def _last_x(evidence: Evidence, model: ModelFact) -> ArrayFact | None:
    return next((fit.x for fit in reversed(evidence.fits_of(model.id)) if fit.x is not None), None)


def _input_shape(evidence: Evidence, model: ModelFact) -> Shape | None:
    if model.input_shape is not None:
        return model.input_shape
    x = _last_x(evidence, model)
    return x.shape[1:] if x is not None and len(x.shape) > 1 else None


def _own_preparation(
    evidence: Evidence, model: ModelFact, task: Task, arrays: ArrayReader | None
) -> tuple[Preparation | None, str]:
    """The preparation of the images a model was last given, and a note where it is not its last training's."""
    for place, (array, note) in enumerate(_given_arrays(evidence, model)):
        preparation = _prepared(array, task, arrays)
        if preparation is not None and array is not None and not array.mapped:
            return preparation, note if place else ""
    return None, ""


def _prepared(array: ArrayFact | None, task: Task, arrays: ArrayReader | None) -> Preparation | None:
    """How an array was made from the task's data set, where that is known and can be repeated."""
    if array is None or array.rows is None or array.rows.dataset != task.dataset:
        return None
    preparation = _usable(array.transform, arrays)
    if preparation is None or prepare_images(task.images[:1], preparation, _image_shape(task)) is None:
        return None
    return preparation


def _guesses(evidence: Evidence, model: ModelFact, task: Task, arrays: ArrayReader | None) -> tuple[Preparation, ...]:
    """Preparations to try: that of the array before a generator or map changed it, then the common ones."""
    x = _last_x(evidence, model)
    base = _prepared(x, task, arrays) if x is not None and x.mapped else None
    common = tuple(Preparation(fact) for fact in _candidates(x, task) if base is None or not _same(fact, base.fact))
    return common if base is None else (base, *common)


def _same(one: TransformFact, other: TransformFact) -> bool:
    return (one.kind, one.scale, one.shift, one.rule) == (other.kind, other.scale, other.shift, other.rule)


def _image_shape(task: Task) -> Shape:
    """One raw image of a task."""
    return tuple(task.images.shape[1:])


def _given_arrays(evidence: Evidence, model: ModelFact) -> Iterator[tuple[ArrayFact | None, str]]:
    """Arrays of images a model was given, those that say most about its preparation first."""
    fits = tuple(reversed(evidence.fits_of(model.id)))
    if fits:
        yield fits[0].x, ""
        yield fits[0].val_x, "prepared as its validation images were"
    for evaluation in reversed(evidence.evaluations):
        if evaluation.model == model.id:
            yield evaluation.x, "prepared as the images of its `evaluate` were"
    for prediction in reversed(evidence.predictions):
        if prediction.model == model.id:
            yield prediction.x, "prepared as the images of its `predict` were"
    for call in reversed(evidence.calls):
        if call.model == model.id:
            yield call.x, "prepared as the images of its direct calls were"
    for fit in fits[1:]:
        yield fit.x, "prepared as the images of an earlier training were"


def _usable(fact: TransformFact | None, arrays: ArrayReader | None) -> Preparation | None:
    """A preparation that can be repeated on other images."""
    if fact is None or fact.kind == "unknown" or (fact.kind == "per_image" and fact.rule is None):
        return None
    if fact.kind != "per_pixel":
        return Preparation(fact)
    if fact.file is None or arrays is None:
        return None
    try:
        stored = arrays(fact.file)
    except ArtefactError:
        return None
    scale, shift = stored.get("scale"), stored.get("shift")
    return None if scale is None or shift is None else Preparation(fact, PixelMap(scale, shift))


def _candidates(x: ArrayFact | None, task: Task) -> tuple[TransformFact, ...]:
    """Preparations that give the range and mean of the training images, where these are known; else all."""
    if x is None or x.low is None or x.high is None or x.mean is None:
        return _CANDIDATES
    likely = tuple(fact for fact in _CANDIDATES if _has_range(fact, task, x.low, x.high, x.mean))
    return likely or _CANDIDATES


def _has_range(fact: TransformFact, task: Task, low: float, high: float, mean: float) -> bool:
    made = prepare_images(task.images[:_PROBE], Preparation(fact), _image_shape(task))
    if made is None:
        return False
    reach = max(float(np.ptp(made)), 1e-12)
    near = (float(made.min()) - low, float(made.max()) - high, float(made.mean()) - mean)
    return all(abs(gap) <= 0.05 * reach for gap in near)

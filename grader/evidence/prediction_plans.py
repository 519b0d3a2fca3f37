"""Plan the predictions that the predictor makes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from grader.evidence.artefacts import ArrayReader
from grader.evidence.keras_file import KerasFile
from grader.evidence.provenance import DatasetIndex
from grader.evidence.saved_model import Graph
from grader.evidence.transform import PixelMap, Preparation, describe_transform, prepare_images
from grader.facts.layers import final_activation
from grader.facts.recognition import known_rows
from grader.facts.tasks import label_classes, names_classes, tasks_of
from grader.facts.weights import ancestor_of
from grader.schema.errors import ArtefactError, DatasetMissingError
from grader.schema.evidence import ArrayFact, Evidence, ModelFact, OutputPart, Shape, TransformFact
from grader.schema.message import Message, MessageLike, clauses, say
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

_LATER = say("as it was after the training of another model changed layers that both share")
_HINGES = frozenset({"hinge", "squared_hinge"})
_PROBE = 500
"""Number of images whose range is compared with a training array's."""

_CANDIDATES = (
    TransformFact(kind="affine", scale=1 / 255, shift=0.0),
    TransformFact(kind="affine", scale=1.0, shift=0.0),
    TransformFact(kind="affine", scale=1 / 255, shift=-0.5),
    TransformFact(kind="affine", scale=1 / 127.5, shift=-1.0),
    TransformFact(kind="per_image", rule="standardise"),
    TransformFact(kind="per_image", rule="l2_columns"),
)
"""Ways of preprocessing that are tried if a model's own was not recognized, the most common first."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """The images and labels that predictions are compared with: a whole split, or some of its classes."""

    dataset: str
    split: str
    images: NDArray[np.uint8]
    """Raw images, (n, h, w[, c])."""
    labels: NDArray[np.int32]
    """Class of each image, by the data set's numbers."""
    classes: int
    """Number of classes."""
    name: str | None = None
    """Name in the rubric's `tasks`; None for a whole split."""
    members: tuple[int, ...] = ()
    """The classes of a part; a model may use any labels for them."""
    binary: bool = False
    """Whether a single output may separate two classes."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The classes of a model's outputs, if they differ from the data set's numbers.

    Attributes:
        labels: Label → class. Output k has the label k; a single output decides between two labels, 0 and 1 or -1
            and 1.
        threshold: Limit above which a single output means the higher label: 0.5 for a probability, 0 for a logit.
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
    """Path of the saved model (for `predictions`: of its outputs), relative to the evidence folder."""
    format: Form
    dialect: Literal["keras3", "keras2"]
    input_shape: Shape
    """Shape of one input without the batch axis."""
    preparation: Preparation
    preprocessing: MessageLike
    """Description of the preprocessing."""
    note: MessageLike = ""
    """Source of the preprocessing, if it is not the training."""
    guessed: bool = False
    """Whether this is one of several candidates, of which the best counts."""
    part: Task | None = None
    """The part of the split to predict; None for the whole split."""
    reading: Reading | None = None
    """The meaning of the outputs of a model for a part."""
    moment: Moment = "trained"
    """Whether the model is judged after its own training, or after that of another model."""
    held_back: int | None = None
    """Seed of the held-back images in `part`; None if the plan is for the images of the split."""

    @property
    def key(self) -> tuple[str, str, str, str | None, Moment]:
        """Model, data set, split, task and moment; of plans with the same key the best counts."""
        return self.model, self.dataset, self.split, self.part.name if self.part else None, self.moment


@dataclass(frozen=True, slots=True, eq=False)
class PredictionResult:
    """The result of one plan."""

    plan: PredictionPlan
    outputs: NDArray[Any] | None
    """One row of outputs per image; None if the job failed."""
    error: MessageLike = ""
    description: Mapping[str, Any] | None = field(default=None)
    """The predictor's description of the model; untrusted, because it comes from a sandbox."""
    parts: tuple[OutputPart, ...] = ()
    """The outputs of the model with their columns in the rows; empty if they are unknown."""
    file: KerasFile | None = None
    """The content of the model's file as data; None for other forms, or if the file cannot be read."""
    unequal: int = 0
    """Number of images that were given twice and got two different answers."""
    graph: Graph | None = None
    """The content of a SavedModel as data; None for other forms."""
    idle: tuple[str, ...] = ()
    """Names of layers without influence on the outputs; untrusted."""


def whole_split(index: DatasetIndex, split: str) -> Task:
    """Make the task of all images and classes of a split.

    Raises:
        DatasetMissingError: The data set has no such split.
    """
    if split not in index.images:
        msg = f"the data set {index.name!r} has the splits {', '.join(index.images)}, but not {split!r}"
        raise DatasetMissingError(msg)
    images, labels = index.images[split], index.labels[split]
    return Task(index.name, split, images, labels, index.classes, binary=index.classes == 2)  # noqa: PLR2004 - two classes


def part_of_split(index: DatasetIndex, split: str, name: str, rubric: Rubric) -> Task:
    """Make the task of a split's images that belong to a rubric's task.

    Args:
        index: The data set.
        split: Name of the split.
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


def plan_predictions(  # noqa: PLR0913, PLR0917 - the parts of a plan and its data
    evidence: Evidence,
    dataset: str,
    splits: Sequence[str],
    indexes: Mapping[str, DatasetIndex],
    arrays: ArrayReader | None = None,
    rubric: Rubric | None = None,
) -> tuple[PredictionPlan, ...]:
    """Plan the predictions of each saved, trained model that could classify the data set.

    The images are preprocessed like the images of the model's last training. If that is unknown, the preprocessing of
    other inputs of the model is used. Otherwise several ways are planned, and the best one counts. A model that was
    loaded or copied from a trained model is planned like that model.

    A model whose last training was on one of the rubric's tasks is also planned on that task's images, if the training
    labels show the meaning of its outputs.

    Args:
        evidence: Evidence of `build_evidence`.
        dataset: The graded data set.
        splits: Names of its splits.
        indexes: Known data sets by name.
        arrays: Reads `derived/` arrays of the evidence, for standardizations per pixel.
        rubric: Its `tasks` define parts of the data; without it only whole splits are planned.

    Raises:
        DatasetMissingError: The data set or one of the splits is missing.
    """
    if dataset not in indexes:
        msg = f"the data set {dataset!r} was not loaded"
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
    """Find the model whose trainings show a model's preprocessing: itself, or the source of its copy."""
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
    """Find the parts of a model's last training."""
    last = next((fit for fit in reversed(evidence.fits_of(teacher.id)) if fit.x is not None), None)
    if rubric is None or last is None:
        return
    names = tasks_of(last, rubric)
    yield from (part for part in parts if part.name in names)


def plan_inputs(plan: PredictionPlan, indexes: Mapping[str, DatasetIndex]) -> NDArray[np.float32]:
    """Compute the predictor's inputs for one plan: float32, (n, *input_shape), in the data set's order.

    Raises:
        ValueError: The plan was not made by `plan_predictions`, or its outputs were already recorded.
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
    """Make all plans of one model on one task.

    Args:
        evidence: The evidence.
        model: The model to judge.
        teacher: The model whose trainings show the preprocessing; usually the same model.
        task: The images to judge it on.
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
        yield replace(plan, reading=reading, moment="later", note=clauses(plan.note, _LATER))


def _reading(evidence: Evidence, teacher: ModelFact, task: Task) -> Reading | None:
    """Find the meaning of a model's outputs by the labels of its training images.

    Returns:
        None if it is unknown; for a whole split also if output k stands for class k.
    """
    classes = task.members if task.name is not None else tuple(range(task.classes))
    labels = label_classes(evidence, teacher.id, classes)
    if labels is None or (task.name is None and not task.binary and all(k == v for k, v in labels.items())):
        return None
    return Reading(labels, _threshold(evidence, teacher, labels))


def _threshold(evidence: Evidence, teacher: ModelFact, labels: Mapping[int, int]) -> float:
    """Find the limit between the two labels of a single output."""
    fits = evidence.fits_of(teacher.id)
    compiled = evidence.compile_of(fits[-1]) if fits else None
    loss = compiled.loss if compiled is not None else fits[-1].loss if fits else None
    if min(labels) < 0:
        return 0.0
    if final_activation(teacher) == "sigmoid":
        # Such a model gives probabilities, whatever its loss expects.
        return 0.5
    # `hinge` takes the labels 0 and 1 as -1 and 1.
    logits = loss is not None and (loss.from_logits is True or loss.name in _HINGES)
    return 0.0 if logits else 0.5


@dataclass(frozen=True, slots=True, eq=False)
class _Way:
    """One way to preprocess a model's inputs."""

    shape: Shape
    preparation: Preparation
    words: MessageLike
    note: MessageLike = ""
    guessed: bool = False


def _ways(evidence: Evidence, model: ModelFact, task: Task, arrays: ArrayReader | None) -> Iterator[_Way]:
    """Find the known way, or several candidates; none if the model cannot take the task's images."""
    shape = _input_shape(evidence, model)
    if shape is None or prepare_images(task.images[:1], Preparation(_CANDIDATES[1]), shape) is None:
        return
    preparation, note = _own_preparation(evidence, model, task, arrays)
    if preparation is not None:
        yield _Way(shape, preparation, _words(preparation.fact, shape, task), note)
        return
    guesses = _guesses(evidence, model, task, arrays)
    if len(guesses) == 1:
        note = say("the preprocessing of its training images was not recognized; it was chosen by their range")
    else:
        note = say(
            "the preprocessing of its training images was not recognized; "
            "the best of {tried:number} common ways counts",
            tried=len(guesses),
        )
    for guess in guesses:
        yield _Way(shape, guess, _words(guess.fact, shape, task), note, guessed=True)


def _words(fact: TransformFact, shape: Shape, task: Task) -> Message:
    """Describe the preprocessing, with the padding if the model takes larger images than the data set's."""
    words = describe_transform(fact)
    height, width = task.images.shape[1:3]
    if len(shape) < 2 or shape[0] is None or shape[1] is None:  # noqa: PLR2004 - no height and width
        return words
    grown = shape[0] >= height and shape[1] >= width and shape[:2] != (height, width)
    if not grown:
        return words
    return say("{preprocessing}, padded with black pixels to {shape:shape}", preprocessing=words, shape=shape[:2])


def _recorded_way(evidence: Evidence, model: ModelFact) -> _Way:
    x = _last_x(evidence, model)
    transform = x.transform if x is not None else None
    recognized = transform is not None and transform.kind != "unknown"
    words = describe_transform(transform) if transform is not None and recognized else say("as in training")
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
    """Whether a model's outputs fit the task's classes, and its last training used no other data set."""
    rows = known_rows(_last_x(evidence, teacher))
    if rows is not None and rows.dataset != task.dataset:
        return False
    shapes = model.output_shapes
    if task.name is not None and reading is None:
        return False
    return not shapes or any(_fits(shape, task, reading) for shape in shapes)


def _fits(shape: Shape, task: Task, reading: Reading | None) -> bool:
    """Whether an output of this shape can name the classes of the task."""
    if len(shape) != 1 or shape[0] is None:
        return False
    return can_read(shape[0], task, reading)


def can_read(outputs: int, task: Task, reading: Reading | None) -> bool:
    """Whether a number of outputs can name the classes of a task.

    Args:
        outputs: Number of outputs per image.
        task: The task.
        reading: The meaning of the outputs; None if output k stands for class k.
    """
    if reading is None:
        return outputs == task.classes
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
) -> tuple[Preparation | None, MessageLike]:
    """Find the preprocessing of a model's inputs, and a note if it is not that of its last training."""
    for place, (array, note) in enumerate(_given_arrays(evidence, model)):
        preparation = _prepared(array, task, arrays)
        if preparation is not None and array is not None and not array.mapped:
            return preparation, note if place else ""
    return None, ""


def _prepared(array: ArrayFact | None, task: Task, arrays: ArrayReader | None) -> Preparation | None:
    """Find the preprocessing of an array from the task's data set, if it is known and can be repeated."""
    if array is None or array.rows is None or array.rows.dataset != task.dataset:
        return None
    preparation = _usable(array.transform, arrays)
    if preparation is None or prepare_images(task.images[:1], preparation, _image_shape(task)) is None:
        return None
    return preparation


def _guesses(evidence: Evidence, model: ModelFact, task: Task, arrays: ArrayReader | None) -> tuple[Preparation, ...]:
    """List the ways to try: the array's preprocessing before a generator or map, then the common ones."""
    x = _last_x(evidence, model)
    base = _prepared(x, task, arrays) if x is not None and x.mapped else None
    common = tuple(Preparation(fact) for fact in _candidates(x, task) if base is None or not _same(fact, base.fact))
    return common if base is None else (base, *common)


def _same(one: TransformFact, other: TransformFact) -> bool:
    return (one.kind, one.scale, one.shift, one.rule) == (other.kind, other.scale, other.shift, other.rule)


def _image_shape(task: Task) -> Shape:
    """Return the shape of a raw image."""
    return tuple(task.images.shape[1:])


def _given_arrays(evidence: Evidence, model: ModelFact) -> Iterator[tuple[ArrayFact | None, MessageLike]]:
    """Find the arrays of a model's inputs, the most informative about its preprocessing first."""
    fits = tuple(reversed(evidence.fits_of(model.id)))
    if fits:
        yield fits[0].x, ""
        yield fits[0].val_x, say("preprocessed like its validation images")
    for evaluation in reversed(evidence.evaluations):
        if evaluation.model == model.id:
            yield evaluation.x, say("preprocessed like the images of its {call:code}", call="evaluate")
    for prediction in reversed(evidence.predictions):
        if prediction.model == model.id:
            yield prediction.x, say("preprocessed like the images of its {call:code}", call="predict")
    for call in reversed(evidence.calls):
        if call.model == model.id:
            yield call.x, say("preprocessed like the images of its direct calls")
    for fit in fits[1:]:
        yield fit.x, say("preprocessed like the images of an earlier training")


def _usable(fact: TransformFact | None, arrays: ArrayReader | None) -> Preparation | None:
    """Make a preprocessing that can be repeated on other images; None if it cannot."""
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
    """List the common ways that give the range and mean of the training images; all of them if these are unknown."""
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

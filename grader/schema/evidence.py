"""Evidence: what an execution showed, typed. A grade is computed from this and nothing else."""

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from grader.schema.base import Assurance, Document, Json
from grader.schema.submission import Run

__all__ = [
    "EVIDENCE_VERSION",
    "OPERATIONS",
    "AccuracyFact",
    "ArrayFact",
    "AxesFact",
    "CallFact",
    "CallbackFact",
    "CellFact",
    "CompileFact",
    "DatasetFact",
    "EmulationFact",
    "EvaluateFact",
    "Evidence",
    "FigureFact",
    "FitFact",
    "GapFact",
    "IgnoredFact",
    "LabelFact",
    "LayerFact",
    "LineFact",
    "LossFact",
    "ModelFact",
    "NamedArrayFact",
    "NamedLabelFact",
    "OptimizerFact",
    "PredictFact",
    "RowsFact",
    "SaveFact",
    "TrainableFact",
    "TransformFact",
]

EVIDENCE_VERSION = 1
"""1: first version."""

OPERATIONS = frozenset(
    {
        "ClassMethod",
        "InstanceMethod",
        "InstanceProperty",
        "Operation",
        "SlicingOpLambda",
        "TFOpLambda",
        "TensorFlowOpLayer",
    }
)
"""Entries among a model's layers that are operations on tensors: `Operation` of Keras 3, the others of Keras 2."""

Shape = tuple[int | None, ...]

Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""A float that may be not-a-number: a diverged loss. JSON has `null` for it, which reads back as not-a-number."""


class CellFact(Document):
    """One cell of the executed notebook."""

    index: int
    """Position in the notebook's `cells`, from 0."""
    kind: Literal["code", "markdown", "raw"]
    source: str
    """Cut to 20,000 characters."""
    output: str = ""
    """The text it printed or showed, cut to 4,000 characters."""
    images: int = 0
    """Number of images among its outputs."""
    error: str | None = None
    """The exception's class, if it raised."""
    executed: bool = False
    submitted_count: int | None = None
    """`execution_count` in the file as it was handed in."""


class RowsFact(Document):
    """Which rows of a known data set an array holds."""

    dataset: str
    counts: Mapping[str, int]
    """Rows recognised in each split, such as `{"train": 48000, "test": 0}`."""
    matched: float
    """Part of the array's rows that was recognised, 0 to 1."""
    method: Literal["fingerprint", "labels", "neighbour", "landmarks"]
    """How they were recognised: by each image's pixels, by the sequence of labels, by the images nearest to a sample's,
    or by some pixels of each image once the sample had shown how they were scaled."""
    order: Literal["original", "shuffled"] = "original"
    start: int | None = None
    """First row within its split, when the rows are one contiguous piece of one split."""
    stop: int | None = None
    duplicates: int = 0
    """Recognised rows that stand in the array more than once."""
    file: str | None = None
    """`.npy` of int32 beside the evidence: the row of each image (train rows first, then test rows), -1 unknown."""
    classes: Mapping[str, int] = Field(default_factory=dict)
    """True class in the data set → recognised rows of it; of a sample where only a sample was recognised."""


class TransformFact(Document):
    """How raw pixels became the numbers the model was given."""

    kind: Literal["affine", "per_pixel", "per_image", "unknown"]
    scale: float | None = None
    """`affine`: given = raw * scale + shift, raw pixels being 0 to 255."""
    shift: float | None = None
    file: str | None = None
    """`per_pixel`: `.npz` beside the evidence with arrays `scale` and `shift` of one image's raw shape."""
    rule: str | None = None
    """`per_image`: what was done to each image (`standardise`, `minmax`, `max`, `sum`, `centre`, `l2`, `l2_columns`,
    `l2_rows`); None where each image has a scale and shift of its own that follow none of these."""
    error: float | None = None
    """Largest absolute difference between the array and the formula over the rows that were compared."""


class ArrayFact(Document):
    """An array of images that a model was given."""

    shape: Shape
    dtype: str
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    std: float | None = None
    rows: RowsFact | None = None
    transform: TransformFact | None = None
    source: str = "array"
    """`array`, `tf.data`, `generator`, …"""
    names: tuple[str, ...] = ()
    """Variables of the notebook that hold this very array."""
    mapped: bool = False
    """Whether something between this array and the model (a `tf.data` map, a generator) may change the numbers; `rows`
    and `transform` are those of the array before it."""


class LabelFact(Document):
    """The labels that went with an array."""

    shape: Shape
    dtype: str
    one_hot: bool
    classes: Mapping[str, int] = Field(default_factory=dict)
    """Rows per class, at most 1,000 classes; empty where labels are not classes."""
    meaning: Mapping[str, Mapping[str, int]] = Field(default_factory=dict)
    """Given label → true class of the rows that had it → rows; empty where the rows or the labels are not known."""


class LayerFact(Document):
    """One layer of a model, or an operation on tensors between its layers, such as `inputs / 255`."""

    name: str
    cls: str
    """Class name, such as `Conv2D`; the most specific Keras ancestor for a student's own class; `Operation` for an
    operation that is no layer."""
    custom: str | None = None
    """The student's own class name, for a subclass."""
    output_shape: Shape | None = None
    input_shape: Shape | None = None
    parameters: int
    trainable: bool
    config: Mapping[str, Json] = Field(default_factory=dict)
    """Keras's own `get_config()`, serialised objects reduced to a class name or `{class_name, config}`."""
    layers: tuple["LayerFact", ...] = ()
    """Layers of a nested model."""
    inbound: tuple[str, ...] = ()
    """Names of the layers it takes its input from."""

    @property
    def operation(self) -> str | None:
        """What an operation does, in small letters alone (`truedivide`, `softmax`); empty where it cannot be told.

        None for a layer.
        """
        if self.cls not in OPERATIONS:
            return None
        function = self.config.get("function")
        known = isinstance(function, str) and self.custom is None
        return function.rpartition(".")[2].replace("_", "").lower() if known and isinstance(function, str) else ""


class ModelFact(Document):
    """One network of the notebook."""

    id: str
    """`m1`, `m2` … in the order of their making."""
    name: str
    """The notebook's own variable name where there is one, else Keras's name."""
    cls: str
    """`Sequential`, `Functional`, or the student's class."""
    cell: int | None = None
    event: int | None = None
    dialect: Literal["keras3", "keras2"]
    input_shape: Shape | None = None
    """Without the batch axis; None for several inputs or an unbuilt model."""
    output_shape: Shape | None = None
    parameters: int | None = None
    trainable_parameters: int | None = None
    layers: tuple[LayerFact, ...] = ()
    assurance: Assurance = Assurance.RECORDED
    """`verified` where the predictor loaded the kept model and counted again."""
    artefact: str | None = None
    """The kept model, relative to the evidence folder."""
    artefact_format: Literal["keras", "saved_model", "predictions"] | None = None
    fallbacks: Mapping[str, str] = Field(default_factory=dict)
    """Form → path of further kept forms of the same weights, for when the artefact cannot be used."""
    unkept_reason: str | None = None
    """Why no artefact was kept of a trained model, or why the kept one did not load."""
    shares_layers_with: tuple[str, ...] = ()
    """Ids of models that hold some of the very same layer objects."""
    formerly: str | None = None
    """Id of the network that the same object was before it lost layers (`pop`) with learned weights."""
    later_artefact: str | None = None
    """The model as it was after the training of another one had changed layers that both hold; `.keras`."""

    def flat_layers(self) -> tuple[LayerFact, ...]:
        """Every layer in order, the layers of nested models in their place."""

        def walk(layers: tuple[LayerFact, ...]) -> tuple[LayerFact, ...]:
            return tuple(inner for layer in layers for inner in (walk(layer.layers) if layer.layers else (layer,)))

        return walk(self.layers)

    def counted_layers(self) -> tuple[LayerFact, ...]:
        """Every layer in order, without the operations between them: what is counted, listed and compared."""
        return tuple(layer for layer in self.flat_layers() if layer.operation is None)


class OptimizerFact(Document):
    """An optimizer as it was compiled."""

    cls: str
    learning_rate: float | None = None
    """None where it is a schedule; the schedule stands in `config`."""
    config: Mapping[str, Json] = Field(default_factory=dict)
    id: str = ""
    """`o1`, `o2` … : the same for the same object, whatever model it is given to; empty where it was not seen."""


class LossFact(Document):
    """A loss as it was compiled."""

    name: str
    """Canonical: `sparse_categorical_crossentropy`, whatever way it was written; a custom function's own name."""
    from_logits: bool | None = None
    """None where the loss has no such setting."""
    custom: bool = False
    config: Mapping[str, Json] = Field(default_factory=dict)


class CompileFact(Document):
    """One `compile`."""

    event: int
    cell: int | None
    model: str
    optimizer: OptimizerFact | None
    loss: LossFact | None
    metrics: tuple[str, ...] = ()
    trainable: Mapping[str, bool] = Field(default_factory=dict)
    """Layer name → trainable at that moment."""


class CallbackFact(Document):
    """A callback given to a training."""

    cls: str
    """Class name; the Keras ancestor for a student's subclass (`Callback` when it is their own)."""
    custom: str | None = None
    config: Mapping[str, Json] = Field(default_factory=dict)
    """Its plain attributes (`monitor`, `patience`, `restore_best_weights` …)."""


class FitFact(Document):
    """One training, by `fit` or by a loop of the student's own."""

    event: int
    """The event that began it."""
    cell: int | None
    model: str
    kind: Literal["fit", "custom_loop"] = "fit"
    status: Literal["completed", "stopped_by_budget", "stopped_early", "interrupted", "error", "unfinished"]
    """`stopped_by_budget`: the grader stopped it at an epoch's end; `stopped_early`: a callback did;
    `unfinished`: the kernel ended while it ran."""
    epochs_asked: int | None = None
    epochs_done: int = 0
    batch_size: int | None = None
    steps: int | None = None
    """Batches per epoch."""
    total_steps: int | None = None
    seconds: float | None = None
    history: Mapping[str, tuple[Number, ...]] = Field(default_factory=dict)
    learning_rates: tuple[Number, ...] = ()
    """Rate used in each epoch's last step, where it could be read."""
    step_rates: tuple[Number, ...] = ()
    """Rate at evenly spaced steps (at most 500), where a callback or schedule changes it by step."""
    x: ArrayFact | None = None
    y: LabelFact | None = None
    validation: Literal["none", "data", "split"] = "none"
    validation_split: float | None = None
    val_x: ArrayFact | None = None
    val_y: LabelFact | None = None
    overlap: int | None = None
    """Rows that stand in both the training and the validation data; None where rows are not known."""
    callbacks: tuple[CallbackFact, ...] = ()
    compiled: int | None = None
    """Event of the `compile` in force."""
    optimizer: OptimizerFact | None = None
    """The optimizer of a loop of the student's own; that of `fit` stands in its compile."""
    loss: LossFact | None = None
    """The Keras loss object that a loop of the student's own called before its step; None where none was seen."""
    trainable: Mapping[str, bool] = Field(default_factory=dict)
    digests_before: Mapping[str, str] = Field(default_factory=dict)
    """Layer name → digest of its weights."""
    digests_after: Mapping[str, str] = Field(default_factory=dict)
    device: str = ""
    error: str | None = None

    @property
    def rows_trained(self) -> int | None:
        """Images it learned from: those it was given, without the part that `validation_split` holds back."""
        rows = self.x.shape[0] if self.x is not None and self.x.shape else None
        if rows is None or self.validation != "split" or not self.validation_split:
            return rows
        # As Keras cuts them.
        return math.floor(rows * (1.0 - self.validation_split))

    @property
    def changed_layers(self) -> tuple[str, ...]:
        """Layers with weights that this training changed."""
        return tuple(n for n, before in self.digests_before.items() if self.digests_after.get(n, before) != before)


class EvaluateFact(Document):
    """One `evaluate`."""

    event: int
    cell: int | None
    model: str
    x: ArrayFact | None = None
    results: Mapping[str, Number] = Field(default_factory=dict)


class PredictFact(Document):
    """One `predict`."""

    event: int
    cell: int | None
    model: str
    x: ArrayFact | None = None
    output_shape: Shape | None = None
    pass_number: int | None = None
    """The how many-th prediction of this cell on this very input with these weights, from 1."""
    outputs_differ: bool | None = None
    """Whether it gave other outputs than the first of these passes; None for the first, or where it was not seen."""


class CallFact(Document):
    """Direct calls `model(x, training=…)` of one model in one cell, counted."""

    event: int
    cell: int | None
    model: str
    training: bool | None
    count: int
    x: ArrayFact | None = None
    outputs_differ: bool | None = None
    """Whether two calls on the same input with the same weights gave different outputs; None where not seen."""
    repeats: int | None = None
    """Most calls on one and the same input with the same weights; None where not seen."""
    traced: bool = False
    """Whether the calls stand in a graph (`tf.function`) outside any gradient: how many and on what is not seen, and
    `count` is 0."""


class TrainableFact(Document):
    """A change of a layer's or model's `trainable`."""

    event: int
    cell: int | None
    layer: str
    model: str | None = None
    before: bool
    after: bool


class SaveFact(Document):
    """A save, load, clone or copy of weights."""

    event: int
    cell: int | None
    action: Literal["save", "load", "clone", "set_weights", "save_weights", "load_weights"]
    model: str | None = None
    other: str | None = None
    """The model it came from (clone, set_weights) where that is known."""
    path: str | None = None
    digests: Mapping[str, str] = Field(default_factory=dict)
    """Layer name → digest of its weights afterwards, where the action changed them."""


class DatasetFact(Document):
    """A data set that the notebook loaded."""

    event: int
    cell: int | None
    dataset: str
    via: str
    """The call, such as `keras.datasets.mnist.load_data`."""
    served: bool = True
    """Whether the grader served it (else the call failed, and `detail` says why)."""
    detail: str = ""


class LineFact(Document):
    """One plotted line."""

    label: str = ""
    y: tuple[Number, ...] = ()
    """At most 2,000 values."""


class AxesFact(Document):
    """One pair of axes of a figure."""

    title: str = ""
    xlabel: str = ""
    ylabel: str = ""
    legend: tuple[str, ...] = ()
    lines: tuple[LineFact, ...] = ()
    images: int = 0
    bars: int = 0
    points: int = 0
    """Points of scatter plots."""


class FigureFact(Document):
    """A figure that was drawn."""

    event: int
    cell: int | None
    title: str = ""
    axes: tuple[AxesFact, ...] = ()


class NamedArrayFact(Document):
    """An image-like array bound to a variable when the notebook ended."""

    name: str
    """The variable, or a place in it such as `parts[0]`."""
    cell: int | None = None
    """The cell that made it."""
    shape: Shape
    dtype: str
    low: float | None = None
    high: float | None = None
    rows_of: str | None = None
    """`mnist/train` … where its first rows were recognised."""
    used: bool = False
    """Whether it was ever given to a model (or is the base of an array that was)."""
    rows: RowsFact | None = None
    """Which images it holds; None where not each of them was compared."""
    transform: TransformFact | None = None
    common: Mapping[str, int] = Field(default_factory=dict)
    """Another variable with images of the same data set → how many images both hold. Images that the data set itself
    holds more than once are not counted."""


class NamedLabelFact(Document):
    """An array bound to a variable when the notebook ended that has as many rows as an array of images."""

    name: str
    cell: int | None = None
    shape: Shape
    dtype: str
    one_hot: bool
    classes: Mapping[str, int] = Field(default_factory=dict)
    """Rows per class, at most 1,000 classes."""
    right: Mapping[str, float] = Field(default_factory=dict)
    """Variable with as many images → part of its recognised images whose true class is the label in the same row."""


class EmulationFact(Document):
    """Something of another time or place that the grader stood in for."""

    event: int
    cell: int | None
    form: str
    """Stable id, such as `colab.drive.mount`."""
    message: str
    """What was done instead, and the modern form where there is one."""


class IgnoredFact(Document):
    """A setting of Keras 2 that Keras 3 took without an error and did not heed."""

    event: int
    cell: int | None
    form: Literal["optimizer.lr", "optimizer.decay"]
    optimizer: str
    """The optimizer's class."""
    value: float | None = None
    """None where it is no number."""


class GapFact(Document):
    """Something the grader failed to record or to read: the facts of some kinds may be missing or incomplete."""

    event: int | None = None
    """The `gap` event; None where the grader found the gap when it read the record."""
    cell: int | None = None
    what: str
    """What happened, in words."""
    hook: str = ""
    """The function of the recorder that failed, such as `FitWatch._begin`; empty where none did."""
    lost: tuple[str, ...] = ()
    """Kinds of events (`fit_start`, `figure` …) that may be missing or incomplete because of it."""


class AccuracyFact(Document):
    """A model's accuracy on one split, computed by the grader or, as a last resort, recorded."""

    model: str
    dataset: str
    split: str
    correct: int
    total: int
    value: float
    low: float
    """Lower end of the 95 % Wilson interval."""
    high: float
    assurance: Assurance
    how: Literal["keras", "saved_model", "predictions"]
    """What the predictions were made from."""
    preprocessing: str
    """How the grader prepared the images, in words."""
    note: str = ""
    """Why the assurance is not `verified`, or how the preparation was found."""
    predicted: tuple[int, ...] = ()
    """Predicted class of each image of the split, in the data set's own order."""
    task: str | None = None
    """The rubric's task whose images these are; None for the whole split."""
    moment: Literal["trained", "later"] = "trained"
    """`later`: after the training of another model had changed layers that both hold."""
    wrong: tuple[int, ...] | None = None
    """Positions of the images it got wrong, counted within the images of the task or split; None where not kept."""

    @property
    def key(self) -> str:
        """How grades call it: `mnist/test`, `fashion_mnist/test/b` for a task, with `@later` for the later moment."""
        name = f"{self.dataset}/{self.split}" + (f"/{self.task}" if self.task else "")
        return name if self.moment == "trained" else f"{name}@{self.moment}"


class Evidence(Document):
    """Everything one execution showed."""

    version: Literal[1] = 1
    run: Run
    versions: Mapping[str, str] = Field(default_factory=dict)
    """Python, tensorflow, keras, tf_keras, numpy … inside the sandbox."""
    cells: tuple[CellFact, ...] = ()
    datasets: tuple[DatasetFact, ...] = ()
    models: tuple[ModelFact, ...] = ()
    compiles: tuple[CompileFact, ...] = ()
    fits: tuple[FitFact, ...] = ()
    evaluations: tuple[EvaluateFact, ...] = ()
    predictions: tuple[PredictFact, ...] = ()
    calls: tuple[CallFact, ...] = ()
    trainable_changes: tuple[TrainableFact, ...] = ()
    saves: tuple[SaveFact, ...] = ()
    figures: tuple[FigureFact, ...] = ()
    arrays: tuple[NamedArrayFact, ...] = ()
    labels: tuple[NamedLabelFact, ...] = ()
    emulations: tuple[EmulationFact, ...] = ()
    ignored: tuple[IgnoredFact, ...] = ()
    accuracies: tuple[AccuracyFact, ...] = ()
    problems: tuple[str, ...] = ()
    """What the grader could not read of the record (damaged lines, artefacts over the size cap), in words."""
    gaps: tuple[GapFact, ...] = ()
    """What may be missing or incomplete in this evidence through no fault of the student's."""
    stand_ins: tuple[str, ...] = ()
    """Data sets in whose place the notebook was served made-up images, since the real ones were not on the machine."""

    def model(self, model_id: str) -> ModelFact | None:
        """Find a model by its id."""
        return next((m for m in self.models if m.id == model_id), None)

    def fits_of(self, model_id: str) -> tuple[FitFact, ...]:
        """Trainings of one model, in order."""
        return tuple(f for f in self.fits if f.model == model_id)

    def compile_of(self, fit: FitFact) -> CompileFact | None:
        """The compile that was in force during a training."""
        return next((c for c in self.compiles if c.event == fit.compiled), None)

    def last_compile(self, model_id: str) -> CompileFact | None:
        """A model's last compile."""
        return next((c for c in reversed(self.compiles) if c.model == model_id), None)

    def accuracy(
        self,
        model_id: str,
        dataset: str,
        split: str,
        task: str | None = None,
        moment: Literal["trained", "later"] = "trained",
    ) -> AccuracyFact | None:
        """A model's accuracy on one split, or on a task's images of it, where it is known."""
        wanted = (model_id, dataset, split, task, moment)
        return next((a for a in self.accuracies if (a.model, a.dataset, a.split, a.task, a.moment) == wanted), None)

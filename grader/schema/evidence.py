"""Evidence: the typed facts of one execution. A grade is computed from evidence alone."""

import math
from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from grader.schema.base import Assurance, Document, Json
from grader.schema.message import MessageLike
from grader.schema.submission import Run

__all__ = [
    "EVIDENCE_VERSION",
    "OPERATIONS",
    "AccuracyFact",
    "ArrayFact",
    "Average",
    "AxesFact",
    "CallFact",
    "CallbackFact",
    "CellFact",
    "CompileFact",
    "CopiesFact",
    "DatasetFact",
    "EmulationFact",
    "EvaluateFact",
    "Evidence",
    "FigureFact",
    "FitFact",
    "GapFact",
    "HeldBackFact",
    "IgnoredFact",
    "LabelFact",
    "LayerFact",
    "LineFact",
    "LossFact",
    "ModelFact",
    "NamedArrayFact",
    "NamedLabelFact",
    "OptimizerFact",
    "OutputFact",
    "OutputPart",
    "PredictFact",
    "RefusalFact",
    "RepeatedPassesFact",
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
"""A float that may be NaN, such as a diverged loss. JSON stores NaN as `null`, which is read back as NaN."""


class CellFact(Document):
    """One cell of the executed notebook."""

    index: int
    """Position in the notebook's `cells`, from 0."""
    kind: Literal["code", "markdown", "raw"]
    source: str
    """Cut to 20,000 characters."""
    output: str = ""
    """Printed and displayed text, cut to 4,000 characters."""
    images: int = 0
    """Number of images among its outputs."""
    charts: int = 0
    """Number of charts among its outputs whose curves are not recorded, such as Altair's."""
    error: str | None = None
    """Class of the exception that the cell raised, if any."""
    executed: bool = False
    submitted_count: int | None = None
    """`execution_count` in the submitted file."""
    submitted_error: str | None = None
    """Class of the error among the cell's outputs in the submitted file, with the message of a `NameError`; if any."""


class RowsFact(Document):
    """Rows of a known data set that an array holds."""

    dataset: str
    counts: Mapping[str, int]
    """Recognized rows per split, such as `{"train": 48000, "test": 0}`."""
    matched: float
    """Fraction of the array's rows that was recognized, 0 to 1."""
    method: Literal["fingerprint", "labels", "neighbour", "landmarks"]
    """How the rows were recognized.

    `fingerprint`: by the pixels of each image. `labels`: by the sequence of labels. `neighbour`: by the raw images
    nearest to a sample. `landmarks`: by some pixels of each image, scaled back as the sample shows."""
    order: Literal["original", "shuffled"] = "original"
    start: int | None = None
    """First row within the split, if the rows are one contiguous slice of one split."""
    stop: int | None = None
    duplicates: int = 0
    """Recognized rows that occur more than once in the array."""
    file: str | None = None
    """`.npy` file of int32 in the evidence folder: row number of each image (train first, then test), -1 if unknown."""
    classes: Mapping[str, int] = Field(default_factory=dict)
    """True class in the data set → recognized rows; rows of the sample if only a sample was recognized."""


class TransformFact(Document):
    """Preprocessing that turned raw pixels into the model's inputs."""

    kind: Literal["affine", "per_pixel", "per_image", "unknown"]
    scale: float | None = None
    """`affine`: input = raw * scale + shift, with raw pixels from 0 to 255."""
    shift: float | None = None
    file: str | None = None
    """`per_pixel`: `.npz` file in the evidence folder; its arrays `scale` and `shift` have the shape of a raw image."""
    rule: str | None = None
    """`per_image`: the rule applied to each image (`standardise`, `minmax`, `max`, `sum`, `centre`, `l2`,
    `l2_columns`, `l2_rows`); None if each image has its own scale and shift that follow none of these rules."""
    error: float | None = None
    """Largest absolute difference between the array and the formula over the compared rows."""


class CopiesFact(Document):
    """Altered copies of test images among the images of an array that were not recognized."""

    dataset: str
    split: str
    compared: int
    """Number of images that were compared with the data set: a random sample."""
    copies: int
    """How many of them fit an image of the split far better than every training image."""
    rows: int
    """Number of images of the array that were not recognized."""

    @property
    def estimate(self) -> int:
        """Estimated number of copies in the whole array."""
        return round(self.rows * self.copies / self.compared)


class ArrayFact(Document):
    """An array of images that was passed to a model."""

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
    """Variables of the notebook that refer to this array object."""
    mapped: bool = False
    """Whether a `tf.data` map or a generator between this array and the model may change the values.

    `rows` and `transform` then describe the array before that step."""
    copies: CopiesFact | None = None
    """Altered copies of test images among training images; None if none were found."""


class LabelFact(Document):
    """The labels of an array of images."""

    shape: Shape
    dtype: str
    one_hot: bool
    classes: Mapping[str, int] = Field(default_factory=dict)
    """Rows per class, at most 1,000 classes; empty if the labels are not classes."""
    meaning: Mapping[str, Mapping[str, int]] = Field(default_factory=dict)
    """Label → true class of the rows with that label → number of rows; empty if rows or labels are unknown."""
    held_back: Mapping[str, int] = Field(default_factory=dict)
    """Class → rows that `validation_split` holds back; empty without a split, or if the labels are unknown."""


class LayerFact(Document):
    """One layer of a model, or an operation on tensors between its layers, such as `inputs / 255`."""

    name: str
    cls: str
    """Class name, such as `Conv2D`; for a student's own class the most specific Keras base class; `Operation` for an
    operation that is not a layer."""
    custom: str | None = None
    """Name of the student's class, for a subclass."""
    output_shape: Shape | None = None
    input_shape: Shape | None = None
    parameters: int
    trainable: bool
    config: Mapping[str, Json] = Field(default_factory=dict)
    """Keras's `get_config()`; serialized objects are reduced to a class name or `{class_name, config}`."""
    layers: tuple["LayerFact", ...] = ()
    """Layers of a nested model."""
    inbound: tuple[str, ...] = ()
    """Names of the layers whose outputs it takes as input."""
    ready_made: bool = False
    """Whether it is part of a model from `keras.applications`, so that the student did not choose it."""

    @property
    def operation(self) -> str | None:
        """Name of an operation in lower-case letters (`truedivide`, `softmax`); empty if unknown, None for a layer."""
        if self.cls not in OPERATIONS:
            return None
        function = self.config.get("function")
        known = isinstance(function, str) and self.custom is None
        return function.rpartition(".")[2].replace("_", "").lower() if known and isinstance(function, str) else ""


class OutputFact(Document):
    """One of several outputs of a model."""

    name: str
    """Key of the output, or name of the layer that gives it."""
    shape: Shape | None = None
    """Without the batch axis."""


class OutputPart(Document):
    """One output of a model among the columns of its predictions."""

    name: str
    """Key of the output, or its position from 0."""
    shape: tuple[int, ...]
    """Without the batch axis."""
    start: int | None = None
    """First column of its values; None if the predictions do not contain it."""

    @property
    def size(self) -> int:
        """Number of its values for one image."""
        return math.prod(self.shape)


class ModelFact(Document):
    """One model of the notebook."""

    id: str
    """`m1`, `m2` … in order of construction."""
    name: str
    """Name of the notebook's variable if there is one, else Keras's name."""
    cls: str
    """`Sequential`, `Functional`, or the student's class."""
    cell: int | None = None
    event: int | None = None
    dialect: Literal["keras3", "keras2"]
    input_shape: Shape | None = None
    """Without the batch axis; None for several inputs or an unbuilt model."""
    output_shape: Shape | None = None
    """Without the batch axis; None for several outputs or an unbuilt model."""
    outputs: tuple[OutputFact, ...] = ()
    """The outputs of a model with several; empty for a single output, or if they are unknown."""
    predicted_activation: Literal["linear", "sigmoid", "softmax"] | None = None
    """Last activation, as far as the predicted values show it; None if the model was not used for predictions."""
    parameters: int | None = None
    trainable_parameters: int | None = None
    layers: tuple[LayerFact, ...] = ()
    assurance: Assurance = Assurance.RECORDED
    """`verified` if the predictor loaded the saved model and counted its parameters again."""
    artefact: str | None = None
    """Path of the saved model, relative to the evidence folder."""
    artefact_format: Literal["keras", "saved_model", "predictions"] | None = None
    fallbacks: Mapping[str, str] = Field(default_factory=dict)
    """Format → path of other saved forms of the same weights, in case the artefact cannot be used."""
    unkept_reason: MessageLike | None = None
    """Reason why a trained model was not saved, or why its saved form did not load."""
    shares_layers_with: tuple[str, ...] = ()
    """Ids of models that share layer objects with this one."""
    formerly: str | None = None
    """Id of the model that the same object was before `pop` removed layers with learned weights."""
    later_artefact: str | None = None
    """Path of the model after the training of another model changed shared layers; `.keras`."""
    kept_digests: tuple[str, ...] = ()
    """Digests of the layers' weights when the model was saved; empty if they were not recorded."""
    doubt: MessageLike | None = None
    """Reason why the kept model may not be the recorded one; a person judges all that depends on the model."""
    idle_layers: tuple[str, ...] = ()
    """Names of the layers whose removal changes no prediction, as far as they were tried."""

    @property
    def output_shapes(self) -> tuple[Shape, ...]:
        """Shapes of all outputs; empty if they are unknown."""
        if self.output_shape is not None:
            return (self.output_shape,)
        return tuple(output.shape for output in self.outputs if output.shape is not None)

    def flat_layers(self) -> tuple[LayerFact, ...]:
        """All layers in order, with nested models replaced by their layers."""

        def walk(layers: tuple[LayerFact, ...]) -> tuple[LayerFact, ...]:
            return tuple(inner for layer in layers for inner in (walk(layer.layers) if layer.layers else (layer,)))

        return walk(self.layers)

    def counted_layers(self) -> tuple[LayerFact, ...]:
        """All layers in order without operations: the layers that are counted, listed and compared."""
        return tuple(layer for layer in self.flat_layers() if layer.operation is None)


class OptimizerFact(Document):
    """The optimizer of a `compile` or a custom training loop."""

    cls: str
    learning_rate: float | None = None
    """None for a schedule; `config` then contains the schedule."""
    config: Mapping[str, Json] = Field(default_factory=dict)
    id: str = ""
    """`o1`, `o2` …: identifies the optimizer object across models; empty if it was not observed."""


class LossFact(Document):
    """The loss of a `compile` or a custom training loop."""

    name: str
    """Canonical name, such as `sparse_categorical_crossentropy`; for a custom function its own name."""
    from_logits: bool | None = None
    """None if the loss has no such setting."""
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
    metric_classes: Mapping[str, str] = Field(default_factory=dict)
    """Name of a metric → its Keras class, for metrics that were passed as objects."""
    trainable: Mapping[str, bool] = Field(default_factory=dict)
    """Layer name → `trainable` at the time of the call."""


class CallbackFact(Document):
    """A callback passed to a training."""

    cls: str
    """Class name; for a student's subclass the Keras base class, often `Callback`."""
    custom: str | None = None
    config: Mapping[str, Json] = Field(default_factory=dict)
    """Its plain attributes (`monitor`, `patience`, `restore_best_weights` …)."""


class StepFact(Document):
    """The data of training steps other than those passed to the training, such as those in a `train_step`.

    Nothing is passed to a custom loop, so for it this is all data that the recorder saw in the steps.
    """

    arrays: tuple[ArrayFact, ...] = ()
    """Arrays in the graphs of the steps that have the size of whole images."""
    numbers: int = 0
    """Number of other values in these graphs that are no weights."""
    operations: tuple[str, ...] = ()
    """Operations and resources of these graphs that can bring in data from elsewhere."""
    rows: ArrayFact | None = None
    """Known images in eager steps, in batches and in weights, each once, and some other images of these steps."""


class FitFact(Document):
    """One training, by `fit` or by a custom training loop."""

    event: int
    """Number of the event that started it."""
    cell: int | None
    model: str
    kind: Literal["fit", "custom_loop"] = "fit"
    status: Literal["completed", "stopped_by_budget", "stopped_early", "interrupted", "error", "unfinished"]
    """`stopped_by_budget`: the grader stopped it between two epochs or iterations; `stopped_early`: a callback did;
    `unfinished`: the kernel ended during the training."""
    epochs_asked: int | None = None
    epochs_done: int = 0
    batch_size: int | None = None
    steps: int | None = None
    """Batches per epoch."""
    total_steps: int | None = None
    seconds: float | None = None
    history: Mapping[str, tuple[Number, ...]] = Field(default_factory=dict)
    accuracies: tuple[str, ...] = ()
    """Names in the history of metrics whose class shows that they are accuracies."""
    learning_rates: tuple[Number, ...] = ()
    """Learning rate of the last step of each epoch, if it could be read."""
    step_rates: tuple[Number, ...] = ()
    """Learning rate at evenly spaced steps (at most 500), if a callback or schedule changes it per step."""
    x: ArrayFact | None = None
    y: LabelFact | None = None
    validation: Literal["none", "data", "split"] = "none"
    validation_split: float | None = None
    val_x: ArrayFact | None = None
    val_y: LabelFact | None = None
    overlap: int | None = None
    """Rows in both the training and the validation data; None if the rows are unknown."""
    callbacks: tuple[CallbackFact, ...] = ()
    compiled: int | None = None
    """Number of the event of the `compile` in effect."""
    optimizer: OptimizerFact | None = None
    """Optimizer of a custom training loop; for `fit` see its compile."""
    loss: LossFact | None = None
    """Keras loss object that a custom training loop called before its step; None if none was observed."""
    loss_of: tuple[str, ...] | None = None
    """Ids of the models whose output that loss received, the innermost first.

    Empty if it received something else; None if that was not recorded."""
    trainable: Mapping[str, bool] = Field(default_factory=dict)
    digests_before: Mapping[str, str] = Field(default_factory=dict)
    """Layer name → digest of its weights."""
    digests_after: Mapping[str, str] = Field(default_factory=dict)
    device: str = ""
    error: str | None = None
    step: StepFact | None = None
    """Other data of its steps; None if the recorder saw none."""
    shortened: bool = False
    """Whether a quick run left out batches of its epochs."""

    @property
    def steps_asked(self) -> int | None:
        """Number of steps, of all requested epochs if a quick run left out some; None if unknown."""
        if not self.shortened:
            return self.total_steps
        return self.steps * self.epochs_asked if self.steps and self.epochs_asked else None

    @property
    def rows_trained(self) -> int | None:
        """Number of training images, without the fraction that `validation_split` holds back.

        A custom training loop may end before it has used every image, unless it was the grader that ended it.
        """
        rows = self.x.shape[0] if self.x is not None and self.x.shape else None
        ended = self.kind == "custom_loop" and self.status != "stopped_by_budget"
        if rows is not None and ended and self.total_steps and self.batch_size:
            return min(rows, self.total_steps * self.batch_size)
        if rows is None or self.validation != "split" or not self.validation_split:
            return rows
        # Keras cuts at the same row.
        return math.floor(rows * (1.0 - self.validation_split))

    @property
    def failed_at_start(self) -> bool:
        """Whether `fit` raised an error before its first step ended: nothing was trained."""
        # Steps are counted at their start.
        at_start = self.status == "error" and not self.epochs_done and (self.total_steps or 0) <= 1
        return at_start and not self.changed_layers

    @property
    def changed_layers(self) -> tuple[str, ...]:
        """Layers whose weights this training changed."""
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
    """1-based count of predictions in this cell with the same input and weights."""
    outputs_differ: bool | None = None
    """Whether its outputs differ from the first of these predictions; None for the first, or if unknown."""


class CallFact(Document):
    """Number of direct calls `model(x, training=…)` of one model in one cell."""

    event: int
    cell: int | None
    model: str
    training: bool | None
    count: int
    x: ArrayFact | None = None
    outputs_differ: bool | None = None
    """Whether two calls with the same input and weights gave different outputs; None if unknown."""
    repeats: int | None = None
    """Largest number of calls with the same input and weights; None if unknown."""
    traced: bool = False
    """Whether the calls are part of a graph (`tf.function`) outside any gradient tape.

    Their number and inputs are then unknown, and `count` is 0."""


Average: TypeAlias = Literal["mean", "median", "discarded", "wrong_axis", "accuracies", "sum"]
"""The result that the notebook computed from the outputs of repeated passes."""


class RepeatedPassesFact(Document):
    """Repeated passes of a model over the same images with the same weights, made in one cell."""

    event: int
    cell: int | None
    """The cell that made the passes."""
    model: str
    way: Literal["call", "predict"]
    training: bool | None = None
    """The argument `training` of direct calls."""
    passes: int
    images: int
    """Number of images with so many passes."""
    differ: bool
    """Whether the outputs differ."""
    average: Average | None = None
    """The result that the notebook computed from the outputs, as in the record; None if nothing was seen."""
    averaged: int | None = None
    """Number of passes in that average."""
    average_cell: int | None = None
    """The cell that computed it."""


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
    """Source model of a clone or `set_weights`, if known."""
    path: str | None = None
    digests: Mapping[str, str] = Field(default_factory=dict)
    """Layer name → digest of its weights after the action, if the action changed them."""


class DatasetFact(Document):
    """A data set that the notebook loaded."""

    event: int
    cell: int | None
    dataset: str
    via: str
    """The call, such as `keras.datasets.mnist.load_data`."""
    served: bool = True
    """Whether the grader provided the data; otherwise the call failed and `detail` has the reason."""
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
    scatters: tuple[LineFact, ...] = ()
    """Scatter plots."""
    images: int = 0
    bars: int = 0
    points: int = 0
    """Points of scatter plots."""
    hidden: tuple[Literal["x", "y"], ...] = ()
    """Axes that are not drawn or have no ticks."""
    named: tuple[Literal["x", "y"], ...] = ()
    """Axes whose ticks have names instead of numbers."""


class FigureFact(Document):
    """A figure drawn with matplotlib or Plotly."""

    event: int
    cell: int | None
    title: str = ""
    axes: tuple[AxesFact, ...] = ()


class NamedArrayFact(Document):
    """An array of images in a variable at the end of the notebook."""

    name: str
    """The variable, or an item of it such as `parts[0]`."""
    cell: int | None = None
    """The cell that created it."""
    shape: Shape
    dtype: str
    low: float | None = None
    high: float | None = None
    rows_of: str | None = None
    """Data set and split of its first rows, such as `mnist/train`, if they were recognized."""
    used: bool = False
    """Whether it, or an array based on it, was passed to a model."""
    rows: RowsFact | None = None
    """Images that it holds; None if they were not all compared."""
    transform: TransformFact | None = None
    common: Mapping[str, int] = Field(default_factory=dict)
    """Another variable with images of the same data set → number of images in both.

    Images that occur more than once in the data set are not counted."""


class PipelineFact(Document):
    """A `tf.data` pipeline or a generator in a variable at the end of the notebook; it is not run for the record."""

    name: str
    """The variable, or an item of it such as `parts[0]`."""
    cell: int | None = None
    """The cell that created it."""
    rows_of: str | None = None
    """Data set and split of the first rows of its source, such as `mnist/train`; None if they are unknown."""


class NamedLabelFact(Document):
    """An array in a variable at the end of the notebook, with as many rows as an array of images."""

    name: str
    cell: int | None = None
    shape: Shape
    dtype: str
    one_hot: bool
    classes: Mapping[str, int] = Field(default_factory=dict)
    """Rows per class, at most 1,000 classes."""
    right: Mapping[str, float] = Field(default_factory=dict)
    """Variable with as many images → fraction of its recognized images whose true class equals the label."""


class EmulationFact(Document):
    """An old or foreign API that the grader replaced, such as Colab's."""

    event: int
    cell: int | None
    form: str
    """Stable id, such as `colab.drive.mount`."""
    message: str
    """The replacement, and the modern form if there is one."""


class IgnoredFact(Document):
    """A Keras 2 setting that Keras 3 accepts without an error and ignores."""

    event: int
    cell: int | None
    form: Literal["optimizer.lr", "optimizer.decay"]
    optimizer: str
    """The optimizer's class."""
    value: float | None = None
    """None if it is not a number."""


class GapFact(Document):
    """A failure to record or to read facts: facts of the kinds in `lost` may be missing or incomplete."""

    event: int | None = None
    """Number of the `gap` event; None if the gap was found when the record was read."""
    cell: int | None = None
    what: MessageLike
    """Description of the failure."""
    hook: str = ""
    """The function of the recorder that failed, such as `FitWatch._begin`; empty if none failed."""
    lost: tuple[str, ...] = ()
    """Kinds of events (`fit_start`, `figure` …) that may be missing or incomplete."""


class RefusalFact(Document):
    """The reason why a notebook was not executed."""

    reason: MessageLike
    """A clause, such as "the notebook is written in R"."""
    advice: MessageLike = ""
    """How to fix it, as a clause."""


class HeldBackFact(Document):
    """A model's accuracy on images that no code of the student ever saw, made by the grader from training images."""

    seed: int
    """Seed of the random numbers that made the images."""
    correct: int
    total: int
    value: float
    low: float
    """Lower end of the 95 % Wilson interval."""
    high: float


class AccuracyFact(Document):
    """A model's accuracy on one split: computed by the grader or, as a last resort, recorded in the kernel."""

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
    """Saved form of the model that made the predictions."""
    preprocessing: MessageLike
    """Preprocessing that the grader applied to the images."""
    note: MessageLike = ""
    """Reason why the assurance is not `verified`, or how the preprocessing was found."""
    predicted: tuple[int, ...] = ()
    """Predicted class of each image of the split, in the data set's own order."""
    task: str | None = None
    """The rubric's task that the images belong to; None for the whole split."""
    moment: Literal["trained", "later"] = "trained"
    """`later`: after the training of another model changed shared layers."""
    wrong: tuple[int, ...] | None = None
    """Positions of misclassified images within the task's or split's images; None if not stored."""
    doubt: MessageLike | None = None
    """Reason why the answers may not come from the images; a person judges all that depends on this accuracy."""
    held_back: HeldBackFact | None = None
    """The accuracy on held-back images; None if no criterion requested it, or if it is unknown."""

    @property
    def key(self) -> str:
        """Key in grades: `mnist/test`, `fashion_mnist/test/b` for a task, with `@later` for the later moment."""
        name = f"{self.dataset}/{self.split}" + (f"/{self.task}" if self.task else "")
        return name if self.moment == "trained" else f"{name}@{self.moment}"


class Evidence(Document):
    """All facts of one execution."""

    version: Literal[1] = 1
    run: Run
    versions: Mapping[str, str] = Field(default_factory=dict)
    """Python, tensorflow, keras, tf_keras, numpy … inside the sandbox."""
    cells: tuple[CellFact, ...] = ()
    datasets: tuple[DatasetFact, ...] = ()
    models: tuple[ModelFact, ...] = ()
    compiles: tuple[CompileFact, ...] = ()
    fits: tuple[FitFact, ...] = ()
    failed_fits: tuple[FitFact, ...] = ()
    """Calls of `fit` that raised an error before their first step ended; they are not trainings."""
    evaluations: tuple[EvaluateFact, ...] = ()
    predictions: tuple[PredictFact, ...] = ()
    calls: tuple[CallFact, ...] = ()
    repeated_passes: tuple[RepeatedPassesFact, ...] = ()
    trainable_changes: tuple[TrainableFact, ...] = ()
    saves: tuple[SaveFact, ...] = ()
    figures: tuple[FigureFact, ...] = ()
    arrays: tuple[NamedArrayFact, ...] = ()
    labels: tuple[NamedLabelFact, ...] = ()
    pipelines: tuple[PipelineFact, ...] = ()
    emulations: tuple[EmulationFact, ...] = ()
    ignored: tuple[IgnoredFact, ...] = ()
    accuracies: tuple[AccuracyFact, ...] = ()
    remarks: tuple[MessageLike, ...] = ()
    """Circumstances that a grade names among its problems, although nothing is missing from the record."""
    problems: tuple[MessageLike, ...] = ()
    """Parts of the record that the grader could not read, such as damaged lines and artefacts over the size limit."""
    gaps: tuple[GapFact, ...] = ()
    """Facts that may be missing or incomplete because of the grader, not of the student."""
    stand_ins: tuple[str, ...] = ()
    """Data sets that were replaced by made-up images because the real ones were not on the machine."""
    quick: bool = False
    """Whether the execution was a quick run; `grader.facts.quick` says which facts it cannot know."""
    refusal: RefusalFact | None = None
    """The reason why the notebook was not executed; then only `cells` holds facts. None for an executed notebook."""

    def model(self, model_id: str) -> ModelFact | None:
        """Find a model by its id."""
        return next((m for m in self.models if m.id == model_id), None)

    def fits_of(self, model_id: str) -> tuple[FitFact, ...]:
        """Find the trainings of one model, in order."""
        return tuple(f for f in self.fits if f.model == model_id)

    def compile_of(self, fit: FitFact) -> CompileFact | None:
        """Find the compile in effect during a training."""
        return next((c for c in self.compiles if c.event == fit.compiled), None)

    def last_compile(self, model_id: str) -> CompileFact | None:
        """Find a model's last compile."""
        return next((c for c in reversed(self.compiles) if c.model == model_id), None)

    def accuracy(
        self,
        model_id: str,
        dataset: str,
        split: str,
        task: str | None = None,
        moment: Literal["trained", "later"] = "trained",
    ) -> AccuracyFact | None:
        """Find a model's accuracy on one split, or on a task's images of it; None if unknown."""
        wanted = (model_id, dataset, split, task, moment)
        return next((a for a in self.accuracies if (a.model, a.dataset, a.split, a.task, a.moment) == wanted), None)

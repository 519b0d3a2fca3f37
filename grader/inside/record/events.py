"""Types of all events and descriptions in the record, shared by the recorder and the reader.

The hooks construct these types, and `grader.evidence` reads them by the same names, so mypy checks each field on both
sides. `docs/events.md` is generated from the docstrings here.
"""

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict, get_args

__all__ = [
    "EVENTS",
    "KINDS",
    "MAX_CLASSES",
    "MAX_EVENTS_A_CELL",
    "MAX_FINGERPRINTED",
    "MAX_GAPS",
    "MAX_GAP_TEXT",
    "MAX_ITEMS",
    "MAX_LINES",
    "MAX_NAMED_ARRAYS",
    "MAX_NAMED_LABELS",
    "MAX_POINTS",
    "MAX_REASON",
    "MAX_SAMPLE",
    "MAX_STEP_ARRAYS",
    "MAX_STEP_OPERATIONS",
    "MAX_STEP_RATES",
    "MAX_UNKNOWN",
    "RECORD_VERSION",
    "ArrayDescription",
    "Arrays",
    "AxesDescription",
    "CallbackDescription",
    "Calls",
    "CellEnd",
    "CellStart",
    "Compile",
    "Configuration",
    "Dataset",
    "Dialect",
    "Emulated",
    "End",
    "Epoch",
    "Evaluate",
    "Event",
    "Figure",
    "FigureDescription",
    "FitEnd",
    "FitStart",
    "FitStatus",
    "Gap",
    "Header",
    "Ignored",
    "IgnoredForm",
    "Kept",
    "KeptFormat",
    "LabelDescription",
    "LayerDescription",
    "LineDescription",
    "LossDescription",
    "Model",
    "ModelDescription",
    "ModelStructure",
    "NamedArray",
    "NamedLabels",
    "OptimizerDescription",
    "OutputDescription",
    "Predict",
    "Progress",
    "RepeatedPasses",
    "Save",
    "SaveAction",
    "Shape",
    "Source",
    "Start",
    "StepDescription",
    "Stopped",
    "Trainable",
    "TrainingType",
    "Unhooked",
    "Unkept",
    "ValidationSource",
    "Versions",
    "kind_of",
]

RECORD_VERSION = 1
"""Version of the record. Raise it when a key changes its meaning or is removed; new kinds and keys need no new version.

A record whose `start` has no `version` is of version 1."""

# --- limits -----------------------------------------------------------------------------------------------------

MAX_STEP_RATES = 500
"""Maximum number of single steps' learning rates in one `fit_end`; a longer list is thinned evenly."""
MAX_STEP_ARRAYS = 8
"""Maximum number of arrays of images that a training step held."""
MAX_STEP_OPERATIONS = 20
"""Maximum number of operations of a training step that can bring in other data."""
MAX_CLASSES = 1000
"""Maximum number of different labels; an array with more has no `classes`."""
MAX_POINTS = 2000
"""Maximum number of values of a figure's line; a longer line is thinned evenly and keeps its first and last value."""
MAX_LINES = 100
"""Maximum number of lines of one pair of axes."""
MAX_NAMED_ARRAYS = 200
"""Maximum number of arrays of images in the `arrays` event."""
MAX_NAMED_LABELS = 60
"""Maximum number of arrays of labels in the `arrays` event."""
MAX_FINGERPRINTED = 40
"""Maximum number of arrays that no model was given and that are fingerprinted at the notebook's end."""
MAX_SAMPLE = 128
"""Number of sample rows that are stored unchanged."""
MAX_UNKNOWN = 64
"""Number of unrecognized rows that are stored with 256 levels."""
MAX_ITEMS = 256
"""Maximum number of items of a list in a `config`."""
MAX_EVENTS_A_CELL = 200
"""Maximum number of `predict`, `evaluate` and `save` events of one model and action in one cell."""
MAX_GAPS = 5
"""Maximum number of `gap` events of one hook."""
MAX_GAP_TEXT = 300
"""Maximum length of a gap's `what`, in characters."""
MAX_REASON = 500
"""Maximum length of an `unkept` event's `reason` and of a `fit_end` event's `error`, in characters."""

# --- values -----------------------------------------------------------------------------------------------------

Configuration: TypeAlias = dict[str, Any]
"""An object's `get_config()` as JSON; a serialized Keras object in it is reduced to `{"class_name", "config"}`."""
Shape: TypeAlias = list[int | None]
"""Lengths of axes; null for an axis of any length."""
Dialect: TypeAlias = Literal["keras3", "keras2"]
TrainingType: TypeAlias = Literal["fit", "custom_loop"]
ValidationSource: TypeAlias = Literal["none", "data", "split"]
FitStatus: TypeAlias = Literal["completed", "stopped_by_budget", "stopped_early", "interrupted", "error"]
SaveAction: TypeAlias = Literal["save", "load", "clone", "set_weights", "save_weights", "load_weights"]
KeptFormat: TypeAlias = Literal["keras", "saved_model", "predictions"]
IgnoredForm: TypeAlias = Literal["optimizer.lr", "optimizer.decay"]
Source: TypeAlias = Literal["array", "tf.data", "generator"]

# --- descriptions -----------------------------------------------------------------------------------------------


class LayerDescription(TypedDict):
    """A layer of a model.

    The layers of a functional model include, in the graph's order, operations on tensors that are not layers
    (`inputs / 255`). In Keras 3 their `cls` is `Operation`, and `config.function` is the operation's class. In Keras 2
    `cls` is `TFOpLambda` or a similar class, and `config.function` is TensorFlow's name. If one of two operands is a
    number, `config.operands` lists both (null for a tensor). Operations have no parameters and do not count as layers.
    """

    name: str
    """Keras's name of the layer."""
    cls: str
    """The layer's most specific Keras class, without its module."""
    custom: str | None
    """The student's own class, if `cls` is only its base class."""
    output_shape: Shape | None
    """Without the batch axis; null where it is unknown or there are several."""
    input_shape: Shape | None
    """Without the batch axis; null where it is unknown or there are several."""
    parameters: int
    """Total number of values in its weights."""
    trainable: bool
    """Whether training may change it."""
    config: Configuration
    """Its `get_config()`."""
    layers: "list[LayerDescription]"
    """Layers of a nested model or of the student's own composite layer."""
    inbound: list[str]
    """Names of the layers that provide its input, in this model."""
    ready_made: NotRequired[bool]
    """True for a layer of a model from `keras.applications`; otherwise missing."""


class OutputDescription(TypedDict):
    """One output of a model."""

    name: str
    """Its key in a dict of outputs, or the name of the layer that gives it."""
    shape: Shape | None
    """Without the batch axis; null where it is unknown."""


class ModelStructure(TypedDict):
    """The structure of a model."""

    name: str
    """The variable that holds it, or Keras's name if no variable does."""
    cls: str
    """Its class, without the module."""
    dialect: Dialect
    """The version of Keras that it belongs to."""
    input_shape: Shape | None
    """Without the batch axis; null where it is unknown or there are several."""
    output_shape: Shape | None
    """Without the batch axis; null where it is unknown or there are several."""
    parameters: int | None
    """Total number of values in its weights; null before it is built."""
    trainable_parameters: int | None
    """Number of values that training may change; null before it is built."""
    layers: list[LayerDescription]
    """Its layers in order."""
    outputs: NotRequired[list[OutputDescription]]
    """Its outputs in order; missing if there is one, or if they are unknown."""


class ModelDescription(ModelStructure):
    """A model of the notebook."""

    id: str
    """`m1`, `m2` … in the order of creation."""
    shares_layers_with: list[str]
    """Ids of the models that share layers with weights with it."""
    formerly: str | None
    """The model's earlier id, if it lost layers: a trained model that loses layers with weights (`pop`) gets a new
    id."""


class OptimizerDescription(TypedDict):
    """An optimizer."""

    cls: str
    """Its most specific Keras class, without its module."""
    learning_rate: float | None
    """The learning rate; null if it is a schedule or unreadable."""
    config: Configuration
    """Its `get_config()`."""
    id: NotRequired[str]
    """`o1`, `o2` …, the same for the same object. Only in a `compile` event."""


class LossDescription(TypedDict):
    """A loss, by its canonical name."""

    name: str
    """Such as `sparse_categorical_crossentropy`; for the student's own loss its class. Several are joined by ` + `."""
    from_logits: bool | None
    """Whether it applies the softmax or sigmoid itself; null if it has no such setting."""
    custom: bool
    """Whether it is the student's own."""
    config: Configuration
    """Its `get_config()`, or a partial function's keywords."""


class CallbackDescription(TypedDict):
    """A callback of a training."""

    cls: str
    """Its most specific Keras class, without its module."""
    custom: str | None
    """The student's own class, if `cls` is only its base class."""
    config: Configuration
    """Its public attributes with plain values."""


class ArrayDescription(TypedDict):
    """An array of images that a model was given.

    The same array keeps its id if it is given again, and has no second file. Data that cannot be read without running
    the student's code have `shape` null and no `array`. An array that is not a batch of images (fewer than two axes
    after the batch axis and fewer than 64 numbers per row) has no file.

    The file has `fingerprints` (uint64, one per row), `sample_index` (int64, at most 128, evenly spaced, including the
    first and last row) and `sample` (float32, the rows of `sample_index`). Padded images of a known data set, and
    images with a repeated gray channel, have the fingerprints of the original image. If fewer than half of the sample's
    fingerprints are of a data set of the session, `landmarks` (float32, one row per image) has some pixels of every
    row, and `landmark_index` (int64) has their positions in a flattened row. They serve to undo a standardization of
    single pixels. If a model used the array and some fingerprints are of no data set of the session, `unknown` (uint8)
    has at most 64 of these rows, chosen at random and each scaled to 0 to 255, and `unknown_index` (int64) has their
    positions.
    """

    array: NotRequired[str]
    """The array's id: `a1`, `a2` …"""
    shape: list[int] | None
    """With the batch axis."""
    dtype: str | None
    """NumPy's name of its type."""
    low: NotRequired[float | None]
    """Minimum."""
    high: NotRequired[float | None]
    """Maximum."""
    mean: NotRequired[float | None]
    """Mean."""
    std: NotRequired[float | None]
    """Standard deviation."""
    source: Source
    """The model's input: the array itself, a `tf.data` pipeline made from it, or a generator that holds it."""
    names: NotRequired[list[str]]
    """Variables that hold it."""
    file: NotRequired[str]
    """`arrays/a3.npz`, relative to the record."""
    mapped: NotRequired[bool]
    """True if a `tf.data` map or a generator between the array and the model may change the numbers; then the file
    has the unchanged array, and `low` to `std` are null."""
    drawn: NotRequired[int]
    """Number of its rows in one epoch, if a pipeline leaves out rows after shuffling; then the description and the file
    are about all rows that can be among them."""


class LabelDescription(TypedDict):
    """An array of labels."""

    shape: list[int]
    """With the batch axis."""
    dtype: str
    """NumPy's name of its type."""
    one_hot: bool
    """Whether each row has a single 1 and zeros."""
    classes: dict[str, int]
    """Number of rows per class: `{"0": 5923, …}`."""
    drawn: NotRequired[int]
    """Number of its rows in one epoch, if a pipeline leaves out rows after shuffling."""
    file: NotRequired[str]
    """`arrays/y4.npy`: each row's class as int32 (arg max of a one-hot row). Missing if the labels are not integers."""


class StepDescription(TypedDict):
    """The data of training steps other than those passed to the training.

    The recorder reads the graphs of the steps, once for each graph: captured tensors, constants and variables. In eager
    steps it looks at the inputs of layers under a `GradientTape`.
    """

    arrays: list[ArrayDescription]
    """Arrays in graphs that have the size of whole images; at most 8."""
    numbers: int
    """Number of other values in graphs: constants of at least 16 values, and variables that are no weights of a model
    or optimizer."""
    labels: NotRequired[list[LabelDescription]]
    """Arrays in graphs that may be labels, one per row; at most 8. Others count as numbers."""
    operations: list[str]
    """Operations and resources of graphs that can bring in data from elsewhere, such as `EagerPyFunc`; at most 20."""
    rows: ArrayDescription | None
    """Images of known data sets in eager steps and in weights, each once, in no order, and at most 64 other images of
    eager steps, chosen at random. `mapped` is true if there were more of those. The file has no sample without them."""


class NamedArray(TypedDict):
    """An image-like array in a variable at the notebook's end."""

    name: str
    """The variable, or a place in it such as `parts[0]`."""
    cell: int | None
    """The cell after which the array was first seen as it is; null where that was not seen."""
    shape: list[int]
    """With the batch axis."""
    dtype: str
    """NumPy's name of its type."""
    low: float | None
    """Minimum; without `file` only of the first 2,000 rows."""
    high: float | None
    """Maximum; without `file` only of the first 2,000 rows."""
    rows_of: str | None
    """The split that its first 16 rows belong to, such as `mnist/train`."""
    used: bool
    """Whether it was ever given to a model."""
    array: NotRequired[str]
    """As in an array description. Only if every row was fingerprinted."""
    file: NotRequired[str]
    """As in an array description, with 32 sample rows. Only if every row was fingerprinted."""


class NamedLabels(LabelDescription):
    """An array of labels in a variable at the notebook's end."""

    name: str
    """The variable, or a place in it such as `parts[0]`."""
    cell: int | None
    """The cell after which the array was first seen as it is; null where that was not seen."""


class NamedPipeline(TypedDict):
    """A `tf.data` pipeline or a generator in a variable at the notebook's end, which nobody runs for the record."""

    name: str
    """The variable, or a place in it such as `parts[0]`."""
    cell: int | None
    """The cell after which it was first seen; null where that was not seen."""
    rows_of: str | None
    """The split that the first 16 rows of its source belong to, such as `mnist/train`; null if it is unknown."""


class LineDescription(TypedDict):
    """A line of a figure."""

    label: str
    """Its label in the legend; empty for a line without a label."""
    y: list[float | None]
    """Its values; a long line is thinned."""


class AxesDescription(TypedDict):
    """One pair of axes of a figure."""

    title: str
    """The left, middle and right title, joined."""
    xlabel: str
    """Label of the axis, of a tied axis, or of the figure."""
    ylabel: str
    """Label of the axis, of a tied axis, or of the figure."""
    legend: list[str]
    """The legend's entries; if the axes have no legend, the entries of the figure's legends."""
    lines: list[LineDescription]
    """Its lines in the order of drawing."""
    scatters: NotRequired[list[LineDescription]]
    """Its scatter plots in the order of drawing, each with its points in the order of their data."""
    images: int
    """Images and color meshes."""
    bars: int
    """Bars of all bar charts."""
    points: int
    """Points of all scatter plots."""
    hidden: NotRequired[list[Literal["x", "y"]]]
    """Axes that are not drawn or have no ticks, as after `axis('off')` or `yticks([])`."""
    named: NotRequired[list[Literal["x", "y"]]]
    """Axes whose ticks have names instead of numbers, such as classes."""


class FigureDescription(TypedDict):
    """A figure drawn with matplotlib or Plotly."""

    title: str
    """The title above all axes."""
    axes: list[AxesDescription]
    """Its axes, without color bars."""


# --- events -----------------------------------------------------------------------------------------------------


class Header(TypedDict):
    """Every event has these keys; the log adds the first three."""

    n: int
    """1, 2, 3 … in the order of writing."""
    t: float
    """Seconds since the recorder started."""
    cell: int
    """Number of the running code cell, counted from 1 in the order of execution; 0 before the first."""
    kind: str
    """One of the kinds below."""


class Start(TypedDict):
    """The recorder started: the first event."""

    kind: Literal["start"]
    version: int
    """Version of the record; a record without it has version 1."""
    versions: dict[str, str]
    """Versions of Python and of the packages that a training depends on."""
    dialect: Dialect
    """As in the session."""
    seed: int
    """As in the session."""
    device: str
    """`cpu`; a GPU's name is known only in `fit_start`."""
    pid: int
    """Process of the kernel."""


class Versions(TypedDict):
    """TensorFlow was imported."""

    kind: Literal["versions"]
    versions: dict[str, str]
    """As in `start`."""


class CellStart(TypedDict):
    """A code cell started."""

    kind: Literal["cell_start"]


class CellEnd(TypedDict):
    """A code cell ended."""

    kind: Literal["cell_end"]
    ok: bool
    """Whether it ended without an exception."""
    seconds: float
    """Duration of the cell."""


class Dataset(TypedDict):
    """The notebook loaded a data set."""

    kind: Literal["dataset"]
    dataset: str
    """Keras's name of it, such as `fashion_mnist`."""
    via: str
    """The call, such as `keras.datasets.mnist.load_data`."""
    served: bool
    """Whether the course provided it."""
    detail: str
    """Reason why it was not served; empty if it was."""


class Model(TypedDict):
    """A new model, or a new structure of a known model; written at the cell's end at the latest."""

    kind: Literal["model"]
    model: ModelDescription
    """The current description."""


class Compile(TypedDict):
    """A model was compiled."""

    kind: Literal["compile"]
    model: str
    """The model's id."""
    optimizer: OptimizerDescription | None
    """The optimizer."""
    loss: LossDescription | None
    """The loss."""
    metrics: list[str]
    """Names of the metrics as passed, weighted metrics last."""
    metric_classes: NotRequired[dict[str, str]]
    """Name of a metric that was passed as an object → its most specific Keras class."""
    trainable: dict[str, bool]
    """Layer → whether training may change it."""


class FitStart(TypedDict):
    """A training started, and the model has its weights."""

    kind: Literal["fit_start"]
    fit: int
    """Id of the training: 1, 2, 3 …"""
    epochs: int | None
    """Number of epochs passed to `fit`; null for a loop."""
    steps: int | None
    """Batches per epoch; null if unknown."""
    digests: dict[str, str]
    """Layer with weights → hash of its weights before the training (32 hex digits)."""
    device: str
    """`cpu` or a GPU's name; empty for a loop."""
    model: str
    """The model's id."""
    type: TrainingType
    """`fit`, or the student's own training loop."""
    batch_size: int | None
    """Rows per batch; null if unknown."""
    x: ArrayDescription | None
    """The images."""
    y: LabelDescription | None
    """The labels."""
    validation: ValidationSource
    """Source of the validation data: `validation_data`, `validation_split`, or none."""
    validation_split: float | None
    """Fraction of the images used for validation; null without a split."""
    val_x: ArrayDescription | None
    """The images of `validation_data`."""
    val_y: LabelDescription | None
    """The labels of `validation_data`."""
    callbacks: list[CallbackDescription]
    """The student's callbacks, in order."""
    compiled: int | None
    """`n` of the last `compile` event of the model."""
    trainable: dict[str, bool]
    """Layer → whether training may change it."""
    optimizer: NotRequired[OptimizerDescription | None]
    """As in `compile`. Only for a `custom_loop`."""
    loss: NotRequired[LossDescription | None]
    """The Keras loss object called before the step. Only for a `custom_loop`."""
    loss_of: NotRequired[list[str]]
    """Ids of the models whose output that loss received, the innermost first; empty if unknown. Only for a
    `custom_loop`."""


class Epoch(TypedDict):
    """An epoch ended, including its validation."""

    kind: Literal["epoch"]
    fit: int
    """The training's id."""
    epoch: int
    """Number of the epoch, from 1."""
    logs: dict[str, float | None]
    """Keras's logs: metric → number."""
    rate: float | None
    """Learning rate of its last step."""
    seconds: float
    """Duration of the epoch."""


class FitEnd(TypedDict):
    """A training ended."""

    kind: Literal["fit_end"]
    fit: int
    """The training's id."""
    status: FitStatus
    """How it ended; `stopped_by_budget` means that the grader stopped it."""
    epochs: int
    """Number of completed epochs; 0 for a loop."""
    steps: int | None
    """Number of batches; null if unknown."""
    seconds: float
    """Duration of the training."""
    history: dict[str, list[float | None]]
    """Metric → one number per epoch."""
    rates: list[float | None]
    """Learning rate of each epoch's last step."""
    step_rates: list[float]
    """Learning rates of evenly spaced steps, if the rate changes by step."""
    digests: dict[str, str]
    """Layer with weights → hash of its weights after the training (32 hex digits)."""
    error: str | None
    """The exception that ended it."""
    step: NotRequired[StepDescription]
    """Other data of its steps; for a `custom_loop`, all data that was seen in them. Missing if there are none."""
    x: NotRequired[ArrayDescription | None]
    """The images; null if unknown. Only for a `custom_loop`."""
    y: NotRequired[LabelDescription | None]
    """The labels; null if unknown. Only for a `custom_loop`."""
    batch_size: NotRequired[int | None]
    """Rows per batch; null if unknown. Only for a `custom_loop`."""


class Progress(TypedDict):
    """A custom training loop is still running; written from time to time, so that a killed kernel leaves its facts."""

    kind: Literal["progress"]
    fit: int
    """The training's id."""
    steps: int | None
    """Number of batches so far; null if unknown."""
    seconds: float
    """Seconds since its start."""
    digests: dict[str, str]
    """Layer with weights → hash of its weights now (32 hex digits)."""
    x: ArrayDescription | None
    """The images; null if unknown, or if an earlier event of the training describes them."""
    y: LabelDescription | None
    """The labels; null as for `x`."""
    batch_size: int | None
    """Rows per batch; null if unknown."""


class Evaluate(TypedDict):
    """A model was evaluated."""

    kind: Literal["evaluate"]
    model: str
    """The model's id."""
    x: ArrayDescription | None
    """The images."""
    results: dict[str, float | None]
    """Metric → number."""


class Predict(TypedDict):
    """`predict` was called."""

    kind: Literal["predict"]
    model: str
    """The model's id."""
    x: ArrayDescription | None
    """The images."""
    output_shape: list[int] | None
    """With the batch axis; null for several outputs."""
    pass_number: int | None
    """1-based count of predictions in this cell with the same input and weights; null if inputs cannot be compared."""
    outputs_differ: bool | None
    """Whether the output differs from the first of these predictions; null for the first one."""


class Calls(TypedDict):
    """Number of direct calls `model(x, training=…)` in one cell, written at its end."""

    kind: Literal["calls"]
    model: str
    """The model's id."""
    training: bool | None
    """The argument `training`; null if it was not passed."""
    count: int
    """Number of calls; 0 for traced calls, whose number is unknown."""
    x: ArrayDescription | None
    """The largest input."""
    outputs_differ: NotRequired[bool | None]
    """Whether two calls with the same input and weights had different outputs; null if none were compared."""
    repeats: NotRequired[int]
    """Maximum number of calls with the same input and weights."""
    traced: NotRequired[bool]
    """True for calls in the student's own `tf.function` outside any `GradientTape`; otherwise missing."""


class RepeatedPasses(TypedDict):
    """Repeated passes of a model over the same images with the same weights.

    It is written at the end of the cell that made them, and again if a later cell computes their average. The last
    event of the same `made`, `model`, `way`, `training` and `passes` counts.
    """

    kind: Literal["repeated_passes"]
    model: str
    """The model's id."""
    way: Literal["call", "predict"]
    """Direct calls, or calls of `predict`."""
    training: bool | None
    """The argument `training` of direct calls; null if it was not passed."""
    made: int
    """Number of the cell that made the passes."""
    passes: int
    """Number of passes. A call with several copies of the same images is as many passes."""
    images: int
    """Number of images with so many passes; the batches together if each was passed for itself."""
    differ: bool
    """Whether the outputs differ."""
    average: Literal["mean", "median", "discarded", "wrong_axis", "accuracies", "sum"] | None
    """The array that the notebook computed from the outputs.

    `mean` or `median`: an array equals it. `discarded`: the notebook does not use the mean. `wrong_axis`: only a mean
    over images or classes. `accuracies`: only the mean of the passes' accuracies. `sum`: only their sum. null: none of
    them was seen."""
    averaged: int | None
    """Number of passes in that average."""


class Trainable(TypedDict):
    """A layer was frozen or unfrozen."""

    kind: Literal["trainable"]
    layer: str
    """The layer's name."""
    model: str | None
    """Id of the newest model that contains the layer or is the layer."""
    before: bool
    """Whether training could change it before."""
    after: bool
    """Whether training may change it now."""


class Save(TypedDict):
    """A model or its weights were saved, loaded, cloned or set."""

    kind: Literal["save"]
    action: SaveAction
    """The action."""
    model: str
    """The model's id; for a `clone`, the id of the copy."""
    other: str | None
    """For a `clone`, the id of the original; for `set_weights`, the id of the model that the weights came from."""
    path: str | None
    """The file's path in the student's code."""
    digests: NotRequired[dict[str, str]]
    """Layer with weights → hash of its weights (32 hex digits), after an action that set weights."""


class Kept(TypedDict):
    """A model was saved in the record."""

    kind: Literal["kept"]
    model: str
    """The model's id."""
    format: KeptFormat
    """A `.keras` file, the folder of a SavedModel, or predictions for the graded test images."""
    path: str
    """Path relative to the record."""
    after: int
    """`n` of the last event that changed its weights."""
    custom: NotRequired[bool]
    """Whether it uses the student's own classes."""
    moment: NotRequired[Literal["later"]]
    """`later` if it was saved again after another model's training had changed shared layers; otherwise missing."""
    digests: NotRequired[dict[str, str]]
    """Layer with weights → hash of its saved weights (32 hex digits)."""
    unexplained: NotRequired[list[str]]
    """Layers whose saved weights were made by no training, are not those before the first one, and were not restored
    from an epoch of a training."""


class Unkept(TypedDict):
    """A model could not be saved in the record."""

    kind: Literal["unkept"]
    model: str
    """The model's id."""
    reason: str
    """The reason."""


class Figure(TypedDict):
    """A figure was drawn; once per cell for each different figure."""

    kind: Literal["figure"]
    figure: FigureDescription
    """The figure."""


class Arrays(TypedDict):
    """The arrays in the notebook's variables at its end.

    These are the variables of the notebook and, two levels deep, the items of their tuples, lists and dictionaries
    (`parts[0]`), and the attributes of objects of the notebook's own classes (`data.images`). Images are recognized by
    their first 16 rows. If they belong to a known data set, every row is fingerprinted, into a file as in an array
    description with 32 sample rows. Scaled arrays come first, then raw ones, and later variables before earlier ones,
    up to 805 million numbers or 40 files. Arrays that a model was given do not count again. The remaining arrays have
    no `file`.
    """

    kind: Literal["arrays"]
    arrays: list[NamedArray]
    """Image-like arrays."""
    labels: list[NamedLabels]
    """Arrays of integers, (n,) or (n, 1), or one-hot, (n, classes), with as many rows as one of the recognized arrays
    of images."""
    pipelines: NotRequired[list[NamedPipeline]]
    """`tf.data` pipelines and generators; missing if there are none."""


class Emulated(TypedDict):
    """The grader replaced an old or foreign form; once per cell for each form."""

    kind: Literal["emulated"]
    form: str
    """Stable id of the form, such as `colab.drive.mount`."""
    message: str
    """The replacement, and the modern form if there is one."""


class Ignored(TypedDict):
    """A setting that Keras 3 accepts but does not use; once per cell for each form."""

    kind: Literal["ignored"]
    form: IgnoredForm
    """`optimizer.lr`: the attribute was set; `optimizer.decay`: the keyword was passed."""
    optimizer: str
    """The optimizer's class."""
    value: float | None
    """The value, if it is a number."""


class Stopped(TypedDict):
    """A training was stopped so that the later cells can still run; once per notebook."""

    kind: Literal["stopped"]
    why: Literal["deadline"]
    """`deadline`: the notebook's time limit."""


OTHER_PROCESS = "other process"
"""`hook` of a gap for a program that trained a model; its name is in `what`."""


class Gap(TypedDict):
    """The recorder failed to record something."""

    kind: Literal["gap"]
    what: str
    """Description of the failure."""
    hook: str
    """Name of the hook or function that failed."""
    lost: list[str]
    """Kinds of events that may be missing or incomplete because of it; if missing, any kind."""


class Unhooked(TypedDict):
    """The recorder does not know the private names of this version of Keras, so nothing of it is recorded."""

    kind: Literal["unhooked"]
    package: str
    """`keras` or `tf_keras`."""
    reason: str
    """The exception."""


class End(TypedDict):
    """The last cell ended and all models were saved: the last event."""

    kind: Literal["end"]


Event: TypeAlias = (
    Start
    | Versions
    | CellStart
    | CellEnd
    | Dataset
    | Model
    | Compile
    | FitStart
    | Epoch
    | FitEnd
    | Progress
    | Evaluate
    | Predict
    | Calls
    | RepeatedPasses
    | Trainable
    | Save
    | Kept
    | Unkept
    | Figure
    | Arrays
    | Emulated
    | Ignored
    | Stopped
    | Gap
    | Unhooked
    | End
)
"""Every event."""


def kind_of(event: type[Any]) -> str:
    """Return the `kind` in the declaration of an event's type."""
    return str(get_args(event.__annotations__["kind"])[0])


EVENTS: tuple[type[Any], ...] = get_args(Event)
"""Types of all events."""
KINDS = {kind_of(event): event for event in EVENTS}
"""Kind → type of the event."""

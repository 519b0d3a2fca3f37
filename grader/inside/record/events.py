"""Every event and every description of the record: the single definition that the recorder and the reader share.

The hooks construct these types, and `grader.evidence` reads them by the same names, so that mypy follows each field
from the place that writes it to the fact that it becomes. `docs/events.md` is generated from the docstrings here.
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
    "MAX_STEP_RATES",
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
    "Predict",
    "Save",
    "SaveAction",
    "Shape",
    "Source",
    "Start",
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
"""Learning rates of single steps in one `fit_end`; more are thinned evenly."""
MAX_CLASSES = 1000
"""Different labels; an array with more of them has no `classes`."""
MAX_POINTS = 2000
"""Values of one line of a figure; a longer line is thinned evenly, its first and last value kept."""
MAX_LINES = 100
"""Lines of one pair of axes."""
MAX_NAMED_ARRAYS = 200
"""Arrays of images in the `arrays` event."""
MAX_NAMED_LABELS = 60
"""Arrays of labels in the `arrays` event."""
MAX_FINGERPRINTED = 40
"""Arrays of images of no model that are fingerprinted at the notebook's end."""
MAX_SAMPLE = 128
"""Rows of an array that are kept as they are."""
MAX_ITEMS = 256
"""Items of a list in a `config`."""
MAX_EVENTS_A_CELL = 200
"""`predict`, `evaluate` and `save` events of one model and action in one cell."""
MAX_GAPS = 5
"""`gap` events of one hook."""
MAX_GAP_TEXT = 300
"""Characters of a gap's `what`."""
MAX_REASON = 500
"""Characters of an `unkept` event's `reason` and of a `fit_end` event's `error`."""

# --- values -----------------------------------------------------------------------------------------------------

Configuration: TypeAlias = dict[str, Any]
"""An object's `get_config()` as JSON; a serialized Keras object in it becomes `{"class_name", "config"}` alone."""
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

    The layers of a functional model include, in the graph's order, its operations on tensors that are no layers
    (`inputs / 255`): with `cls` `Operation` in Keras 3 (`config.function` is the operation's class), `TFOpLambda` and
    similar classes in Keras 2 (`config.function` is TensorFlow's name). Where one of two operands is a number,
    `config.operands` lists both (null for a tensor). Operations have no parameters and count as no layer.
    """

    name: str
    """Keras's name of the layer."""
    cls: str
    """The most specific class of Keras that the layer is of, without its module."""
    custom: str | None
    """The student's own class, where `cls` is only its ancestor."""
    output_shape: Shape | None
    """Without the batch axis; null where it is unknown or there are several."""
    input_shape: Shape | None
    """Without the batch axis; null where it is unknown or there are several."""
    parameters: int
    """Numbers in its weights."""
    trainable: bool
    """Whether training may change it."""
    config: Configuration
    """Its `get_config()`."""
    layers: "list[LayerDescription]"
    """Layers of a nested model or of a composite layer of the student's own."""
    inbound: list[str]
    """Names of the layers it takes its input from, in this model."""


class ModelStructure(TypedDict):
    """What a model says about itself."""

    name: str
    """The variable that holds it, or Keras's name where no variable does."""
    cls: str
    """Its class, without the module."""
    dialect: Dialect
    """Which Keras it belongs to."""
    input_shape: Shape | None
    """Without the batch axis; null where it is unknown or there are several."""
    output_shape: Shape | None
    """Without the batch axis; null where it is unknown or there are several."""
    parameters: int | None
    """Numbers in its weights; null before it is built."""
    trainable_parameters: int | None
    """Those that training may change; null before it is built."""
    layers: list[LayerDescription]
    """Its layers in order."""


class ModelDescription(ModelStructure):
    """A model of the notebook."""

    id: str
    """`m1`, `m2` … in the order in which the models were made."""
    shares_layers_with: list[str]
    """Ids of the models that hold some of the same layers with weights."""
    formerly: str | None
    """The id this model had before it lost layers: a trained model that loses layers with weights (`pop`) gets another
    id from there on."""


class OptimizerDescription(TypedDict):
    """An optimizer."""

    cls: str
    """The most specific class of Keras that it is of, without its module."""
    learning_rate: float | None
    """Per step; null where it is a schedule or unreadable."""
    config: Configuration
    """Its `get_config()`."""
    id: NotRequired[str]
    """`o1`, `o2` …: the same for the same object. Only in a `compile` event."""


class LossDescription(TypedDict):
    """A loss, by its canonical name however it was written."""

    name: str
    """Such as `sparse_categorical_crossentropy`; the class of a loss of the student's own. Several are joined by ` + `.
    """
    from_logits: bool | None
    """Whether it applies the softmax or sigmoid itself; null where it has no such setting."""
    custom: bool
    """Whether it is of the student's own."""
    config: Configuration
    """Its `get_config()`, or a partial function's keywords."""


class CallbackDescription(TypedDict):
    """A callback of a training."""

    cls: str
    """The most specific class of Keras that it is of, without its module."""
    custom: str | None
    """The student's own class, where `cls` is only its ancestor."""
    config: Configuration
    """Its public attributes that are plain values."""


class ArrayDescription(TypedDict):
    """An array of images that a model was given.

    The same array given again keeps its id and has no second file. What cannot be read without running the student's
    code has `shape` null and no `array`. An array that is not a batch of images (fewer than two axes after the batch
    axis and fewer than 64 numbers a row) has no file.

    The file has `fingerprints` (uint64, one a row), `sample_index` (int64, at most 128, evenly spaced, the first and
    last row among them) and `sample` (float32, those rows). Images of a known data set that were padded, or whose gray
    channel was repeated, have the fingerprints of what is inside. Where fewer than half of the sample's fingerprints
    are of a data set of the session, `landmarks` (float32, one row an image) holds some pixels of every row as they
    were given, and `landmark_index` (int64) their places in a flattened row: pixels that were standardized one by one
    are scaled back by them.
    """

    array: NotRequired[str]
    """Its id: `a1`, `a2` …"""
    shape: list[int] | None
    """With the batch axis."""
    dtype: str | None
    """NumPy's name of its type."""
    low: NotRequired[float | None]
    """Its lowest number."""
    high: NotRequired[float | None]
    """Its highest number."""
    mean: NotRequired[float | None]
    """The mean of its numbers."""
    std: NotRequired[float | None]
    """The standard deviation of its numbers."""
    source: Source
    """What the model was given: the array itself, a `tf.data` pipeline made from it, or a generator that holds it."""
    names: NotRequired[list[str]]
    """Variables that hold it."""
    file: NotRequired[str]
    """`arrays/a3.npz`, relative to the record."""
    mapped: NotRequired[bool]
    """True where something between the array and the model may change the numbers (a `tf.data` map, a generator): the
    file then holds the array as it was before, and `low` to `std` are null."""


class LabelDescription(TypedDict):
    """An array of labels."""

    shape: list[int]
    """With the batch axis."""
    dtype: str
    """NumPy's name of its type."""
    one_hot: bool
    """Whether each row has one 1 among zeros."""
    classes: dict[str, int]
    """Rows of each class: `{"0": 5923, …}`."""
    file: NotRequired[str]
    """`arrays/y4.npy`: each row's class as int32 (arg max of a one-hot row). Left out where labels are no whole
    numbers."""


class NamedArray(TypedDict):
    """An image-like array that a variable holds at the notebook's end."""

    name: str
    """The variable, or a place in it such as `parts[0]`."""
    cell: int | None
    """The cell after which the array was first seen as it is; null where that was not seen."""
    shape: list[int]
    """With the batch axis."""
    dtype: str
    """NumPy's name of its type."""
    low: float | None
    """Its lowest number; that of the first 2,000 rows of an array without `file`."""
    high: float | None
    """Its highest number; that of the first 2,000 rows of an array without `file`."""
    rows_of: str | None
    """The split that its first 16 rows were recognized as, such as `mnist/train`."""
    used: bool
    """Whether a model was ever given it."""
    array: NotRequired[str]
    """As in an array description. Only where every row was fingerprinted."""
    file: NotRequired[str]
    """As in an array description, with 32 sample rows. Only where every row was fingerprinted."""


class NamedLabels(LabelDescription):
    """An array of labels that a variable holds at the notebook's end."""

    name: str
    """The variable, or a place in it such as `parts[0]`."""
    cell: int | None
    """The cell after which the array was first seen as it is; null where that was not seen."""


class LineDescription(TypedDict):
    """A line of a figure."""

    label: str
    """As the legend shows it; empty for a line without a label."""
    y: list[float | None]
    """The values drawn; a long line is thinned."""


class AxesDescription(TypedDict):
    """One pair of axes of a figure."""

    title: str
    """The left, middle and right title, joined."""
    xlabel: str
    """Its own label, that of an axis tied to this one, or the figure's."""
    ylabel: str
    """Its own label, that of an axis tied to this one, or the figure's."""
    legend: list[str]
    """The legend's entries; those of the figure's legends where the axes have none."""
    lines: list[LineDescription]
    """Its lines in the order of drawing."""
    images: int
    """Images and color meshes."""
    bars: int
    """Bars of all bar charts."""
    points: int
    """Points of all scatter plots."""


class FigureDescription(TypedDict):
    """A figure of matplotlib as it was drawn."""

    title: str
    """Its title above all axes."""
    axes: list[AxesDescription]
    """Its axes, without those of color bars."""


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
    """Version of the record; a reader takes a record without it for version 1."""
    versions: dict[str, str]
    """Version of Python and of each package that a training depends on."""
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
    """A code cell began."""

    kind: Literal["cell_start"]


class CellEnd(TypedDict):
    """A code cell ended."""

    kind: Literal["cell_end"]
    ok: bool
    """Whether it raised nothing."""
    seconds: float
    """How long it ran."""


class Dataset(TypedDict):
    """The notebook asked for a data set."""

    kind: Literal["dataset"]
    dataset: str
    """Its name as Keras writes it, such as `fashion_mnist`."""
    via: str
    """The call that asked, such as `keras.datasets.mnist.load_data`."""
    served: bool
    """Whether the course provided it."""
    detail: str
    """Why it was not served; empty where it was."""


class Model(TypedDict):
    """A model was first seen, or seen again with another structure, at the latest at its cell's end."""

    kind: Literal["model"]
    model: ModelDescription
    """The model as it is now."""


class Compile(TypedDict):
    """A model was compiled."""

    kind: Literal["compile"]
    model: str
    """The model's id."""
    optimizer: OptimizerDescription | None
    """What it will be trained with."""
    loss: LossDescription | None
    """What the training will minimize."""
    metrics: list[str]
    """Names as they were given, those of weighted metrics last."""
    trainable: dict[str, bool]
    """Layer → whether training may change it."""


class FitStart(TypedDict):
    """A training began, and the model has its weights."""

    kind: Literal["fit_start"]
    fit: int
    """Id of the training: 1, 2, 3 …"""
    epochs: int | None
    """Epochs asked for; null for a loop."""
    steps: int | None
    """Batches of one epoch; null where unknown."""
    digests: dict[str, str]
    """Layer with weights → hash of its weights before the training (32 hex digits)."""
    device: str
    """`cpu` or a GPU's name; empty for a loop."""
    model: str
    """The model's id."""
    type: TrainingType
    """`fit`, or a training loop of the student's own."""
    batch_size: int | None
    """Rows of one batch; null where unknown."""
    x: ArrayDescription | None
    """The images."""
    y: LabelDescription | None
    """The labels."""
    validation: ValidationSource
    """Where the validation data come from: `validation_data`, `validation_split`, or none."""
    validation_split: float | None
    """The part of the images, 0 to 1, that is held back for validation; null without a split."""
    val_x: ArrayDescription | None
    """The images of `validation_data`."""
    val_y: LabelDescription | None
    """The labels of `validation_data`."""
    callbacks: list[CallbackDescription]
    """The student's, in order."""
    compiled: int | None
    """`n` of the `compile` event in force."""
    trainable: dict[str, bool]
    """Layer → whether training may change it."""
    optimizer: NotRequired[OptimizerDescription | None]
    """As in `compile`. Only of a `custom_loop`."""
    loss: NotRequired[LossDescription | None]
    """The Keras loss object called before the step. Only of a `custom_loop`."""


class Epoch(TypedDict):
    """An epoch ended, its validation too."""

    kind: Literal["epoch"]
    fit: int
    """The training's id."""
    epoch: int
    """Number of the epoch, from 1."""
    logs: dict[str, float | None]
    """What Keras reports of it: metric → number."""
    rate: float | None
    """Learning rate of its last step."""
    seconds: float
    """How long it took."""


class FitEnd(TypedDict):
    """A training ended."""

    kind: Literal["fit_end"]
    fit: int
    """The training's id."""
    status: FitStatus
    """How it ended; `stopped_by_budget` means that the grader stopped it."""
    epochs: int
    """Epochs done; 0 for a loop."""
    steps: int | None
    """Batches done; null where they are not known."""
    seconds: float
    """How long it took."""
    history: dict[str, list[float | None]]
    """Metric → one number an epoch."""
    rates: list[float | None]
    """Learning rate of each epoch's last step."""
    step_rates: list[float]
    """Learning rates of single steps, evenly spaced, where the rate changes by step."""
    digests: dict[str, str]
    """Layer with weights → hash of its weights after the training (32 hex digits)."""
    error: str | None
    """The exception that ended it."""
    x: NotRequired[ArrayDescription | None]
    """The images, where they could be found. Only of a `custom_loop`."""
    y: NotRequired[LabelDescription | None]
    """The labels, where they could be found. Only of a `custom_loop`."""
    batch_size: NotRequired[int | None]
    """Rows of one batch, where they could be found. Only of a `custom_loop`."""


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
    """1-based count of predictions in this cell with the same input and weights; null where inputs cannot be
    compared."""
    outputs_differ: bool | None
    """Whether the output differs from that of the first of them; null for the first itself."""


class Calls(TypedDict):
    """Direct calls `model(x, training=…)` of one cell, counted at its end."""

    kind: Literal["calls"]
    model: str
    """The model's id."""
    training: bool | None
    """As it was given; null where it was not."""
    count: int
    """How many calls; 0 for traced ones, whose number is not seen."""
    x: ArrayDescription | None
    """The largest input."""
    outputs_differ: NotRequired[bool | None]
    """Whether two of the repeated calls gave different outputs; null where none were compared."""
    repeats: NotRequired[int]
    """Most calls on one input with the same weights."""
    traced: NotRequired[bool]
    """True for calls in a `tf.function` of the student's own outside any `GradientTape`; else left out."""


class Trainable(TypedDict):
    """A layer was frozen or unfrozen."""

    kind: Literal["trainable"]
    layer: str
    """The layer's name."""
    model: str | None
    """Id of the newest model that holds it, or is it."""
    before: bool
    """Whether training could change it before."""
    after: bool
    """Whether training may change it now."""


class Save(TypedDict):
    """A model or its weights were saved, loaded, cloned or set."""

    kind: Literal["save"]
    action: SaveAction
    """What was done."""
    model: str
    """The model's id; of a `clone`, the copy's."""
    other: str | None
    """Of a `clone`, the original's id; of `set_weights`, the id of the model that the weights came from."""
    path: str | None
    """The file, as the student wrote it."""
    digests: NotRequired[dict[str, str]]
    """Layer with weights → hash of its weights (32 hex digits), after an action that set weights."""


class Kept(TypedDict):
    """A model was kept in the record."""

    kind: Literal["kept"]
    model: str
    """The model's id."""
    format: KeptFormat
    """A `.keras` file, the folder of a SavedModel, or its predictions for the graded test images."""
    path: str
    """Relative to the record."""
    after: int
    """`n` of the last event that changed its weights."""
    custom: NotRequired[bool]
    """Whether it has classes of the student's own."""
    moment: NotRequired[Literal["later"]]
    """`later` where it was kept again after another model's training had changed layers that both hold; else left out.
    """


class Unkept(TypedDict):
    """A model could not be kept."""

    kind: Literal["unkept"]
    model: str
    """The model's id."""
    reason: str
    """Why."""


class Figure(TypedDict):
    """A figure was drawn; once a cell for each figure that differs."""

    kind: Literal["figure"]
    figure: FigureDescription
    """The figure."""


class Arrays(TypedDict):
    """What the notebook's variables hold at its end.

    These are the variables of the notebook and, two levels deep, the items of their tuples, lists and dictionaries
    (`parts[0]`). Images are recognized by their first 16 rows. Those of a known data set are then fingerprinted whole,
    into a file as an array description has it, with 32 sample rows: the scaled ones first, then the raw ones, later
    variables before earlier ones, until 805 million numbers or 40 files are reached. What a model was given already
    costs nothing again. The others have no `file`.
    """

    kind: Literal["arrays"]
    arrays: list[NamedArray]
    """Image-like arrays."""
    labels: list[NamedLabels]
    """Arrays of whole numbers, (n,) or (n, 1), or one-hot, (n, classes), with as many rows as one of the recognized
    arrays of images."""


class Emulated(TypedDict):
    """A stand-in did what an old or foreign form asks for; once a cell for each form."""

    kind: Literal["emulated"]
    form: str
    """Stable id of the form, such as `colab.drive.mount`."""
    message: str
    """What was done instead, and the modern form where there is one."""


class Ignored(TypedDict):
    """A setting that Keras 3 accepts and does not use; once a cell for each form."""

    kind: Literal["ignored"]
    form: IgnoredForm
    """`optimizer.lr`: the attribute was set; `optimizer.decay`: the keyword was given."""
    optimizer: str
    """The optimizer's class."""
    value: float | None
    """The value it was given, where that is a number."""


class Stopped(TypedDict):
    """A training was stopped so that the later cells still run; once a notebook."""

    kind: Literal["stopped"]
    why: Literal["deadline"]
    """The notebook's deadline."""


class Gap(TypedDict):
    """The recorder failed to write something down."""

    kind: Literal["gap"]
    what: str
    """What failed, in words."""
    hook: str
    """Name of the hook or function that failed."""
    lost: list[str]
    """Kinds of the events that may be missing or incomplete because of it; all kinds where it is left out."""


class Unhooked(TypedDict):
    """A Keras whose inner names are not as this recorder knows them is not watched."""

    kind: Literal["unhooked"]
    package: str
    """`keras` or `tf_keras`."""
    reason: str
    """The exception."""


class End(TypedDict):
    """The last cell was run and everything was kept: the last event."""

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
    | Evaluate
    | Predict
    | Calls
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
    """Return the `kind` of an event's type, as its declaration has it."""
    return str(get_args(event.__annotations__["kind"])[0])


EVENTS: tuple[type[Any], ...] = get_args(Event)
"""Every event's type."""
KINDS = {kind_of(event): event for event in EVENTS}
"""Kind → type of the event."""

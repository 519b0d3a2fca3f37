"""The tables of `grader export --to parquet|csv`: one document for the rows of each table.

A change of a column's name, type, unit or meaning, or its removal, needs a new `DATA_VERSION`. New columns and tables
do not, since readers select columns by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, ClassVar, Final

from grader.schema.described import Described

__all__ = [
    "DATA_VERSION",
    "FACTS",
    "STUDENTS",
    "TABLES",
    "AccuracyRow",
    "CriterionRow",
    "DataRow",
    "EpochRow",
    "ErrorRow",
    "FactRow",
    "JudgementRow",
    "LayerRow",
    "ModelRow",
    "NoteRow",
    "Personal",
    "StudentRow",
    "SubmissionRow",
    "TrainingRow",
    "Unit",
]

DATA_VERSION = 1
"""1: first version."""


class Personal(StrEnum):
    """The treatment of a column in an anonymous export."""

    SUBMISSION = "submission"
    """The id of a submission: replaced by a pseudonym."""
    PERSON = "person"
    """A person: replaced by a pseudonym."""
    WORDS = "words"
    """Text that a person chose or that can identify somebody: left empty."""


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a column."""

    name: str


_SubmissionId = Annotated[str, Personal.SUBMISSION]
_Person = Annotated[str | None, Personal.PERSON]
_Words = Annotated[str | None, Personal.WORDS]
_Seconds = Annotated[float | None, Unit("s")]
_Points = Annotated[float | None, Unit("points")]
_Fraction = Annotated[float | None, Unit("fraction of 1")]
_Images = Annotated[int | None, Unit("images")]
_Epochs = Annotated[int | None, Unit("epochs")]


class DataRow(Described):
    """A row of a table. Its fields are the columns; a column whose type allows None can be empty."""

    key: ClassVar[tuple[str, ...]] = ()
    """Columns that identify a row among those of its submission."""
    assured: ClassVar[str | None] = None
    """Assurance of the values of a table without the column `assurance`."""
    long: ClassVar[bool] = True
    """Whether the long table contains the values."""
    labels: ClassVar[frozenset[str]] = frozenset({"rubric", "submission", "cell", "event", "assurance"})
    """Columns that the long table does not contain as facts, besides `key`: they say what a fact is about."""

    rubric: str | None
    """Id of the rubric. With `submission`, it joins tables, also those of several assignments; empty if the grade is
    unreadable."""
    submission: _SubmissionId
    """Id of the submission."""


class SubmissionRow(DataRow):
    """One submission: its grade, its execution, and its graded model."""

    student: _Person
    """The student's id, as it was submitted; empty if the grade cannot be read."""
    rubric_sha256: str | None
    """SHA-256 of the rubric's file."""
    notebook_sha256: _Words
    """SHA-256 of the notebook."""
    status: str
    """`graded`, `not_graded` (the grader failed), or `unreadable` (the file `grade.json` is damaged, or somebody edited
    it by hand)."""
    reason: _Words
    """Why it was not graded or executed; why its grade or its evidence cannot be read."""
    evidence: str
    """`complete`, `missing` or `unreadable`. Without evidence, the trainings of a submission are not known."""
    score: _Points
    """The score; empty if there is none."""
    max_score: _Points
    """The most points without bonus."""
    pending: _Points
    """Points that a person still has to give."""
    submitted: datetime | None
    """When it was handed in; empty if unknown."""
    due: datetime | None
    """The due date of this student, with an extension; empty without one."""
    late_days: Annotated[float | None, Unit("days")]
    """Days after the due date that count; empty if it was not late."""
    late_points: _Points
    """The deduction for them, 0 or negative; `score` includes it."""
    excused: bool
    """Whether the student is excused."""
    borderline: int
    """Number of criteria that missed full marks by less than the measurement error."""
    notes: int
    """Number of notes."""
    review: int
    """Number of judgements that need another look."""
    problems: int
    """Number of the grader's own failures to record, read or compute something."""
    execution: str | None
    """`completed`, `cell_error`, `timeout`, `memory` or `died`; empty if it was not executed."""
    seconds: _Seconds
    """Wall time from the first cell to the last."""
    cells_run: int | None
    """Number of code cells that were executed."""
    cells_total: int | None
    """Number of code cells."""
    errors: int | None
    """Number of cells that raised an exception."""
    peak_memory: Annotated[float | None, Unit("MiB")]
    """Peak memory of the execution."""
    device: str | None
    """Device of the execution, such as `cpu`."""
    seed: int | None
    """Seed of the random numbers."""
    isolation: str | None
    """The sandbox."""
    dialect: str | None
    """`keras3` or `keras2`."""
    python: str | None
    """Version of Python."""
    tensorflow: str | None
    """Version of TensorFlow."""
    keras: str | None
    """Version of Keras 3."""
    models: int
    """Number of models that the notebook created."""
    trainings: int | None
    """Number of trainings; empty without evidence."""
    graded_model: str | None
    """Id of the graded model, as in the column `model` of other tables; empty without a model."""
    accuracy_on: str | None
    """Images of `accuracy`, such as `mnist/test`."""
    accuracy: _Fraction
    """Accuracy of the graded model."""
    parameters: int | None
    """Number of parameters of the graded model."""


class StudentRow(DataRow):
    """One student of the course's roster, also without a submission; no rows without a roster."""

    key: ClassVar[tuple[str, ...]] = ("student",)
    long: ClassVar[bool] = False

    submission: Annotated[str | None, Personal.SUBMISSION]  # type: ignore[assignment]  # only here it can be empty
    """Id of the submission that counts; empty without one. It joins the other tables; members of a group share it."""
    student: Annotated[str, Personal.PERSON]
    """The student's id in the roster, else the name, else the address."""
    name: _Words
    """Full name."""
    email: _Words
    """Address."""
    section: str | None
    """Section of the course."""
    group: Annotated[str | None, Personal.PERSON]
    """Group that shares a submission."""
    status: str
    """`graded`, `not_graded`, `missing` (handed in nothing) or `excused`."""


class CriterionRow(DataRow):
    """One criterion of one submission."""

    key: ClassVar[tuple[str, ...]] = ("criterion",)
    labels: ClassVar[frozenset[str]] = DataRow.labels | {"position", "title", "template"}

    criterion: str
    """Id of the criterion."""
    position: int
    """Position in the rubric, from 0."""
    title: str
    """Its title."""
    points: _Points
    """The points; empty while they are pending."""
    max_points: _Points
    """The most points."""
    lost: _Points
    """`max_points` − `points`; empty while the points are pending."""
    status: str
    """`passed`, `partial`, `failed`, `pending` or `skipped`."""
    assurance: str | None
    """`verified`, `recorded`, `stated` or `judged`."""
    borderline: bool
    """Whether full marks were missed by less than the measurement error."""
    hidden: bool
    """Whether students do not see it."""
    bonus: bool
    """Whether its points are added to the total."""
    message: _Words
    """The observation, in English."""
    template: str | None
    """The message without its values, to count equal messages."""
    cause: str | None
    """The earlier problem from which the loss follows: `placeholder`, `error`, `untrained` or `no_model`."""
    cause_cell: int | None
    """The cell of that problem, from 0."""
    cell: int | None
    """The first cell that shows it, from 0."""
    event: int | None
    """The number of its line in `events.jsonl`, from 1."""
    judged_by: _Person
    """The person who gave the points; empty if the grader did."""
    judged_at: datetime | None
    """When they were given."""
    judged_kind: str | None
    """`points` or `override`."""
    computed_points: _Points
    """The grader's own points for a criterion that a person judged."""
    computed_status: str | None
    """The grader's own verdict for a criterion that a person judged."""


class ModelRow(DataRow):
    """One model of the notebook."""

    key: ClassVar[tuple[str, ...]] = ("model",)

    model: str
    """Id of the model: `m1`, `m2` … in order of construction."""
    graded: bool
    """Whether the figures of the grade are about this model."""
    name: _Words
    """Name of the notebook's variable."""
    roles: str | None
    """Roles of the rubric that mean this model, separated by spaces."""
    form: str | None
    """`Sequential`, `Functional`, or `subclass` for a student's own class; empty without evidence."""
    cell: int | None
    """The cell that created it, from 0."""
    input_shape: str | None
    """Shape of its input without the batch, such as `28x28x1`."""
    output_shape: str | None
    """Shape of its output without the batch."""
    output_activation: str | None
    """Activation of its output, such as `softmax`."""
    parameters: int | None
    """Number of parameters."""
    trainable_parameters: int | None
    """Number of trainable parameters at the end of the notebook."""
    layers: int
    """Number of layers; a nested model counts as its layers."""
    convolutions: int
    """Number of convolution layers."""
    dropouts: int
    """Number of dropout layers."""
    assurance: str
    """`verified` if the grader loaded the saved model and counted its parameters again, else `recorded`."""


class LayerRow(DataRow):
    """One layer of a model; a nested model is replaced by its layers."""

    key: ClassVar[tuple[str, ...]] = ("model", "layer")
    assured: ClassVar[str | None] = "recorded"

    model: str
    """Id of the model."""
    layer: int
    """Position in the model, from 0."""
    name: _Words
    """Name of the layer."""
    type: str
    """Keras class, such as `Conv2D`; for a student's own class its Keras base class."""
    custom: _Words
    """Name of the student's own class."""
    output_shape: str | None
    """Shape of its output without the batch."""
    parameters: int
    """Number of parameters."""
    trainable: bool
    """Whether it was trainable at the end of the notebook."""
    activation: str | None
    """Its activation, such as `relu`."""
    units: int | None
    """Units of a dense layer."""
    filters: int | None
    """Filters of a convolution."""
    kernel_size: str | None
    """Kernel of a convolution, such as `3x3`."""
    strides: str | None
    """Strides of a convolution or a pooling, such as `2x2`."""
    padding: str | None
    """Padding of a convolution or a pooling."""
    rate: _Fraction
    """Rate of a dropout."""
    kernel_initializer: str | None
    """The kernel's initializer, such as `he_normal`."""
    kernel_regularizer: str | None
    """The kernel's regularizer, such as `l2`."""


class TrainingRow(DataRow):
    """One training: a call of `fit`, or a custom training loop."""

    key: ClassVar[tuple[str, ...]] = ("training",)
    assured: ClassVar[str | None] = "recorded"

    training: int
    """Number of the training in the notebook, from 1."""
    model: str
    """Id of the trained model."""
    graded: bool
    """Whether this is the graded model."""
    cell: int | None
    """The cell that trained it, from 0."""
    event: int
    """The number of the line in `events.jsonl` that starts it."""
    kind: str
    """`fit` or `custom_loop`."""
    status: str
    """`completed`, `stopped_early` (by a callback), `stopped_by_budget` (by the grader), `interrupted`, `error` or
    `unfinished`."""
    optimizer: str | None
    """Class of the optimizer, such as `Adam`."""
    learning_rate: float | None
    """Learning rate of the optimizer; empty for a schedule."""
    schedule: str | None
    """Class of the learning rate's schedule."""
    first_rate: float | None
    """Learning rate at the end of the first epoch."""
    last_rate: float | None
    """Learning rate at the end of the last epoch."""
    momentum: float | None
    """Momentum of the optimizer."""
    weight_decay: float | None
    """Weight decay of the optimizer."""
    loss: str | None
    """Name of the loss, such as `sparse_categorical_crossentropy`; `custom` for a student's own function."""
    from_logits: bool | None
    """The loss's setting of that name."""
    metrics: _Words
    """Names of the metrics, separated by spaces."""
    batch_size: _Images
    """Batch size."""
    epochs_asked: _Epochs
    """Epochs that the notebook requested."""
    epochs: _Epochs
    """Epochs that were completed."""
    steps: Annotated[int | None, Unit("batches")]
    """Batches per epoch."""
    images: _Images
    """Number of training images, without those of `validation_split`."""
    dataset: str | None
    """Data set of the training images, if they were recognized."""
    test_images: _Images
    """Training images that belong to the test set; empty if they were not recognized."""
    input_low: float | None
    """Smallest input value."""
    input_high: float | None
    """Largest input value."""
    validation: str
    """`none`, `data` (`validation_data`) or `split` (`validation_split`)."""
    overlap: _Images
    """Images in both the training and the validation data; empty if unknown."""
    final_accuracy: _Fraction
    """Training accuracy of the last epoch."""
    final_val_accuracy: _Fraction
    """Validation accuracy of the last epoch."""
    final_loss: float | None
    """Training loss of the last epoch; empty if it is no finite number."""
    final_val_loss: float | None
    """Validation loss of the last epoch; empty if it is no finite number."""
    best_val_accuracy: _Fraction
    """Highest validation accuracy."""
    best_val_loss: float | None
    """Lowest validation loss."""
    best_epoch: int | None
    """The epoch of `best_val_accuracy`, from 1; without it that of `best_val_loss`."""
    diverged: bool
    """Whether a metric was infinite or not a number in some epoch."""
    layers_with_weights: int
    """Number of layers with weights."""
    frozen_layers: int
    """Number of layers with weights that were not trainable."""
    changed_layers: int
    """Number of layers whose weights the training changed."""
    callbacks: str | None
    """Classes of the callbacks, separated by spaces."""
    device: str | None
    """Device of the training."""
    seconds: _Seconds
    """Duration."""


class EpochRow(DataRow):
    """One epoch of a training. The long table does not contain these values."""

    key: ClassVar[tuple[str, ...]] = ("training", "epoch")
    long: ClassVar[bool] = False

    training: int
    """Number of the training."""
    epoch: int
    """Number of the epoch, from 1."""
    accuracy: _Fraction
    """Training accuracy."""
    val_accuracy: _Fraction
    """Validation accuracy."""
    loss: float | None
    """Training loss."""
    val_loss: float | None
    """Validation loss."""
    learning_rate: float | None
    """Learning rate at the end of the epoch."""


class AccuracyRow(DataRow):
    """The accuracy of a model on a set of images."""

    key: ClassVar[tuple[str, ...]] = ("model", "images")

    model: str
    """Id of the model."""
    graded: bool
    """Whether the grade shows this accuracy as that of the submission."""
    images: str
    """Data set, split and task, such as `mnist/test`; with `@later` after a training of another model that shares
    layers."""
    dataset: str
    """Data set."""
    split: str
    """`train` or `test`."""
    task: str | None
    """The rubric's task; empty for the whole split."""
    accuracy: _Fraction
    """The accuracy."""
    low: _Fraction
    """Lower end of its 95 % interval."""
    high: _Fraction
    """Upper end of its 95 % interval."""
    correct: _Images
    """Number of correctly classified images."""
    total: _Images
    """Number of images."""
    assurance: str
    """`verified` if the grader computed it, else `recorded`."""


class NoteRow(DataRow):
    """One note in the margin of the report."""

    key: ClassVar[tuple[str, ...]] = ("number",)

    number: int
    """Number of the note in the submission, from 1."""
    note: str
    """Id of the diagnostic, such as `dropout-after-output`."""
    title: str
    """Its title, in English."""
    cell: int | None
    """The cell, from 0."""
    model: str | None
    """Id of the model that it is about."""
    for_instructor: bool
    """Whether students do not see it."""
    message: _Words
    """The observation, in English."""


class ErrorRow(DataRow):
    """One cell that raised an exception."""

    key: ClassVar[tuple[str, ...]] = ("number",)
    assured: ClassVar[str | None] = "recorded"

    number: int
    """Number of the error in the submission, from 1."""
    cell: int | None
    """The cell, from 0."""
    line: int | None
    """The line of the cell, from 1."""
    name: str
    """Class of the exception."""
    cause: _Words
    """The reason in the text of the exception."""
    follows: int | None
    """The earlier cell whose error caused this one."""


class JudgementRow(DataRow):
    """One decision of a person about a submission, as the grade shows it."""

    key: ClassVar[tuple[str, ...]] = ("number",)
    assured: ClassVar[str | None] = "judged"

    number: int
    """Number of the judgement in the submission, from 1."""
    kind: str
    """`points`, `override`, `comment`, `flag`, `request`, `answer`, or `review` for a judgement that needs another
    look."""
    criterion: str | None
    """Id of the criterion; empty for the whole submission."""
    by: _Person
    """The person."""
    at: datetime | None
    """When it was decided."""
    points: _Points
    """Points given."""
    text: _Words
    """The comment, the reason or the answer."""
    review: str | None
    """The change since it was made: `notebook`, `points`, `criterion` or `computed`."""


class FactRow(DataRow):
    """One fact: a value of another table, or a value that a check measured."""

    long: ClassVar[bool] = False

    kind: str
    """The table that the value is from."""
    item: str | None
    """The row of that table: its key columns, joined by `/`; empty for the submission itself."""
    model: str | None
    """Id of the model that it is about."""
    name: str
    """The column, or `measured.` and the name of a value that a check measured."""
    number: float | None
    """The value of a number; 1 and 0 for true and false."""
    text: str | None
    """The value of a text or a date."""
    unit: str | None
    """The unit of the number."""
    assurance: str | None
    """`verified`, `recorded`, `stated` or `judged`; empty for the grader's own figures."""
    cell: int | None
    """The cell, from 0."""


FACTS: Final = "facts"
"""Name of the long table."""
STUDENTS: Final = "students"
"""Name of the table of the roster."""

TABLES: Final[Mapping[str, type[DataRow]]] = MappingProxyType(
    {
        "submissions": SubmissionRow,
        STUDENTS: StudentRow,
        "criteria": CriterionRow,
        "models": ModelRow,
        "layers": LayerRow,
        "trainings": TrainingRow,
        "epochs": EpochRow,
        "accuracies": AccuracyRow,
        "notes": NoteRow,
        "errors": ErrorRow,
        "judgements": JudgementRow,
        FACTS: FactRow,
    }
)
"""The tables by name."""

"""Combine the events of trainings to facts."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from grader.evidence.arraybook import ArrayBook, KnownArray, split_rows
from grader.evidence.claims import (
    MalformedError,
    Moment,
    as_choice,
    as_float,
    as_floats,
    as_int,
    as_json,
    as_map,
    as_shape,
    as_text,
    as_texts,
    claim,
    claims,
    holds,
    need_choice,
    need_id,
    need_int,
)
from grader.evidence.provenance import overlap
from grader.evidence.settings import read_loss, read_optimizer
from grader.inside.record.events import (
    MAX_STEP_ARRAYS,
    MAX_STEP_OPERATIONS,
    MAX_STEP_RATES,
    ArrayDescription,
    CallbackDescription,
    Epoch,
    FitEnd,
    FitStart,
    FitStatus,
    LabelDescription,
    Progress,
    StepDescription,
    TrainingType,
    ValidationSource,
)
from grader.schema.evidence import ArrayFact, CallbackFact, FitFact, LabelFact, StepFact

__all__ = ["TrainingLog", "digests_of"]

_MAX_FITS = 2_000
_MAX_EPOCHS = 20_000
_MAX_NAMES = 64
_MAX_CALLBACKS = 50
_MAX_OWNERS = 16
_TYPES: tuple[TrainingType, ...] = get_args(TrainingType)
_STATES: tuple[FitStatus, ...] = get_args(FitStatus)
_VALIDATIONS: tuple[ValidationSource, ...] = get_args(ValidationSource)


@dataclass(frozen=True, slots=True)
class _Epoch:
    """One finished epoch."""

    logs: Mapping[str, float | None]
    rate: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class _End:
    """The end of a training; the defaults are for an unfinished one."""

    status: FitStatus | None = None
    epochs: int | None = None
    steps: int | None = None
    seconds: float | None = None
    history: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    rates: tuple[float, ...] = ()
    step_rates: tuple[float, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    step: StepFact | None = None


@dataclass(eq=False)
class _Training:
    """One training, while its events are read.

    Attributes:
        start: The event that started it.
        at: Time of that event.
        model: The model's id.
        kind: `fit`, or a custom training loop.
        validation: Source of the validation data.
        split: Fraction of the images that is held back for validation.
        x: The training images.
        y: The training labels.
        val_x: The validation images.
        val_y: The validation labels.
        overlap: Number of rows in both the training and the validation data.
        batch_size: Rows per batch.
        epochs: The finished epochs, by number.
        end: Its end; None while it runs.
        partial: What is known of a running one.
    """

    start: FitStart
    at: Moment
    model: str
    kind: TrainingType
    validation: ValidationSource
    split: float | None
    x: ArrayFact | None
    y: LabelFact | None
    val_x: ArrayFact | None
    val_y: LabelFact | None
    overlap: int | None
    batch_size: int | None
    epochs: dict[int, _Epoch] = field(default_factory=dict)
    end: _End | None = None
    partial: _End = field(default_factory=_End)


class TrainingLog:
    """Collects `fit_start`, `epoch`, `progress` and `fit_end`.

    Each of the four methods raises `MalformedError` for an unusable event: without an id, of a training that was not
    started or has ended, or with the id of an earlier training.
    """

    def __init__(self, book: ArrayBook) -> None:
        """Make an empty log.

        Args:
            book: Reads descriptions of arrays and labels.
        """
        self._book = book
        self._trainings: dict[int, _Training] = {}

    def start(self, event: FitStart, at: Moment) -> None:
        """Start a training."""
        key = need_int(event["fit"])
        if key in self._trainings or len(self._trainings) >= _MAX_FITS:
            msg = "duplicate training, or too many trainings"
            raise MalformedError(msg)
        self._trainings[key] = self._started(event, at)

    def epoch(self, event: Epoch, _: Moment) -> None:
        """Add a finished epoch."""
        training = self._running(event["fit"])
        number = need_int(event["epoch"], 1, _MAX_EPOCHS)
        training.epochs[number] = _Epoch(
            logs={name: as_float(value) for name, value in as_map(event["logs"], _MAX_NAMES).items()},
            rate=as_float(event["rate"]),
            seconds=as_float(event["seconds"]),
        )

    def end(self, event: FitEnd, _: Moment) -> None:
        """End a training."""
        training = self._running(event["fit"])
        if training.kind == "custom_loop":
            self._add_batches(training, event["x"], event["y"], event["batch_size"])
        training.end = _End(
            status=need_choice(event["status"], _STATES),
            epochs=as_int(event["epochs"], 0, _MAX_EPOCHS),
            steps=as_int(event["steps"]),
            seconds=as_float(event["seconds"]),
            history=_history(event["history"]),
            rates=as_floats(event["rates"], _MAX_EPOCHS),
            step_rates=as_floats(event["step_rates"], MAX_STEP_RATES),
            digests=digests_of(event["digests"]),
            error=as_text(event["error"], 1000) or None,
            step=self._step(event["step"], self._images(training, event)) if holds(event, "step") else None,
        )

    def _images(self, training: _Training, event: FitEnd) -> KnownArray | None:
        """Return the images that a training was given; for a loop, they are known only at its end."""
        if training.kind == "custom_loop":
            return self._book.training_array(event["x"])
        start: FitStart = training.start
        return self._book.training_array(start["x"])

    def _step(self, value: object, given: KnownArray | None) -> StepFact:
        """Convert the description of the steps' other data.

        Args:
            value: The description.
            given: The images that the training was given.
        """
        step = claim(StepDescription, value)
        images = claims(ArrayDescription, step["arrays"], MAX_STEP_ARRAYS)
        arrays = [known for each in images if (known := self._book.training_array(each, of_steps=True)) is not None]
        sets = arrays if given is None else [*arrays, given]
        labels = claims(LabelDescription, step["labels"], MAX_STEP_ARRAYS) if holds(step, "labels") else ()
        rows = self._book.training_array(step["rows"], of_steps=True)
        return StepFact(
            arrays=tuple(known.fact for known in arrays),
            numbers=(as_int(step["numbers"]) or 0) + sum(self._hidden_numbers(each, sets) for each in labels),
            operations=as_texts(step["operations"], MAX_STEP_OPERATIONS, 60),
            rows=rows.fact if rows else None,
        )

    def _hidden_numbers(self, labels: LabelDescription, sets: Iterable[KnownArray]) -> int:
        """Count the numbers of an array in a graph that are not the labels of recognized images."""
        found = [number for known in sets if (number := self._book.hidden_numbers(labels, known)) is not None]
        shape = as_shape(labels["shape"])
        return min(found, default=math.prod(size or 0 for size in shape or ()))

    def progress(self, event: Progress, _: Moment) -> None:
        """Note the state of a running custom training loop."""
        training = self._running(event["fit"])
        training.partial = _End(
            steps=as_int(event["steps"]), seconds=as_float(event["seconds"]), digests=digests_of(event["digests"])
        )
        if training.kind == "custom_loop":
            self._add_batches(training, event["x"], event["y"], event["batch_size"])

    def _add_batches(self, training: _Training, images: object, labels: object, batch_size: object) -> None:
        """Add the data of a custom training loop, which are known only after it has run."""
        x = self._book.training_array(images, labels)
        y = self._book.label(labels, x)
        size = as_int(batch_size, 1)
        training.x = x.fact if x else training.x
        training.y = y or training.y
        training.batch_size = training.batch_size if size is None else size

    @property
    def unfinished(self) -> bool:
        """Whether a training has no end."""
        return any(training.end is None for training in self._trainings.values())

    @property
    def models(self) -> frozenset[str]:
        """Ids of all trained models."""
        return frozenset(training.model for training in self._trainings.values())

    def facts(self) -> tuple[FitFact, ...]:
        """Return all trainings in order; an unfinished one has the history of its epochs."""
        return tuple(_fact(training) for training in self._trainings.values())

    def _running(self, fit: object) -> _Training:
        training = self._trainings.get(need_int(fit))
        if training is None or training.end is not None:
            msg = "no such training is running"
            raise MalformedError(msg)
        return training

    def _started(self, event: FitStart, at: Moment) -> _Training:
        model = need_id(event["model"])
        x = self._book.training_array(event["x"], event["y"])
        val_x = self._book.array(event["val_x"], event["val_y"])
        validation = as_choice(event["validation"], _VALIDATIONS) or "none"
        split = as_float(event["validation_split"])
        return _Training(
            start=event,
            at=at,
            model=model,
            kind=as_choice(event["type"], _TYPES) or "fit",
            validation=validation,
            split=split,
            x=x.fact if x else None,
            y=self._book.label(event["y"], x, split if validation == "split" else None),
            val_x=val_x.fact if val_x else None,
            val_y=self._book.label(event["val_y"], val_x),
            overlap=_overlap(x, val_x, validation, split),
            batch_size=as_int(event["batch_size"]),
        )


def _overlap(
    x: KnownArray | None, val_x: KnownArray | None, validation: ValidationSource, split: float | None
) -> int | None:
    """Count the rows in both the training and the validation data; None if they are unknown."""
    if validation == "data" and x and val_x and x.fact.rows and val_x.fact.rows:
        same = x.fact.rows.dataset == val_x.fact.rows.dataset
        common = overlap(x.rows, val_x.rows) if same else 0
        # If a pipeline draws some of the rows, it is unknown whether it draws the common ones.
        return None if common and (x.drawn or val_x.drawn) else common
    if validation == "split" and x and x.rows is not None and split is not None and 0 < split < 1:
        return overlap(*split_rows(x.rows, split))
    return None


def _callbacks(value: object) -> Iterator[CallbackFact]:
    for callback in claims(CallbackDescription, value, _MAX_CALLBACKS):
        cls = as_text(callback["cls"])
        if cls:
            custom = as_text(callback["custom"]) or None
            yield CallbackFact(cls=cls, custom=custom, config=as_json(as_map(callback["config"])))


def digests_of(value: object) -> dict[str, str]:
    """Read the digests of layers, by the layers' names."""
    return {name: as_text(digest, 128) for name, digest in as_map(value).items() if isinstance(digest, str)}


def _history(value: object) -> dict[str, tuple[float, ...]]:
    return {name: as_floats(numbers, _MAX_EPOCHS) for name, numbers in as_map(value, _MAX_NAMES).items() if numbers}


def _fact(training: _Training) -> FitFact:
    start: FitStart = training.start
    epochs = [training.epochs[number] for number in sorted(training.epochs)]
    end = training.end or training.partial
    return FitFact(
        event=training.at.n,
        cell=training.at.cell,
        model=training.model,
        kind=training.kind,
        status=end.status or "unfinished",
        epochs_asked=as_int(start["epochs"]),
        epochs_done=len(epochs) if end.epochs is None else end.epochs,
        batch_size=training.batch_size,
        steps=as_int(start["steps"]),
        total_steps=end.steps,
        seconds=_seen_seconds(epochs) if end.seconds is None else end.seconds,
        history=end.history or _seen_history(epochs),
        learning_rates=end.rates or _seen_rates(epochs),
        step_rates=end.step_rates,
        x=training.x,
        y=training.y,
        validation=training.validation,
        validation_split=training.split,
        val_x=training.val_x,
        val_y=training.val_y,
        overlap=training.overlap,
        callbacks=tuple(_callbacks(start["callbacks"])),
        compiled=as_int(start["compiled"], 1),
        optimizer=read_optimizer(start["optimizer"]),
        loss=read_loss(start["loss"]),
        loss_of=as_texts(start["loss_of"], _MAX_OWNERS, 64) if holds(start, "loss_of") else None,
        trainable={name: flag for name, flag in as_map(start["trainable"]).items() if isinstance(flag, bool)},
        digests_before=digests_of(start["digests"]),
        digests_after=end.digests,
        device=as_text(start["device"], 100),
        error=end.error,
        step=end.step,
    )


def _seen_seconds(epochs: Sequence[_Epoch]) -> float | None:
    times = [epoch.seconds for epoch in epochs if epoch.seconds is not None]
    return sum(times) if times else None


def _seen_rates(epochs: Sequence[_Epoch]) -> tuple[float, ...]:
    """Return the rate of each epoch; empty if one is unknown."""
    rates = tuple(epoch.rate for epoch in epochs if epoch.rate is not None)
    return rates if len(rates) == len(epochs) else ()


def _seen_history(epochs: Sequence[_Epoch]) -> dict[str, tuple[float, ...]]:
    names = dict.fromkeys(name for epoch in epochs for name in epoch.logs)

    def value(epoch: _Epoch, name: str) -> float:
        number = epoch.logs.get(name)
        return math.nan if number is None else number

    return {name: tuple(value(epoch, name) for epoch in epochs) for name in list(names)[:_MAX_NAMES]}

"""The events of trainings, put together."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from grader.evidence.arraybook import ArrayBook, KnownArray, split_rows
from grader.evidence.claims import (
    MalformedError,
    as_bool,
    as_float,
    as_floats,
    as_int,
    as_json,
    as_list,
    as_map,
    as_text,
    need_id,
    need_int,
)
from grader.evidence.provenance import overlap
from grader.evidence.settings import read_loss, read_optimizer
from grader.schema.evidence import CallbackFact, FitFact

__all__ = ["TrainingLog", "digests_of"]

Event = Mapping[str, Any]

_MAX_FITS = 2_000
_MAX_EPOCHS = 20_000
_MAX_STEPS = 500
_MAX_NAMES = 64
_STATES = ("completed", "stopped_by_budget", "stopped_early", "interrupted", "error")


@dataclass(eq=False)
class _Training:
    """One training while its events come in."""

    begun: dict[str, Any]
    epochs: dict[int, dict[str, Any]] = field(default_factory=dict)
    ended: dict[str, Any] = field(default_factory=dict)


class TrainingLog:
    """Collects `fit_start`, `epoch` and `fit_end`.

    Each of the three methods raises `MalformedError` for an event that is worthless: without an id, of a training that
    never began or has ended, or beginning one that has begun.
    """

    def __init__(self, book: ArrayBook, cell_of: Callable[[Event], int | None]) -> None:
        """Share the book of arrays.

        Args:
            book: Reads descriptions of arrays and labels.
            cell_of: Finds the notebook's index of the cell an event happened in.
        """
        self._book = book
        self._cell_of = cell_of
        self._trainings: dict[int, _Training] = {}

    def start(self, event: Event, n: int) -> None:
        """A training begins."""
        key = need_int(event.get("fit"))
        if key in self._trainings or len(self._trainings) >= _MAX_FITS:
            msg = "a training that has begun, or one too many"
            raise MalformedError(msg)
        self._trainings[key] = _Training(self._begun(event, n))

    def epoch(self, event: Event, _: int) -> None:
        """An epoch ended."""
        training = self._running(event)
        number = need_int(event.get("epoch"), 1, _MAX_EPOCHS)
        logs = {name: as_float(value) for name, value in as_map(event.get("logs"), _MAX_NAMES).items()}
        training.epochs[number] = {
            "logs": logs,
            "rate": as_float(event.get("rate")),
            "seconds": as_float(event.get("seconds")),
        }

    def end(self, event: Event, _: int) -> None:
        """A training ended."""
        training = self._running(event)
        status = event.get("status")
        if not isinstance(status, str) or status not in _STATES:
            msg = "an unknown end"
            raise MalformedError(msg)
        training.ended = {
            "status": status,
            "epochs_done": as_int(event.get("epochs"), 0, _MAX_EPOCHS),
            "total_steps": as_int(event.get("steps")),
            "seconds": as_float(event.get("seconds")),
            "history": _history(event.get("history")),
            "learning_rates": as_floats(event.get("rates"), _MAX_EPOCHS),
            "step_rates": as_floats(event.get("step_rates"), _MAX_STEPS),
            "digests_after": digests_of(event.get("digests")),
            "error": as_text(event.get("error"), 1000) or None,
        }
        if training.begun["kind"] == "custom_loop":
            training.begun |= self._found_later(training.begun, event)

    def _found_later(self, begun: Mapping[str, Any], event: Event) -> dict[str, Any]:
        """What a loop of the student's own was given is known only once it has run."""
        x = self._book.array(event.get("x"), event.get("y"))
        size = as_int(event.get("batch_size"), 1)
        return {
            "x": x.fact if x else begun["x"],
            "y": self._book.label(event.get("y"), x) or begun["y"],
            "batch_size": begun["batch_size"] if size is None else size,
        }

    def facts(self) -> tuple[FitFact, ...]:
        """Every training in the order of its beginning; one that never ended has the history of its epochs."""
        return tuple(_fact(training) for training in self._trainings.values())

    def _running(self, event: Event) -> _Training:
        training = self._trainings.get(need_int(event.get("fit")))
        if training is None or training.ended:
            msg = "no such training runs"
            raise MalformedError(msg)
        return training

    def _begun(self, event: Event, n: int) -> dict[str, Any]:
        model = need_id(event.get("model"))
        x, val_x = (
            self._book.array(event.get("x"), event.get("y")),
            self._book.array(event.get("val_x"), event.get("val_y")),
        )
        given = event.get("validation")
        validation = given if isinstance(given, str) and given in {"none", "data", "split"} else "none"
        part = as_float(event.get("validation_split"))
        return {
            "event": n,
            "cell": self._cell_of(event),
            "model": model,
            "kind": "custom_loop" if event.get("type") == "custom_loop" else "fit",
            "epochs_asked": as_int(event.get("epochs")),
            "batch_size": as_int(event.get("batch_size")),
            "steps": as_int(event.get("steps")),
            "x": x.fact if x else None,
            "y": self._book.label(event.get("y"), x),
            "validation": validation,
            "validation_split": part,
            "val_x": val_x.fact if val_x else None,
            "val_y": self._book.label(event.get("val_y"), val_x),
            "overlap": _overlap(x, val_x, validation, part),
            "callbacks": tuple(c for c in map(_callback, as_list(event.get("callbacks"), 50)) if c is not None),
            "compiled": as_int(event.get("compiled"), 1),
            "optimizer": read_optimizer(event.get("optimizer")),
            "loss": read_loss(event.get("loss")),
            "trainable": {k: v for k, v in as_map(event.get("trainable")).items() if as_bool(v) is not None},
            "digests_before": digests_of(event.get("digests")),
            "device": as_text(event.get("device"), 100),
        }


def _overlap(x: KnownArray | None, val_x: KnownArray | None, validation: str, part: float | None) -> int | None:
    """Rows in both the training and the validation data; None where they are not known."""
    if validation == "data" and x and val_x and x.fact.rows and val_x.fact.rows:
        same = x.fact.rows.dataset == val_x.fact.rows.dataset
        return overlap(x.rows, val_x.rows) if same else 0
    if validation == "split" and x and x.rows is not None and part is not None and 0 < part < 1:
        return overlap(*split_rows(x.rows, part))
    return None


def _callback(claim: object) -> CallbackFact | None:
    given = as_map(claim)
    cls = as_text(given.get("cls"))
    if not cls:
        return None
    return CallbackFact(
        cls=cls,
        custom=as_text(given.get("custom")) or None,
        config=as_json(as_map(given.get("config"))),
    )


def digests_of(claim: object) -> dict[str, str]:
    """Layer name → digest, of a claim."""
    return {name: as_text(value, 128) for name, value in as_map(claim).items() if isinstance(value, str)}


def _history(claim: object) -> dict[str, tuple[float, ...]]:
    return {name: as_floats(values, _MAX_EPOCHS) for name, values in as_map(claim, _MAX_NAMES).items() if values}


def _fact(training: _Training) -> FitFact:
    seen = [training.epochs[number] for number in sorted(training.epochs)]
    fact = {"status": "unfinished", **training.begun, **training.ended}
    if fact.get("epochs_done") is None:
        fact["epochs_done"] = len(seen)
    if not fact.get("history"):
        fact["history"] = _seen_history(seen)
    if not fact.get("learning_rates"):
        rates = tuple(epoch["rate"] for epoch in seen)
        fact["learning_rates"] = () if None in rates else rates
    if fact.get("seconds") is None:
        times = [epoch["seconds"] for epoch in seen if epoch["seconds"] is not None]
        fact["seconds"] = sum(times) if times else None
    return FitFact.model_validate(fact)


def _seen_history(epochs: list[dict[str, Any]]) -> dict[str, tuple[float, ...]]:
    names = dict.fromkeys(name for epoch in epochs for name in epoch["logs"])

    def value(epoch: dict[str, Any], name: str) -> float:
        number: float | None = epoch["logs"].get(name)
        return math.nan if number is None else number

    return {name: tuple(value(epoch, name) for epoch in epochs) for name in list(names)[:_MAX_NAMES]}

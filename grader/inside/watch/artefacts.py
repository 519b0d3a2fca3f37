"""Saves every trained model in the record, within a size limit and without disturbing the notebook.

The first choice is a `.keras` file. If the model uses the student's own code, which the predictor does not have, it is
also exported as a SavedModel. The last resort is predictions made here.
"""

import contextlib
import io
import logging
import shutil
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.models import dialect_of, digests, numbers, weights_of
from ..hooking.guard import Guard
from ..hooking.randomness import untouched_randomness
from ..record.events import MAX_ITEMS, MAX_REASON, ArrayDescription, Kept, KeptFormat, Unkept
from ..record.predictions import MAX_OUTPUTS
from ..record.recorder import Recorder
from .fingerprints import Fingerprints, statistical
from .keras_archive import save
from .model_book import ModelBook
from .preparation import affine_from_sample, prepared_test_images

__all__ = ["Keeper", "UnkeepableError"]

CHEAP_PART = 0.015
"""Maximum cost of a save at a training's end, as a fraction of the time since the last save."""
LEAST_GAP = 20.0
"""Minimum number of seconds between two saves during a training."""
GAP_FACTOR = 60.0
"""Minimum time between two saves during a training, as a multiple of the last save's cost."""
_BATCH = 500


class UnkeepableError(Exception):
    """A model could not be saved; the message gives the reason."""


@dataclass(slots=True)
class _Kept:
    """State of one model's saves.

    Attributes:
        model: Weak reference to the model.
        after: Number of the last event that changed its weights.
        x: Description of the images of its last training.
        dirty: Whether its weights changed since the last save.
        shaken: Whether another model's training changed shared layers since the last save.
        cost: Duration of the last save in seconds; None before the first.
        at: Monotonic time of the last save's end, or of the first training.
        size: Size in the record, in bytes.
    """

    model: "weakref.ref[Any]"
    after: int
    x: ArrayDescription | None
    dirty: bool = True
    shaken: bool = False
    cost: float | None = None
    at: float = 0.0
    size: int = 0


class Keeper:
    """Decides when to save each model, and saves it."""

    def __init__(self, recorder: Recorder, book: ModelBook, guard: Guard) -> None:
        """Start without saved models and trainings."""
        self._recorder = recorder
        self._book = book
        self._guard = guard
        self._kept: dict[str, _Kept] = {}
        self.fingerprints = Fingerprints()

    def changed(self, model: Any, event: int, x: ArrayDescription | None) -> None:
        """Note that a model's weights changed, and keep the model alive until the cell's end.

        Args:
            model: The model.
            event: Number of the event that changed them.
            x: Description of the training images; None keeps the last description.
        """
        entry = self._book.entry(model)
        self._book.hold(model)
        known = self._kept.get(entry.id)
        if known is None:
            known = self._kept[entry.id] = _Kept(weakref.ref(model), event, x, at=time.monotonic())
        known.after, known.dirty, known.x = event, True, x or known.x

    def fit_ended(self, model: Any) -> None:
        """Save a model after its training if that is cheap; otherwise it is saved at the cell's end."""
        known = self._kept[self._book.entry(model).id]
        if known.cost is None or known.cost <= CHEAP_PART * (time.monotonic() - known.at):
            self._keep(known)

    def keep_now(self, model: Any) -> None:
        """Save a model before it loses a layer, unless it is saved already.

        Args:
            model: A model, trained or not.
        """
        known = self._kept.get(self._book.entry(model).id)
        if known is not None and known.dirty:
            self._keep(known)

    def keep_sharers(self, model: Any) -> None:
        """Before a training, save the other models that share layers with the model.

        Args:
            model: The model to be trained.
        """
        layers = self._book.entry(model).layers
        for entry, other in self._book.alive():
            known = self._kept.get(entry.id)
            if other is not model and known is not None and known.dirty and entry.layers & layers:
                self._keep(known)

    def shared_layers_changed(self, model: Any, layers: frozenset[int]) -> None:
        """Note that a training changed layers that other, already saved models share.

        They are saved again at the cell's end, in addition to the first save, so that both can be judged.

        Args:
            model: The trained model.
            layers: Ids of the layers whose weights changed.
        """
        for entry, other in self._book.alive():
            known = self._kept.get(entry.id)
            if other is not model and known is not None and not known.dirty and entry.layers & layers:
                known.shaken = True
                self._book.hold(other)

    def is_due(self, model: Any) -> bool:
        """Whether the last save of a model in training is long enough ago."""
        known = self._kept.get(self._book.entry(model).id)
        if known is None:
            return True
        return time.monotonic() - known.at > max(LEAST_GAP, GAP_FACTOR * (known.cost or 0.0))

    def epoch_ended(self, model: Any, event: int) -> None:
        """Save a model between two epochs if the last save is long ago.

        Args:
            model: The model.
            event: Number of the training's `fit_start`.
        """
        known = self._kept.get(self._book.entry(model).id)
        if known is None:
            # Start the clock, so that the model of a short training is saved only at its end.
            self._kept[self._book.entry(model).id] = _Kept(
                weakref.ref(model), event, None, dirty=False, at=time.monotonic()
            )
            return
        if self.is_due(model):
            known.after, known.dirty = event, True
            self._keep(known)

    def cell_ended(self) -> None:
        """Save changed models, and release those that only the recorder keeps alive."""
        for known in self._kept.values():
            if known.dirty:
                self._keep(known)
            if known.shaken:
                self._guard.quietly(self._keep_later, known)
        self._book.release()

    def _keep_later(self, known: _Kept) -> None:
        """Save a model after another model's training changed it."""
        known.shaken = False
        model = known.model()
        if model is None:
            return
        entry = self._book.entry(model)
        if self._kept.get(entry.id) is not known:
            return
        target = self._recorder.session.out / "models" / f"{entry.id}.later.keras"
        with self._guard.recording(), untouched_randomness(), _silence():
            self._write(entry.id, known, target, lambda path: save(model, path))
        path = f"models/{target.name}"
        event = Kept(kind="kept", model=entry.id, format="keras", path=path, after=known.after, moment="later")
        self._recorder.log.write(event)

    def _keep(self, known: _Kept) -> None:
        model = known.model()
        if model is None:
            known.dirty = False
            return
        entry = self._book.entry(model)
        if self._kept.get(entry.id) is not known:
            # The object lost layers and is a different model now; the last save of the earlier model remains.
            known.dirty = False
            return
        began = time.monotonic()
        with self._guard.recording(), untouched_randomness(), _silence():
            try:
                self._save(entry.id, model, known)
            except Exception as problem:
                if not isinstance(problem, UnkeepableError):
                    self._guard.report(self._save, problem)
                reason = (
                    str(problem) if isinstance(problem, UnkeepableError) else f"{type(problem).__name__}: {problem}"
                )
                self._recorder.log.write(Unkept(kind="unkept", model=entry.id, reason=reason[:MAX_REASON]))
        known.at = time.monotonic()
        known.cost, known.dirty = known.at - began, False

    def _save(self, model_id: str, model: Any, known: _Kept) -> None:
        if not getattr(model, "built", True):
            msg = "the model was never built"
            raise UnkeepableError(msg)
        weights = sum(int(np.prod(tuple(weight.shape), dtype=np.int64)) * 4 for weight in weights_of(model))
        self._check_room(model_id, weights)
        folder = self._recorder.session.out / "models"
        target = folder / f"{model_id}.keras"
        custom, problem = True, ""
        try:
            custom = self._write(model_id, known, target, lambda path: save(model, path))
        except UnkeepableError:
            raise
        except Exception as failure:
            problem = f"{type(failure).__name__}: {failure}"
        else:
            self._tell(model_id, "keras", f"models/{target.name}", known, custom=custom)
        if not custom:
            return
        try:
            target = folder / f"{model_id}.saved_model"
            self._write(model_id, known, target, lambda path: _export(model, path))
            self._tell(model_id, "saved_model", f"models/{target.name}", known, custom=True)
        except UnkeepableError:
            raise
        except Exception as failure:
            problem = f"{problem}; export: {type(failure).__name__}: {failure}".lstrip("; ")
            self._predict(model_id, model, known, problem)

    def _predict(self, model_id: str, model: Any, known: _Kept, problem: str) -> None:
        """As a last resort, save predictions for the graded test images, preprocessed like the training images."""
        session = self._recorder.session
        if known.x is None or known.x["shape"] is None or "file" not in known.x:
            msg = f"{problem}; there are no training images that show the preprocessing"
            raise UnkeepableError(msg)
        if not session.graded_dataset:
            msg = f"{problem}; the rubric names no data set"
            raise UnkeepableError(msg)
        folder = session.data / session.graded_dataset
        found = affine_from_sample(session.out / known.x["file"], folder)
        if found is None:
            msg = f"{problem}; its training images are not simply scaled images of {session.graded_dataset}"
            raise UnkeepableError(msg)
        images = prepared_test_images(folder, found, tuple(known.x["shape"][1:]), np.dtype(known.x["dtype"]))
        rows = _outputs(model, images)
        path = session.out / "predictions" / f"{model_id}.npy"
        with path.with_suffix(".part").open("wb") as file:
            np.save(file, rows, allow_pickle=False)
        path.with_suffix(".part").replace(path)
        self._tell(model_id, "predictions", f"predictions/{path.name}", known, custom=True)

    def _tell(self, model_id: str, form: KeptFormat, path: str, known: _Kept, *, custom: bool) -> None:
        event = Kept(kind="kept", model=model_id, format=form, path=path, after=known.after, custom=custom)
        self._guard.quietly(self._add_fingerprints, event, known.model())
        self._recorder.log.write(event)

    def _add_fingerprints(self, event: Kept, model: Any) -> None:
        event["digests"] = digests(model)
        ignored = statistical(model)
        compared = {name: digest for name, digest in event["digests"].items() if name not in ignored}
        event["unexplained"] = self.fingerprints.unexplained(event["model"], compared)[:MAX_ITEMS]

    def _write(self, model_id: str, known: _Kept, target: Path, write: Callable[[Path], Any]) -> Any:
        """Write to a temporary path and rename it, so that a killed kernel leaves the old or the new state."""
        part = target.with_name(f"part-{target.name}")
        _remove(part)
        try:
            result = write(part)
            self._check_room(model_id, _size(part) + (known.size if target.suffix == ".saved_model" else 0))
            old = target.with_name(f"old-{target.name}")
            if target.is_dir():
                target.replace(old)
            part.replace(target)
            _remove(old)
        finally:
            _remove(part)
        known.size = sum(_size(path) for path in target.parent.glob(f"{model_id}.*"))
        return result

    def _check_room(self, model_id: str, size: int) -> None:
        cap = self._recorder.session.max_models_mib * (1 << 20)
        others = sum(kept.size for other, kept in self._kept.items() if other != model_id)
        if others + size > cap:
            msg = f"the saved models would take more than {self._recorder.session.max_models_mib:g} MiB"
            raise UnkeepableError(msg)


def _export(model: Any, path: Path) -> None:
    """Export a model for inference; it can be loaded without the student's classes."""
    if dialect_of(model) == "keras3":
        model.export(str(path), format="tf_saved_model", verbose=False)
    else:
        model.export(str(path))


def _outputs(model: Any, images: NDArray[Any]) -> NDArray[np.float32]:
    """Call the model on batches of images, and restore variables that a call changed, such as layers' seeds."""
    before = [(variable, numbers(variable).copy()) for variable in getattr(model, "variables", weights_of(model))]
    try:
        rows = [numbers(model(images[at : at + _BATCH], training=False)) for at in range(0, len(images), _BATCH)]
    finally:
        for variable, value in before:
            if not np.array_equal(numbers(variable), value):
                variable.assign(value)
    found = np.concatenate(rows).reshape(len(images), -1)
    if found.shape[1] > MAX_OUTPUTS:
        msg = f"it has {found.shape[1]} outputs"
        raise UnkeepableError(msg)
    return np.asarray(found, np.float32)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Suppress output and warnings of a save, which would confuse the student."""
    loggers = [logging.getLogger(name) for name in ("absl", "tensorflow")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(inner.stat().st_size for inner in path.rglob("*") if inner.is_file())
    return path.stat().st_size if path.exists() else 0


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

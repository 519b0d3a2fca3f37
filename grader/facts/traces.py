"""Extract from evidence what can show that two submissions share work."""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePath

from grader.facts.code_prints import Prints, code_prints, text_prints
from grader.schema.evidence import CellFact, Evidence, FitFact, ModelFact

__all__ = ["ErrorsTrace", "LoadedTrace", "Traces", "TrainingTrace", "traces_of"]

_SEED = re.compile(r"\bseed\b|\bset_(?:random_)?seed\b|\brandom_state\b")
_LEAST_ERRORS = 5
"""Fewer errors can be the same by chance."""
_LEAST_CELLS, _LEAST_GAPS = 5, 3
"""Execution counts count as evidence for so many cells, and so many numbers left out between them."""


@dataclass(frozen=True, slots=True)
class TrainingTrace:
    """One training."""

    model: str
    """Name of the model in the notebook."""
    cells: frozenset[int]
    """Cells that build, compile and train the model."""
    recipe: str
    """Digest of the layers with weights, the optimizer, the batch size and the number of images.

    Trainings with different recipes cannot produce the same weights."""
    before: frozenset[str]
    """Digests of the layers' weights at the start."""
    results: frozenset[str]
    """Digests of the weights that the training changed, at its end."""
    losses: tuple[float, ...]
    """The first losses to the last digit; empty if there are too few."""
    epochs: int


@dataclass(frozen=True, slots=True)
class LoadedTrace:
    """Weights from a file that the notebook did not write itself."""

    path: str
    digests: frozenset[str]
    cell: int | None


@dataclass(frozen=True, slots=True)
class ErrorsTrace:
    """The misclassified images of one model."""

    model: str
    key: str
    """Data set, split and task, as in `AccuracyFact.key`."""
    total: int
    wrong: frozenset[int]


@dataclass(frozen=True, slots=True)
class Traces:
    """Everything about one submission that is compared with others."""

    submission: str
    sha256: str
    """SHA-256 of the file; empty if unknown."""
    unit: str
    """Submissions of the same unit, such as a group of students, are not compared."""
    seed: int
    own_seed: bool
    """Whether the notebook sets a seed itself."""
    code: Prints
    text: Prints
    trainings: tuple[TrainingTrace, ...] = ()
    loaded: tuple[LoadedTrace, ...] = ()
    errors: tuple[ErrorsTrace, ...] = ()
    counts: frozenset[int] = frozenset()
    """Execution counts in the submitted file; empty if they are no evidence, such as 1, 2, 3."""

    results: frozenset[str] = frozenset()
    """Digests of all weights that its trainings produced."""
    foreign: frozenset[str] = frozenset()
    """Digests of weights that it used and did not produce: from files, and at the start of trainings."""


def traces_of(
    submission: str, evidence: Evidence, *, sha256: str = "", unit: str = "", course_files: Iterable[str] = ()
) -> Traces:
    """Extract the traces of one submission.

    Args:
        submission: Its id.
        evidence: Its evidence.
        sha256: Digest of the submitted file.
        unit: Name of its group; by default the submission itself.
        course_files: Paths of files that every notebook gets; weights from them are left out.
    """
    trainings = tuple(_training(evidence, fit) for fit in evidence.fits)
    loaded = tuple(_loaded(evidence, frozenset(PurePath(path).name for path in course_files)))
    results = frozenset[str]().union(*(training.results for training in trainings))
    used = (*(one.digests for one in loaded), *(training.before for training in trainings))
    return Traces(
        submission=submission,
        sha256=sha256,
        unit=unit or submission,
        seed=evidence.run.seed,
        own_seed=any(cell.kind == "code" and _SEED.search(cell.source) for cell in evidence.cells),
        code=code_prints(evidence.cells),
        text=text_prints(evidence.cells),
        trainings=trainings,
        loaded=loaded,
        errors=tuple(_errors(evidence)),
        counts=_counts(evidence.cells),
        results=results,
        foreign=frozenset[str]().union(*used) - results,
    )


def _training(evidence: Evidence, fit: FitFact) -> TrainingTrace:
    model, compiled = evidence.model(fit.model), evidence.compile_of(fit)
    cells = (fit.cell, model.cell if model else None, compiled.cell if compiled else None)
    return TrainingTrace(
        model=model.name if model else fit.model,
        cells=frozenset(cell for cell in cells if cell is not None),
        recipe=_recipe(evidence, fit, model),
        before=frozenset(fit.digests_before.values()),
        results=frozenset(fit.digests_after[name] for name in fit.changed_layers if name in fit.digests_after),
        losses=_losses(fit),
        epochs=fit.epochs_done,
    )


def _recipe(evidence: Evidence, fit: FitFact, model: ModelFact | None) -> str:
    compiled = evidence.compile_of(fit)
    optimizer = fit.optimizer or (compiled.optimizer if compiled else None)
    parts = (
        [(layer.cls, layer.parameters) for layer in model.flat_layers() if layer.parameters] if model else None,
        (optimizer.cls, optimizer.learning_rate) if optimizer else None,
        fit.batch_size,
        fit.rows_trained,
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _losses(fit: FitFact) -> tuple[float, ...]:
    """Take the first two losses, or the loss and another metric of a single epoch; they must be finite."""
    losses = fit.history.get("loss", ())
    first = losses[:2] if len(losses) > 1 else tuple(series[0] for series in fit.history.values() if series)
    enough = len(first) > 1 and bool(losses) and all(math.isfinite(value) for value in first)
    return tuple(first) if enough else ()


def _loaded(evidence: Evidence, course_files: frozenset[str]) -> Iterator[LoadedTrace]:
    written: set[str | None] = set()
    for save in evidence.saves:
        if save.action in {"save", "save_weights"}:
            written.add(save.path)
        foreign = save.path is not None and save.path not in written and PurePath(save.path).name not in course_files
        if save.path is not None and foreign and save.action in {"load", "load_weights"}:
            yield LoadedTrace(save.path, frozenset(save.digests.values()), save.cell)


def _errors(evidence: Evidence) -> Iterator[ErrorsTrace]:
    for accuracy in evidence.accuracies:
        wrong = frozenset(accuracy.wrong or ())
        if len(wrong) >= _LEAST_ERRORS:
            model = evidence.model(accuracy.model)
            yield ErrorsTrace(model.name if model else accuracy.model, accuracy.key, accuracy.total, wrong)


def _counts(cells: Iterable[CellFact]) -> frozenset[int]:
    counts = frozenset(cell.submitted_count for cell in cells if cell.submitted_count is not None)
    enough = len(counts) >= _LEAST_CELLS and max(counts) - min(counts) + 1 - len(counts) >= _LEAST_GAPS
    return counts if enough else frozenset()

"""Find the model that a notebook used last: evaluated, predicted with, saved or plotted."""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from grader.facts.weights import ancestor_of, trainings_of
from grader.schema.evidence import Evidence, FigureFact, FitFact

__all__ = ["Use", "last_used", "uses_of"]

_SAVES = frozenset({"save", "save_weights"})
_SAME = 1e-6
"""Largest difference, absolute or relative, between a plotted and a recorded value."""


@dataclass(frozen=True, slots=True)
class Use:
    """A use of a trained model.

    Attributes:
        model: Id of the trained model.
        event: Number of the event.
        cell: Index of the cell.
        kind: Whether its curves were plotted, it gave results (`evaluate`, `predict`, a call), or it was saved.
    """

    model: str
    event: int
    cell: int | None
    kind: Literal["plot", "result", "save"] = "result"


def uses_of(evidence: Evidence, models: Collection[str]) -> tuple[Use, ...]:
    """List the uses of some models, in order.

    The use of an untrained copy is a use of its trained original: a model that was loaded from a checkpoint, or that
    adds a softmax. A training is not a use, and neither is a checkpoint that a training writes.

    Args:
        evidence: The evidence of one execution.
        models: Ids of the models.
    """
    originals = {model.id: _original(evidence, model.id) for model in evidence.models}
    found = (replace(use, model=originals.get(use.model, use.model)) for use in _uses(evidence))
    return tuple(sorted((use for use in found if use.model in models), key=lambda use: use.event))


def _original(evidence: Evidence, model_id: str) -> str:
    """Find the trained model whose weights an untrained model has."""
    fits = trainings_of(evidence, model_id)
    return ancestor_of(evidence, model_id) or (fits[-1].model if fits else model_id)


def _uses(evidence: Evidence) -> Iterator[Use]:
    yield from (Use(fact.model, fact.event, fact.cell) for fact in evidence.evaluations)
    yield from (Use(fact.model, fact.event, fact.cell) for fact in evidence.predictions)
    for call in evidence.calls:
        if call.training is not True and not call.traced:
            yield Use(call.model, call.event, call.cell)
    checkpoints = {
        (fit.model, fit.cell) for fit in evidence.fits if any(c.cls == "ModelCheckpoint" for c in fit.callbacks)
    }
    for save in evidence.saves:
        if save.action in _SAVES and save.model is not None and (save.model, save.cell) not in checkpoints:
            yield Use(save.model, save.event, save.cell, "save")
    for figure in evidence.figures:
        plotted = {fit.model for fit in evidence.fits if fit.event < figure.event and _shows(figure, fit)}
        yield from (Use(model, figure.event, figure.cell, "plot") for model in sorted(plotted))


def _shows(figure: FigureFact, fit: FitFact) -> bool:
    """Whether a line of a figure is a curve of a training's history."""
    curves = [values for values in fit.history.values() if values]
    return any(_same(line.y, values) for axes in figure.axes for line in axes.lines for values in curves)


def _same(drawn: tuple[float, ...], recorded: tuple[float, ...]) -> bool:
    """Whether a line is a curve or a part of it, as recorded or in percent."""
    if not drawn or 2 * len(drawn) < len(recorded):
        return False
    parts = (recorded[start : start + len(drawn)] for start in range(len(recorded) - len(drawn) + 1))
    return any(_close(drawn, part, factor) for part in parts for factor in (1, 100))


def _close(drawn: tuple[float, ...], recorded: tuple[float, ...], factor: int) -> bool:
    pairs = zip(drawn, recorded, strict=True)
    return all(math.isclose(one, factor * other, rel_tol=_SAME, abs_tol=_SAME) for one, other in pairs)


def last_used(uses: Collection[Use]) -> str | None:
    """Find the only model that the last cell used; cells that compare several models are skipped.

    A cell may compare the curves of several models, and then give results of one of them or save it.

    Args:
        uses: Uses in order.

    Returns:
        The model's id; None if no cell used exactly one of the models.
    """
    cells = [list(group) for _, group in groupby(uses, key=lambda use: use.cell)]
    return next((model for cell in reversed(cells) if (model := _only_model(cell)) is not None), None)


def _only_model(uses: Collection[Use]) -> str | None:
    """Find the model that one cell is about: the only one in it, with results, or saved."""
    for kinds in (("plot", "result", "save"), ("result", "save"), ("save",)):
        models = {use.model for use in uses if use.kind in kinds}
        if len(models) == 1:
            return next(iter(models))
    return None

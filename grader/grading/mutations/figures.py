"""Mistakes in figures."""

from collections.abc import Callable

from grader.facts.metrics import canonical_metric
from grader.grading.mutations.base import NotApplicable, Target, always, mutation, sets
from grader.schema.evidence import AxesFact, Evidence, LineFact

__all__ = ()


def _each_axes(evidence: Evidence, change: Callable[[AxesFact], AxesFact]) -> Evidence:
    figures = tuple(figure.model_copy(update={"axes": tuple(map(change, figure.axes))}) for figure in evidence.figures)
    return evidence.model_copy(update={"figures": figures})


def _each_line(evidence: Evidence, change: Callable[[LineFact], LineFact | None]) -> Evidence:
    def changed(axes: AxesFact) -> AxesFact:
        lines = tuple(line for line in map(change, axes.lines) if line is not None)
        return axes.model_copy(update={"lines": lines})

    return _each_axes(evidence, changed)


@mutation("no-figures", scope="notebook", concerns={"plots": always})
def _no_figures(evidence: Evidence, _target: Target) -> Evidence | NotApplicable:
    """The notebook draws nothing."""
    if not evidence.figures:
        return NotApplicable("the notebook draws nothing")
    cells = tuple(cell.model_copy(update={"images": 0}) for cell in evidence.cells)
    return evidence.model_copy(update={"figures": (), "cells": cells})


@mutation("unlabeled-axes", scope="notebook", concerns={"plots": sets("labels")})
def _unlabeled_axes(evidence: Evidence, _target: Target) -> Evidence | NotApplicable:
    """No axis has a label."""
    if not any(axes.xlabel or axes.ylabel for figure in evidence.figures for axes in figure.axes):
        return NotApplicable("no axis has a label")
    return _each_axes(evidence, lambda axes: axes.model_copy(update={"xlabel": "", "ylabel": ""}))


@mutation("invented-curves", scope="notebook", concerns={"plots": always})
def _invented_curves(evidence: Evidence, _target: Target) -> Evidence | NotApplicable:
    """The curves are not the recorded histories."""
    histories = {values for fit in evidence.fits for values in fit.history.values()}
    if not any(line.y in histories for figure in evidence.figures for axes in figure.axes for line in axes.lines):
        return NotApplicable("no curve is a recorded history")

    def invented(line: LineFact) -> LineFact:
        if line.y not in histories:
            return line
        values = tuple(0.37 + 0.011 * ((7 * at) % 5) for at in range(len(line.y)))
        return line.model_copy(update={"y": values})

    return _each_line(evidence, invented)


@mutation(
    "no-validation-curve", scope="notebook", concerns={"plots": lambda params: params.of in {"validation", "both"}}
)
def _no_validation_curve(evidence: Evidence, _target: Target) -> Evidence | NotApplicable:
    """No figure shows a validation curve."""
    return _without_curves(evidence, validation=True)


@mutation("no-training-curve", scope="notebook", concerns={"plots": lambda params: params.of in {"training", "both"}})
def _no_training_curve(evidence: Evidence, _target: Target) -> Evidence | NotApplicable:
    """No figure shows a curve of the training images."""
    return _without_curves(evidence, validation=False)


def _without_curves(evidence: Evidence, *, validation: bool) -> Evidence | NotApplicable:
    curves = {
        values
        for fit in evidence.fits
        for name, values in fit.history.items()
        if canonical_metric(name).startswith("val_") is validation
    }
    if not any(line.y in curves for figure in evidence.figures for axes in figure.axes for line in axes.lines):
        return NotApplicable("no figure has such a curve")
    return _each_line(evidence, lambda line: None if line.y in curves else line)

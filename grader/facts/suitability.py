"""Decide whether a model fits the task of a role by its inputs and outputs: a classifier, and not an autoencoder."""

import math
from collections.abc import Iterator, Mapping, Sequence

from grader.facts.recognition import known_rows
from grader.schema.evidence import Evidence, ModelFact
from grader.schema.rubric import Rubric, Test

__all__ = ["CLASSES", "suitable_models"]

CLASSES: Mapping[str, int] = {"mnist": 10, "fashion_mnist": 10, "cifar10": 10}
"""Classes of whole data sets: a model that was trained on two digits only is not tested on all of them."""
_PIXELS: Mapping[str, int] = {"mnist": 28 * 28, "fashion_mnist": 28 * 28, "cifar10": 32 * 32 * 3}
_PAIR = 2


def suitable_models(
    models: Sequence[ModelFact], name: str | None, rubric: Rubric, evidence: Evidence
) -> Sequence[ModelFact]:
    """Drop the models that do not fit the task of a role if others may fit it.

    An autoencoder, a generator, or a classifier of another data set does not fit. A model whose shapes are unknown may
    fit.

    Args:
        models: Models that meet the conditions of a role.
        name: The role; None for criteria without a role.
        rubric: The rubric; its data set, tasks and criteria show what the model must take and give.
        evidence: The evidence of one execution.
    """
    if len(models) < _PAIR:
        return models
    datasets = _datasets(name, rubric)
    outputs = _outputs(name, rubric, evidence)
    fitting = [
        model
        for model in models
        if _gives(model, outputs, evidence) is not False and _takes(model, datasets, evidence) is not False
    ]
    return fitting or models


def _datasets(name: str | None, rubric: Rubric) -> frozenset[str]:
    """List the data sets on which a role and its criteria judge the model."""
    role = rubric.roles.get(name) if name is not None else None
    own = {role.data.partition("/")[0]} if role is not None and role.data is not None else set()
    named = (test.with_.get("dataset") for test in _tests(name, rubric))
    tasks = (rubric.task_dataset(task) for task in rubric.tasks)
    return frozenset({rubric.dataset, *own, *tasks, *(dataset for dataset in named if isinstance(dataset, str))})


def _tests(name: str | None, rubric: Rubric) -> Iterator[Test]:
    return (test for criterion in rubric.criteria for test in criterion.tests if test.with_.get("model") == name)


def _outputs(name: str | None, rubric: Rubric, evidence: Evidence) -> frozenset[tuple[int | None, ...]]:
    """List the shapes of outputs that fit; empty if they are unknown."""
    role = rubric.roles.get(name) if name is not None else None
    if role is not None and role.outputs is not None:
        return frozenset()  # A condition of the role already compares the outputs.
    shapes = [test.with_.get("shape") for test in _tests(name, rubric) if test.check == "output_shape"]
    if shapes:
        return frozenset(tuple(shape) for shape in shapes if isinstance(shape, (list, tuple)))
    counts = {CLASSES.get(rubric.dataset) or _seen_classes(rubric.dataset, evidence)}
    counts |= {len(task.classes) for task in rubric.tasks.values()}
    counts.discard(None)
    if not counts:
        return frozenset()
    single = _PAIR in counts and (not rubric.tasks or any(task.binary for task in rubric.tasks.values()))
    return frozenset({*((count,) for count in counts), *([(1,)] if single else [])})


def _seen_classes(dataset: str, evidence: Evidence) -> int | None:
    """Count the classes of a data set in the labels of trainings on its images."""
    counts = [
        len(fit.y.classes)
        for fit in evidence.fits
        if fit.y is not None and (rows := known_rows(fit.x)) is not None and rows.dataset == dataset
    ]
    return max(counts, default=0) or None


def _gives(model: ModelFact, outputs: frozenset[tuple[int | None, ...]], evidence: Evidence) -> bool | None:
    if not outputs:
        return None
    predicted = (fact.output_shape for fact in evidence.predictions if fact.model == model.id)
    shapes = model.output_shapes or tuple(shape[1:] for shape in predicted if shape)
    if shapes:
        return any(shape in outputs for shape in shapes)
    fit = next((fit for fit in reversed(evidence.fits_of(model.id)) if fit.kind == "fit"), None)
    if fit is None or fit.x is None or fit.x.source != "array":
        return None
    # A model that learns images, or that learns without labels, is no classifier.
    unlabeled = fit.y is None or len(fit.y.shape) > _PAIR
    return False if unlabeled and all(len(shape) == 1 for shape in outputs) else None


def _takes(model: ModelFact, datasets: frozenset[str], evidence: Evidence) -> bool | None:
    x = next((fit.x for fit in reversed(evidence.fits_of(model.id)) if fit.x is not None), None)
    rows = known_rows(x)
    if rows is not None:
        return rows.dataset in datasets
    if model.input_shape is None or None in model.input_shape:
        return None
    pixels = {_PIXELS.get(dataset) for dataset in datasets}
    if math.prod(size or 0 for size in model.input_shape) in pixels:
        return True
    # Images can be resized, but a vector of another length, such as a generator's noise, is no image.
    return False if len(model.input_shape) == 1 and None not in pixels else None

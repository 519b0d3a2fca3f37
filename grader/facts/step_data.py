"""Data of training steps that were not passed to the training, for example in a student's own `train_step`."""

import math
from collections.abc import Callable, Iterable, Iterator

from grader.facts.copies import describe_copies
from grader.facts.recognition import known_rows
from grader.facts.weights import trainings_behind
from grader.schema.evidence import ArrayFact, Evidence, FitFact, StepFact
from grader.schema.message import Message, say, say_count

__all__ = ["any_step_data", "step_doubts", "step_doubts_behind"]

_FEWEST = 4
"""Smallest number of images of another split that counts; data sets contain a few images twice."""
_IMAGES, _SMALLEST, _LARGEST = 16, 49, 784
"""A step may hold as many other numbers as 16 images have, but not as many as 16 large images."""
_MEANS = 4
"""It may always hold some whole images, such as the mean of each pixel."""


def any_step_data(evidence: Evidence) -> bool:
    """Whether the steps of a training used other data than those passed to it."""
    return any(fit.step is not None for fit in evidence.fits)


def step_doubts_behind(evidence: Evidence, model: str, dataset: str, split: str) -> Iterator[Message]:
    """Describe reasons why the trainings that produced a model's weights may have used a split.

    Args:
        evidence: The evidence of one execution.
        model: The model's id.
        dataset: The data set.
        split: Its split.
    """
    if any_step_data(evidence):
        fits = trainings_behind(evidence, model) or evidence.fits_of(model)
        yield from step_doubts(fits, dataset, lambda name: name == split)


def step_doubts(fits: Iterable[FitFact], dataset: str, wrong: Callable[[str], bool]) -> Iterator[Message]:
    """Describe reasons why steps of trainings may have used images that are not allowed.

    Args:
        fits: The trainings.
        dataset: The data set.
        wrong: Whether a split's images are not allowed.

    Returns:
        Clauses; first those about images that were recognized.
    """
    found = [(fit, fit.step) for fit in fits if fit.step is not None]
    for fit, step in found:
        yield from _recognized(fit, step, dataset, wrong)
    for fit, step in found:
        yield from _unknown(fit, step)


def _recognized(fit: FitFact, step: StepFact, dataset: str, wrong: Callable[[str], bool]) -> Iterator[Message]:
    for images in (*step.arrays, step.rows):
        if images is None:
            continue
        rows = images.rows
        if rows is not None and rows.dataset == dataset:
            for split, count in sorted(rows.counts.items()):
                if wrong(split) and count >= _FEWEST:
                    yield _held(fit, count, split, dataset)
        if images.copies is not None and images.copies.dataset == dataset and wrong(images.copies.split):
            yield describe_copies(images.copies)


def _held(fit: FitFact, count: int, split: str, dataset: str) -> Message:
    """Say which images the steps used; the student's own loop is given none, and a generator's are unknown."""
    if fit.kind == "fit" and fit.x is None:
        return say_count(
            "the first batch or the steps of its training had {count:number} {split:split} image of {dataset:dataset}",
            "the first batch or the steps of its training had {count:number} {split:split} images of {dataset:dataset}",
            count,
            split=split,
            dataset=dataset,
        )
    if fit.kind == "custom_loop":
        return say_count(
            "the steps of its custom loop use {count:number} {split:split} image of {dataset:dataset}",
            "the steps of its custom loop use {count:number} {split:split} images of {dataset:dataset}",
            count,
            split=split,
            dataset=dataset,
        )
    return say_count(
        "the steps of its training hold {count:number} {split:split} image of {dataset:dataset} that "
        "the training was not given",
        "the steps of its training hold {count:number} {split:split} images of {dataset:dataset} that "
        "the training was not given",
        count,
        split=split,
        dataset=dataset,
    )


def _unknown(fit: FitFact, step: StepFact) -> Iterator[Message]:
    if step.operations:
        yield say(
            "the steps of its training get data from elsewhere ({operations:code}), which the grader cannot see",
            operations=", ".join(step.operations[:3]),
        )
    numbers = step.numbers + sum(_size(array) for array in step.arrays if known_rows(array) is None)
    if numbers > _allowed(fit):
        yield say_count(
            "the steps of its training hold {count:number} number that the training was not given, and that is neither "
            "a weight nor part of a recognized image",
            "the steps of its training hold {count:number} numbers that the training was not given, and that are "
            "neither weights nor recognized images",
            numbers,
        )


def _allowed(fit: FitFact) -> int:
    image = _size(fit.x) // (fit.x.shape[0] or 1) if fit.x is not None and fit.x.shape else _LARGEST
    return max(_IMAGES * min(_LARGEST, max(_SMALLEST, image)), _MEANS * image)


def _size(array: ArrayFact | None) -> int:
    return math.prod(size or 1 for size in array.shape) if array is not None else 0

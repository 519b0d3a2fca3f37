"""Match rows and labels with tasks; a task is a part of a data set with its own labels."""

from collections.abc import Mapping

from grader.facts.recognition import recognized
from grader.schema.evidence import Evidence, FitFact, RowsFact
from grader.schema.rubric import Rubric

__all__ = [
    "held_back_parts",
    "judged_dataset",
    "label_classes",
    "label_meaning",
    "last_classes",
    "missing_classes",
    "names_classes",
    "of_task",
    "task_part",
    "tasks_of",
]

_NEARLY_ALL = 0.99
"""Part of the recognized rows that must be from a task; not all, since two classes can share an image."""
_CLEAR = 0.9
"""Part of a class's rows that must have the same label."""
_PAIRS = ({0, 1}, {-1, 1})
"""Labels that a single output can distinguish: of a probability or a logit, and of `tanh` or `hinge`."""
_ENOUGH = 10
"""Rows per class of a task, on average, with which a class without rows is missing and not absent by chance."""


def task_part(rows: RowsFact | None, rubric: Rubric, task: str) -> float | None:
    """Compute the part of an array's recognized rows that belong to a task's classes.

    Args:
        rows: The rows of an array.
        rubric: The rubric that has the task.
        task: A key of the rubric's `tasks`.

    Returns:
        0 to 1; None if too few rows are recognized, or if their classes are unknown.
    """
    rows = recognized(rows)
    if rows is None or not rows.classes:
        return None
    if rows.dataset != rubric.task_dataset(task):
        return 0.0
    inside = sum(rows.classes.get(str(name), 0) for name in rubric.tasks[task].classes)
    return inside / sum(rows.classes.values())


def judged_dataset(rubric: Rubric, dataset: str | None, task: str | None) -> str:
    """Return the data set on which a criterion judges a model.

    Args:
        rubric: The rubric; its tasks name data sets.
        dataset: The criterion's parameter; None for the rubric's own data set.
        task: The criterion's parameter; a task's data set overrides `dataset`.
    """
    return rubric.task_dataset(task) if task is not None and task in rubric.tasks else dataset or rubric.dataset


def held_back_parts(rubric: Rubric) -> frozenset[tuple[str, str | None]]:
    """List the data sets and tasks for which a criterion requests held-back images.

    Args:
        rubric: The rubric; its checks were validated.
    """
    settings = (test.with_ for criterion in rubric.criteria for test in criterion.tests)
    wanted = ((each.get("dataset"), each.get("task")) for each in settings if each.get("held_back") is True)
    return frozenset(
        (judged_dataset(rubric, str(dataset) if dataset else None, task), task)
        for dataset, name in wanted
        for task in (str(name) if name else None,)
    )


def missing_classes(rows: RowsFact | None, rubric: Rubric, task: str) -> tuple[int, ...]:
    """List the classes of a task of which an array has no row; none if too few rows are recognized to tell.

    Args:
        rows: The rows of an array.
        rubric: The rubric that has the task.
        task: A key of the rubric's `tasks`.
    """
    rows = recognized(rows)
    classes = rubric.tasks[task].classes
    if rows is None or sum(rows.classes.values()) < _ENOUGH * len(classes):
        return ()
    few = (1 - _NEARLY_ALL) * sum(rows.classes.values()) / len(classes)
    return tuple(name for name in classes if rows.classes.get(str(name), 0) <= few)


def of_task(rows: RowsFact | None, rubric: Rubric, task: str) -> bool | None:
    """Whether the rows of an array belong to a task and include all its classes; None if unknown."""
    part = task_part(rows, rubric, task)
    return None if part is None else part >= _NEARLY_ALL and not missing_classes(rows, rubric, task)


def tasks_of(fit: FitFact, rubric: Rubric) -> tuple[str, ...]:
    """List the rubric's tasks whose images a training used.

    A training on a few classes of a task is another task. If more than half of the classes are there, it is a training
    on this task from which classes are missing.
    """
    rows = fit.x.rows if fit.x else None
    inside = (name for name in rubric.tasks if (task_part(rows, rubric, name) or 0.0) >= _NEARLY_ALL)
    return tuple(
        name for name in inside if 2 * len(missing_classes(rows, rubric, name)) < len(rubric.tasks[name].classes)
    )


def last_classes(evidence: Evidence, model_id: str) -> tuple[int, ...]:
    """List the classes of a model's last training images, by the data set's numbers; none if they are unknown.

    Args:
        evidence: The evidence of one execution.
        model_id: The model.
    """
    rows = next((recognized(f.x.rows) for f in reversed(evidence.fits_of(model_id)) if f.x is not None), None)
    if rows is None:
        return ()
    few = (1 - _NEARLY_ALL) * sum(rows.classes.values()) / max(len(rows.classes), 1)
    return tuple(sorted(int(name) for name, count in rows.classes.items() if count > few and name.isdigit()))


def label_classes(evidence: Evidence, model_id: str, classes: tuple[int, ...]) -> Mapping[int, int] | None:
    """Find the class of each label that a model was trained with, by the images that had the label.

    Args:
        evidence: The evidence of one execution.
        model_id: A trained model.
        classes: The classes of the task, by the data set's numbers.

    Returns:
        Label → class, for every class; None if it is unknown, if a class has no clear label, or if two classes share
        a label.
    """
    meaning = label_meaning(evidence, model_id)
    labels: dict[int, int] = {}
    for wanted in classes:
        counts = {label: truth.get(str(wanted), 0) for label, truth in meaning.items()}
        total = sum(counts.values())
        if not total:
            return None
        label = max(counts, key=lambda name: counts[name])
        if counts[label] < _CLEAR * total or not label.removeprefix("-").isdigit() or int(label) in labels:
            return None
        labels[int(label)] = wanted
    return labels


def label_meaning(evidence: Evidence, model_id: str) -> Mapping[str, Mapping[str, int]]:
    """Return the meaning of the labels of a model's last training in which it was seen; empty if there is none.

    Args:
        evidence: The evidence of one execution.
        model_id: The model.

    Returns:
        Label → true class → number of images.
    """
    fits = reversed(evidence.fits_of(model_id))
    return next((fit.y.meaning for fit in fits if fit.y is not None and fit.y.meaning), {})


def names_classes(outputs: int, labels: Mapping[int, int], *, binary: bool) -> bool:
    """Whether a number of outputs is enough for the classes of a task.

    Args:
        outputs: Number of outputs per image.
        labels: Label → class, from `label_classes`.
        binary: Whether one output may distinguish the two classes of the task.
    """
    if outputs == 1:
        return binary and set(labels) in _PAIRS
    return min(labels) >= 0 and outputs > max(labels)

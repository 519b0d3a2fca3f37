"""Whether rows and labels are those of a task: a part of a data set with labels of its own."""

from collections.abc import Mapping

from grader.facts.recognition import recognized
from grader.schema.evidence import Evidence, FitFact, RowsFact
from grader.schema.rubric import Rubric

__all__ = ["judged_dataset", "label_classes", "names_classes", "of_task", "task_part", "tasks_of"]

_NEARLY_ALL = 0.99
"""Part of the recognised rows that must be a task's: identical images of two classes can be taken for each other."""
_CLEAR = 0.9
"""Part of a class's rows that must have had one label."""


def task_part(rows: RowsFact | None, rubric: Rubric, task: str) -> float | None:
    """The part of an array's recognised rows that are of a task's classes.

    Args:
        rows: Which rows an array holds.
        rubric: With the task.
        task: A key of the rubric's `tasks`.

    Returns:
        0 to 1; None where too few rows are recognised, or their classes are not known.
    """
    rows = recognized(rows)
    if rows is None or not rows.classes:
        return None
    if rows.dataset != rubric.task_dataset(task):
        return 0.0
    inside = sum(rows.classes.get(str(name), 0) for name in rubric.tasks[task].classes)
    return inside / sum(rows.classes.values())


def judged_dataset(rubric: Rubric, dataset: str | None, task: str | None) -> str:
    """The data set on whose images a criterion judges a model.

    Args:
        rubric: Its tasks name data sets.
        dataset: The criterion's parameter; None for the rubric's own data set.
        task: The criterion's parameter; a task's data set overrides `dataset`.
    """
    return rubric.task_dataset(task) if task is not None and task in rubric.tasks else dataset or rubric.dataset


def of_task(rows: RowsFact | None, rubric: Rubric, task: str) -> bool | None:
    """Whether an array's rows are a task's and no others; None where that is not known."""
    part = task_part(rows, rubric, task)
    return None if part is None else part >= _NEARLY_ALL


def tasks_of(fit: FitFact, rubric: Rubric) -> tuple[str, ...]:
    """The rubric's tasks that a training was on."""
    return tuple(name for name in rubric.tasks if of_task(fit.x.rows if fit.x else None, rubric, name))


def label_classes(evidence: Evidence, model_id: str, classes: tuple[int, ...]) -> Mapping[int, int] | None:
    """What each label stands for that a network was taught, by the images that had it.

    Args:
        evidence: What one execution showed.
        model_id: A trained network.
        classes: The classes it was to tell apart, by the data set's own numbers.

    Returns:
        Label → class, for every class; None where it is not known, where a class had no clear label of its own, or two
        classes had the same one.
    """
    meaning = next((f.y.meaning for f in reversed(evidence.fits_of(model_id)) if f.y is not None and f.y.meaning), {})
    found: dict[int, int] = {}
    for wanted in classes:
        counts = {label: truth.get(str(wanted), 0) for label, truth in meaning.items()}
        total = sum(counts.values())
        if not total:
            return None
        label = max(counts, key=lambda name: counts[name])
        if counts[label] < _CLEAR * total or not label.isdigit() or int(label) in found:
            return None
        found[int(label)] = wanted
    return found


def names_classes(outputs: int, labels: Mapping[int, int], *, binary: bool) -> bool:
    """Whether so many outputs can name the classes of a task.

    Args:
        outputs: Numbers that a network gives for an image.
        labels: From `label_classes`.
        binary: Whether one output may tell the task's classes apart.
    """
    if outputs == 1:
        return binary and set(labels) == {0, 1}
    return outputs > max(labels)

"""Mistakes in the arrays that a notebook preprocesses and keeps in variables."""

from collections.abc import Callable

from grader.grading.mutations.base import NotApplicable, Target, always, mutation, sets
from grader.schema.evidence import Evidence, NamedArrayFact, NamedLabelFact, TransformFact

__all__ = ()


def _prepared(target: Target) -> set[str]:
    """List the data sets whose variables the rubric judges."""
    named = (getattr(test.params, "variables", None) for test in target.tests)
    prepared = (getattr(test.params, "dataset", None) for test in target.tests if test.check == "prepared")
    return {name for name in (*named, *prepared) if isinstance(name, str)}


def _size(array: NamedArrayFact) -> int:
    return (array.shape[0] or 0) if array.shape else 0


def _is_of(array: NamedArrayFact, datasets: set[str]) -> bool:
    return (array.rows_of or "").partition("/")[0] in datasets


def _each_array(
    evidence: Evidence, target: Target, change: Callable[[NamedArrayFact], NamedArrayFact]
) -> Evidence | NotApplicable:
    datasets = _prepared(target)
    if not any(_is_of(array, datasets) for array in evidence.arrays):
        return NotApplicable("the rubric judges no variables, or there are none")
    arrays = tuple(change(array) if _is_of(array, datasets) else array for array in evidence.arrays)
    return evidence.model_copy(update={"arrays": arrays})


@mutation(
    "nothing-preprocessed",
    scope="notebook",
    concerns={"prepared": always, "split": sets("variables"), "normalised": sets("variables")},
)
def _nothing_preprocessed(evidence: Evidence, target: Target) -> Evidence | NotApplicable:
    """No variable holds the data set."""
    datasets = _prepared(target)
    gone = {array.name for array in evidence.arrays if _is_of(array, datasets)}
    if not gone:
        return NotApplicable("the rubric judges no variables, or there are none")
    others = {array.name for array in evidence.arrays} - gone
    labels = tuple(label for label in evidence.labels if any(label.right.get(name, 0) > 0.5 for name in others))  # noqa: PLR2004 - most of them
    return evidence.model_copy(
        update={
            "arrays": tuple(array for array in evidence.arrays if array.name not in gone),
            "labels": labels,
            "datasets": tuple(load for load in evidence.datasets if load.dataset not in datasets),
        }
    )


@mutation("raw-variables", scope="notebook", concerns={"prepared": sets("scale"), "normalised": sets("variables")})
def _raw_variables(evidence: Evidence, target: Target) -> Evidence | NotApplicable:
    """The variables hold pixels from 0 to 255."""
    raw = {"low": 0.0, "high": 255.0, "transform": TransformFact(kind="affine", scale=1.0, shift=0.0)}
    return _each_array(evidence, target, lambda array: array.model_copy(update=raw))


@mutation(
    "other-parts",
    scope="notebook",
    concerns={"prepared": lambda params: len(params.parts) > 1, "split": sets("variables")},
)
def _other_parts(evidence: Evidence, target: Target) -> Evidence | NotApplicable:
    """The parts have other shares of the images."""
    sizes = sorted({_size(array) for array in evidence.arrays if _is_of(array, _prepared(target))}, reverse=True)

    def smaller(array: NamedArrayFact) -> NamedArrayFact:
        # The largest array is usually the whole data set; the smaller an array is, the more it loses.
        size = max(1, _size(array) // (sizes.index(_size(array)) + 1))
        rows = array.rows and array.rows.model_copy(
            update={"counts": {split: min(count, size) for split, count in array.rows.counts.items()}}
        )
        return array.model_copy(update={"shape": (size, *array.shape[1:]), "rows": rows})

    return _each_array(evidence, target, smaller)


@mutation(
    "overlapping-parts",
    scope="notebook",
    concerns={"prepared": lambda params: params.disjoint and len(params.parts) > 1},
)
def _overlapping_parts(evidence: Evidence, target: Target) -> Evidence | NotApplicable:
    """The parts have images in common."""

    def shared(array: NamedArrayFact) -> NamedArrayFact:
        half = _size(array) // 2
        return array.model_copy(update={"common": {name: max(n, half) for name, n in array.common.items()}})

    if not any(array.common for array in evidence.arrays):
        return NotApplicable("the arrays were not compared with each other")
    return _each_array(evidence, target, shared)


def _each_label(evidence: Evidence, change: Callable[[NamedLabelFact], NamedLabelFact]) -> Evidence | NotApplicable:
    if not evidence.labels:
        return NotApplicable("no labels in variables are known")
    return evidence.model_copy(update={"labels": tuple(map(change, evidence.labels))})


@mutation("other-form-of-labels", scope="notebook", concerns={"prepared": sets("labels")})
def _other_form_of_labels(evidence: Evidence, _target: Target) -> Evidence | NotApplicable:
    """One-hot labels are numbers, and numbers are one-hot."""

    def other(label: NamedLabelFact) -> NamedLabelFact:
        rows = label.shape[0] if label.shape else None
        shape = (rows,) if label.one_hot else (rows, max(2, len(label.classes)))
        return label.model_copy(update={"one_hot": not label.one_hot, "shape": shape})

    return _each_label(evidence, other)


@mutation("shuffled-labels", scope="notebook", concerns={"prepared": sets("labels")})
def _shuffled_labels(evidence: Evidence, _target: Target) -> Evidence | NotApplicable:
    """The labels are in another order than the images."""
    return _each_label(evidence, lambda label: label.model_copy(update={"right": dict.fromkeys(label.right, 0.1)}))

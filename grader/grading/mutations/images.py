"""Mistakes in the images and labels of a model's trainings."""

from collections.abc import Callable, Mapping

from grader.facts.recognition import known_rows
from grader.grading.mutations.base import NotApplicable, Target, always, mutation, sets
from grader.grading.mutations.editing import each_fit, rows_of, with_array_rows, without_accuracies
from grader.schema.evidence import ArrayFact, Evidence, FitFact, LabelFact, ModelFact, TransformFact

__all__ = ()

_FEW_IMAGES = 50
_MANY_IMAGES = 50_000
_TEST_IMAGES = 10_000


def _of_known_images(
    evidence: Evidence, model: ModelFact, change: Callable[[FitFact, ArrayFact, str], FitFact]
) -> Evidence | NotApplicable:
    """Change the trainings on recognized images; the function gets the training, its images and their data set."""

    def changed(fit: FitFact) -> FitFact:
        rows = known_rows(fit.x)
        return fit if rows is None or fit.x is None else change(fit, fit.x, rows.dataset)

    if not any(known_rows(fit.x) for fit in evidence.fits_of(model.id)):
        return NotApplicable(f"`{model.name}` is not trained on recognized images")
    return each_fit(evidence, model.id, changed)


def _count(array: ArrayFact | None) -> int:
    return (array.shape[0] or 0) if array is not None and array.shape else 0


def _with_labels(labels: LabelFact | None, count: int) -> LabelFact | None:
    """Let labels have another number of rows, with the same shares of the classes."""
    if labels is None:
        return None
    total = sum(labels.classes.values()) or 1
    classes = {name: max(1, round(size * count / total)) for name, size in labels.classes.items()}
    return labels.model_copy(update={"shape": (count, *labels.shape[1:]), "classes": classes})


def _with_rows(fit: FitFact, array: ArrayFact, counts: Mapping[str, int], dataset: str) -> FitFact:
    size = sum(counts.values())
    return fit.model_copy(update={"x": with_array_rows(array, counts, dataset), "y": _with_labels(fit.y, size)})


@mutation(
    "trained-on-test-images",
    concerns={
        "trained": lambda params: params.only_split not in {None, "test"},
        "rows": lambda params: params.split not in {None, "test"},
        "split": lambda params: params.not_test and params.variables is None,
    },
)
def _trained_on_test_images(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """Test images are among the training images."""

    def changed(fit: FitFact, x: ArrayFact, dataset: str) -> FitFact:
        # The number of images stays the same: half of them are test images.
        test = min(_TEST_IMAGES, _count(x) // 2)
        return _with_rows(fit, x, {"train": _count(x) - test, "test": test}, dataset)

    return _of_known_images(evidence, model, changed)


@mutation(
    "few-images",
    concerns={
        "trained": lambda params: (params.rows_at_least or 0) > _FEW_IMAGES,
        "training": lambda params: params.rows is not None and not params.rows.holds(_FEW_IMAGES),
        "rows": lambda params: max(params.at_least or 0, params.exactly or 0) > _FEW_IMAGES,
    },
)
def _few_images(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model is trained on only 50 images."""
    return _of_known_images(
        evidence, model, lambda fit, x, dataset: _with_rows(fit, x, {"train": _FEW_IMAGES, "test": 0}, dataset)
    )


@mutation(
    "more-images",
    concerns={"rows": lambda params: params.exactly is not None or params.at_most is not None},
)
def _more_images(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model is trained on ten times as many images, or on 50,000."""

    def changed(fit: FitFact, x: ArrayFact, dataset: str) -> FitFact:
        count = min(10 * _count(x), _MANY_IMAGES)
        return _with_rows(fit, x, {"train": count, "test": 0}, dataset) if count > _count(x) else fit

    return _of_known_images(evidence, model, changed)


@mutation(
    "other-data-set",
    concerns={
        "trained": sets("only_split"),
        "rows": always,
        "accuracy": always,
        "score_curve": always,
        "gain": always,
    },
)
def _other_data_set(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model is trained on another data set."""

    def changed(fit: FitFact, x: ArrayFact, dataset: str) -> FitFact:
        other = "mnist" if dataset == "fashion_mnist" else "fashion_mnist"
        fit = _with_rows(fit, x, {"train": _count(x), "test": 0}, other)
        val_x = with_array_rows(fit.val_x, {"train": _count(fit.val_x), "test": 0}, other) if fit.val_x else None
        return fit.model_copy(update={"val_x": val_x})

    mutant = _of_known_images(evidence, model, changed)
    return mutant if isinstance(mutant, NotApplicable) else without_accuracies(mutant, model.id)


@mutation("images-of-all-classes", concerns={"rows": sets("task")})
def _images_of_all_classes(evidence: Evidence, model: ModelFact, target: Target) -> Evidence | NotApplicable:
    """The model is trained on images of all classes, not of its task."""
    if not target.rubric.tasks:
        return NotApplicable("the rubric has no tasks")
    classes = {str(number) for task in target.rubric.tasks.values() for number in task.classes}

    def everything(array: ArrayFact | None, dataset: str) -> ArrayFact | None:
        if array is None:
            return None
        count = _count(array)
        shares = {name: max(1, count // len(classes)) for name in sorted(classes)}
        split = "train" if array.rows is None or array.rows.counts.get("train") else "test"
        rows = rows_of({split: count}, None, dataset, classes=shares)
        return array.model_copy(update={"rows": rows})

    return _of_known_images(
        evidence,
        model,
        lambda fit, x, dataset: fit.model_copy(
            update={"x": everything(x, dataset), "val_x": everything(fit.val_x, dataset)}
        ),
    )


# ---------------------------------------------------------------------------------------------------------------------
# Validation


@mutation(
    "no-validation",
    concerns={
        "trained": sets("validation"),
        "rows": sets("validated"),
        "split": lambda params: params.variables is None,
        "plots": lambda params: params.of in {"validation", "both"},
    },
)
def _no_validation(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """No training has validation data."""
    fits = evidence.fits_of(model.id)
    if all(fit.validation == "none" for fit in fits):
        return NotApplicable(f"no training of `{model.name}` has validation data")

    def bare(fit: FitFact) -> FitFact:
        history = {name: values for name, values in fit.history.items() if not name.startswith("val_")}
        nothing = {"validation": "none", "validation_split": None, "val_x": None, "val_y": None, "overlap": None}
        return fit.model_copy(update={**nothing, "history": history})

    lines = {values for fit in fits for name, values in fit.history.items() if name.startswith("val_")}
    figures = tuple(
        figure.model_copy(
            update={
                "axes": tuple(
                    axes.model_copy(update={"lines": tuple(line for line in axes.lines if line.y not in lines)})
                    for axes in figure.axes
                )
            }
        )
        for figure in evidence.figures
    )
    return each_fit(evidence.model_copy(update={"figures": figures}), model.id, bare)


def _validated_on(evidence: Evidence, model: ModelFact, split: str, *, overlap: bool) -> Evidence | NotApplicable:
    def changed(fit: FitFact, x: ArrayFact, dataset: str) -> FitFact:
        count = min(_TEST_IMAGES, _count(x)) if overlap else _TEST_IMAGES
        val_x = with_array_rows(fit.val_x or x, {"train": 0, "test": 0, split: count}, dataset)
        return fit.model_copy(
            update={
                "validation": "data",
                "validation_split": None,
                "val_x": val_x,
                "val_y": _with_labels(fit.val_y or fit.y, count),
                "overlap": count if overlap else 0,
            }
        )

    if all(fit.validation == "none" for fit in evidence.fits_of(model.id)):
        return NotApplicable(f"no training of `{model.name}` has validation data")
    return _of_known_images(evidence, model, changed)


@mutation(
    "validated-on-test-images",
    concerns={
        "trained": lambda params: params.validation == "not_test",
        "rows": lambda params: params.validated and params.not_test,
        "split": lambda params: params.not_test and params.variables is None,
    },
)
def _validated_on_test_images(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model is validated on the test images."""
    return _validated_on(evidence, model, "test", overlap=False)


@mutation(
    "validated-on-training-images",
    concerns={
        "trained": sets("validation"),
        "rows": sets("disjoint"),
        "split": lambda params: params.disjoint and params.variables is None,
    },
)
def _validated_on_training_images(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model is validated on its training images."""
    return _validated_on(evidence, model, "train", overlap=True)


@mutation("other-split", concerns={"split": lambda params: params.variables is None and params.train != 0.5})  # noqa: PLR2004 - half
def _other_split(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """Training and validation have the same number of images."""

    def halved(fit: FitFact, x: ArrayFact, dataset: str) -> FitFact:
        half = (_count(x) + _count(fit.val_x)) // 2
        fit = _with_rows(fit, x, {"train": half, "test": 0}, dataset)
        val_x = with_array_rows(fit.val_x or x, {"train": half, "test": 0}, dataset)
        return fit.model_copy(update={"validation": "data", "validation_split": None, "val_x": val_x})

    if all(fit.validation == "none" for fit in evidence.fits_of(model.id)):
        return NotApplicable(f"no training of `{model.name}` has validation data")
    return _of_known_images(evidence, model, halved)


# ---------------------------------------------------------------------------------------------------------------------
# Pixels and labels


@mutation("raw-pixels", concerns={"normalised": lambda params: params.variables is None})
def _raw_pixels(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model is trained on pixels from 0 to 255."""

    def raw(array: ArrayFact | None) -> ArrayFact | None:
        if array is None:
            return None
        transform = TransformFact(kind="affine", scale=1.0, shift=0.0)
        figures = {"low": 0.0, "high": 255.0, "mean": 120.0, "std": 64.0, "transform": transform}
        return array.model_copy(update=figures)

    if not any(fit.x is not None for fit in evidence.fits_of(model.id)):
        return NotApplicable(f"the training images of `{model.name}` are unknown")
    return each_fit(evidence, model.id, lambda fit: fit.model_copy(update={"x": raw(fit.x), "val_x": raw(fit.val_x)}))


def _of_labels(
    evidence: Evidence, model: ModelFact, change: Callable[[LabelFact], LabelFact]
) -> Evidence | NotApplicable:
    if not any(fit.y is not None for fit in evidence.fits_of(model.id)):
        return NotApplicable(f"the labels of `{model.name}` are unknown")
    return each_fit(
        evidence,
        model.id,
        lambda fit: fit.model_copy(
            update={"y": change(fit.y) if fit.y else None, "val_y": change(fit.val_y) if fit.val_y else None}
        ),
    )


@mutation("other-label-form", concerns={"labels": lambda params: params.one_hot is not None})
def _other_label_form(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The labels are numbers instead of one-hot rows, or the other way round."""

    def other(labels: LabelFact) -> LabelFact:
        rows = labels.shape[0] if labels.shape else None
        shape = (rows,) if labels.one_hot else (rows, max(2, len(labels.classes)))
        return labels.model_copy(update={"one_hot": not labels.one_hot, "shape": shape})

    return _of_labels(evidence, model, other)


@mutation("label-column", concerns={"labels": lambda params: params.flat is True})
def _label_column(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The labels are a column of shape (n, 1)."""

    def column(labels: LabelFact) -> LabelFact:
        return labels.model_copy(update={"shape": (labels.shape[0], 1)}) if len(labels.shape) == 1 else labels

    return _of_labels(evidence, model, column)


@mutation("class-left-out", concerns={"labels": lambda params: params.classes is not None})
def _class_left_out(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The training images lack one class."""

    def fewer(labels: LabelFact) -> LabelFact:
        return labels.model_copy(update={"classes": dict(list(labels.classes.items())[:-1])})

    return _of_labels(evidence, model, fewer)

"""Test images in training or validation data."""

from pydantic import Field

from grader.checks.registry import diagnostic
from grader.checks.support.params import Params, Part, Whole
from grader.facts.case import Case
from grader.schema.evidence import ArrayFact, CopiesFact, Evidence, FitFact
from grader.schema.grade import Diagnostic
from grader.schema.message import say, say_count

__all__ = ["StrayImagesParams", "tested_while_training", "trained_on_test"]

_ADVICE = say(
    "Train only on the training images. A model can memorize test images, and then its test accuracy "
    "says nothing about new images."
)
_CERTAIN_METHODS = ("fingerprint", "landmarks")


class StrayImagesParams(Params):
    """Parameters of a diagnostic that looks for test images."""

    more_than: Whole = Field(default=0, ge=0)
    """Number of test images to tolerate."""
    uncertain_part: Part = 0.01
    """Part of the images to tolerate if they were not recognized by their pixels. Other methods can assign a few rows
    to the wrong split."""


def _test_rows(array: ArrayFact | None, parameters: StrayImagesParams) -> int:
    if array is None or array.rows is None:
        return 0
    count = array.rows.counts.get("test", 0)
    certain = array.rows.method in _CERTAIN_METHODS
    part = 0.0 if certain else parameters.uncertain_part * sum(array.rows.counts.values())
    return count if count > max(parameters.more_than, part) else 0


def _learns_classes(evidence: Evidence, fit: FitFact) -> bool:
    """Whether a training has labels; if they are unknown, whether the model's outputs can be scores of classes."""
    if fit.y is not None:
        return bool(fit.y.classes)
    model = evidence.model(fit.model)
    shape = model.output_shape if model is not None else None
    return shape is not None and len(shape) == 1 and (shape[0] or 0) > 1


@diagnostic("validation-on-test-set")
def tested_while_training(case: Case, parameters: StrayImagesParams) -> tuple[Diagnostic, ...]:
    """The test set was used as validation data.

    What it does:
        Recognizes the validation images of each training by their pixels.

    Why it matters:
        If epochs, layers or learning rates are chosen by test accuracy, they are fitted to the test set.

    Example:
        `model.fit(x_train, y_train, validation_data=(x_test, y_test))`
    """
    notes = []
    for fit in case.evidence.fits:
        count = _test_rows(fit.val_x, parameters)
        if not count or fit.val_x is None or fit.val_x.rows is None:
            continue
        notes.append(
            Diagnostic(
                id="validation-on-test-set",
                title=say("The test set was used for validation"),
                cell=fit.cell,
                message=say_count(
                    "The training in {cell:cell} used {count:number} image of the {dataset:dataset} test set as "
                    "validation data.",
                    "The training in {cell:cell} used {count:number} images of the {dataset:dataset} test set as "
                    "validation data.",
                    count,
                    cell=fit.cell,
                    dataset=fit.val_x.rows.dataset,
                ),
                advice=say(
                    "Hold back part of the training images instead (`validation_split=0.1`), and use the test set only "
                    "once, at the end. Each choice made by test accuracy makes that accuracy too optimistic."
                ),
                model=fit.model,
            )
        )
    return tuple(notes)


@diagnostic("test-images-in-training-data")
def trained_on_test(case: Case, parameters: StrayImagesParams) -> tuple[Diagnostic, ...]:
    """The training data contains images of the test set.

    What it does:
        Recognizes the images of each training by their pixels. Compares some of those that it does not recognize with
        the nearest images of the data set, which finds copies with noise and shifted or turned ones. Ignores models
        that learn without classes (autoencoders, generators), which have no accuracy on test images.

    Why it matters:
        The accuracy on training images says nothing about new images.

    Example:
        `model.fit(np.concatenate([x_train, x_test]), …)`
    """
    notes = []
    for fit in case.evidence.fits:
        if not _learns_classes(case.evidence, fit):
            continue
        if fit.x is not None and fit.x.copies is not None:
            notes.append(_altered(fit, fit.x.copies))
        count = _test_rows(fit.x, parameters)
        if not count or fit.x is None or fit.x.rows is None:
            continue
        notes.append(
            Diagnostic(
                id="test-images-in-training-data",
                title=say("Test images in the training data"),
                cell=fit.cell,
                message=say_count(
                    "{cell:Cell} trained on {total:number} recognized images. {count:number} of them belongs to the "
                    "{dataset:dataset} test set.",
                    "{cell:Cell} trained on {total:number} recognized images. {count:number} of them belong to the "
                    "{dataset:dataset} test set.",
                    count,
                    cell=fit.cell,
                    total=sum(fit.x.rows.counts.values()),
                    dataset=fit.x.rows.dataset,
                ),
                advice=_ADVICE,
                model=fit.model,
            )
        )
    return tuple(notes)


def _altered(fit: FitFact, copies: CopiesFact) -> Diagnostic:
    """Note altered copies of test images."""
    return Diagnostic(
        id="test-images-in-training-data",
        title=say("Altered test images in the training data"),
        cell=fit.cell,
        message=say(
            "{cell:Cell} trained on {rows:number} images that are not in the data set. {compared:number} of them were "
            "compared with it: {copies:number} fit an image of the {dataset:dataset} test set far better than every "
            "training image. They are altered copies, for example with noise. In all there are about "
            "{estimate:number} of them.",
            copies=copies.copies,
            cell=fit.cell,
            rows=copies.rows,
            compared=copies.compared,
            dataset=copies.dataset,
            estimate=copies.estimate,
        ),
        advice=_ADVICE,
        model=fit.model,
    )

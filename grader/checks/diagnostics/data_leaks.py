"""Test images where they do not belong."""

from pydantic import Field

from grader.checks.registry import diagnostic
from grader.checks.support.params import Params, Part, Whole
from grader.facts.case import Case
from grader.facts.wording import number, plural, spoken_dataset
from grader.schema.base import spoken_cell
from grader.schema.evidence import ArrayFact
from grader.schema.grade import Diagnostic

__all__ = ["StrayImagesParams", "tested_while_training", "trained_on_test"]

_CERTAIN_METHODS = ("fingerprint", "landmarks")


class StrayImagesParams(Params):
    """Parameters of a diagnostic that looks for test images."""

    more_than: Whole = Field(default=0, ge=0)
    """Number of test images to tolerate."""
    uncertain_part: Part = 0.01
    """Part of the images to tolerate where they were recognised by anything but their pixels, since that may mistake a
    few rows for those of another split."""


def _test_rows(array: ArrayFact | None, parameters: StrayImagesParams) -> int:
    if array is None or array.rows is None:
        return 0
    count = array.rows.counts.get("test", 0)
    certain = array.rows.method in _CERTAIN_METHODS
    part = 0.0 if certain else parameters.uncertain_part * sum(array.rows.counts.values())
    return count if count > max(parameters.more_than, part) else 0


@diagnostic("validation-on-test-set")
def tested_while_training(case: Case, parameters: StrayImagesParams) -> tuple[Diagnostic, ...]:
    """The test set served as validation data.

    What it does:
        Looks which rows each training watched as validation data, by their pixels.

    Why it matters:
        Whoever chooses epochs, layers or rates by the test accuracy has fitted them to the test set.

    Example:
        `model.fit(x_train, y_train, validation_data=(x_test, y_test))`
    """
    notes = []
    for fit in case.evidence.fits:
        count = _test_rows(fit.val_x, parameters)
        if not count or fit.val_x is None or fit.val_x.rows is None:
            continue
        name = spoken_dataset(fit.val_x.rows.dataset)
        notes.append(
            Diagnostic(
                id="validation-on-test-set",
                title="The test set was used for validation",
                cell=fit.cell,
                message=(
                    f"The training in {spoken_cell(fit.cell)} watched {plural(count, 'image')} of the {name} test set "
                    "as validation data."
                ),
                advice=(
                    "Hold back part of the training images instead (`validation_split=0.1`) and touch the test set "
                    "once, at the end. Every choice made by looking at test accuracy makes that accuracy a little too "
                    "good."
                ),
                model=fit.model,
            )
        )
    return tuple(notes)


@diagnostic("test-images-in-training-data")
def trained_on_test(case: Case, parameters: StrayImagesParams) -> tuple[Diagnostic, ...]:
    """Images of the test set were trained on.

    What it does:
        Looks which rows each training was given, by their pixels.

    Why it matters:
        The accuracy on images that were trained on says nothing about new ones.

    Example:
        `model.fit(np.concatenate([x_train, x_test]), …)`
    """
    notes = []
    for fit in case.evidence.fits:
        count = _test_rows(fit.x, parameters)
        if not count or fit.x is None or fit.x.rows is None:
            continue
        total = sum(fit.x.rows.counts.values())
        notes.append(
            Diagnostic(
                id="test-images-in-training-data",
                title="Test images in the training data",
                cell=fit.cell,
                message=(
                    f"Of the {number(total)} recognised images that {spoken_cell(fit.cell)} trained on, "
                    f"{number(count)} belong to the {spoken_dataset(fit.x.rows.dataset)} test set."
                ),
                advice=(
                    "Train on the training images alone. A network can learn the answers to test images by heart, and "
                    "then its test accuracy no longer tells how it does on images it has never seen."
                ),
                model=fit.model,
            )
        )
    return tuple(notes)

"""Validation data that differ from the training data."""

from pydantic import Field

from grader.checks.registry import diagnostic
from grader.checks.support.names import first_names
from grader.checks.support.params import Params, Whole
from grader.facts.case import Case
from grader.schema.evidence import FitFact
from grader.schema.grade import Diagnostic
from grader.schema.message import Message, say, say_count

__all__ = ["SortedLabelsParams", "split_of_sorted_labels"]


class SortedLabelsParams(Params):
    """Parameters of `validation-split-on-sorted-labels`."""

    rows: Whole = Field(default=10, ge=1)
    """Smallest number of validation images of a class without training images, or of all validation images if they
    have only one class. Fewer can be chance."""


@diagnostic("validation-split-on-sorted-labels")
def split_of_sorted_labels(case: Case, parameters: SortedLabelsParams) -> tuple[Diagnostic, ...]:
    """`validation_split` cut off classes, because the images were sorted by class.

    What it does:
        Counts the classes in the last part of the labels, which `validation_split` holds back, and in the rest. Reports
        a training that saw no image of a class in the validation part, or whose validation part has only one class.

    Why it matters:
        `validation_split` takes the last images without shuffling. The model does not learn their classes, and the
        validation accuracy says nothing about the others.

    Example:
        `order = np.argsort(y)`, then `model.fit(x[order], y[order], validation_split=0.2)`.
    """
    notes = []
    for fit in case.evidence.fits:
        message = _uneven(fit, parameters.rows)
        if message is not None:
            notes.append(
                Diagnostic(
                    id="validation-split-on-sorted-labels",
                    title=say("validation_split on sorted labels"),
                    cell=fit.cell,
                    message=message,
                    advice=say(
                        "Shuffle images and labels together before `fit`, for example with "
                        "`order = np.random.permutation(len(x))`. `validation_split` takes the last images and does "
                        "not shuffle."
                    ),
                    model=fit.model,
                )
            )
    return tuple(notes)


def _uneven(fit: FitFact, rows: int) -> Message | None:
    if fit.validation != "split" or fit.y is None or not fit.y.held_back:
        return None
    trained = {name: count - fit.y.held_back.get(name, 0) for name, count in fit.y.classes.items()}
    unseen = [name for name, count in fit.y.held_back.items() if count >= rows and trained.get(name, 0) <= 0]
    if unseen:
        return say_count(
            "In {cell:cell}, all images of {count:number} class ({classes}) are in the validation part, so the "
            "training saw none of them.",
            "In {cell:cell}, all images of {count:number} classes ({classes}) are in the validation part, so the "
            "training saw none of them.",
            len(unseen),
            cell=fit.cell,
            classes=first_names(unseen),
        )
    only = [name for name, count in fit.y.held_back.items() if count]
    seen = [name for name, count in trained.items() if count > 0]
    if len(only) == 1 and len(seen) > 1 and fit.y.held_back[only[0]] >= rows:
        return say(
            "In {cell:cell}, the validation part has images of only one class ({name:code}); the training has images "
            "of {classes:number} classes.",
            cell=fit.cell,
            name=only[0],
            classes=len(seen),
        )
    return None

"""Compare a submission with the reference solution: accuracy, a significance test, layers, learning curves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from grader.facts.alignment import aligned_layers
from grader.facts.metrics import CURVES, epochs_trained, fit_curves, seconds_trained
from grader.facts.statistics import mcnemar_p_value
from grader.schema.base import Json
from grader.schema.evidence import AccuracyFact, Evidence, FitFact, ModelFact

__all__ = ["Classes", "McNemar", "compare", "learning_curves", "mcnemar"]

Classes = Sequence[int] | npt.NDArray[Any]
"""Classes of images, one integer per image."""


@dataclass(frozen=True, slots=True)
class McNemar:
    """Result of McNemar's test of two classifiers on the same images.

    Attributes:
        student_only: Images that only the student's model classifies correctly (b).
        reference_only: Images that only the reference classifies correctly (c).
        both_right: Images that both classify correctly.
        both_wrong: Images that both misclassify.
        p_value: Two-sided exact p-value, 0 to 1.
    """

    student_only: int
    reference_only: int
    both_right: int
    both_wrong: int
    p_value: float


def mcnemar(student: Classes, reference: Classes, labels: Classes) -> McNemar:
    """Compare two classifiers' predictions of the same images.

    Args:
        student: Predicted classes, one per image.
        reference: Predicted classes, in the same order.
        labels: True classes, in the same order.

    Raises:
        ValueError: The lengths differ.
    """
    if not len(student) == len(reference) == len(labels):
        msg = f"{len(student)}, {len(reference)} and {len(labels)} images cannot be compared one by one"
        raise ValueError(msg)
    true = np.asarray(labels, dtype=np.int64)
    ours, theirs = (np.asarray(predicted, dtype=np.int64) == true for predicted in (student, reference))
    b, c = int(np.count_nonzero(ours & ~theirs)), int(np.count_nonzero(theirs & ~ours))
    both = int(np.count_nonzero(ours & theirs))
    return McNemar(b, c, both, len(labels) - b - c - both, mcnemar_p_value(b, c))


def compare(
    student: tuple[Evidence, ModelFact | None],
    reference: tuple[Evidence, ModelFact | None],
    labels: Mapping[str, Classes] | None = None,
) -> dict[str, Json]:
    """Compare a submission's model with the reference's.

    Args:
        student: The submission's evidence and its graded model, if there is one.
        reference: The reference's evidence and its graded model, if there is one.
        labels: True classes of the graded splits, keyed like `mnist/test`; without them there is no McNemar test.

    Returns:
        Plain JSON:

        - `models`: `{"student": {"id", "name"} or null, "reference": …}`
        - `accuracy`: for each split that both were tested on, `{"student", "reference", "difference", "mcnemar"}`;
          `mcnemar` is null or `{"student_only", "reference_only", "both_right", "both_wrong", "p_value"}`
        - `parameters`, `epochs`, `seconds`: `{"student", "reference"}`, null if unknown
        - `layers`: rows of `aligned_layers`
        - `curves`: `{"student": {metric: [numbers]}, "reference": …}` from `learning_curves`
    """
    sides = {"student": student, "reference": reference}
    fits = {side: evidence.fits_of(model.id) if model else () for side, (evidence, model) in sides.items()}
    layers = {side: model.counted_layers() if model else () for side, (_, model) in sides.items()}
    return {
        "models": {side: {"id": m.id, "name": m.name} if m else None for side, (_, m) in sides.items()},
        "accuracy": _accuracies(student, reference, labels or {}),
        "parameters": {side: model.parameters if model else None for side, (_, model) in sides.items()},
        "epochs": {side: epochs_trained(trainings) for side, trainings in fits.items()},
        "seconds": {side: seconds_trained(trainings) for side, trainings in fits.items()},
        "layers": aligned_layers(layers["student"], layers["reference"]),
        "curves": {side: learning_curves(trainings) for side, trainings in fits.items()},
    }


def _accuracies(
    student: tuple[Evidence, ModelFact | None],
    reference: tuple[Evidence, ModelFact | None],
    labels: Mapping[str, Classes],
) -> dict[str, Json]:
    ours, theirs = _facts(*student), _facts(*reference)
    return {
        key: {
            "student": ours[key].value,
            "reference": theirs[key].value,
            "difference": round(ours[key].value - theirs[key].value, 10),
            "mcnemar": _paired(ours[key], theirs[key], labels.get(key)),
        }
        for key in sorted(ours.keys() & theirs.keys())
    }


def _facts(evidence: Evidence, model: ModelFact | None) -> dict[str, AccuracyFact]:
    if model is None:
        return {}
    return {a.key: a for a in evidence.accuracies if a.model == model.id}


def _paired(ours: AccuracyFact, theirs: AccuracyFact, labels: Classes | None) -> dict[str, Json] | None:
    if labels is None or not len(ours.predicted) == len(theirs.predicted) == len(labels) > 0:
        return None
    return asdict(mcnemar(ours.predicted, theirs.predicted, labels))


def learning_curves(fits: Iterable[FitFact]) -> dict[str, list[float | None]]:
    """Join the loss and accuracy of all epochs of a model's trainings.

    Args:
        fits: The trainings, in order.

    Returns:
        `loss`, `val_loss`, `accuracy` and `val_accuracy`, whatever their names in Keras. Each has one value per epoch,
        or None for an epoch without one. Metrics that were never recorded are left out.
    """
    curves: dict[str, list[float | None]] = {name: [] for name in CURVES}
    for fit in fits:
        epochs = max((len(values) for values in fit.history.values()), default=0)
        for name, values in fit_curves(fit, epochs).items():
            curves[name].extend(values)
    return {name: curve for name, curve in curves.items() if any(value is not None for value in curve)}

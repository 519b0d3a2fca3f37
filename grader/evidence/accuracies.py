"""Compute accuracies from the predictor's answers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.evidence.artefacts import ArrayReader
from grader.evidence.claims import MalformedError
from grader.evidence.prediction_plans import (
    Moment,
    PredictionPlan,
    PredictionResult,
    Reading,
    Task,
    can_read,
    whole_split,
)
from grader.evidence.provenance import DatasetIndex
from grader.evidence.structure import read_model
from grader.facts.statistics import wilson
from grader.schema.base import Assurance
from grader.schema.errors import ArtefactError
from grader.schema.evidence import AccuracyFact, Evidence, ModelFact
from grader.schema.message import Message, MessageLike, as_message, clauses, say, say_count

__all__ = ["apply_predictions", "recorded_results"]


def _read_outputs(path: str, arrays: ArrayReader) -> tuple[NDArray[Any] | None, MessageLike]:
    try:
        return arrays(path).get("array"), ""
    except ArtefactError as error:
        return None, say("its recorded outputs could not be read: {reason}", reason=as_message(error.message))


def recorded_results(plans: Sequence[PredictionPlan], arrays: ArrayReader) -> tuple[PredictionResult, ...]:
    """Read the results of plans whose outputs were computed in the kernel and are part of the record.

    Args:
        plans: Any plans; other forms are skipped.
        arrays: Reads the evidence folder.
    """
    recorded = (plan for plan in plans if plan.format == "predictions")
    return tuple(PredictionResult(plan, *_read_outputs(plan.artefact, arrays)) for plan in recorded)


def apply_predictions(
    evidence: Evidence, results: Sequence[PredictionResult], indexes: Mapping[str, DatasetIndex]
) -> Evidence:
    """Compute accuracies, and replace recorded descriptions of models by the predictor's.

    Args:
        evidence: The evidence that the plans were made for.
        results: The results of the plans.
        indexes: Known data sets by name, for the labels.

    Returns:
        Evidence with an accuracy for each model and split that could be judged. If several ways of preprocessing were
        tried, the best counts. A model whose predictions failed has the reason in `unkept_reason`.
    """
    groups: dict[tuple[str, str, str, str | None, Moment], list[PredictionResult]] = {}
    for result in results:
        groups.setdefault(result.plan.key, []).append(result)
    accuracies = {(a.model, a.dataset, a.split, a.task, a.moment): a for a in evidence.accuracies}
    models = {model.id: model for model in evidence.models}
    problems: list[MessageLike] = list(evidence.problems)
    for key, group in groups.items():
        task = group[0].plan.part or whole_split(indexes[key[1]], key[2])
        fact, failure = _judge(group, task, models.get(key[0]))
        if fact is not None:
            accuracies[key] = fact
        if key[0] in models and key[-1] == "trained":
            models[key[0]] = _with_outputs(_verified(models[key[0]], group, problems), group)
            if fact is None:
                models[key[0]] = models[key[0]].model_copy(update={"unkept_reason": failure})
                name = models[key[0]].name
                problems.append(say("no accuracy of the model {model:code}: {reason}", model=name, reason=failure))
    return evidence.model_copy(
        update={
            "accuracies": tuple(accuracies.values()),
            "models": tuple(models.values()),
            "problems": tuple(dict.fromkeys(problems)),
        }
    )


def _judge(
    group: Sequence[PredictionResult], task: Task, model: ModelFact | None
) -> tuple[AccuracyFact | None, MessageLike]:
    """Find the best accuracy of a model's results on one task, or None and the reason.

    Predictions from outside the notebook's process override recorded ones, even if the recorded ones are better.
    """
    judged = [(result, *_predicted(result, task)) for result in group]
    failure = next((reason for _, predicted, reason in judged if predicted is None), "")
    why = failure or (model.unkept_reason if model is not None else None) or ""
    facts = [
        _accuracy(result.plan, predicted, task, note, why)
        for result, predicted, note in judged
        if predicted is not None
    ]
    best = max(facts, key=lambda fact: (fact.assurance is Assurance.VERIFIED, fact.correct), default=None)
    return best, failure


def _predicted(result: PredictionResult, task: Task) -> tuple[NDArray[np.int64] | None, MessageLike]:
    """Find the class of each image (-1 for outputs that are not numbers), and a note; or None and a reason."""
    outputs = result.outputs
    if outputs is None:
        return None, result.error or say("it gave no outputs")
    if outputs.dtype.kind not in "fiu" or outputs.ndim < 2 or len(outputs) != len(task.labels):  # noqa: PLR2004 - rows of outputs
        return None, say(
            "its outputs have the shape {shape:shape}, instead of a row of numbers for each of {images:number} images",
            shape=outputs.shape,
            images=len(task.labels),
        )
    rows = outputs.reshape(len(outputs), -1)
    reading = result.plan.reading
    if reading is not None and can_read(rows.shape[1], task, reading):
        return _read_classes(rows, reading)
    if reading is not None or rows.shape[1] != task.classes:
        return None, say_count(
            "its output has {count:number} unit, but there are {classes:number} classes",
            "its output has {count:number} units, but there are {classes:number} classes",
            rows.shape[1],
            classes=task.classes,
        )
    # -inf is valid, as the logarithm of 0. With NaN or +inf no output is the largest.
    broken = np.isnan(rows).any(axis=1) | np.isposinf(rows).any(axis=1)
    predicted = np.where(broken, -1, np.where(broken[:, None], 0, rows).argmax(axis=1)).astype(np.int64)
    return predicted, _broken_note(broken)


def _broken_note(broken: NDArray[np.bool_]) -> MessageLike:
    """Note how many images have outputs that are not numbers; empty if none has."""
    count = int(broken.sum())
    if not count:
        return ""
    return say_count(
        "{count:number} of {images:number} images has an output that is not a number, and counts as wrong",
        "{count:number} of {images:number} images have outputs that are not numbers, and count as wrong",
        count,
        images=len(broken),
    )


def _read_classes(rows: NDArray[Any], reading: Reading) -> tuple[NDArray[np.int64], MessageLike]:
    """Find the class that each row of outputs names, -1 if it names none."""
    broken = np.isnan(rows).any(axis=1)
    if rows.shape[1] == 1:
        labels = rows[:, 0] > reading.threshold
    else:
        broken |= np.isposinf(rows).any(axis=1)
        labels = np.where(broken[:, None], 0, rows).argmax(axis=1)
    named = np.array([reading.labels.get(label, -1) for label in range(max(rows.shape[1], 2))], dtype=np.int64)
    predicted = np.where(broken, -1, named[labels.astype(np.int64)])
    return predicted, _broken_note(broken)


def _accuracy(
    plan: PredictionPlan, predicted: NDArray[np.int64], task: Task, note: MessageLike, why: MessageLike
) -> AccuracyFact:
    """Count correct predictions; `why` is the reason if the notebook's own process had to predict."""
    correct, total = int((predicted == task.labels).sum()), len(task.labels)
    low, high = wilson(correct, total)
    return AccuracyFact(
        model=plan.model,
        dataset=plan.dataset,
        split=plan.split,
        correct=correct,
        total=total,
        value=correct / total if total else 0.0,
        low=low,
        high=high,
        assurance=Assurance.RECORDED if plan.format == "predictions" else Assurance.VERIFIED,
        how=plan.format,
        preprocessing=plan.preprocessing,
        note=clauses(_recorded_note(why) if plan.format == "predictions" else None, plan.note, note),
        predicted=tuple(predicted.tolist()),
        task=task.name,
        moment=plan.moment,
        wrong=tuple(np.flatnonzero(predicted != task.labels).tolist()),
    )


def _recorded_note(why: MessageLike) -> Message:
    if not why:
        return say("predicted in the notebook's own process, because the saved model could not be used outside it")
    return say(
        "predicted in the notebook's own process, because the saved model could not be used outside it: {reason}",
        reason=why,
    )


def _with_outputs(model: ModelFact, group: Sequence[PredictionResult]) -> ModelFact:
    """Set an output shape that was not recorded, as for a subclassed model, from the predicted rows."""
    rows = next((r.outputs for r in group if r.outputs is not None and r.outputs.ndim > 1), None)
    if model.output_shape is not None or rows is None:
        return model
    return model.model_copy(update={"output_shape": tuple(rows.shape[1:])})


def _verified(model: ModelFact, group: Sequence[PredictionResult], problems: list[MessageLike]) -> ModelFact:
    """Replace the recorder's description by the predictor's, if that is complete."""
    described = next((r.description for r in group if r.description and r.plan.format != "predictions"), None)
    if described is None:
        return model
    try:
        seen = read_model({**described, "id": model.id, "dialect": model.dialect})
    except MalformedError:
        return model
    if not seen.layers or seen.parameters is None:
        return model
    if model.parameters is not None and model.parameters != seen.parameters:
        problems.append(
            say(
                "the saved model {model:code} has {saved:number} parameters, but the record says {recorded:number}; "
                "the saved model counts",
                model=model.name,
                saved=seen.parameters,
                recorded=model.parameters,
            )
        )
    return model.model_copy(
        update={
            "cls": seen.cls,
            "input_shape": seen.input_shape if seen.input_shape is not None else model.input_shape,
            "output_shape": seen.output_shape if seen.output_shape is not None else model.output_shape,
            "parameters": seen.parameters,
            "trainable_parameters": seen.trainable_parameters,
            "layers": seen.layers,
            "assurance": Assurance.VERIFIED,
        }
    )

"""Accuracies that come out of the predictor's answers."""

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

__all__ = ["apply_predictions", "recorded_results"]


def _read_outputs(path: str, arrays: ArrayReader) -> tuple[NDArray[Any] | None, str]:
    try:
        return arrays(path).get("array"), ""
    except ArtefactError as error:
        return None, f"the outputs could not be read: {error.message}"


def recorded_results(plans: Sequence[PredictionPlan], arrays: ArrayReader) -> tuple[PredictionResult, ...]:
    """Results of the plans whose outputs were made in the kernel and lie in the record.

    Args:
        plans: Any plans; those of other forms are left out.
        arrays: Reads the evidence folder.
    """
    recorded = (plan for plan in plans if plan.format == "predictions")
    return tuple(PredictionResult(plan, *_read_outputs(plan.artefact, arrays)) for plan in recorded)


def apply_predictions(
    evidence: Evidence, results: Sequence[PredictionResult], indexes: Mapping[str, DatasetIndex]
) -> Evidence:
    """Compute accuracies, and put what the predictor found of a model in the place of what was recorded.

    Args:
        evidence: The evidence the plans were made for.
        results: What came of them.
        indexes: Known data sets by name, for the labels.

    Returns:
        Evidence with an accuracy for each model and split that could be judged. Where several preparations were tried,
        the best counts. A model whose predictions failed has the reason in `unkept_reason`.
    """
    groups: dict[tuple[str, str, str, str | None, Moment], list[PredictionResult]] = {}
    for result in results:
        groups.setdefault(result.plan.key, []).append(result)
    accuracies = {(a.model, a.dataset, a.split, a.task, a.moment): a for a in evidence.accuracies}
    models = {model.id: model for model in evidence.models}
    problems = list(evidence.problems)
    for key, group in groups.items():
        task = group[0].plan.part or whole_split(indexes[key[1]], key[2])
        fact, failure = _judge(group, task, models.get(key[0]))
        if fact is not None:
            accuracies[key] = fact
        if key[0] in models and key[-1] == "trained":
            models[key[0]] = _with_outputs(_verified(models[key[0]], group, problems), group)
            if fact is None:
                models[key[0]] = models[key[0]].model_copy(update={"unkept_reason": failure})
                problems.append(f"no accuracy of the model {models[key[0]].name}: {failure}")
    return evidence.model_copy(
        update={
            "accuracies": tuple(accuracies.values()),
            "models": tuple(models.values()),
            "problems": tuple(dict.fromkeys(problems)),
        }
    )


def _judge(group: Sequence[PredictionResult], task: Task, model: ModelFact | None) -> tuple[AccuracyFact | None, str]:
    """The best accuracy of a model's results on one task, or None and why there is none.

    What was predicted outside the notebook's process counts before what was recorded in it, however good that looks.
    """
    judged = [(result, *_predicted(result, task)) for result in group]
    failure = next((said for _, predicted, said in judged if predicted is None), "")
    why = failure or (model.unkept_reason if model is not None else None) or ""
    facts = [
        _accuracy(result.plan, predicted, task, said, why)
        for result, predicted, said in judged
        if predicted is not None
    ]
    best = max(facts, key=lambda fact: (fact.assurance is Assurance.VERIFIED, fact.correct), default=None)
    return best, failure


def _predicted(result: PredictionResult, task: Task) -> tuple[NDArray[np.int64] | None, str]:
    """The predicted class of each image (-1 where the outputs are no numbers), and a note; or None and the reason."""
    outputs = result.outputs
    if outputs is None:
        return None, result.error or "there are no outputs"
    if outputs.dtype.kind not in "fiu" or outputs.ndim < 2 or len(outputs) != len(task.labels):  # noqa: PLR2004 - rows of outputs
        return None, f"outputs of shape {outputs.shape} are no row of numbers for each of {len(task.labels)} images"
    rows = outputs.reshape(len(outputs), -1)
    reading = result.plan.reading
    if reading is not None and can_read(rows.shape[1], task, reading):
        return _read_classes(rows, reading)
    if reading is not None or rows.shape[1] != task.classes:
        given = "one output" if rows.shape[1] == 1 else f"{rows.shape[1]} outputs"
        return None, f"{given} an image cannot name one of {task.classes} classes"
    # A logarithm of 0 is a fair -inf; nothing can be the largest among not-a-number or several +inf.
    broken = np.isnan(rows).any(axis=1) | np.isposinf(rows).any(axis=1)
    predicted = np.where(broken, -1, np.where(broken[:, None], 0, rows).argmax(axis=1)).astype(np.int64)
    note = f"{int(broken.sum())} of {len(rows)} images got outputs that are no numbers; they count as wrong"
    return predicted, note if broken.any() else ""


def _read_classes(rows: NDArray[Any], reading: Reading) -> tuple[NDArray[np.int64], str]:
    """The class each row of outputs names, -1 where it names none."""
    broken = np.isnan(rows).any(axis=1)
    if rows.shape[1] == 1:
        labels = rows[:, 0] > reading.threshold
    else:
        broken |= np.isposinf(rows).any(axis=1)
        labels = np.where(broken[:, None], 0, rows).argmax(axis=1)
    named = np.array([reading.labels.get(label, -1) for label in range(max(rows.shape[1], 2))], dtype=np.int64)
    predicted = np.where(broken, -1, named[labels.astype(np.int64)])
    note = f"{int(broken.sum())} of {len(rows)} images got outputs that are no numbers; they count as wrong"
    return predicted, note if broken.any() else ""


def _accuracy(plan: PredictionPlan, predicted: NDArray[np.int64], task: Task, said: str, why: str) -> AccuracyFact:
    """Count; `why` says why a model's own process had to predict, where it had to."""
    correct, total = int((predicted == task.labels).sum()), len(task.labels)
    low, high = wilson(correct, total)
    notes = [plan.note, said]
    if plan.format == "predictions":
        recorded = "predicted in the notebook's own process, since the kept model could not be used outside it"
        notes.insert(0, f"{recorded}: {why}" if why else recorded)
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
        note="; ".join(note for note in notes if note),
        predicted=tuple(predicted.tolist()),
        task=task.name,
        moment=plan.moment,
        wrong=tuple(np.flatnonzero(predicted != task.labels).tolist()),
    )


def _with_outputs(model: ModelFact, group: Sequence[PredictionResult]) -> ModelFact:
    """Give a model whose output shape is not recorded, such as a subclassed one, that of the rows it gave."""
    rows = next((r.outputs for r in group if r.outputs is not None and r.outputs.ndim > 1), None)
    if model.output_shape is not None or rows is None:
        return model
    return model.model_copy(update={"output_shape": tuple(rows.shape[1:])})


def _verified(model: ModelFact, group: Sequence[PredictionResult], problems: list[str]) -> ModelFact:
    """Put the predictor's description in the place of the recorder's, where it is a whole one."""
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
            f"the kept model {model.name} has {seen.parameters:,} parameters where the record says "
            f"{model.parameters:,}; the kept one counts"
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

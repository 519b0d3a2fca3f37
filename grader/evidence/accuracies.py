"""Compute accuracies from the predictor's answers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from grader.evidence.artefacts import ArrayReader
from grader.evidence.claims import MalformedError
from grader.evidence.held_back import held_back_id
from grader.evidence.keras_file import KerasFile
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
from grader.evidence.structure import read_model, read_outputs
from grader.facts.statistics import wilson
from grader.schema.base import Assurance
from grader.schema.errors import ArtefactError
from grader.schema.evidence import AccuracyFact, Evidence, HeldBackFact, LayerFact, ModelFact, OutputFact, OutputPart
from grader.schema.message import Message, MessageLike, as_message, clauses, say, say_count

__all__ = ["LARGE_DIFFERENCE", "LARGE_PART", "apply_predictions", "recorded_results"]

_RELIABLE = ("predictions", "saved_model", "keras")
"""Saved forms of a model, the most reliable last: layers of Keras alone, a graph, the notebook's own process."""
_FEW_NUMBERS, _SMALL_PART = 200, 10
"""A model may hold this many numbers, and one for this many parameters, that are not counted: seeds, a fixed filter."""
LARGE_DIFFERENCE = 0.01
"""Difference between the accuracies on test images and on held-back images, beyond both intervals, that honest models
do not have; `docs/trust.md` has the measurements."""
LARGE_PART = 0.25
"""The same as a part of the errors on test images: a weak model loses more when images move."""
_FEWEST_ROWS = 20
"""Number of predicted rows from which an activation is concluded."""
_ROUNDING = 0.01
"""Error of probabilities in half precision."""


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
    held_back = {result.plan.id: result for result in results if result.plan.held_back is not None}
    for result in results:
        if result.plan.held_back is None:
            groups.setdefault(result.plan.key, []).append(result)
    accuracies = {(a.model, a.dataset, a.split, a.task, a.moment): a for a in evidence.accuracies}
    models = {model.id: model for model in evidence.models}
    problems: list[MessageLike] = list(evidence.problems)
    for key, group in groups.items():
        task = group[0].plan.part or whole_split(indexes[key[1]], key[2])
        fact, failure = _judge(group, task, models.get(key[0]), held_back)
        if fact is not None:
            accuracies[key] = fact
        if key[0] in models and key[-1] == "trained":
            models[key[0]] = _with_outputs(_verified(_in_graph(models[key[0]], group), group, problems), group)
            if fact is None and failure:
                models[key[0]] = models[key[0]].model_copy(update={"unkept_reason": failure})
                name = models[key[0]].name
                problems.append(say("no accuracy of the model {model:code}: {reason}", model=name, reason=failure))
    problems += [
        say("{model:code}: {doubt}", model=model.name, doubt=model.doubt)
        for model in models.values()
        if model.doubt is not None
    ]
    return evidence.model_copy(
        update={
            "accuracies": tuple(accuracies.values()),
            "models": tuple(models.values()),
            "problems": tuple(dict.fromkeys(problems)),
        }
    )


def _judge(
    group: Sequence[PredictionResult],
    task: Task,
    model: ModelFact | None,
    held_back: Mapping[str, PredictionResult],
) -> tuple[AccuracyFact | None, MessageLike]:
    """Find the best accuracy of a model's results on one task, or None and the reason, if the model may fit the task.

    Predictions from outside the notebook's process override recorded ones, even if the recorded ones are better.
    """
    judged = [(result, _predicted(result, task)) for result in group]
    failed = [prediction for _, prediction in judged if prediction.classes is None]
    # The grader could use a model whose outputs fit no class, unless its recorded shape says that they fit.
    unfit = (model is None or not model.output_shapes) and any(prediction.unfit for prediction in failed)
    failure = "" if unfit else next((prediction.note for prediction in failed), "")
    why = failure or (model.unkept_reason if model is not None else None) or ""
    facts = [
        _with_held_back(
            _accuracy(result, prediction.classes, task, prediction.note, why),
            held_back.get(held_back_id(result.plan)),
        )
        for result, prediction in judged
        if prediction.classes is not None
    ]
    best = max(facts, key=lambda fact: (_RELIABLE.index(fact.how), fact.correct), default=None)
    return best, failure


@dataclass(frozen=True, slots=True)
class _Prediction:
    """Predicted classes, or the reason why there are none.

    Attributes:
        classes: Class of each image, -1 for outputs that are not numbers.
        note: A note about the outputs, or the reason.
        unfit: Whether the reason is that no output of the model fits the classes.
    """

    classes: NDArray[np.int64] | None
    note: MessageLike
    unfit: bool = False


def _predicted(result: PredictionResult, task: Task) -> _Prediction:
    """Find the class of each image in the outputs of a model."""
    outputs = result.outputs
    if outputs is None:
        return _Prediction(None, result.error or say("it gave no outputs"))
    if outputs.dtype.kind not in "fiu" or outputs.ndim < 2 or len(outputs) != len(task.labels):  # noqa: PLR2004 - rows of outputs
        wrong = say(
            "its outputs have the shape {shape:shape}, instead of a row of numbers for each of {images:number} images",
            shape=outputs.shape,
            images=len(task.labels),
        )
        return _Prediction(None, wrong)
    rows = outputs.reshape(len(outputs), -1)
    if len(result.parts) > 1:
        return _of_several(result, rows, task)
    shape = result.parts[0].shape if result.parts else (rows.shape[1],)
    if len(shape) == 1 and can_read(shape[0], task, result.plan.reading):
        return _Prediction(*_read(rows, result.plan.reading))
    return _Prediction(None, _misfit(shape, task), unfit=True)


def _misfit(shape: Sequence[int], task: Task) -> Message:
    if len(shape) != 1:
        return say(
            "its output has the shape {shape:shape}, but there are {classes:number} classes",
            shape=shape,
            classes=task.classes,
        )
    return say_count(
        "its output has {count:number} unit, but there are {classes:number} classes",
        "its output has {count:number} units, but there are {classes:number} classes",
        shape[0],
        classes=task.classes,
    )


def _of_several(result: PredictionResult, rows: NDArray[Any], task: Task) -> _Prediction:
    """Find the classes in the output that fits; if several fit, use the output that agrees best with the labels."""
    reading = result.plan.reading
    fitting = [part for part in result.parts if len(part.shape) == 1 and can_read(part.shape[0], task, reading)]
    kept = [(part, part.start) for part in fitting if part.start is not None]
    if not kept:
        shapes = [say("{shape:shape}", shape=part.shape) for part in result.parts]
        none = say(
            "none of its {count:number} outputs, with the shapes {shapes:list}, has a number for each of the "
            "{classes:number} classes",
            count=len(result.parts),
            shapes=shapes,
            classes=task.classes,
        )
        return _Prediction(None, none, unfit=not fitting)
    read = [(part, *_read(rows[:, start : start + part.size], reading)) for part, start in kept]
    part, predicted, note = max(read, key=lambda each: int((each[1] == task.labels).sum()))
    names = [_output_name(result, part)]
    if len(read) == 1:
        which = say("of its {count:number} outputs, {output} counts", count=len(result.parts), output=names[0])
    else:
        which = say(
            "of its {count:number} outputs, {fitting:number} fit the classes; {output} agrees best with the labels and "
            "counts",
            count=len(result.parts),
            fitting=len(read),
            output=names[0],
        )
    return _Prediction(predicted, clauses(which, note))


def _output_name(result: PredictionResult, part: OutputPart) -> Message:
    """Name an output by its key or, without keys, by the name in the model's description or its place."""
    if not part.name.isdigit():
        return say("{name:code}", name=part.name)
    place = result.parts.index(part)
    outputs = read_outputs(result.description)
    if len(outputs) == len(result.parts):
        return say("{name:code}", name=outputs[place].name)
    return say("output {number:number}", number=place + 1)


def _read(rows: NDArray[Any], reading: Reading | None) -> tuple[NDArray[np.int64], MessageLike]:
    if reading is not None:
        return _read_classes(rows, reading)
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
        chosen = rows[:, 0] > reading.threshold
        meanings = [reading.labels[label] for label in sorted(reading.labels)]
    else:
        broken |= np.isposinf(rows).any(axis=1)
        chosen = np.where(broken[:, None], 0, rows).argmax(axis=1)
        meanings = [reading.labels.get(label, -1) for label in range(rows.shape[1])]
    predicted = np.where(broken, -1, np.array(meanings, dtype=np.int64)[chosen.astype(np.int64)])
    return predicted, _broken_note(broken)


def _accuracy(
    result: PredictionResult, predicted: NDArray[np.int64], task: Task, note: MessageLike, why: MessageLike
) -> AccuracyFact:
    """Count correct predictions; `why` is the reason if the notebook's own process had to predict."""
    plan = result.plan
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
        doubt=_doubt(result),
    )


def _with_held_back(fact: AccuracyFact, result: PredictionResult | None) -> AccuracyFact:
    """Add the accuracy on held-back images, and a doubt if it is far lower than the one on the test images."""
    plan = result.plan if result is not None else None
    if result is None or plan is None or plan.part is None or plan.held_back is None:
        return fact
    predicted = _predicted(result, plan.part).classes
    if predicted is None:
        return fact
    correct, total = int((predicted == plan.part.labels).sum()), len(plan.part.labels)
    low, high = wilson(correct, total)
    held_back = HeldBackFact(
        seed=plan.held_back, correct=correct, total=total, value=correct / total if total else 0.0, low=low, high=high
    )
    doubt = fact.doubt
    if doubt is None and fact.low - high > max(LARGE_DIFFERENCE, LARGE_PART * (1 - fact.value)):
        doubt = say(
            "it classifies {accuracy:percent} of the {split:split} images correctly, but only {held_back:percent} of "
            "the new images, so it may have learned the {split:split} images",
            accuracy=fact.value,
            split=fact.split,
            held_back=held_back.value,
        )
    return fact.model_copy(update={"held_back": held_back, "doubt": doubt})


def _doubt(result: PredictionResult) -> Message | None:
    """Explain that answers to equal images differ, unless the model's own layers are random.

    In a random order, random numbers help nobody to the right answers.
    """
    random = (result.file is not None and result.file.varies) or (result.graph is not None and result.graph.random)
    if not result.unequal or random:
        return None
    return say_count(
        "{count:number} image that the model was given twice, at random places, got two different answers",
        "{count:number} images that the model was given twice, at random places, got two different answers",
        result.unequal,
    )


def _recorded_note(why: MessageLike) -> Message:
    if not why:
        return say("predicted in the notebook's own process, because the saved model could not be used outside it")
    return say(
        "predicted in the notebook's own process, because the saved model could not be used outside it: {reason}",
        reason=why,
    )


def _with_outputs(model: ModelFact, group: Sequence[PredictionResult]) -> ModelFact:
    """Set the last activation, and output shapes that were not recorded, as for a subclassed model."""
    done = next((r for r in group if r.outputs is not None and r.outputs.ndim > 1), None)
    if done is None or done.outputs is None:
        return model
    if len(done.parts) <= 1:
        model = model.model_copy(update={"predicted_activation": _activation_of(done.outputs)})
    if model.output_shapes:
        return model
    if len(done.parts) > 1:
        outputs = tuple(OutputFact(name=part.name, shape=part.shape) for part in done.parts)
        return model.model_copy(update={"outputs": outputs})
    shape = done.parts[0].shape if done.parts else done.outputs.shape[1:]
    return model.model_copy(update={"output_shape": tuple(shape)})


def _activation_of(rows: NDArray[Any]) -> Literal["linear", "sigmoid", "softmax"] | None:
    """Find the last activation from predicted values: logits leave the range from 0 to 1."""
    if rows.dtype.kind != "f" or rows.ndim != 2 or len(rows) < _FEWEST_ROWS or not np.isfinite(rows).all():  # noqa: PLR2004 - rows of outputs
        return None
    if rows.min() < -_ROUNDING or rows.max() > 1 + _ROUNDING:
        return "linear"
    sums_to_one = rows.shape[1] > 1 and bool((np.abs(rows.sum(axis=1, dtype=np.float64) - 1) <= _ROUNDING).all())
    return "softmax" if sums_to_one else "sigmoid"


def _in_graph(model: ModelFact, group: Sequence[PredictionResult]) -> ModelFact:
    """Doubt a model whose graph holds more numbers than its recorded parameters."""
    held = max((each.graph.numbers for each in group if each.graph is not None), default=0)
    doubt = _hidden(held - (model.parameters or 0), model.parameters)
    return model if doubt is None else model.model_copy(update={"doubt": doubt})


def _verified(model: ModelFact, group: Sequence[PredictionResult], problems: list[MessageLike]) -> ModelFact:
    """Replace the recorder's description by the predictor's, if that is complete and the model's file says the same.

    A graph can say anything about itself, so the structure of a SavedModel stays recorded.
    """
    done = next((r for r in group if r.plan.format == "keras" and r.outputs is not None and r.description), None)
    if done is None or done.description is None:
        return model
    try:
        seen = read_model({**done.description, "id": model.id, "dialect": model.dialect})
    except MalformedError:
        return model
    if not seen.layers or seen.parameters is None:
        return model
    if done.file is None or not done.file.agrees(seen):
        unlike = say(
            "the structure of the model {model:code} is only recorded, because the grader could not read it in the "
            "model's file",
            model=model.name,
        )
        problems.append(unlike)
        return model
    doubt = (
        _difference(model, seen)
        or _exchanged(model, done.file)
        or _hidden(done.file.constants, seen.parameters)
        or model.doubt
    )
    return model.model_copy(
        update={
            "cls": seen.cls,
            "input_shape": seen.input_shape if seen.input_shape is not None else model.input_shape,
            "output_shape": seen.output_shape if seen.output_shape is not None else model.output_shape,
            "outputs": seen.outputs or model.outputs,
            "parameters": seen.parameters,
            "trainable_parameters": seen.trainable_parameters,
            "layers": _with_origin(seen.layers, frozenset(_ready_made(model.layers))),
            "assurance": Assurance.VERIFIED,
            "doubt": doubt,
            "idle_layers": tuple(layer.name for layer in seen.flat_layers() if layer.name in done.idle),
        }
    )


def _difference(recorded: ModelFact, kept: ModelFact) -> Message | None:
    """Explain that the kept model has another structure than the recorded one."""
    if recorded.parameters is not None and recorded.parameters != kept.parameters:
        return say(
            "the kept model has {saved:number} parameters, but the record says {recorded:number}",
            saved=kept.parameters,
            recorded=recorded.parameters,
        )
    classes = [[layer.cls for layer in model.counted_layers()] for model in (recorded, kept)]
    if recorded.parameters is not None and classes[0] and classes[0] != classes[1]:
        return say("the kept model has other layers than the recorded one")
    return None


def _hidden(more: int, parameters: int | None) -> Message | None:
    """Explain that a model holds many numbers that are not counted as parameters, such as a table of answers.

    Args:
        more: How many numbers it holds in addition to the parameters.
        parameters: Number of its parameters; None if it is unknown.
    """
    if parameters is None or more <= _FEW_NUMBERS + parameters // _SMALL_PART:
        return None
    return say(
        "the saved model holds {stored:number} numbers in addition to its {parameters:number} parameters",
        stored=more,
        parameters=parameters,
    )


def _exchanged(model: ModelFact, file: KerasFile) -> Message | None:
    """Explain that the file has other weights than the recorder saved."""
    changed = len(file.digests.difference(model.kept_digests)) if model.kept_digests else 0
    if not changed:
        return None
    return say_count(
        "the weights of {count:number} layer in the model's file are not those that the recorder saved",
        "the weights of {count:number} layers in the model's file are not those that the recorder saved",
        changed,
    )


def _ready_made(layers: Sequence[LayerFact]) -> Iterator[str]:
    """List the names of the layers from `keras.applications`, also in nested models."""
    for layer in layers:
        if layer.ready_made:
            yield layer.name
        yield from _ready_made(layer.layers)


def _with_origin(layers: Sequence[LayerFact], ready_made: frozenset[str]) -> tuple[LayerFact, ...]:
    """Mark the layers from `keras.applications`, which a saved model does not tell from the student's own."""
    return tuple(
        layer.model_copy(
            update={"ready_made": layer.name in ready_made, "layers": _with_origin(layer.layers, ready_made)}
        )
        for layer in layers
    )

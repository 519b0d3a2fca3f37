"""Convert graded submissions to rows of the tables of data, without effects."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from grader.facts.graded_model import main_accuracy, main_model
from grader.facts.initializers import initialiser_of, regulariser_of
from grader.facts.layers import final_activation, kernel_size, layer_matches, own_activation
from grader.facts.metrics import fit_curves
from grader.facts.weights import frozen_layers
from grader.schema.data import (
    AccuracyRow,
    CriterionRow,
    DataRow,
    EpochRow,
    ErrorRow,
    JudgementRow,
    LayerRow,
    ModelRow,
    NoteRow,
    SubmissionRow,
    TrainingRow,
)
from grader.schema.evidence import CompileFact, Evidence, FitFact, LayerFact, ModelFact, OptimizerFact
from grader.schema.grade import CriterionGrade, Grade, LayerGrade, ModelGrade
from grader.schema.judgement import WHOLE
from grader.schema.message import LITERAL

__all__ = ["EvidenceState", "rows_of", "unreadable_row"]

EvidenceState = Literal["complete", "missing", "unreadable"]

_SHAPE = "x"
_DIGITS = 6
"""Digits of a difference of points, without the noise of binary fractions."""
_IMAGES = re.compile(r"(?P<dataset>[^/@]+)/(?P<split>[^/@]+)(?:/(?P<task>[^@]+))?")
"""Pattern of the key of an accuracy in a grade."""
_FORMS = frozenset({"Sequential", "Functional"})


def unreadable_row(submission: str, reason: str) -> SubmissionRow:
    """Return the only row of a submission whose grade is damaged."""
    empty: dict[str, Any] = dict.fromkeys(SubmissionRow.model_fields)
    counts = dict.fromkeys(("borderline", "notes", "review", "problems", "models"), 0)
    known = {"submission": submission, "status": "unreadable", "reason": reason, "evidence": "missing"}
    return SubmissionRow(**{**empty, **counts, "excused": False, **known})


def rows_of(grade: Grade, evidence: Evidence | None, state: EvidenceState, problem: str = "") -> Iterator[DataRow]:
    """List the rows of all tables but the long one, table by table.

    Args:
        grade: The grade.
        evidence: Its evidence; None if it is missing or damaged.
        state: State of the evidence.
        problem: Why the evidence is unreadable.
    """
    yield _submission(grade, evidence, state, problem)
    yield from (_criterion(grade, position, line) for position, line in enumerate(grade.criteria))
    facts = {model.id: model for model in evidence.models} if evidence is not None else {}
    for model in grade.models:
        layers = _layers(model, facts.get(model.id))
        yield _model(grade, model, facts.get(model.id), layers)
        yield from (_layer(grade, model, position, layer) for position, layer in enumerate(layers))
    yield from _accuracies(grade)
    if evidence is not None:
        yield from _trainings(grade, evidence)
    yield from _notes(grade)
    yield from _errors(grade)
    yield from _judgements(grade)


def _ids(grade: Grade) -> dict[str, str]:
    return {"rubric": grade.rubric.id, "submission": grade.submission.id}


def _submission(grade: Grade, evidence: Evidence | None, state: EvidenceState, problem: str) -> SubmissionRow:
    model, accuracy, execution, late = main_model(grade), main_accuracy(grade), grade.execution, grade.late
    versions: Mapping[str, str] = execution.versions if execution is not None else {}
    return SubmissionRow(
        **_ids(grade),
        student=grade.submission.student,
        rubric_sha256=grade.rubric.sha256,
        notebook_sha256=grade.submission.sha256 or None,
        status=grade.status,
        reason=problem or grade.reason,
        evidence=state,
        score=grade.score,
        max_score=grade.max_score,
        pending=grade.pending,
        submitted=grade.submission.submitted,
        due=grade.due,
        late_days=late.days if late is not None else None,
        late_points=late.points if late is not None else None,
        excused=grade.excused is not None,
        borderline=len(grade.borderline),
        notes=len(grade.diagnostics),
        review=len(grade.review),
        problems=len(grade.problems),
        execution=execution.status if execution is not None else None,
        seconds=execution.seconds if execution is not None else None,
        cells_run=execution.cells_run if execution is not None else None,
        cells_total=execution.cells_total if execution is not None else None,
        errors=len(execution.errors) if execution is not None else None,
        peak_memory=execution.peak_memory_mib if execution is not None else None,
        device=execution.device if execution is not None else None,
        seed=execution.seed if execution is not None else None,
        isolation=execution.isolation if execution is not None else None,
        dialect=execution.dialect if execution is not None else None,
        python=versions.get("python"),
        tensorflow=versions.get("tensorflow"),
        keras=versions.get("keras"),
        models=len(grade.models),
        trainings=len(evidence.fits) if evidence is not None else None,
        graded_model=model.id if model is not None else None,
        accuracy_on=accuracy[0] if accuracy is not None else None,
        accuracy=accuracy[1].value if accuracy is not None else None,
        parameters=model.parameters if model is not None else None,
    )


def _criterion(grade: Grade, position: int, line: CriterionGrade) -> CriterionRow:
    pending = line.status == "pending"
    first = next(iter(line.evidence), None)
    judged, cause = line.judged, line.cause
    return CriterionRow(
        **_ids(grade),
        criterion=line.id,
        position=position,
        title=line.title,
        points=None if pending else line.points,
        max_points=line.max_points,
        lost=None if pending else round(line.max_points - line.points, _DIGITS),
        status=line.status,
        assurance=line.assurance,
        borderline=line.borderline,
        hidden=line.hidden,
        bonus=line.bonus,
        message=line.message or None,
        template=line.says.id if line.says is not None and line.says.id != LITERAL else None,
        cause=cause.kind if cause is not None else None,
        cause_cell=cause.cell if cause is not None else None,
        cell=first.cell if first is not None else None,
        event=first.event if first is not None else None,
        judged_by=judged.by if judged is not None else None,
        judged_at=judged.at if judged is not None else None,
        judged_kind=judged.kind if judged is not None else None,
        computed_points=judged.computed_points if judged is not None else None,
        computed_status=judged.computed_status if judged is not None else None,
    )


# --- models ------------------------------------------------------------------------------------------------------


def _layers(model: ModelGrade, fact: ModelFact | None) -> tuple[LayerFact, ...]:
    """Return a model's layers from the evidence, or without it as the grade shows them."""
    if fact is not None:
        return fact.counted_layers()
    return tuple(_as_fact(layer) for layer in model.layers)


def _as_fact(layer: LayerGrade) -> LayerFact:
    return LayerFact(
        name=layer.name,
        cls=layer.cls,
        output_shape=layer.output_shape,
        parameters=layer.parameters,
        trainable=layer.trainable,
        config=layer.config,
    )


def _model(grade: Grade, model: ModelGrade, fact: ModelFact | None, layers: Sequence[LayerFact]) -> ModelRow:
    graded = main_model(grade)
    return ModelRow(
        **_ids(grade),
        model=model.id,
        graded=graded is not None and graded.id == model.id,
        name=model.name,
        roles=" ".join(model.roles) or None,
        form=None if fact is None else fact.cls if fact.cls in _FORMS else "subclass",
        cell=fact.cell if fact is not None else None,
        input_shape=_shape(model.input_shape),
        output_shape=_shape(model.output_shape),
        output_activation=final_activation(fact) if fact is not None else None,
        parameters=model.parameters,
        trainable_parameters=fact.trainable_parameters if fact is not None else None,
        layers=len(layers),
        convolutions=sum(layer_matches(layer, "any_convolution") for layer in layers),
        dropouts=sum(layer_matches(layer, "any_dropout") for layer in layers),
        assurance=model.assurance,
    )


def _layer(grade: Grade, model: ModelGrade, position: int, layer: LayerFact) -> LayerRow:
    regularizer = regulariser_of(layer)
    return LayerRow(
        **_ids(grade),
        model=model.id,
        layer=position,
        name=layer.name,
        type=layer.cls,
        custom=layer.custom,
        output_shape=_shape(layer.output_shape),
        parameters=layer.parameters,
        trainable=layer.trainable,
        activation=own_activation(layer),
        units=_whole(layer.config.get("units")),
        filters=_whole(layer.config.get("filters")),
        kernel_size=_shape(kernel_size(layer)),
        strides=_shape(_pair(layer.config.get("strides"))),
        padding=_text(layer.config.get("padding")),
        rate=_number(layer.config.get("rate")),
        kernel_initializer=initialiser_of(layer),
        kernel_regularizer=None if regularizer == "none" else regularizer,
    )


def _accuracies(grade: Grade) -> Iterator[AccuracyRow]:
    graded, shown = main_model(grade), main_accuracy(grade)
    for model in grade.models:
        for images, one in model.accuracy.items():
            found = _IMAGES.match(images)
            yield AccuracyRow(
                **_ids(grade),
                model=model.id,
                graded=model == graded and shown is not None and shown[0] == images,
                images=images,
                dataset=found["dataset"] if found else images,
                split=found["split"] if found else "",
                task=found["task"] if found else None,
                accuracy=one.value,
                low=one.low,
                high=one.high,
                correct=one.correct,
                total=one.total,
                assurance=one.assurance,
            )


# --- trainings ---------------------------------------------------------------------------------------------------


def _trainings(grade: Grade, evidence: Evidence) -> Iterator[DataRow]:
    graded = main_model(grade)
    for number, fit in enumerate(evidence.fits, 1):
        curves = fit_curves(fit, max(fit.epochs_done, *map(len, fit.history.values()), 0))
        is_graded = graded is not None and graded.id == fit.model
        yield _training(grade, number, fit, evidence.compile_of(fit), curves, graded=is_graded)
        for epoch in range(len(curves["loss"])):
            yield EpochRow(
                **_ids(grade),
                training=number,
                epoch=epoch + 1,
                **{name: values[epoch] for name, values in curves.items()},
                learning_rate=_number(fit.learning_rates[epoch]) if epoch < len(fit.learning_rates) else None,
            )


def _training(  # noqa: PLR0913 - a training and its parts
    grade: Grade,
    number: int,
    fit: FitFact,
    compiled: CompileFact | None,
    curves: Mapping[str, tuple[float | None, ...]],
    *,
    graded: bool,
) -> TrainingRow:
    optimizer = (compiled.optimizer if compiled is not None else None) or fit.optimizer
    loss = (compiled.loss if compiled is not None else None) or fit.loss
    rows = fit.x.rows if fit.x is not None else None
    best = _best(curves)
    return TrainingRow(
        **_ids(grade),
        training=number,
        model=fit.model,
        graded=graded,
        cell=fit.cell,
        event=fit.event,
        kind=fit.kind,
        status=fit.status,
        **_optimizer(optimizer),
        first_rate=_number(fit.learning_rates[0]) if fit.learning_rates else None,
        last_rate=_number(fit.learning_rates[-1]) if fit.learning_rates else None,
        loss=None if loss is None else "custom" if loss.custom else loss.name,
        from_logits=loss.from_logits if loss is not None else None,
        metrics=" ".join(compiled.metrics) or None if compiled is not None else None,
        batch_size=fit.batch_size,
        epochs_asked=fit.epochs_asked,
        epochs=fit.epochs_done,
        steps=fit.steps,
        images=fit.rows_trained,
        dataset=rows.dataset if rows is not None else None,
        test_images=rows.counts.get("test", 0) if rows is not None else None,
        input_low=fit.x.low if fit.x is not None else None,
        input_high=fit.x.high if fit.x is not None else None,
        validation=fit.validation,
        overlap=fit.overlap,
        final_accuracy=_last(curves["accuracy"]),
        final_val_accuracy=_last(curves["val_accuracy"]),
        final_loss=_last(curves["loss"]),
        final_val_loss=_last(curves["val_loss"]),
        best_val_accuracy=max(_known(curves["val_accuracy"]), default=None),
        best_val_loss=min(_known(curves["val_loss"]), default=None),
        best_epoch=best,
        diverged=any(not math.isfinite(value) for values in fit.history.values() for value in values),
        layers_with_weights=len(fit.digests_before),
        frozen_layers=len(frozen_layers(fit)),
        changed_layers=len(fit.changed_layers),
        callbacks=" ".join(callback.cls for callback in fit.callbacks) or None,
        device=fit.device or None,
        seconds=fit.seconds,
    )


def _optimizer(optimizer: OptimizerFact | None) -> dict[str, Any]:
    if optimizer is None:
        return dict.fromkeys(("optimizer", "learning_rate", "schedule", "momentum", "weight_decay"))
    rate = optimizer.config.get("learning_rate")
    return {
        "optimizer": optimizer.cls,
        "learning_rate": optimizer.learning_rate,
        "schedule": _text(rate.get("class_name")) if isinstance(rate, Mapping) else None,
        "momentum": _number(optimizer.config.get("momentum")),
        "weight_decay": _number(optimizer.config.get("weight_decay")),
    }


def _best(curves: Mapping[str, tuple[float | None, ...]]) -> int | None:
    """Find the best epoch, from 1: by the validation accuracy, else by the validation loss."""
    for name, choose in (("val_accuracy", max), ("val_loss", min)):
        if values := _known(curves[name]):
            return curves[name].index(choose(values)) + 1
    return None


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _last(values: Sequence[float | None]) -> float | None:
    return values[-1] if values else None


# --- notes, errors, judgements -----------------------------------------------------------------------------------


def _notes(grade: Grade) -> Iterator[NoteRow]:
    for number, note in enumerate(grade.diagnostics, 1):
        yield NoteRow(
            **_ids(grade),
            number=number,
            note=note.id,
            title=note.title,
            cell=note.cell,
            model=note.model,
            for_instructor=note.for_instructor,
            message=note.message or None,
        )


def _errors(grade: Grade) -> Iterator[ErrorRow]:
    for number, error in enumerate(grade.execution.errors if grade.execution is not None else (), 1):
        yield ErrorRow(
            **_ids(grade),
            number=number,
            cell=error.cell,
            line=error.line,
            name=error.name,
            cause=error.cause or error.message or None,
            follows=error.follows,
        )


def _judgements(grade: Grade) -> Iterator[JudgementRow]:
    for number, decision in enumerate(_decisions(grade), 1):
        empty: dict[str, Any] = dict.fromkeys(("points", "text", "review"))
        yield JudgementRow(**_ids(grade), number=number, **{**empty, **decision})


def _decisions(grade: Grade) -> Iterator[dict[str, Any]]:
    for line in grade.criteria:
        if (judged := line.judged) is not None:
            decision = {"criterion": line.id, "by": judged.by, "at": judged.at, "points": line.points}
            yield {**decision, "kind": judged.kind, "text": judged.why or None}
        for comment in line.comments:
            yield {"criterion": line.id, "by": comment.by, "at": comment.at, "kind": "comment", "text": comment.text}
    for comment in grade.comments:
        yield {"criterion": None, "by": comment.by, "at": comment.at, "kind": "comment", "text": comment.text}
    for flag in grade.flags:
        yield {"criterion": _one(flag.criterion), "by": flag.by, "at": flag.at, "kind": "flag", "text": flag.why}
    for request in grade.requests:
        criterion = _one(request.criterion)
        yield {"criterion": criterion, "by": request.by, "at": request.at, "kind": "request", "text": request.why}
        if request.answer is not None:
            answered = {"by": request.answered_by or None, "at": request.answered_at, "text": request.answer}
            yield {"criterion": criterion, "kind": "answer", **answered}
    for review in grade.review:
        waiting = {"by": review.by, "at": review.at, "points": review.points, "text": review.comment or None}
        yield {"criterion": _one(review.criterion), "kind": "review", **waiting, "review": review.reason}


def _one(criterion: str) -> str | None:
    return None if criterion == WHOLE else criterion


# --- values ------------------------------------------------------------------------------------------------------


def _shape(sides: Sequence[int | None] | None) -> str | None:
    """Write a shape such as `28x28x1`, with `?` for an unknown side."""
    return None if sides is None else _SHAPE.join("?" if side is None else str(side) for side in sides)


def _pair(value: Any) -> tuple[int, ...] | None:
    """Read one number per axis."""
    if isinstance(value, int):
        return (value,)
    numbers = value if isinstance(value, (list, tuple)) else ()
    return tuple(numbers) if numbers and all(isinstance(side, int) for side in numbers) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    """Read a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None

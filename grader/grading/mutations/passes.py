"""Mistakes in repeated passes with dropout on (Monte Carlo dropout)."""

from grader.grading.mutations.base import NotApplicable, Target, always, mutation, sets
from grader.schema.evidence import CallFact, Evidence, ModelFact, PredictFact

__all__ = ["with_equal_passes"]

_NO_PASSES = "does not predict the same images repeatedly"


def _passes(evidence: Evidence, model: str) -> bool:
    calls = any((call.repeats or 0) > 1 for call in evidence.calls if call.model == model)
    predictions = any((one.pass_number or 0) > 1 for one in evidence.predictions if one.model == model)
    return calls or predictions or any(fact.model == model for fact in evidence.repeated_passes)


def _changed_passes(evidence: Evidence, model: str, **fields: object) -> Evidence:
    """Change the repeated passes of a model."""
    facts = tuple(fact.model_copy(update=fields) if fact.model == model else fact for fact in evidence.repeated_passes)
    return evidence.model_copy(update={"repeated_passes": facts})


def _without_passes(evidence: Evidence, model: str) -> Evidence:
    facts = tuple(fact for fact in evidence.repeated_passes if fact.model != model)
    return evidence.model_copy(update={"repeated_passes": facts})


def _changed_calls(evidence: Evidence, model: str, **fields: object) -> Evidence:
    """Change the repeated calls of a model."""
    calls = tuple(
        call.model_copy(update=fields) if call.model == model and (call.repeats or 0) > 1 else call
        for call in evidence.calls
    )
    return evidence.model_copy(update={"calls": calls})


def _limited_predictions(evidence: Evidence, model: str, most: int) -> Evidence:
    """Keep only the first passes of `predict`."""

    def kept(one: PredictFact) -> bool:
        return one.model != model or one.pass_number is None or one.pass_number <= most

    return evidence.model_copy(update={"predictions": tuple(one for one in evidence.predictions if kept(one))})


def with_equal_passes(evidence: Evidence, model: str) -> Evidence:
    """Let all passes of a model give the same numbers."""
    calls = tuple(
        call.model_copy(update={"outputs_differ": False}) if call.model == model and call.outputs_differ else call
        for call in evidence.calls
    )
    predictions = tuple(
        one.model_copy(update={"outputs_differ": False}) if one.model == model and one.outputs_differ else one
        for one in evidence.predictions
    )
    evidence = _changed_passes(evidence, model, differ=False)
    return evidence.model_copy(update={"calls": calls, "predictions": predictions})


@mutation("no-passes", concerns={"mc_dropout": always})
def _no_passes(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The images are predicted only once."""
    if not _passes(evidence, model.id):
        return NotApplicable(f"`{model.name}` {_NO_PASSES}")
    calls: tuple[CallFact, ...] = tuple(
        call.model_copy(update={"count": 1, "repeats": 1, "outputs_differ": None})
        if call.model == model.id and (call.repeats or 0) > 1
        else call
        for call in evidence.calls
    )
    evidence = _without_passes(evidence, model.id).model_copy(update={"calls": calls})
    return _limited_predictions(evidence, model.id, 1)


@mutation("few-passes", concerns={"mc_dropout": lambda params: params.passes_at_least > 2})  # noqa: PLR2004 - two passes
def _few_passes(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The images are predicted only twice."""
    if not _passes(evidence, model.id):
        return NotApplicable(f"`{model.name}` {_NO_PASSES}")
    evidence = _changed_passes(evidence, model.id, passes=2, averaged=2)
    return _limited_predictions(_changed_calls(evidence, model.id, count=2, repeats=2), model.id, 2)


@mutation("passes-without-dropout", concerns={"mc_dropout": always})
def _passes_without_dropout(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """Dropout is off in the repeated predictions."""
    if not _passes(evidence, model.id):
        return NotApplicable(f"`{model.name}` {_NO_PASSES}")
    evidence = _changed_passes(evidence, model.id, training=False)
    return with_equal_passes(_changed_calls(evidence, model.id, training=False), model.id)


@mutation("passes-of-one-image", concerns={"mc_dropout": lambda params: params.images_at_least > 1})
def _passes_of_one_image(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The repeated predictions are for a single image."""
    if not _passes(evidence, model.id):
        return NotApplicable(f"`{model.name}` {_NO_PASSES}")
    calls = tuple(
        call.model_copy(update={"x": call.x.model_copy(update={"shape": (1, *call.x.shape[1:])})})
        if call.model == model.id and call.x is not None
        else call
        for call in evidence.calls
    )
    predictions = tuple(
        one.model_copy(update={"x": one.x.model_copy(update={"shape": (1, *one.x.shape[1:])})})
        if one.model == model.id and one.x is not None
        else one
        for one in evidence.predictions
    )
    evidence = _changed_passes(evidence, model.id, images=1)
    return evidence.model_copy(update={"calls": calls, "predictions": predictions})


@mutation("passes-not-averaged", concerns={"mc_dropout": sets("averaged")})
def _passes_not_averaged(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The accuracy of each pass is computed, and the predictions are not averaged."""
    if not any(fact.model == model.id for fact in evidence.repeated_passes):
        return NotApplicable(f"`{model.name}` {_NO_PASSES}")
    return _changed_passes(evidence, model.id, average="accuracies")

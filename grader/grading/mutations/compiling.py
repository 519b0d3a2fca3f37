"""Mistakes in optimizers, losses, callbacks and learning rates."""

from collections.abc import Mapping
from typing import Any

from grader.facts.layers import final_activation
from grader.facts.optimizers import CLIPPING
from grader.grading.mutations.base import NotApplicable, Target, always, mutation, sets
from grader.grading.mutations.editing import each_fit, each_loss, each_optimizer
from grader.schema.base import Json
from grader.schema.evidence import CallbackFact, CompileFact, Evidence, FitFact, LossFact, ModelFact, OptimizerFact

__all__ = ()

_HUGE, _TINY = 10.0, 1e-9
_SCHEDULING = frozenset({"LearningRateScheduler", "ReduceLROnPlateau", "Callback"})
"""Callbacks that may change the learning rate; `Callback` is a class of the student's."""


def _optimizers(evidence: Evidence, model: str) -> tuple[OptimizerFact, ...]:
    places: tuple[CompileFact | FitFact, ...] = (*evidence.compiles, *evidence.fits)
    return tuple(place.optimizer for place in places if place.model == model and place.optimizer is not None)


def _named(wanted: str | tuple[str, ...]) -> set[str]:
    return {name.lower() for name in ((wanted,) if isinstance(wanted, str) else wanted)}


@mutation(
    "other-optimizer",
    concerns={"optimizer": lambda params: params.cls is not None and "sgd" not in _named(params.cls)},
)
def _other_optimizer(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model is trained with plain SGD."""
    if not _optimizers(evidence, model.id):
        return NotApplicable(f"no optimizer of `{model.name}` is known")
    return each_optimizer(
        evidence,
        model.id,
        lambda used: OptimizerFact(
            cls="SGD", learning_rate=used.learning_rate, config={"name": "SGD", "momentum": 0.0}, id=used.id
        ),
    )


@mutation(
    "adaptive-optimizer",
    concerns={
        "optimizer": lambda params: params.cls is not None and _named(params.cls).isdisjoint({"adadelta", "adaptive"})
    },
)
def _adaptive_optimizer(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model is trained with Adadelta."""
    if not _optimizers(evidence, model.id):
        return NotApplicable(f"no optimizer of `{model.name}` is known")
    return each_optimizer(
        evidence,
        model.id,
        lambda used: OptimizerFact(
            cls="Adadelta", learning_rate=used.learning_rate, config={"name": "Adadelta"}, id=used.id
        ),
    )


def _bounds(name: str, value: float) -> Any:
    return lambda params: (bounds := getattr(params, name)) is not None and not bounds.holds(value)


def _with_rate(evidence: Evidence, model: ModelFact, rate: float) -> Evidence | NotApplicable:
    """Give all trainings of a model another initial rate; the course of the rates stays the same."""
    if not _optimizers(evidence, model.id):
        return NotApplicable(f"no optimizer of `{model.name}` is known")

    def changed(used: OptimizerFact) -> OptimizerFact:
        config = {name: value for name, value in used.config.items() if name != "learning_rate"}
        return used.model_copy(update={"learning_rate": rate, "config": {**config, "learning_rate": rate}})

    def scaled(rates: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(one * rate / rates[0] for one in rates) if rates and rates[0] else rates

    return each_fit(
        each_optimizer(evidence, model.id, changed),
        model.id,
        lambda fit: fit.model_copy(
            update={"learning_rates": scaled(fit.learning_rates), "step_rates": scaled(fit.step_rates)}
        ),
    )


@mutation(
    "high-learning-rate",
    concerns={
        "optimizer": _bounds("learning_rate", _HUGE),
        "learning_rate": lambda params: params.first is not None and not params.first.holds(_HUGE),
    },
)
def _high_learning_rate(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The learning rate is 10."""
    return _with_rate(evidence, model, _HUGE)


@mutation(
    "low-learning-rate",
    concerns={
        "optimizer": _bounds("learning_rate", _TINY),
        "learning_rate": lambda params: params.first is not None and not params.first.holds(_TINY),
    },
)
def _low_learning_rate(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The learning rate is 1e-9."""
    return _with_rate(evidence, model, _TINY)


@mutation("no-clipping", concerns={"optimizer": sets("clipping", "clipnorm", "clipvalue")})
def _no_clipping(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """No gradient is clipped."""
    if not any(used.config.get(name) for used in _optimizers(evidence, model.id) for name in CLIPPING):
        return NotApplicable(f"no optimizer of `{model.name}` clips gradients")
    return each_optimizer(
        evidence,
        model.id,
        lambda used: used.model_copy(
            update={"config": {name: None if name in CLIPPING else value for name, value in used.config.items()}}
        ),
    )


@mutation(
    "no-momentum",
    concerns={
        "optimizer": lambda params: (
            params.nesterov is True or (params.momentum is not None and not params.momentum.holds(0.0))
        )
    },
)
def _no_momentum(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The optimizer has no momentum."""
    if not any(used.config.get("momentum") for used in _optimizers(evidence, model.id)):
        return NotApplicable(f"no optimizer of `{model.name}` has momentum")

    def still(used: OptimizerFact) -> OptimizerFact:
        return used.model_copy(update={"config": {**used.config, "momentum": 0.0, "nesterov": False}})

    return each_optimizer(evidence, model.id, still)


@mutation("other-optimizer-settings", concerns={"optimizer": sets("config")})
def _other_optimizer_settings(evidence: Evidence, model: ModelFact, target: Target) -> Evidence | NotApplicable:
    """The optimizer's settings that the rubric names have other values."""
    wanted = {key for test in target.tests_of("optimizer", model.id) for key in getattr(test.params, "config", {})}
    if not any(key in used.config for used in _optimizers(evidence, model.id) for key in wanted):
        return NotApplicable(f"no optimizer of `{model.name}` has a setting that the rubric names")
    others: dict[str, Json] = dict.fromkeys(wanted, "other")
    return each_optimizer(
        evidence, model.id, lambda used: used.model_copy(update={"config": {**used.config, **others}})
    )


# ---------------------------------------------------------------------------------------------------------------------
# Losses


def _has_loss(evidence: Evidence, model: str) -> bool:
    places: tuple[CompileFact | FitFact, ...] = (*evidence.compiles, *evidence.fits)
    return any(place.loss is not None for place in places if place.model == model)


@mutation(
    "other-loss",
    concerns={"loss": lambda params: params.name is not None and "mean_squared_error" not in _named(params.name)},
)
def _other_loss(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The loss is the mean squared error."""
    if not _has_loss(evidence, model.id):
        return NotApplicable(f"no loss of `{model.name}` is known")
    return each_loss(evidence, model.id, lambda _used: LossFact(name="mean_squared_error"))


@mutation("loss-for-other-output", concerns={"loss": sets("fits_output")})
def _loss_for_other_output(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The loss expects logits where the model returns probabilities, or the other way round."""
    if final_activation(model) is None:
        return NotApplicable(f"the last activation of `{model.name}` is unknown")
    if not _has_loss(evidence, model.id):
        return NotApplicable(f"no loss of `{model.name}` is known")
    logits = final_activation(model) in {"softmax", "sigmoid"}
    return each_loss(
        evidence,
        model.id,
        lambda used: used if used.from_logits is None else used.model_copy(update={"from_logits": logits}),
    )


# ---------------------------------------------------------------------------------------------------------------------
# Callbacks and learning rates


def _with_constant_rates(fit: FitFact) -> FitFact:
    rates = fit.step_rates or fit.learning_rates
    first = rates[0] if rates else None
    if first is None:
        return fit
    return fit.model_copy(
        update={"learning_rates": (first,) * len(fit.learning_rates), "step_rates": (first,) * len(fit.step_rates)}
    )


def _changes_rates(params: Any) -> bool:
    shapes = (params.shape,) if isinstance(params.shape, str) else params.shape or ()
    return bool(shapes) and "constant" not in shapes


@mutation(
    "constant-learning-rate",
    concerns={
        "learning_rate": _changes_rates,
        "callback": lambda params: {*((params.cls,) if isinstance(params.cls, str) else params.cls)} <= _SCHEDULING,
    },
)
def _constant_learning_rate(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The learning rate never changes."""
    fits = evidence.fits_of(model.id)
    if not any(len(set(fit.step_rates or fit.learning_rates)) > 1 or _schedules(fit) for fit in fits):
        return NotApplicable(f"the learning rate of `{model.name}` never changes")

    def constant(used: OptimizerFact) -> OptimizerFact:
        first = next((r for fit in fits for r in (*fit.step_rates, *fit.learning_rates)), 0.001)
        return (
            used
            if used.learning_rate is not None
            else used.model_copy(update={"learning_rate": first, "config": {**used.config, "learning_rate": first}})
        )

    def unscheduled(fit: FitFact) -> FitFact:
        others = tuple(used for used in fit.callbacks if used.cls not in _SCHEDULING)
        return _with_constant_rates(fit).model_copy(update={"callbacks": others})

    return each_fit(each_optimizer(evidence, model.id, constant), model.id, unscheduled)


def _schedules(fit: FitFact) -> bool:
    return any(used.cls in _SCHEDULING for used in fit.callbacks)


@mutation(
    "rising-learning-rate", concerns={"learning_rate": lambda params: _changes_rates(params) and not _rises(params)}
)
def _rising_learning_rate(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The learning rate rises until the end."""

    def rising(fit: FitFact) -> FitFact:
        rates = sorted(fit.step_rates or fit.learning_rates)
        if len(rates) < 2:  # noqa: PLR2004 - a single rate has no course
            return fit
        low, high = rates[0] or 1e-6, max(rates[-1], 10 * rates[0], 1e-5)

        def course(count: int) -> tuple[float, ...]:
            return tuple(low + (high - low) * at / max(1, count - 1) for at in range(count))

        return fit.model_copy(
            update={"learning_rates": course(len(fit.learning_rates)), "step_rates": course(len(fit.step_rates))}
        )

    if all(len(fit.step_rates or fit.learning_rates) < 2 for fit in evidence.fits_of(model.id)):  # noqa: PLR2004 - the same
        return NotApplicable(f"the learning rates of `{model.name}` are unknown")
    return each_fit(evidence, model.id, rising)


def _rises(params: Any) -> bool:
    shapes = (params.shape,) if isinstance(params.shape, str) else params.shape or ()
    return not {"rises", "varies"}.isdisjoint(shapes)


@mutation("no-callbacks", concerns={"callback": always})
def _no_callbacks(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """No training has a callback, so none stops early and no rate changes."""
    if not any(fit.callbacks for fit in evidence.fits_of(model.id)):
        return NotApplicable(f"no training of `{model.name}` has a callback")

    def bare(fit: FitFact) -> FitFact:
        plain = _with_constant_rates(fit) if _schedules(fit) else fit
        status = "completed" if fit.status == "stopped_early" else fit.status
        asked = fit.epochs_done if fit.status == "stopped_early" else fit.epochs_asked
        return plain.model_copy(update={"callbacks": (), "status": status, "epochs_asked": asked})

    return each_fit(evidence, model.id, bare)


def _with_callbacks(evidence: Evidence, model: ModelFact, settings: Mapping[str, Json]) -> Evidence | NotApplicable:
    def changed(used: CallbackFact) -> CallbackFact:
        new = {name: value for name, value in settings.items() if name in used.config}
        return used.model_copy(update={"config": {**used.config, **new}})

    if not any(
        name in used.config for fit in evidence.fits_of(model.id) for used in fit.callbacks for name in settings
    ):
        return NotApplicable(f"no callback of `{model.name}` has such a setting")
    return each_fit(
        evidence, model.id, lambda fit: fit.model_copy(update={"callbacks": tuple(map(changed, fit.callbacks))})
    )


@mutation(
    "last-weights-kept",
    concerns={
        "callback": lambda params: params.restore_best_weights is True or params.save_best_only is True,
    },
)
def _last_weights_kept(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The callbacks keep the weights of the last epoch, not of the best epoch."""
    return _with_callbacks(evidence, model, {"restore_best_weights": False, "save_best_only": False})


@mutation(
    "impatient-callback",
    concerns={"callback": lambda params: params.patience is not None and not params.patience.holds(0)},
)
def _impatient_callback(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The callbacks have no patience."""
    return _with_callbacks(evidence, model, {"patience": 0})


@mutation(
    "other-callback-settings",
    concerns={
        "callback": lambda params: (
            params.monitor is not None
            or bool(params.config)
            or (params.factor is not None and not params.factor.holds(1.0))
        )
    },
)
def _other_callback_settings(evidence: Evidence, model: ModelFact, target: Target) -> Evidence | NotApplicable:
    """The callbacks monitor another metric and have other settings."""
    wanted = {key for test in target.tests_of("callback", model.id) for key in getattr(test.params, "config", {})}
    others: dict[str, Json] = dict.fromkeys(wanted, "other")
    return _with_callbacks(evidence, model, {"monitor": "other_metric", "factor": 1.0, **others})

"""Names of Keras 3 and Keras 2 in rubrics: optimizers, losses, activations, initializers, metrics and callbacks.

Any other name is written as `custom:name`. Metrics and callbacks often have names of the students' own, so only a name
that is almost one of Keras is an error there.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Annotated

from pydantic import AfterValidator

from grader.facts.nearest import nearest

__all__ = [
    "CUSTOM",
    "ActivationName",
    "CallbackName",
    "InitializerName",
    "LossName",
    "MetricName",
    "OptimizerName",
    "bare_name",
    "canonical_activation",
    "canonical_initializer",
    "canonical_loss",
    "is_activation",
    "unknown_activation",
]

CUSTOM = "custom:"
"""Prefix of a name that is not one of Keras."""
_MISSPELLED = 0.75
"""Similarity from which an unknown optimizer, loss, activation or initializer is a misspelled one of Keras."""
_NEAR = 0.85
"""Similarity from which an unknown metric or callback is a misspelled one of Keras."""

_ADAPTIVE = "adaptive"
_OPTIMIZERS = (
    *("Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lamb", "Lion", "MultiOptimizer", "Muon"),
    *("Nadam", "RMSprop", "SGD", "ScheduleFreeAdamW"),
)

_LOSSES = (
    *("binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy"),
    *("categorical_focal_crossentropy", "categorical_generalized_cross_entropy", "categorical_hinge", "circle"),
    *("cosine_similarity", "ctc", "dice", "hinge"),
    *("huber", "kl_divergence", "log_cosh", "mean_absolute_error", "mean_absolute_percentage_error"),
    *("mean_squared_error", "mean_squared_logarithmic_error", "poisson", "sparse_categorical_crossentropy"),
    *("squared_hinge", "tversky"),
)
_JOINED = " + "
"""Separates the losses of several outputs."""
_LOSS_ALIASES: Mapping[str, str] = {
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
    "kullback_leibler_divergence": "kl_divergence",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "mse": "mean_squared_error",
    "msle": "mean_squared_logarithmic_error",
}

_ACTIVATIONS = (
    *("celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh"),
    *("leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "prelu", "relu", "relu6", "selu", "sigmoid"),
    *("silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax"),
    *("squareplus", "tanh", "tanh_shrink", "threshold", "thresholded_relu"),
)
_ACTIVATION_ALIASES: Mapping[str, str] = {"hard_swish": "hard_silu", "swish": "silu"}

_INITIALIZERS = (
    *("constant", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "identity", "lecun_normal"),
    *("lecun_uniform", "ones", "orthogonal", "random_normal", "random_uniform", "stft", "truncated_normal"),
    *("variance_scaling", "zeros"),
)
_INITIALIZER_ALIASES: Mapping[str, str] = {
    "identity_initializer": "identity",
    "normal": "random_normal",
    "one": "ones",
    "orthogonal_initializer": "orthogonal",
    "stft_initializer": "stft",
    "uniform": "random_uniform",
    "zero": "zeros",
}

_METRICS = (
    *("acc", "accuracy", "auc", "binary_accuracy", "binary_io_u", "categorical_accuracy", "concordance_correlation"),
    *("f1_score", "f_beta_score", "false_negatives", "false_positives", "io_u", "learning_rate", "log_cosh_error"),
    *("loss", "lr", "mean", "mean_io_u", "mean_relative_error", "mean_tensor", "one_hot_io_u", "one_hot_mean_io_u"),
    *("pearson_correlation", "precision", "precision_at_recall", "r2_score", "recall", "recall_at_precision"),
    *("root_mean_squared_error", "sensitivity_at_specificity", "sparse_categorical_accuracy"),
    *("sparse_top_k_categorical_accuracy", "specificity_at_sensitivity", "sum", "top_k_categorical_accuracy"),
    *("true_negatives", "true_positives", *_LOSSES, *_LOSS_ALIASES),
)
_CALLBACKS = (
    *("BackupAndRestore", "BaseLogger", "CSVLogger", "Callback", "EarlyStopping", "History", "LambdaCallback"),
    *("LearningRateScheduler", "ModelCheckpoint", "OrbaxCheckpoint", "ProgbarLogger", "ReduceLROnPlateau"),
    *("RemoteMonitor", "SidecarEvaluatorModelExport", "SwapEMAWeights", "TensorBoard", "TerminateOnNaN"),
)


def bare_name(name: str) -> str:
    """Drop the prefix `custom:`."""
    return name.removeprefix(CUSTOM)


def _key(name: str) -> str:
    """Write a name without case and underscores: `MeanSquaredError` and `mean_squared_error` have the same key."""
    return name.replace("_", "").lower()


def _by_key(names: Collection[str], aliases: Mapping[str, str]) -> dict[str, str]:
    return {_key(name): name for name in names} | {_key(alias): name for alias, name in aliases.items()}


_LOSS_KEYS = _by_key(_LOSSES, _LOSS_ALIASES)
_ACTIVATION_KEYS = _by_key(_ACTIVATIONS, _ACTIVATION_ALIASES)
_INITIALIZER_KEYS = _by_key(_INITIALIZERS, _INITIALIZER_ALIASES)
_OPTIMIZER_KEYS = _by_key((*_OPTIMIZERS, _ADAPTIVE), {})
_METRIC_KEYS = _by_key(_METRICS, {})


def canonical_loss(name: str) -> str:
    """Resolve the alias of a loss: `MSE` and `MeanSquaredError` become `mean_squared_error`; keep an unknown name."""
    return _JOINED.join(_LOSS_KEYS.get(_key(part), part) for part in bare_name(name).split(_JOINED))


def canonical_activation(name: str) -> str:
    """Resolve the alias of an activation: `swish` becomes `silu`, `LeakyReLU` becomes `leaky_relu`.

    An unknown name only becomes lower case.
    """
    name = bare_name(name).lower().removesuffix("_v2")
    return _ACTIVATION_KEYS.get(_key(name), name)


def canonical_initializer(name: str) -> str:
    """Resolve the alias of an initializer: `HeNormal` and `HeNormalV2` become `he_normal`, `uniform` `random_uniform`.

    An unknown name only becomes lower case with underscores.
    """
    name = bare_name(name).removesuffix("V2").removesuffix("V1")
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return _INITIALIZER_KEYS.get(_key(name), name)


def is_activation(name: str) -> bool:
    """Whether Keras has an activation of this name, under any alias."""
    return _key(bare_name(name)) in _ACTIVATION_KEYS


def unknown_activation(name: str) -> str:
    """Describe what is wrong with the name of an activation; empty if a rubric may use it."""
    return _unknown(name, "activation", _ACTIVATION_KEYS, {*_ACTIVATIONS, *_ACTIVATION_ALIASES})


def _unknown(name: str, noun: str, keys: Collection[str], choices: Collection[str], cutoff: float = _MISSPELLED) -> str:
    if _is_custom(name) or _key(name) in keys:
        return ""
    if name == CUSTOM:
        return f"there is no name after `{CUSTOM}`"
    near = nearest(name, sorted(choices), cutoff=cutoff)
    if near is None:  # a rubric may name a class of the course without the prefix
        return ""
    return f"Keras has no {noun} {name!r}; did you mean {near!r}? (write a name of your own as `{CUSTOM}{name}`)"


def _is_custom(name: str) -> bool:
    return name.startswith(CUSTOM) and len(name) > len(CUSTOM)


def _closed(noun: str, keys: Collection[str], choices: Collection[str]) -> Callable[[str], str]:
    """Make a validator that refuses misspelled names of Keras."""

    def accept(name: str) -> str:
        problem = _unknown(name, noun, keys, choices)
        if problem:
            raise ValueError(problem)
        return name

    return accept


def _loss(name: str) -> str:
    for part in (name,) if _is_custom(name) else name.split(_JOINED):
        problem = _unknown(part, "loss", _LOSS_KEYS, {*_LOSSES, *_LOSS_ALIASES})
        if problem:
            raise ValueError(problem)
    return name


def _metric(name: str) -> str:
    stem = name.removeprefix("val_")
    if not _is_custom(name) and _key(stem) not in _METRIC_KEYS and not _ends_in_metric(stem):
        _refuse_near_miss(stem, "metric", _METRICS)
    return name


def _ends_in_metric(stem: str) -> bool:
    """Whether a metric's name has the name of an output before it, or a number after it (`digit_accuracy_1`)."""
    stem = stem.rstrip("0123456789").removesuffix("_")
    return _key(stem) in _METRIC_KEYS or any(stem.endswith(f"_{metric}") for metric in _METRICS)


def _callback(name: str) -> str:
    if not _is_custom(name) and name not in _CALLBACKS:
        _refuse_near_miss(name, "callback", _CALLBACKS)
    return name


def _refuse_near_miss(name: str, noun: str, choices: Collection[str]) -> None:
    problem = _unknown(name, noun, (), choices, _NEAR)
    if problem:
        raise ValueError(problem)


OptimizerName = Annotated[str, AfterValidator(_closed("optimizer", _OPTIMIZER_KEYS, {*_OPTIMIZERS, _ADAPTIVE}))]
"""An optimizer class in any case, `adaptive`, or `custom:Name`."""
LossName = Annotated[str, AfterValidator(_loss)]
"""A loss by any of its Keras names, several outputs' losses joined by ` + `, or `custom:name`."""
ActivationName = Annotated[
    str, AfterValidator(_closed("activation", _ACTIVATION_KEYS, {*_ACTIVATIONS, *_ACTIVATION_ALIASES}))
]
"""An activation by any of its Keras names, or `custom:name`."""
InitializerName = Annotated[
    str, AfterValidator(_closed("initializer", _INITIALIZER_KEYS, {*_INITIALIZERS, *_INITIALIZER_ALIASES}))
]
"""An initializer by any of its Keras names, or `custom:name`."""
MetricName = Annotated[str, AfterValidator(_metric)]
"""A metric's name in a history; only a misspelled name of Keras is an error."""
CallbackName = Annotated[str, AfterValidator(_callback)]
"""A callback class; only a misspelled class of Keras is an error."""

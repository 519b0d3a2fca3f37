"""Rubrics may use every name of Keras 3 and Keras 2, and no misspelled one."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from grader.facts.keras_names import (
    ActivationName,
    CallbackName,
    InitializerName,
    LossName,
    MetricName,
    OptimizerName,
    canonical_activation,
    canonical_initializer,
    canonical_loss,
)
from grader.facts.layers import LayerName

_TYPES: dict[str, Any] = {
    "optimizers": OptimizerName,
    "losses": LossName,
    "activations": ActivationName,
    "initializers": InitializerName,
    "metrics": MetricName,
    "callbacks": CallbackName,
    "layers": LayerName,
}
_LIST = """
import json, sys, keras, tf_keras
from keras.src import activations, initializers, losses, metrics, optimizers
names = {part: set() for part in %r}
for library in (keras, tf_keras):
    for part in names:
        names[part] |= {name for name in vars(getattr(library, part)) if not name.startswith("_")}
for module in (activations, initializers, losses, metrics):
    names[module.__name__.rpartition(".")[2]] |= set(module.ALL_OBJECTS_DICT)
json.dump({part: sorted(found) for part, found in names.items()}, sys.stdout)
"""
_NO_CHOICES = {
    *("get", "serialize", "deserialize", "legacy", "schedules", "experimental", "Reduction", "CallbackList", "Input"),
    *("Optimizer", "OptimizerMap", "LossScaleOptimizer", "Loss", "LossFunctionWrapper", "Initializer", "initializer"),
    "InputSpec",
}
"""Functions, modules and abstract bases that are no optimizer, loss and so on."""


def problem(kind: Any, name: str) -> str:
    """Return what is wrong with a name; empty if nothing is."""
    try:
        TypeAdapter(kind).validate_python(name)
    except ValidationError as error:
        return str(error.errors()[0]["msg"])
    return ""


@pytest.mark.parametrize(
    ("kind", "name", "near"),
    [
        (OptimizerName, "Nadm", "Nadam"),
        (OptimizerName, "adaptve", "adaptive"),
        (LossName, "sparse_categorical_crossentrophy", "sparse_categorical_crossentropy"),
        (LossName, "hinge + sparse_categorical_crossentrophy", "sparse_categorical_crossentropy"),
        (ActivationName, "seluu", "selu"),
        (InitializerName, "he_nromal", "he_normal"),
        (MetricName, "val_acuracy", "accuracy"),
        (MetricName, "los", "loss"),
        (CallbackName, "EarlyStoping", "EarlyStopping"),
        (CallbackName, "earlystopping", "EarlyStopping"),
        (LayerName, "LocalyConnected2D", "LocallyConnected2D"),
    ],
)
def test_a_misspelled_name_gets_the_nearest_one_and_the_form_of_a_custom_name(kind: Any, name: str, near: str) -> None:
    message = problem(kind, name)
    assert f"did you mean {near!r}?" in message
    assert "`custom:" in message
    assert not problem(kind, f"custom:{name}")


@pytest.mark.parametrize(
    "name", ["f1", "digit_accuracy", "val_digit_accuracy_1", "top_5_accuracy", "mean_iou", "Accuracy"]
)
def test_a_metric_of_the_students_own_is_no_error(name: str) -> None:
    assert not problem(MetricName, name)


@pytest.mark.parametrize("name", ["OneCycle", "OneCycleScheduler", "Callback"])
def test_a_callback_of_the_students_own_is_no_error(name: str) -> None:
    assert not problem(CallbackName, name)


def test_the_prefix_without_a_name_is_an_error() -> None:
    assert problem(OptimizerName, "custom:")


def test_names_are_compared_without_case_underscores_and_aliases() -> None:
    assert {canonical_loss(name) for name in ("mse", "MSE", "MeanSquaredError", "mean_squared_error")} == {
        "mean_squared_error"
    }
    assert canonical_loss("bce + MAE") == "binary_crossentropy + mean_absolute_error"
    assert canonical_activation("swish") == canonical_activation("silu") == "silu"
    assert canonical_activation("LeakyReLU") == canonical_activation("leakyrelu") == "leaky_relu"
    assert canonical_initializer("HeNormalV2") == "he_normal"
    assert canonical_initializer("OrthogonalInitializer") == "orthogonal"
    assert canonical_initializer("uniform") == canonical_initializer("RandomUniform") == "random_uniform"


def test_unknown_names_keep_their_name() -> None:
    assert canonical_loss("custom:FocalLoss") == canonical_loss("FocalLoss") == "FocalLoss"
    assert canonical_activation("custom:Snake") == "snake"
    assert canonical_initializer("custom:MyInit") == "my_init"


@pytest.mark.slow
def test_every_name_of_the_installed_keras_libraries_is_accepted() -> None:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    listed = subprocess.run(
        [sys.executable, "-c", _LIST % (list(_TYPES),)], capture_output=True, check=True, env=environment, text=True
    )
    refused = {
        (part, name)
        for part, names in json.loads(listed.stdout).items()
        for name in names
        if name not in _NO_CHOICES and (part != "layers" or name[0].isupper()) and problem(_TYPES[part], name)
    }
    assert sorted(refused) == []


@pytest.mark.parametrize(
    ("kind", "name"), [(OptimizerName, "LayerwiseDecay"), (LossName, "focal_tversky"), (ActivationName, "snake")]
)
def test_a_name_that_resembles_none_of_keras_is_one_of_the_course(kind: Any, name: str) -> None:
    assert problem(kind, name) == ""

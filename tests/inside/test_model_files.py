"""Which configurations of models Keras may get to see."""

import json
from typing import Any

import pytest

from grader.inside.model_files import foreign_name


def model(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"module": "keras", "class_name": "Sequential", "config": {"layers": list(layers)}, "registered_name": None}


def layer(
    cls: Any, module: str | None = "keras.layers", registered: str | None = None, **config: Any
) -> dict[str, Any]:
    return {"module": module, "class_name": cls, "config": {"name": "l", **config}, "registered_name": registered}


def function(module: str, name: str) -> dict[str, Any]:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


@pytest.mark.parametrize(
    "strange",
    [
        layer("layers.Lambda", "keras", function=function("keras.ops", "relu")),
        layer("core.lambda_layer.Lambda", "keras.src.layers"),
        layer("layers.TFSMLayer", "keras", filepath="x"),
        layer("TFSMLayer", filepath="x"),
        layer("Foo", None, "keras>Lambda"),
        layer("Dense", None, "keras>Lambda"),
        layer("Dense", "keras.layers", "own>Dense"),
        layer("Lambda "),
        layer(["Lambda"]),
        layer({"Lambda": 1}),
        layer("StringLookup", vocabulary="/etc/passwd"),
        layer("IntegerLookup", vocabulary="/etc/passwd"),
        layer("TextVectorization", vocabulary="/etc/passwd"),
        layer("Activation", activation=function("builtins", "get_file")),
        layer("Activation", activation=function("keras.models", "load_model")),
        layer("Activation", activation=function("keras", "utils.get_file")),
        layer("Activation", activation={"module": "keras", "class_name": "utils.get_file", "config": {}}),
        layer("Activation", activation="get_file"),
        layer("LSTM", recurrent_activation="utils.get_file"),
        layer("Map", "keras.src.ops.core"),
        layer("numpy.Add", "keras.src.ops.numpy"),
        layer("TFOpLambda", "tf_keras.src.layers.core.tf_op_layer", function="io.write_file"),
        layer("TFOpLambda", "tf_keras.src.layers.core.tf_op_layer", function="numpy_function"),
        layer("TFOpLambda", "tf_keras.src.layers.core.tf_op_layer", function=["math.add"]),
        layer("InstanceMethod", "tf_keras.src.layers.core.tf_op_layer", method_name="__class__"),
        layer("ClassMethod", "tf_keras.src.layers.core.tf_op_layer", method_name="x"),
        layer("get", "keras.initializers"),
    ],
    ids=json.dumps,
)
def test_a_name_that_is_not_in_the_lists_is_refused_wherever_it_is(strange: dict[str, Any]) -> None:
    assert foreign_name(model(strange))
    assert foreign_name(model(layer("TimeDistributed", layer=strange)))


@pytest.mark.parametrize(
    "plain",
    [
        layer("Dense", activation="relu", kernel_initializer=layer("HeNormal", "keras.initializers")),
        layer("Dense", activation=function("builtins", "gelu")),
        layer("Functional", "keras.src.models.functional", "Functional", layers=[]),
        layer("Functional", "tf_keras.src.engine.functional", "Functional", layers=[]),
        layer("TFOpLambda", "tf_keras.src.layers.core.tf_op_layer", "TFOpLambda", function="math.multiply"),
        layer("SlicingOpLambda", "tf_keras.src.layers.core.tf_op_layer", function="__operators__.getitem"),
        layer("TrueDivide", "keras.src.ops.numpy", "TrueDivide"),
        layer("Mish", "keras.src.activations.activations", "Mish"),
        layer("Dense", dtype={"module": "keras", "class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}),
        layer("Dense", dtype={"module": "keras.mixed_precision", "class_name": "Policy", "config": {}}),
        {"class_name": "__keras_tensor__", "config": {"shape": [None, 28, 28, 1]}},
    ],
    ids=json.dumps,
)
def test_layers_and_their_parts_are_known(plain: dict[str, Any]) -> None:
    assert foreign_name(model(plain)) is None

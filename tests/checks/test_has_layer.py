"""The check `has_layer`, and the facts about layers that it uses."""

from typing import Any

import pytest
from pydantic import ValidationError

from grader.checks.has_layer import HasLayerParams, has_layer
from grader.facts.language import english
from grader.facts.layers import Network, final_activation
from grader.schema.evidence import LayerFact
from grader.schema.grade import Finding
from grader.schema.message import say
from tests.support.factories import a_case, a_model, activation, an_evidence, conv, dense, dropout, layer, operation
from tests.support.says import ids, says

UNITS = say("{name:raw} {value:number}", name="units", value=9)


def judge(*layers: LayerFact, **params: Any) -> Finding:
    return has_layer(a_case(an_evidence(models=(a_model(*layers),))), HasLayerParams.model_validate(params))


def test_an_existing_layer_passes() -> None:
    assert judge(layer="Conv2D").measured["found"] == 2
    assert judge(layer="Conv2D").status == "passed"


def test_a_missing_layer_fails() -> None:
    finding = judge(dense(10), layer="any_convolution")
    assert finding.status == "failed"
    assert says(finding.message, "{model:code} has no {kind:or} layer.", model="model", kind=[say("convolution")])
    assert says(finding.message, "Required: at least {layers:number}.", layers=1)


def test_the_message_names_the_layers_with_their_settings() -> None:
    finding = judge(dense(9), dense(10), layer="Dense", units={"at_most": 9}, at_most=1)
    message = "{model:code} has {count:number} {kind:or} layer that meets the conditions: {layers}."
    described = say("{layer:code} ({settings:list})", layer="dense", settings=[UNITS])
    assert says(finding.message, message, count=1, kind=[say("{layer:code}", layer="Dense")], layers=[described])
    assert says(finding.message, "Required: exactly {layers:number}.", layers=1)


def test_the_message_names_six_layers_at_most() -> None:
    layers = [dense(9, name=f"d{number}") for number in range(8)]
    message = judge(*layers, layer="Dense", at_least=2, at_most=3).message
    assert ids(message).count("{layer:code} ({settings:list})") == 6
    assert says(message, "{count:number} more", count=2)
    assert says(message, "Required: {low:number} to {high:number}.", low=2, high=3)


def test_a_family_finds_each_of_its_classes() -> None:
    assert judge(layer("SeparableConv2D", parameters=9), layer="any_convolution").status == "passed"


def test_another_name_of_a_class_is_the_class() -> None:
    assert judge(layer="MaxPool2D").status == "passed"


def test_a_misspelt_layer_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValidationError, match="did you mean 'Dropout'"):
        HasLayerParams(layer="Dropuot")


def test_a_custom_class_is_found_by_its_name() -> None:
    own = layer("Dropout", custom="MCDropout", config={"rate": 0.2})
    assert judge(own, layer="custom:MCDropout").status == "passed"
    assert judge(own, layer="Dropout").status == "passed"
    assert judge(dropout(), layer="custom:MCDropout").status == "failed"


def test_a_rate_out_of_bounds_is_reported() -> None:
    finding = judge(dense(9), dropout(0.9), dense(10), layer="Dropout", rate={"at_most": 0.6})
    assert finding.status == "failed"
    fault = say(
        "its {setting:code} is {value:number}, not {range}",
        setting="rate",
        value=0.9,
        range=say("{high:number} or less", high=0.6),
    )
    assert says(finding.message, "{layer} does not count: {faults}.", faults=[fault])
    assert finding.measured["near_misses"] == {"dropout": ["its `rate` is 0.9, not 0.6 or less"]}


def test_dropout_after_the_output_is_not_before_a_dense_layer() -> None:
    finding = judge(dense(9), dense(10, "softmax"), dropout(0.5), layer="any_dropout", before="Dense")
    assert finding.status == "failed"
    assert says(finding.message, "no {kind:or} layer follows it", kind=[say("{layer:code}", layer="Dense")])


def test_both_places_together_mean_between() -> None:
    layers = (conv(), dropout(), dense(10))
    assert judge(*layers, layer="Dropout", after="Conv2D", before="Dense").status == "passed"
    assert judge(*layers, layer="Dropout", after="Dense").status == "failed"


def test_a_layer_can_be_forbidden() -> None:
    assert judge(conv(), dense(10), layer="Dropout", at_least=0, at_most=0).status == "passed"
    finding = judge(conv(), dropout(), dense(10), layer="Dropout", at_least=0, at_most=0)
    assert finding.status == "failed"
    assert says(finding.message, "Required: none.")


def test_too_many_layers_fail() -> None:
    assert judge(layer="Conv2D", at_most=1).status == "failed"


def test_an_impossible_count_is_refused() -> None:
    with pytest.raises(ValidationError, match="below"):
        HasLayerParams(layer="Dense", at_least=3, at_most=2)


def test_the_kernel_is_compared_exactly_or_within_bounds() -> None:
    assert judge(conv(kernel=5), layer="Conv2D", kernel_size=[5, 5]).status == "passed"
    assert judge(conv(kernel=5), layer="Conv2D", kernel_size=[3, 3]).status == "failed"
    assert judge(conv(kernel=5), layer="Conv2D", kernel_size={"at_most": 5}).status == "passed"
    assert judge(conv(kernel=7), layer="Conv2D", kernel_size={"at_most": 5}).status == "failed"


def test_an_activation_layer_after_a_normalization_is_the_activation_of_the_layer() -> None:
    layers = (conv(activation="linear"), layer("BatchNormalization", parameters=4), activation("elu"), dense(10))
    assert judge(*layers, layer="Conv2D", activation="elu").status == "passed"
    assert judge(*layers, layer="Conv2D", activation=["relu", "selu"]).status == "failed"


def test_another_setting_is_compared_for_equality() -> None:
    assert judge(conv(padding="same"), layer="Conv2D", config={"padding": "same"}).status == "passed"
    assert judge(conv(), layer="Conv2D", config={"padding": "same"}).status == "failed"
    assert judge(conv(), layer="Conv2D", config={"strides": [1, 1]}).status == "passed"


def test_layers_of_a_nested_model_count() -> None:
    inner = layer("Sequential", layers=(conv(), dropout()))
    assert judge(inner, dense(10), layer="Conv2D").status == "passed"


def test_filters_and_units_have_bounds() -> None:
    assert judge(conv(512), layer="Conv2D", filters={"at_most": 64}).status == "failed"
    assert judge(dense(512), layer="Dense", units={"at_least": 100, "at_most": 600}).status == "passed"


def test_branches_do_not_follow_each_other() -> None:
    branches = (
        layer("InputLayer", "in"),
        dense(8, name="left").model_copy(update={"inbound": ("in",)}),
        dropout(name="right").model_copy(update={"inbound": ("in",)}),
        layer("Concatenate", "both", inbound=("left", "right")),
    )
    network = Network(a_model(*branches, cls="Functional"))
    assert [x.name for x in network.behind(0)] == ["both"]
    assert [x.name for x in network.before(2)] == ["left", "right"]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ((dense(10, "softmax"),), "softmax"),
        ((dense(10), activation("softmax")), "softmax"),
        ((dense(10), layer("Softmax")), "softmax"),
        ((dense(10, "softmax"), dropout()), "softmax"),
        ((dense(10),), "linear"),
        ((dense(10, None),), "linear"),
        ((dense(10, {"class_name": "function", "config": "softmax_v2"}),), "softmax"),
        ((conv(10, activation="softmax"), layer("GlobalAveragePooling2D")), "softmax"),
        ((dense(10), layer("Lambda")), None),
        ((dense(10), operation("Softmax")), "softmax"),
        ((dense(10), operation("nn.softmax", cls="TFOpLambda")), "softmax"),
        ((dense(10, "softmax"), operation("Squeeze")), "softmax"),
        ((dense(10, "softmax"), operation("Multiply", None, 2.0)), None),
        ((dense(10), operation("TrueDivide", None, 2.0), operation("compat.v1.squeeze", cls="TFOpLambda")), "linear"),
        ((dense(10), operation("Exp"), operation("TrueDivide")), None),
        ((dense(10, "softmax"), operation("math.multiply", cls="TFOpLambda")), None),
        ((dense(10), operation("Softmax").model_copy(update={"custom": "Softmax"})), None),
    ],
)
def test_the_activation_after_the_output_is_found(layers: tuple[LayerFact, ...], expected: str | None) -> None:
    assert final_activation(a_model(*layers)) == expected


def test_an_operation_is_never_a_layer() -> None:
    layers = (operation("ReLU"), operation("nn.relu", cls="TFOpLambda"), dense(10))
    for kind in ("ReLU", "custom:Operation", "custom:TFOpLambda"):
        assert judge(*layers, layer=kind).status == "failed"
        assert judge(*layers, layer=kind, at_least=0, at_most=0).status == "passed"


@pytest.mark.parametrize("cls", ["MaxPooling2D", "AveragePooling2D", "Dropout", "SpatialDropout2D", "ZeroPadding2D"])
def test_an_activation_layer_after_pooling_or_dropout_is_the_activation_of_the_layer(cls: str) -> None:
    layers = (conv(activation="linear"), layer("BatchNormalization"), layer(cls), layer("ReLU"), dense(10))
    assert judge(*layers, layer="Conv2D", activation="relu").status == "passed"
    assert judge(*layers, layer="Conv2D", activation="tanh").status == "failed"
    other = (conv(activation="linear"), layer(cls), layer("Add"), layer("ReLU"), dense(10))
    assert judge(*other, layer="Conv2D", activation="relu").status == "failed"


def test_an_operation_after_a_layer_is_its_activation() -> None:
    assert judge(conv(activation="linear"), operation("Relu"), layer="Conv2D", activation="relu").status == "passed"
    assert judge(conv(activation="linear"), operation("Exp"), layer="Conv2D", activation="relu").status == "failed"


def test_a_subclassed_model_may_apply_its_activation_in_call() -> None:
    assert final_activation(a_model(dense(10), cls="MyModel")) is None
    assert final_activation(a_model(dense(10, "softmax"), cls="MyModel")) == "softmax"


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({"kernel_initializer": "he_normal"}, "HeNormal"),
        ({"kernel_initializer": {"class_name": "HeNormal", "config": {}}}, "he_normal"),
        (
            {
                "kernel_initializer": {
                    "class_name": "VarianceScaling",
                    "config": {"scale": 2.0, "mode": "fan_in", "distribution": "uniform"},
                }
            },
            "he_uniform",
        ),
    ],
)
def test_an_initializer_has_one_name(config: dict[str, Any], name: str) -> None:
    layers = (dense(9, "elu", **config), dense(10, "softmax"))
    assert judge(*layers, layer="Dense", units={"at_most": 9}, initialiser=name).status == "passed"
    finding = judge(*layers, layer="Dense", units={"at_most": 9}, initialiser="lecun_normal")
    message = "its kernel_initializer is {initializer:code}, not {required:code or}"
    assert says(finding.message, message, required=["lecun_normal"])


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "none"),
        ({"class_name": "L2", "config": {"l2": 0.01}}, "l2"),
        ({"class_name": "L2", "config": {"l2": 0.0}}, "none"),
        ({"class_name": "L1L2", "config": {"l1": 0.1, "l2": 0.01}}, "l1_l2"),
        ("l1", "l1"),
    ],
)
def test_a_regularizer_is_recognized(value: Any, kind: str) -> None:
    layers = (dense(9, kernel_regularizer=value), dense(10, "softmax", kernel_regularizer={"class_name": "Own"}))
    assert judge(*layers, layer="Dense", units={"at_most": 9}, regulariser=kind).status == "passed"
    status = judge(*layers, layer="Dense", units={"at_most": 9}, regulariser="any").status
    assert status == ("failed" if kind == "none" else "passed")


def test_a_penalty_with_the_factor_zero_does_not_count() -> None:
    layers = (dense(9, kernel_regularizer={"class_name": "L2", "config": {"l2": 0}}), dense(10, "softmax"))
    finding = judge(*layers, layer="Dense", units={"at_most": 9}, regulariser="any")
    fault = "it has {regularizer}, but {required} is required"
    regularizer = say("a kernel_regularizer with the factor 0")
    assert says(finding.message, fault, regularizer=regularizer, required=say("a kernel_regularizer"))


def a_block(*layers: LayerFact) -> LayerFact:
    """A composite layer of the student's, whose `call` applies the layers."""
    return layer("Layer", "block", custom="Block", layers=layers)


def judge_written(*layers: LayerFact, **params: Any) -> Finding:
    """Judge a model whose class is the student's, so that its `call` applies the layers."""
    written = a_model(*layers, cls="Net")
    return has_layer(a_case(an_evidence(models=(written,))), HasLayerParams.model_validate(params))


BEHIND_CALL = "the grader could not see whether a {kind:or} layer follows it in `call`"


def test_an_activation_that_a_call_may_apply_waits_for_a_person() -> None:
    linear = conv(activation="linear")
    norm = layer("BatchNormalization", parameters=32)
    for finding in (
        judge_written(linear, norm, dense(10), layer="Conv2D", activation="relu"),
        judge(a_block(linear, norm), dense(10), layer="Conv2D", activation="relu"),
        judge(linear, a_block(norm, dense(9)), dense(10), layer="Conv2D", activation="relu"),
        judge(linear, layer("Lambda"), dense(10), layer="Conv2D", activation="relu"),
        judge(linear, layer("Layer", custom="Swish"), dense(10), layer="Conv2D", activation="relu"),
        judge(conv(activation="my_relu"), dense(10), layer="Conv2D", activation="relu"),
    ):
        assert finding.status == "pending"
        assert "A person must judge it" in english(finding.message)


def test_an_activation_that_a_layer_has_itself_is_known_in_a_call_too() -> None:
    assert judge_written(conv(activation="relu"), dense(10), layer="Conv2D", activation="relu").status == "passed"
    assert judge_written(conv(activation="tanh"), dense(10), layer="Conv2D", activation="relu").status == "failed"
    assert judge(a_block(dense(9)), conv(activation="linear"), layer="Conv2D", activation="relu").status == "failed"


def test_layers_that_a_call_applies_are_in_an_unknown_order() -> None:
    layers = (layer("Flatten"), conv(), dense(10))
    finding = judge_written(*layers, layer="Conv2D", before="Flatten")
    assert finding.status == "pending"
    assert says(finding.message, BEHIND_CALL)
    assert judge(*layers, layer="Conv2D", before="Flatten").status == "failed"
    assert judge_written(*layers, layer="Conv2D", before="Dense").status == "passed"


def test_a_model_of_the_students_class_with_a_known_graph_is_judged() -> None:
    layers = (conv(activation="linear"), layer("Flatten", inbound=("conv2d",)), dense(10, inbound=("flatten",)))
    assert judge_written(*layers, layer="Conv2D", activation="relu").status == "failed"


def test_unknown_layers_decide_only_where_the_number_can_change() -> None:
    linear = conv(activation="linear")
    assert judge_written(conv(), linear, layer="Conv2D", activation="relu", at_least=1).status == "passed"
    assert judge_written(conv(), linear, layer="Conv2D", activation="relu", at_most=1).status == "pending"
    assert judge_written(linear, layer="Conv2D", activation="relu", at_least=2).status == "failed"


def test_an_initializer_of_the_students_own_waits_for_a_person() -> None:
    own = dense(10, kernel_initializer=None)
    assert judge(own, layer="Dense", initialiser="he_normal").status == "pending"


def test_both_names_of_an_activation_are_the_same() -> None:
    assert judge(conv(activation="silu"), layer="Conv2D", activation="swish").status == "passed"


def test_the_last_activation_of_a_block_of_the_students_is_unknown() -> None:
    assert final_activation(a_model(conv(), a_block(dense(10)))) is None
    assert final_activation(a_model(conv(), a_block(dense(10, "softmax")))) == "softmax"
    assert final_activation(a_model(dense(10), dense(9, "relu"), cls="Net")) is None


def own_layer(parameters: int = 0) -> LayerFact:
    return layer("Layer", "own", custom="Own", parameters=parameters)


def test_a_layer_class_of_the_students_may_be_any_layer_that_has_weights_as_it_has() -> None:
    fault = "the grader could not see what the notebook's own code in it does"
    finding = judge(conv(), own_layer(), dense(10), layer="any_dropout", rate={"at_least": 0.1}, before="Dense")
    assert finding.status == "pending"
    assert says(finding.message, fault)
    assert judge(own_layer(9), dense(10), layer="any_convolution").status == "pending"
    assert judge(own_layer(9), dense(10), layer="any_dropout").status == "failed"
    assert judge(own_layer(), dense(10), layer="any_convolution").status == "failed"
    assert judge(own_layer(), dense(10), layer="custom:Other").status == "failed"
    assert judge(conv(), dense(10), own_layer(), layer="any_dropout", before="Dense").status == "failed"
    assert judge(dropout(), own_layer(9), layer="Dropout", before="Dense").status == "pending"
    assert judge(conv(), own_layer(), layer="Conv2D").status == "passed"

"""The check `dropout`."""

from typing import Any

import pytest

from grader.schema.evidence import LayerFact
from tests.support.factories import a_cell, a_model, an_evidence, dense, dropout, layer, operation
from tests.support.judging import judge, net
from tests.support.says import ids, says

ALPHA = layer("AlphaDropout", config={"rate": 0.1})


SELU = dense(100, "selu", name="hidden", kernel_initializer={"class_name": "LecunNormal", "config": {}})


OUT = dense(10, "softmax", name="out")


def test_alpha_dropout_behind_selu_passes() -> None:
    assert judge("dropout", net(SELU, ALPHA, OUT), kind="alpha", rate={"at_most": 0.5}).status == "passed"


def test_dropout_behind_an_unknown_operation_follows_no_known_activation() -> None:
    assert judge("dropout", net(dense(9), operation("Exp"), ALPHA, OUT), kind="alpha").status == "passed"
    assert judge("dropout", net(dense(9), operation("Selu"), dropout(), OUT)).status == "failed"


@pytest.mark.parametrize(
    ("layers", "params", "fault"),
    [
        ((SELU, dropout(), OUT), {}, "it follows SELU, which needs alpha dropout"),
        ((dense(9, "relu"), ALPHA, OUT), {}, "it follows {activation:code}, but alpha dropout belongs to SELU"),
        ((dense(9, "relu"), dropout(), OUT), {"kind": "alpha"}, "it is not alpha dropout"),
        ((SELU, ALPHA, OUT), {"kind": "plain"}, "it is alpha dropout"),
        ((dense(9, "relu"), dropout(0.9), OUT), {"rate": {"at_most": 0.5}}, "its rate is not {range}"),
        ((dense(9, "relu"), OUT, dropout()), {"suits_activation": False}, "no layer with weights follows it"),
    ],
)
def test_dropout_of_the_wrong_kind_or_place_fails(
    layers: tuple[LayerFact, ...], params: dict[str, Any], fault: str
) -> None:
    finding = judge("dropout", net(*layers), **params)
    assert finding.status == "failed"
    assert fault in ids(finding.message)


def test_a_model_without_dropout_fails() -> None:
    finding = judge("dropout", net(dense(9, "relu"), OUT))
    assert finding.status == "failed"
    assert says(
        finding.message,
        "{model:code} has no dropout layer that meets the conditions; {count:number} is required.",
        count=1,
    )


@pytest.mark.parametrize(
    ("cls", "source", "status"),
    [
        ("Net", "h = tf.nn.dropout(h, 0.3)", "pending"),
        ("Net", "h = tf.nn.experimental.stateless_dropout(h, 0.3, seed=s)", "pending"),
        ("Net", "h = keras.ops.nn.relu(h)", "failed"),
        ("Net", "h = self.dropout(h)", "failed"),
        ("Sequential", "h = tf.nn.dropout(h, 0.3)", "failed"),
    ],
)
def test_a_function_for_dropout_in_a_call_is_left_to_a_person(cls: str, source: str, status: str) -> None:
    models = (a_model(dense(9, "relu"), OUT, cls=cls),)
    evidence = an_evidence(models=models, cells=(a_cell(0, source),))
    assert judge("dropout", evidence).status == status


def test_the_message_names_each_layer_with_its_rate() -> None:
    finding = judge("dropout", net(dense(9, "relu"), dropout(0.4, name="drop"), OUT))
    assert says(finding.message, "{layer:code} (rate {rate:number})", layer="drop", rate=0.4)


@pytest.mark.parametrize(
    "layers",
    [
        (dense(9, "relu"), OUT, dropout()),
        (dropout(), dense(9, "relu"), OUT),
        (SELU, dropout(), OUT),
        (dense(9), ALPHA, OUT),
    ],
)
def test_the_order_of_layers_in_a_call_of_the_students_is_left_to_a_person(layers: tuple[LayerFact, ...]) -> None:
    evidence = an_evidence(models=(a_model(*layers, cls="Net"),))
    finding = judge("dropout", evidence)
    assert finding.status == "pending"
    assert "{layer} may count: {faults}." in ids(finding.message)
    assert judge("dropout", evidence, at_least=2).status == "failed"
    assert judge("dropout", evidence, rate={"at_least": 0.9}).status == "failed"


def test_dropout_between_layers_in_a_call_of_the_students_passes() -> None:
    evidence = an_evidence(models=(a_model(dense(9, "relu"), dropout(), OUT, cls="Net"),))
    assert judge("dropout", evidence).status == "passed"


@pytest.mark.parametrize("code", [layer("Lambda"), layer("Layer", custom="Selu")])
def test_alpha_dropout_behind_a_function_of_the_students_is_left_to_a_person(code: LayerFact) -> None:
    finding = judge("dropout", net(dense(9), code, ALPHA, OUT), kind="alpha")
    assert finding.status == "pending"
    assert "the grader could not see which activation comes before it" in ids(finding.message)
    assert judge("dropout", net(dense(9), code, dropout(), OUT)).status == "passed"


def test_a_layer_class_of_the_students_may_be_dropout() -> None:
    own = layer("Layer", "own", custom="MyDropout", config={"rate": 0.3})
    for code in (own, layer("Lambda")):
        finding = judge("dropout", net(dense(9, "relu"), code, OUT), rate={"at_most": 0.5})
        assert finding.status == "pending"
        assert says(finding.message, "the grader could not see what the notebook's own code in it does")
    assert judge("dropout", net(dense(9, "relu"), OUT, own)).status == "failed"
    assert judge("dropout", net(dense(9, "relu"), own, dropout(), OUT)).status == "passed"

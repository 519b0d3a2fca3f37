"""The check `dropout`."""

from typing import Any

import pytest

from grader.schema.evidence import LayerFact
from tests.support.factories import dense, dropout, layer, operation
from tests.support.judging import judge, net

ALPHA = layer("AlphaDropout", config={"rate": 0.1})


SELU = dense(100, "selu", name="hidden", kernel_initializer={"class_name": "LecunNormal", "config": {}})


OUT = dense(10, "softmax", name="out")


def test_alpha_dropout_behind_selu_passes() -> None:
    assert judge("dropout", net(SELU, ALPHA, OUT), kind="alpha", rate={"at_most": 0.5}).status == "passed"


def test_dropout_behind_an_unknown_operation_follows_no_known_activation() -> None:
    assert judge("dropout", net(dense(9), operation("Exp"), ALPHA, OUT), kind="alpha").status == "passed"
    assert judge("dropout", net(dense(9), operation("Selu"), dropout(), OUT)).status == "failed"


@pytest.mark.parametrize(
    ("layers", "params", "said"),
    [
        ((SELU, dropout(), OUT), {}, "needs alpha dropout"),
        ((dense(9, "relu"), ALPHA, OUT), {}, "to which it does not belong"),
        ((dense(9, "relu"), dropout(), OUT), {"kind": "alpha"}, "is not alpha dropout"),
        ((dense(9, "relu"), dropout(0.9), OUT), {"rate": {"at_most": 0.5}}, "rate that is not 0.5 or less"),
        ((dense(9, "relu"), OUT, dropout()), {"suits_activation": False}, "behind the last trained layer"),
        ((dense(9, "relu"), OUT), {}, "has 0 dropout layers"),
    ],
)
def test_dropout_of_the_wrong_kind_or_place_fails(
    layers: tuple[LayerFact, ...], params: dict[str, Any], said: str
) -> None:
    finding = judge("dropout", net(*layers), **params)
    assert finding.status == "failed"
    assert said in finding.message

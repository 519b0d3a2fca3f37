"""The check `batch_norm`."""

import pytest

from grader.schema.evidence import LayerFact
from tests.support.factories import activation, dense, layer, operation
from tests.support.judging import judge, net

NORM = layer("BatchNormalization", parameters=400)


OUT = dense(10, "softmax", name="out")


@pytest.mark.parametrize(
    ("layers", "place"),
    [
        ((dense(9), NORM, activation("elu"), OUT), "before_activation"),
        ((dense(9, "elu"), NORM, OUT), "after_activation"),
        ((dense(9), activation("elu"), NORM, OUT), "after_activation"),
        ((dense(9), NORM, operation("Elu"), OUT), "before_activation"),
        ((NORM, dense(9, "elu"), OUT), "input"),
        ((dense(9), NORM, OUT), "linear"),
    ],
)
def test_the_place_of_batch_normalisation_is_told(layers: tuple[LayerFact, ...], place: str) -> None:
    assert judge("batch_norm", net(*layers), place=place).status == "passed"
    others = {"before_activation", "after_activation", "input", "linear"} - {place}
    assert judge("batch_norm", net(*layers), place=sorted(others)).status == "failed"


def test_too_few_normalisations_fail() -> None:
    finding = judge("batch_norm", net(dense(9), NORM, activation("elu"), OUT), at_least=2)
    assert finding.status == "failed"
    assert "1 batch normalisation: 1 before an activation (at least 2 wanted)" in finding.message

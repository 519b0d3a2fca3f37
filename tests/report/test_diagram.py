"""A model as a drawing of its layers."""

import re

from grader.report.diagram import MOST_DRAWN, diagram
from tests.support.factories import activation, conv, dense, layer


def test_each_layer_is_a_box_with_its_shape_and_parameters() -> None:
    drawn = diagram("m1", "net", (conv(8), activation("relu"), dense(10)))
    assert drawn.count("<rect") == 3
    assert re.findall(r'class="block-kind">(\w+)', drawn) == ["Conv2D", "Activation", "Dense"]
    assert drawn.count(" parameters</text>") == 2
    assert 'class="block conv"' in drawn
    assert "Conv2D: output" in drawn


def test_a_frozen_layer_looks_different() -> None:
    frozen = diagram("m1", "net", (dense(10).model_copy(update={"trainable": False}),))
    assert "frozen-box" in frozen
    assert "frozen-box" not in diagram("m1", "net", (dense(10),))


def test_of_a_deep_model_further_layers_are_counted() -> None:
    drawn = diagram("m1", "net", tuple(layer("Dropout", f"d{i}") for i in range(MOST_DRAWN + 3)))
    assert drawn.count("<rect") == MOST_DRAWN
    assert "3 more layers" in drawn


def test_a_model_without_known_layers_has_no_drawing() -> None:
    assert diagram("m1", "net", ()) == ""

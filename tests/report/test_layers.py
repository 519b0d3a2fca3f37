"""Layers in words."""

from grader.report.layers import layer_view
from grader.schema.evidence import LayerFact


def _layer(cls: str, **more: object) -> LayerFact:
    return LayerFact.model_validate({"name": cls, "cls": cls, "parameters": 0, "trainable": True} | more)


def test_settings_are_told_in_a_few_words() -> None:
    config = {
        "filters": 8,
        "kernel_size": [3, 3],
        "strides": [2, 2],
        "padding": "same",
        "activation": {"config": "relu"},
    }
    assert (
        layer_view(_layer("Conv2D", config=config)).detail
        == "8 filters, 3 \u00d7 3, strides 2 \u00d7 2, same padding, relu"
    )


def test_a_frozen_layer_says_so_only_where_it_has_weights() -> None:
    assert layer_view(_layer("Dense", parameters=5, trainable=False)).frozen
    assert not layer_view(_layer("Flatten", trainable=False)).frozen


def test_a_layer_of_the_student_s_own_has_its_own_name() -> None:
    assert layer_view(_layer("Dropout", custom="MCDropout")).kind == "MCDropout"

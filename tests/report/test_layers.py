"""Two networks side by side."""

from hypothesis import given, settings
from hypothesis import strategies as st

from grader.report.layers import aligned, layer_view
from grader.schema.evidence import LayerFact
from tests.report import samples


def _layer(cls: str, **more: object) -> LayerFact:
    return LayerFact.model_validate({"name": cls, "cls": cls, "parameters": 0, "trainable": True} | more)


def test_layers_of_equal_settings_stand_on_one_line() -> None:
    pairs = aligned(samples.layers(small=True), samples.layers())
    kinds = [(p.student.kind if p.student else None, p.reference.kind if p.reference else None) for p in pairs]
    assert kinds[0] == ("Conv2D", "Conv2D")
    assert kinds[2] == (None, "Conv2D")
    assert kinds[-1] == ("Dense", "Dense")
    assert pairs[0].same
    assert not pairs[-1].same or pairs[-1].student == pairs[-1].reference


def test_what_one_network_has_instead_of_the_other_stands_beside_it() -> None:
    pairs = aligned([_layer("Flatten"), _layer("Dense")], [_layer("GlobalAveragePooling2D"), _layer("Dense")])
    assert [(p.student and p.student.kind, p.reference and p.reference.kind) for p in pairs] == [
        ("Flatten", "GlobalAveragePooling2D"),
        ("Dense", "Dense"),
    ]


@settings(deadline=None)
@given(st.lists(st.sampled_from("ABC"), max_size=8), st.lists(st.sampled_from("ABC"), max_size=8))
def test_every_layer_stands_on_exactly_one_line_in_its_order(ours: list[str], theirs: list[str]) -> None:
    pairs = aligned([_layer(name) for name in ours], [_layer(name) for name in theirs])
    assert [p.student.kind for p in pairs if p.student] == ours
    assert [p.reference.kind for p in pairs if p.reference] == theirs


def test_an_input_layer_is_left_out() -> None:
    assert [p.student.kind for p in aligned([_layer("InputLayer"), _layer("Dense")], []) if p.student] == ["Dense"]


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

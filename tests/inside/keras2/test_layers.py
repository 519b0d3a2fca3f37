"""Arguments of layers in the forms of Keras 1, without TensorFlow."""

from typing import Any

import pytest

from grader.inside.keras2.layers import LAYERS, kernel_of_positions


def test_keywords_of_keras_1_become_those_of_keras_2() -> None:
    conv = LAYERS["Conv2D"]
    assert conv.translate({"nb_filter": 3, "nb_row": 3, "nb_col": 5, "activation": "relu"}) == {
        "filters": 3,
        "kernel_size": (3, 5),
        "activation": "relu",
    }
    assert conv.translate({"dim_ordering": "th"}) == {"data_format": "channels_first"}
    assert conv.translate({"filters": 3}) is None


def test_an_old_keyword_beside_its_new_name_is_left_for_keras_to_refuse() -> None:
    assert LAYERS["Dense"].translate({"units": 3, "output_dim": 3}) is None


@pytest.mark.parametrize(
    ("args", "read"),
    [((8, 3, 3), (8, (3, 3))), ((8, 3), None), ((8, (3, 3), 2), None), ((8, 3, 3, "same"), None), ((8, 3, True), None)],
)
def test_only_two_whole_numbers_after_the_filters_are_a_kernel(args: tuple[Any, ...], read: object) -> None:
    assert kernel_of_positions(args) == read

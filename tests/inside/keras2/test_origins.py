"""The package that a layer comes from, read from a cell's imports."""

import ast

import pytest

from grader.inside.keras2.origins import Origins


def _origins(code: str) -> Origins:
    origins = Origins()
    origins.visit(ast.parse(code))
    return origins


@pytest.mark.parametrize(
    ("code", "standalone"),
    [
        ("from keras.layers import Conv2D", True),
        ("import keras", True),
        ("from tensorflow.keras.layers import Conv2D\nimport keras", False),
        ("import keras\nfrom tensorflow.keras.layers import Dense", True),
        ("from tensorflow import keras", False),
        ("import tensorflow as tf\ntf.keras.layers.Conv2D", False),
        ("from keras.datasets import mnist\nimport tensorflow as tf\ntf.keras.layers", False),
        ("x = 1", False),
    ],
)
def test_the_origin_of_a_layer_is_read_from_the_imports(code: str, *, standalone: bool) -> None:
    assert _origins(code).standalone("Conv2D", "Convolution2D") is standalone

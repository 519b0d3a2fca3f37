"""OpenML's names and forms of the data sets of Keras."""

import numpy as np
import pytest

from grader.inside.data.openml import flat_images, wanted


@pytest.mark.parametrize(
    ("name", "number", "expected"),
    [
        ("mnist_784", None, ("mnist_784", "mnist")),
        (None, 554, ("mnist_784", "mnist")),
        ("Fashion-MNIST", None, ("Fashion-MNIST", "fashion_mnist")),
        ("iris", None, ("iris", "iris")),
        (None, 61, ("OpenML 61", "OpenML 61")),
    ],
)
def test_openml_names_and_numbers_lead_to_keras_names(
    name: str | None, number: int | None, expected: tuple[str, str]
) -> None:
    assert wanted(name, number) == expected


def test_openml_stores_colours_one_after_the_other() -> None:
    image = np.zeros((1, 2, 2, 3), np.uint8)
    image[..., 1] = 7
    assert flat_images(image).tolist() == [[0, 0, 0, 0, 7, 7, 7, 7, 0, 0, 0, 0]]

"""A gradient of a picture is distinguished from a gradient of weights by its sources."""

from types import SimpleNamespace

import numpy as np
import pytest

from grader.inside.watch.loop_data import may_be_weights

WEIGHTS = [np.zeros((3, 3, 1, 8)), np.zeros(8)]
VARIABLE = SimpleNamespace(assign=None, shape=(4, 28, 28, 1))


@pytest.mark.parametrize(
    ("sources", "weights"),
    [
        ([np.zeros((4, 28, 28, 1))], False),
        ([VARIABLE], True),
        ([np.zeros((4, 28, 28, 1)), VARIABLE], True),
        ([np.zeros(5)], True),
        ([np.zeros((3, 3, 1, 8))], True),
        ([], False),
    ],
    ids=["images", "variable", "images and variable", "vector", "copy of a weight", "nothing"],
)
def test_the_sources_of_a_gradient_show_whether_it_may_be_one_of_weights(
    sources: list[object], *, weights: bool
) -> None:
    assert may_be_weights(sources, WEIGHTS) is weights

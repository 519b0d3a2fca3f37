"""Passes over one input: counted and compared."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from grader.inside.watch.passes import Pass, Passes, signature


class Weight:
    """A variable that can be held weakly, as Keras's are."""

    def __init__(self) -> None:
        self.value = np.zeros(3)

    def __array__(self, *args: Any, **keys: Any) -> Any:
        return np.array(self.value, *args, **keys)


def a_net() -> Any:
    weight = Weight()
    return SimpleNamespace(trainable_weights=[weight], weights=[weight])


def test_passes_over_one_input_are_counted_and_compared() -> None:
    passes, x = Passes(a_net()), np.ones((5, 4))
    made = [passes.add(x, np.full((5, 2), value)) for value in (1.0, 1.0, 2.0)]
    assert made == [Pass(1), Pass(2, differs=False), Pass(3, differs=True)]
    assert (passes.repeats, passes.differ) == (3, True)


def test_passes_between_which_the_weights_changed_do_not_belong_together() -> None:
    net, x = a_net(), np.ones((5, 4))
    passes = Passes(net)
    for step in range(3):
        assert passes.add(x, np.full((5, 2), step)) == Pass(1)
        net.weights[0].value = net.weights[0].value + 1
    assert passes.differ is None


def test_an_output_that_is_changed_afterwards_is_compared_as_it_was() -> None:
    passes, x, out = Passes(a_net()), np.ones((5, 4)), np.ones((5, 2))
    passes.add(x, out)
    out += 1
    assert passes.add(x, np.ones((5, 2))).differs is False


def test_chunks_are_inputs_of_their_own() -> None:
    passes, x = Passes(a_net()), np.arange(40.0).reshape(10, 4)
    for _ in range(3):
        for start in (0, 5):
            passes.add(x[start : start + 5], np.ones((5, 2)))
    assert passes.repeats == 3


@pytest.mark.parametrize("wrapped", [lambda x: [x], lambda x: (x,), lambda x: [[x]]])
def test_an_input_alone_in_a_list_is_the_same_input(wrapped: Callable[[Any], Any]) -> None:
    passes, x = Passes(a_net()), np.ones((5, 4))
    assert passes.add(wrapped(x), np.ones((5, 2))) == Pass(1)
    assert passes.add(wrapped(x.copy()), np.zeros((5, 2))) == Pass(2, differs=True)
    assert passes.add(x, np.ones((5, 2))) == Pass(3, differs=False)
    assert passes.add(wrapped(x + 1), np.ones((5, 2))) == Pass(1)


@pytest.mark.parametrize(
    "x", [[1, 2], [1], [], [np.ones(3), np.ones(3)], [object()], None, "text", np.array([object()])]
)
def test_inputs_that_cannot_be_told_apart_are_not_counted(x: Any) -> None:
    assert Passes(a_net()).add(x, np.ones(2)) == Pass()


@given(arrays(np.float32, array_shapes(max_dims=3, max_side=30), elements=st.floats(-1, 1, width=32)))
def test_a_copy_has_the_same_signature_and_a_changed_small_array_another(x: Any) -> None:
    assert signature(x) == signature(x.copy())
    if x.size <= 512:
        changed = x.copy()
        changed.flat[x.size // 2] += 3
        assert signature(x) != signature(changed)


@pytest.mark.parametrize("number", [1, 4])
def test_copies_of_images_in_one_call_are_as_many_passes(number: int) -> None:
    images = np.arange(1.0, 1 + 4 * number).reshape(number, 2, 2)
    for copies in (np.tile(images, (6, 1, 1)), np.repeat(images, 6, axis=0)):
        passes = Passes(a_net())
        assert passes.add(copies, np.random.default_rng(7).random((6 * number, 3))) == Pass(6, differs=True)
        (held,) = passes.repeated
        assert (held.count, held.shape) == (6, (number, 3))


def test_equal_outputs_of_copies_and_other_equal_rows_are_no_passes() -> None:
    passes = Passes(a_net())
    assert passes.add(np.zeros((6, 4)), np.ones((6, 3))) == Pass(1)
    some_equal = np.array([[1.0, 2], [3, 4], [1, 2], [5, 6]])
    assert passes.add(some_equal, np.random.default_rng(7).random((4, 3))) == Pass(1)


def test_the_first_of_several_outputs_is_compared() -> None:
    passes, x = Passes(a_net()), np.ones((5, 4))
    passes.add(x, [np.ones((5, 2)), np.ones(5)])
    assert passes.add(x, {"digit": np.zeros((5, 2)), "parity": np.ones(5)}) == Pass(2, differs=True)

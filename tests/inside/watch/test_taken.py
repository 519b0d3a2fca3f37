"""Images under a tape count for a training once the weights change by its gradients, and only then."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.inside.watch.seen_images import SeenImages
from grader.inside.watch.taken import TakenGradients


class Tape:
    """Stands for a `GradientTape`."""


class Gradient(np.ndarray[Any, Any]):
    """Numbers that can be referenced weakly and have no `assign`."""


class Model:
    """A model with one weight."""

    def __init__(self) -> None:
        self.numbers = np.zeros((4, 4))
        self.weights = [SimpleNamespace(name="kernel", _numpy=lambda: self.numbers)]

    def change(self) -> None:
        self.numbers = self.numbers + 1.0


def gradient(*values: float) -> Gradient:
    return np.array(values).view(Gradient)


def used(seen: list[SeenImages]) -> set[int]:
    return {image for each in seen for image in each.seen}


def take(taken: TakenGradients, model: Model, image: int, *gradients: Gradient) -> list[Gradient]:
    taken.add(model, Tape(), SeenImages(seen={image}), list(gradients))
    return list(gradients)


@pytest.fixture
def taken() -> TakenGradients:
    return TakenGradients(np.random.default_rng(0))


def test_only_the_gradients_of_a_step_count(taken: TakenGradients) -> None:
    model = Model()
    test, train = (take(taken, model, image, gradient(image, 2.0)) for image in (1, 2))
    assert used(taken.of_step(model, train)) == {2}
    assert used(taken.of_step(model, test)) == {1}
    assert used(taken.of_step(model, [])) == set()


@given(scale=st.floats(1e-6, 1e6), values=st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=5))
def test_scaled_and_clipped_gradients_are_still_the_last_ones(scale: float, values: list[float]) -> None:
    for changed in (np.array(values) * scale, np.clip(np.array(values), -1.0, 1.0)):
        taken, model = TakenGradients(np.random.default_rng(0)), Model()
        take(taken, model, 1, gradient(*values[::-1]))
        take(taken, model, 2, gradient(*values))
        assert used(taken.of_step(model, [changed])) == {2}


def test_all_gradients_count_for_a_step_with_other_numbers(taken: TakenGradients) -> None:
    model = Model()
    (test,), (train,) = (take(taken, model, image, gradient(image, 2.0)) for image in (1, 2))
    assert used(taken.of_step(model, [train + 1e-3 * test * [0, 1]])) == {1, 2}
    assert used(taken.of_step(model, [train + test])) == {2}, "at least the last ones"


def test_old_gradients_are_not_forgotten(taken: TakenGradients) -> None:
    model = Model()
    for image in range(20):
        take(taken, model, image, gradient(image, 1.0))
    assert used(taken.of_step(model, [gradient(5.0, 5.0)])) == set(range(20))


def test_a_change_by_hand_counts_but_not_one_by_keras(taken: TakenGradients) -> None:
    model = Model()
    take(taken, model, 1, gradient(1.0))
    assert used(taken.of_change(model)) == set()
    model.change()
    taken.look_again(model)
    assert used(taken.of_change(model)) == set()
    model.change()
    assert used(taken.of_change(model)) == {1}
    assert taken.waiting() == []

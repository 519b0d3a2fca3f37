"""Counts of samples and generators in old forms of `fit`."""

import numpy as np

from grader.inside.keras2.models import peek, steps


def test_samples_are_counted_in_batches_rounded_up() -> None:
    assert [steps(60, 16), steps(64, 16), steps(3, 16)] == [4, 4, 1]


def test_looking_at_a_generator_takes_nothing_from_it() -> None:
    size, rest = peek(iter([(np.zeros((2, 5)), [0, 1]), (np.zeros((1, 5)), [1])]))
    assert size == 2
    assert [len(x) for x, _ in rest] == [2, 1]

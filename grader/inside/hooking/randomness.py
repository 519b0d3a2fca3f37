"""The student's random numbers, left as they were."""

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

__all__ = ["untouched_randomness"]


@contextmanager
def untouched_randomness() -> Iterator[None]:
    """Put every global source of random numbers back to where it stood: Python's, NumPy's, TensorFlow's and Keras 2's.

    What is done inside may draw (tracing a model's `call` does); the student's next draw is the same as without it.
    """
    restores = [_python(random), _numpy(), *_tensorflow()]
    try:
        yield
    finally:
        for restore in restores:
            with suppress(Exception):
                restore()


def _python(source: Any) -> Callable[[], None]:
    state = source.getstate()
    return lambda: source.setstate(state)


def _numpy() -> Callable[[], None]:
    # The global generator is the one a student's code draws from; reading its state draws nothing.
    state = np.random.get_state()  # noqa: NPY002 - the legacy global state is what is to be left alone
    return lambda: np.random.set_state(state)  # noqa: NPY002 - the same


def _tensorflow() -> list[Callable[[], None]]:
    """Python generators inside TensorFlow: operation seeds in eager mode, and the seeds Keras 2 gives to layers."""
    found = []
    with suppress(Exception):
        context = sys.modules["tensorflow.python.eager.context"].context()
        found.append(_python(context._rng))
    with suppress(Exception):
        found.append(_python(sys.modules["tf_keras.src.backend"]._SEED_GENERATOR.generator))
    return found

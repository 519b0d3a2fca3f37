"""Protects the student's random numbers from the recorder."""

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

__all__ = ["untouched_randomness"]


@contextmanager
def untouched_randomness() -> Iterator[None]:
    """Restore the state of all global random generators: Python's, NumPy's, TensorFlow's and Keras 2's.

    The block may draw random numbers, as the tracing of a model's `call` does; the student's next draw does not change.
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
    # Student code draws from the global generator; reading its state does not draw.
    state = np.random.get_state()  # noqa: NPY002 - the legacy global state must be preserved
    return lambda: np.random.set_state(state)  # noqa: NPY002 - the same


def _tensorflow() -> list[Callable[[], None]]:
    """Handle TensorFlow's Python generators: of operation seeds in eager mode, and of Keras 2's layer seeds."""
    found = []
    with suppress(Exception):
        context = sys.modules["tensorflow.python.eager.context"].context()
        found.append(_python(context._rng))
    with suppress(Exception):
        found.append(_python(sys.modules["tf_keras.src.backend"]._SEED_GENERATOR.generator))
    return found

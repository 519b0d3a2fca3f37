"""Seeds every generator a notebook draws from, each once, before the notebook can use it."""

import random
from types import ModuleType

import wrapt

from .core import Recorder

__all__ = ["install"]


def install(recorder: Recorder) -> None:
    """Seed Python now, and NumPy and TensorFlow at the moment they are imported.

    Keras needs no seed of its own: in both dialects a layer without a seed draws one from Python's `random`, and what
    `keras.utils.set_random_seed` does beyond that is this. A student's own seed, set later, stands.

    Args:
        recorder: Holds the session's seed.
    """
    seed = recorder.session.seed
    random.seed(seed)

    def seed_numpy(module: ModuleType) -> None:
        module.seed(seed)

    def seed_tensorflow(module: ModuleType) -> None:
        module.random.set_seed(seed)

    wrapt.register_post_import_hook(seed_numpy, "numpy.random")
    wrapt.register_post_import_hook(seed_tensorflow, "tensorflow")

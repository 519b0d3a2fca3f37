"""Finds weights that no training made, by the digests of layers.

The weights at the last batch of an epoch were made by a training. If other weights are in the model when it is saved,
the student's code has put them there, for example a callback at the training's end. Keras restores the best epoch's
weights in the same way, so the weights of every epoch count as made by the training.
"""

import os
from collections.abc import Mapping
from typing import Any

from ..describe.models import ancestor, digests, leaves, numbers, weights_of

__all__ = ["Fingerprints", "averaged", "sample", "statistical"]

_SAMPLED_WEIGHTS = 40
_SAMPLED_VALUES = 16
_STATISTICS = ("moving_mean", "moving_variance")
_PLACE = int.from_bytes(os.urandom(4), "big")


class Fingerprints:
    """The digests of all weights that trainings made."""

    def __init__(self) -> None:
        """Start without trainings."""
        self._made: set[str] = set()
        self._first: dict[str, frozenset[str]] = {}

    def training_begun(self, model: str, before: Mapping[str, str]) -> None:
        """Note the weights at the start of a training; at a model's first training they need no explanation.

        Args:
            model: The model's id.
            before: Layer → digest of its weights.
        """
        self._first.setdefault(model, frozenset(before.values()))

    def made(self, before: Mapping[str, str], now: Mapping[str, str]) -> None:
        """Note weights that a training made. A layer that it did not change needs another explanation.

        Args:
            before: Layer → digest of its weights at the start of the training.
            now: The same after some of its batches.
        """
        self._made.update(digest for name, digest in now.items() if before.get(name) != digest)

    def unexplained(self, model: str, now: Mapping[str, str]) -> list[str]:
        """List the layers whose weights were made by no training and are not the model's first ones.

        Args:
            model: The model's id.
            now: Layer → digest of its weights.

        Returns:
            Names of layers; none for a model without a training.
        """
        first = self._first.get(model)
        if first is None:
            return []
        return [name for name, digest in now.items() if digest not in self._made and digest not in first]


def statistical(model: Any) -> frozenset[str]:
    """Return the names of Keras's own layers with running statistics, which also calls outside of a training change.

    Args:
        model: A model of either dialect.
    """
    return frozenset(
        name
        for name, layer in leaves(model)
        if type(layer).__name__ == "BatchNormalization" and ancestor(layer) is type(layer)
    )


def averaged(model: Any) -> dict[str, str]:
    """Hash each layer's moving averages, which an optimizer with `use_ema` puts in place of the weights.

    Args:
        model: A model of either dialect.

    Returns:
        Layer → digest, as `digests` would return; empty without such an optimizer.
    """
    optimizer = getattr(model, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    averages = list(getattr(optimizer, "_model_variables_moving_average", None) or ())
    if not getattr(optimizer, "use_ema", False) or not averages:
        return {}
    variables = list(getattr(optimizer, "_trainable_variables", None) or weights_of(model, trainable=True))
    return digests(model, {id(variable): average for variable, average in zip(variables, averages, strict=False)})


def sample(model: Any) -> bytes:
    """Return some values of the weights, at places that only this process knows, as a fingerprint that costs little.

    Args:
        model: A model of either dialect.
    """
    weights = [weight for weight in weights_of(model) if not any(word in weight.name for word in _STATISTICS)]
    weights = _spread(weights, _SAMPLED_WEIGHTS)
    return b"".join(_spread(numbers(weight).reshape(-1), _SAMPLED_VALUES).tobytes() for weight in weights)


def _spread(items: Any, most: int) -> Any:
    stride = max(1, -(-len(items) // most))
    return items[_PLACE % stride :: stride]

"""Remembers which models returned a tensor, to find the model whose output a loss receives."""

import weakref
from collections import OrderedDict
from typing import Any

__all__ = ["Outputs"]

_MOST_TENSORS = 64
"""Number of recent tensors; a loss receives an output soon after the call."""


class Outputs:
    """The latest outputs of models, eager or in a graph."""

    def __init__(self) -> None:
        """Start without outputs."""
        self._known: OrderedDict[int, tuple[weakref.ref[Any], list[weakref.ref[Any]]]] = OrderedDict()

    def add(self, model: Any, output: Any) -> None:
        """Remember an output of a model.

        Args:
            model: The model.
            output: A tensor, or a list, tuple or dictionary of tensors.
        """
        parts = output.values() if isinstance(output, dict) else output
        for tensor in parts if isinstance(output, (dict, list, tuple)) else (output,):
            try:
                reference = weakref.ref(tensor)
            except TypeError:
                continue
            held, models = self._known.pop(id(tensor), (reference, []))
            if held() is not tensor:
                models = []
            self._known[id(tensor)] = (reference, [*models, weakref.ref(model)])
        while len(self._known) > _MOST_TENSORS:
            self._known.popitem(last=False)

    def models_of(self, tensor: Any) -> list[Any]:
        """Return the models that returned a tensor, the innermost first; empty if they are unknown.

        Args:
            tensor: Any object.
        """
        held, models = self._known.get(id(tensor), (None, []))
        if held is None or held() is not tensor:
            return []
        living = (reference() for reference in models)
        return list({id(model): model for model in living if model is not None}.values())

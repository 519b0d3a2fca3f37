"""Keeps what gradients of weights used, until the weights change by them.

A gradient alone is no training: a helper that computes loss and gradients is often used for the test loss, too. So the
images count once an optimizer gets these gradients, scaled or clipped or not, or once the weights differ although no
optimizer made a step. An optimizer can also get other numbers, such as a sum over several batches. Then all gradients
count that were taken before.
"""

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..describe.models import numbers
from .fingerprints import sample
from .seen_images import SeenImages

__all__ = ["TakenGradients", "flat", "weak"]

_MOST_WAITING = 8
"""Gradients whose results are remembered one by one."""


@dataclass(slots=True)
class _Taken:
    """The gradients that one tape computed for the weights of one model.

    Attributes:
        model: Weak reference to the model.
        tape: Weak reference to the tape.
        seen: What was used under the tape.
        results: Weak references to the gradients.
        used: Whether it is known that the weights changed by them.
    """

    model: "weakref.ref[Any]"
    tape: "weakref.ref[Any]"
    seen: SeenImages
    results: list[Callable[[], Any]] = field(default_factory=list)
    used: bool = False


class TakenGradients:
    """The gradients of all models in one cell."""

    def __init__(self, random: np.random.Generator) -> None:
        """Start without gradients.

        Args:
            random: A generator of the recorder.
        """
        self._random = random
        self._taken: list[_Taken] = []
        self._older: dict[int, SeenImages] = {}
        self._samples: dict[int, bytes] = {}
        self._last: list[Any] = []

    def add(self, model: Any, tape: Any, seen: SeenImages | None, results: Any) -> None:
        """Note gradients of a model's weights.

        Args:
            model: The model.
            tape: The tape.
            seen: What was used under the tape; None for nothing.
            results: The gradients.
        """
        found = (each for each in self._taken if each.tape() is tape and each.model() is model)
        known = next(found, None)
        if known is None:
            known = _Taken(weakref.ref(model), weakref.ref(tape), SeenImages())
        self._taken = [*(each for each in self._taken if each is not known), known]
        known.used, known.seen = False, SeenImages()
        if seen is not None:
            known.seen.merge(seen, self._random)
        new = [each for each in flat(results) if each is not None]
        known.results += map(weak, new)
        # Kept only where it matters, since they take memory.
        others = id(model) in self._older or any(each is not known and not each.used for each in self._of(model))
        self._last = new if others else []
        self._samples.setdefault(id(model), sample(model))
        while len(self._taken) > _MOST_WAITING:
            self._let_go(self._taken.pop(0))

    def _let_go(self, taken: _Taken) -> None:
        model = taken.model()
        if model is not None and not taken.used:
            self._older.setdefault(id(model), SeenImages()).merge(taken.seen, self._random)

    def waiting(self) -> list[Any]:
        """Return the models with gradients of which it is unknown whether they were used."""
        models = {id(model): model for each in self._taken if not each.used and (model := each.model()) is not None}
        return list(models.values())

    def of_step(self, model: Any, gradients: Iterable[Any]) -> list[SeenImages]:
        """Return what was used for a step of an optimizer, before the step.

        Args:
            model: The model whose weights change.
            gradients: The gradients that the optimizer gets.
        """
        owners = {id(result()): each for each in self._taken for result in each.results if result() is not None}
        given = [each for each in flat(gradients) if each is not None]
        found = [owners.get(id(each)) for each in given]
        if None in found and self._are_last(model, given):
            found = [self._taken[-1]]
        used = [each for each in self._taken if each in found]
        seen = self.of_change(model) if any(not each.used for each in self._of(model) if each not in used) else []
        if None in found:
            return [*seen, *self._all_of(model), *(each.seen for each in self._taken[-1:])]
        for each in used:
            each.used = True
        self._samples.pop(id(model), None)
        return [*seen, *(each.seen for each in used)]

    def _are_last(self, model: Any, given: list[Any]) -> bool:
        """Whether these are the last gradients of a model, scaled or clipped."""
        if len(given) != len(self._last) or not self._taken or self._taken[-1].model() is not model:
            return False
        return all(map(_is_scaled, given, self._last))

    def of_change(self, model: Any) -> list[SeenImages]:
        """Return what was used for the weights of a model if they changed without a step of an optimizer."""
        before = self._samples.get(id(model))
        if before is None:
            return []
        now = self._samples[id(model)] = sample(model)
        return self._all_of(model) if now != before else []

    def _all_of(self, model: Any) -> list[SeenImages]:
        found = [each for each in self._of(model) if not each.used]
        for each in found:
            each.used = True
        older = self._older.pop(id(model), None)
        return [each.seen for each in found] + ([older] if older is not None else [])

    def _of(self, model: Any) -> Iterator[_Taken]:
        return (each for each in self._taken if each.model() is model)

    def look_again(self, model: Any) -> None:
        """Note that an optimizer or Keras changed the weights of a model, so that later changes are seen."""
        if any(not each.used for each in self._of(model)):
            self._samples[id(model)] = sample(model)
        else:
            self._samples.pop(id(model), None)

    def look_away(self) -> None:
        """Note that an optimizer may have changed the weights of any model."""
        self._samples.clear()

    def cell_ended(self) -> None:
        """Forget the gradients of the cell."""
        self._taken.clear()
        self._older.clear()
        self._samples.clear()
        self._last = []


def _is_scaled(given: Any, gradient: Any) -> bool:
    """Whether a gradient is another one times a number, or cut off at a number."""
    if hasattr(given, "indices") or hasattr(gradient, "indices"):
        return False
    one, other = (np.asarray(numbers(each), np.float64).ravel() for each in (given, gradient))
    if one.shape != other.shape or not one.size:
        return False
    square, top = float(other @ other), float(np.abs(one).max())
    ways = (other * (float(one @ other) / square if square else 0.0), np.clip(other, -top, top))
    # Without an absolute tolerance: some optimizers make large steps by tiny gradients, too.
    return any(np.allclose(one, way, rtol=1e-4, atol=0.0) for way in ways)


def flat(values: Any) -> Iterator[Any]:
    """Yield the variables or tensors in nested lists and mappings."""
    if isinstance(values, Mapping):
        values = values.values()
    if isinstance(values, Iterable) and not hasattr(values, "assign") and not hasattr(values, "shape"):
        for each in values:
            yield from flat(each)
    else:
        yield values


def weak(value: Any) -> Callable[[], Any]:
    """Return a weak reference, or one that keeps a value alive to which there are no weak ones."""
    try:
        return weakref.ref(value)
    except TypeError:
        return lambda: value

"""Numbers of filters that do not suit their place."""

import itertools
import math

from grader.checks.registry import diagnostic
from grader.facts.case import Case
from grader.facts.layers import CONVOLUTIONS, Network, kernel_size
from grader.facts.wording import number
from grader.schema.evidence import LayerFact, ModelFact
from grader.schema.grade import Diagnostic

__all__ = ["FIRST_FILTERS_FACTOR", "shrinking_filters", "too_many_first_filters"]

FIRST_FILTERS_FACTOR = 8
"""How many times the numbers under its kernel a first layer may have filters before it is called far too many.

A k x k kernel over c channels sees k*k*c numbers, so that many filters already span every linear pattern there is; more
of them are sums of the others. With ReLU two signs of a pattern are worth having, and some four thresholds (biases) of
each: 2 * 4 = 8. The well-known networks stay below it: 64 filters on 3x3x3 are 2.4 times, 32 on 3x3x1 are 3.6 times.
"""
_SMALL = (2, 5)
"""Sides of a kernel that counts as small: 1x1 only mixes channels, larger ones see hundreds of numbers."""
_SHRINK = 2
"""Filters fell to a half or less."""


@diagnostic("too-many-first-filters")
def too_many_first_filters(case: Case) -> tuple[Diagnostic, ...]:
    """The first convolution has far more filters than its small kernels can tell apart.

    What it does:
        Compares the filters of the first convolution with the numbers under one kernel; see `FIRST_FILTERS_FACTOR`.

    Why it matters:
        The maps cost memory and time at the highest resolution, and most of them repeat what others show.

    Example:
        `Conv2D(512, (3, 3))` on an RGB image: 512 filters over 27 numbers.
    """
    notes = []
    for model in case.evidence.models:
        first = next((layer for layer in Network(model).layers if layer.cls in CONVOLUTIONS), None)
        seen = _numbers_under_kernel(first) if first else None
        filters = first.config.get("filters") if first else None
        if first is None or seen is None or not isinstance(filters, int) or filters <= FIRST_FILTERS_FACTOR * seen:
            continue
        notes.append(
            Diagnostic(
                id="too-many-first-filters",
                title="Far too many filters in the first convolution",
                cell=model.cell,
                message=(
                    f"`{first.name}`, the first convolution of `{model.name}`, has {number(filters)} filters, but its "
                    f"kernel covers only {seen} numbers: {filters / seen:.0f} times as many filters as independent "
                    "patterns."
                ),
                advice=(
                    "Begin with 8 to 64 filters. A small patch of the image holds few distinct patterns, and every "
                    "further filter costs memory at full resolution without showing anything new."
                ),
                model=model.id,
            )
        )
    return tuple(notes)


def _numbers_under_kernel(layer: LayerFact) -> int | None:
    sides = kernel_size(layer)
    channels = layer.input_shape[-1] if layer.input_shape else None
    if sides is None or channels is None or not all(_SMALL[0] <= side <= _SMALL[1] for side in sides):
        return None
    if channels > sides[0] * 4:
        return None  # not an image: the first convolution stands behind something else
    return math.prod(sides) * channels


@diagnostic("filters-shrink-with-depth")
def shrinking_filters(case: Case) -> tuple[Diagnostic, ...]:
    """The deeper convolutions have fewer filters than the first.

    What it does:
        Looks at the filters of a classifier's convolutions in order (1x1 ones left out): they never grow, and the last
        has at most half of the first.

    Why it matters:
        Deeper layers see larger parts of the image, of which there are more kinds to tell apart.

    Example:
        512, 128, 32, 8 filters.
    """
    notes = []
    for model in case.evidence.models:
        filters = _filters(model)
        falls = all(b <= a for a, b in itertools.pairwise(filters))
        if len(filters) < _SHRINK or not falls or filters[-1] * _SHRINK > filters[0]:
            continue
        notes.append(
            Diagnostic(
                id="filters-shrink-with-depth",
                title="Filters shrink with depth",
                cell=model.cell,
                message=(
                    f"The convolutions of `{model.name}` have {', '.join(map(number, filters))} filters in order: the "
                    "deeper, the fewer."
                ),
                advice=(
                    "Let the number of filters grow as the maps get smaller, for instance 16, 32, 64. Early layers "
                    "find edges, of which there are few kinds; later ones combine them into shapes, of which many."
                ),
                model=model.id,
            )
        )
    return tuple(notes)


def _filters(model: ModelFact) -> list[int]:
    if model.output_shape is None or len(model.output_shape) != 1:
        return []
    found = []
    for layer in Network(model).layers:
        sides, filters = kernel_size(layer), layer.config.get("filters")
        if layer.cls in CONVOLUTIONS and sides and max(sides) > 1 and isinstance(filters, int):
            found.append(filters)
    return found

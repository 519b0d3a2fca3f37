"""Convolutions whose filters or kernels do not suit their place."""

import itertools
import math
import re

from pydantic import Field

from grader.checks.registry import diagnostic
from grader.checks.support.params import Number, Params, Part, Whole
from grader.facts.case import Case
from grader.facts.layers import CONVOLUTIONS, Network, kernel_size
from grader.facts.wording import listed, number, percent, spoken_shape
from grader.schema.base import spoken_cell
from grader.schema.evidence import Evidence, LayerFact, ModelFact
from grader.schema.grade import Diagnostic

__all__ = [
    "FIRST_FILTERS_FACTOR",
    "FiltersShrinkWithDepthParams",
    "KernelLargerThanMapParams",
    "LargeKernelsParams",
    "TooManyFirstFiltersParams",
    "kernel_exceeds_map",
    "large_kernels",
    "shrinking_filters",
    "too_many_first_filters",
]

FIRST_FILTERS_FACTOR = 8
"""How many times the numbers under its kernel a first layer may have filters before it is called far too many.

A k x k kernel over c channels sees k*k*c numbers, so that many filters already span every linear pattern there is; more
of them are sums of the others. With ReLU two signs of a pattern are worth having, and some four thresholds (biases) of
each: 2 * 4 = 8. The well-known networks stay below it: 64 filters on 3x3x3 are 2.4 times, 32 on 3x3x1 are 3.6 times.
"""
_SMALL = (2, 5)
"""Sides of a kernel that counts as small: 1x1 only mixes channels, larger ones see hundreds of numbers."""


class TooManyFirstFiltersParams(Params):
    """Parameters of `too-many-first-filters`."""

    factor: Number = Field(default=FIRST_FILTERS_FACTOR, gt=0)
    """How many times the numbers under its kernel the first convolution may have filters."""


@diagnostic("too-many-first-filters")
def too_many_first_filters(case: Case, parameters: TooManyFirstFiltersParams) -> tuple[Diagnostic, ...]:
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
        if first is None or seen is None or not isinstance(filters, int) or filters <= parameters.factor * seen:
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


class FiltersShrinkWithDepthParams(Params):
    """Parameters of `filters-shrink-with-depth`."""

    factor: Number = Field(default=2.0, gt=1)
    """How many times the last convolution's filters the first one has, at least."""


@diagnostic("filters-shrink-with-depth")
def shrinking_filters(case: Case, parameters: FiltersShrinkWithDepthParams) -> tuple[Diagnostic, ...]:
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
        if len(filters) <= 1 or not falls or filters[-1] * parameters.factor > filters[0]:
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


_IMPOSSIBLE = re.compile(r"output size would be negative|negative dimension size", re.IGNORECASE)


class LargeKernelsParams(Params):
    """Parameters of `large-kernels`."""

    side_above: Whole = Field(default=7, ge=1)
    """A kernel is large if its shorter side is above this: 7x7 still opens well-known networks."""


@diagnostic("large-kernels")
def large_kernels(case: Case, parameters: LargeKernelsParams) -> tuple[Diagnostic, ...]:
    """A convolution has kernels of 8x8 or more.

    What it does:
        Looks at the shorter side of each kernel. A kernel that covers its whole map at once (a dense layer in another
        form) and one with strides as large as half its side (a patch embedding) are left alone.

    Why it matters:
        Weights grow with the square of the side, and two small kernels in a row see as much with fewer.

    Example:
        `Conv2D(8, (10, 10))`
    """
    notes = []
    for model in case.evidence.models:
        large = [layer for layer in Network(model).layers if _is_large(layer, parameters.side_above)]
        if not large:
            continue
        shown = listed(f"`{layer.name}` ({spoken_shape(kernel_size(layer))})" for layer in large)
        notes.append(
            Diagnostic(
                id="large-kernels",
                title="Very large kernels",
                cell=model.cell,
                message=f"In `{model.name}`, {shown} {'has' if len(large) == 1 else 'have'} very large kernels.",
                advice=(
                    "Stack 3x3 convolutions, with pooling between them, to see a larger part of the image. They need "
                    "fewer weights for the same view, and an activation between them lets them learn more."
                ),
                model=model.id,
            )
        )
    return tuple(notes)


def _is_large(layer: LayerFact, side_above: int) -> bool:
    sides = kernel_size(layer)
    if layer.cls not in CONVOLUTIONS or sides is None or len(sides) != 2 or min(sides) <= side_above:  # noqa: PLR2004 - images have two axes
        return False
    strides = layer.config.get("strides")
    step = max(strides) if isinstance(strides, (list, tuple)) and strides else strides
    patches = isinstance(step, int) and step * 2 >= min(sides)
    return not patches and _map(layer) != sides


def _map(layer: LayerFact) -> tuple[int, ...] | None:
    """Height and width of the map a layer is given."""
    shape = layer.input_shape
    if shape is None or len(shape) != 3:  # noqa: PLR2004 - height, width, channels
        return None
    axes = shape[1:] if layer.config.get("data_format") == "channels_first" else shape[:2]
    return tuple(axis for axis in axes if axis is not None) if None not in axes else None


class KernelLargerThanMapParams(Params):
    """Parameters of `kernel-larger-than-map`."""

    inside_below: Part = 0.25
    """With `same` padding: a kernel is reported if it fits wholly inside the map at fewer than this part of all
    positions; 0 reports none for its padding."""
    side_from: Whole = Field(default=5, ge=1)
    """Shortest side of such a kernel. Smaller kernels on a small map are common at the end of deep networks, and
    cheap."""


@diagnostic("kernel-larger-than-map")
def kernel_exceeds_map(case: Case, parameters: KernelLargerThanMapParams) -> tuple[Diagnostic, ...]:
    """A kernel does not fit into the feature map it is given.

    What it does:
        Compares each kernel with the map before it. With `same` padding it also reports large kernels that reach over
        the edge at three positions out of four. A cell in which Keras refused such a layer counts too. Layers of a
        network that came with its weights from a file were chosen by somebody else, and are left alone.

    Why it matters:
        Without padding such a layer cannot be computed, and with it most of what the kernel sees is zeros.

    Example:
        A 10x10 kernel on a 6x6 map.
    """
    notes = [
        Diagnostic(
            id="kernel-larger-than-map",
            title="A kernel does not fit its feature map",
            cell=error.cell,
            message=f"Keras refused a layer in {spoken_cell(error.cell)}: its kernel or pool is larger than the map.",
            advice=_ADVICE,
        )
        for error in case.evidence.run.errors
        if _IMPOSSIBLE.search(error.message)
    ]
    given = _from_files(case.evidence)
    for model in case.evidence.models:
        for layer in Network(model).layers:
            said = _misfit(layer, parameters)
            if said and layer.name not in given:
                notes.append(
                    Diagnostic(
                        id="kernel-larger-than-map",
                        title="A kernel does not fit its feature map",
                        cell=model.cell,
                        message=f"In `{model.name}`, {said}.",
                        advice=_ADVICE,
                        model=model.id,
                    )
                )
    return tuple(notes)


def _from_files(evidence: Evidence) -> frozenset[str]:
    """Names of the layers whose weights were loaded from files that this notebook did not write."""
    written = {save.path for save in evidence.saves if save.action in {"save", "save_weights"}}
    loads = [s for s in evidence.saves if s.action in {"load", "load_weights"} and s.path not in written]
    models = [model for save in loads if (model := evidence.model(save.model or "")) is not None]
    return frozenset(layer.name for model in models for layer in model.flat_layers())


_ADVICE = (
    "Use 3x3 kernels, and check the shapes with `model.summary()` before training. Each pooling and each convolution "
    "without padding makes the maps smaller, so late layers have little left to look at."
)


def _misfit(layer: LayerFact, parameters: KernelLargerThanMapParams) -> str:
    sides, size = kernel_size(layer), _map(layer)
    if layer.cls not in CONVOLUTIONS or sides is None or size is None or len(sides) != len(size):
        return ""
    said = f"`{layer.name}` has a {spoken_shape(sides)} kernel and is given maps of {spoken_shape(size)}"
    if any(side > axis for side, axis in zip(sides, size, strict=True)):
        return f"{said}, smaller than the kernel: it works only because zeros are padded around them"
    if layer.config.get("padding") != "same" or min(sides) < parameters.side_from:
        return ""
    inside = math.prod(axis - side + 1 for side, axis in zip(sides, size, strict=True))
    total = math.prod(size)
    if inside >= parameters.inside_below * total:
        return ""
    return (
        f"{said}: it lies wholly inside at only {number(inside)} of {number(total)} positions "
        f"({percent(inside / total)}) and sees padding at all the others"
    )

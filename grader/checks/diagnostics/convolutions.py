"""Convolutions whose filters or kernels do not fit their position."""

import itertools
import math
import re

from pydantic import Field

from grader.checks.registry import diagnostic
from grader.checks.support.params import Number, Params, Part, Whole
from grader.checks.support.whole_models import whole_models
from grader.facts.case import Case
from grader.facts.layers import CONVOLUTIONS, Network, is_transform, kernel_size
from grader.schema.evidence import Evidence, LayerFact, ModelFact
from grader.schema.grade import Diagnostic
from grader.schema.message import Message, say, say_count

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
"""Highest accepted ratio of the first convolution's filters to the numbers under its kernel.

A k x k kernel over c channels sees k*k*c numbers, so k*k*c filters already span every linear pattern; further filters
are sums of them. With ReLU, both signs of a pattern are useful, and about four thresholds (biases) of each: 2 * 4 = 8.
The well-known models stay below it: 64 filters on 3x3x3 are a ratio of 2.4, 32 filters on 3x3x1 are 3.6.
"""
_ENLARGING = frozenset({"Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", "UpSampling2D", "UpSampling3D"})
"""Layers that make feature maps larger, as in a decoder."""
_SMALL = (2, 5)
"""Smallest and largest side of a small kernel: 1x1 only mixes channels, larger ones see hundreds of numbers."""


class TooManyFirstFiltersParams(Params):
    """Parameters of `too-many-first-filters`."""

    factor: Number = Field(default=FIRST_FILTERS_FACTOR, gt=0)
    """Highest accepted ratio of the first convolution's filters to the numbers under its kernel."""


@diagnostic("too-many-first-filters")
def too_many_first_filters(case: Case, parameters: TooManyFirstFiltersParams) -> tuple[Diagnostic, ...]:
    """The first convolution has far more filters than patterns that its small kernel can distinguish.

    What it does:
        Compares the number of filters of the first convolution with the numbers under its kernel. Ignores models from
        `keras.applications`.

    Why it matters:
        The feature maps cost memory and time at the highest resolution, and most of them repeat others.

    Example:
        `Conv2D(512, (3, 3))` on an RGB image: 512 filters over 27 numbers.
    """
    notes = []
    for model in whole_models(case.evidence):
        first = next((layer for layer in Network(model).layers if layer.cls in CONVOLUTIONS), None)
        if first is not None and first.ready_made:
            continue
        seen = _numbers_under_kernel(first) if first else None
        filters = first.config.get("filters") if first else None
        if first is None or seen is None or not isinstance(filters, int) or filters <= parameters.factor * seen:
            continue
        notes.append(
            Diagnostic(
                id="too-many-first-filters",
                title=say("Far too many filters in the first convolution"),
                cell=model.cell,
                message=say(
                    "The first convolution of {model:code}, {layer:code}, has {filters:number} filters, but its kernel "
                    "covers only {numbers:number} numbers. That is {ratio:number} times as many filters as independent "
                    "patterns.",
                    model=model.name,
                    layer=first.name,
                    filters=filters,
                    numbers=seen,
                    ratio=round(filters / seen),
                ),
                advice=say(
                    "Start with 8 to 64 filters. A small patch of an image has few distinct patterns, and each further "
                    "filter costs memory at full resolution."
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
        return None  # the input is no image: other layers come before the convolution
    return math.prod(sides) * channels


class FiltersShrinkWithDepthParams(Params):
    """Parameters of `filters-shrink-with-depth`."""

    factor: Number = Field(default=2.0, gt=1)
    """Smallest reported ratio of the first convolution's filters to the last one's."""


@diagnostic("filters-shrink-with-depth")
def shrinking_filters(case: Case, parameters: FiltersShrinkWithDepthParams) -> tuple[Diagnostic, ...]:
    """The deeper convolutions have fewer filters than the first one.

    What it does:
        Compares the filters of a classifier's convolutions in order, without 1x1 convolutions. Reports a model in which
        the number never grows and the last convolution has at most half as many filters as the first. A last
        convolution that gives the class scores does not count. Ignores convolutions in parallel branches, models that
        make images or are part of one (decoders, autoencoders, U-Nets), and models from `keras.applications`.

    Why it matters:
        Deeper layers see larger parts of the image, and there are more kinds of them to distinguish.

    Example:
        512, 128, 32, 8 filters.
    """
    notes = []
    for model in whole_models(case.evidence):
        filters = [] if _makes_images(case.evidence, model) else _filters(model)
        falls = all(b <= a for a, b in itertools.pairwise(filters))
        if len(filters) <= 1 or not falls or filters[-1] * parameters.factor > filters[0]:
            continue
        notes.append(
            Diagnostic(
                id="filters-shrink-with-depth",
                title=say("Filters shrink with depth"),
                cell=model.cell,
                message=say(
                    "The convolutions of {model:code} have {filters:number list} filters, in this order: deeper layers "
                    "have fewer filters.",
                    model=model.name,
                    filters=filters,
                ),
                advice=say(
                    "Let the number of filters grow as the feature maps shrink, for example 16, 32, 64. Early layers "
                    "find edges, of which there are few kinds; later layers combine them into many shapes."
                ),
                model=model.id,
            )
        )
    return tuple(notes)


def _filters(model: ModelFact) -> list[int]:
    if model.output_shape is None or len(model.output_shape) != 1:
        return []
    numbers: list[int] = []
    network = Network(model)
    last: int | None = None
    transforms = [layer for layer in network.layers if is_transform(layer)]
    for position, layer in enumerate(network.layers):
        sides, filters = kernel_size(layer), layer.config.get("filters")
        if layer.cls in CONVOLUTIONS and sides and max(sides) > 1 and isinstance(filters, int) and not layer.ready_made:
            if last is not None and layer not in network.behind(last):
                return []
            numbers.append(filters)
            last = position
    scores = bool(transforms) and transforms[-1].cls in CONVOLUTIONS
    return numbers[:-1] if scores else numbers


def _makes_images(evidence: Evidence, model: ModelFact) -> bool:
    """Whether a model makes images, or shares layers with a model that does."""
    kin = [m for m in evidence.models if m.id in model.shares_layers_with or model.id in m.shares_layers_with]
    return any(
        layer.cls in _ENLARGING or (layer.cls == "Reshape" and _rank(layer.output_shape) > 1)
        for each in (model, *kin)
        for layer in each.flat_layers()
    ) or any(_rank(each.output_shape) > 1 for each in kin)


def _rank(shape: tuple[int | None, ...] | None) -> int:
    return len(shape) if shape is not None else 0


_IMPOSSIBLE = re.compile(r"output size would be negative|negative dimension size", re.IGNORECASE)


class LargeKernelsParams(Params):
    """Parameters of `large-kernels`."""

    side_above: Whole = Field(default=7, ge=1)
    """A kernel is large if its shorter side is above this. Well-known models start with 7x7 kernels."""


@diagnostic("large-kernels")
def large_kernels(case: Case, parameters: LargeKernelsParams) -> tuple[Diagnostic, ...]:
    """A convolution has kernels of 8x8 or more.

    What it does:
        Looks at the shorter side of each kernel. Ignores a kernel that covers its whole feature map (another form of a
        dense layer), and a kernel with strides of at least a third of its side (a patch embedding, AlexNet).

    Why it matters:
        The number of weights grows with the square of the side. Two small kernels in a row see as much with fewer
        weights.

    Example:
        `Conv2D(8, (10, 10))`
    """
    notes = []
    for model in whole_models(case.evidence):
        large = [layer for layer in Network(model).layers if _is_large(layer, parameters.side_above)]
        if not large:
            continue
        notes.append(
            Diagnostic(
                id="large-kernels",
                title=say("Very large kernels"),
                cell=model.cell,
                message=say_count(
                    "A convolution of {model:code} has a very large kernel: {layers}.",
                    "{count:number} convolutions of {model:code} have very large kernels: {layers}.",
                    len(large),
                    model=model.name,
                    layers=[say("{layer:code} ({kernel:shape})", layer=x.name, kernel=kernel_size(x)) for x in large],
                ),
                advice=say(
                    "Stack 3x3 convolutions, with pooling between them, to see a larger part of the image. They need "
                    "fewer weights, and the activations between them let them learn more."
                ),
                model=model.id,
            )
        )
    return tuple(notes)


def _is_large(layer: LayerFact, side_above: int) -> bool:
    sides = kernel_size(layer)
    if layer.ready_made or layer.cls not in CONVOLUTIONS:
        return False
    if sides is None or len(sides) != 2 or min(sides) <= side_above:  # noqa: PLR2004 - images have two axes
        return False
    strides = layer.config.get("strides")
    step = max(strides) if isinstance(strides, (list, tuple)) and strides else strides
    patches = isinstance(step, int) and step * 3 >= min(sides)
    return not patches and _map(layer) != sides


def _map(layer: LayerFact) -> tuple[int, ...] | None:
    """Return height and width of the input feature map; None if they are unknown."""
    shape = layer.input_shape
    if shape is None or len(shape) != 3:  # noqa: PLR2004 - height, width, channels
        return None
    axes = shape[1:] if layer.config.get("data_format") == "channels_first" else shape[:2]
    return tuple(axis for axis in axes if axis is not None) if None not in axes else None


class KernelLargerThanMapParams(Params):
    """Parameters of `kernel-larger-than-map`."""

    inside_below: Part = 0.25
    """With `same` padding, a kernel is reported if it fits inside the map at fewer than this part of all positions. 0
    turns this off."""
    side_from: Whole = Field(default=5, ge=1)
    """Smallest side of such a kernel. Smaller kernels on a small map are common at the end of deep models, and
    cheap."""


@diagnostic("kernel-larger-than-map")
def kernel_exceeds_map(case: Case, parameters: KernelLargerThanMapParams) -> tuple[Diagnostic, ...]:
    """A kernel does not fit into its feature map.

    What it does:
        Compares each kernel with its input feature map. With `same` padding, also reports large kernels that reach over
        the edge at three positions out of four. Also reports a cell in which Keras rejected such a layer. Ignores the
        layers of a model from `keras.applications`, or that was loaded with its weights from a file, because the
        student did not choose them.

    Why it matters:
        Without padding, such a layer cannot be computed. With padding, most of its inputs are zeros.

    Example:
        A 10x10 kernel on a 6x6 map.
    """
    notes = [
        Diagnostic(
            id="kernel-larger-than-map",
            title=_TITLE,
            cell=error.cell,
            message=say(
                "Keras rejected a layer in {cell:cell}: its kernel or pooling window is larger than the feature map.",
                cell=error.cell,
            ),
            advice=_ADVICE,
        )
        for error in case.evidence.run.errors
        if _IMPOSSIBLE.search(error.message)
    ]
    loaded = _from_files(case.evidence)
    for model in whole_models(case.evidence):
        for layer in Network(model).layers:
            misfit = _misfit(model, layer, parameters)
            if misfit is not None and layer.name not in loaded and not layer.ready_made:
                notes.append(
                    Diagnostic(
                        id="kernel-larger-than-map",
                        title=_TITLE,
                        cell=model.cell,
                        message=misfit,
                        advice=_ADVICE,
                        model=model.id,
                    )
                )
    return tuple(notes)


def _from_files(evidence: Evidence) -> frozenset[str]:
    """Collect the names of layers whose weights were loaded from files that this notebook did not write."""
    written = {save.path for save in evidence.saves if save.action in {"save", "save_weights"}}
    loads = [s for s in evidence.saves if s.action in {"load", "load_weights"} and s.path not in written]
    models = [model for save in loads if (model := evidence.model(save.model or "")) is not None]
    return frozenset(layer.name for model in models for layer in model.flat_layers())


_TITLE = say("A kernel does not fit its feature map")
_ADVICE = say(
    "Use 3x3 kernels, and check the shapes with `model.summary()` before you train. Each pooling and each unpadded "
    "convolution makes the feature maps smaller, so little is left for late layers."
)


def _misfit(model: ModelFact, layer: LayerFact, parameters: KernelLargerThanMapParams) -> Message | None:
    sides, size = kernel_size(layer), _map(layer)
    if layer.cls not in CONVOLUTIONS or sides is None or size is None or len(sides) != len(size):
        return None
    if any(side > axis for side, axis in zip(sides, size, strict=True)):
        return say(
            "{layer:code} in {model:code} has a kernel of {kernel:shape}, but its feature maps are only {map:shape}. "
            "It works only because zeros are padded around the maps.",
            layer=layer.name,
            model=model.name,
            kernel=sides,
            map=size,
        )
    if layer.config.get("padding") != "same" or min(sides) < parameters.side_from:
        return None
    inside = math.prod(axis - side + 1 for side, axis in zip(sides, size, strict=True))
    total = math.prod(size)
    if inside >= parameters.inside_below * total:
        return None
    return say(
        "{layer:code} in {model:code} has a kernel of {kernel:shape} on feature maps of {map:shape}. The kernel fits "
        "inside the map at only {inside:number} of {positions:number} positions ({part:percent}). Elsewhere it also "
        "sees padding.",
        layer=layer.name,
        model=model.name,
        kernel=sides,
        map=size,
        inside=inside,
        positions=total,
        part=inside / total,
    )

"""Kernels that are too large."""

import math
import re

from grader.checks.registry import diagnostic
from grader.facts.case import Case
from grader.facts.layers import CONVOLUTIONS, Network, kernel_size
from grader.facts.wording import listed, number, percent, spoken_shape
from grader.schema.base import spoken_cell
from grader.schema.evidence import Evidence, LayerFact
from grader.schema.grade import Diagnostic

__all__ = ["kernel_exceeds_map", "large_kernels"]

_LARGE = 8
"""Shortest side of a kernel that is called large: 7x7 still opens well-known networks."""
_MOSTLY_PADDING = 0.25
"""With `same` padding: part of the positions at which the kernel lies wholly inside the map."""
_PADDED_SIDE = 5
"""Kernels of a shorter side on a small map are common at the end of deep networks, and cheap."""
_IMPOSSIBLE = re.compile(r"output size would be negative|negative dimension size", re.IGNORECASE)


@diagnostic("large-kernels")
def large_kernels(case: Case) -> tuple[Diagnostic, ...]:
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
        large = [layer for layer in Network(model).layers if _is_large(layer)]
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


def _is_large(layer: LayerFact) -> bool:
    sides = kernel_size(layer)
    if layer.cls not in CONVOLUTIONS or sides is None or len(sides) != 2 or min(sides) < _LARGE:  # noqa: PLR2004 - images have two axes
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


@diagnostic("kernel-larger-than-map")
def kernel_exceeds_map(case: Case) -> tuple[Diagnostic, ...]:
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
            said = _misfit(layer)
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


def _misfit(layer: LayerFact) -> str:
    sides, size = kernel_size(layer), _map(layer)
    if layer.cls not in CONVOLUTIONS or sides is None or size is None or len(sides) != len(size):
        return ""
    said = f"`{layer.name}` has a {spoken_shape(sides)} kernel and is given maps of {spoken_shape(size)}"
    if any(side > axis for side, axis in zip(sides, size, strict=True)):
        return f"{said}, smaller than the kernel: it works only because zeros are padded around them"
    if layer.config.get("padding") != "same" or min(sides) < _PADDED_SIDE:
        return ""
    inside = math.prod(axis - side + 1 for side, axis in zip(sides, size, strict=True))
    total = math.prod(size)
    if inside >= _MOSTLY_PADDING * total:
        return ""
    return (
        f"{said}: it lies wholly inside at only {number(inside)} of {number(total)} positions "
        f"({percent(inside / total)}) and sees padding at all the others"
    )

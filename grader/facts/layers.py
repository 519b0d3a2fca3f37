"""Questions about a network's layers that several checks and diagnostics ask."""

import difflib
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

from grader.facts.operations import keeps_range, operation_activation, scaling_of
from grader.schema.base import Json
from grader.schema.evidence import LayerFact, ModelFact

__all__ = [
    "CONVOLUTIONS",
    "DROPOUTS",
    "GROUPS",
    "KNOWN_LAYERS",
    "SCALING_LAYERS",
    "LayerName",
    "Network",
    "activation_name",
    "canonical_layer",
    "final_activation",
    "is_transform",
    "kernel_size",
    "layer_matches",
    "own_activation",
]

_DIMENSIONS = ("1D", "2D", "3D")


def _over_dimensions(*stems: str) -> frozenset[str]:
    return frozenset(f"{stem}{suffix}" for stem in stems for suffix in _DIMENSIONS)


CONVOLUTIONS = frozenset(
    {"Conv1D", "Conv2D", "Conv3D", "SeparableConv1D", "SeparableConv2D", "DepthwiseConv1D", "DepthwiseConv2D"}
)
DROPOUTS = frozenset({"Dropout", "AlphaDropout", "GaussianDropout"}) | _over_dimensions("SpatialDropout")
_POOLINGS = _over_dimensions("MaxPooling", "AveragePooling", "GlobalMaxPooling", "GlobalAveragePooling")
SCALING_LAYERS = frozenset({"Rescaling", "Normalization", "BatchNormalization", "LayerNormalization"})
"""Layers after which numbers have a small range, whatever they were before."""
_NORMALISATIONS = frozenset(
    {"BatchNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization", "UnitNormalization"}
)

GROUPS: Mapping[str, frozenset[str]] = {
    "any_convolution": CONVOLUTIONS,
    "any_dropout": DROPOUTS,
    "any_normalization": _NORMALISATIONS,
    "any_pooling": _POOLINGS,
}
"""Names for families of layers that rubrics may write instead of a class."""

_TRANSPOSED = frozenset(f"Conv{suffix}Transpose" for suffix in _DIMENSIONS)
_RECURRENT = frozenset({"SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional", "TimeDistributed"})
_TRANSFORMS = CONVOLUTIONS | _TRANSPOSED | _RECURRENT | {"Dense", "EinsumDense", "MultiHeadAttention", "Embedding"}
_ACTIVATION_LAYERS = {
    "Softmax": "softmax",
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "ELU": "elu",
    "PReLU": "prelu",
    "ThresholdedReLU": "thresholded_relu",
}

_OTHERS = frozenset(
    {
        "Activation",
        "ActivityRegularization",
        "Add",
        "AdditiveAttention",
        "Attention",
        "Average",
        "CategoryEncoding",
        "CenterCrop",
        "Concatenate",
        "Dot",
        "Flatten",
        "GaussianNoise",
        "Identity",
        "InputLayer",
        "Lambda",
        "Masking",
        "Maximum",
        "Minimum",
        "Multiply",
        "Normalization",
        "Permute",
        "RandomBrightness",
        "RandomContrast",
        "RandomCrop",
        "RandomFlip",
        "RandomRotation",
        "RandomTranslation",
        "RandomZoom",
        "RepeatVector",
        "Rescaling",
        "Reshape",
        "Resizing",
        "SpectralNormalization",
        "Subtract",
    }
)

KNOWN_LAYERS = (
    _TRANSFORMS
    | DROPOUTS
    | _POOLINGS
    | _NORMALISATIONS
    | frozenset(_ACTIVATION_LAYERS)
    | _over_dimensions("UpSampling", "ZeroPadding", "Cropping", "ConvLSTM")
    | _OTHERS
)
"""Layer classes of Keras by their own names."""

_ALIASES = (
    {f"MaxPool{suffix}": f"MaxPooling{suffix}" for suffix in _DIMENSIONS}
    | {f"AvgPool{suffix}": f"AveragePooling{suffix}" for suffix in _DIMENSIONS}
    | {f"GlobalMaxPool{suffix}": f"GlobalMaxPooling{suffix}" for suffix in _DIMENSIONS}
    | {f"GlobalAvgPool{suffix}": f"GlobalAveragePooling{suffix}" for suffix in _DIMENSIONS}
    | {f"Convolution{suffix}": f"Conv{suffix}" for suffix in _DIMENSIONS}
)
_CUSTOM_PREFIX = "custom:"
_PASS_THROUGH = (
    DROPOUTS
    | _over_dimensions("AveragePooling", "GlobalAveragePooling", "GlobalMaxPooling")
    | {"Flatten", "Reshape", "Identity", "InputLayer", "Permute", "ActivityRegularization"}
)
_LAYERED_CLASSES = frozenset({"Sequential", "Functional", "Model"})


def canonical_layer(name: str) -> str:
    """Give the one name of a layer class: `MaxPool2D` is `MaxPooling2D`."""
    return _ALIASES.get(name, name)


def _known_layer(name: str) -> str:
    if name.startswith(_CUSTOM_PREFIX) and len(name) > len(_CUSTOM_PREFIX):
        return name
    found = canonical_layer(name)
    if found in KNOWN_LAYERS or found in GROUPS:
        return found
    choices = sorted({*KNOWN_LAYERS, *GROUPS, *_ALIASES})
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    message = f"Keras has no layer {name!r}{hint} (a class of one's own is written `custom:{name}`)"
    raise ValueError(message)


LayerName = Annotated[str, AfterValidator(_known_layer)]
"""A layer class, a family such as `any_dropout`, or `custom:Name` for a class that Keras does not have."""


def layer_matches(layer: LayerFact, wanted: str | tuple[str, ...]) -> bool:
    """Whether a layer is of a class or family.

    Args:
        layer: The layer.
        wanted: One `LayerName` or several, of which any will do.
    """
    names = (wanted,) if isinstance(wanted, str) else wanted
    return any(_is_a(layer, name) for name in names)


def _is_a(layer: LayerFact, name: str) -> bool:
    if layer.operation is not None:
        return False
    if name.startswith(_CUSTOM_PREFIX):
        return name.removeprefix(_CUSTOM_PREFIX) in {layer.custom, layer.cls}
    return canonical_layer(layer.cls) in GROUPS.get(name, frozenset({canonical_layer(name)}))


def is_transform(layer: LayerFact) -> bool:
    """Whether a layer mixes its inputs with learned weights (a normalisation does not)."""
    return layer.cls in _TRANSFORMS or (layer.parameters > 0 and layer.cls not in KNOWN_LAYERS)


def activation_name(value: Json) -> str | None:
    """Reduce a serialised activation to its lower-case name; None where it cannot be told."""
    if value is None:
        return "linear"
    if isinstance(value, Mapping):
        inner = value.get("config")
        value = inner if value.get("class_name") == "function" else value.get("class_name")
    return value.lower().removesuffix("_v2") if isinstance(value, str) else None


def own_activation(layer: LayerFact) -> str | None:
    """The activation a layer applies itself; None where it has no such setting or it cannot be told."""
    if layer.operation is not None:
        return operation_activation(layer)
    if layer.cls in _ACTIVATION_LAYERS:
        return _ACTIVATION_LAYERS[layer.cls]
    return activation_name(layer.config["activation"]) if "activation" in layer.config else None


def kernel_size(layer: LayerFact) -> tuple[int, ...] | None:
    """A convolution's kernel, one number a side; None where there is none."""
    value = layer.config.get("kernel_size")
    if isinstance(value, int):
        return (value,)
    if isinstance(value, (list, tuple)) and value and all(isinstance(side, int) for side in value):
        return tuple(value)
    return None


def final_activation(model: ModelFact) -> str | None:
    """The activation behind a network's output, such as `softmax`, `sigmoid` or `linear`.

    Layers and operations that only drop, average or reshape are looked through. Where the order of layers does not show
    what is computed (a subclassed model), "linear" cannot be told from an activation applied in `call`, and the answer
    is None; so it is where another operation than an activation comes last. Logits that are multiplied by a number or
    moved by one remain logits.

    Args:
        model: The network.

    Returns:
        The activation's name, or None where it cannot be told.
    """
    layers = [layer for layer in reversed(model.flat_layers()) if layer.cls not in _PASS_THROUGH]
    last = next((layer for layer in layers if scaling_of(layer) is None), None)
    if last is None or model.output_shape is None or last.cls == "Lambda":
        return None
    found = "linear" if last.cls in _NORMALISATIONS else own_activation(last)
    if found == "linear":
        return found if model.cls in _LAYERED_CLASSES else None
    scaled = any(not keeps_range(layer) for layer in layers[: layers.index(last)])
    return None if scaled else found


class Network:
    """A network's layers in order, and what comes behind each.

    Attributes:
        layers: Every layer and operation, nested models opened, input layers left out.
    """

    def __init__(self, model: ModelFact) -> None:
        """Read the graph where every layer's sources are known, else fall back on the order of the layers."""
        self.layers = tuple(layer for layer in model.flat_layers() if layer.cls != "InputLayer")
        self._children = self._graph(model)

    def _graph(self, model: ModelFact) -> dict[str, list[int]] | None:
        names = {layer.name for layer in model.flat_layers()}
        nested = any(layer.layers for layer in model.layers)
        known = all(layer.inbound and set(layer.inbound) <= names for layer in self.layers[1:])
        if nested or not known or len(names) != len(model.flat_layers()):
            return None
        children: dict[str, list[int]] = {}
        for position, layer in enumerate(self.layers):
            for source in layer.inbound:
                children.setdefault(source, []).append(position)
        return children

    def next(self, position: int) -> tuple[LayerFact, ...]:
        """The layers that take the output of the layer at a position."""
        if self._children is None:
            return self.layers[position + 1 : position + 2]
        return tuple(self.layers[child] for child in self._children.get(self.layers[position].name, ()))

    def behind(self, position: int) -> tuple[LayerFact, ...]:
        """Every layer downstream of the layer at a position, in order."""
        if self._children is None:
            return self.layers[position + 1 :]
        reached: set[int] = set()
        waiting = list(self._children.get(self.layers[position].name, ()))
        while waiting:
            child = waiting.pop()
            if child not in reached:
                reached.add(child)
                waiting += self._children.get(self.layers[child].name, ())
        return tuple(self.layers[child] for child in sorted(reached))

    def before(self, position: int) -> tuple[LayerFact, ...]:
        """Every layer upstream of the layer at a position, in order."""
        name = self.layers[position].name
        if self._children is None:
            return self.layers[:position]
        return tuple(
            layer
            for place, layer in enumerate(self.layers)
            if place != position and any(other.name == name for other in self.behind(place))
        )

    def activation(self, position: int) -> str | None:
        """The activation a layer's output goes through: its own, or the activation layer's that follows.

        A normalisation between the two is looked through (convolution, batch normalisation, activation).

        Returns:
            The activation's name, or None where the layer has no such setting.
        """
        own = own_activation(self.layers[position])
        if own != "linear":
            return own
        for layer in self.behind(position):
            found = own_activation(layer)
            if found is not None and not is_transform(layer):
                return found
            if layer.cls not in _NORMALISATIONS:
                break
        return own

"""Facts about a model's layers that several checks and diagnostics need."""

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator

from grader.facts.keras_names import CUSTOM, canonical_activation
from grader.facts.nearest import did_you_mean
from grader.facts.operations import is_unreadable, keeps_range, operation_activation, scaling_of
from grader.schema.base import Json
from grader.schema.evidence import LayerFact, ModelFact

__all__ = [
    "CONVOLUTIONS",
    "DROPOUTS",
    "GROUPS",
    "KNOWN_LAYERS",
    "LAYERED_CLASSES",
    "SCALING_LAYERS",
    "LayerName",
    "Network",
    "activation_name",
    "canonical_layer",
    "final_activation",
    "is_transform",
    "kernel_size",
    "layer_matches",
    "may_match",
    "own_activation",
    "unknown_layer",
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
"""Layers whose output has a small range, whatever their input."""
_NORMALISATIONS = frozenset(
    {"BatchNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization", "UnitNormalization"}
)

GROUPS: Mapping[str, frozenset[str]] = {
    "any_convolution": CONVOLUTIONS,
    "any_dropout": DROPOUTS,
    "any_normalization": _NORMALISATIONS,
    "any_pooling": _POOLINGS,
}
"""Families of layers, by the names that rubrics can use instead of a class."""

_TRANSPOSED = frozenset(f"Conv{suffix}Transpose" for suffix in _DIMENSIONS)
_RECURRENT = frozenset({"SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional", "TimeDistributed"})
_TRANSFORMS = CONVOLUTIONS | _TRANSPOSED | _RECURRENT | {"Dense", "EinsumDense", "MultiHeadAttention", "Embedding"}
_WITH_WEIGHTS = _TRANSFORMS | (_NORMALISATIONS - {"UnitNormalization"}) | {"Normalization", "PReLU"}
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
"""Layer classes of Keras, without aliases; the rest only occur in rubrics."""

_RARE_LAYERS = (
    _over_dimensions("AdaptiveAveragePooling", "AdaptiveMaxPooling")
    | frozenset(f"{cell}Cell" for cell in ("AbstractRNN", "GRU", "LSTM", "SimpleRNN"))
    | frozenset(
        f"Random{change}"
        for change in (
            *("ColorDegeneration", "ColorJitter", "ElasticTransform", "Erasing", "GaussianBlur", "Grayscale", "Height"),
            *("Hue", "Invert", "Perspective", "Posterization", "Saturation", "Sharpness", "Shear", "Width"),
        )
    )
    | {
        *("AugMix", "AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization", "CutMix", "DenseFeatures"),
        *("Discretization", "Equalization", "FlaxLayer", "GroupQueryAttention", "HashedCrossing", "Hashing"),
        *("IntegerLookup", "JaxLayer", "Layer", "LocallyConnected1D", "LocallyConnected2D", "MaxNumBoundingBoxes"),
        *("MelSpectrogram", "MixUp", "Pipeline", "RandAugment", "ReversibleEmbedding", "STFTSpectrogram"),
        *("Solarization", "StackedRNNCells", "StringLookup", "TFSMLayer", "TextVectorization", "TorchModuleWrapper"),
        "Wrapper",
    }
)

_ALIASES = (
    {f"MaxPool{suffix}": f"MaxPooling{suffix}" for suffix in _DIMENSIONS}
    | {f"AvgPool{suffix}": f"AveragePooling{suffix}" for suffix in _DIMENSIONS}
    | {f"GlobalMaxPool{suffix}": f"GlobalMaxPooling{suffix}" for suffix in _DIMENSIONS}
    | {f"GlobalAvgPool{suffix}": f"GlobalAveragePooling{suffix}" for suffix in _DIMENSIONS}
    | {f"Convolution{suffix}": f"Conv{suffix}" for suffix in _DIMENSIONS}
    | {f"Convolution{suffix}Transpose": f"Conv{suffix}Transpose" for suffix in _DIMENSIONS}
    | {f"SeparableConvolution{suffix}": f"SeparableConv{suffix}" for suffix in ("1D", "2D")}
    | dict.fromkeys(("BatchNormalizationV1", "SyncBatchNormalization"), "BatchNormalization")
)
_PASS_THROUGH = (
    DROPOUTS
    | _over_dimensions("AveragePooling", "GlobalAveragePooling", "GlobalMaxPooling")
    | {"Flatten", "Reshape", "Identity", "InputLayer", "Permute", "ActivityRegularization"}
)
_BETWEEN = _NORMALISATIONS | _PASS_THROUGH | _POOLINGS | _over_dimensions("ZeroPadding", "Cropping")
"""Layers that may come between a layer and its activation."""
LAYERED_CLASSES = frozenset({"Sequential", "Functional", "Model"})
_OUTPUT_ACTIVATIONS = frozenset({"sigmoid", "softmax"})
"""Activations that are usual only in a model's last layer, so that the order of the layers need not be known."""


def canonical_layer(name: str) -> str:
    """Resolve the alias of a layer class: `MaxPool2D` becomes `MaxPooling2D`."""
    return _ALIASES.get(name, name)


def unknown_layer(name: str) -> str:
    """Describe what is wrong with a layer class or family; empty if a rubric may use it."""
    if name.startswith(CUSTOM) and len(name) > len(CUSTOM):
        return ""
    if canonical_layer(name) in KNOWN_LAYERS | _RARE_LAYERS | LAYERED_CLASSES or name in GROUPS:
        return ""
    choices = sorted({*KNOWN_LAYERS, *_RARE_LAYERS, *GROUPS, *_ALIASES})
    return f"Keras has no layer {name!r}{did_you_mean(name, choices)} (write a custom class as `custom:{name}`)"


def _known_layer(name: str) -> str:
    problem = unknown_layer(name)
    if problem:
        raise ValueError(problem)
    return canonical_layer(name)


LayerName = Annotated[str, AfterValidator(_known_layer)]
"""A layer class, a family such as `any_dropout`, or `custom:Name` for a custom class."""


def layer_matches(layer: LayerFact, wanted: str | tuple[str, ...]) -> bool:
    """Whether a layer has a class or belongs to a family.

    Args:
        layer: The layer.
        wanted: One `LayerName`, or several of which one is enough.
    """
    names = (wanted,) if isinstance(wanted, str) else wanted
    return any(_is_a(layer, name) for name in names)


def may_match(layer: LayerFact, wanted: str | tuple[str, ...]) -> bool:
    """Whether a layer may do what a class or family does, because only the student's own code shows what it does.

    This is a `Lambda`, or a layer class that the student derived from `Layer`, without layers in it. It has weights if
    and only if such layers have weights.

    Args:
        layer: The layer.
        wanted: One `LayerName`, or several of which one is enough.
    """
    if layer.cls != "Lambda" and (layer.cls != "Layer" or layer.custom is None or layer.layers):
        return False
    names = (wanted,) if isinstance(wanted, str) else wanted
    return any(_has_weights(name) is (layer.parameters > 0) for name in names if not name.startswith(CUSTOM))


def _has_weights(name: str) -> bool:
    return bool(GROUPS.get(name, frozenset({canonical_layer(name)})) & _WITH_WEIGHTS)


def _is_a(layer: LayerFact, name: str) -> bool:
    if layer.operation is not None:
        return False
    if name.startswith(CUSTOM):
        return name.removeprefix(CUSTOM) in {layer.custom, layer.cls}
    return canonical_layer(layer.cls) in GROUPS.get(name, frozenset({canonical_layer(name)}))


def is_transform(layer: LayerFact) -> bool:
    """Whether a layer mixes its inputs with learned weights; a normalization does not."""
    return layer.cls in _TRANSFORMS or (layer.parameters > 0 and layer.cls not in KNOWN_LAYERS)


def activation_name(value: Json) -> str | None:
    """Return the lower-case name of a serialized activation, such as `silu` for `swish`; None if it is unknown."""
    if value is None:
        return "linear"
    if isinstance(value, Mapping):
        inner = value.get("config")
        value = inner if value.get("class_name") == "function" else value.get("class_name")
    return canonical_activation(value) if isinstance(value, str) and value else None


def own_activation(layer: LayerFact) -> str | None:
    """Return the activation that a layer applies itself; None if it has no such setting or it is unknown."""
    if layer.operation is not None:
        return operation_activation(layer)
    if layer.cls in _ACTIVATION_LAYERS:
        return _ACTIVATION_LAYERS[layer.cls]
    return activation_name(layer.config["activation"]) if "activation" in layer.config else None


def kernel_size(layer: LayerFact) -> tuple[int, ...] | None:
    """Return the kernel size of a convolution, one number per axis; None for other layers."""
    value = layer.config.get("kernel_size")
    if isinstance(value, int):
        return (value,)
    if isinstance(value, (list, tuple)) and value and all(isinstance(side, int) for side in value):
        return tuple(value)
    return None


def final_activation(model: ModelFact) -> str | None:
    """Find the activation of a model's output, such as `softmax`, `sigmoid` or `linear`.

    Layers and operations that only drop, average or reshape numbers are skipped. A subclassed model can apply an
    activation in `call`, so its layers do not show "linear", and neither do other operations that come last. Then the
    predicted values decide. Logits that are multiplied by a number, or that have a number added, remain logits.

    Args:
        model: The model.

    Returns:
        The activation's name, or None if it is unknown.
    """
    return _structural_activation(model) or model.predicted_activation


def _structural_activation(model: ModelFact) -> str | None:
    layers = [layer for layer in reversed(model.flat_layers()) if layer.cls not in _PASS_THROUGH]
    last = next((layer for layer in layers if scaling_of(layer) is None), None)
    if last is None or model.output_shape is None or last.cls == "Lambda":
        return None
    activation = "linear" if last.cls in _NORMALISATIONS else own_activation(last)
    if Network(model).is_called_by_student(last) and activation not in _OUTPUT_ACTIVATIONS:
        return None
    if activation == "linear":
        return activation if model.cls in LAYERED_CLASSES else None
    scaled = any(not keeps_range(layer) for layer in layers[: layers.index(last)])
    return None if scaled else activation


class Network:
    """A model's layers in order, with the connections between them.

    Attributes:
        layers: Every layer and operation, with the layers of nested models, without input layers.
    """

    def __init__(self, model: ModelFact) -> None:
        """Read the graph if the sources of every layer are known; else use the order of the layers."""
        self.layers = tuple(layer for layer in model.flat_layers() if layer.cls != "InputLayer")
        self._children = self._graph(model)
        called = _called(model.layers, of_student=model.cls not in LAYERED_CLASSES)
        self._called = frozenset(id(layer) for layer in called) if self._children is None else frozenset()

    def _graph(self, model: ModelFact) -> dict[str, list[int]] | None:
        names = {layer.name for layer in model.flat_layers()}
        nested = any(layer.layers for layer in model.layers)
        connected = all(layer.inbound and set(layer.inbound) <= names for layer in self.layers[1:])
        if nested or not connected or len(names) != len(model.flat_layers()):
            return None
        children: dict[str, list[int]] = {}
        for position, layer in enumerate(self.layers):
            for source in layer.inbound:
                children.setdefault(source, []).append(position)
        return children

    def is_called_by_student(self, layer: LayerFact) -> bool:
        """Whether a `call` of the student's applies one of the layers.

        The order of such layers and the functions between them are unknown; `layers` has the order of the attributes.
        """
        return id(layer) in self._called

    @property
    def has_known_order(self) -> bool:
        """Whether no `call` of the student's decides in which order the layers are applied."""
        return not self._called

    def next(self, position: int) -> tuple[LayerFact, ...]:
        """List the layers that take the output of the layer at a position."""
        if self._children is None:
            return self.layers[position + 1 : position + 2]
        return tuple(self.layers[child] for child in self._children.get(self.layers[position].name, ()))

    def behind(self, position: int) -> tuple[LayerFact, ...]:
        """List every layer downstream of the layer at a position, in order."""
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
        """List every layer upstream of the layer at a position, in order."""
        if self._children is None:
            return self.layers[:position]
        inbound = {layer.name: layer.inbound for layer in self.layers}
        reached: set[str] = set()
        waiting = list(inbound[self.layers[position].name])
        while waiting:
            source = waiting.pop()
            if source not in reached:
                reached.add(source)
                waiting += inbound.get(source, ())
        return tuple(layer for place, layer in enumerate(self.layers) if place != position and layer.name in reached)

    def activation(self, position: int) -> str | None:
        """Find the activation of a layer's output: its own activation, or the next activation layer's.

        Layers between the two that only normalize, pool, drop or reorder numbers are skipped (convolution, batch
        normalization, pooling, activation).

        Returns:
            The activation's name; None if the layer has no such setting, or if code of the student's may apply one.
        """
        own = own_activation(self.layers[position])
        if own != "linear":
            return own
        for layer in self.behind(position):
            activation = own_activation(layer)
            if activation is not None and not is_transform(layer):
                return activation
            if is_unreadable(layer) or self.is_called_by_student(layer):
                return None
            if layer.cls not in _BETWEEN and not keeps_range(layer):
                break
        return None if self.is_called_by_student(self.layers[position]) else own


def _called(layers: tuple[LayerFact, ...], *, of_student: bool) -> Iterator[LayerFact]:
    """List the layers of a model that a `call` of the student's applies.

    Args:
        layers: The layers of a model or composite layer.
        of_student: Whether the class of the model or composite layer, or of an outer one, is the student's own.
    """
    written = of_student and not any(layer.inbound for layer in layers)
    for layer in layers:
        if layer.layers:
            yield from _called(layer.layers, of_student=written or layer.custom is not None)
        elif written:
            yield layer

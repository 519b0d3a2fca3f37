"""Checks a `.keras` file for parts that may carry code, before Keras loads it.

Keras's safe mode was bypassed several times, mostly by a configuration that names a function of Keras, TensorFlow or
Python in place of a layer. So a configuration may only name layers and their parts.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["foreign_name", "foreign_part"]

_MEMBERS = re.compile(r"metadata\.json|config\.json|model\.weights\.h5|assets/[\w./-]{0,200}|_self_contained/?")
_MOST_CONFIG = 32 << 20
_MOST_WEIGHTS = 2 << 30
_MOST_LINKS = 100_000


def _words(text: str) -> list[str]:
    return text.split()


_FAMILIES = "activations|constraints|dtype_policies|engine|initializers|layers|mixed_precision|models|ops|regularizers"
_MODULES = re.compile(rf"(tf_)?keras(\.src|\._legacy)?(\.({_FAMILIES})(\.\w+)*)?|builtins")
_OPERATIONS = re.compile(r"keras\.src\.(ops\.(numpy|nn|math|image|linalg)|activations\.activations)")
"""Modules of Keras 3 that contain operations on tensors, and no other class."""
_OPERATION = re.compile(r"[A-Z][A-Za-z0-9]*")
_PLAIN_OPERATIONS = frozenset({"Cast", "Slice", "StopGradient", "Unstack"})
"""Operations of `keras.src.ops.core` that take no function."""
_CLASSES = frozenset(
    _words("""
    Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
    AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add AdditiveAttention AlphaDropout Attention AugMix
    AutoContrast Average AveragePooling1D AveragePooling2D AveragePooling3D BatchNormalization
    BatchNormalizationV1 Bidirectional CategoryEncoding CenterCrop Concatenate
    ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose
    ConvLSTM1D ConvLSTM2D ConvLSTM3D Cropping1D Cropping2D Cropping3D CutMix Dense DepthwiseConv1D DepthwiseConv2D
    Discretization Dot Dropout ELU EinsumDense Embedding Equalization Flatten GRU GRUCell GaussianDropout GaussianNoise
    GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D
    GlobalMaxPooling3D GroupNormalization GroupQueryAttention Identity InputLayer LSTM LSTMCell LayerNormalization
    LeakyReLU LocallyConnected1D LocallyConnected2D Masking MaxPooling1D MaxPooling2D MaxPooling3D Maximum Minimum MixUp
    MultiHeadAttention Multiply Normalization PReLU Permute Pipeline RMSNormalization RNN RandAugment RandomBrightness
    RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip
    RandomFourierFeatures RandomGaussianBlur RandomGrayscale RandomHeight RandomHue RandomInvert RandomPerspective
    RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation RandomWidth
    RandomZoom ReLU RepeatVector Rescaling Reshape Resizing SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell
    Softmax Solarization SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization StackedRNNCells
    Subtract SyncBatchNormalization ThresholdedReLU TimeDistributed UnitNormalization UpSampling1D UpSampling2D
    UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
    Functional Model Sequential
    Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity IdentityInitializer LecunNormal LecunUniform Ones
    Orthogonal OrthogonalInitializer RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros
    L1 L1L2 L2 OrthogonalRegularizer MaxNorm MinMaxNorm NonNeg UnitNorm
    DTypePolicy DTypePolicyMap FloatDTypePolicy Policy
    """)
)
"""The classes of layers, initializers, regularizers, constraints and types that a model can consist of. None of them
carries code, loads a file or is given the name of another class outside of this list."""
_CALLED = frozenset({"TFOpLambda", "SlicingOpLambda", "InstanceProperty", "InstanceMethod"})
"""Layers of Keras 2 that call a function of TensorFlow, or read an attribute of a tensor, by name."""
_TENSORFLOW = re.compile(
    r"(math|nn|linalg|__operators__)\.[a-z]\w*|image\.(resize|rgb_to_grayscale|grayscale_to_rgb)"
    r"|abs|cast|clip_by_value|concat|expand_dims|identity|keras\.activations\.\w+|one_hot|ones_like|pad|repeat|reshape"
    r"|shape|slice|split|squeeze|stack|stop_gradient|strided_slice|tile|transpose|unstack|where|zeros_like"
)
_ATTRIBUTE = re.compile(r"[a-z]\w*")
_FUNCTIONS = frozenset(
    _words("""
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid
    log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid
    sparsemax squareplus swish tanh tanh_shrink threshold
    """)
)
"""Functions that a configuration may name: the activations."""
_ACTIVATION = re.compile(r"(\w+_)?activation")
_MARKS = frozenset({"__keras_tensor__", "__tensor__", "__numpy__", "__ellipsis__", "__slice__", "__bytes__"})
"""Values in a configuration that Keras writes like objects."""


def foreign_part(path: Path) -> str | None:
    """Find a part of a model's file that a model of plain layers does not have.

    Args:
        path: An untrusted `.keras` file.

    Returns:
        Description of the part; None if there is none.

    Raises:
        Exception: The file is not a readable `.keras` file; any error of zip, JSON or HDF5.
    """
    with zipfile.ZipFile(path) as archive:
        strange = next((name for name in archive.namelist() if not _MEMBERS.fullmatch(name) or ".." in name), None)
        if strange is not None:
            return f"the model's file has a part named {strange[:80]!r}"
        sizes = {member.filename: member.file_size for member in archive.infolist()}
        if len(sizes) != len(archive.namelist()):
            return "the model's file has two parts with the same name"
        if sizes.get("config.json", 0) > _MOST_CONFIG or sum(sizes.values()) > _MOST_WEIGHTS:
            return "the model's file is too large after unpacking"
        named = foreign_name(json.loads(archive.read("config.json")))
        if named is not None or "model.weights.h5" not in sizes:
            return named
        with archive.open("model.weights.h5") as weights:
            return _outside_weights(io.BytesIO(weights.read()))


def foreign_name(config: Any) -> str | None:
    """Describe the first class or function of a configuration that is not in the lists of known ones.

    Args:
        config: The content of `config.json`; untrusted.

    Returns:
        Description of the class or function; None if all are known.
    """
    for part in _objects(config):
        strange = _strange_activation(part) or (_strange_object(part) if "class_name" in part else None)
        if strange is not None:
            return strange
    return None


def _strange_object(part: dict[str, Any]) -> str | None:
    name, module, registered = part["class_name"], part.get("module"), part.get("registered_name")
    if name in ("Lambda", "__lambda__"):
        return f"the model has a {name}, which can carry code"
    known = isinstance(name, str) and (module is None or isinstance(module, str))
    if module is not None and not (isinstance(module, str) and _MODULES.fullmatch(module)):
        return f"the model uses {str(name)[:80]!r} of {str(module)[:80]!r}, which is not a part of Keras layers"
    if known and name == "function":
        called = part.get("config")
        return None if isinstance(called, str) and called in _FUNCTIONS else "the model uses a function of Python"
    # Keras looks up a registered name first, so a known class could stand for another one.
    same = registered is None or registered == name
    if not (known and same and _is_known(str(name), str(module or ""), part.get("config"))):
        return f"the model uses {str(name)[:80]!r} of {str(module)[:80]!r}, which is not a known part of Keras layers"
    return None


def _is_known(name: str, module: str, config: Any) -> bool:
    if _OPERATIONS.fullmatch(module):
        return _OPERATION.fullmatch(name) is not None
    if module == "keras.src.ops.core":
        return name in _PLAIN_OPERATIONS
    if name in _CALLED:
        called = config if isinstance(config, dict) else {}
        named = [called[key] for key in ("attr_name", "method_name") if key in called]
        return all(isinstance(each, str) and _ATTRIBUTE.fullmatch(each) for each in named) and (
            "function" not in called
            or (isinstance(called["function"], str) and _TENSORFLOW.fullmatch(called["function"]) is not None)
        )
    return name in _CLASSES or (not module and name in _MARKS)


def _strange_activation(part: dict[str, Any]) -> str | None:
    """Describe an activation that is named by a plain text, and is not one of Keras."""
    for key, value in part.items():
        if isinstance(value, str) and _ACTIVATION.fullmatch(key) and value not in _FUNCTIONS:
            return f"the model uses the activation {value[:80]!r}, which is not one of Keras"
    return None


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every object, without recursion, since a configuration can have any depth."""
    waiting = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _outside_weights(file: io.BytesIO) -> str | None:
    """Describe links or data that lead out of the HDF5 file."""
    import h5py

    with h5py.File(file, "r") as store:
        waiting = [store["/"]]
        seen = 0
        while waiting:
            group = waiting.pop()
            for name in group:
                seen += 1
                link = group.get(name, getlink=True)
                if not isinstance(link, h5py.HardLink) or seen > _MOST_LINKS:
                    return "the model's weights contain links"
                item = group[name]
                if isinstance(item, h5py.Group):
                    waiting.append(item)
                elif item.external or item.is_virtual:
                    return "the model's weights are in another file"
    return None

"""Translate old layer arguments: keywords of Keras 1, and a kernel size given as two numbers.

Up to version 2.3, the package `keras` translated both itself and printed a warning.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from ..record.notes import Notes
from .forms import tell
from .origins import Origins
from .tools import around_init, called_by_keras, public

__all__ = ["LAYERS", "Renaming", "attach", "kernel_of_positions"]

_ORDERINGS = {"tf": "channels_last", "th": "channels_first", "default": None}


@dataclass(frozen=True, slots=True)
class Renaming:
    """Renamed Keras 1 keywords of some layers."""

    names: Mapping[str, str]
    """Old keyword → new keyword."""
    dropped: tuple[str, ...] = ()
    """Keywords without a meaning in Keras 2."""
    pairs: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    """Several old keywords → the new keyword that combines them."""

    def translate(self, keywords: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the arguments with new keywords.

        Args:
            keywords: The student's keyword arguments.

        Returns:
            The translated arguments. None if no old keyword is used, or if an old and its new keyword are both present:
            Keras itself then reports the conflict.
        """
        old = {*self.names, *self.dropped, *(name for pair in self.pairs for name in pair)}
        old_keywords = old & set(keywords)
        if not old_keywords:
            return None
        result = {name: value for name, value in keywords.items() if name not in old_keywords}
        for name, value in self._renamed(keywords):
            if name in result:
                return None
            result[name] = value
        return result

    def _renamed(self, keywords: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for old, new in self.names.items():
            if old in keywords:
                value = keywords[old]
                yield new, _ORDERINGS.get(value, value) if old == "dim_ordering" else value
        for parts, new in self.pairs.items():
            if any(part in keywords for part in parts):
                yield new, tuple(keywords[part] for part in parts if part in keywords)


_WEIGHTS = {
    "init": "kernel_initializer",
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "bias": "use_bias",
}
_DENSE = Renaming({"output_dim": "units", **_WEIGHTS})
_RATE = Renaming({"p": "rate"})
_ORDERED = Renaming({"dim_ordering": "data_format"})
_WINDOW = {"border_mode": "padding", "dim_ordering": "data_format"}
_PLANE = {"nb_filter": "filters", "subsample": "strides", **_WINDOW, **_WEIGHTS}
_CONV_1 = Renaming({**_PLANE, "filter_length": "kernel_size", "subsample_length": "strides"})
_CONV_2 = Renaming(_PLANE, pairs={("nb_row", "nb_col"): "kernel_size"})
_CONV_3 = Renaming(_PLANE, pairs={("kernel_dim1", "kernel_dim2", "kernel_dim3"): "kernel_size"})
_POOL_1 = Renaming({"pool_length": "pool_size", "stride": "strides", "border_mode": "padding"})
_POOL = Renaming(_WINDOW)
_RECURRENT = Renaming(
    {
        "output_dim": "units",
        **_WEIGHTS,
        "inner_init": "recurrent_initializer",
        "inner_activation": "recurrent_activation",
        "U_regularizer": "recurrent_regularizer",
        "dropout_W": "dropout",
        "dropout_U": "recurrent_dropout",
    },
    dropped=("consume_less", "forget_bias_init"),
)

LAYERS: Mapping[str, Renaming] = {
    "Dense": _DENSE,
    "Dropout": _RATE,
    "GaussianDropout": _RATE,
    "SpatialDropout1D": _RATE,
    "SpatialDropout2D": Renaming({"p": "rate", "dim_ordering": "data_format"}),
    "GaussianNoise": Renaming({"sigma": "stddev"}),
    "Embedding": Renaming(
        {
            "init": "embeddings_initializer",
            "W_regularizer": "embeddings_regularizer",
            "W_constraint": "embeddings_constraint",
        },
        dropped=("dropout",),
    ),
    "BatchNormalization": Renaming({"beta_init": "beta_initializer", "gamma_init": "gamma_initializer"}, ("mode",)),
    "Conv1D": _CONV_1,
    "Conv2D": _CONV_2,
    "Conv2DTranspose": _CONV_2,
    "SeparableConv2D": _CONV_2,
    "Conv3D": _CONV_3,
    "MaxPooling1D": _POOL_1,
    "AveragePooling1D": _POOL_1,
    "MaxPooling2D": _POOL,
    "AveragePooling2D": _POOL,
    "MaxPooling3D": _POOL,
    "AveragePooling3D": _POOL,
    "GlobalMaxPooling2D": _ORDERED,
    "GlobalAveragePooling2D": _ORDERED,
    "UpSampling2D": _ORDERED,
    "ZeroPadding2D": _ORDERED,
    "Cropping2D": _ORDERED,
    "Flatten": _ORDERED,
    "PReLU": Renaming({"init": "alpha_initializer"}),
    "SimpleRNN": _RECURRENT,
    "GRU": _RECURRENT,
    "LSTM": _RECURRENT,
}
"""Layer → its renamed keywords."""

_KERNELS = ("Conv2D", "Conv2DTranspose", "SeparableConv2D")


def kernel_of_positions(args: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Read `Conv2D(n, rows, columns)` in the sense of Keras up to 2.3.

    Args:
        args: The positional arguments.

    Returns:
        `(n, (rows, columns))`, or None unless there are three arguments and the last two are integers.
    """
    integers = all(isinstance(size, int) and not isinstance(size, bool) for size in args[1:])
    return (args[0], (args[1], args[2])) if len(args) == 3 and integers else None  # noqa: PLR2004 - as above


def attach(root: ModuleType, notes: Notes, origins: Origins) -> None:
    """Let the layers accept their old arguments.

    Args:
        root: The module `tf_keras`.
        notes: Receives a note for each old form that is used.
        origins: Provides the package that a name was imported from.
    """
    for name, renaming in LAYERS.items():
        cls = getattr(root.layers, name)
        around_init(cls, _keywords(renaming, notes))
        if name in _KERNELS:
            aliases = [alias for alias, value in vars(root.layers).items() if value is cls]
            around_init(cls, _positions(cls, aliases, notes, origins))
    _updates(root.layers.Layer, notes)
    for module in public(root, "regularizers"):
        _regularizers(module, notes)


def _keywords(renaming: Renaming, notes: Notes) -> Callable[..., Any]:
    def construct(original: Any, layer: Any, *args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        translated = renaming.translate(kwargs)
        if translated is not None:
            tell(notes, "layers.keras1")
        original(layer, *args, **(kwargs if translated is None else translated))

    return construct


def _positions(cls: type, aliases: list[str], notes: Notes, origins: Origins) -> Callable[..., Any]:
    def construct(original: Any, layer: Any, *args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        new_args = kernel_of_positions(args) if type(layer) is cls else None
        if new_args is not None and origins.standalone(*aliases):
            tell(notes, "layers.positional_kernel")
            args = new_args
        original(layer, *args, **kwargs)

    return construct


def _updates(base: Any, notes: Notes) -> None:
    original = base.__dict__["updates"]

    def read(layer: Any) -> Any:
        if not called_by_keras():
            tell(notes, "layers.updates")
        return original.fget(layer)

    base.updates = property(read, doc=original.__doc__)


def _regularizers(module: ModuleType, notes: Notes) -> None:
    def old(target: Any) -> Callable[..., Any]:
        def make(*args: Any, **kwargs: Any) -> Any:
            tell(notes, "regularizers.keras1")
            return target(*args, **kwargs)

        return make

    both = module.L1L2
    functions = {
        "activity_l1": module.l1,
        "activity_l2": module.l2,
        "activity_l1l2": module.l1_l2,
        "l1l2": module.l1_l2,
    }
    for name, target in {**functions, "WeightRegularizer": both, "ActivityRegularizer": both}.items():
        setattr(module, name, old(target))

"""Restore the optimizers of Keras up to 2.10.

The public names become the old classes, which `tf_keras` keeps as `optimizers.legacy`. These accept `lr=` and `decay=`,
have the attribute `lr`, and one object can train several models. Keywords that only exist since Keras 2.11
(`weight_decay=` …) create the new class.
"""

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from ..hooking.imports import replace_everywhere
from ..hooking.patching import around
from ..record.notes import Notes
from .forms import tell
from .origins import Origins
from .tools import around_init, called_by_keras, public

__all__ = ["CLASSES", "LATER_KEYWORDS", "OLD_DEFAULT_RATES", "attach", "is_later"]

CLASSES: Mapping[str, tuple[str, str]] = {
    "Adadelta": ("adadelta", "adadelta"),
    "Adagrad": ("adagrad", "adagrad"),
    "Adam": ("adam", "adam"),
    "Adamax": ("adamax", "adamax"),
    "Ftrl": ("ftrl", "ftrl"),
    "Nadam": ("nadam", "nadam"),
    "RMSprop": ("rmsprop", "rmsprop"),
    "SGD": ("sgd", "gradient_descent"),
}
"""Class → module of the new class in `tf_keras.src.optimizers`, and module of the old class in its `legacy`."""

LATER_KEYWORDS = frozenset(
    {"weight_decay", "use_ema", "ema_momentum", "ema_overwrite_frequency", "jit_compile", "is_legacy_optimizer"}
)
"""Keywords that only optimizers since Keras 2.11 have."""

OLD_DEFAULT_RATES: Mapping[str, float] = {"Adadelta": 1.0, "Adagrad": 0.01, "Adamax": 0.002, "Nadam": 0.002}
"""Default learning rates in the package `keras` up to 2.3; later versions use 0.001."""


def is_later(keywords: Mapping[str, Any]) -> bool:
    """Return whether an optimizer's arguments require the class of Keras 2.11 or later.

    Args:
        keywords: Keyword arguments of the constructor.
    """
    return not LATER_KEYWORDS.isdisjoint(keywords)


def attach(root: ModuleType, notes: Notes, origins: Origins) -> None:
    """Replace the new optimizers by the old ones.

    Args:
        root: The module `tf_keras`.
        notes: Receives a note for each old form that is used.
        origins: Provides the package that a name was imported from.
    """
    package = import_module(f"{root.__name__}.src.optimizers")
    base = import_module(f"{package.__name__}.legacy.optimizer_v2").OptimizerV2
    for name, (later_module, earlier_module) in CLASSES.items():
        later = getattr(getattr(package, later_module), name)
        earlier = getattr(import_module(f"{package.__name__}.legacy.{earlier_module}"), name)
        _make_later(earlier, later)
        _tell_keywords(earlier, notes, origins)
        replace_everywhere(later, earlier, name, ("tf_keras",))
    _tell_attribute(base, notes)
    _count_models(base, notes)
    _lower_case(root, notes)


def _make_later(earlier: type, later: type) -> None:
    """Let the old class create the new one if a keyword only exists in the new class."""

    def new(cls: type, *args: Any, **kwargs: Any) -> Any:
        if cls is earlier and is_later(kwargs):
            kwargs.pop("is_legacy_optimizer", None)
            return later(*args, **kwargs)
        return object.__new__(cls)

    earlier.__new__ = new  # type: ignore[method-assign,assignment]  # the class is known only now


def _tell_keywords(cls: type, notes: Notes, origins: Origins) -> None:
    def construct(original: Any, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        original(optimizer, *args, **kwargs)
        if "lr" in kwargs:
            tell(notes, "optimizer.lr")
        if kwargs.get("decay") and not called_by_keras():
            tell(notes, "optimizer.decay")
        default_rate = not args and not {"lr", "learning_rate"} & set(kwargs)
        if default_rate and cls.__name__ in OLD_DEFAULT_RATES and origins.standalone(cls.__name__):
            tell(notes, "optimizer.default_rate")

    around_init(cls, construct)


def _tell_attribute(base: Any, notes: Notes) -> None:
    """Report the use of `optimizer.lr`; the old class itself has the attribute."""

    def read(optimizer: Any) -> Any:
        if not called_by_keras():
            tell(notes, "optimizer.lr_attribute")
        return optimizer.learning_rate

    def write(original: Any, optimizer: Any, name: str, value: Any) -> None:
        if name == "lr" and not called_by_keras():
            tell(notes, "optimizer.lr_attribute")
        original(optimizer, name, value)

    base.lr = property(read)
    around(base, "__setattr__", write)


def _count_models(base: type, notes: Notes) -> None:
    """Report when an optimizer creates moments for a second set of variables."""

    def create(original: Any, optimizer: Any, variables: Any) -> Any:
        variables = list(variables)
        trained = optimizer.__dict__.setdefault("_grader_trained", set())
        keys = {getattr(variable, "_unique_id", id(variable)) for variable in variables}
        if trained and keys.isdisjoint(trained):
            tell(notes, "optimizer.shared")
        trained |= keys
        return original(optimizer, variables)

    around(base, "_create_all_weights", create)


def _lower_case(root: ModuleType, notes: Notes) -> None:
    """Restore the lower-case names of optimizers, such as `optimizers.adam`."""
    for name in CLASSES:
        for module in public(root, "optimizers"):
            setattr(module, name.lower(), _alias(getattr(module, name), name.lower(), notes))


def _alias(cls: type, name: str, notes: Notes) -> Any:
    def make(*args: Any, **kwargs: Any) -> Any:
        tell(notes, "optimizer.lower_case")
        return cls(*args, **kwargs)

    make.__name__ = make.__qualname__ = name
    return make

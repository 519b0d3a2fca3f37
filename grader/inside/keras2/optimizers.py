"""Optimizers as they were up to Keras 2.10.

The public names are the optimizers of that time, which `tf_keras` keeps as `optimizers.legacy`: `lr=`, `decay=` and
`optimizer.lr` are their own, and one object can train several models. What only came later (`weight_decay=` …) gives
the later class.
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
"""Class → the module of `tf_keras.src.optimizers` that has the later one, and that of its `legacy` with the earlier."""

LATER_KEYWORDS = frozenset(
    {"weight_decay", "use_ema", "ema_momentum", "ema_overwrite_frequency", "jit_compile", "is_legacy_optimizer"}
)
"""Keywords that optimizers have since Keras 2.11."""

OLD_DEFAULT_RATES: Mapping[str, float] = {"Adadelta": 1.0, "Adagrad": 0.01, "Adamax": 0.002, "Nadam": 0.002}
"""Learning rates with which the package `keras` up to 2.3 began where none was given, and which are 0.001 since."""


def is_later(keywords: Mapping[str, Any]) -> bool:
    """Whether an optimizer was asked for as it is since Keras 2.11.

    Args:
        keywords: Of its constructor.
    """
    return not LATER_KEYWORDS.isdisjoint(keywords)


def attach(root: ModuleType, notes: Notes, origins: Origins) -> None:
    """Put the earlier optimizers in the place of the later.

    Args:
        root: `tf_keras`.
        notes: Told of each form.
        origins: Knows where the notebook's names come from.
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
    """Let the earlier class make the later where it is given a keyword that only the later has."""

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
        unspoken = not args and not {"lr", "learning_rate"} & set(kwargs)
        if unspoken and cls.__name__ in OLD_DEFAULT_RATES and origins.standalone(cls.__name__):
            tell(notes, "optimizer.default_rate")

    around_init(cls, construct)


def _tell_attribute(base: Any, notes: Notes) -> None:
    """`optimizer.lr` is found by the class itself; here it is only said."""

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
    """Say when an optimizer makes moments for a second set of variables."""

    def create(original: Any, optimizer: Any, variables: Any) -> Any:
        variables = list(variables)
        known = optimizer.__dict__.setdefault("_grader_trained", set())
        keys = {getattr(variable, "_unique_id", id(variable)) for variable in variables}
        if known and keys.isdisjoint(known):
            tell(notes, "optimizer.shared")
        known |= keys
        return original(optimizer, variables)

    around(base, "_create_all_weights", create)


def _lower_case(root: ModuleType, notes: Notes) -> None:
    """`optimizers.adam` was another name of `optimizers.Adam`."""
    for name in CLASSES:
        for module in public(root, "optimizers"):
            setattr(module, name.lower(), _alias(getattr(module, name), name.lower(), notes))


def _alias(cls: type, name: str, notes: Notes) -> Any:
    def make(*args: Any, **kwargs: Any) -> Any:
        tell(notes, "optimizer.lower_case")
        return cls(*args, **kwargs)

    make.__name__ = make.__qualname__ = name
    return make

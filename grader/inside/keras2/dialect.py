"""Run a notebook in the Keras 2 dialect: `keras` imports `tf_keras`, moved modules resolve, old keywords still work.

The tables list all renamed parts. Supporting another renamed part only needs another row.
"""

import ast
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import wrapt

from ..hooking.imports import AliasFinder, Factory, StandInFinder, after_import, fallback_names, prefer
from ..record.notes import Notes, notes_of
from ..record.recorder import Recorder
from .forms import FORMS
from .sklearn import module as scikit_learn
from .tools import public

__all__ = ["KEYWORDS", "MOVED", "Keyword", "PrivateImports", "install", "install_shell"]

ALIASES = {"keras": "tf_keras"}
"""Module name in the notebook → module that is imported."""

PRIVATE = ("tensorflow.python.keras", "tensorflow._api.v1.keras")
"""Private names through which some notebooks import Keras. TensorFlow itself needs its modules with the first name, so
only the imports in cells are rewritten."""

MOVED: Mapping[str, tuple[str, ...]] = {
    "layers.core": ("layers",),
    "layers.convolutional": ("layers",),
    "layers.convolutional_recurrent": ("layers",),
    "layers.pooling": ("layers",),
    "layers.normalization": ("layers",),
    "layers.advanced_activations": ("layers",),
    "layers.embeddings": ("layers",),
    "layers.local": ("layers",),
    "layers.merge": ("layers",),
    "layers.noise": ("layers",),
    "layers.recurrent": ("layers",),
    "layers.wrappers": ("layers",),
    "utils.np_utils": ("utils",),
    "utils.vis_utils": ("utils",),
    "utils.data_utils": ("utils",),
    "utils.generic_utils": ("utils",),
    "utils.layer_utils": ("utils",),
    "backend.tensorflow_backend": ("backend",),
    "initializations": ("initializers",),
    "objectives": ("losses",),
    "engine": ("layers", "models"),
    "engine.topology": ("layers", "models"),
    "engine.training": ("models",),
    "engine.sequential": ("models",),
    "engine.base_layer": ("layers",),
    "engine.input_layer": ("layers",),
}
"""Module of an earlier Keras, relative to `keras` → modules of `tf_keras` that contain its names now."""


@dataclass(frozen=True, slots=True)
class Keyword:
    """A renamed keyword argument of some classes' constructors."""

    form: str
    """Id of its `emulated` event."""
    old: str
    new: str
    targets: tuple[tuple[str, str], ...]
    """(module, class) of each constructor that accepts it."""
    message: str

    def translate(self, kwargs: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the arguments with the new keyword, or None if the old one is not used.

        Args:
            kwargs: The student's keyword arguments.
        """
        if self.old not in kwargs:
            return None
        others = {name: value for name, value in kwargs.items() if name != self.old}
        return {self.new: kwargs[self.old], **others}


_OPTIMIZERS = ("Adadelta", "Adafactor", "Adagrad", "Adam", "Adamax", "AdamW", "Ftrl", "Lion", "Nadam", "RMSprop", "SGD")

KEYWORDS = (
    Keyword(
        form="optimizer.lr",
        old="lr",
        new="learning_rate",
        targets=tuple((f"tf_keras.src.optimizers.{name.lower()}", name) for name in _OPTIMIZERS),
        message=FORMS["optimizer.lr"].message,
    ),
)


def install(recorder: Recorder) -> None:
    """Set up the session's dialect before TensorFlow is imported.

    Args:
        recorder: Holds the session and receives the `emulated` events. For `keras3` nothing is set up.
    """
    if recorder.session.dialect != "keras2":
        os.environ.pop("TF_USE_LEGACY_KERAS", None)
        return
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    notes = notes_of(recorder)
    for prefix, target in ALIASES.items():
        prefer(AliasFinder(prefix, target))
    prefer(StandInFinder(_moved_modules(notes)))
    after_import("tf_keras", _moved_attributes)
    for keyword in KEYWORDS:
        for module, cls in keyword.targets:
            _translate(keyword, module, cls, notes)


def install_shell(recorder: Recorder, shell: Any) -> None:
    """Rewrite imports of Keras's private names in cells to `tf_keras`.

    Args:
        recorder: Holds the session. For `keras3` nothing is set up.
        shell: The IPython shell.
    """
    if recorder.session.dialect == "keras2":
        shell.ast_transformers.append(PrivateImports(notes_of(recorder)))


class PrivateImports(ast.NodeTransformer):
    """Rewrite imports of private names; nodes keep their positions, so that tracebacks stay correct."""

    def __init__(self, notes: Notes) -> None:
        """Create the transformer.

        Args:
            notes: Receives a note for each rewritten import.
        """
        self._notes = notes

    def visit_Import(self, node: ast.Import) -> ast.Import:
        """Rewrite `import tensorflow.python.keras as k`; without `as`, the import would bind the name `tensorflow`."""
        for alias in node.names:
            if alias.asname:
                alias.name = self._public(alias.name)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
        """Rewrite `from tensorflow.python.keras.layers import Dense` and `from tensorflow.python import keras`."""
        module = node.module or ""
        parents = {name.rpartition(".")[0] for name in PRIVATE}
        if module in parents and [alias.name for alias in node.names] == ["keras"]:
            name = ast.alias(self._public(f"{module}.keras"), node.names[0].asname or "keras")
            return ast.copy_location(ast.Import([ast.copy_location(name, node.names[0])]), node)
        node.module = self._public(module) or None
        return node

    def _public(self, module: str) -> str:
        for private in PRIVATE:
            if module == private or module.startswith(f"{private}."):
                self._notes.tell(
                    "moved.private", f"`{private}` is a private module; import `tensorflow.keras` instead."
                )
                return "tf_keras" + module[len(private) :]
        return module


def _moved_modules(notes: Notes) -> dict[str, Factory]:
    table: dict[str, Factory] = {}
    for prefix in (*ALIASES, "tensorflow.keras", "tf_keras"):
        table[f"{prefix}.wrappers"] = ModuleType
        table[f"{prefix}.wrappers.scikit_learn"] = scikit_learn(notes)
        for old, new in MOVED.items():
            table[f"{prefix}.{old}"] = _moved_module(old, new, notes)
    return table


def _moved_attributes(root: ModuleType) -> None:
    """Make `keras.utils.np_utils` and similar attributes available without an import, and `tf.keras.__version__`."""
    # TensorFlow gives `tf.keras` under several names; Keras 2 had its version in all of them.
    for name in ("tensorflow.keras", "tf_keras.api._v1.keras", "tf_keras.api._v2.keras"):
        after_import(name, lambda module: vars(module).setdefault("__version__", root.__version__))
    for parent in ("layers", "utils"):
        moved = {name.rpartition(".")[2]: name for name in MOVED if name.startswith(f"{parent}.")}

        def give(name: str, moved: Mapping[str, str] = moved) -> ModuleType:
            return import_module(f"tf_keras.{moved[name]}")

        for module in public(root, parent):
            fallback_names(module, give)


def _moved_module(old: str, new: tuple[str, ...], notes: Notes) -> Factory:
    def make(fullname: str) -> ModuleType:
        sources = [import_module(f"tf_keras.{name}") for name in new]
        where = " and ".join(f"`keras.{name}`" for name in new)
        notes.tell(f"moved.{old}", f"`keras.{old}` no longer exists; its names are in {where}.")
        module = ModuleType(fullname, f"The names of `{fullname}`, from {where}.")
        for source in reversed(sources):
            vars(module).update({name: value for name, value in vars(source).items() if not name.startswith("_")})
            if "__getattr__" in vars(source):
                vars(module)["__getattr__"] = vars(source)["__getattr__"]
        return module

    return make


def _translate(keyword: Keyword, module_name: str, cls: str, notes: Notes) -> None:
    def construct(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        del instance
        translated = keyword.translate(kwargs)
        # If the first argument is also given by position, Keras itself reports the conflict.
        if translated is None or args or keyword.new in kwargs:
            return wrapped(*args, **kwargs)
        notes.tell(keyword.form, keyword.message)
        return wrapped(**translated)

    def hook(module: ModuleType) -> None:
        wrapt.wrap_function_wrapper(module, f"{cls}.__init__", construct)

    after_import(module_name, hook)

"""Writes a model as a `.keras` file without its optimizer and losses, which is smaller and fails less often."""

import importlib
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..describe.models import dialect_of, in_sessions, numbers

__all__ = ["needs_students_code", "save"]

_FUNCTIONS = frozenset({"function", "Lambda", "__lambda__"})


def save(model: Any, path: Path) -> bool:
    """Write a `.keras` file.

    Args:
        model: A built model of either dialect.
        path: Path of the file, with any suffix.

    Returns:
        Whether loading it needs the student's own code (a class, a function, a Lambda layer).

    Raises:
        Exception: Keras cannot serialize the model.
    """
    root = "tf_keras" if dialect_of(model) == "keras2" else "keras"
    library = importlib.import_module(f"{root}.src.saving.saving_lib")
    config = _config(model, root, library)
    metadata = {"keras_version": importlib.import_module(root).__version__, "date_saved": "1970-01-01@00:00:00"}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps(metadata))
        archive.writestr("config.json", json.dumps(config))
        weights = library.H5IOStore("model.weights.h5", archive=archive, mode="w")
        assets = library.DiskIOStore("assets", archive=archive, mode="w")
        try:
            # Keras skips the objects in the set, as if they were saved already.
            with _readable_in_sessions():
                library._save_state(model, weights, assets, "", {id(part) for part in _of_training(model)})
        finally:
            weights.close()
            assets.close()
    return needs_students_code(config)


@contextmanager
def _readable_in_sessions() -> Iterator[None]:
    """Let Keras read variables in a notebook that uses graphs and sessions."""
    if not in_sessions():
        yield
        return
    variable = importlib.import_module("tensorflow.python.ops.resource_variable_ops").BaseResourceVariable
    before = variable.numpy
    variable.numpy = numbers
    try:
        yield
    finally:
        variable.numpy = before


def _of_training(model: Any) -> list[Any]:
    """Return the parts of a model that only its training needs."""
    names = ("optimizer", "_compile_loss", "_compile_metrics", "_loss_tracker", "compiled_loss", "compiled_metrics")
    return [model.__dict__[name] for name in names if model.__dict__.get(name) is not None]


def _config(model: Any, root: str, library: Any) -> dict[str, Any]:
    """Return the model's serialized configuration without the compile configuration.

    The student's own loss may not be serializable, so Keras must not serialize it. For that, an attribute of the
    instance hides the method temporarily.
    """
    serialization = importlib.import_module(f"{root}.src.saving.serialization_lib")
    hidden = model.__dict__
    hidden["get_compile_config"] = lambda: None
    keras_2_switch = getattr(library, "_SAVING_V3_ENABLED", None)
    before = getattr(keras_2_switch, "value", False)
    if keras_2_switch is not None:
        keras_2_switch.value = True
    try:
        with serialization.ObjectSharingScope():
            config: dict[str, Any] = serialization.serialize_keras_object(model)
    finally:
        del hidden["get_compile_config"]
        if keras_2_switch is not None:
            keras_2_switch.value = before
    config.pop("compile_config", None)
    json.dumps(config)
    return config


def needs_students_code(config: Any) -> bool:
    """Whether a serialized model uses a class or function that is not part of Keras.

    Args:
        config: The result of `serialize_keras_object`, or a part of it.
    """
    if isinstance(config, (list, tuple)):
        return any(needs_students_code(item) for item in config)
    if not isinstance(config, dict):
        return False
    if "class_name" in config and "config" in config:
        registered = config.get("registered_name")
        module = config.get("module")
        if config["class_name"] in _FUNCTIONS:
            return True
        foreign = module is not None and str(module).partition(".")[0] not in {"keras", "tf_keras", "builtins"}
        if foreign or (
            registered and (module is None or ">" in str(registered)) and config["class_name"] != "DTypePolicy"
        ):
            return True
    return any(needs_students_code(item) for item in config.values())

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

__all__ = ["foreign_part"]

_MEMBERS = re.compile(r"metadata\.json|config\.json|model\.weights\.h5|assets/[\w./-]{0,200}|_self_contained/?")
_MOST_CONFIG = 32 << 20
_MOST_WEIGHTS = 2 << 30
_MOST_LINKS = 100_000
_FAMILIES = (
    "activations|constraints|dtype_policies|engine|initializers|layers|losses|metrics|mixed_precision|models|ops"
    "|optimizers|regularizers"
)
_MODULES = re.compile(rf"(tf_)?keras(\.src|\._legacy)?(\.({_FAMILIES})(\.\w+)*)?|builtins")
_CARRIERS = frozenset(
    {"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "FlaxLayer", "JaxLayer", "StringLookup"}
)
"""Classes that carry code or read files, whatever module the configuration names for them."""


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
        named = _foreign_name(json.loads(archive.read("config.json")))
        if named is not None or "model.weights.h5" not in sizes:
            return named
        with archive.open("model.weights.h5") as weights:
            return _outside_weights(io.BytesIO(weights.read()))


def _foreign_name(config: Any) -> str | None:
    """Describe the first class or function that is not allowed."""
    for part in _objects(config):
        name, module = part["class_name"], part.get("module")
        if str(name) in _CARRIERS:
            return f"the model has a {name}, which can carry code"
        if module is not None and not (isinstance(module, str) and _MODULES.fullmatch(module)):
            return f"the model uses {str(name)[:80]!r} of {str(module)[:80]!r}, which is not a part of Keras layers"
        if module == "builtins" and name == "function" and not str(part.get("config")).isidentifier():
            return "the model uses a function of Python"
    return None


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every serialized object, without recursion, since a configuration can have any depth."""
    waiting = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if "class_name" in item:
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

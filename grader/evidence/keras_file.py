"""Read the structure and the weights of a `.keras` file as data, without Keras, in the grader's own process.

A sandbox describes the models that it loads. A description counts only if the file says the same.
"""

import hashlib
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from grader.evidence.hdf5 import Hdf5Error, StoredArray, read_arrays
from grader.facts.damaged import DAMAGED_ZIP
from grader.facts.layers import canonical_layer
from grader.schema.errors import ArtefactError
from grader.schema.evidence import LayerFact, ModelFact

__all__ = ["KerasFile", "read_keras_file"]

_MOST_CONFIG = 8 << 20
_MOST_WEIGHTS = 2 << 30
_MOST_DEPTH = 100
_CHUNK = 1 << 20
_SHORT_LIST = 16
"""Lists of at most this many numbers are shapes, sizes or similar settings."""
_UNCOUNTED = re.compile(r"(metrics|optimizer)/.*|(.*/)?(seed_generator|random_generator)(_\d+)?/.*")
"""Arrays that only a training needs, and states of random layers: they are not counted as parameters."""
_LAYER = re.compile(r"(?P<layer>(.*/)?layers/[^/]+)/vars/(?P<number>\d+)")
_OPERATIONS = ("keras.src.ops.", "keras.src.activations.")
"""Modules of Keras 3 whose classes are operations on tensors, and no layers."""
_NOT_COMPARED = frozenset({"name", "dtype", "operands", "function", "layers", "trainable"})


@dataclass(frozen=True, slots=True, eq=False)
class KerasFile:
    """The content of a `.keras` file."""

    config: Mapping[str, Any]
    arrays: Mapping[str, StoredArray]
    digests: frozenset[str]
    """Digests of the weights of each plain layer, computed like the recorder's."""

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return sum(array.count for path, array in self.arrays.items() if not _UNCOUNTED.fullmatch(path))

    @property
    def constants(self) -> int:
        """How many numbers the settings hold in longer lists, besides the parameters."""
        sizes = (_numbers(part) for part in _lists(self.config))
        return sum(size for size in sizes if size > _SHORT_LIST)

    @property
    def varies(self) -> bool:
        """Whether a layer is random, or looks at the whole batch, also outside of a training, and keeps no state."""
        parts = list(_objects(self.config))
        return any(part.get("training") is True for part in parts) and not any(
            part.get("stateful") is True for part in parts
        )

    def agrees(self, model: ModelFact) -> bool:
        """Whether a description of this model says nothing else than the file.

        Args:
            model: What a sandbox says about the model.
        """
        inner = self.config.get("config")
        if model.parameters != self.parameters or not isinstance(inner, dict):
            return False
        if (model.trainable_parameters or 0) > self.parameters:
            return False
        given = _input_shape(self.config)
        try:
            return (given is None or given == model.input_shape) and _same_layers(model.layers, self.config, 0)
        except RecursionError:
            return False


def read_keras_file(path: Path) -> KerasFile:
    """Read a `.keras` file.

    Args:
        path: An untrusted file.

    Raises:
        ArtefactError: It is damaged, too large, or has another form.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > _MOST_CONFIG:
                msg = "is too large after unpacking"
                raise ArtefactError(msg, where=path.name)
            config = json.loads(archive.read("config.json"))
            with _weights(archive, path.name) as weights:
                arrays = read_arrays(weights)
                digests = frozenset(_digests(weights, arrays))
        if not isinstance(config, dict):
            msg = "describes no model"
            raise ArtefactError(msg, where=path.name)
    except (OSError, KeyError, Hdf5Error, *DAMAGED_ZIP) as error:
        msg = f"cannot be read: {error}"
        raise ArtefactError(msg, where=path.name) from error
    return KerasFile(config, arrays, digests)


@contextmanager
def _weights(archive: zipfile.ZipFile, name: str) -> Iterator[mmap]:
    """Map the weights, which may be larger than the grader's memory should be, from a temporary file."""
    member = archive.getinfo("model.weights.h5")
    # Keras does not compress them, so a small file cannot fill the disk.
    if member.compress_type != zipfile.ZIP_STORED or member.file_size > _MOST_WEIGHTS:
        msg = "is too large after unpacking"
        raise ArtefactError(msg, where=name)
    with tempfile.TemporaryFile() as file:
        with archive.open(member) as source:
            shutil.copyfileobj(source, file, 1 << 20)
        file.flush()
        with mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            yield content


def _digests(content: mmap, arrays: Mapping[str, StoredArray]) -> Iterator[str]:
    layers: dict[str, dict[int, StoredArray]] = {}
    for path, array in arrays.items():
        if (match := _LAYER.fullmatch(path)) is not None:
            layers.setdefault(match["layer"], {})[int(match["number"])] = array
    composite = {outer for path in arrays for outer in _outer_parts(path)}
    for layer, parts in layers.items():
        if layer in composite:
            continue
        digest = hashlib.blake2b(digest_size=16)
        for _, array in sorted(parts.items()):
            for start in range(array.start, array.start + array.size, _CHUNK):
                digest.update(content[start : min(start + _CHUNK, array.start + array.size)])
        yield digest.hexdigest()


def _outer_parts(path: str) -> Iterator[str]:
    """Yield the parts that contain an array in an inner part; `a` and `a/b` for `a/b/c/vars/0`."""
    names = path.split("/")[:-2]
    yield from ("/".join(names[:size]) for size in range(1, len(names)))


def _objects(config: Any) -> Iterator[Mapping[str, Any]]:
    waiting = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _lists(config: Any) -> Iterator[list[Any]]:
    """Yield every list that is not inside another list."""
    waiting = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list):
            yield item
            waiting += _dictionaries(item)


def _dictionaries(items: list[Any]) -> Iterator[dict[str, Any]]:
    waiting = list(items)
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
        elif isinstance(item, list):
            waiting += item


def _numbers(items: list[Any]) -> int:
    """Count the numbers of a list and of the lists in it."""
    count, waiting = 0, list(items)
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, (int, float)) and not isinstance(item, bool):
            count += 1
    return count


def _input_shape(config: Mapping[str, Any]) -> tuple[int | None, ...] | None:
    """Find the shape of the only input; None if there are several, or none is stated."""
    shapes = [
        tuple(shape[1:])
        for layer in _layers(config)
        if layer.get("class_name") == "InputLayer"
        and isinstance(shape := _inner(layer).get("batch_shape", _inner(layer).get("batch_input_shape")), list)
    ]
    return shapes[0] if len(shapes) == 1 else None


def _inner(part: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = part.get("config")
    return inner if isinstance(inner, dict) else {}


def _layers(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = _inner(config).get("layers")
    return [layer for layer in listed if isinstance(layer, dict)] if isinstance(listed, list) else []


def _same_layers(said: Sequence[LayerFact], config: Mapping[str, Any], depth: int) -> bool:
    """Whether the described layers are exactly the layers of the file, with the same settings and wiring."""
    if depth > _MOST_DEPTH:
        return False
    # A sequential model does not list its input.
    written = [layer for layer in _layers(config) if layer.get("class_name") != "InputLayer"]
    known = [layer for layer in said if layer.cls != "InputLayer"]
    by_name = {str(_inner(layer).get("name", layer.get("name"))): layer for layer in written}
    if len(by_name) != len(written) or sorted(layer.name for layer in known) != sorted(by_name):
        return False
    return all(_same_layer(layer, by_name[layer.name], depth) for layer in known)


def _same_layer(said: LayerFact, written: Mapping[str, Any], depth: int) -> bool:
    name, module = written.get("class_name"), str(written.get("module") or "")
    if module.startswith(_OPERATIONS):
        return said.cls == "Operation" and said.config.get("function") == name
    if said.cls != canonical_layer(str(name)) or not _same_wiring(said, written):
        return False
    if isinstance(_inner(written).get("layers"), list):
        return _same_layers(said.layers, written, depth + 1)
    settings = _inner(written)
    return all(
        key in settings and _same(value, settings[key])
        for key, value in said.config.items()
        if key not in _NOT_COMPARED
    )


def _same_wiring(said: LayerFact, written: Mapping[str, Any]) -> bool:
    """Whether the file names each layer that a layer is said to get its input from."""
    nodes = written.get("inbound_nodes")
    if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
        return True  # a sequential model, or Keras 2
    named = {
        str(history[0])
        for part in _objects(nodes)
        if isinstance(history := part.get("keras_history"), list) and history
    }
    return set(said.inbound) <= named


def _same(said: Any, written: Any) -> bool:
    """Whether a setting is the same; a long list may be cut."""
    if isinstance(said, Mapping) and isinstance(written, dict):
        if "class_name" in said and said["class_name"] != written.get("class_name"):
            return False
        return all(key in written and _same(value, written[key]) for key, value in said.items() if key != "dtype")
    if isinstance(said, (list, tuple)) and isinstance(written, list):
        return len(said) <= len(written) and all(map(_same, said, written))
    if isinstance(said, (list, tuple)) and len(said) == 1:
        # Keras 2 holds some numbers as arrays without an axis.
        said = said[0]
    return bool(said == written)

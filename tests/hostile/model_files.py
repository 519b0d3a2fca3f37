"""Model files that attack the program that loads them: each known bypass of Keras's safe mode, without its payload."""

import base64
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.hostile.corpus import Traps, built, snippet, write_notebook
from tests.hostile.expected import Must

__all__: list[str] = []

Json = Any
_REFUSED = {"outcome": "flagged", "points": {"accuracy": 0.0}, "criteria": {"accuracy": "pending", "runs": "passed"}}
_NOTEBOOK = """
import base64, pathlib
pathlib.Path("/record/models/m1.keras").write_bytes(base64.b64decode({content!r}))
claim_model()
claim_training()
tell("kept", model="m1", format="keras", path="models/m1.keras", after=recorder.log.last)
"""


def _layer(name: str, module: str | None = "keras.layers", registered: str | None = None, **config: Json) -> Json:
    inner = {"name": name.lower().rpartition(".")[2], **config}
    return {"module": module, "class_name": name, "config": inner, "registered_name": registered}


def _function(module: str, name: str) -> Json:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def _config(*layers: Json) -> Json:
    """Configure the network of the record, with other layers after its input."""
    rest = layers or (
        _layer("Conv2D", filters=8, kernel_size=[4, 4], strides=[4, 4]),
        _layer("Dropout", rate=0.1),
        _layer("Flatten"),
        _layer("Dense", units=10),
    )
    own = {"name": "net", "trainable": True, "dtype": "float32"}
    first = _layer("InputLayer", batch_shape=[None, 28, 28, 1], dtype="float32")
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {**own, "layers": [first, *rest]},
        "registered_name": None,
    }


def _weights(change: Callable[[h5py.File], None] | None = None) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as store:
        layers = store.create_group("layers")
        for name, shapes in (("conv2d", ((4, 4, 1, 8), (8,))), ("dense", ((392, 10), (10,)))):
            variables = layers.create_group(name).create_group("vars")
            for number, shape in enumerate(shapes):
                variables[str(number)] = np.zeros(shape, "float32")
        if change is not None:
            change(store)
    return buffer.getvalue()


def _keras(config: Json, weights: bytes | None = None, more: Mapping[str, bytes] | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}))
        archive.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
        archive.writestr("model.weights.h5", _weights() if weights is None else weights)
        for name, content in (more or {}).items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _model(name: str, source: str, tries: str, explains: str, content: Callable[[], bytes]) -> None:
    """Declare a sample whose record says that a file is the model that it trained."""

    @built("model-files", tries, Must(**_REFUSED, unverified=True, explains=(explains,)), source=source, name=name)
    def write(folder: Path, traps: Traps) -> None:
        code = _NOTEBOOK.format(content=base64.b64encode(content()).decode())
        write_notebook(folder / "work.ipynb", snippet("record", traps), code)


_CODE = base64.b64encode(b"\xe3" + b"\0" * 60).decode()
_LAMBDA = _layer(
    "Lambda", function={"class_name": "__lambda__", "config": {"code": _CODE, "defaults": None, "closure": None}}
)
_FOREIGN = "which can carry code|is not a (known )?part of Keras layers|a function of Python"
_PATH = "/grader/request.json"

_model(
    "lambda",
    "CVE-2024-3660",
    "Execute Python code that a Lambda layer of the model contains.",
    "Lambda, which can carry code",
    lambda: _keras(_config(_LAMBDA)),
)
_model(
    "function-of-a-module",
    "CVE-2025-1550",
    "Name a function of any Python module in the model's configuration.",
    _FOREIGN,
    lambda: _keras(_config(_layer("Dense", units=10, kernel_initializer=_function("os", "system")))),
)
_model(
    "class-of-a-module",
    "CVE-2025-1550",
    "Name a class of any Python module as a layer, with its arguments.",
    _FOREIGN,
    lambda: _keras(_config(_layer("Popen", "subprocess", args=["true"]))),
)
_model(
    "get-file",
    "CVE-2025-8747",
    "Have Keras download a file with the function `get_file`.",
    _FOREIGN,
    lambda: _keras(_config(_layer("Activation", activation=_function("keras.utils", "get_file")))),
)
_model(
    "get-file-without-module",
    "CVE-2025-8747",
    "Name `get_file` without its module, as if it were an activation.",
    _FOREIGN,
    lambda: _keras(_config(_layer("Activation", activation=_function("builtins", "get_file")))),
)
_model(
    "enables-unsafe",
    "CVE-2025-9906",
    "Call the function that turns Keras's safe mode off, then use a Lambda.",
    _FOREIGN,
    lambda: _keras(
        _config(_layer("Activation", activation=_function("keras.config", "enable_unsafe_deserialization")), _LAMBDA)
    ),
)
_model(
    "enables-unsafe-dotted",
    "CVE-2025-9906",
    "Reach the same function by a name with dots below an allowed module.",
    _FOREIGN,
    lambda: _keras(
        _config(_layer("Activation", activation=_function("keras", "config.enable_unsafe_deserialization")))
    ),
)
_model(
    "dotted-lambda",
    "",
    "Call a Lambda `layers.Lambda` of the module `keras`, to pass a list of forbidden names.",
    _FOREIGN,
    lambda: _keras(_config(_layer("layers.Lambda", "keras", function=_function("keras.ops", "relu")))),
)
_model(
    "registered-name",
    "",
    "Give a known class the registered name of another one, which Keras looks up first.",
    _FOREIGN,
    lambda: _keras(_config(_layer("Dense", registered="keras>Lambda", units=10))),
)
_model(
    "nested-config",
    "CVE-2025-49655",
    "Hide the forbidden class deep in the configuration of a known one.",
    _FOREIGN,
    lambda: _keras(_config(_layer("TimeDistributed", layer=_layer("Bidirectional", layer=_LAMBDA)))),
)
_model(
    "torch-wrapper",
    "CVE-2025-49655",
    "Unpickle a module of PyTorch that a TorchModuleWrapper contains.",
    _FOREIGN,
    lambda: _keras(_config(_layer("TorchModuleWrapper", module=base64.b64encode(b"cposix\nsystem\n.").decode()))),
)
_model(
    "saved-model-layer",
    "CVE-2026-1462",
    "Load a SavedModel from any folder with a TFSMLayer.",
    _FOREIGN,
    lambda: _keras(_config(_layer("TFSMLayer", filepath="/given/x", call_endpoint="serve"))),
)
_model(
    "vocabulary-of-a-file",
    "CVE-2025-12058",
    "Read a file of the predictor as the vocabulary of a StringLookup.",
    _FOREIGN,
    lambda: _keras(_config(_layer("StringLookup", vocabulary=_PATH))),
)
_model(
    "vocabulary-of-numbers",
    "CVE-2025-12058",
    "Read a file as the vocabulary of an IntegerLookup or TextVectorization.",
    _FOREIGN,
    lambda: _keras(_config(_layer("IntegerLookup", vocabulary=_PATH), _layer("TextVectorization", vocabulary=_PATH))),
)


def _external(store: h5py.File) -> None:
    del store["layers/dense/vars/1"]
    store["layers/dense/vars"].create_dataset("1", (10,), "f4", external=[(_PATH, 0, 40)])


def _linked(store: h5py.File) -> None:
    del store["layers/dense/vars/1"]
    store["layers/dense/vars/1"] = h5py.ExternalLink("/given/0.npy", "/x")


def _soft(store: h5py.File) -> None:
    del store["layers/dense/vars/1"]
    store["layers/dense/vars/1"] = h5py.SoftLink("/layers")


def _virtual(store: h5py.File) -> None:
    layout = h5py.VirtualLayout(shape=(10,), dtype="f4")
    layout[:] = h5py.VirtualSource("/given/0.npy", "x", shape=(10,))
    del store["layers/dense/vars/1"]
    store["layers/dense/vars"].create_virtual_dataset("1", layout)


def _huge(store: h5py.File) -> None:
    del store["layers/dense/vars/0"]
    store["layers/dense/vars"].create_dataset("0", (1 << 24, 1 << 20), "f4", chunks=(1024, 1024))


_model(
    "weights-in-a-file",
    "CVE-2026-1669",
    "Read a file of the predictor as weights: HDF5's external storage.",
    "weights are in another file",
    lambda: _keras(_config(), _weights(_external)),
)
_model(
    "linked-weights",
    "CVE-2026-1669",
    "Read another file's weights through HDF5's external link.",
    "weights contain links",
    lambda: _keras(_config(), _weights(_linked)),
)
_model(
    "soft-linked-weights",
    "",
    "Let a soft link of HDF5 lead to a group in place of an array.",
    "weights contain links",
    lambda: _keras(_config(), _weights(_soft)),
)
_model(
    "virtual-weights",
    "",
    "Map another file's rows into the weights: HDF5's virtual data sets.",
    "weights are in another file",
    lambda: _keras(_config(), _weights(_virtual)),
)
_model(
    "weights-of-petabytes",
    "CVE-2026-0897",
    "Declare weights of 64 TiB in a file of a few kilobytes.",
    "no accuracy of the model|A person has to judge this",
    lambda: _keras(_config(), _weights(_huge)),
)
_model(
    "layer-of-terabytes",
    "",
    "Configure a layer with 2⁴⁰ units, which takes all memory when it is built.",
    "no accuracy of the model|A person has to judge this",
    lambda: _keras(_config(_layer("Flatten"), _layer("Dense", units=1 << 40))),
)
_model(
    "climbing-members",
    "CVE-2025-12060",
    "Unpack members of the model's archive outside of its folder.",
    "has a part named",
    lambda: _keras(_config(), more={"assets/../../../../tmp/mark": b"x", "/etc/mark": b"x"}),
)


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        link = tarfile.TarInfo("x")
        link.type, link.linkname = tarfile.SYMTYPE, "/"
        archive.addfile(link)
    return buffer.getvalue()


_model(
    "tar-in-assets",
    "CVE-2025-12060",
    "Bring a tar with a link to `/`, for `get_file` to unpack while loading.",
    _FOREIGN,
    lambda: _keras(
        _config(_layer("Activation", activation=_function("keras.src.utils.file_utils", "get_file"))),
        more={"assets/x.tar.gz": _tar()},
    ),
)


def _promising() -> bytes:
    """Patch the size of a member in the archive's directory to three gibibytes."""
    size = struct.pack("<I", 123_457)
    content = _keras(_config(), more={"assets/zeros": b"\0" * 123_457})
    place = content.rindex(size)
    return content[:place] + struct.pack("<I", 3 << 30) + content[place + 4 :]


_model(
    "model-bomb",
    "",
    "Declare three gigabytes of zeros in a model of a few kilobytes.",
    "too large after unpacking",
    _promising,
)


def _twice() -> bytes:
    buffer = io.BytesIO(_keras(_config()))
    with zipfile.ZipFile(buffer, "a") as archive:
        name = "config.json"
        info = zipfile.ZipInfo(name)
        archive.filelist.append(info)
        archive.filelist.pop()
        archive.NameToInfo.pop(name)
        archive.writestr(name, json.dumps(_config(_LAMBDA)))
    return buffer.getvalue()


_model(
    "two-configurations",
    "",
    "Contain two configurations with the same name: one for the check, one for Keras.",
    "two parts with the same name",
    _twice,
)
_model(
    "deep-configuration",
    "",
    "Nest the configuration deeper than the stack of a JSON reader.",
    "no accuracy of the model|A person has to judge this",
    lambda: _keras('{"class_name": "Sequential", "module": "keras", "config": ' + "[" * 200_000 + "]" * 200_000 + "}"),
)
_model(
    "lists-for-names",
    "",
    "Use lists and numbers where names of classes are expected.",
    _FOREIGN,
    lambda: _keras(_config({"module": ["keras.layers"], "class_name": ["Lambda"], "config": 7, "registered_name": {}})),
)


def _legacy() -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as store:
        store.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": [_LAMBDA]}})
        store.attrs["keras_version"] = "2.13.1"
        store.create_group("model_weights")
    return buffer.getvalue()


_model(
    "legacy-file",
    "CVE-2025-9905",
    "Save the older HDF5 format under the name of a `.keras` file: no safe mode there.",
    "no accuracy of the model|A person has to judge this",
    _legacy,
)


def _numbers() -> bytes:
    header = (
        b"\x93NUMPY\x01\x00v\x00"
        + b"{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999,), }".ljust(117)
        + b"\n"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", json.dumps(_config()))
        archive.writestr("model.weights.npz", header)
    return buffer.getvalue()


_model(
    "weights-as-npz",
    "",
    "Give the weights as `.npz` with a header that promises terabytes, or as a pickle.",
    "has a part named",
    _numbers,
)

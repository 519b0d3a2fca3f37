"""A `.keras` file read as data."""

import hashlib
import io
import json
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grader.evidence.keras_file import read_keras_file
from grader.schema.errors import ArtefactError
from grader.schema.evidence import LayerFact, ModelFact

h5py = pytest.importorskip("h5py")

KERNEL, BIAS = np.arange(6, dtype="f4").reshape(2, 3), np.ones(3, "f4")
CONFIG: dict[str, Any] = {
    "class_name": "Functional",
    "config": {
        "layers": [
            {"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [None, 2]}, "inbound_nodes": []},
            {
                "class_name": "Dense",
                "module": "keras.layers",
                "config": {"name": "dense", "units": 3, "activation": "relu"},
                "inbound_nodes": [{"args": [{"config": {"keras_history": ["in", 0, 0]}}], "kwargs": {}}],
            },
            {
                "class_name": "TrueDivide",
                "module": "keras.src.ops.numpy",
                "config": {"name": "divide"},
                "inbound_nodes": [{"args": [{"config": {"keras_history": ["dense", 0, 0]}}, 2], "kwargs": {}}],
            },
        ]
    },
}
DENSE = LayerFact(
    name="dense",
    cls="Dense",
    parameters=9,
    trainable=True,
    config={"units": 3, "activation": "relu", "name": "dense"},
    inbound=("in",),
)
DIVIDE = LayerFact(name="divide", cls="Operation", parameters=0, trainable=True, config={"function": "TrueDivide"})
MODEL = ModelFact(
    id="m1",
    name="m",
    cls="Functional",
    dialect="keras3",
    input_shape=(2,),
    parameters=9,
    trainable_parameters=9,
    layers=(LayerFact(name="in", cls="InputLayer", parameters=0, trainable=True), DENSE, DIVIDE),
)


def keras_file(path: Path, config: Any = CONFIG) -> Path:
    weights = io.BytesIO()
    with h5py.File(weights, "w") as store:
        store["layers/dense/vars/0"], store["layers/dense/vars/1"] = KERNEL, BIAS
        store["layers/dropout/seed_generator/vars/0"] = np.zeros(2, "u4")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights.getvalue())
    return path


def test_a_file_has_its_parameters_and_the_recorders_digests(tmp_path: Path) -> None:
    file = read_keras_file(keras_file(tmp_path / "m.keras"))
    assert (file.parameters, file.varies) == (9, False)
    assert file.digests == {hashlib.blake2b(KERNEL.tobytes() + BIAS.tobytes(), digest_size=16).hexdigest()}


@pytest.mark.parametrize(
    ("change", "agrees"),
    [
        ({}, True),
        ({"parameters": 8}, False),
        ({"trainable_parameters": 10}, False),
        ({"input_shape": (3,)}, False),
        ({"layers": (DENSE, DIVIDE)}, True),
        ({"layers": (DENSE.model_copy(update={"config": {"units": [3]}}), DIVIDE)}, True),
        ({"layers": (DENSE,)}, False),
        ({"layers": (DENSE, DIVIDE, DENSE.model_copy(update={"name": "more"}))}, False),
        ({"layers": (DENSE.model_copy(update={"cls": "Conv2D"}), DIVIDE)}, False),
        ({"layers": (DENSE.model_copy(update={"config": {"units": 4}}), DIVIDE)}, False),
        ({"layers": (DENSE.model_copy(update={"config": {"rate": 0.5}}), DIVIDE)}, False),
        ({"layers": (DENSE.model_copy(update={"inbound": ("divide",)}), DIVIDE)}, False),
        ({"layers": (DENSE, DIVIDE.model_copy(update={"config": {"function": "Multiply"}}))}, False),
    ],
)
def test_a_description_must_say_what_the_file_says(tmp_path: Path, change: dict[str, Any], *, agrees: bool) -> None:
    assert read_keras_file(keras_file(tmp_path / "m.keras")).agrees(MODEL.model_copy(update=change)) is agrees


def test_an_activation_between_layers_is_an_operation(tmp_path: Path) -> None:
    config = json.loads(json.dumps(CONFIG))
    config["config"]["layers"][2] |= {"class_name": "ReLU", "module": "keras.src.activations.activations"}
    relu = DIVIDE.model_copy(update={"config": {"function": "ReLU"}})
    file = read_keras_file(keras_file(tmp_path / "m.keras", config))
    assert file.agrees(MODEL.model_copy(update={"layers": (DENSE, relu)}))


def test_longer_lists_of_numbers_in_the_settings_are_counted(tmp_path: Path) -> None:
    config = json.loads(json.dumps(CONFIG))
    config["config"]["layers"][1]["config"] |= {
        "table": {"value": [[0.5] * 10] * 10},
        "short": [1] * 16,
        "on": [True] * 20,
    }
    assert read_keras_file(keras_file(tmp_path / "m.keras", config)).constants == 100
    assert read_keras_file(keras_file(tmp_path / "n.keras")).constants == 0


def test_compressed_weights_are_not_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(CONFIG))
        archive.writestr("model.weights.h5", bytes(1 << 20))
    with pytest.raises(ArtefactError):
        read_keras_file(tmp_path / "m.keras")


@pytest.mark.parametrize("config", [[], 5, "x"])
def test_a_file_that_describes_no_model_is_not_read(tmp_path: Path, config: Any) -> None:
    with pytest.raises(ArtefactError):
        read_keras_file(keras_file(tmp_path / "m.keras", config))
    (tmp_path / "n.keras").write_bytes(b"no zip")
    with pytest.raises(ArtefactError):
        read_keras_file(tmp_path / "n.keras")


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_damaged_file_is_refused_with_one_kind_of_error(tmp_path: Path, packing: int) -> None:
    path = keras_file(tmp_path / "m.keras")
    with zipfile.ZipFile(path) as archive:
        weights = archive.read("model.weights.h5")
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr("config.json", json.dumps(CONFIG))
        archive.writestr("model.weights.h5", weights, zipfile.ZIP_STORED)
    whole = path.read_bytes()
    # Each byte of the first member, and the flags in the directory, of which one means "encrypted".
    for at in (*range(30, 400, 9), *range(whole.rfind(b"PK\x01\x02"), whole.rfind(b"PK\x01\x02") + 46)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        with suppress(ArtefactError):
            read_keras_file(path)

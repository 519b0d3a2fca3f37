"""Readers of kept models as data: `.keras` files, HDF5, and graphs of SavedModels."""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from grader.evidence.hdf5 import Hdf5Error, read_arrays
from grader.evidence.keras_file import read_keras_file
from grader.evidence.saved_model import MalformedGraphError, read_graph
from grader.evidence.structure import read_model
from tests.evidence.test_saved_model import INNER, SAVER, SEEDED, SERVE, saved
from tests.fuzz import seeds
from tests.fuzz.target import target

_KERAS = Path(__file__).parent / "seeds" / "golf.keras"


def _weights() -> Sequence[bytes]:
    with zipfile.ZipFile(_KERAS) as archive:
        return [archive.read("model.weights.h5")]


@target(
    ".keras file",
    "a model that a notebook saved with Keras",
    form="zip",
    seeds=lambda: [_KERAS.read_bytes()],
    covers=["grader.evidence.keras_file", "grader.evidence.hdf5"],
)
def _keras(document: bytes, own: Path) -> None:
    path = own / "m1.keras"
    path.write_bytes(document)
    file = read_keras_file(path)
    assert file.parameters >= 0
    _ = file.varies
    for line in seeds.records()[1].split(b"\n")[:20]:
        event = json.loads(line) if line else {}
        if event.get("kind") == "model":
            file.agrees(read_model(event["model"]))


@target(
    "HDF5",
    "the weights in a `.keras` file",
    form="bytes",
    seeds=_weights,
    covers=["grader.evidence.hdf5"],
    raises=[Hdf5Error],  # the caller refuses the file
)
def _hdf5(document: bytes, own: Path) -> None:
    del own
    for array in read_arrays(document).values():
        assert array.start >= 0
        assert array.start + array.size <= len(document)


def _graphs() -> Sequence[bytes]:
    made = []
    with TemporaryDirectory() as folder:
        for number, functions in enumerate(([SERVE, INNER, SAVER], [SERVE, SEEDED])):
            place = saved(Path(folder) / str(number), functions, ["serve"])
            made.append((place / "saved_model.pb").read_bytes())
    return made


@target(
    "SavedModel",
    "the graph of a SavedModel, as a protobuf",
    form="bytes",
    seeds=_graphs,
    covers=["grader.evidence.saved_model", "grader.evidence.graph_operations"],
    raises=[MalformedGraphError],  # the caller refuses the model
)
def _graph(document: bytes, own: Path) -> None:
    (own / "saved_model.pb").write_bytes(document)
    assert read_graph(own).numbers >= 0

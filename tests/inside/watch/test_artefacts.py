"""What is left of trained models when the room is short or the kernel is killed."""

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grader.inside.watch.keras_archive import needs_students_code
from grader.inside.watch.preparation import affine_from_sample, prepared_test_images

SCRIPT = """
import os, signal, time
from pathlib import Path
import numpy as np
from inside.record.recorder import Recorder, Session
from inside.watch import artefacts, keras_hooks
recorder = Recorder(Session.load(Path(os.environ["GRADER_SESSION"])))
keras_hooks.install(recorder)
artefacts.LEAST_GAP, artefacts.GAP_FACTOR = 0.05, 0.0
recorder.cell_started()
import keras
x = np.random.default_rng(0).random((64, 28, 28, 1), dtype="float32"); y = np.arange(64) % 10

def dense(units):
    model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(),
        keras.layers.Dense(units), keras.layers.Dense(10)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model

small, large = dense(4), dense(1000)
small.fit(x, y, verbose=0)
large.fit(x, y, verbose=0)
recorder.cell_ended(ok=True, seconds=1.0)
recorder.cell_started()

class Kill(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        time.sleep(0.1)
        if epoch == 4:
            os.kill(os.getpid(), signal.SIGKILL)

third = dense(5)
third.fit(x, y, epochs=100, verbose=0, callbacks=[Kill()])
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, small_mnist: Path, kernel_tools: Any) -> tuple[Path, list[Any]]:
    """The record of a process that had 1 MiB for models and was killed in its third training."""
    folder = tmp_path_factory.mktemp("killed")
    session = kernel_tools.write_session(folder, small_mnist, "keras3", max_models_mib=1)
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=kernel_tools.environment(session),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert run.returncode == -9, run.stderr
    return folder / "out", kernel_tools.read_events(folder / "out")


@pytest.mark.tensorflow
def test_a_killed_kernel_leaves_the_model_as_it_was_after_some_epochs(killed: tuple[Path, list[Any]]) -> None:
    out, events = killed
    start = [event for event in events if event["kind"] == "fit_start"][-1]
    assert not [event for event in events if event["kind"] == "fit_end" and event["fit"] == start["fit"]]
    kept = [event for event in events if event["kind"] == "kept" and event["model"] == start["model"]]
    assert len(kept) >= 2
    assert {event["after"] for event in kept} == {start["n"]}
    with zipfile.ZipFile(out / kept[-1]["path"]) as archive:
        assert archive.testzip() is None
        assert {"config.json", "metadata.json", "model.weights.h5"} <= set(archive.namelist())


@pytest.mark.tensorflow
def test_a_model_beyond_the_cap_is_named_with_the_reason(killed: tuple[Path, list[Any]]) -> None:
    out, events = killed
    unkept = [event for event in events if event["kind"] == "unkept"]
    assert [(event["model"], event["reason"]) for event in unkept] == [
        ("m2", "the kept models would take more than 1 MiB")
    ]
    assert (out / "models" / "m1.keras").exists()
    assert not (out / "models" / "m2.keras").exists()
    assert sum(path.stat().st_size for path in (out / "models").iterdir()) <= 1 << 20


@pytest.mark.tensorflow
def test_a_kept_model_carries_no_optimizer(killed: tuple[Path, list[Any]]) -> None:
    out, _ = killed
    weights = 4 * (784 * 4 + 4 + 4 * 10 + 10)
    # Adam's two moments would make it three times as much.
    assert (out / "models" / "m1.keras").stat().st_size < 2 * weights + 30_000


@pytest.mark.parametrize(
    ("config", "needs"),
    [
        ({"module": "keras.layers", "class_name": "Dense", "config": {}, "registered_name": None}, False),
        ({"module": "keras", "class_name": "DTypePolicy", "config": {}, "registered_name": "DTypePolicy"}, False),
        ({"module": None, "class_name": "MCDropout", "config": {}, "registered_name": "MCDropout"}, True),
        ({"module": "__main__", "class_name": "Net", "config": {}, "registered_name": "Net"}, True),
        ({"module": "keras.layers", "class_name": "Dense", "config": {"activation": {"module": "builtins",
          "class_name": "function", "config": "mine", "registered_name": "function"}}, "registered_name": None}, True),
        ({"module": "keras.layers", "class_name": "Lambda", "config": {}, "registered_name": None}, True),
        ({"module": "mine", "class_name": "A", "config": {}, "registered_name": "Mine>A"}, True),
    ],
)  # fmt: skip
def test_a_models_configuration_tells_whether_it_needs_the_students_code(config: Any, *, needs: bool) -> None:
    assert needs_students_code({"config": {"layers": [config]}, "class_name": "Sequential"}) is needs


def sample_file(folder: Path, images: np.ndarray, fingerprints: np.ndarray) -> Path:
    path = folder / "a1.npz"
    index = np.arange(0, len(images), 7)
    np.savez(path, fingerprints=fingerprints, sample_index=index, sample=images[index].astype(np.float32))
    return path


@pytest.mark.parametrize(("scale", "shift"), [(1 / 255, 0.0), (1 / 127.5, -1.0), (1.0, 0.0), (1 / 78.5675, -0.4241)])
def test_the_preparation_is_found_from_recognised_rows(
    tmp_path: Path, small_mnist: Path, scale: float, shift: float
) -> None:
    folder = small_mnist / "mnist"
    raw = np.load(folder / "x_train.npy")[500:700]
    prints = np.load(folder / "fingerprints.npy")[500:700]
    prepared = (raw * scale + shift).astype(np.float32)[..., None]
    found = affine_from_sample(sample_file(tmp_path, prepared, prints), folder)
    assert found is not None
    assert found.scale == pytest.approx(scale, rel=1e-4)
    assert found.shift == pytest.approx(shift, abs=1e-3)
    test = prepared_test_images(folder, found, (28, 28, 1), np.dtype(np.float32))
    assert test.shape == (400, 28, 28, 1)
    assert test == pytest.approx((np.load(folder / "x_test.npy") * scale + shift)[..., None], abs=1e-3)


def test_no_preparation_is_made_up_where_no_formula_explains_the_images(tmp_path: Path, small_mnist: Path) -> None:
    folder = small_mnist / "mnist"
    raw = np.load(folder / "x_train.npy")[:100].astype(np.float64)
    prints = np.load(folder / "fingerprints.npy")[:100]
    assert affine_from_sample(sample_file(tmp_path, np.sqrt(raw), prints), folder) is None
    assert affine_from_sample(sample_file(tmp_path, raw / 255, prints + np.uint64(1)), folder) is None
    assert affine_from_sample(sample_file(tmp_path, raw[:, ::2, ::2], prints), folder) is None

"""Saved models after a lack of space or a killed kernel."""

import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.forked_python import forked_python
from tests.support.recorded import Record, named

SCRIPT = """
import os, signal, time
from pathlib import Path
import numpy as np
from inside.record.recorder import Recorder
from inside.record.session import Session
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
    run = forked_python("keras3", ["-c", SCRIPT], kernel_tools.environment(session), folder)
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
        ("m2", "the saved models would take more than 1 MiB")
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


@pytest.mark.tensorflow
def test_every_trained_model_is_kept_also_without_a_variable_or_under_a_used_name(record: Record) -> None:
    trained = {event["model"] for event in record.of("fit_start")}
    last = {event["model"]: event for event in record.of("kept")}
    assert trained <= set(last)
    assert len({event["model"] for event in record.of("fit_start", "functions")}) == 2
    assert len({event["model"] for event in record.of("fit_start", "reused name")}) == 2
    assert all((record.out / event["path"]).exists() for event in last.values())
    ends = {event["fit"]: event["n"] for event in record.of("fit_end") if event["steps"] != 0}
    for model in trained:
        fits = [e["fit"] for e in record.of("fit_start") if e["model"] == model and e["fit"] in ends]
        assert last[model]["after"] == ends[fits[-1]], model


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("name", "formats"),
    [
        ("model", {"keras"}),
        ("special", {"keras", "saved_model"}),
        ("sub", {"keras", "saved_model"}),
        ("lam", {"keras", "saved_model"}),
        ("stubborn", {"keras", "predictions"}),
    ],
)
def test_a_model_is_kept_in_the_forms_that_its_classes_need(record: Record, name: str, formats: set[str]) -> None:
    model = named(record, name)["id"]
    kept = [event for event in record.of("kept") if event["model"] == model]
    assert {event["format"] for event in kept} == formats
    assert {event["custom"] for event in kept} == {len(formats) > 1}


@pytest.mark.tensorflow
def test_no_half_written_model_is_left(record: Record) -> None:
    names = sorted(path.name for path in (record.out / "models").iterdir())
    assert not [name for name in names if not name.startswith("m")]

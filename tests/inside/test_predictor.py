"""Predictions of saved models in a process without the student's code."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grader.execution.answers import AnswerSocket
from grader.inside.predictor import main
from tests.support.forked_python import forked_python
from tests.support.recorded import Record, named
from tests.support.waiting import DEADLOCK_SECONDS

pytestmark = pytest.mark.tensorflow


def predict(record: Record, environment: dict[str, str], folder: Path) -> tuple[dict[str, Any], Path]:
    """Run the predictor on all models of a notebook and on some broken jobs."""
    inputs = folder / "inputs.npy"
    np.save(inputs, (np.load(record.data / "mnist" / "x_test.npy") / 255.0).astype(np.float32)[..., None])
    narrow = folder / "narrow.npy"
    np.save(narrow, np.zeros((3, 5), np.float32))
    broken = folder / "broken.keras"
    broken.write_bytes(b"not a zip")
    dialect = record.of("start")[0]["dialect"]
    base = {"dialect": dialect, "inputs": str(inputs), "batch_size": 150}
    jobs = [
        {
            "id": f"{event['model']}-{event['format']}",
            "model": str(record.out / event["path"]),
            "format": event["format"],
            **base,
        }
        for event in {(e["model"], e["format"]): e for e in record.of("kept")}.values()
        if event["format"] != "predictions"
    ]
    jobs[1:1] = [
        {"id": "broken", "model": str(broken), "format": "keras", **base},
        {**jobs[0], "id": "narrow", "inputs": str(narrow)},
    ]
    request = folder / "request.json"
    request.write_text(json.dumps({"version": 1, "out": str(folder / "out"), "jobs": jobs}), encoding="utf-8")
    run = forked_python(dialect, ["-m", "inside.predictor", request], environment, folder)
    assert run.returncode == 0, run.stderr
    lines = (folder / "out" / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == [job["id"] for job in jobs]
    return {line["id"]: line for line in map(json.loads, lines)}, folder / "out"


@pytest.fixture(scope="module")
def case(
    record: Record, sandboxed: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Record, dict[str, Any], Path]:
    """The record of a dialect, the results, the folder of predictions."""
    return record, *predict(record, sandboxed, tmp_path_factory.mktemp("predict"))


def test_a_kept_model_predicts_what_the_notebook_saw(case: tuple[Record, dict[str, Any], Path]) -> None:
    record, results, out = case
    # The last evaluation of a model that was not trained again afterwards.
    model = named(record, "loaded")
    assert results[f"{model['id']}-keras"]["ok"]
    rows = np.load(out / f"{model['id']}-keras.npy", allow_pickle=False)
    assert (rows.shape, rows.dtype) == ((400, 10), np.float32)
    assert rows.sum(axis=1) == pytest.approx(np.ones(400), abs=1e-5)
    labels = np.load(record.data / "mnist" / "y_test.npy")
    epoch = record.of("epoch", "freeze")[-1]
    assert (rows.argmax(axis=1) == labels).mean() == pytest.approx(epoch["logs"]["val_accuracy"], abs=1e-6)


def test_a_loaded_model_is_described_as_it_was_recorded(case: tuple[Record, dict[str, Any], Path]) -> None:
    record, results, _ = case
    for name in ("model", "top", "worked"):
        recorded = named(record, name)
        loaded = results[f"{recorded['id']}-keras"]["model"]
        for key in ("cls", "input_shape", "output_shape", "parameters"):
            assert loaded[key] == recorded[key], (name, key)
        for of in (lambda layer: layer["cls"], lambda layer: layer["config"].get("operands")):
            assert list(map(of, loaded["layers"])) == list(map(of, recorded["layers"]))


@pytest.mark.parametrize("name", ["special", "sub", "lam"])
def test_a_model_with_the_students_code_fails_as_keras_and_works_as_saved_model(
    case: tuple[Record, dict[str, Any], Path], name: str
) -> None:
    record, results, out = case
    model = named(record, name)["id"]
    assert results[f"{model}-keras"]["ok"] is False
    assert results[f"{model}-keras"]["error"]
    assert results[f"{model}-saved_model"]["ok"] is True, results[f"{model}-saved_model"]
    assert np.load(out / f"{model}-saved_model.npy").shape == (400, 10)


def test_one_failed_job_does_not_stop_the_next(case: tuple[Record, dict[str, Any], Path]) -> None:
    _, results, _ = case
    assert results["broken"]["ok"] is False
    assert results["narrow"]["ok"] is False
    assert results["narrow"]["error"]
    assert sum(line["ok"] for line in results.values()) > 5


def test_predictions_made_in_the_kernel_used_the_training_preparation(
    case: tuple[Record, dict[str, Any], Path],
) -> None:
    record, _, _ = case
    model = named(record, "stubborn")["id"]
    kept = next(e for e in record.of("kept") if e["model"] == model and e["format"] == "predictions")
    rows = np.load(record.out / kept["path"], allow_pickle=False)
    assert rows == pytest.approx(np.array(record.noted["stubborn"]), abs=1e-4)


def test_a_request_of_another_version_is_refused(tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    request.write_text('{"version": 2, "out": "x", "jobs": []}', encoding="utf-8")
    with pytest.raises(ValueError, match="request version 2"):
        main([str(request)])


OUTPUTS = {
    "list": (
        "[digit, odd]",
        [{"name": "0", "shape": [10], "start": 0}, {"name": "1", "shape": [1], "start": 10}],
        11,
    ),
    "dictionary": (
        "{'odd': odd, 'digit': digit}",
        [{"name": "odd", "shape": [1], "start": 0}, {"name": "digit", "shape": [10], "start": 1}],
        11,
    ),
    "too large": (
        "[large, digit]",
        [{"name": "0", "shape": [40, 40], "start": None}, {"name": "1", "shape": [10], "start": 0}],
        10,
    ),
    "one": ("image", [{"name": "0", "shape": [5, 2], "start": 0}], 10),
}
"""Outputs of a model, their descriptions in the result, and the columns of the predictions."""


@pytest.fixture(scope="module")
def with_outputs(
    sandboxed: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, dict[str, Any]]]:
    """Predict with a model of each kind of outputs, in one process."""
    folder = tmp_path_factory.mktemp("outputs")
    models = ", ".join(f"{name!r}: {outputs}" for name, (outputs, _, _) in OUTPUTS.items())
    code = f"""
import json, sys
from pathlib import Path
import keras, numpy as np
from inside.predictor import run_job
L, folder = keras.layers, Path(sys.argv[1])
i = keras.Input((4, 4, 1)); flat = L.Flatten()(i)
digit, odd = L.Dense(10)(flat), L.Dense(1)(flat)
image = L.Reshape((5, 2))(digit); large = L.Reshape((40, 40))(L.Dense(1600)(flat))
np.save(folder / "x.npy", np.zeros((7, 4, 4, 1), "float32"))
results = {{}}
for name, outputs in {{{models}}}.items():
    keras.Model(i, outputs).save(folder / f"{{name}}.keras")
    job = dict(id=name, model=str(folder / f"{{name}}.keras"), format="keras", dialect="keras3")
    results[name], rows = run_job({{**job, "inputs": str(folder / "x.npy")}})
    np.save(folder / f"{{name}}.npy", rows)
print(json.dumps(results))
"""
    run = forked_python("keras3", ["-c", code, folder], sandboxed, folder)
    assert run.returncode == 0, run.stderr
    return folder, json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", OUTPUTS)
def test_each_output_of_a_model_has_its_columns(
    with_outputs: tuple[Path, dict[str, dict[str, Any]]], name: str
) -> None:
    folder, results = with_outputs
    _, described, columns = OUTPUTS[name]
    assert results[name]["outputs"] == described
    assert np.load(folder / f"{name}.npy").shape == (7, columns)


def test_results_go_through_the_socket_that_is_the_standard_input(sandboxed: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "no.keras").write_bytes(b"no model")
    job = {"id": "m1", "model": str(tmp_path / "no.keras"), "format": "keras", "dialect": "keras3", "inputs": None}
    request = {"version": 1, "out": str(tmp_path / "out"), "socket": True, "jobs": [job, job | {"id": "m2"}]}
    (tmp_path / "request.json").write_text(json.dumps(request), encoding="utf-8")
    channel = AnswerSocket(tmp_path / "answers", 10_000)
    with channel:
        subprocess.run(
            [sys.executable, "-m", "inside.predictor", str(tmp_path / "request.json")],
            env=sandboxed,
            stdin=channel.descriptor,
            timeout=DEADLOCK_SECONDS,
            check=True,
        )
    answers = [json.loads(answer.line) for answer in channel.answers(10_000)]
    assert [(answer["id"], answer["ok"]) for answer in answers] == [("m1", False), ("m2", False)]
    assert "BadZipFile" in answers[0]["error"]
    assert not (tmp_path / "out").exists()

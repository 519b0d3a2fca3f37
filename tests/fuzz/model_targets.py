"""Readers of arrays and answers that a sandbox wrote: the record's files, and the predictor's results."""

import io
import json
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from grader.evidence.artefacts import ArtefactFolder
from grader.evidence.claims import MalformedError
from grader.evidence.structure import read_model
from grader.execution import predict
from grader.execution.answers import Answer, answers_in_folder, read_answers
from grader.execution.collect import collect
from grader.execution.predict import PredictionJob
from grader.execution.shuffle import random_order
from tests.fuzz.target import target

_ROWS = 12
_ORDER = random_order(_ROWS, np.random.default_rng(0))
_GIVEN = len(_ORDER.given)
"""Number of answers: some images are given twice."""


def _npy(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version, allow_pickle=False)
    return stream.getvalue()


def _arrays() -> Sequence[bytes]:
    return [
        _npy(np.arange(_ROWS, dtype=np.int32)),
        _npy(np.ones((_ROWS, 10), np.float32)),
        _npy(np.asfortranarray(np.ones((3, 4), np.float64)), (2, 0)),
        _npy(np.zeros((0, 5), np.uint8)),
    ]


def _archives() -> Sequence[bytes]:
    stream, packed = io.BytesIO(), io.BytesIO()
    parts = {
        "fingerprints": np.arange(_ROWS, dtype=np.uint64),
        "sample": np.ones((2, 28, 28), np.float32),
        "sample_index": np.arange(2),
    }
    np.savez(stream, **parts)  # type: ignore[arg-type] # numpy's own names
    np.savez_compressed(packed, **parts)  # type: ignore[arg-type] # numpy's own names
    return [stream.getvalue(), packed.getvalue()]


@target(
    ".npy",
    "an array of the record",
    form="bytes",
    seeds=_arrays,
    covers=["grader.evidence.artefacts"],
)
def _array(document: bytes, own: Path) -> None:
    (own / "a1.npy").write_bytes(document)
    ArtefactFolder(own)("a1.npy")


@target(
    ".npz",
    "arrays of the record in one file",
    form="zip",
    seeds=_archives,
    covers=["grader.evidence.artefacts"],
)
def _archive(document: bytes, own: Path) -> None:
    (own / "a1.npz").write_bytes(document)
    ArtefactFolder(own, max_bytes=16 << 20)("a1.npz")


@target(
    "predictions",
    "the predictions that the predictor's sandbox wrote",
    form="bytes",
    seeds=lambda: [_npy(np.ones((_GIVEN, 10), np.float32)), _npy(np.ones((_GIVEN, 1), np.float32))],
    covers=["grader.execution.predict"],
)
def _predictions(document: bytes, own: Path) -> None:
    (own / "p1.npy").write_bytes(document)
    _write_results(own, b'{"id": "p1", "ok": true, "seconds": 1.5, "model": null, "error": ""}')
    answered = predict._answers(answers_in_folder(own, predict._LINE_BYTES))["p1"]
    result = predict._result(_job(own), answered, _ORDER)
    assert result.ok == (result.outputs is not None)


_ANSWERS = (
    {"id": "p1", "ok": True, "seconds": 1.5, "error": None, "model": {"id": "m1", "name": "m", "layers": []}},
    {"id": "p1", "ok": False, "seconds": 2, "error": "ValueError: x", "model": None},
    {
        "id": "p1",
        "ok": True,
        "seconds": 1,
        "error": None,
        "model": None,
        "outputs": [{"name": "a", "shape": [4], "start": 0}, {"name": "b", "shape": [2, 3], "start": 4}],
    },
)


@target(
    "predictor's answers",
    "the answers that the predictor's sandbox wrote",
    form="jsonl",
    seeds=lambda: [json.dumps(answer).encode() + b"\n" for answer in _ANSWERS],
    covers=["grader.execution.predict", "grader.evidence.structure"],
    raises=[MalformedError],  # a description without a part that it needs; the caller expects it
)
def _answers(document: bytes, own: Path) -> None:
    (own / "p1.npy").write_bytes(_npy(np.ones((_GIVEN, 10), np.float32)))
    _write_results(own, document)
    _read_all(answers_in_folder(own, predict._LINE_BYTES), own)


def _frames() -> Sequence[bytes]:
    predictions = _npy(np.ones((_GIVEN, 10), np.float32))
    lines = [json.dumps(answer).encode() for answer in _ANSWERS]
    return [struct.pack(">II", len(line), len(predictions)) + line + predictions for line in lines]


@target(
    "predictor's socket",
    "the answers that the predictor sent through its socket",
    form="bytes",
    seeds=_frames,
    covers=["grader.execution.answers", "grader.execution.predict"],
    raises=[MalformedError],  # a description without a part that it needs; the caller expects it
)
def _socket(document: bytes, own: Path) -> None:
    (own / "answers").write_bytes(document)
    _read_all(read_answers(own / "answers", predict._LINE_BYTES), own)


def _read_all(answers: Iterable[Answer], own: Path) -> None:
    for answered in predict._answers(answers).values():
        result = predict._result(_job(own), answered, _ORDER)
        str(result.error).encode()
        if result.model is not None:
            read_model(result.model)


def _write_results(own: Path, content: bytes) -> None:
    (own / "results.jsonl").write_bytes(content)


def _job(own: Path) -> PredictionJob:
    return PredictionJob(id="p1", model=own / "m1.keras", format="keras", dialect="keras3", inputs=own / "x.npy")


@target(
    "record's folder",
    "names and kinds of files in the folder that a sandbox wrote",
    form="json",
    seeds=lambda: [
        json.dumps(
            {"events.jsonl": "{}", "arrays/a1.npz": "x", "models/m1.keras": "x", "models/m2/saved_model.pb": "x"}
        ).encode()
    ],
    covers=["grader.execution.collect"],
)
def _folder(document: bytes, own: Path) -> None:
    try:
        files = json.loads(document)
    except (ValueError, RecursionError):
        return
    (own / "out").mkdir()
    (own / "secret").write_text("secret", encoding="utf-8")
    for name, content in list(files.items() if isinstance(files, dict) else ())[:50]:
        parts = [part for part in name.split("/") if part and part not in {".", ".."}]
        if not parts or "\0" in name:
            continue
        path = (own / "out").joinpath(*parts[:20])
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                path.write_text(content, encoding="utf-8", errors="replace")
            else:  # any other value is a link to a file outside
                path.symlink_to(own / "secret")
        except (OSError, UnicodeError):
            continue
    collected = collect(own / "out", own / "evidence")
    assert not any(path.is_symlink() or path.read_bytes() == b"secret" for path in (own / "evidence").rglob("*.*"))
    assert all((own / "evidence" / name).is_file() for name in collected.files)

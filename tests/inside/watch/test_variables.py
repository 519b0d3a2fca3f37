"""Arrays of images and labels among the notebook's variables."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from grader.inside.describe.arrays import ArrayBook
from grader.inside.describe.fingerprint import fingerprint
from grader.inside.record.recorder import Recorder
from grader.inside.record.session import Session
from grader.inside.watch import variables
from grader.inside.watch.variables import Bindings, describe_array, image_like, install, label_like, recognise, scan
from tests.support.recorded import Record, only


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.zeros((100, 8, 8)), True),
        (np.zeros((100, 64), np.uint8), True),
        (np.zeros((99, 28, 28)), False),
        (np.zeros((1000, 10)), False),
        (np.zeros(10_000), False),
        (np.full((100, 64), "a"), False),
        ([[0] * 64] * 100, False),
    ],
)
def test_only_numeric_arrays_of_enough_rows_and_numbers_are_image_like(value: object, *, expected: bool) -> None:
    assert image_like(value) is expected


def test_ipythons_own_names_are_left_out() -> None:
    x = np.zeros((100, 64))
    assert list(scan({"x": x, "_": x, "_3": x, "n": 3})) == ["x"]


def test_an_array_is_described_by_its_first_two_thousand_rows() -> None:
    x = np.zeros((2100, 64), np.float32)
    x[5, 5], x[2050, 0] = 2, 9
    assert describe_array("x", x, None, used=True, cell=3) == {
        "name": "x",
        "cell": 3,
        "shape": [2100, 64],
        "dtype": "float32",
        "low": 0.0,
        "high": 2.0,
        "rows_of": None,
        "used": True,
    }


def test_rows_are_of_the_split_that_holds_most_of_them() -> None:
    known = {"mnist/train": np.arange(1, 100, dtype=np.uint64), "mnist/test": np.arange(200, 300, dtype=np.uint64)}
    assert recognise(np.arange(1, 17, dtype=np.uint64), known) == "mnist/train"
    assert recognise(np.arange(210, 226, dtype=np.uint64), known) == "mnist/test"


def test_too_few_known_rows_or_constant_images_recognise_nothing() -> None:
    known = {"mnist/train": np.arange(0, 100, dtype=np.uint64)}
    assert recognise(np.r_[np.arange(1, 9), np.arange(500, 508)].astype(np.uint64), known) is None
    assert recognise(np.zeros(16, np.uint64), known) is None
    assert recognise(np.arange(1, 17, dtype=np.uint64), {}) is None


def test_splits_that_were_joined_and_shuffled_are_of_their_data_set() -> None:
    known = {"mnist/train": np.arange(1, 100, dtype=np.uint64), "mnist/test": np.arange(200, 300, dtype=np.uint64)}
    mixed = np.r_[np.arange(1, 10), np.arange(200, 207)].astype(np.uint64)
    assert recognise(mixed, known) == "mnist/train"
    assert recognise(mixed, {**known, "other/test": np.arange(500, 600, dtype=np.uint64)}) == "mnist/train"


def test_arrays_in_tuples_and_dictionaries_are_found_by_their_place() -> None:
    x, y = np.zeros((100, 64)), np.zeros((100, 8, 8))
    held = {"parts": (x, np.zeros(100)), "named": {"images": y}, "y": y, "many": [y] * 50, "Out": {3: x}}
    assert list(scan(held)) == ["y", "parts[0]"]


class _Parts(NamedTuple):
    images: Any
    size: int


def test_arrays_in_objects_of_the_notebook_are_found_by_their_place() -> None:
    class Data:
        def __init__(self) -> None:
            self.images = np.zeros((100, 64))
            self.parts = {"val": np.ones((100, 64))}

        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

    Data.__module__ = "__main__"
    held = {"data": Data(), "pair": _Parts(np.zeros((100, 64)), 3), "space": SimpleNamespace(x=np.zeros((100, 64)))}
    assert list(scan(held)) == ["data.images", "pair.images", "space.x", "data.parts['val']"]
    foreign = type("Foreign", (), {"__module__": "library"})()
    foreign.x = np.zeros((100, 64))
    assert list(scan({"foreign": foreign})) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.zeros(100, np.uint8), True),
        (np.zeros((100, 1), np.uint8), True),
        (np.zeros((100, 10)), True),
        (np.zeros(99), False),
        (np.zeros((100, 8, 8)), False),
        (np.full(100, "cat"), False),
        ([1] * 100, False),
    ],
)
def test_labels_are_numbers_or_rows_of_numbers(value: object, *, expected: bool) -> None:
    assert label_like(value) is expected


def test_the_cell_that_made_or_changed_an_array_is_noticed() -> None:
    bindings, x = Bindings(), np.ones((100, 64))
    held: dict[str, Any] = {"x": x, "parts": (np.ones((100, 64)),)}
    bindings.look(held, 1)
    held["z"] = np.zeros((100, 64))
    bindings.look(held, 2)
    x /= 255
    bindings.look(held, 3)
    bindings.look(held, 4)
    assert [bindings.cell_of(place) for place in ("x", "z", "parts[0]", "gone")] == [3, 2, 1, None]


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """Make a recorder with a data set of 300 training images."""
    images = np.random.default_rng(3).integers(0, 256, (400, 8, 8), dtype=np.uint8)
    folder = tmp_path / "data" / "tiny"
    folder.mkdir(parents=True)
    np.save(folder / "y_train.npy", np.arange(300) % 10)
    np.save(folder / "fingerprints.npy", fingerprint(images))
    session = Session(
        1, tmp_path / "out", tmp_path / "data", ("tiny",), "keras3", 0, 60, time.time() + 60, 1, 10, 10, "tiny"
    )
    made = Recorder(session)
    made.arrays = ArrayBook(made)
    made.namespace["images"] = images
    install(made)
    yield made
    made.log.close()


def the_event(recorder: Recorder) -> dict[str, Any]:
    recorder.cell_started()
    recorder.cell_ended(ok=True, seconds=0.0)
    recorder.finish()
    lines = (recorder.session.out / "events.jsonl").read_text(encoding="utf-8").splitlines()
    found: dict[str, Any] = next(event for event in map(json.loads, lines) if event["kind"] == "arrays")
    return found


class _Dataset:
    """A `tf.data` pipeline that reads rows of an array, with the private attributes of TensorFlow's own class."""

    element_spec = None

    def __init__(self, images: Any) -> None:
        self._tensors = (images, np.arange(len(images)))

    def _inputs(self) -> tuple[()]:
        return ()


def test_pipelines_and_generators_are_named_with_the_rows_of_their_source(recorder: Recorder) -> None:
    sliced = type("_TensorSliceDataset", (_Dataset,), {})
    generator = type("Batches", (type("Sequence", (), {"__module__": "keras.utils"}),), {})()
    images = recorder.namespace["images"]
    recorder.namespace |= {"train": sliced(images[:200]), "others": [sliced(images[:5])], "batches": generator}
    event = the_event(recorder)
    assert event["pipelines"] == [
        {"name": "train", "cell": 1, "rows_of": "tiny/train"},
        {"name": "batches", "cell": 1, "rows_of": None},
        {"name": "others[0]", "cell": 1, "rows_of": None},
    ]


def test_without_pipelines_none_are_listed(recorder: Recorder) -> None:
    assert "pipelines" not in the_event(recorder)


def test_recognised_images_are_described_row_by_row_and_labels_of_as_many(recorder: Recorder) -> None:
    images = recorder.namespace["images"]
    recorder.namespace |= {
        "x": images[:210] / 255 - 0.5,
        "noise": np.random.default_rng(4).random((210, 64)),
        "y": np.eye(10)[np.arange(210) % 10],
        "column": (np.arange(210) % 10)[:, None].astype(np.uint8),
        "fractions": np.linspace(0, 0.5, 210),
        "few": np.arange(150) % 10,
    }
    event = the_event(recorder)
    arrays = {item["name"]: item for item in event["arrays"]}
    assert (arrays["x"]["rows_of"], arrays["x"]["cell"], arrays["noise"]["rows_of"]) == ("tiny/train", 1, None)
    assert (arrays["x"]["low"], arrays["x"]["high"]) == (-0.5, 0.5)
    assert "file" not in arrays["noise"]
    with np.load(recorder.session.out / arrays["x"]["file"]) as file:
        assert np.array_equal(file["fingerprints"], fingerprint(images[:210]))
        assert len(file["sample"]) == 32
    labels = {item["name"]: item for item in event["labels"]}
    assert set(labels) == {"y", "column"}
    assert (labels["y"]["one_hot"], labels["y"]["shape"]) == (True, [210, 10])
    assert np.array_equal(np.load(recorder.session.out / labels["column"]["file"]), np.arange(210) % 10)


def test_beyond_the_budget_scaled_and_later_arrays_come_first(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = recorder.namespace["images"]
    recorder.namespace |= {"early": images[:200] / 255, "late": images[:200] / 255 - 0.5}
    monkeypatch.setattr(variables, "MAX_NUMBERS", 200 * 64)
    arrays = {item["name"]: item for item in the_event(recorder)["arrays"]}
    assert {name: "file" in item for name, item in arrays.items()} == {"images": False, "early": False, "late": True}


def test_an_array_that_a_model_was_given_costs_nothing_again(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    described, _ = recorder.arrays.describe_pair(recorder.namespace["images"])
    monkeypatch.setattr(variables, "MAX_NUMBERS", 0)
    (item,) = the_event(recorder)["arrays"]
    assert (item["file"], item["used"]) == (described["file"], True)


@pytest.mark.tensorflow
def test_arrays_bound_to_variables_say_whether_a_model_got_them(record: Record) -> None:
    arrays = {array["name"]: array for array in only(record.of("arrays"))["arrays"]}
    assert arrays["x_train"]["used"] is True
    assert arrays["x_test"]["used"] is True
    assert arrays["never_used"]["used"] is False

"""Data sets from the folder of the course, in the forms that Keras gives them."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from grader.inside.data.serve import DatasetNotProvidedError, Server, known_name
from grader.inside.record.recorder import Recorder
from grader.inside.record.session import Session


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """A recorder whose course provides MNIST and, with flat labels in its files, CIFAR-10."""
    shapes = {"mnist": (28, 28), "cifar10": (32, 32, 3)}
    for name, shape in shapes.items():
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        for split, rows in (("train", 5), ("test", 3)):
            np.save(folder / f"x_{split}.npy", np.arange(rows * np.prod(shape)).astype(np.uint8).reshape(rows, *shape))
            np.save(folder / f"y_{split}.npy", np.arange(rows, dtype=np.uint8))
    session = Session(
        version=1, out=tmp_path / "out", data=tmp_path / "data", datasets=("mnist", "cifar10", "fashion_mnist"),
        dialect="keras3", seed=0, fit_time=60, deadline=0, reserve=5, max_models_mib=1, max_output_kib=1,
        graded_dataset="mnist",
    )  # fmt: skip
    made = Recorder(session)
    yield made
    made.log._file.close()


def _events(recorder: Recorder) -> list[dict[str, object]]:
    text = (recorder.session.out / "events.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_arrays_are_plain_and_can_be_changed_in_place_without_changing_the_file(recorder: Recorder) -> None:
    server = Server(recorder)
    (x, y), (x_test, y_test) = server.load("mnist", "test")
    assert type(x) is np.ndarray
    assert (x.shape, str(x.dtype), y.shape, str(y.dtype)) == ((5, 28, 28), "uint8", (5,), "uint8")
    assert (x_test.shape, y_test.shape) == ((3, 28, 28), (3,))
    x += 1
    assert not np.array_equal(server.load("mnist", "test")[0][0], x)


def test_cifar_labels_are_a_column(recorder: Recorder) -> None:
    (_, y), _ = Server(recorder).load("cifar10", "test")
    assert (y.shape, str(y.dtype)) == ((5, 1), "uint8")


def test_a_data_set_of_another_course_is_refused_with_what_there_is(recorder: Recorder) -> None:
    with pytest.raises(DatasetNotProvidedError, match=r"'imdb'.*keras\.datasets\.mnist\.load_data"):
        Server(recorder).load("imdb", "keras.datasets.imdb.load_data")
    (event,) = _events(recorder)
    assert (event["kind"], event["dataset"], event["served"]) == ("dataset", "imdb", False)


def test_a_data_set_whose_files_are_missing_is_the_graders_fault(recorder: Recorder) -> None:
    with pytest.raises(DatasetNotProvidedError, match="the grader could not read its copy"):
        Server(recorder).load("fashion_mnist", "test")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("mnist.npz", "mnist"),
        ("/content/data/mnist.npz", "mnist"),
        ("C:\\data\\MNIST.npz", "mnist"),
        ("https://example.invalid/cifar-10.npz", "cifar10"),
        (Path("x/mnist.npz"), "mnist"),
        ("imdb.npz", None),
        ("mnist.csv", None),
        (3, None),
    ],
)
def test_an_archive_is_known_by_its_name(recorder: Recorder, file: object, name: str | None) -> None:
    assert Server(recorder).archived(file) == name


@pytest.mark.parametrize(
    ("written", "name"),
    [("Fashion-MNIST", "fashion_mnist"), ("cifar-10", "cifar10"), ("CIFAR_100", "cifar100"), ("mnist", "mnist")],
)
def test_a_data_set_has_one_name_however_it_is_written(written: str, name: str) -> None:
    assert known_name(written) == name

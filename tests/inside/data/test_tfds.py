"""Splits and descriptions as TensorFlow Datasets gives them."""

from typing import Any

import pytest

from grader.inside.data.tfds import Info, rows_of_split


@pytest.mark.parametrize(
    ("split", "pieces"),
    [
        ("train", [("train", 0, 500)]),
        ("train[:80%]", [("train", 0, 400)]),
        ("train[80%:]", [("train", 400, 500)]),
        ("train[-50:]", [("train", 450, 500)]),
        ("train[10:20]+test", [("train", 10, 20), ("test", 0, 100)]),
        ("all", [("train", 0, 500), ("test", 0, 100)]),
        ("test[:1000]", [("test", 0, 100)]),
    ],
)
def test_splits_are_read_as_tensorflow_datasets_reads_them(split: str, pieces: list[tuple[str, int, int]]) -> None:
    assert rows_of_split(split, {"train": 500, "test": 100}) == pieces


@pytest.mark.parametrize("split", ["validation", "train[", "train[a:b]", ""])
def test_an_unknown_split_is_an_error_that_names_the_known_ones(split: str) -> None:
    with pytest.raises(ValueError, match="train, test"):
        rows_of_split(split, {"train": 500, "test": 100})


def test_the_info_names_classes() -> None:
    info = Info("fashion_mnist", (28, 28, 1), 10, {"train": 60_000})
    label: Any = info.features["label"]
    assert label.int2str(9) == "Ankle boot"
    assert label.str2int("Trouser") == 1
    assert info.splits["train[:50%]"].num_examples == 30_000

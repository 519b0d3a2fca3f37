"""The files data sets come in."""

import gzip
import io
import os
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from grader.datasets.formats import RestrictedUnpickler, check_arrays, read_any
from grader.datasets.registry import KNOWN
from grader.schema.errors import DatasetMissingError

KERAS_HAS = {"x_train": np.uint8, "y_train": np.uint8, "x_test": np.uint8, "y_test": np.uint8}


@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_are_read_packed_and_unpacked(tmp_path: Path, makers: Any, *, packed: bool) -> None:
    written = makers.write_idx(tmp_path, packed=packed)
    arrays = read_any(tmp_path)
    assert np.array_equal(arrays["x_train"], written["train-images-idx3-ubyte"])
    assert np.array_equal(arrays["y_test"], written["t10k-labels-idx1-ubyte"])
    assert {part: array.dtype for part, array in arrays.items()} == KERAS_HAS


@pytest.mark.parametrize("damage", ["cut", "head", "long", "missing", "no gzip"])
def test_a_damaged_idx_file_is_told(tmp_path: Path, makers: Any, damage: str) -> None:
    makers.write_idx(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    content = gzip.decompress(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "no gzip":
        path.write_bytes(content)
    else:
        path.write_bytes(
            gzip.compress({"cut": content[:-5], "head": b"\1" + content[1:], "long": content + b"x"}[damage])
        )
    with pytest.raises(DatasetMissingError):
        read_any(tmp_path)


def test_an_idx_file_that_claims_to_be_huge_is_not_believed(tmp_path: Path, makers: Any) -> None:
    makers.write_idx(tmp_path)
    head = bytes([0, 0, 8, 3]) + (2**31).to_bytes(4, "big") * 3
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(head))
    with pytest.raises(DatasetMissingError, match="claims"):
        read_any(tmp_path)


def test_an_npz_that_claims_to_be_huge_is_not_believed(tmp_path: Path) -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (%d, 28, 28), }" % (1 << 50)
    content = b"\x93NUMPY\x01\x00v\x00" + header.ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        for part in KERAS_HAS:
            archive.writestr(f"{part}.npy", content)
    with pytest.raises(DatasetMissingError, match="cannot read the file as a data set"):
        read_any(tmp_path / "huge.npz")


def test_cifar_is_read_in_keras_order_shape_and_type(tmp_path: Path, makers: Any) -> None:
    written = makers.write_cifar(tmp_path / "cifar-10-python.tar.gz")
    arrays = read_any(tmp_path / "cifar-10-python.tar.gz")
    assert arrays["x_train"].shape == (20, 32, 32, 3)
    assert arrays["y_train"].shape == (20, 1)
    assert {part: array.dtype for part, array in arrays.items()} == KERAS_HAS
    data, labels = written["data_batch_2"]
    assert np.array_equal(arrays["x_train"][4], data[0].reshape(3, 32, 32).transpose(1, 2, 0))
    assert arrays["y_train"][4:8].ravel().tolist() == labels


def test_the_unpacked_folder_of_cifar_is_read_alike(tmp_path: Path, makers: Any) -> None:
    written = makers.write_cifar(tmp_path / "c.tar.gz")
    (tmp_path / "cifar-10-batches-py").mkdir()
    for name, (data, labels) in written.items():
        (tmp_path / "cifar-10-batches-py" / name).write_bytes(makers.batch_bytes(data, labels))
    packed, unpacked = read_any(tmp_path / "c.tar.gz"), read_any(tmp_path / "cifar-10-batches-py")
    assert all(np.array_equal(packed[part], unpacked[part]) for part in packed)


class Evil:
    """Pickles to a call of `os.system`."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch /tmp/owned-by-a-pickle",))


@pytest.mark.parametrize("thing", [Evil(), np.array([Evil()], dtype=object), len, np.float64(1), {1, 2}])
def test_a_pickle_that_asks_for_more_than_numbers_is_refused(thing: Any) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        raw = pickle.dumps(thing, protocol=protocol)
        if isinstance(thing, set) and protocol == pickle.HIGHEST_PROTOCOL:
            continue  # newer protocols have an instruction for sets, which harm nobody
        try:
            RestrictedUnpickler(io.BytesIO(raw)).load()
        except pickle.UnpicklingError:
            continue
        assert isinstance(thing, set)
    assert not Path("/tmp/owned-by-a-pickle").exists()  # noqa: S108 -- the name that the pickle would make


def test_an_evil_batch_makes_the_import_fail_without_running_it(tmp_path: Path, makers: Any) -> None:
    evil = pickle.dumps({b"data": Evil(), b"labels": [1]}, protocol=2)
    makers.write_cifar(tmp_path / "c.tar.gz", batches={"data_batch_3": evil})
    with pytest.raises(DatasetMissingError, match="does not belong in a data set"):
        read_any(tmp_path / "c.tar.gz")
    assert not Path("/tmp/owned-by-a-pickle").exists()  # noqa: S108 -- the name that the pickle would make


def test_a_batch_without_its_keys_or_a_missing_batch_is_told(tmp_path: Path, makers: Any) -> None:
    makers.write_cifar(tmp_path / "c.tar.gz", batches={"test_batch": pickle.dumps({b"x": 1}, protocol=2)})
    with pytest.raises(DatasetMissingError):
        read_any(tmp_path / "c.tar.gz")
    with tarfile.open(tmp_path / "d.tar.gz", "w:gz") as archive:
        raw = makers.batch_bytes(makers.pixels(2, 3072), [0, 1])
        info = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
        info.size = len(raw)
        archive.addfile(info, io.BytesIO(raw))
    with pytest.raises(DatasetMissingError, match="does not contain data_batch_2"):
        read_any(tmp_path / "d.tar.gz")


def jpeg_tar(target: Path, sizes: tuple[int, int] = (32, 32), unknown: str = "") -> None:
    with tarfile.open(target, "w:xz") as archive:
        for split, count in (("train", 3), ("test", 2)):
            for label, name in enumerate(KNOWN["cifar10"].labels):
                for number in range(count):
                    buffer = io.BytesIO()
                    Image.new("RGB", sizes, (label * 20, number * 50, 0)).save(buffer, "JPEG", quality=95)
                    info = tarfile.TarInfo(f"{split}/{unknown or name}/{number:04}.jpg")
                    info.size = buffer.tell()
                    buffer.seek(0)
                    archive.addfile(info, buffer)


def test_pictures_sorted_by_class_are_read_and_mixed_alike_every_time(tmp_path: Path) -> None:
    jpeg_tar(tmp_path / "c.tar.xz")
    first, second = (read_any(tmp_path / "c.tar.xz", KNOWN["cifar10"]) for _ in range(2))
    assert first["x_train"].shape == (30, 32, 32, 3)
    assert first["y_test"].shape == (20, 1)
    assert all(np.array_equal(first[part], second[part]) for part in first)
    labels = first["y_train"].ravel()
    assert np.bincount(labels).tolist() == [3] * 10
    assert len(set(labels[:10].tolist())) > 4
    reds = first["x_train"][:, 16, 16, 0].astype(int)
    assert np.abs(reds - labels.astype(int) * 20).max() < 8


def test_pictures_of_another_size_class_or_data_set_are_told(tmp_path: Path) -> None:
    jpeg_tar(tmp_path / "size.tar.xz", sizes=(16, 16))
    jpeg_tar(tmp_path / "class.tar.xz", unknown="zebra")
    for name in ("size", "class"):
        with pytest.raises(DatasetMissingError):
            read_any(tmp_path / f"{name}.tar.xz", KNOWN["cifar10"])
    with pytest.raises(DatasetMissingError, match="known classes"):
        read_any(tmp_path / "size.tar.xz")


@pytest.mark.parametrize("damage", ["objects", "missing", "text", "cut", "suffix", "none"])
def test_a_file_that_is_no_data_set_is_told(tmp_path: Path, makers: Any, damage: str) -> None:
    path = tmp_path / ("x.csv" if damage == "suffix" else "x.npz")
    if damage == "objects":
        thing = np.array([Evil()], dtype=object)
        np.savez(path, allow_pickle=True, x_train=thing, y_train=thing, x_test=thing, y_test=thing)
    elif damage == "missing":
        np.savez(path, allow_pickle=False, x_train=makers.pixels(2, 4, 4))
    elif damage == "cut":
        path.write_bytes(b"PK\x03\x04 and no directory")
    elif damage != "none":
        path.write_text("words")
    with pytest.raises(DatasetMissingError):
        read_any(path)


def test_arrays_of_the_wrong_shape_or_class_are_not_taken_for_the_data_set() -> None:
    mnist = KNOWN["mnist"]
    good = {part: np.zeros(mnist.shape(part), np.uint8) for part in KERAS_HAS}
    check_arrays(good, mnist, "x")
    bad_class = good | {"y_test": np.full(10_000, 10, np.uint8)}
    for bad in (
        bad_class,
        good | {"x_test": good["x_test"][:5]},
        good | {"x_train": good["x_train"].astype(np.float32)},
    ):
        with pytest.raises(DatasetMissingError, match="not this data set"):
            check_arrays(bad, mnist, "x")


@pytest.mark.parametrize(
    "change",
    [
        {"y_train": np.zeros(4)},
        {"y_train": np.zeros(3, int)},
        {"y_train": np.full(4, -1)},
        {"x_test": np.zeros((2, 9, 9))},
        {"x_train": np.zeros(4)},
        {"x_train": np.array(["a"] * 4).reshape(4, 1)},
    ],
)
def test_a_courses_own_arrays_must_be_images_with_labels(change: dict[str, Any]) -> None:
    good = {
        "x_train": np.zeros((4, 8, 8)),
        "y_train": np.zeros(4, int),
        "x_test": np.zeros((2, 8, 8)),
        "y_test": np.ones(2, int),
    }
    check_arrays(good, None, "x")
    with pytest.raises(DatasetMissingError):
        check_arrays(good | change, None, "x")

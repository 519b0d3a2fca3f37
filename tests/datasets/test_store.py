"""Preparing, importing and serving data sets."""

import json
import multiprocessing
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from grader.datasets.registry import KNOWN
from grader.datasets.sources import DEBIAN, PACKAGED, Source, local_sources
from grader.datasets.store import DatasetStore
from grader.schema.errors import DatasetMissingError, StorageError, UsageError
from tests.support.strict_umask import strict_umask
from tests.support.waiting import DEADLOCK_SECONDS


def prints(images: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """A way of fingerprinting: the sum of pixels."""
    sums: npt.NDArray[np.uint64] = images.reshape(len(images), -1).sum(axis=1).astype(np.uint64)
    return sums


def other_prints(images: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """Another way."""
    return prints(images) + np.uint64(1)


def bare(name: str, kept: Path) -> tuple[Source, ...]:
    """Only what the store itself keeps: not what this machine happens to have."""
    nowhere = kept / "nowhere"
    return local_sources(name, kept, cache=nowhere, system=nowhere, packaged=nowhere)


@pytest.fixture(scope="module")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> DatasetStore:
    """A store with the MNIST that travels with the grader, prepared."""
    store = DatasetStore(tmp_path_factory.mktemp("data"))
    store.prepare("mnist", prints)
    return store


def test_mnist_travels_with_the_grader_and_is_as_keras_gives_it(mnist: DatasetStore) -> None:
    prepared = mnist.prepare("mnist", prints)
    assert prepared.source == "package"
    for part in ("x_train", "y_train", "x_test", "y_test"):
        array = np.load(prepared.folder / f"{part}.npy", mmap_mode="r")
        assert (array.dtype, array.shape) == (np.uint8, KNOWN["mnist"].shape(part))
    assert mnist.labels("mnist", "test")[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(mnist.labels("mnist", "train")).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert isinstance(mnist.images("mnist", "train"), np.memmap)


def test_fingerprints_hold_train_rows_then_test_rows(mnist: DatasetStore) -> None:
    found = np.load(mnist.prepare("mnist", prints).folder / "fingerprints.npy")
    assert (found.shape, found.dtype) == ((70_000,), np.uint64)
    assert np.array_equal(found[60_000:], prints(mnist.images("mnist", "test")))


def test_the_second_time_nothing_is_made(mnist: DatasetStore) -> None:
    folder = mnist.prepare("mnist", prints).folder
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    mnist.prepare("mnist", prints)
    mnist.prepare("mnist")
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_sandboxes_may_read_it_whatever_the_umask_was(tmp_path: Path, own: Path) -> None:
    with strict_umask():
        store = DatasetStore(tmp_path / "d", sources=bare)
        store.import_file("own", own)
        folder = store.prepare("own", prints).folder
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}
    assert folder.stat().st_mode & 0o777 == 0o755


def test_other_fingerprints_have_the_folder_made_anew(tmp_path: Path, own: Path) -> None:
    store = DatasetStore(tmp_path / "d", sources=bare)
    store.import_file("own", own)
    first = store.prepare("own")
    assert not (first.folder / "fingerprints.npy").exists()
    second = store.prepare("own", prints)
    third = store.prepare("own", other_prints)
    assert second.fingerprint_version != third.fingerprint_version
    assert second.sha256 == third.sha256
    assert np.load(third.folder / "fingerprints.npy").min() > 0
    assert store.prepare("own").fingerprint_version == third.fingerprint_version


def test_a_new_file_under_the_same_name_has_the_folder_made_anew(tmp_path: Path, own: Path) -> None:
    store = DatasetStore(tmp_path / "d", sources=bare)
    store.import_file("own", own)
    old = store.prepare("own", prints)
    with np.load(own) as arrays:
        changed = {name: arrays[name] for name in arrays.files}
    changed["x_train"] = changed["x_train"][::-1]
    np.savez(own, allow_pickle=False, **changed)
    store.import_file("own", own)
    new = store.prepare("own", prints)
    assert new.sha256 != old.sha256
    assert np.array_equal(store.images("own", "train"), changed["x_train"])
    assert [path.name for path in (tmp_path / "d").iterdir() if path.name.startswith(".own-")] == []


def test_arrays_that_are_mapped_outlive_a_new_making(tmp_path: Path, own: Path) -> None:
    store = DatasetStore(tmp_path / "d", sources=bare)
    store.import_file("own", own)
    mapped = store.images("own", "train")
    copy = np.array(mapped)
    store.prepare("own", prints)
    assert np.array_equal(mapped, copy)


def test_two_installations_share_what_one_of_them_prepared(tmp_path: Path) -> None:
    def store(installation: str, when: int) -> DatasetStore:
        packaged = tmp_path / installation
        packaged.mkdir()
        file = Path(shutil.copy(PACKAGED / "mnist.npz", packaged))
        os.utime(file, (when, when))

        def sources(name: str, kept: Path) -> tuple[Source, ...]:
            nowhere = kept / "nowhere"
            return local_sources(name, kept, cache=nowhere, system=nowhere, packaged=packaged)

        return DatasetStore(tmp_path / "data", sources=sources)

    first = store("first", 1_000_000_000).prepare("mnist", prints)
    made = (first.folder / "x_train.npy").stat()
    again = store("second", 1_100_000_000).prepare("mnist", prints)
    assert (again.folder / "x_train.npy").stat().st_ino == made.st_ino


def test_a_damaged_folder_is_made_anew(tmp_path: Path, own: Path) -> None:
    store = DatasetStore(tmp_path / "d", sources=bare)
    store.import_file("own", own)
    folder = store.prepare("own", prints).folder
    (folder / "x_train.npy").write_bytes(b"cut")
    (folder / "y_test.npy").unlink()
    assert store.prepare("own", prints).counts == {"train": 30, "test": 6}
    (folder / "meta.json").write_text("{")
    assert store.images("own", "test").shape == (6, 8, 8)


def test_what_was_prepared_stays_good_when_its_source_is_gone(tmp_path: Path, own: Path) -> None:
    store = DatasetStore(tmp_path / "d", sources=bare)
    kept = store.import_file("own", own)
    folder = store.prepare("own", prints).folder
    kept.unlink()
    assert store.prepare("own", prints).folder == folder


def test_a_damaged_copy_is_passed_over_once_and_for_all(tmp_path: Path, makers: Any) -> None:
    makers.write_idx(tmp_path / "bad")
    good = PACKAGED / "mnist.npz"
    calls = []

    def sources(name: str, kept: Path) -> tuple[Source, ...]:
        calls.append((name, kept))
        info = KNOWN["mnist"]
        return (Source("keras", tmp_path / "bad", info), Source("package", good, info))

    store = DatasetStore(tmp_path / "d", sources=sources)
    prepared = store.prepare("mnist")
    assert prepared.source == "package"
    made = (prepared.folder / "meta.json").stat().st_mtime_ns
    store.prepare("mnist")
    assert (prepared.folder / "meta.json").stat().st_mtime_ns == made
    assert calls


def test_a_course_s_own_data_set_is_listed_and_found(tmp_path: Path, own: Path) -> None:
    store = DatasetStore(tmp_path / "d", sources=bare)
    store.import_file("our-digits", own)
    status = {item.name: item for item in store.available()}
    assert set(status) == {*KNOWN, "our-digits"}
    assert (status["our-digits"].source, status["our-digits"].prepared) == ("imported", False)
    assert status["cifar10"].source is None
    prepared = store.prepare("our-digits")
    assert prepared.labels == ("0", "1", "2")
    assert store.path("our-digits") == prepared.folder


@pytest.mark.parametrize("name", ["../x", "A", "", "sources", "a/b", "x" * 65])
def test_a_name_that_cannot_be_a_folder_is_refused(tmp_path: Path, own: Path, name: str) -> None:
    with pytest.raises(UsageError):
        DatasetStore(tmp_path / "d", sources=bare).import_file(name, own)


def test_a_missing_data_set_says_the_command_and_an_unknown_one_the_nearest_name(tmp_path: Path) -> None:
    store = DatasetStore(tmp_path / "d", sources=bare)
    with pytest.raises(DatasetMissingError, match="grader data fetch cifar10"):
        store.prepare("cifar10", prints)
    with pytest.raises(DatasetMissingError, match="did you mean 'fashion_mnist'"):
        store.prepare("fashion-mnst")
    with pytest.raises(DatasetMissingError, match="unknown data set"):
        store.path("../../etc")
    assert not (tmp_path / "d").exists()


def test_an_unknown_split_is_told(mnist: DatasetStore) -> None:
    with pytest.raises(DatasetMissingError, match="no split `valid`"):
        mnist.labels("mnist", "valid")


def test_a_wrong_file_is_not_imported_under_a_known_name(tmp_path: Path, own: Path) -> None:
    store = DatasetStore(tmp_path / "d", sources=bare)
    with pytest.raises(DatasetMissingError, match="not this data set"):
        store.import_file("mnist", own)
    assert store.available()[0].source is None


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    store = DatasetStore(tmp_path / "file" / "d")
    with pytest.raises(StorageError, match="cannot write"):
        store.prepare("mnist")


def _prepare(root: Path, results: Any) -> None:
    prepared = DatasetStore(root, sources=bare).prepare("own", prints)
    results.put(int(np.load(prepared.folder / "fingerprints.npy").shape[0]))


def test_processes_that_prepare_together_all_find_it_whole(tmp_path: Path, own: Path) -> None:
    root = tmp_path / "d"
    DatasetStore(root, sources=bare).import_file("own", own)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [context.Process(target=_prepare, args=(root, results)) for _ in range(6)]
    for process in processes:
        process.start()
    assert [results.get(timeout=DEADLOCK_SECONDS) for _ in processes] == [36] * 6
    for process in processes:
        process.join()
    assert sorted(path.name for path in root.iterdir() if path.is_dir()) == ["own", "sources"]


@pytest.mark.skipif(not (DEBIAN / "fashion-mnist").is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_debians_fashion_mnist_is_found_and_is_as_keras_gives_it(tmp_path: Path) -> None:
    def sources(name: str, kept: Path) -> tuple[Source, ...]:
        return local_sources(name, kept, cache=kept / "nowhere", packaged=kept / "nowhere")

    store = DatasetStore(tmp_path / "d", sources=sources)
    prepared = store.prepare("fashion_mnist")
    assert (prepared.source, prepared.image_shape, prepared.label_shape) == ("debian", (28, 28), ())
    assert store.labels("fashion_mnist", "train")[:5].tolist() == [9, 0, 0, 3, 0]
    assert np.bincount(store.labels("fashion_mnist", "test")).tolist() == [1000] * 10


def test_the_meta_file_tells_what_it_was_made_from(mnist: DatasetStore) -> None:
    meta = json.loads((mnist.prepare("mnist").folder / "meta.json").read_text())
    assert meta["version"] == 1
    assert meta["source"]["kind"] == "package"
    assert set(meta["files"]) == {"x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy", "fingerprints.npy"}

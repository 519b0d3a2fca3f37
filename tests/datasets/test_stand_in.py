"""Made-up images in the place of a data set that is not on the machine."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from grader.datasets.formats import check_arrays
from grader.datasets.registry import KNOWN, PARTS
from grader.datasets.sources import Source, local_sources
from grader.datasets.stand_in import stand_ins
from grader.datasets.store import DatasetStore
from grader.inside.describe.fingerprint import fingerprint
from grader.schema.errors import DatasetMissingError


def bare(name: str, kept: Path) -> tuple[Source, ...]:
    """Only what the store itself keeps: not what this machine happens to have."""
    nowhere = kept / "nowhere"
    return local_sources(name, kept, cache=nowhere, system=nowhere, packaged=nowhere)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> DatasetStore:
    """A store with generated images instead of CIFAR-10."""
    made = DatasetStore(tmp_path_factory.mktemp("data"), sources=bare)
    made.prepare_or_stand_in("cifar10", fingerprint)
    return made


def load(store: DatasetStore, part: str) -> npt.NDArray[Any]:
    loaded: npt.NDArray[Any] = np.load(store.prepare_or_stand_in("cifar10", fingerprint).folder / f"{part}.npy")
    return loaded


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_a_stand_in_has_the_shapes_types_and_classes_of_the_real_one(name: str) -> None:
    (source,) = stand_ins(name, Path("unused"))
    arrays = source.read()
    check_arrays(arrays, KNOWN[name], "made up")
    found = {part: (arrays[part].shape, str(arrays[part].dtype)) for part in PARTS}
    assert found == {part: (KNOWN[name].shape(part), "uint8") for part in PARTS}
    assert set(np.bincount(arrays["y_test"].reshape(-1)).tolist()) == {1_000}


def test_the_column_of_labels_and_the_sizes_are_cifars(store: DatasetStore) -> None:
    assert (load(store, "y_train").shape, load(store, "x_train").shape) == ((50_000, 1), (50_000, 32, 32, 3))
    assert np.bincount(load(store, "y_train")[:, 0]).tolist() == [5_000] * 10


def test_every_image_has_a_fingerprint_of_its_own(store: DatasetStore) -> None:
    prints = load(store, "fingerprints")
    assert len(np.unique(prints)) == 60_000
    assert (prints != 0).all()


def test_it_is_the_same_one_on_every_machine(store: DatasetStore) -> None:
    made = store.prepare_or_stand_in("cifar10", fingerprint)
    assert made.sha256 == "be41abc94fad529329409a06a6a2e9b183ab8ca1ba1bc39ca3e381f1d612d51f"
    assert (made.made_up, made.source) == (True, "stand_in")


def test_it_is_made_once(store: DatasetStore) -> None:
    folder = store.prepare_or_stand_in("cifar10", fingerprint).folder
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    store.prepare_or_stand_in("cifar10", fingerprint)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_the_data_set_is_still_said_to_be_missing(store: DatasetStore) -> None:
    assert {status.name: (status.source, status.prepared) for status in store.available()}["cifar10"] == (None, False)
    for ask in (store.path, store.prepare):
        with pytest.raises(DatasetMissingError, match="is not on this machine"):
            ask("cifar10")


def test_what_is_on_the_machine_is_not_stood_in_for(tmp_path: Path) -> None:
    store = DatasetStore(tmp_path)
    found = store.prepare_or_stand_in("mnist", fingerprint)
    assert (found.made_up, found.source, found.folder) == (False, "package", tmp_path / "mnist")


def test_a_damaged_copy_is_an_error_and_no_reason_to_make_images_up(tmp_path: Path) -> None:
    kept = tmp_path / "sources" / "cifar10"
    kept.mkdir(parents=True)
    (kept / "imported.npz").write_bytes(b"no zip")
    with pytest.raises(DatasetMissingError):
        DatasetStore(tmp_path, sources=bare).prepare_or_stand_in("cifar10", fingerprint)
    assert not (tmp_path / ".stand-in").exists()


def test_nothing_can_stand_in_for_a_courses_own_data_set(tmp_path: Path) -> None:
    with pytest.raises(DatasetMissingError, match="unknown data set `galaxies`"):
        DatasetStore(tmp_path, sources=bare).prepare_or_stand_in("galaxies", fingerprint)


def test_nothing_is_downloaded_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DatasetStore, "fetch", lambda *_, **__: pytest.fail("a download was tried"))
    store = DatasetStore(tmp_path, sources=bare, may_download=True)
    assert store.prepare_or_stand_in("cifar10", fingerprint).made_up

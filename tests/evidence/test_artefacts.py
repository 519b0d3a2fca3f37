"""Hostile files in a record folder are refused; honest ones are read and kept."""

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from grader.evidence.artefacts import ArtefactFolder, is_inside
from grader.schema.errors import ArtefactError, StorageError


@pytest.fixture
def folder(tmp_path: Path) -> ArtefactFolder:
    (tmp_path / "arrays").mkdir()
    return ArtefactFolder(tmp_path, max_bytes=1 << 20)


def test_arrays_are_read_by_their_names(folder: ArtefactFolder) -> None:
    np.savez(folder.root / "arrays/a1.npz", sample=np.ones((2, 3), np.float32), index=np.arange(2))
    np.save(folder.root / "arrays/y1.npy", np.array([4, 5], np.int32))
    assert {name: a.shape for name, a in folder("arrays/a1.npz").items()} == {"sample": (2, 3), "index": (2,)}
    assert folder("arrays/y1.npy")["array"].tolist() == [4, 5]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../x.npy",
        "a/../../x.npy",
        "a//b.npy",
        ".",
        "a/.",
        "a\x00b",
        "a\nb",
        "x" * 600,
        None,
        5,
        ["a"],
    ],
)
def test_a_path_that_leaves_the_folder_is_refused(folder: ArtefactFolder, path: object) -> None:
    assert not is_inside(path)
    if isinstance(path, str):
        with pytest.raises(ArtefactError, match="not a path inside"):
            folder(path)


def test_links_are_not_followed(folder: ArtefactFolder, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    np.save(outside / "secret.npy", np.ones(3))
    (folder.root / "arrays/link.npy").symlink_to(outside / "secret.npy")
    (folder.root / "elsewhere").symlink_to(outside)
    for path in ("arrays/link.npy", "elsewhere/secret.npy"):
        with pytest.raises(ArtefactError, match="not a regular file or folder"):
            folder(path)


def test_a_pipe_does_not_hold_the_reader_up(folder: ArtefactFolder) -> None:
    os.mkfifo(folder.root / "arrays/pipe.npy")
    with pytest.raises(ArtefactError, match="not a regular file or folder"):
        folder("arrays/pipe.npy")


def test_pickled_objects_are_never_loaded(folder: ArtefactFolder) -> None:
    np.save(folder.root / "o.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.savez(folder.root / "o.npz", o=np.array([{"a": 1}], dtype=object))
    for path in ("o.npy", "o.npz"):
        with pytest.raises(ArtefactError):
            folder(path)


def test_a_header_that_promises_too_much_costs_no_memory(folder: ArtefactFolder) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)})
    (folder.root / "bomb.npy").write_bytes(header.getvalue())
    with zipfile.ZipFile(folder.root / "bomb.npz", "w") as archive:
        archive.writestr("a.npy", header.getvalue())
    for path in ("bomb.npy", "bomb.npz"):
        with pytest.raises(ArtefactError, match="instead of numbers"):
            folder(path)


def test_a_large_file_and_one_that_unpacks_to_much_are_refused(folder: ArtefactFolder) -> None:
    np.save(folder.root / "large.npy", np.zeros(1 << 18))
    np.savez_compressed(folder.root / "zeros.npz", a=np.zeros(1 << 20))
    assert (folder.root / "zeros.npz").stat().st_size < folder.max_bytes
    for path in ("large.npy", "zeros.npz"):
        with pytest.raises(ArtefactError, match="MiB"):
            folder(path)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"PK\x03\x04", b"\x93NUMPY\x01\x00\x04\x00abcd", b"text" * 100])
@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_damaged_files_are_said_to_be_damaged(folder: ArtefactFolder, content: bytes, name: str) -> None:
    (folder.root / name).write_bytes(content)
    with pytest.raises(ArtefactError):
        folder(name)


def test_missing_and_other_files_are_refused(folder: ArtefactFolder) -> None:
    (folder.root / "a.txt").write_text("text")
    for path in ("missing.npy", "a.txt", "arrays"):
        with pytest.raises(ArtefactError):
            folder(path)


def test_a_saved_model_folder_with_a_link_in_it_is_refused(folder: ArtefactFolder) -> None:
    model = folder.root / "models/m1/variables"
    model.mkdir(parents=True)
    (model / "data").write_bytes(b"x")
    assert folder.path("models/m1") == folder.root / "models/m1"
    (model / "link").symlink_to("/etc/passwd")
    with pytest.raises(ArtefactError):
        folder.path("models/m1")


def test_kept_arrays_come_back(folder: ArtefactFolder) -> None:
    folder.keep("derived/rows-a1.npy", {"array": np.arange(4, dtype=np.int32)})
    folder.keep("derived/t.npz", {"scale": np.ones(2), "shift": np.zeros(2)})
    folder.keep("derived/t.npz", {"scale": np.full(2, 3.0), "shift": np.zeros(2)})
    assert folder("derived/rows-a1.npy")["array"].tolist() == [0, 1, 2, 3]
    assert folder("derived/t.npz")["scale"].tolist() == [3.0, 3.0]
    assert sorted(p.name for p in (folder.root / "derived").iterdir()) == ["rows-a1.npy", "t.npz"]


def test_nothing_is_kept_through_a_link(folder: ArtefactFolder, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (folder.root / "derived").symlink_to(outside)
    with pytest.raises(StorageError):
        folder.keep("derived/rows.npy", {"array": np.arange(3)})
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.replace(
            b"'shape': (3,)", b"'shape': (3, "
        ),  # numpy's reader raises a tokenizer's error
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
    ],
)
def test_a_damaged_array_is_refused(folder: ArtefactFolder, damage: Callable[[bytes], bytes]) -> None:
    place = folder.root / "arrays/y1.npy"
    np.save(place, np.ones(3))
    place.write_bytes(damage(place.read_bytes()))
    with pytest.raises(ArtefactError, match="cannot be read"):
        folder("arrays/y1.npy")


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_damaged_packed_arrays_are_refused(folder: ArtefactFolder, kind: int) -> None:
    place = folder.root / "arrays/a1.npz"
    array = io.BytesIO()
    np.save(array, np.arange(2000))
    with zipfile.ZipFile(place, "w", kind) as archive:
        archive.writestr("a.npy", array.getvalue())
    whole = place.read_bytes()
    for at in range(40, len(whole) // 2, 7):
        place.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            folder("arrays/a1.npz")
        except ArtefactError:
            continue

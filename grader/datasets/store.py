"""Store of prepared data sets: each is a folder with four memory-mapped arrays and fingerprints for sandboxes."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import platformdirs

from grader.datasets.download import Progress, download
from grader.datasets.formats import Arrays, check_arrays, read_any
from grader.datasets.registry import KNOWN, PARTS, SPLITS, DatasetInfo, unknown_dataset
from grader.datasets.sources import Source, local_sources
from grader.datasets.stand_in import STAND_IN, stand_ins
from grader.facts.file_modes import sandbox_mode
from grader.schema.errors import DatasetMissingError, StorageError, UsageError

__all__ = ["PREPARED_VERSION", "DatasetStatus", "DatasetStore", "Fingerprint", "PreparedDataset", "whereabouts"]

PREPARED_VERSION = 1
"""1: first version."""

Fingerprint = Callable[[npt.NDArray[Any]], npt.NDArray[np.uint64]]
"""Function from images (n, …) to one uint64 each."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_CHUNK = 8192
_MADE_UP = ".stand-in"
"""Folder of generated images; no data set can have this name."""


@dataclass(frozen=True, slots=True)
class PreparedDataset:
    """A data set that is ready for execution and grading."""

    name: str
    folder: Path
    """Folder with `x_train.npy`, `y_train.npy`, `x_test.npy`, `y_test.npy`, `fingerprints.npy` and `meta.json`."""
    counts: Mapping[str, int]
    """Number of images in each split."""
    image_shape: tuple[int, ...]
    label_shape: tuple[int, ...]
    """Shape of one label in Keras: () or (1,)."""
    labels: tuple[str, ...]
    """Name of each class."""
    source: str
    """Kind of the copy that it was made from; `stand_in` for generated data."""
    sha256: str
    """Hash of the four arrays: two machines with the same value grade with the same data."""
    fingerprint_version: str
    """Identifier of the fingerprint function; empty if there are no fingerprints."""

    @property
    def made_up(self) -> bool:
        """Whether this is generated data with the same shapes, not the data set itself."""
        return self.source == STAND_IN


@dataclass(frozen=True, slots=True)
class DatasetStatus:
    """Availability of a data set on this machine."""

    name: str
    title: str
    licence: str
    source: str | None
    """Kind of the copy to use; None if there is none."""
    path: Path | None
    prepared: bool
    """Whether the arrays have been prepared already."""


class DatasetStore:
    """Store that finds, fetches, imports and prepares data sets in one folder of this machine."""

    def __init__(
        self,
        root: Path | None = None,
        *,
        sources: Callable[[str, Path], tuple[Source, ...]] = local_sources,
        may_download: bool = False,
    ) -> None:
        """Open a store; nothing is written yet.

        Args:
            root: Folder of the store; by default `GRADER_DATA`, else the user's cache.
            sources: Function that lists copies on this machine, given a name and the folder of downloads and imports.
            may_download: Whether `prepare` downloads a known data set that is not on this machine.
        """
        data_root = os.environ.get("GRADER_DATA")
        self.root = root or (Path(data_root) if data_root else platformdirs.user_cache_path("cnn-grader") / "datasets")
        self._sources = sources
        self._may_download = may_download

    # --- available data sets

    def available(self) -> tuple[DatasetStatus, ...]:
        """List every known data set and each of the course's own, whether or not it is on this machine."""
        return tuple(self._status(name) for name in (*KNOWN, *self._own_names()))

    def check(self, name: str) -> None:
        """Check that a data set is known, whether or not it is on this machine.

        Raises:
            DatasetMissingError: It is neither known nor imported.
        """
        self._check_name(name)

    def _own_names(self) -> tuple[str, ...]:
        folders = sorted(self._kept.iterdir()) if self._kept.is_dir() else []
        return tuple(
            folder.name for folder in folders if folder.name not in KNOWN and (folder / "imported.npz").is_file()
        )

    def _status(self, name: str) -> DatasetStatus:
        sources = self._sources(name, self._kept)
        info = KNOWN.get(name)
        return DatasetStatus(
            name=name,
            title=info.title if info else f"{name} (imported for this course)",
            licence=info.licence if info else "",
            source=sources[0].kind if sources else None,
            path=sources[0].path if sources else None,
            prepared=_read_meta(self.root / name) is not None,
        )

    def path(self, name: str) -> Path:
        """Return the path of a data set: its prepared folder, else the copy it would be prepared from.

        Raises:
            DatasetMissingError: The data set is not on this machine.
        """
        self._check_name(name)
        if _read_meta(self.root / name) is not None:
            return self.root / name
        return self._best(name)[0].path

    # --- prepared arrays

    def prepare(self, name: str, fingerprint: Fingerprint | None = None) -> PreparedDataset:
        """Prepare a data set for sandboxes and grading, or return the existing one.

        It is prepared again if its source changed, or if `fingerprint` gives other results than the previous function.
        Several processes may call this at the same time.

        Args:
            name: A known data set, or a course's own.
            fingerprint: Function for `fingerprints.npy` (train rows, then test rows); None keeps or omits that file.

        Raises:
            DatasetMissingError: There is no copy on this machine, or every copy is damaged.
            StorageError: The store cannot be written.
        """
        self._check_name(name)
        version = _fingerprint_version(fingerprint) if fingerprint else None
        ready = self._ready(name, version)
        if ready is not None:
            return ready
        self._best(name)
        with self._locked(name):
            # Another process may have prepared it meanwhile.
            return self._ready(name, version) or self._make(name, fingerprint, version or "")

    def prepare_or_stand_in(self, name: str, fingerprint: Fingerprint | None = None) -> PreparedDataset:
        """Prepare a data set, or generated images if it is not on this machine; never download.

        Generated images are stored separately. No other method returns them, and `available` reports the data set as
        missing.

        Args:
            name: A known data set.
            fingerprint: As in `prepare`.

        Raises:
            DatasetMissingError: The data set is unknown, or every copy of it is damaged.
            StorageError: The store cannot be written.
        """
        self._check_name(name)
        here = self._sources(name, self._kept) or _read_meta(self.root / name) is not None
        if here or name not in KNOWN:
            return self.prepare(name, fingerprint)
        return DatasetStore(self.root / _MADE_UP, sources=stand_ins).prepare(name, fingerprint)

    def images(self, name: str, split: str) -> npt.NDArray[Any]:
        """Return a split's images, memory-mapped, in the same shape as Keras returns them.

        Args:
            name: The data set.
            split: `train` or `test`.

        Raises:
            DatasetMissingError: The data set is not on this machine, or has no such split.
        """
        return self._part(name, "x", split)

    def labels(self, name: str, split: str) -> npt.NDArray[Any]:
        """Return a split's labels, memory-mapped, in the same shape as Keras returns them: (n, 1) for CIFAR-10.

        Args:
            name: The data set.
            split: `train` or `test`.

        Raises:
            DatasetMissingError: The data set is not on this machine, or has no such split.
        """
        return self._part(name, "y", split)

    def _part(self, name: str, kind: str, split: str) -> npt.NDArray[Any]:
        if split not in SPLITS:
            msg = f"`{name}` has no split `{split}`"
            raise DatasetMissingError(msg, advice="use train or test")
        loaded: npt.NDArray[Any] = np.load(self.prepare(name).folder / f"{kind}_{split}.npy", mmap_mode="r")
        return loaded

    # --- downloads

    def fetch(self, name: str, *, base_url: str | None = None, progress: Progress | None = None) -> Path:
        """Download the official files of a known data set and check them.

        Args:
            name: A known data set.
            base_url: Address of a mirror with the same files; by default Keras's source.
            progress: Callback with the bytes so far and the total.

        Returns:
            The folder of the downloaded files.

        Raises:
            DatasetMissingError: The data set is unknown, or a download failed.
            StorageError: A file cannot be written.
        """
        self._check_name(name)
        info = KNOWN.get(name)
        if info is None:
            msg = f"`{name}` was imported for this course and cannot be downloaded"
            raise DatasetMissingError(msg, advice=f"run `grader data import {name} FILE`")
        folder = self._kept / name
        with self._locked(name), _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for file in info.files:
                url = f"{base_url.rstrip('/')}/{file.name}" if base_url else None
                download(file, folder / file.name, url=url, progress=progress)
        source = folder if len(info.files) > 1 else folder / info.files[0].name
        check_arrays(read_any(source, info), info, str(source))
        return folder

    def import_file(self, name: str, path: Path) -> Path:
        """Import a file on this machine as a data set, either a known one or a course's own.

        Args:
            name: The data set's name in rubrics: small letters, digits, `_`, `-`.
            path: An `.npz` with `x_train`, `y_train`, `x_test`, `y_test`; a folder of IDX files;
                `cifar-10-python.tar.gz`; a tar of `<split>/<class>/x.jpg`.

        Returns:
            The stored copy.

        Raises:
            UsageError: The name is invalid.
            DatasetMissingError: The file is not a data set, or not the known one of this name.
            StorageError: The file cannot be written.
        """
        if not _NAME.fullmatch(name) or name == "sources":
            msg = f"`{name}` is not a valid name for a data set"
            raise UsageError(msg, advice="use lower-case letters, digits, `_` and `-`")
        info = KNOWN.get(name)
        arrays = read_any(path, info)
        check_arrays(arrays, info, str(path))
        target = self._kept / name / "imported.npz"
        with self._locked(name), _writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, staging = tempfile.mkstemp(dir=target.parent, prefix=".importing-", suffix=".npz")
            try:
                with os.fdopen(handle, "wb") as file:
                    np.savez(file, allow_pickle=False, **{part: arrays[part] for part in PARTS})
                    file.flush()
                    os.fsync(file.fileno())
                Path(staging).replace(target)
            finally:
                Path(staging).unlink(missing_ok=True)
        return target

    # --- internals

    @property
    def _kept(self) -> Path:
        """Folder of downloads and imported files, separate from the prepared arrays."""
        return self.root / "sources"

    def _check_name(self, name: str) -> None:
        has_source = name in KNOWN or (bool(_NAME.fullmatch(name)) and bool(self._sources(name, self._kept)))
        if not has_source and _read_meta(self.root / name if _NAME.fullmatch(name) else self.root) is None:
            raise unknown_dataset(name, self._own_names())

    def _best(self, name: str) -> tuple[Source, ...]:
        """List the copies of a data set, best first; download it if allowed and there is none."""
        sources = self._sources(name, self._kept)
        if not sources and self._may_download and name in KNOWN:
            self.fetch(name)
            sources = self._sources(name, self._kept)
        if not sources:
            title = KNOWN[name].title if name in KNOWN else "a course's own data set"
            msg = f"the data set `{name}` ({title}) is not on this machine"
            advice = f"run `grader data fetch {name}`, or `grader data import {name} FILE`"
            raise DatasetMissingError(msg, advice=advice)
        return sources

    def _ready(self, name: str, version: str | None) -> PreparedDataset | None:
        """Return the prepared data set if it is complete and matches the current source and fingerprints, else None."""
        folder = self.root / name
        meta = _read_meta(folder)
        if meta is None or (version is not None and meta["fingerprint_version"] != version):
            return None
        states = [source.state() for source in self._sources(name, self._kept)]
        current_state = next((state for state in states if state not in meta["source"]["damaged"]), None)
        # If the source is gone, the arrays made from it remain valid.
        if current_state is not None and meta["source"]["state"] != current_state:
            return None
        return _prepared(folder, meta)

    def _make(self, name: str, fingerprint: Fingerprint | None, version: str) -> PreparedDataset:
        arrays, source, damaged = _first_readable(self._sources(name, self._kept))
        folder = self.root / name
        with _writing(folder):
            staging = Path(tempfile.mkdtemp(dir=self.root, prefix=f".{name}-"))
            try:
                meta = _write_arrays(staging, arrays, fingerprint)
                meta |= _describe(name, source, damaged, arrays, version)
                _write_synced(staging / "meta.json", json.dumps(meta, indent=1).encode())
                for path in (*staging.iterdir(), staging):
                    path.chmod(sandbox_mode(folder=path.is_dir()))
                _replace_folder(staging, folder)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        return _prepared(folder, meta)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """Lock a data set for one process at a time; the lock ends with the process, even if it is killed."""
        with _writing(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.root / f".{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    """Convert an error of the file system to `StorageError`."""
    try:
        yield
    except OSError as error:
        msg = f"cannot write to the folder of data sets ({error.strerror or error})"
        advice = "free some space, or set the environment variable GRADER_DATA to another folder"
        raise StorageError(msg, where=str(place), advice=advice) from error


def _first_readable(sources: tuple[Source, ...]) -> tuple[Arrays, Source, list[Source]]:
    """Read the best undamaged copy.

    Raises:
        DatasetMissingError: All copies are damaged; the error describes the first copy.
    """
    damaged: list[Source] = []
    first: DatasetMissingError | None = None
    for source in sources:
        try:
            arrays = source.read()
            check_arrays(arrays, source.info, str(source.path))
        except DatasetMissingError as error:
            first = first or error
            damaged.append(source)
        else:
            return arrays, source, damaged
    msg = "the data set disappeared while it was being read"
    raise first or DatasetMissingError(msg)


def _fingerprint_version(fingerprint: Fingerprint) -> str:
    """Identify a fingerprint function by its results for fixed images, which cannot become outdated like a version."""
    probe = (np.arange(4 * 28 * 28, dtype=np.uint64) ** np.uint64(3) % np.uint64(251)).astype(np.uint8)
    result = np.asarray(fingerprint(probe.reshape(4, 28, 28)), dtype=np.uint64)
    return hashlib.sha256(result.tobytes()).hexdigest()[:16]


def _write_arrays(folder: Path, arrays: Arrays, fingerprint: Fingerprint | None) -> dict[str, Any]:
    """Write the four arrays and the fingerprints; return the file sizes and one hash of the arrays."""
    digest = hashlib.sha256()
    for part in PARTS:
        array = np.ascontiguousarray(arrays[part])
        digest.update(f"{part} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data)
        _save(folder / f"{part}.npy", array)
    if fingerprint is not None:
        prints = [_fingerprints(fingerprint, arrays[f"x_{split}"]) for split in SPLITS]
        _save(folder / "fingerprints.npy", np.concatenate(prints))
    sizes = {path.name: path.stat().st_size for path in sorted(folder.glob("*.npy"))}
    return {"sha256": digest.hexdigest(), "files": sizes}


def _fingerprints(fingerprint: Fingerprint, images: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    pieces = [fingerprint(images[start : start + _CHUNK]) for start in range(0, len(images), _CHUNK)]
    return np.concatenate(pieces).astype(np.uint64, copy=False)


def _save(path: Path, array: npt.NDArray[Any]) -> None:
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def whereabouts(data: PreparedDataset) -> tuple[tuple[str, int, int, int], ...]:
    """Return the name, inode, size and modification time in nanoseconds of each file of a prepared data set.

    Compare the values before and after an execution to find out whether the data was readable and unchanged throughout.

    Raises:
        DatasetMissingError: The prepared data set is missing or was replaced.
    """
    meta = _read_meta(data.folder)
    if meta is None or meta["sha256"] != data.sha256:
        problem = "is incomplete" if meta is None else "was replaced by another one"
        msg = f"the data set `{data.name}` {problem}"
        advice = "run the command again to prepare it; if its source is missing too, use `grader data import`"
        raise DatasetMissingError(msg, where=str(data.folder), advice=advice)
    try:
        facts = {name: (data.folder / name).stat() for name in ("meta.json", *sorted(meta["files"]))}
    except OSError as error:
        msg = f"the data set `{data.name}` disappeared"
        raise DatasetMissingError(msg, where=str(data.folder)) from error
    return tuple((name, fact.st_ino, fact.st_size, fact.st_mtime_ns) for name, fact in facts.items())


def _describe(
    name: str, source: Source, damaged: list[Source], arrays: Arrays, fingerprint_version: str
) -> dict[str, Any]:
    return {
        "version": PREPARED_VERSION,
        "name": name,
        "fingerprint_version": fingerprint_version,
        "counts": {split: len(arrays[f"x_{split}"]) for split in SPLITS},
        "image_shape": list(arrays["x_train"].shape[1:]),
        "label_shape": list(arrays["y_train"].shape[1:]),
        "labels": _label_names(source.info, arrays),
        "source": {"kind": source.kind, "state": source.state(), "damaged": [bad.state() for bad in damaged]},
    }


def _label_names(info: DatasetInfo | None, arrays: Arrays) -> list[str]:
    if info:
        return list(info.labels)
    return [str(label) for label in range(1 + max(int(arrays[f"y_{split}"].max()) for split in SPLITS))]


def _replace_folder(staging: Path, target: Path) -> None:
    """Move a finished folder to the place of an outdated one; processes with the old arrays mapped keep them."""
    if target.exists():
        old = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-old-"))
        target.rename(old / "stale")
        staging.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    else:
        staging.rename(target)


def _read_meta(folder: Path) -> dict[str, Any] | None:
    """Read the metadata of a prepared folder; return None if it is missing, incomplete or of another version."""
    try:
        meta: dict[str, Any] = json.loads((folder / "meta.json").read_bytes())
        complete = meta["version"] == PREPARED_VERSION and all(
            (folder / file).stat().st_size == size for file, size in meta["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return meta if complete else None


def _prepared(folder: Path, meta: Mapping[str, Any]) -> PreparedDataset:
    return PreparedDataset(
        name=meta["name"],
        folder=folder,
        counts=dict(meta["counts"]),
        image_shape=tuple(meta["image_shape"]),
        label_shape=tuple(meta["label_shape"]),
        labels=tuple(meta["labels"]),
        source=meta["source"]["kind"],
        sha256=meta["sha256"],
        fingerprint_version=meta["fingerprint_version"],
    )

"""Read untrusted arrays from a sandbox, and store derived arrays in the evidence folder."""

import os
import re
import stat
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from grader.facts.damaged import DAMAGED_ZIP
from grader.facts.npy import read_npy_head
from grader.schema.errors import ArtefactError, StorageError

__all__ = ["ArrayKeeper", "ArrayReader", "ArtefactFolder", "is_inside"]

Arrays = Mapping[str, NDArray[Any]]

ArrayReader = Callable[[str], Arrays]
"""Reads the arrays of a file, by its relative path: `.npz` arrays by name, the array of an `.npy` as `array`.

Raises `ArtefactError` if the file cannot be read."""

ArrayKeeper = Callable[[str, Arrays], None]
"""Stores arrays under a relative path: all of them as `.npz`, or the one named `array` as `.npy`."""

_MAX_MEMBERS = 64
_PIECE = 1 << 20
_NAME = re.compile(r"[\w.@+ -]{1,128}", re.ASCII)


def is_inside(path: object) -> bool:
    """Whether a claimed path is relative, plain, and stays inside its folder."""
    if not isinstance(path, str) or not 0 < len(path) <= 512:  # noqa: PLR2004 - no real artefact's path is longer
        return False
    parts = path.split("/")
    return all(_NAME.fullmatch(part) and part.strip(". ") for part in parts)


class ArtefactFolder:
    """Reads small arrays from one folder that the student's process could write to.

    Only regular files without symbolic links in their path are opened. Nothing is unpickled. Sizes in headers are
    checked before memory is allocated.
    """

    def __init__(self, root: Path, *, max_bytes: int = 128 << 20) -> None:
        """Set the folder and its limits.

        Args:
            root: The folder that a record's paths are relative to.
            max_bytes: Largest size of a file, and of all its unpacked arrays.
        """
        self.root = root
        self.max_bytes = max_bytes

    def __call__(self, relative: str) -> Arrays:
        """Read an `.npy` or `.npz`; see `ArrayReader`.

        Raises:
            ArtefactError: The file is missing, irregular, outside the folder, too large, damaged, or contains objects.
        """
        path = self.path(relative)
        try:
            with self._open(path, relative) as file:
                if path.suffix == ".npy":
                    return {"array": self._array(file, relative, self.max_bytes)}
                if path.suffix == ".npz":
                    return self._members(file, relative)
        except (OSError, KeyError, *DAMAGED_ZIP) as error:
            msg = f"cannot be read: {error}"
            raise ArtefactError(msg, where=relative) from error
        msg = "is neither an .npy nor an .npz file"
        raise ArtefactError(msg, where=relative)

    def path(self, relative: str) -> Path:
        """Find the path of a claimed artefact, and make sure that it is inside the folder.

        Args:
            relative: A path from the record; a file, or the folder of a SavedModel.

        Raises:
            ArtefactError: It is outside the folder, is missing, or contains anything but regular files and folders.
        """
        if not is_inside(relative):
            msg = "is not a path inside the record"
            raise ArtefactError(msg, where=repr(relative)[:200])
        path = self.root
        for part in PurePosixPath(relative).parts:
            path = path / part
            _refuse_special(path, relative)
        if path.is_dir():
            for inner in path.rglob("*"):
                _refuse_special(inner, relative)
        return path

    def keep(self, relative: str, arrays: Arrays) -> None:
        """Store derived arrays; see `ArrayKeeper`.

        Raises:
            StorageError: The file cannot be written, or a part of its path is not a plain folder.
        """
        if not is_inside(relative):
            msg = "is not a path inside the record"
            raise StorageError(msg, where=relative)
        path = self.root / relative
        try:
            folder = self.root
            for part in PurePosixPath(relative).parts[:-1]:
                folder = folder / part
                folder.mkdir(exist_ok=True)
                _refuse_special(folder, relative)
            spare = path.with_name(f".{path.name}.{os.getpid()}")
            with os.fdopen(os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as file:
                if path.suffix == ".npy":
                    np.save(file, arrays["array"], allow_pickle=False)
                else:
                    np.savez_compressed(file, allow_pickle=False, **{name: np.asarray(a) for name, a in arrays.items()})
            spare.replace(path)
        except (OSError, ArtefactError) as error:
            msg = f"cannot be stored: {error}"
            raise StorageError(msg, where=str(path)) from error

    def _open(self, path: Path, relative: str) -> IO[bytes]:
        # O_NONBLOCK, so that a pipe in place of an artefact cannot block the grader.
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
        info = os.fstat(file.fileno())
        if not stat.S_ISREG(info.st_mode) or info.st_size > self.max_bytes:
            file.close()
            msg = f"is not a regular file of at most {self.max_bytes >> 20} MiB"
            raise ArtefactError(msg, where=relative)
        return file

    def _array(self, file: IO[bytes], relative: str, room: int) -> NDArray[Any]:
        head = read_npy_head(file)
        if head.size > room:
            msg = f"contains an array of shape {head.shape}, instead of numbers of at most {room >> 20} MiB"
            raise ArtefactError(msg, where=relative)
        flat = np.empty(head.count, head.dtype)
        _fill(flat.view(np.uint8).data, file)
        return flat.reshape(head.shape, order="F" if head.fortran else "C")

    def _members(self, file: IO[bytes], relative: str) -> Arrays:
        arrays: dict[str, NDArray[Any]] = {}
        room = self.max_bytes
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if len(members) > _MAX_MEMBERS or sum(member.file_size for member in members) > room:
                msg = f"contains more than {_MAX_MEMBERS} arrays or {room >> 20} MiB"
                raise ArtefactError(msg, where=relative)
            for member in members:
                with archive.open(member) as inner:
                    array = self._array(inner, relative, room)
                room -= array.nbytes
                arrays[member.filename.removesuffix(".npy")] = array
        return arrays


def _fill(buffer: memoryview, file: IO[bytes]) -> None:
    """Read bytes until a buffer is full.

    Raises:
        EOFError: The file ends before.
    """
    at = 0
    while at < len(buffer):
        piece = file.read(min(_PIECE, len(buffer) - at))
        if not piece:
            msg = "it ends before its array does"
            raise EOFError(msg)
        buffer[at : at + len(piece)] = piece
        at += len(piece)


def _refuse_special(path: Path, relative: str) -> None:
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        msg = "is missing"
        raise ArtefactError(msg, where=relative) from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        msg = "is not a regular file or folder, or its path contains a link"
        raise ArtefactError(msg, where=relative)

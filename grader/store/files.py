"""Write files atomically: next to their path, flushed to the disk, and renamed. Lock and flush folders."""

import ctypes
import errno
import fcntl
import hashlib
import io
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from grader.schema.errors import ArtefactError, StorageError, UsageError

__all__ = [
    "WRITING",
    "Batch",
    "encoded",
    "encoded_pieces",
    "held",
    "lock",
    "sha256_or_empty",
    "sync_all",
    "sync_folder",
    "write_atomically",
    "writing",
]

WRITING = ".writing-"
"""Prefix of the names of temporary files."""
_SMALL = 1 << 20
"""Size in bytes up to which a file is read at once."""
_PAUSE = 0.02
"""Seconds between two tries to lock a folder."""


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Convert an error of the file system to `StorageError`."""
    try:
        yield
    except OSError as error:
        reason = "the disk is full" if error.errno in {errno.ENOSPC, errno.EDQUOT} else (error.strerror or str(error))
        msg = f"cannot write: {reason}"
        raise StorageError(msg, where=str(place)) from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that the path always holds either the old or the complete new file.

    Args:
        path: Path of the file; missing parent folders are created.
        content: Content of the file.

    Raises:
        StorageError: The disk is full or not writable; no partial file remains.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=WRITING)
        staging = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            staging.chmod(0o644)
            staging.replace(path)
        finally:
            staging.unlink(missing_ok=True)
        sync_folder(path.parent)


class Batch:
    """Group of files that are written atomically with a single flush of the disk.

    Each file is first written next to its path. Its temporary name is always the same, so the next batch overwrites the
    leftovers of a killed one. `commit` flushes all files together and renames them in the order in which they were
    added. A file that marks another one as done must therefore be added after it.
    """

    def __init__(self, root: Path) -> None:
        """Start an empty batch.

        Args:
            root: Any folder on the files' file system.
        """
        self._root = root
        self._files: dict[Path, Path] = {}

    def add(self, path: Path, content: bytes | str) -> None:
        """Write a temporary file next to the path.

        Raises:
            StorageError: The disk is full or not writable.
        """
        staging = path.with_name(f"{WRITING}{path.name}")
        with writing(path):
            staging.write_bytes(encoded(content))
        self._files[path] = staging

    @contextmanager
    def opened(self, path: Path) -> Iterator[TextIO]:
        """Open a temporary text file next to the path, for content too long for memory; line ends are not changed.

        Raises:
            StorageError: The disk is full or not writable.
        """
        staging = path.with_name(f"{WRITING}{path.name}")
        with writing(path), staging.open("w", encoding="utf-8", errors="replace", newline="") as file:
            yield file
        self._files[path] = staging

    def commit(self) -> None:
        """Flush all files and rename them to their paths.

        Raises:
            StorageError: A file cannot be renamed; the files before it are in place.
        """
        if not self._files:
            return
        with writing(self._root):
            sync_all(self._root)
            for path, staging in self._files.items():
                staging.replace(path)
        self._files.clear()


def encoded(content: bytes | str) -> bytes:
    """Encode text in UTF-8."""
    # A student's text may contain lone surrogates; a report with replacement characters is better than none.
    return content.encode("utf-8", "replace") if isinstance(content, str) else content


def encoded_pieces(pieces: Iterable[str]) -> bytes:
    """Encode a long text in UTF-8, piece by piece, so that it is never in memory twice.

    Args:
        pieces: The parts of the text, in order.
    """
    buffer = io.BytesIO()
    for piece in pieces:
        buffer.write(encoded(piece))
    return buffer.getvalue()


def sync_all(folder: Path) -> None:
    """Flush a folder's file system, or all file systems if the C library has no `syncfs`."""
    syncfs = getattr(ctypes.CDLL(None), "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        if syncfs(handle):
            os.sync()
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Flush a folder, so that a renaming survives a power cut; some file systems do not support this."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(handle)


def lock(handle: int, folder: Path, *, wait: float = 0.0) -> bool:
    """Lock an open folder; return False if its file system does not support locks.

    Args:
        handle: File descriptor of the folder.
        folder: The folder, for errors.
        wait: Seconds to wait for another process that holds the lock.

    Raises:
        UsageError: Another process holds the lock.
    """
    until = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() < until:
                time.sleep(_PAUSE)
                continue
            msg = "another grader is using this folder"
            advice = "wait until it has finished, or use another folder"
            raise UsageError(msg, where=str(folder), advice=advice) from error
        except OSError:
            return False
        return True


held: set[int] = set()
"""File descriptors of the folders that this process has locked."""


def _let_go() -> None:
    """Close inherited locks in a forked child, which would otherwise keep them after its parent's end."""
    while held:
        os.close(held.pop())


os.register_at_fork(after_in_child=_let_go)


def sha256_or_empty(path: Path) -> str:
    """Return a file's SHA-256, or an empty string if it does not exist.

    Raises:
        ArtefactError: The file cannot be read.
    """
    try:
        # Unbuffered, since a small file is read at once.
        with path.open("rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size <= _SMALL:
                return hashlib.sha256(file.readall()).hexdigest()
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""
    except OSError as error:
        msg = f"cannot read the file ({error.strerror or error})"
        raise ArtefactError(msg, where=str(path)) from error

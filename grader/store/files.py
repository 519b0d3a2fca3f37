"""Files that appear whole or not at all: written beside their place, flushed to the disk, and renamed."""

import ctypes
import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from grader.schema.errors import ArtefactError, StorageError, UsageError

__all__ = [
    "WRITING",
    "Batch",
    "encoded",
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


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn what goes wrong with the disk into the grader's own error."""
    try:
        yield
    except OSError as error:
        reason = "the disk is full" if error.errno in {errno.ENOSPC, errno.EDQUOT} else (error.strerror or str(error))
        msg = f"cannot write: {reason}"
        raise StorageError(msg, where=str(place)) from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that there is the old one or the whole new one, whatever happens.

    Args:
        path: Where it goes; folders above it are made.
        content: All of it.

    Raises:
        StorageError: The disk is full or may not be written; nothing half-written stays behind.
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
    """Many files written at once: each appears whole or not at all, and the disk is waited for once, not for each.

    A file is written beside its place under one name for all attempts, so that a killed batch leaves nothing that the
    next one does not write over. `commit` flushes them all together and then renames them in the order they were
    added: of two files of which the second tells that the first is done, the first is there.
    """

    def __init__(self, root: Path) -> None:
        """Begin one.

        Args:
            root: Any folder of the file system that the files are on.
        """
        self._root = root
        self._files: dict[Path, Path] = {}

    def add(self, path: Path, content: bytes | str) -> None:
        """Write a file beside its place.

        Raises:
            StorageError: The disk is full or may not be written.
        """
        staging = path.with_name(f"{WRITING}{path.name}")
        with writing(path):
            staging.write_bytes(encoded(content))
        self._files[path] = staging

    @contextmanager
    def opened(self, path: Path) -> Iterator[TextIO]:
        """Open a text file beside its place, for what is too long to be in memory; line ends stay as they are.

        Raises:
            StorageError: The disk is full or may not be written.
        """
        staging = path.with_name(f"{WRITING}{path.name}")
        with writing(path), staging.open("w", encoding="utf-8", errors="replace", newline="") as file:
            yield file
        self._files[path] = staging

    def commit(self) -> None:
        """Put every file in its place.

        Raises:
            StorageError: A file cannot be put there; those before it are.
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
    # A student's text may hold half characters; a report with a replacement sign is better than none.
    return content.encode("utf-8", "replace") if isinstance(content, str) else content


def sync_all(folder: Path) -> None:
    """Flush the file system that a folder is on; where the C library has no word for one, all of them."""
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
    """Make the renaming itself last through a power cut; some file systems cannot."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(handle)


def lock(handle: int, folder: Path) -> bool:
    """Lock an open folder; False where its file system has no locks.

    Raises:
        UsageError: Another process holds it.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        msg = "another grader is at work in this folder"
        raise UsageError(msg, where=str(folder), advice="wait until it has ended, or name another folder") from error
    except OSError:
        return False
    return True


held: set[int] = set()
"""Open folders that this process has locked."""


def _let_go() -> None:
    """Close what was locked before a fork: a child that outlived its parent would keep everybody out."""
    while held:
        os.close(held.pop())


os.register_at_fork(after_in_child=_let_go)


def sha256_or_empty(path: Path) -> str:
    """Hash a file; empty where there is none.

    Raises:
        ArtefactError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""
    except OSError as error:
        msg = f"the file cannot be read ({error.strerror or error})"
        raise ArtefactError(msg, where=str(path)) from error

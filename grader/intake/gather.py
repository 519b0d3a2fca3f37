"""Bring the files of one student together in one folder, under the student's own names."""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from grader.schema.errors import StorageError

__all__ = ["gather", "safe_member"]


def safe_member(name: str) -> str:
    """Make a student's file name safe: no part leads out of the folder or is hidden.

    Args:
        name: A relative name, with slashes.
    """
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in {"/", "..", "."}]
    return "/".join(parts) or "file"


def gather(members: Mapping[str, Path], unpack_to: Path, label: str) -> Path:
    """Make a folder with the files of one student; hard links save space where they are possible.

    Args:
        members: Relative name in the folder → file.
        unpack_to: Parent of the folder.
        label: Start of the folder's name. The rest is computed from the members, so the same files make one folder.

    Returns:
        The folder.

    Raises:
        StorageError: The disk is full or not writable.
        OSError: A file cannot be read.
    """
    names = "".join(f"{name}\0{path}\n" for name, path in sorted(members.items()))
    target = unpack_to / f"{label}-{hashlib.sha256(names.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"
    if target.is_dir():
        return target
    try:
        unpack_to.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=unpack_to, prefix=".gathering-"))
    except OSError as error:
        raise _storage(error, unpack_to) from error
    try:
        for name, path in members.items():
            _place(path, staging / safe_member(name))
        staging.chmod(0o755)
        staging.rename(target)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}:
            raise _storage(error, unpack_to) from error
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def _place(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.EACCES, errno.ENOSPC}:
            raise
        shutil.copyfile(source, target)


def _storage(error: OSError, place: Path) -> StorageError:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return StorageError(f"a student's files could not be collected: {reason}", where=str(place))

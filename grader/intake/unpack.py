"""Unpacks zips that strangers made: what may come out is decided first, purely, and only that is written."""

import errno
import hashlib
import lzma
import os
import re
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grader.schema.errors import NotebookError, StorageError, UnreadableError

__all__ = ["Entry", "Limits", "Plan", "is_ignored", "plan_unpack", "unpack_zip"]

_ADVICE = "pack the notebook into a plain zip again, without encryption and with relative names, and submit that"
_CHUNK = 1 << 20
_ENCRYPTED = 0x1
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    ValueError,
    OverflowError,
    RuntimeError,
    MemoryError,  # a damaged head asks for any amount
)
"""What Python's readers of zips raise for bytes that make no sense."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a zip's directory claims about one of its members."""

    name: str
    size: int
    """Unpacked bytes."""
    compressed: int
    """Packed bytes."""
    mode: int = 0
    """Unix mode, with the file type; 0 where the zip does not tell."""
    encrypted: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may come out of one zip."""

    total: int = 4 << 30
    """Unpacked bytes altogether."""
    count: int = 50_000
    """Members altogether."""
    ratio: float = 150.0
    """Unpacked over packed bytes, looked at only above `free`."""
    free: int = 64 << 20
    """Unpacked bytes below which no ratio is a bomb."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write, and what was left out."""

    files: tuple[tuple[int, PurePosixPath], ...]
    """Position of the member, and where it goes, relative to the target folder."""
    skipped: tuple[str, ...]
    """Links, devices and names that are not files of the student's."""


def is_ignored(name: str) -> bool:
    """Tell whether one part of a path is a system's litter and nobody's work.

    Args:
        name: One part of a path: `.ipynb_checkpoints`, `__MACOSX`, `lost+found`, any hidden name, `~$x`, `x~`.
    """
    return name.startswith((".", "~")) or name.endswith("~") or name in {"__MACOSX", "__pycache__", "lost+found"}


def plan_unpack(entries: Sequence[Entry], limits: Limits = Limits()) -> Plan:
    """Decide what may come out of a zip.

    Args:
        entries: The zip's members in order.
        limits: How much may come out.

    Raises:
        NotebookError: A member is absolute or climbs out of the folder, is encrypted, or it is all too much.
    """
    if len(entries) > limits.count:
        msg = f"the zip holds {len(entries):,} members, more than {limits.count:,}"
        raise NotebookError(msg, advice=_ADVICE)
    total = sum(entry.size for entry in entries)
    packed = sum(entry.compressed for entry in entries)
    if total > limits.total:
        msg = f"the zip unpacks to {total / 2**20:,.0f} MiB, more than {limits.total / 2**20:,.0f} MiB"
        raise NotebookError(msg, advice="submit the notebook without large data files")
    if total > limits.free and total > limits.ratio * max(packed, 1):
        msg = f"the zip unpacks to {total / max(packed, 1):,.0f} times its size: it is made to fill a disk"
        raise NotebookError(msg, advice=_ADVICE)
    files: dict[PurePosixPath, int] = {}
    skipped = []
    for position, entry in enumerate(entries):
        path = _relative(entry.name)
        if entry.name.endswith(("/", "\\")) or stat.S_ISDIR(entry.mode):
            continue
        if _is_special(entry.mode) or any(is_ignored(part) for part in path.parts):
            skipped.append(entry.name)
            continue
        if entry.encrypted:
            msg = f"the zip is encrypted ({entry.name})"
            raise NotebookError(msg, advice=_ADVICE)
        files[path] = position
    return Plan(files=tuple((position, path) for path, position in files.items()), skipped=tuple(skipped))


def _is_special(mode: int) -> bool:
    """A link, device, pipe or socket: anything that says its type and is no plain file."""
    return stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}


def _relative(name: str) -> PurePosixPath:
    """Bring a member's name to a relative path below the target, or refuse it."""
    path = PurePosixPath(name.replace("\\", "/"))
    drive = bool(path.parts) and re.match(r"[A-Za-z]:", path.parts[0]) is not None
    if path.is_absolute() or drive or ".." in path.parts or "\x00" in name or not path.parts:
        msg = f"the zip holds a name that leads out of its folder: {name!r}"
        raise NotebookError(msg, advice=_ADVICE)
    return path


def unpack_zip(path: Path, unpack_to: Path, *, limits: Limits = Limits()) -> Path:
    """Unpack a zip into a folder of its own below `unpack_to`.

    The folder is named by the zip's content, so the same zip is unpacked once; it appears whole or not at all.

    Args:
        path: The zip.
        unpack_to: Where its folder is made.
        limits: How much may come out.

    Returns:
        The folder, without symbolic links.

    Raises:
        NotebookError: It is no zip, or not one to unpack.
        UnreadableError: Its bytes cannot be read now.
        StorageError: The disk is full or may not be written.
    """
    target = unpack_to / _digest(path)
    if target.is_dir():
        return target
    try:
        unpack_to.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=unpack_to, prefix=".unpacking-"))
    except OSError as error:
        raise _storage(error, unpack_to) from error
    try:
        _extract(path, staging, limits)
        staging.chmod(0o755)
        _settle(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def _settle(staging: Path, target: Path) -> None:
    """Give the finished folder its name, unless another run was faster."""
    try:
        staging.rename(target)
    except OSError as error:
        if not target.is_dir():
            raise _storage(error, target) from error


def _extract(path: Path, into: Path, limits: Limits) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            plan = plan_unpack([_entry(member) for member in members], limits)
            for position, relative in plan.files:
                _write_member(archive, members[position], into / relative)
    except _DAMAGED as error:
        msg = f"the zip is damaged or of a kind that cannot be read ({error})"
        raise NotebookError(msg, where=path.name, advice=_ADVICE) from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO}:
            raise _storage(error, into) from error
        if error.errno in {errno.ENOENT, errno.ESTALE, errno.ETIMEDOUT}:
            raise _unreadable(error, path) from error
        if error.errno is None:
            # As bzip2 says that its data is damaged.
            msg = f"the zip is damaged ({error})"
            raise NotebookError(msg, where=path.name, advice=_ADVICE) from error
        msg = f"a name in the zip cannot be made into a file ({error.strerror})"
        raise NotebookError(msg, where=path.name, advice=_ADVICE) from error


def _entry(member: zipfile.ZipInfo) -> Entry:
    return Entry(
        name=member.filename,
        size=member.file_size,
        compressed=member.compress_size,
        mode=member.external_attr >> 16,
        encrypted=bool(member.flag_bits & _ENCRYPTED),
    )


def _write_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    """Write one member, and no more of it than the zip's directory claimed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    left = member.file_size
    with archive.open(member) as source, target.open("wb") as sink:
        while chunk := source.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                msg = f"{member.filename} is larger than the zip says"
                raise zipfile.BadZipFile(msg)
            sink.write(chunk)


def _digest(path: Path) -> str:
    """Name a zip by its file name and content."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise _unreadable(error, path) from error
    stem = re.sub(r"[^\w-]+", "-", path.stem).strip("-")[:40] or "zip"
    return f"{stem}-{digest.hexdigest()[:12]}"


def _unreadable(error: OSError, path: Path) -> UnreadableError:
    return UnreadableError(f"the file cannot be read ({error.strerror or error})", where=path.name)


def _storage(error: OSError, place: Path) -> StorageError:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return StorageError(f"a zip could not be unpacked: {reason}", where=str(place))

"""Unpack untrusted zips: a pure function decides which members are safe, and only those are written."""

import errno
import hashlib
import os
import re
import shutil
import stat
import struct
import tempfile
import time
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grader.facts.damaged import DAMAGED_ZIP
from grader.facts.refusal import refusal
from grader.schema.errors import NotebookError, StorageError, UnreadableError
from grader.schema.message import say

__all__ = ["Entry", "Limits", "Plan", "is_ignored", "plan_unpack", "skipped_members", "unpack_zip"]

_ADVICE = say("pack the notebook into a new zip, without encryption and with relative names, and submit that")
_CHUNK = 1 << 20
_ENCRYPTED = 0x1
_UTF8 = 0x800
"""Flag of a member whose name is in UTF-8."""
_UNICODE_PATH = 0x7075
"""Kind of the extra field with a name in UTF-8: a version, a checksum, the name."""
_UNICODE_PATH_HEADER = 5
_EXTRA_HEADER = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """A member of a zip, as the zip's directory describes it."""

    name: str
    size: int
    """Unpacked size in bytes."""
    compressed: int
    """Packed size in bytes."""
    mode: int = 0
    """Unix mode with the file type; 0 if the zip does not contain it."""
    encrypted: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for unpacking one zip."""

    total: int = 4 << 30
    """Maximum unpacked size of all members, in bytes."""
    count: int = 50_000
    """Maximum number of members."""
    ratio: float = 150.0
    """Maximum ratio of unpacked to packed size; checked only above `free`."""
    free: int = 64 << 20
    """Unpacked size in bytes up to which the ratio is not checked."""
    depth: int = 64
    """Maximum number of folders in a path."""
    share: float = 0.5
    """Maximum part of the free space of the disk."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The members to write, and those left out."""

    files: tuple[tuple[int, PurePosixPath], ...]
    """Position of each member, and its path relative to the target folder."""
    skipped: tuple[str, ...]
    """Names of links, devices, and system or hidden files."""
    replaced: tuple[str, ...] = ()
    """Names of members with the same path as a later one."""
    total: int = 0
    """Unpacked size in bytes."""


def is_ignored(name: str) -> bool:
    """Return whether a path component is hidden or a system's leftover, not a student's work.

    Args:
        name: One part of a path: `.ipynb_checkpoints`, `__MACOSX`, `lost+found`, any hidden name, `~$x`, `x~`.
    """
    return name.startswith((".", "~")) or name.endswith("~") or name in {"__MACOSX", "__pycache__", "lost+found"}


def plan_unpack(entries: Sequence[Entry], limits: Limits = Limits()) -> Plan:
    """Decide which members of a zip to unpack.

    Args:
        entries: The zip's members in order.
        limits: Maximum sizes and counts.

    Raises:
        NotebookError: A member has an unsafe path or is encrypted, or the zip is too large.
    """
    if len(entries) > limits.count:
        msg = say(
            "the zip has {members:number} members, more than the limit of {limit:number}",
            members=len(entries),
            limit=limits.count,
        )
        raise refusal(msg, advice=_ADVICE)
    total = sum(entry.size for entry in entries)
    packed = sum(entry.compressed for entry in entries)
    if total > limits.total:
        msg = say(
            "the zip has an unpacked size of {size:size}, more than the limit of {limit:size}",
            size=total,
            limit=limits.total,
        )
        raise refusal(msg, advice=say("submit the notebook without large data files"))
    if total > limits.free and total > limits.ratio * max(packed, 1):
        msg = say(
            "the zip unpacks to {ratio:number} times its size, as zips do that are made to fill a disk",
            ratio=round(total / max(packed, 1)),
        )
        raise refusal(msg, advice=_ADVICE)
    files: dict[PurePosixPath, int] = {}
    skipped, replaced = [], []
    for position, entry in enumerate(entries):
        path = _relative(entry.name, limits)
        if entry.name.endswith(("/", "\\")) or stat.S_ISDIR(entry.mode):
            continue
        if _is_special(entry.mode) or any(is_ignored(part) for part in path.parts):
            skipped.append(entry.name)
            continue
        if entry.encrypted:
            raise refusal(say("the zip is encrypted ({member})", member=entry.name), advice=_ADVICE)
        if path in files:
            replaced.append(entry.name)
        files[path] = position
    kept = tuple((position, path) for path, position in files.items())
    return Plan(files=kept, skipped=tuple(skipped), replaced=tuple(replaced), total=total)


def _is_special(mode: int) -> bool:
    """Return whether a mode is that of a link, device, pipe or socket."""
    return stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}


def _relative(name: str, limits: Limits) -> PurePosixPath:
    """Convert a member's name to a relative path inside the target folder, or refuse it."""
    path = PurePosixPath(name.replace("\\", "/"))
    drive = bool(path.parts) and re.match(r"[A-Za-z]:", path.parts[0]) is not None
    if path.is_absolute() or drive or ".." in path.parts or "\x00" in name or not path.parts:
        msg = say("a name in the zip leads out of its folder: {name}", name=repr(name))
        raise refusal(msg, advice=_ADVICE)
    if len(path.parts) > limits.depth:
        msg = say("a file in the zip is in more than {limit:number} folders", limit=limits.depth)
        raise refusal(msg, advice=_ADVICE)
    return path


def skipped_members(path: Path) -> Plan:
    """Plan the unpacking of a zip again, to list the members that are left out; empty if it cannot be unpacked.

    Args:
        path: The zip.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _decode_names(members)
            return plan_unpack([_entry(member) for member in members])
    except (*DAMAGED_ZIP, NotebookError, OSError):
        return Plan((), ())


def unpack_zip(path: Path, unpack_to: Path, *, limits: Limits = Limits()) -> Path:
    """Unpack a zip into its own folder inside `unpack_to`.

    The folder's name is computed from the zip's content, so the same zip is unpacked only once. The folder appears only
    when it is complete.

    Args:
        path: The zip.
        unpack_to: The parent of the new folder.
        limits: Maximum sizes and counts.

    Returns:
        The folder, without symbolic links.

    Raises:
        NotebookError: The file is not a zip, or it is unsafe.
        UnreadableError: The file's bytes cannot be read now.
        StorageError: The disk is full or not writable.
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
    """Rename the finished folder to its final name, unless another process did so first."""
    try:
        staging.rename(target)
    except OSError as error:
        if not target.is_dir():
            raise _storage(error, target) from error


def _extract(path: Path, into: Path, limits: Limits) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _decode_names(members)
            plan = plan_unpack([_entry(member) for member in members], limits)
            _check_space(path, into, plan, limits)
            for position, relative in plan.files:
                _write_member(archive, members[position], into / relative)
    except DAMAGED_ZIP as error:
        msg = say("the zip is damaged or uses an unsupported format ({error})", error=str(error))
        raise refusal(msg, where=path.name, advice=_ADVICE) from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO}:
            raise _storage(error, into) from error
        if error.errno in {errno.ENOENT, errno.ESTALE, errno.ETIMEDOUT}:
            raise _unreadable(error, path) from error
        if error.errno is None:
            # bzip2 reports damaged data this way.
            msg = say("the zip is damaged ({error})", error=str(error))
            raise refusal(msg, where=path.name, advice=_ADVICE) from error
        msg = say("a name in the zip is not a valid file name ({error})", error=error.strerror)
        raise refusal(msg, where=path.name, advice=_ADVICE) from error


def _check_space(path: Path, into: Path, plan: Plan, limits: Limits) -> None:
    """Refuse a zip that would leave no space for the others; nobody loses points for it."""
    free = shutil.disk_usage(into).free
    if plan.total > limits.share * free:
        msg = f"it unpacks to {plan.total >> 20} MiB, but only {free >> 20} MiB of the disk are free"
        raise UnreadableError(msg, where=path.name)


def _decode_names(members: Sequence[zipfile.ZipInfo]) -> None:
    """Decode the names that Python read as cp437, although the zip does not declare an encoding."""
    for member in members:
        raw, text = _raw_name(member), member.filename
        if raw is not None:
            # Info-ZIP on Linux and macOS writes UTF-8 without the flag; old Windows programs write cp437.
            text = _unicode_path(member.extra, raw) or raw.decode("utf-8" if _is_utf8(raw) else "cp437")
        # macOS splits a letter with an accent into two characters; code that names the file usually does not.
        member.filename = unicodedata.normalize("NFC", text.partition("\0")[0])


def _raw_name(member: zipfile.ZipInfo) -> bytes | None:
    """Return the bytes of a name without a declared encoding, else None."""
    if member.flag_bits & _UTF8:
        return None
    try:
        return member.orig_filename.encode("cp437")
    except UnicodeEncodeError:
        return None


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _unicode_path(extra: bytes, raw: bytes) -> str:
    """Read Info-ZIP's extra field with the name in UTF-8; it counts only with the checksum of the stored name."""
    while len(extra) >= _EXTRA_HEADER:
        kind, size = struct.unpack_from("<HH", extra)
        content, extra = extra[_EXTRA_HEADER : _EXTRA_HEADER + size], extra[_EXTRA_HEADER + size :]
        name = content[_UNICODE_PATH_HEADER:]
        if kind == _UNICODE_PATH and name and content[0] == 1 and _is_utf8(name):
            (checksum,) = struct.unpack_from("<I", content, 1)
            if checksum == zlib.crc32(raw):
                return name.decode("utf-8")
    return ""


def _entry(member: zipfile.ZipInfo) -> Entry:
    return Entry(
        name=member.filename,
        size=member.file_size,
        compressed=member.compress_size,
        mode=member.external_attr >> 16,
        encrypted=bool(member.flag_bits & _ENCRYPTED),
    )


def _write_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    """Write one member; fail if it is larger than the zip's directory claims."""
    target.parent.mkdir(parents=True, exist_ok=True)
    remaining = member.file_size
    with archive.open(member) as source, target.open("wb") as sink:
        while chunk := source.read(_CHUNK):
            remaining -= len(chunk)
            if remaining < 0:
                msg = f"{member.filename} is larger than its size in the zip's directory"
                raise zipfile.BadZipFile(msg)
            sink.write(chunk)
    with suppress(ValueError, OverflowError, OSError):  # a zip may name a day that does not exist
        moment = time.mktime((*member.date_time, 0, 0, -1))
        os.utime(target, (moment, moment))


def _digest(path: Path) -> str:
    """Compute a folder name from a zip's file name and content."""
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

"""Download a file: resume after a broken connection, check the hash, then rename it, so that it is complete."""

import gzip
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path

from grader.datasets.registry import OfficialFile
from grader.schema.errors import DatasetMissingError, StorageError

__all__ = ["download"]

_CHUNK = 1 << 18
_TIMEOUT = 30.0
_TRIES = 4
_OFFLINE = "connect this machine to the network, or download the file elsewhere and run `grader data import NAME FILE`"
_PARTIAL_CONTENT = 206
_RANGE_REFUSED = 416
_FIRST_SERVER_FAULT = 500

Progress = Callable[[int, int | None], None]


def download(
    file: OfficialFile,
    target: Path,
    *,
    url: str | None = None,
    progress: Progress | None = None,
    pause: float = 1.0,
) -> None:
    """Download one official file to `target`.

    After a broken connection, the bytes received so far remain in a `.part` file next to the target. The next try
    resumes there.

    Args:
        file: The official file, with its hash.
        target: Path to write; its folder must exist. A file there with the right hash is kept.
        url: Address to use in place of the official one.
        progress: Callback with the bytes so far and the total (None if the server does not send a length).
        pause: Seconds before the second try; doubled each time.

    Raises:
        DatasetMissingError: There is no network, the server has no such file, or the hash differs.
        StorageError: The file cannot be written.
    """
    if target.is_file() and _digest(target, file) == file.sha256:
        return
    address = url or file.url
    if urllib.parse.urlsplit(address).scheme not in {"http", "https"}:
        msg = f"`{address}` is not a web address"
        raise DatasetMissingError(msg, advice="use an address that starts with https://")
    part = target.with_name(target.name + ".part")
    try:
        _fill(address, part, progress, pause)
        _accept(file, part, target, address)
    except OSError as error:
        msg_0 = f"cannot write the download ({error.strerror or error})"
        raise StorageError(msg_0, where=str(part)) from error


def _fill(address: str, part: Path, progress: Progress | None, pause: float) -> None:
    """Download in several tries until the part file is complete."""
    for attempt in range(_TRIES):
        try:
            _continue(address, part, progress)
        except urllib.error.HTTPError as error:
            with error:
                if error.code < _FIRST_SERVER_FAULT or attempt == _TRIES - 1:
                    msg = f"the server answered {error.code} {error.reason}"
                    raise DatasetMissingError(msg, where=address, advice=_OFFLINE) from None
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            reason = getattr(error, "reason", None) or str(error) or type(error).__name__
            if attempt == _TRIES - 1 or not _had_begun(part, error):
                msg_0 = f"the download failed ({reason})"
                raise DatasetMissingError(msg_0, where=address, advice=_OFFLINE) from error
        else:
            return
        time.sleep(pause * 2**attempt)


def _had_begun(part: Path, error: Exception) -> bool:
    """Return whether another try may help; it does not if the server was never reached."""
    return part.is_file() or not isinstance(error, urllib.error.URLError)


def _continue(address: str, part: Path, progress: Progress | None) -> None:
    """Request the missing bytes and append them to the part file."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(address, headers={"User-Agent": "cnn-grader"})  # noqa: S310 -- scheme was checked
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)  # noqa: S310 -- the same
    except urllib.error.HTTPError as error:
        if error.code == _RANGE_REFUSED and have:
            error.close()
            return  # the part was complete already; the hash decides
        raise
    with response:
        resumed = response.status == _PARTIAL_CONTENT
        have = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else None
        with part.open("ab" if resumed else "wb") as sink:
            while chunk := response.read(_CHUNK):
                sink.write(chunk)
                have += len(chunk)
                if progress:
                    progress(have, total)
    if total is not None and have < total:
        msg = f"the connection closed after {have:,} of {total:,} bytes"
        raise ConnectionError(msg)


def _accept(file: OfficialFile, part: Path, target: Path, address: str) -> None:
    """Rename the part file if its hash is right, else delete it."""
    actual_hash = _digest(part, file)
    if actual_hash != file.sha256:
        part.unlink()
        hashes = f"SHA-256 {actual_hash[:12]}…, not {file.sha256[:12]}…"
        msg = f"the downloaded file {file.name} is not the expected one ({hashes})"
        raise DatasetMissingError(
            msg, where=address, advice="try again later; a proxy or the server may have changed the file"
        )
    with part.open("rb") as written:
        os.fsync(written.fileno())
    part.replace(target)


def _digest(path: Path, file: OfficialFile) -> str:
    """Hash a file, or its unpacked content; return `damaged` for a damaged gzip file."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as raw:
            source = gzip.GzipFile(fileobj=raw) if file.unpacked else raw
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return "damaged"
    return digest.hexdigest()

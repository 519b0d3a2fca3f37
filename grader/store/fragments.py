"""The file with the rendered parts of a submission's pages, next to its evidence.

Nothing depends on this file. It saves time, and whatever is missing or damaged in it is rendered again. New parts are
appended, so that a regrade writes only what it rendered. A half-written part of a killed grader fails its checksum.
"""

import os
import re
import zlib
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from grader.store.files import WRITING

__all__ = ["FragmentFile"]

_HEAD: Final = b"rendered parts 1\n"
_RECORD_HEAD: Final = re.compile(rb"([0-9a-f]{32}) (\d{1,9}) (\d{1,10})\n")
"""The key, the length and the checksum of a part, as `_record` writes them."""
_LARGEST: Final = 64 << 20
"""Size in bytes from which a file is not read."""
_SPARE: Final = 64 << 10


class FragmentFile:
    """Rendered parts by key."""

    def __init__(self, path: Path, *, spare: int = _SPARE) -> None:
        """Read the file; whatever cannot be read is missing.

        Args:
            path: Its path.
            spare: Size in bytes of unused parts that are tolerated before the file is written again without them.
        """
        self._path = path
        self._spare = spare
        self._content = _content(path)
        self._places = _places(self._content)

    def get(self, key: str) -> bytes | None:
        """Return a part; None if it is missing or damaged."""
        place = self._places.get(key)
        if place is None:
            return None
        _, start, end, checksum = place
        part = self._content[start:end]
        return part if len(part) == end - start and zlib.crc32(part) == checksum else None

    def store(self, used: Collection[str], new: Mapping[str, bytes]) -> None:
        """Add new parts. Parts that are not used any more are removed if they take much space.

        A failure is ignored, since the parts can be rendered again.

        Args:
            used: Keys of the parts that the current pages have.
            new: The parts that are not in the file yet.
        """
        if not new:
            return
        records = b"".join(_record(key, part) for key, part in new.items())
        places = [self._places[key] for key in used if key not in new and key in self._places]
        unused = len(self._content) - len(_HEAD) - sum(end + 1 - begin for begin, _, end, _ in places)
        with suppress(OSError):
            if self._content and unused <= self._spare:
                # The end of the file may be half a part.
                _append(self._path, b"\n" + records)
            else:
                kept = {key: part for key in used if key not in new and (part := self.get(key)) is not None}
                whole = _HEAD + b"".join(_record(key, part) for key, part in kept.items()) + records
                _write(self._path, whole)


def _write(path: Path, content: bytes) -> None:
    """Replace the file without a flush: after a power cut, damaged parts fail their checksums."""
    staging = path.with_name(f"{WRITING}{path.name}")
    staging.unlink(missing_ok=True)
    staging.write_bytes(content)
    staging.replace(path)


def _append(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC), "ab") as file:
        file.write(content)


def _content(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        # Unbuffered, and no more than its size: otherwise, memory for the largest file is taken each time.
        with os.fdopen(handle, "rb", buffering=0) as file:
            size = os.fstat(handle).st_size
            content = (file.read(size) or b"") if size <= _LARGEST else b""
    except OSError:
        return b""
    return content if content.startswith(_HEAD) else b""


def _record(key: str, part: bytes) -> bytes:
    return b"%s %d %d\n%s\n" % (key.encode("ascii"), len(part), zlib.crc32(part), part)


def _places(content: bytes) -> dict[str, tuple[int, int, int, int]]:
    """Find the start of each record, the start and the end of its part, and the checksum."""
    places: dict[str, tuple[int, int, int, int]] = {}
    at = len(_HEAD)
    while at < len(content):
        head = _RECORD_HEAD.match(content, at)
        if head is None or (end := head.end() + int(head[2])) > len(content):
            # Damaged: the next record begins after one of the next line ends.
            at = content.find(b"\n", at) + 1 or len(content)
            continue
        places[head[1].decode("ascii")] = (at, head.end(), end, int(head[3]))
        at = end + 1
    return places

"""Takes over what a sandbox wrote, trusting neither names, nor kinds of files, nor sizes.

Call it after the sandbox has ended: then nothing changes while it is read. Still every folder is opened relative to
the one above it and no link is followed, so that a link planted by the notebook leads nowhere.
"""

import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader.schema.errors import StorageError
from grader.schema.rubric import RunSettings

__all__ = ["CollectCaps", "Collected", "Record", "collect", "read_record"]

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}"
_ALLOWED = tuple(
    re.compile(pattern)
    for pattern in (
        r"events\.jsonl",
        rf"models/{_NAME}\.keras",
        rf"models/{_NAME}\.saved_model(/{_NAME}){{1,4}}",
        rf"arrays/{_NAME}\.np[yz]",
        rf"predictions/{_NAME}\.npy",
    )
)
_FOLDERS = re.compile(rf"models|arrays|predictions|models/{_NAME}\.saved_model(/{_NAME}){{0,3}}")
_CHUNK = 1 << 20
_MIB = 1 << 20
_MOST_PROBLEMS = 50


@dataclass(frozen=True, slots=True)
class CollectCaps:
    """How much of a record is taken over."""

    file_bytes: int = 400 * _MIB
    events_bytes: int = 32 * _MIB
    """Read at once, they take ten times as much memory."""
    total_bytes: int = 1024 * _MIB
    files: int = 5_000
    event_bytes: int = 8 * _MIB
    """Longest line of `events.jsonl`."""
    events: int = 100_000

    @classmethod
    def for_models(cls, size: int) -> "CollectCaps":
        """Return caps that leave room for kept models, besides arrays and predictions.

        Args:
            size: Of all kept models together, in bytes.
        """
        least = cls()
        more = max(0, size - RunSettings().kept_models)
        return cls(file_bytes=least.file_bytes + more, total_bytes=least.total_bytes + more)


@dataclass(slots=True)
class Collected:
    """What was taken over."""

    files: list[str] = field(default_factory=list)
    """Relative names, in the order of copying."""
    total_bytes: int = 0
    problems: list[str] = field(default_factory=list)
    """What was left out and why, in words."""


@dataclass(frozen=True, slots=True)
class Record:
    """The events of a record, as far as they could be read."""

    events: list[dict[str, Any]]
    problems: list[str]


def collect(out: Path, target: Path, caps: CollectCaps | None = None) -> Collected:
    """Copy a record out of the folder that a sandbox wrote.

    Args:
        out: The sandbox's folder; its content is a stranger's.
        target: The evidence folder; made where it is missing.
        caps: How much is taken over.

    Returns:
        What was copied. Links, pipes, devices, files with several names, files with names that a record does not
        have, and what goes over a cap are left out and listed as problems.

    Raises:
        StorageError: The evidence folder cannot be written, or the sandbox's folder is gone.
    """
    caps = caps or CollectCaps()
    result = Collected()
    try:
        target.mkdir(parents=True, exist_ok=True)
        with _opened(str(out), os.O_DIRECTORY) as folder:
            _take_folder(folder, "", target, caps, result)
    except OSError as error:
        message = f"the record could not be taken over: {error}"
        raise StorageError(message, where=str(target)) from error
    if len(result.problems) > _MOST_PROBLEMS:
        more = len(result.problems) - _MOST_PROBLEMS
        result.problems[_MOST_PROBLEMS:] = [f"and {more:,} more files of the record were left out"]
    return result


def read_record(path: Path, caps: CollectCaps | None = None) -> Record:
    """Read `events.jsonl`, passing over what is not an event.

    Args:
        path: The collected file; a missing one is an empty record with a problem.
        caps: Longest line, most lines and most bytes.

    Returns:
        The events in order, and in words what could not be read. A last line without an end is what a killed kernel
        leaves; it is dropped, and said to be torn.
    """
    caps = caps or CollectCaps()
    reader = _EventReader(caps)
    try:
        with _opened(str(path), 0) as descriptor, os.fdopen(os.dup(descriptor), "rb") as source:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return Record([], ["events.jsonl is not a plain file"])
            while reader.wants_more and (line := source.readline(caps.event_bytes + 1)):
                reader.take(line)
    except OSError as error:
        return Record([], [f"events.jsonl could not be read ({error.strerror})"])
    return Record(reader.events, reader.problems())


class _EventReader:
    """Sorts lines into events and garbage, within the caps."""

    def __init__(self, caps: CollectCaps) -> None:
        self.events: list[dict[str, Any]] = []
        self._caps = caps
        self._bytes = 0
        self._garbage = 0
        self._torn = False
        self._over = False
        self._skipping = False

    @property
    def wants_more(self) -> bool:
        return not self._over

    def take(self, line: bytes) -> None:
        """Take one line, or one piece of a line that is too long."""
        self._bytes += len(line)
        if self._bytes > self._caps.events_bytes or len(self.events) >= self._caps.events:
            self._over = True
            return
        ended = line.endswith(b"\n")
        if self._skipping or not ended:
            # The piece of an overlong line, or the torn end of the file.
            self._garbage += int(len(line) > self._caps.event_bytes and not self._skipping)
            self._torn = not ended and len(line) <= self._caps.event_bytes
            self._skipping = not ended
            return
        event = _event(line)
        if event is None:
            self._garbage += bool(line.strip())
        else:
            self.events.append(event)

    def problems(self) -> list[str]:
        said = []
        if self._garbage:
            said.append(f"{self._garbage:,} lines of events.jsonl are not events")
        if self._torn:
            said.append("the last line of events.jsonl is torn: the kernel ended while it was written")
        if self._over:
            said.append("events.jsonl is longer than the grader reads; its end was left out")
        return said


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        return None
    number = value.get("n")
    return value if isinstance(number, int) and not isinstance(number, bool) else None


def _take_folder(folder: int, prefix: str, target: Path, caps: CollectCaps, result: Collected) -> None:
    """Copy what is allowed of one open folder."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for _, entry in zip(range(caps.files + 1), entries, strict=False))
    for name in names:
        path = f"{prefix}{name}"
        facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(facts.st_mode):
            if not _FOLDERS.fullmatch(path):
                result.problems.append(f"the folder {_shown(path)} is not part of a record")
                continue
            with _opened(name, os.O_DIRECTORY, folder) as inner:
                _take_folder(inner, f"{path}/", target, caps, result)
        elif why := _refusal(path, facts, caps, result):
            result.problems.append(f"{_shown(path)} {why}")
        else:
            _take_file(folder, name, path, target, result)


def _refusal(path: str, facts: os.stat_result, caps: CollectCaps, result: Collected) -> str:
    """Say why a file is not taken over; empty when it is."""
    if not stat.S_ISREG(facts.st_mode):
        return "is a link, a pipe or a device"
    if facts.st_nlink != 1:
        return "has more than one name"
    if not any(pattern.fullmatch(path) for pattern in _ALLOWED):
        return "is not part of a record"
    if facts.st_size > (caps.events_bytes if path == "events.jsonl" else caps.file_bytes):
        return f"is too large ({facts.st_size / _MIB:,.0f} MiB)"
    if result.total_bytes + facts.st_size > caps.total_bytes or len(result.files) >= caps.files:
        return "was left out: the record is too large"
    return ""


def _take_file(folder: int, name: str, path: str, target: Path, result: Collected) -> None:
    place = target / path
    place.parent.mkdir(parents=True, exist_ok=True)
    with _opened(name, 0, folder) as descriptor, place.open("wb") as writer:
        facts = os.fstat(descriptor)
        left = facts.st_size if stat.S_ISREG(facts.st_mode) else 0
        while left > 0 and (piece := os.read(descriptor, min(_CHUNK, left))):
            writer.write(piece)
            left -= len(piece)
    result.files.append(path)
    result.total_bytes += facts.st_size


@contextmanager
def _opened(name: str, flags: int, folder: int | None = None) -> Iterator[int]:
    """Open without following a link in the last place and without waiting for the other end of a pipe."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _shown(path: str) -> str:
    return ascii(path[:120])

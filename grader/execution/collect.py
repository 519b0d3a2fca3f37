"""Copies the files that a sandbox wrote, without trusting their names, types or sizes.

Call it after the sandbox has ended, so that nothing changes during the copy. Each folder is opened relative to its
parent and no link is followed, so a link made by the notebook has no effect.
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
from grader.schema.message import Message, MessageLike, say, say_count
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
    """Limits for copying and reading a record."""

    file_bytes: int = 400 * _MIB
    events_bytes: int = 32 * _MIB
    """Parsed events take ten times as much memory."""
    total_bytes: int = 1024 * _MIB
    files: int = 5_000
    event_bytes: int = 8 * _MIB
    """Longest line of `events.jsonl`."""
    events: int = 100_000

    @classmethod
    def for_models(cls, size: int) -> "CollectCaps":
        """Return limits with enough room for saved models, in addition to arrays and predictions.

        Args:
            size: Total size of all saved models, in bytes.
        """
        least = cls()
        more = max(0, size - RunSettings().kept_models)
        return cls(file_bytes=least.file_bytes + more, total_bytes=least.total_bytes + more)


@dataclass(slots=True)
class Collected:
    """The copied files, and the reasons why others were left out."""

    files: list[str] = field(default_factory=list)
    """Relative names, in the order of copying."""
    total_bytes: int = 0
    problems: list[MessageLike] = field(default_factory=list)
    """The files that were left out, each with the reason."""
    left_out: dict[str, Message] = field(default_factory=dict)
    """Relative names of the record's own files that were left out for their size → the reason."""


@dataclass(frozen=True, slots=True)
class Record:
    """The readable events of a record."""

    events: list[dict[str, Any]]
    problems: list[Message]


def collect(out: Path, target: Path, caps: CollectCaps | None = None) -> Collected:
    """Copy a record out of the folder that a sandbox wrote.

    Args:
        out: The sandbox's folder; its content is untrusted.
        target: The evidence folder; created if missing.
        caps: Limits on size and number of files.

    Returns:
        The copied files. Links, pipes, devices, files with several hard links, files whose name is not part of a
        record, and files over a limit are left out and listed as problems.

    Raises:
        StorageError: The evidence folder cannot be written, or the sandbox's folder is missing.
    """
    caps = caps or CollectCaps()
    result = Collected()
    try:
        target.mkdir(parents=True, exist_ok=True)
        with _opened(str(out), os.O_DIRECTORY) as folder:
            _take_folder(folder, "", target, caps, result)
    except OSError as error:
        message = f"the record could not be copied: {error}"
        raise StorageError(message, where=str(target)) from error
    if len(result.problems) > _MOST_PROBLEMS:
        more = len(result.problems) - _MOST_PROBLEMS
        result.problems[_MOST_PROBLEMS:] = [
            say_count(
                "{count:number} more file of the record was left out",
                "{count:number} more files of the record were left out",
                more,
            )
        ]
    return result


def read_record(path: Path, caps: CollectCaps | None = None) -> Record:
    """Read `events.jsonl`, skipping lines that are not events.

    Args:
        path: The copied file; if it is missing, the record is empty and has a problem.
        caps: Limits on the length of a line, the number of lines and the number of bytes.

    Returns:
        The events in order, and the problems. A killed kernel leaves a last line without a line break; that line is
        skipped and reported as a problem.
    """
    caps = caps or CollectCaps()
    reader = _EventReader(caps)
    try:
        with _opened(str(path), 0) as descriptor, os.fdopen(os.dup(descriptor), "rb") as source:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return Record([], [say("events.jsonl is not a regular file")])
            while reader.wants_more and (line := source.readline(caps.event_bytes + 1)):
                reader.take(line)
    except OSError as error:
        return Record([], [say("events.jsonl cannot be read ({error})", error=error.strerror)])
    return Record(reader.events, reader.problems())


class _EventReader:
    """Parses lines into events and counts the invalid ones, within the limits."""

    def __init__(self, caps: CollectCaps) -> None:
        self.events: list[dict[str, Any]] = []
        self._caps = caps
        self._bytes = 0
        self._invalid_lines = 0
        self._torn = False
        self._over = False
        self._skipping = False

    @property
    def wants_more(self) -> bool:
        return not self._over

    def take(self, line: bytes) -> None:
        """Read one line, or one piece of a line that is too long."""
        self._bytes += len(line)
        if self._bytes > self._caps.events_bytes or len(self.events) >= self._caps.events:
            self._over = True
            return
        ended = line.endswith(b"\n")
        if self._skipping or not ended:
            # A piece of an overlong line, or the torn end of the file.
            self._invalid_lines += int(len(line) > self._caps.event_bytes and not self._skipping)
            self._torn = not ended and len(line) <= self._caps.event_bytes
            self._skipping = not ended
            return
        event = _event(line)
        if event is None:
            self._invalid_lines += bool(line.strip())
        else:
            self.events.append(event)

    def problems(self) -> list[Message]:
        problems = []
        if self._invalid_lines:
            invalid = say_count(
                "{count:number} line of events.jsonl is not an event",
                "{count:number} lines of events.jsonl are not events",
                self._invalid_lines,
            )
            problems.append(invalid)
        if self._torn:
            problems.append(say("the last line of events.jsonl is incomplete, since the kernel ended while writing it"))
        if self._over:
            problems.append(say("events.jsonl is too long, so the grader did not read its end"))
        return problems


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
    """Copy the allowed files of one open folder."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for _, entry in zip(range(caps.files + 1), entries, strict=False))
    for name in names:
        path = f"{prefix}{name}"
        facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(facts.st_mode):
            if not _FOLDERS.fullmatch(path):
                result.problems.append(say("the folder {path:code} is not part of a record", path=_shown(path)))
                continue
            with _opened(name, os.O_DIRECTORY, folder) as inner:
                _take_folder(inner, f"{path}/", target, caps, result)
        elif why := _refusal(path, facts, caps, result):
            result.problems.append(why)
            if any(pattern.fullmatch(path) for pattern in _ALLOWED) and len(result.left_out) < caps.files:
                result.left_out[path] = why
        else:
            _take_file(folder, name, path, target, result)


def _refusal(path: str, facts: os.stat_result, caps: CollectCaps, result: Collected) -> Message | None:
    """Return the reason why a file is not copied; None if it is copied."""
    name = _shown(path)
    if not stat.S_ISREG(facts.st_mode):
        return say("{path:code} is a link, a pipe or a device", path=name)
    if facts.st_nlink != 1:
        return say("{path:code} has more than one name", path=name)
    if not any(pattern.fullmatch(path) for pattern in _ALLOWED):
        return say("{path:code} is not part of a record", path=name)
    if facts.st_size > (caps.events_bytes if path == "events.jsonl" else caps.file_bytes):
        return say("{path:code} is too large ({size:size})", path=name, size=facts.st_size)
    if result.total_bytes + facts.st_size > caps.total_bytes or len(result.files) >= caps.files:
        return say("{path:code} was left out, because the record is too large", path=name)
    return None


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
    """Open a file without following a link and without waiting for the other end of a pipe."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _shown(path: str) -> str:
    """Escape the characters of an untrusted path."""
    return ascii(path[:120])[1:-1]

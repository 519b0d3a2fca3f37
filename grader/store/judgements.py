"""The file of judgements: JSON lines that are only ever appended, safe for several processes at once."""

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from grader.schema.errors import StorageError, UsageError
from grader.schema.judgement import Judgement
from grader.schema.problems import joined_problems
from grader.store.files import sync_folder

__all__ = ["JudgementFile", "JudgementLines", "judgement_line", "parse_judgements"]

_STEP = 4096
_CONFLICT = (b"<<<<<<<", b"=======", b">>>>>>>", b"|||||||")
_ADVICE = "correct or remove these lines; docs/judgements.md describes the file"


@dataclass(frozen=True, slots=True)
class JudgementLines:
    """The judgements of a file."""

    judgements: tuple[Judgement, ...] = ()
    """In the order of the file; a repeated line counts once."""
    torn: str = ""
    """The start of a last line that a killed process could not complete; empty if there is none."""


class JudgementFile:
    """A file such as `judgements.jsonl`. Several processes may append at once."""

    def __init__(self, path: Path) -> None:
        """Set the path; the first judgement creates the file."""
        self.path = path

    def read(self) -> JudgementLines:
        """Read all judgements; nothing if the file does not exist.

        Raises:
            UsageError: The file cannot be read, or has lines that are not judgements; each has its number.
        """
        try:
            with self.path.open("rb") as file:
                _lock(file.fileno(), fcntl.LOCK_SH)
                content = file.read()
        except FileNotFoundError:
            return JudgementLines()
        except OSError as error:
            msg = f"the judgements cannot be read: {error.strerror or error}"
            raise UsageError(msg, where=str(self.path)) from error
        return parse_judgements(content, name=str(self.path))

    def append(self, judgements: Iterable[Judgement]) -> None:
        """Append judgements. They are on the disk when this returns.

        Raises:
            StorageError: The file cannot be written; none of the judgements counts then.
        """
        new = tuple(judgements)
        if new:
            self._append(lambda _handle: new)

    def update(self, decide: Callable[[tuple[Judgement, ...]], Iterable[Judgement]]) -> tuple[Judgement, ...]:
        """Append judgements that depend on those in the file, which nobody else changes in the meantime.

        Args:
            decide: Gets all judgements, and returns new ones.

        Returns:
            The new judgements.

        Raises:
            UsageError: The file has lines that are not judgements.
            StorageError: The file cannot be written; none of the new judgements counts then.
        """
        return self._append(lambda handle: tuple(decide(self._parsed(handle).judgements)))

    def _parsed(self, handle: int) -> JudgementLines:
        with os.fdopen(os.dup(handle), "rb") as file:
            file.seek(0)
            return parse_judgements(file.read(), name=str(self.path))

    def _append(self, decide: Callable[[int], tuple[Judgement, ...]]) -> tuple[Judgement, ...]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked() as handle:
                new = decide(handle)
                lines = "".join(map(judgement_line, new)).encode()
                if not lines:
                    return new
                size, start = _whole_lines(handle)
                _write(handle, start + lines, size)
                os.fsync(handle)
            if not size:
                sync_folder(self.path.parent)
        except OSError as error:
            msg = f"the judgements cannot be stored: {error.strerror or error}"
            advice = "check the free space and the permissions of the file; nothing was changed"
            raise StorageError(msg, where=str(self.path), advice=advice) from error
        return new

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Open and lock the file; again if another program, such as git, replaced it while this one waited."""
        while True:
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                _lock(handle, fcntl.LOCK_EX)
                if self._is(handle):
                    yield handle
                    return
            finally:
                os.close(handle)

    def _is(self, handle: int) -> bool:
        """Return whether an open file is still the one at the path."""
        try:
            return os.path.samestat(os.fstat(handle), self.path.stat())
        except FileNotFoundError:
            return False


def judgement_line(judgement: Judgement) -> str:
    """Write a judgement as a line of the file, without empty fields."""
    values = judgement.model_dump(mode="json")
    kept = {name: value for name, value in values.items() if value not in {None, ""}}
    return json.dumps(kept, ensure_ascii=False) + "\n"


def _lock(handle: int, kind: int) -> None:
    with suppress(OSError):  # a file system without locks
        fcntl.flock(handle, kind)


def _whole_lines(handle: int) -> tuple[int, bytes]:
    """Remove an incomplete last line, which a killed process left; return the size and what must come first."""
    size = os.fstat(handle).st_size
    tail, at = b"", size
    while at and b"\n" not in tail:
        step = min(at, _STEP)
        at -= step
        tail = os.pread(handle, step, at) + tail
    last = tail.rpartition(b"\n")[2]
    if not last:
        return size, b""
    if _is_json(last):  # an editor left out the last line end
        return size, b"\n"
    os.ftruncate(handle, size - len(last))
    return size - len(last), b""


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _write(handle: int, content: bytes, size: int) -> None:
    """Write everything, or restore the former size."""
    written = 0
    try:
        while written < len(content):
            written += os.write(handle, content[written:])
    except OSError:
        with suppress(OSError):
            os.ftruncate(handle, size)
        raise


def parse_judgements(content: bytes, *, name: str = "judgements.jsonl") -> JudgementLines:
    """Parse a file of judgements. An incomplete last line is left out, all others must be right.

    Args:
        content: Bytes of the file.
        name: Name of the file in errors.

    Raises:
        UsageError: Lines are not judgements; each has its number.
    """
    *lines, last = content.split(b"\n")
    judgements: dict[bytes, Judgement] = {}
    problems: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line in judgements:
            continue
        try:
            judgements[line] = Judgement.model_validate(json.loads(line))
        except (ValueError, RecursionError) as error:
            problems.append(f"line {number}: {_problem(line, error)}")
    torn = ""
    if last.strip() and last not in judgements:
        try:
            judgements[last] = Judgement.model_validate(json.loads(last))
        except ValidationError as error:
            problems.append(f"line {len(lines) + 1}: {_problem(last, error)}")
        except (ValueError, RecursionError):
            torn = last.decode("utf-8", "replace")[:200]
    if problems:
        raise UsageError(joined_problems(problems), where=name, advice=_ADVICE)
    return JudgementLines(tuple(judgements.values()), torn)


def _problem(line: bytes, error: Exception) -> str:
    if line.startswith(_CONFLICT):
        return "a conflict of git; keep the lines of both sides, and remove the lines with markers"
    if not isinstance(error, ValidationError):
        return "not a line of JSON"
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else str(first["msg"]).removeprefix("Value error, ")

"""The answers of the predictor: a stream of frames through a socket, or files in a folder.

A model's file is untrusted, and the graph of a SavedModel runs in the process that reports on it. Operations on files
cannot open a socket, not even through `/proc/self/fd`, so a graph cannot write answers to it. A container's engine
passes no socket on, so there the answers are files.
"""

import os
import socket
import stat
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Answer", "AnswerSocket", "answers_in_folder", "read_answers", "read_plain"]

_PIECE = 1 << 16
_HEADER = struct.Struct(">II")
"""Sizes of an answer's line and of its predictions; `inside/predictor.py` writes them."""
_MOST_ANSWERS = 10_000
_LAST_SECONDS = 10.0
_RESULTS_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """One untrusted answer."""

    line: bytes
    """JSON."""
    file: Path
    """File of the predictions."""
    start: int = 0
    """First byte of the predictions in the file."""
    size: int | None = None
    """Number of their bytes; None if they are the whole file."""

    def predictions(self, most: int) -> bytes:
        """Read the predictions.

        Args:
            most: Largest number of bytes.

        Raises:
            ValueError: They are larger, or not in a regular file.
            OSError: They cannot be read.
        """
        if self.size is None:
            return read_plain(self.file, most)
        if self.size > most:
            message = f"the predictions have {self.size:,} bytes, more than {most:,}"
            raise ValueError(message)
        with self.file.open("rb") as source:
            source.seek(self.start)
            return source.read(self.size)


class AnswerSocket:
    """Receives answers while a sandbox runs, and stores them where the sandbox cannot write."""

    def __init__(self, file: Path, most: int) -> None:
        """Open the socket.

        Args:
            file: File outside of the sandbox, to write.
            most: Largest number of bytes; the socket is closed at the first byte beyond.
        """
        self._file = file
        self._most = most
        self._ours, self._theirs = socket.socketpair()
        self._reader = threading.Thread(target=self._receive, name="answers", daemon=True)

    def __enter__(self) -> Self:
        """Start to receive."""
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End after the last answer. The sandbox must have ended, or must not have started."""
        self._theirs.close()
        self._reader.join(_LAST_SECONDS)
        # Only a process that is still alive has kept the other end open.
        self._shut()
        self._reader.join()
        self._ours.close()

    @property
    def descriptor(self) -> int:
        """The end of the sandbox."""
        return self._theirs.fileno()

    def answers(self, longest: int) -> Iterator[Answer]:
        """Read the answers that were received; see `read_answers`."""
        return read_answers(self._file, longest)

    def _receive(self) -> None:
        left = self._most
        with self._file.open("wb") as file:
            while piece := self._ours.recv(_PIECE):
                file.write(piece[:left])
                left -= len(piece)
                if left < 0:
                    self._shut()
                    return

    def _shut(self) -> None:
        try:
            self._ours.shutdown(socket.SHUT_RDWR)
        except OSError:  # the other end is closed
            return


def read_answers(file: Path, longest: int) -> Iterator[Answer]:
    """Read complete answers; the first damaged one ends them.

    Args:
        file: The content of a socket.
        longest: Largest number of bytes of a line.
    """
    with file.open("rb") as source:
        size = os.fstat(source.fileno()).st_size
        for _ in range(_MOST_ANSWERS):
            header = source.read(_HEADER.size)
            line, predictions = _HEADER.unpack(header) if len(header) == _HEADER.size else (0, 0)
            end = source.tell() + line + predictions
            if not 0 < line <= longest or end > size:
                return
            yield Answer(source.read(line), file, source.tell(), predictions)
            source.seek(end)


def answers_in_folder(folder: Path, longest: int) -> Iterator[Answer]:
    """Read answers that were written as files.

    Args:
        folder: The folder that the sandbox wrote.
        longest: Largest number of bytes of a line.
    """
    try:
        content = read_plain(folder / "results.jsonl", _RESULTS_BYTES)
    except (OSError, ValueError):
        return
    for line in content.split(b"\n"):
        if line and len(line) <= longest:
            yield Answer(line, folder, size=None)


def read_plain(path: Path, most: int) -> bytes:
    """Read a regular file, and no link.

    Args:
        path: An untrusted file.
        most: Largest number of bytes.

    Raises:
        ValueError: It is larger, or not a regular file.
        OSError: It cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as source:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > most:
            message = f"{path.name} is not a regular file of at most {most:,} bytes"
            raise ValueError(message)
        return source.read(most)

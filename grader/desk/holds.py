"""Hold an answer while somebody judges it, across all desks that are open on one results folder."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any, Final

from grader.store.files import writing

__all__ = ["LEASE", "Holds"]

LEASE: Final = 90.0
"""Seconds after which a hold ends if the page does not renew it."""
_LARGEST: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class _Hold:
    holder: str
    name: str
    until: float

    def of(self, holder: str, name: str) -> bool:
        """Return whether a person holds it: by the same browser, or by the same name in another one."""
        return self.holder == holder or (bool(name) and self.name == name)


class Holds:
    """Holds in a small file of the results folder. A hold is a courtesy: judgements of both people are kept anyway."""

    def __init__(self, path: Path, clock: Callable[[], float] = time) -> None:
        """Set the file and the clock; the first hold creates the file."""
        self._path = path
        self._clock = clock

    def take(self, key: str, holder: str, name: str, *, force: bool = False) -> str | None:
        """Hold an answer, or renew the hold; the person's other holds end.

        Args:
            key: The answer.
            holder: Id of the browser.
            name: Name of the person. A hold of the same name in another browser continues.
            force: Whether to take it over from somebody else.

        Returns:
            The name of the person who holds it instead; None if it is held now.

        Raises:
            StorageError: The file cannot be written.
        """
        with self._opened() as holds:
            other = holds.get(key)
            if other is not None and not other.of(holder, name) and not force:
                return other.name
            for own in [own for own, hold in holds.items() if hold.of(holder, name)]:
                del holds[own]
            holds[key] = _Hold(holder, name, self._clock() + LEASE)
            return None

    def release(self, holder: str) -> None:
        """End all holds of a browser.

        Raises:
            StorageError: The file cannot be written.
        """
        with self._opened() as holds:
            for own in [own for own, hold in holds.items() if hold.holder == holder]:
                del holds[own]

    def others(self, holder: str, name: str = "") -> dict[str, str]:
        """Return the answers that other people hold now, with the names of these people.

        Args:
            holder: Id of the browser.
            name: Name of the person.
        """
        try:
            content = self._path.read_bytes()[:_LARGEST]
        except OSError:
            return {}
        return {key: hold.name for key, hold in self._current(content).items() if not hold.of(holder, name)}

    @contextmanager
    def _opened(self) -> Iterator[dict[str, _Hold]]:
        """Read the current holds, and write them back, while no other process can."""
        with writing(self._path):
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                holds = self._current(os.pread(handle, _LARGEST, 0))
                yield holds
                content = json.dumps(
                    {key: [hold.holder, hold.name, hold.until] for key, hold in holds.items()}
                ).encode()
                os.ftruncate(handle, 0)
                os.pwrite(handle, content, 0)
            finally:
                os.close(handle)

    def _current(self, content: bytes) -> dict[str, _Hold]:
        """Parse the file; what cannot be read is no hold."""
        try:
            data: Any = json.loads(content or b"{}")
        except (ValueError, RecursionError):
            return {}
        now, holds = self._clock(), dict[str, _Hold]()
        for key, value in data.items() if isinstance(data, dict) else ():
            match value:
                case [str(holder), str(name), float() | int() as until] if now < until <= now + LEASE:
                    holds[key] = _Hold(holder, name, until)
                case _:
                    pass
        return holds

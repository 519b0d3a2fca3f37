"""Keep uploaded notebooks and their queue on the disk, in `DIR/.serve/`, so that a restart loses none."""

import os
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from grader.schema.errors import UsageError
from grader.store.database import Database
from grader.store.files import held, lock, sync_folder, writing

__all__ = ["KeyReusedError", "Queue", "QueueFullError", "Ticket", "is_ticket_id"]

_FOLDER: Final = ".serve"
_INCOMING: Final = "incoming"
_UPLOADS: Final = "uploads"
_ID: Final = re.compile(r"[0-9a-f]{32}")
_ID_BYTES: Final = 16

_VERSION_1 = """
CREATE TABLE ticket (
    id TEXT NOT NULL PRIMARY KEY,
    rubric TEXT NOT NULL,
    student TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    key TEXT UNIQUE,
    received REAL NOT NULL,
    place INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done')),
    tries INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('', 'graded', 'not_graded')),
    UNIQUE (rubric, student, sha256)
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting ON ticket (state, place);
CREATE TABLE folder (
    rubric TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT, WITHOUT ROWID
"""
_MIGRATIONS: Final = (_VERSION_1,)
"""As the migrations of `grader.sqlite`: add new ones at the end; never change existing ones."""
_COLUMNS: Final = "id, rubric, student, sha256, received, place, state, tries, outcome"
_NEXT: Final = "(SELECT COALESCE(MAX(place), 0) + 1 FROM ticket)"
_AGAIN: Final = f"UPDATE ticket SET state = 'queued', outcome = '', place = {_NEXT}"  # noqa: S608 - constants


class QueueFullError(UsageError):
    """The queue has no place for another notebook."""


class KeyReusedError(UsageError):
    """A key for repeated requests was used with another notebook, rubric or student."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """An uploaded notebook, and its state in the queue."""

    id: str
    """Random, so that nobody can guess it; also the name of the submission's folder."""
    rubric: str
    student: str
    sha256: str
    """Hash of the notebook's bytes."""
    received: float
    """Unix time of the first upload."""
    place: int
    """Order in the queue."""
    state: Literal["queued", "running", "done"]
    tries: int
    """Number of times that the grader started it since it was queued; more than 1 after a failure of the grader."""
    outcome: Literal["", "graded", "not_graded"]
    """Status of its grade; empty unless it is done."""


def is_ticket_id(text: str) -> bool:
    """Return whether a text has the form of a ticket's id; nothing else is ever part of a path."""
    return _ID.fullmatch(text) is not None


class Queue:
    """The queue of one folder. Methods may be called from any thread."""

    def __init__(
        self,
        root: Path,
        *,
        most: int,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: secrets.token_hex(_ID_BYTES),
    ) -> None:
        """Open the queue of a folder, or create it.

        Args:
            root: `DIR` of `grader serve … --out DIR`.
            most: Most notebooks that wait.
            clock: Function that returns Unix time.
            new_id: Function that returns a random id.

        Raises:
            ArtefactError: The file of the queue is damaged.
            StorageError: The folder cannot be written.
        """
        self.root = root
        self.most = most
        self._clock = clock
        self._new_id = new_id
        self._home = root / _FOLDER
        with writing(self._home):
            for folder in (self._home, self._home / _INCOMING, self._home / _UPLOADS):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._database = Database(self._home / "queue.sqlite", migrations=_MIGRATIONS, clock=clock)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Lock the queue for the duration of a `with` block, and take over what an ended service left.

        Notebooks that were running wait again, and so do those that were not graded. Incomplete uploads are removed.

        Raises:
            UsageError: Another service uses the folder.
            StorageError: The queue cannot be written.
        """
        with writing(self._home):
            handle = os.open(self._home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        held.add(handle)
        try:
            lock(handle, self._home.parent)
            self._recover()
            yield
        finally:
            if handle in held:  # or this is a child, and it was closed
                held.remove(handle)
                os.close(handle)

    def _recover(self) -> None:
        with self._database.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            # Not to the end of the queue, and the count of tries stays: the notebook may be the reason for the end.
            connection.execute("UPDATE ticket SET state = 'queued' WHERE state = 'running'")
            connection.execute(f"{_AGAIN}, tries = 0 WHERE outcome = 'not_graded'")
            ids = {row[0] for row in connection.execute("SELECT id FROM ticket")}
        with writing(self._home):
            for leftover in (self._home / _INCOMING).iterdir():
                leftover.unlink()
            for upload in (self._home / _UPLOADS).iterdir():
                if upload.stem not in ids:
                    upload.unlink()

    # --- files

    def new_upload(self) -> Path:
        """Return a new path for the file of an upload, on the disk of the queue."""
        return self._home / _INCOMING / f"{self._new_id()}.ipynb"

    def notebook(self, ticket: Ticket) -> Path:
        """Return the path of a ticket's notebook."""
        return self._notebook(ticket.id)

    def _notebook(self, name: str) -> Path:
        if not is_ticket_id(name):
            msg = f"{name!r} is not the id of a ticket"
            raise ValueError(msg)
        return self._home / _UPLOADS / f"{name}.ipynb"

    def results_name(self, rubric: str, *, alone: bool) -> str:
        """Return the folder of a rubric's results below the root, and note it; empty for the root itself.

        A single rubric has its results in the root. Further rubrics have their own folders, also at later starts.

        Args:
            rubric: Id of the rubric.
            alone: Whether it is the only rubric of this start.

        Raises:
            StorageError: The queue cannot be written.
        """
        with self._database.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            noted = connection.execute("SELECT name FROM folder WHERE rubric = ?", (rubric,)).fetchone()
            if noted is not None:
                return str(noted[0])
            first = connection.execute("SELECT COUNT(*) FROM folder").fetchone()[0] == 0
            name = "" if alone and first else rubric
            connection.execute("INSERT INTO folder VALUES (?, ?)", (rubric, name))
        return name

    # --- the queue

    def add(self, upload: Path, *, rubric: str, student: str, sha256: str, key: str | None = None) -> Ticket:
        """Put a notebook into the queue. When this returns, it is on the disk.

        The same notebook of the same student for the same rubric is the same ticket; it waits again only if the grader
        could not grade it.

        Args:
            upload: The file, at a path of `new_upload`; it is moved or removed.
            rubric: Id of the rubric.
            student: The student.
            sha256: Hash of the file.
            key: The client's key for repeated requests.

        Raises:
            QueueFullError: Too many notebooks wait.
            KeyReusedError: The key belongs to another notebook, rubric or student.
            StorageError: The queue cannot be written.
        """
        try:
            with self._database.connection() as connection:
                connection.execute("BEGIN IMMEDIATE")
                known = _known(connection, (rubric, student, sha256), key)
                if known is not None and known.outcome != "not_graded":
                    return known
                self._check_length(connection)
                if known is not None:
                    connection.execute(f"{_AGAIN}, tries = 0 WHERE id = ?", (known.id,))
                    return _ticket(connection, known.id)
                name = self._new_id()
                self._keep(upload, name)
                values = (name, rubric, student, sha256, key, self._clock())
                connection.execute(
                    f"INSERT INTO ticket VALUES (?, ?, ?, ?, ?, ?, {_NEXT}, 'queued', 0, '')",  # noqa: S608 - constants
                    values,
                )
                return _ticket(connection, name)
        finally:
            upload.unlink(missing_ok=True)

    def _keep(self, upload: Path, name: str) -> None:
        """Move an upload to its place, flushed to the disk."""
        target = self._notebook(name)
        with writing(target):
            with upload.open("rb") as file:
                os.fsync(file.fileno())
            upload.replace(target)
            sync_folder(target.parent)

    def check_length(self) -> None:
        """Check whether another notebook can wait, before it is read.

        Raises:
            QueueFullError: Too many notebooks wait.
        """
        with self._database.connection() as connection:
            self._check_length(connection)

    def _check_length(self, connection: sqlite3.Connection) -> None:
        waiting = connection.execute("SELECT COUNT(*) FROM ticket WHERE state = 'queued'").fetchone()[0]
        if waiting >= self.most:
            msg = f"{waiting} notebooks wait already, and the queue has {self.most} places"
            raise QueueFullError(msg, advice="send the notebook again later")

    def take(self, rubrics: Collection[str]) -> Ticket | None:
        """Take the next notebook out of the queue, and count the try; None if none waits.

        Args:
            rubrics: Ids of the rubrics that can be graded now; others keep waiting.
        """
        marks = ", ".join("?" * len(rubrics))
        with self._database.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            row = connection.execute(
                f"SELECT id FROM ticket WHERE state = 'queued' AND rubric IN ({marks}) ORDER BY place LIMIT 1",  # noqa: S608 - marks only
                tuple(rubrics),
            ).fetchone()
            if row is None:
                return None
            connection.execute("UPDATE ticket SET state = 'running', tries = tries + 1 WHERE id = ?", row)
            return _ticket(connection, row[0])

    def finish(self, ticket: Ticket, outcome: Literal["graded", "not_graded"]) -> None:
        """Note that a notebook has a grade."""
        with self._database.connection() as connection:
            connection.execute("UPDATE ticket SET state = 'done', outcome = ? WHERE id = ?", (outcome, ticket.id))

    def again(self, ticket: Ticket, *, counts: bool) -> None:
        """Put a running notebook back into the queue.

        Args:
            ticket: The ticket.
            counts: Whether the try counts, and others are first; otherwise it keeps its place.
        """
        with self._database.connection() as connection:
            if counts:
                connection.execute(f"{_AGAIN} WHERE id = ?", (ticket.id,))
            else:
                connection.execute("UPDATE ticket SET state = 'queued', tries = tries - 1 WHERE id = ?", (ticket.id,))

    def remove(self, ticket: Ticket) -> bool:
        """Remove a ticket that does not run, and its notebook; return False if it runs."""
        with self._database.connection() as connection:
            done = connection.execute("DELETE FROM ticket WHERE id = ? AND state != 'running'", (ticket.id,)).rowcount
        if not done:
            return False
        with writing(self._home):
            self.notebook(ticket).unlink(missing_ok=True)
        return True

    # --- questions

    def get(self, name: str) -> Ticket | None:
        """Find a ticket by its id."""
        if not is_ticket_id(name):
            return None
        with self._database.connection() as connection:
            return _found(connection, "id = ?", name)

    def position(self, ticket: Ticket) -> int:
        """Return the position of a waiting ticket, from 1."""
        with self._database.connection() as connection:
            before = "SELECT COUNT(*) FROM ticket WHERE state = 'queued' AND place < ?"
            return int(connection.execute(before, (ticket.place,)).fetchone()[0]) + 1

    def counts(self) -> dict[str, int]:
        """Count the tickets by state."""
        with self._database.connection() as connection:
            rows = connection.execute("SELECT state, COUNT(*) FROM ticket GROUP BY state").fetchall()
        return {"queued": 0, "running": 0, "done": 0} | dict(rows)

    def waiting_without(self, rubrics: Collection[str]) -> dict[str, int]:
        """Count the waiting tickets of other rubrics, by rubric."""
        with self._database.connection() as connection:
            rows = connection.execute(
                "SELECT rubric, COUNT(*) FROM ticket WHERE state = 'queued' GROUP BY rubric"
            ).fetchall()
        return {rubric: count for rubric, count in rows if rubric not in rubrics}


def _known(connection: sqlite3.Connection, upload: tuple[str, str, str], key: str | None) -> Ticket | None:
    """Find the ticket of an earlier upload of the same notebook.

    Raises:
        KeyReusedError: The key belongs to another one.
    """
    keyed = None if key is None else _found(connection, "key = ?", key)
    if keyed is not None and (keyed.rubric, keyed.student, keyed.sha256) != upload:
        msg = "this key was used with another notebook, rubric or student"
        raise KeyReusedError(msg, where="Idempotency-Key", advice="use a new key for each submission")
    return keyed or _found(connection, "rubric = ? AND student = ? AND sha256 = ?", *upload)


def _found(connection: sqlite3.Connection, condition: str, *values: Any) -> Ticket | None:
    row = connection.execute(f"SELECT {_COLUMNS} FROM ticket WHERE {condition}", values).fetchone()  # noqa: S608 - constants
    return None if row is None else Ticket(*row)


def _ticket(connection: sqlite3.Connection, name: str) -> Ticket:
    found = _found(connection, "id = ?", name)
    if found is None:
        msg = f"there is no ticket {name}"
        raise LookupError(msg)
    return found

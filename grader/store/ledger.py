"""The ledger of sent mail, in `grader.sqlite`: what makes sure that nobody gets a message twice."""

import time
from collections.abc import Callable, Sequence

from pydantic_core import from_json, to_json

from grader.schema.mail import GradeSent, MailRow, MailState
from grader.store.database import Database

__all__ = ["MailLedger"]

_COLUMNS = "message, about, address, rubric, digest, grade, parents, state, detail, changed"
_INTERRUPTED = "the grader was stopped before the server answered"


class MailLedger:
    """Messages and their states. Each change is on the disk when its method returns."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        """Use a database.

        Args:
            database: The database of the results folder.
            clock: Function that returns Unix time.
        """
        self._database = database
        self._clock = clock

    def rows(self) -> tuple[MailRow, ...]:
        """List all messages, the last change last."""
        query = f"SELECT {_COLUMNS} FROM mail ORDER BY changed, message"  # noqa: S608 - names from the schema
        with self._database.connection() as connection:
            rows = connection.execute(query).fetchall()
        return tuple(
            MailRow(
                message=row[0],
                about=row[1],
                address=row[2],
                rubric=row[3],
                digest=row[4],
                grade=GradeSent.model_validate_json(row[5]),
                parents=tuple(from_json(row[6])),
                state=row[7],
                detail=row[8],
                changed=row[9],
            )
            for row in rows
        )

    def settle(self) -> None:
        """Mark messages that were in flight when a grader was stopped: nobody knows whether they arrived.

        Raises:
            StorageError: The database cannot be written.
        """
        with self._database.connection() as connection:
            connection.execute("UPDATE mail SET state = 'unknown', detail = ? WHERE state = 'sending'", (_INTERRUPTED,))

    def plan(self, rows: Sequence[MailRow]) -> None:
        """Replace all planned messages; a message that was refused or is unknown can be planned again.

        Args:
            rows: The messages to send now.

        Raises:
            StorageError: The database cannot be written.
        """
        now = self._clock()
        values = [
            (
                row.message,
                row.about,
                row.address,
                row.rubric,
                row.digest,
                row.grade.model_dump_json(),
                to_json(row.parents).decode(),
                "planned",
                row.detail,
                now,
            )
            for row in rows
        ]
        with self._database.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM mail WHERE state = 'planned'")
            places = ", ".join("?" * len(_COLUMNS.split(", ")))
            connection.executemany(
                f"INSERT INTO mail ({_COLUMNS}) VALUES ({places}) ON CONFLICT (message) DO UPDATE SET "  # noqa: S608 - names from the schema
                "address = excluded.address, state = 'planned', detail = excluded.detail, changed = excluded.changed "
                "WHERE state <> 'sent'",
                values,
            )

    def mark(self, message: str, state: MailState, detail: str = "") -> None:
        """Change the state of a message.

        Args:
            message: Its `Message-ID`.
            state: The new state.
            detail: The server's answer.

        Raises:
            StorageError: The database cannot be written.
        """
        with self._database.connection() as connection:
            connection.execute(
                "UPDATE mail SET state = ?, detail = ?, changed = ? WHERE message = ?",
                (state, detail, self._clock(), message),
            )

"""`grader.sqlite`: what was executed with what, and graded with which rubric. This is what resuming goes by.

Schema versions: 1, first version; 2, what a grade and its report were made from (`grading.basis`).
"""

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from grader.schema.errors import ArtefactError, StorageError
from grader.schema.grade import Grade

__all__ = [
    "MIGRATIONS",
    "Database",
    "ExecutionKey",
    "ExecutionRow",
    "GradingRow",
    "Rows",
    "digest_of",
    "grading_row",
]

_VERSION_1 = """
CREATE TABLE execution (
    submission TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    notebook TEXT NOT NULL,
    settings TEXT NOT NULL,
    runtime TEXT NOT NULL,
    data TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('executed', 'failed')),
    reason TEXT NOT NULL,
    seconds REAL NOT NULL,
    finished REAL NOT NULL,
    PRIMARY KEY (submission, attempt)
) STRICT, WITHOUT ROWID;
CREATE TABLE grading (
    submission TEXT NOT NULL,
    rubric TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('graded', 'not_graded')),
    reason TEXT NOT NULL,
    score REAL,
    max_score REAL NOT NULL,
    finished REAL NOT NULL,
    PRIMARY KEY (submission, rubric)
) STRICT, WITHOUT ROWID;
"""

_VERSION_2 = "ALTER TABLE grading ADD COLUMN basis TEXT NOT NULL DEFAULT ''"

_VERSION_3 = "ALTER TABLE execution ADD COLUMN parts TEXT NOT NULL DEFAULT ''"

MIGRATIONS: tuple[str, ...] = (_VERSION_1, _VERSION_2, _VERSION_3)
"""Statements that lead from schema version n to n + 1; a file's `user_version` says where it is. Never changed, only
added to."""

Rows = Mapping[str, Sequence[tuple[object, ...]]]
"""One submission's rows by table, in the columns of the present schema version."""

_WAIT = 60.0
"""Seconds to wait for another process's write."""

_PAUSE = 0.01
"""Seconds between two tries of what SQLite does not wait for."""


@dataclass(frozen=True, slots=True)
class ExecutionKey:
    """All that decides how an execution comes out; where one part differs, the notebook is executed again."""

    notebook: str
    """SHA-256 of the notebook's bytes."""
    settings: str
    """Digest of the run settings, isolation and device; see `digest_of`."""
    runtime: str
    """Digest of the versions of Python, TensorFlow, Keras and the recorder."""
    data: str
    """Digest of the data sets' hashes."""


@dataclass(frozen=True, slots=True)
class ExecutionRow:
    """The last execution of one attempt."""

    submission: str
    attempt: int
    key: ExecutionKey
    status: Literal["executed", "failed"]
    """`executed`: what it left is whole in its place; `failed` is the grader's own failure: it is tried again."""
    reason: str
    seconds: float
    finished: float
    """Unix time."""
    parts: str = ""
    """What of the rubric decided how it came out, as JSON; empty where that is not known."""


@dataclass(frozen=True, slots=True)
class GradingRow:
    """The last grading with one rubric."""

    submission: str
    rubric: str
    """The rubric's id."""
    sha256: str
    """Of the rubric's bytes."""
    status: Literal["graded", "not_graded"]
    reason: str
    score: float | None
    max_score: float
    finished: float
    """Unix time."""
    basis: str
    """Digest of all that the grade follows from and of the files it was written to; empty where that is not known."""


def grading_row(grade: Grade, basis: str = "", finished: float = 0.0) -> GradingRow:
    """Reduce a grade to its row.

    Args:
        grade: What `grade.json` holds.
        basis: Digest of all that it follows from and of the files it was written to.
        finished: When it was written, in Unix time.
    """
    stamp = (grade.submission.id, grade.rubric.id, grade.rubric.sha256)
    return GradingRow(*stamp, grade.status, grade.reason or "", grade.score, grade.max_score, finished, basis)


def digest_of(*parts: BaseModel | Mapping[str, object] | Sequence[object] | str) -> str:
    """Digest settings, versions or hashes for an `ExecutionKey`; order of keys does not matter.

    Args:
        parts: Documents, mappings, sequences or texts of JSON values.
    """
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    text = json.dumps(plain, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class Database:
    """The results folder's database; each call has a connection of its own, so threads and processes may share it."""

    def __init__(
        self, path: Path, *, migrations: Sequence[str] = MIGRATIONS, clock: Callable[[], float] = time.time
    ) -> None:
        """Open the file, making it or bringing it to this grader's version.

        Args:
            path: `DIR/grader.sqlite`.
            migrations: Schema changes in order.
            clock: Gives Unix time.

        Raises:
            ArtefactError: It is damaged, no database, or of a newer version.
            StorageError: It cannot be written.
        """
        self._path = path
        self._clock = clock
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f"the results folder cannot be made ({error.strerror or error})"
            raise StorageError(msg, where=str(path.parent)) from error
        self._migrate(migrations)

    def _migrate(self, migrations: Sequence[str]) -> None:
        with self._connection() as connection:
            _log_ahead(connection, until=time.monotonic() + _WAIT)
            if int(connection.execute("PRAGMA user_version").fetchone()[0]) == len(migrations):
                return  # nothing to do, and so not a byte to write
            # Taken at once: of two processes that open a new file together, one makes the tables.
            connection.execute("BEGIN IMMEDIATE")
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if version > len(migrations):
                msg = f"the database is of version {version}; this grader reads up to version {len(migrations)}"
                raise ArtefactError(msg, where=str(self._path), advice="use the newer grader that wrote it")
            for step in migrations[version:]:
                for statement in filter(str.strip, step.split(";")):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(migrations)}")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are all kept at the end, or none."""
        try:
            with closing(sqlite3.connect(self._path, timeout=_WAIT, isolation_level=None)) as connection:
                # What is noted before files are exchanged must be on the disk before they are.
                connection.execute("PRAGMA synchronous = FULL")
                try:
                    yield connection
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                if connection.in_transaction:
                    connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            msg = f"the database cannot be written ({error})"
            raise StorageError(msg, where=str(self._path)) from error
        except sqlite3.DatabaseError as error:
            msg = f"the database is damaged ({error})"
            advice = "move the file away; grading with the kept evidence goes on, and a new one is made"
            raise ArtefactError(msg, where=str(self._path), advice=advice) from error

    # --- executions

    def record_execution(  # noqa: PLR0913 - the columns of a row, each by its name
        self,
        submission: str,
        key: ExecutionKey,
        *,
        seconds: float,
        attempt: int = 1,
        failure: str | None = None,
        parts: str = "",
    ) -> None:
        """Note that a submission was executed and its evidence kept, or that the grader failed to.

        Args:
            submission: Its id.
            key: What it was executed with.
            seconds: How long it took.
            attempt: Which of several executions, from 1.
            failure: The grader's own failure in words; None where the execution came to an end of its own, however.
            parts: What of the rubric decided how it came out, as JSON.

        Raises:
            StorageError: It cannot be written.
        """
        values = (
            submission,
            attempt,
            key.notebook,
            key.settings,
            key.runtime,
            key.data,
            "executed" if failure is None else "failed",
            failure or "",
            seconds,
            self._clock(),
            parts,
        )
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT OR REPLACE INTO execution VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
            # A grade of older evidence is none of this one.
            connection.execute("DELETE FROM grading WHERE submission = ?", (submission,))

    def needs_execution(self, submission: str, key: ExecutionKey, *, attempt: int = 1) -> bool:
        """Tell whether a submission must be executed: never yet, with other things, or the grader failed.

        Args:
            submission: Its id.
            key: What it would be executed with.
            attempt: Which of several executions, from 1.
        """
        row = next((row for row in self.executions(submission) if row.attempt == attempt), None)
        return row is None or row.status == "failed" or row.key != key

    def executions(self, submission: str | None = None) -> tuple[ExecutionRow, ...]:
        """List executions, of one submission or of all, by id and attempt."""
        query = "SELECT * FROM execution WHERE ? IS NULL OR submission = ? ORDER BY submission, attempt"
        with self._connection() as connection:
            rows = connection.execute(query, (submission, submission)).fetchall()
        return tuple(ExecutionRow(row[0], row[1], ExecutionKey(*row[2:6]), *row[6:]) for row in rows)

    def begin_replacing(self, submission: str, key: ExecutionKey, *, attempt: int = 1) -> None:
        """Note that an execution's files are about to take the place of older ones.

        Until `record_execution` says that they have, none of them counts: a grader that is killed between them leaves a
        submission that is executed again, never one execution's evidence under another's name.

        Args:
            submission: Its id.
            key: What it was executed with.
            attempt: Which of several executions, from 1.

        Raises:
            StorageError: It cannot be written.
        """
        interrupted = "the grader was stopped while the evidence was put in place"
        self.record_execution(submission, key, seconds=0.0, attempt=attempt, failure=interrupted)

    # --- gradings

    def record_grading(self, grade: Grade, *, basis: str = "") -> None:
        """Note that a submission was graded, or that the grader failed to.

        Args:
            grade: What was written to `grade.json`.
            basis: Digest of all that it follows from and of the files it was written to; see `needs_grading`.

        Raises:
            StorageError: It cannot be written.
        """
        self.record_gradings([grading_row(grade, basis, self._clock())])

    def record_gradings(self, rows: Sequence[GradingRow]) -> None:
        """Note many gradings in one transaction.

        Raises:
            StorageError: They cannot be written.
        """
        if not rows:
            return
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT OR REPLACE INTO grading VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", map(astuple, rows)
            )

    def needs_grading(self, submission: str, rubric: str, basis: str) -> bool:
        """Tell whether a submission must be graded: not since its last execution, on another basis, or it failed.

        Args:
            submission: Its id.
            rubric: The rubric's id.
            basis: Of now, as it was given to `record_grading`.
        """
        return not any(
            row.rubric == rubric and row.basis == basis and row.status == "graded" for row in self.gradings(submission)
        )

    def gradings(self, submission: str | None = None) -> tuple[GradingRow, ...]:
        """List gradings, of one submission or of all, by id and rubric."""
        query = "SELECT * FROM grading WHERE ? IS NULL OR submission = ? ORDER BY submission, rubric"
        with self._connection() as connection:
            rows = connection.execute(query, (submission, submission)).fetchall()
        return tuple(GradingRow(*row) for row in rows)

    # --- from one database to another

    def rows_of(self, submission: str) -> Rows:
        """Give everything that is noted about a submission, for a database elsewhere to take over."""
        with self._connection() as connection:
            return {
                table: connection.execute(f"SELECT * FROM {table} WHERE submission = ?", (submission,)).fetchall()  # noqa: S608 - names from the schema above
                for table in _tables(connection)
            }

    def replace_rows(self, submission: str, rows: Rows) -> None:
        """Take over what another database of the same version noted about a submission; its own notes are gone.

        Args:
            submission: Its id.
            rows: From `rows_of`.

        Raises:
            StorageError: It cannot be written; everything is as it was.
        """
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            for table in _tables(connection):
                connection.execute(f"DELETE FROM {table} WHERE submission = ?", (submission,))  # noqa: S608 - as above
                for row in rows.get(table, ()):
                    places = ", ".join("?" * len(row))
                    connection.execute(f"INSERT INTO {table} VALUES ({places})", row)  # noqa: S608 - as above


def _log_ahead(connection: sqlite3.Connection, *, until: float) -> None:
    """Have changes written ahead to a log, as it is kept in the file.

    SQLite answers this one change with "busy" at once, whatever the connection's timeout, where another process is
    making the same change to a new file.
    """
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_PAUSE)
        else:
            return


def _tables(connection: sqlite3.Connection) -> list[str]:
    """The tables that note something about submissions, each with a column of that name."""
    query = (
        "SELECT t.name FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c "
        "WHERE t.type = 'table' AND c.name = 'submission' ORDER BY t.name"
    )
    return [str(row[0]) for row in connection.execute(query)]

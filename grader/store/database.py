"""Database `grader.sqlite`: which submission was executed and graded with what. Resuming relies on it.

Schema versions: 1, first version; 2, the inputs of a grade and its report (`grading.basis`); 3, the parts of the rubric
that an execution depends on (`execution.parts`); 4, the ledger of mail (`mail`); 5, the status of the files of each
grade (`standing`).
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
    "StandingRow",
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

_VERSION_4 = """
CREATE TABLE mail (
    message TEXT NOT NULL PRIMARY KEY,
    about TEXT NOT NULL,
    address TEXT NOT NULL,
    rubric TEXT NOT NULL,
    digest TEXT NOT NULL,
    grade TEXT NOT NULL,
    parents TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('planned', 'sending', 'sent', 'refused', 'unknown')),
    detail TEXT NOT NULL,
    changed REAL NOT NULL
) STRICT, WITHOUT ROWID
"""
# The column is called `about`, not `submission`, so that `replace_rows` never removes what was sent.

_VERSION_5 = """
CREATE TABLE standing (
    submission TEXT NOT NULL,
    rubric TEXT NOT NULL,
    basis TEXT NOT NULL,
    inputs TEXT NOT NULL,
    stamp TEXT NOT NULL,
    files TEXT NOT NULL,
    outcome TEXT NOT NULL,
    PRIMARY KEY (submission, rubric)
) STRICT, WITHOUT ROWID
"""

MIGRATIONS: tuple[str, ...] = (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4, _VERSION_5)
"""Statements that migrate schema version n to n + 1; a file's `user_version` is its version. Add new ones at the end;
never change existing ones."""

Rows = Mapping[str, Sequence[tuple[object, ...]]]
"""Rows of one submission by table, with the columns of the current schema version."""

_WAIT = 60.0
"""Seconds to wait for another process's write."""

_PAUSE = 0.01
"""Seconds between two tries of an operation that SQLite does not wait for."""


@dataclass(frozen=True, slots=True)
class ExecutionKey:
    """Everything that determines the result of an execution; if one part differs, the notebook is executed again."""

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
    """`executed`: the evidence is complete; `failed`: the grader itself failed, so the execution is repeated."""
    reason: str
    seconds: float
    finished: float
    """Unix time."""
    parts: str = ""
    """Parts of the rubric that determined the result, as JSON; empty if unknown."""


@dataclass(frozen=True, slots=True)
class GradingRow:
    """The last grading with one rubric."""

    submission: str
    rubric: str
    """The rubric's id."""
    sha256: str
    """SHA-256 of the rubric's bytes."""
    status: Literal["graded", "not_graded"]
    reason: str
    score: float | None
    max_score: float
    finished: float
    """Unix time."""
    basis: str
    """Digest of all inputs of the grade and of the files it was written to; empty if unknown."""


@dataclass(frozen=True, slots=True)
class StandingRow:
    """A grade whose files were compared with its inputs, so that the next comparison does not open them."""

    submission: str
    rubric: str
    """The rubric's id."""
    basis: str
    """The `basis` of its grading; with another one, this row is out of date."""
    inputs: str
    """Digest of the inputs of the grade that are not files of the submission."""
    stamp: str
    """The submission in the grade, as JSON."""
    files: str
    """Status of its files."""
    outcome: str
    """The part of the grade that a regrade reports, as JSON."""


def grading_row(grade: Grade, basis: str = "", finished: float = 0.0) -> GradingRow:
    """Convert a grade to its row.

    Args:
        grade: The content of `grade.json`.
        basis: Digest of all inputs of the grade and of the files it was written to.
        finished: Unix time when it was written.
    """
    stamp = (grade.submission.id, grade.rubric.id, grade.rubric.sha256)
    return GradingRow(*stamp, grade.status, grade.reason or "", grade.score, grade.max_score, finished, basis)


def digest_of(*parts: BaseModel | Mapping[str, object] | Sequence[object] | str) -> str:
    """Compute a digest of settings, versions or hashes for an `ExecutionKey`, independent of the order of keys.

    Args:
        parts: Documents, mappings, sequences or strings with JSON values.
    """
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    text = json.dumps(plain, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class Database:
    """Database of a results folder. Each call opens its own connection, so threads and processes may share it."""

    def __init__(
        self, path: Path, *, migrations: Sequence[str] = MIGRATIONS, clock: Callable[[], float] = time.time
    ) -> None:
        """Open the file; create it, or migrate it to the current version.

        Args:
            path: Path of the file, `DIR/grader.sqlite`.
            migrations: Schema changes in order.
            clock: Function that returns Unix time.

        Raises:
            ArtefactError: The file is damaged, not a database, or of a newer version.
            StorageError: The file cannot be written.
        """
        self._path = path
        self._clock = clock
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f"cannot create the results folder ({error.strerror or error})"
            raise StorageError(msg, where=str(path.parent)) from error
        self._migrate(migrations)

    def _migrate(self, migrations: Sequence[str]) -> None:
        with self.connection() as connection:
            _log_ahead(connection, until=time.monotonic() + _WAIT)
            if int(connection.execute("PRAGMA user_version").fetchone()[0]) == len(migrations):
                return  # nothing to do, so write nothing
            # Lock immediately: of two processes that open a new file together, only one creates the tables.
            connection.execute("BEGIN IMMEDIATE")
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if version > len(migrations):
                msg = f"the database has version {version}; this grader reads versions up to {len(migrations)}"
                raise ArtefactError(
                    msg, where=str(self._path), advice="use the newer version of the grader that wrote it"
                )
            for step in migrations[version:]:
                for statement in filter(str.strip, step.split(";")):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(migrations)}")

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Open a connection; its changes are committed together at the end, or rolled back on an error."""
        try:
            with closing(sqlite3.connect(self._path, timeout=_WAIT, isolation_level=None)) as connection:
                # A row written before files are replaced must be on the disk before the files are.
                connection.execute("PRAGMA synchronous = FULL")
                try:
                    yield connection
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                if connection.in_transaction:
                    connection.execute("COMMIT")
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if isinstance(error, sqlite3.OperationalError) and "decode" not in str(error):
                msg = f"cannot write to the database ({error})"
                raise StorageError(msg, where=str(self._path)) from error
            msg = f"the database is damaged ({error})"
            advice = "move the file away; the grader then creates a new database and keeps using the stored evidence"
            raise ArtefactError(msg, where=str(self._path), advice=advice) from error

    # --- executions

    def record_execution(  # noqa: PLR0913 - the columns of a row
        self,
        submission: str,
        key: ExecutionKey,
        *,
        seconds: float,
        attempt: int = 1,
        failure: str | None = None,
        parts: str = "",
    ) -> None:
        """Record an execution, either with evidence or as a failure of the grader.

        Args:
            submission: Id of the submission.
            key: The inputs of the execution.
            seconds: Duration of the execution.
            attempt: Number of the attempt, from 1.
            failure: Description of the grader's own failure; None if the execution ended by itself in any way.
            parts: Parts of the rubric that determined the result, as JSON.

        Raises:
            StorageError: The database cannot be written.
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
        with self.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT OR REPLACE INTO execution VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
            # A new execution invalidates earlier grades.
            connection.execute("DELETE FROM grading WHERE submission = ?", (submission,))

    def needs_execution(self, submission: str, key: ExecutionKey, *, attempt: int = 1) -> bool:
        """Return whether to execute a submission: never executed, executed with other inputs, or failed in the grader.

        Args:
            submission: Id of the submission.
            key: The current inputs of an execution.
            attempt: Number of the attempt, from 1.
        """
        row = next((row for row in self.executions(submission) if row.attempt == attempt), None)
        return row is None or row.status == "failed" or row.key != key

    def executions(self, submission: str | None = None) -> tuple[ExecutionRow, ...]:
        """List executions, of one submission or of all, by id and attempt."""
        query = "SELECT * FROM execution WHERE ? IS NULL OR submission = ? ORDER BY submission, attempt"
        with self.connection() as connection:
            rows = connection.execute(query, (submission, submission)).fetchall()
        # Most texts are the same for nearly all submissions; the parts of the rubric are long.
        shared: dict[str, str] = {}
        known = shared.setdefault
        return tuple(
            ExecutionRow(
                name,
                attempt,
                ExecutionKey(*map(known, key, key)),
                status,
                reason,
                seconds,
                finished,
                known(parts, parts),
            )
            for name, attempt, *key, status, reason, seconds, finished, parts in rows
        )

    def begin_replacing(self, submission: str, key: ExecutionKey, *, attempt: int = 1) -> None:
        """Record that an execution's files are about to replace older ones.

        Until `record_execution` follows, neither the old nor the new files count. If the grader is killed in between,
        the submission is executed again, and no evidence is attributed to another execution.

        Args:
            submission: Id of the submission.
            key: The inputs of the execution.
            attempt: Number of the attempt, from 1.

        Raises:
            StorageError: The database cannot be written.
        """
        interrupted = "the grader was stopped while it stored the evidence"
        self.record_execution(submission, key, seconds=0.0, attempt=attempt, failure=interrupted)

    # --- gradings

    def record_grading(self, grade: Grade, *, basis: str = "") -> None:
        """Record a grading, either with a result or as a failure of the grader.

        Args:
            grade: The content of `grade.json`.
            basis: Digest of all inputs of the grade and of the files it was written to; see `needs_grading`.

        Raises:
            StorageError: The database cannot be written.
        """
        self.record_gradings([grading_row(grade, basis, self._clock())])

    def record_gradings(self, rows: Sequence[GradingRow]) -> None:
        """Record several gradings in one transaction.

        Raises:
            StorageError: The database cannot be written.
        """
        if not rows:
            return
        with self.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT OR REPLACE INTO grading VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", map(astuple, rows)
            )

    def needs_grading(self, submission: str, rubric: str, basis: str) -> bool:
        """Return whether to grade a submission: no grade since its last execution, another basis, or a failed grading.

        Args:
            submission: Id of the submission.
            rubric: The rubric's id.
            basis: The current basis, computed like that of `record_grading`.
        """
        return not any(
            row.rubric == rubric and row.basis == basis and row.status == "graded" for row in self.gradings(submission)
        )

    def gradings(self, submission: str | None = None) -> tuple[GradingRow, ...]:
        """List gradings, of one submission or of all, by id and rubric."""
        query = "SELECT * FROM grading WHERE ? IS NULL OR submission = ? ORDER BY submission, rubric"
        with self.connection() as connection:
            rows = connection.execute(query, (submission, submission)).fetchall()
        return tuple(GradingRow(*row) for row in rows)

    # --- the status of files

    def record_standings(self, rows: Sequence[StandingRow]) -> None:
        """Record the status of the files of grades in one transaction.

        Raises:
            StorageError: The database cannot be written.
        """
        if not rows:
            return
        with self.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR REPLACE INTO standing VALUES (?, ?, ?, ?, ?, ?, ?)", map(astuple, rows))

    def standings(self, rubric: str, first: str, last: str) -> Iterator[StandingRow]:
        """List the rows of a rubric that belong to its last gradings, one after the other, by id.

        Args:
            rubric: The rubric's id.
            first: The first submission.
            last: The last submission.
        """
        query = (
            "SELECT s.* FROM standing AS s JOIN grading AS g USING (submission, rubric) "
            "WHERE submission BETWEEN ? AND ? AND rubric = ? AND g.basis = s.basis AND g.status = 'graded' "
            "ORDER BY submission"
        )
        with self.connection() as connection:
            for row in connection.execute(query, (first, last, rubric)):
                yield StandingRow(*row)

    def pages_standing(self, rubric: str) -> StandingRow | None:
        """Return the row of the pages of the class, whose submission is empty; None if there is none."""
        query = "SELECT * FROM standing WHERE submission = '' AND rubric = ?"
        with self.connection() as connection:
            row = connection.execute(query, (rubric,)).fetchone()
        return None if row is None else StandingRow(*row)

    # --- transfer between databases

    def rows_of(self, submission: str) -> Rows:
        """Return all rows of a submission, for `replace_rows` of another database."""
        with self.connection() as connection:
            return {
                table: connection.execute(f"SELECT * FROM {table} WHERE submission = ?", (submission,)).fetchall()  # noqa: S608 - names from the schema above
                for table in _tables(connection)
            }

    def replace_rows(self, submission: str, rows: Rows) -> None:
        """Replace all rows of a submission by those from another database of the same version.

        Args:
            submission: Id of the submission.
            rows: Result of `rows_of`.

        Raises:
            StorageError: The database cannot be written; nothing was changed.
        """
        with self.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            for table in _tables(connection):
                connection.execute(f"DELETE FROM {table} WHERE submission = ?", (submission,))  # noqa: S608 - as above
                for row in rows.get(table, ()):
                    places = ", ".join("?" * len(row))
                    connection.execute(f"INSERT INTO {table} VALUES ({places})", row)  # noqa: S608 - as above


def _log_ahead(connection: sqlite3.Connection, *, until: float) -> None:
    """Turn on SQLite's write-ahead log, a setting stored in the file.

    SQLite reports "busy" for this change immediately, regardless of the connection's timeout, if another process makes
    the same change to a new file.
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
    """List the tables with a `submission` column."""
    query = (
        "SELECT t.name FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c "
        "WHERE t.type = 'table' AND c.name = 'submission' ORDER BY t.name"
    )
    return [str(row[0]) for row in connection.execute(query)]

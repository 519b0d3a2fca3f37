"""Export a results folder: read its grades and evidence, and put the files of a format in their place."""

import csv
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from grader.delivery.data_schema import SCHEMA_FILE
from grader.delivery.data_tables import Cells, first_rows, students_cells
from grader.delivery.export import Export, Format, Record
from grader.delivery.format_registry import all_formats
from grader.delivery.pseudonyms import Pseudonyms
from grader.facts.nearest import suggestion
from grader.report.csvfile import unguarded
from grader.schema.data import STUDENTS, Personal, StudentRow
from grader.schema.errors import ArtefactError, SubmissionPathError, UsageError
from grader.schema.evidence import Evidence
from grader.store.files import writing
from grader.store.results import ResultsFolder
from grader.store.secret_key import secret_key

__all__ = [
    "EXPORTS",
    "KEY_FILE",
    "ClassExport",
    "Damage",
    "ExportOptions",
    "export_class",
    "preview_of_table",
    "refuse_foreign",
    "staging",
]

EXPORTS = "export"
"""Folder of a results folder that contains a folder for each exported format."""
KEY_FILE = "pseudonyms.key"
"""File of a results folder with the key of its pseudonyms."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Options of an export."""

    format: Format
    target: Path | None = None
    """A folder, or a file with the format's suffix for one table; None for a folder in the results folder."""
    tables: tuple[str, ...] = ()
    """Names of tables; empty for all, or for the format's first one if the target is a file."""
    anonymous: bool = False
    """Whether people and submissions get pseudonyms."""
    key: Path | None = None
    """File with the key of the pseudonyms; None for the one of the results folder."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A submission whose grade or evidence could not be read."""

    submission: str
    reason: str


@dataclass(frozen=True, slots=True)
class ClassExport:
    """The result of an export."""

    target: Path
    submissions: int
    rows: dict[str, int]
    """Number of rows by name of the table."""
    damaged: tuple[Damage, ...] = ()


@dataclass(slots=True)
class _Reader:
    """Reads the submissions of a results folder, one at a time, and remembers the damaged ones."""

    out: ResultsFolder
    names: list[str]
    listener: Callable[[int, int], None]
    damaged: list[Damage] = field(default_factory=list)

    def __iter__(self) -> Iterator[Record]:
        for done, name in enumerate(self.names, 1):
            yield self._record(name)
            self.listener(done, len(self.names))

    def _record(self, name: str) -> Record:
        try:
            grade, problem = self.out.read_grade(name), ""
            if grade is None:
                problem = "there is no grade.json"
        except ArtefactError as error:
            grade, problem = None, error.message
        if problem:
            self.damaged.append(Damage(name, problem))
        return Record(name, grade, problem, lambda: self._evidence(name))

    def _evidence(self, name: str) -> Evidence | None:
        try:
            return self.out.read_evidence(name)
        except ArtefactError as error:
            self.damaged.append(Damage(name, f"evidence: {error.message}"))
            raise


def export_class(
    out: ResultsFolder, options: ExportOptions, listener: Callable[[int, int], None] = lambda _done, _all: None
) -> ClassExport:
    """Export a results folder.

    Files of an earlier export are replaced when all new ones are complete. A submission that cannot be read is listed
    in the result; it does not stop the export.

    Args:
        out: The results folder.
        options: Options.
        listener: Called with the number of finished submissions and the total.

    Raises:
        SubmissionPathError: The folder has no results.
        UsageError: An option is wrong, or a package is missing.
        StorageError: The files cannot be written.
    """
    one, tables = _choice(options)
    options.format.require()
    names = list(out.submissions())
    if not names:
        msg = "the folder has no results"
        raise SubmissionPathError(
            msg, where=str(out.root), advice="give the `--out` folder of a `grader grade` command"
        )
    target = options.target or out.root / EXPORTS / options.format.name
    if not one:
        refuse_foreign(target, SCHEMA_FILE)
    pseudonyms = None
    if options.anonymous:
        known = Pseudonyms(secret_key(options.key or out.root / KEY_FILE))
        names.sort(key=lambda name: known.of(Personal.SUBMISSION, name))
        pseudonyms = known
    reader = _Reader(out, names, listener)
    with staging(target) as folder, writing(folder):
        wanted = Export(out.root, folder, tables, pseudonyms, _students(out, names))
        exported = options.format.write(reader, wanted)
        _adopt(folder, target, f"{tables[0]}{options.format.suffix}" if one else None)
    return ClassExport(target, len(names), exported.rows, tuple(reader.damaged))


def preview_of_table(out: ResultsFolder, table: str, number: int = 10, *, most: int = 100) -> list[Cells]:
    """Return the first rows of a table of data.

    Args:
        out: The results folder.
        table: Name of the table.
        number: Number of rows.
        most: Largest number of submissions to read.
    """
    names = list(out.submissions())[:most]
    if table == STUDENTS:
        return students_cells(_students(out, names))[:number]
    return first_rows(_Reader(out, names, lambda _done, _all: None), table, number)


def _students(out: ResultsFolder, submissions: Sequence[str]) -> tuple[StudentRow, ...]:
    """Read the students of the roster from `grades.csv`, which has one row for each of them; none without a roster."""
    rubric = next((known for name in submissions if (known := out.rubric_id(name)) is not None), None)
    try:
        with (out.root / "grades.csv").open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            if "student_id" not in (rows.fieldnames or ()):
                return ()
            table = [{key: unguarded(value or "") for key, value in row.items() if key is not None} for row in rows]
    except (OSError, ValueError, csv.Error):
        return ()
    return tuple(_student(row, rubric) for row in table if row["student_id"] or row["name"] or row["email"])


def _student(row: Mapping[str, str], rubric: str | None) -> StudentRow:
    return StudentRow(
        rubric=rubric,
        submission=row["id"] or None,
        student=row["student_id"] or row["name"] or row["email"],
        name=row["name"] or None,
        email=row["email"] or None,
        section=row.get("section") or None,
        group=row.get("group") or None,
        status="excused" if row.get("excused") else row["status"],
    )


def _choice(options: ExportOptions) -> tuple[bool, tuple[str, ...]]:
    """Return whether a single file is wanted, and the tables.

    Raises:
        UsageError: A table is unknown, or the file has another format's suffix.
    """
    chosen = options.format
    for table in options.tables:
        if table not in chosen.tables:
            msg = f"the format {chosen.name} has no table {table!r}{suggestion(table, chosen.tables)}"
            raise UsageError(msg, where="--table")
    suffix = options.target.suffix if options.target is not None else ""
    if suffix != chosen.suffix:
        if suffix in {one.suffix for one in all_formats().values()}:
            msg = f"{suffix} is not the suffix of the format {chosen.name}"
            raise UsageError(msg, where=f"--out {options.target}", advice=f"use {chosen.suffix}, or name a folder")
        return False, options.tables
    if len(options.tables) > 1:
        msg = "a file can have only one table"
        raise UsageError(msg, where=f"--out {options.target}", advice="give one `--table`, or name a folder")
    return True, options.tables or chosen.tables[:1]


def refuse_foreign(target: Path, sign: str) -> None:
    """Refuse to write into a folder with other files.

    Args:
        target: The folder of an export.
        sign: The file that every export of this kind writes into its folder.

    Raises:
        UsageError: The target is a file, or a folder that no export has written.
    """
    if target.exists() and not target.is_dir():
        msg = "there is a file with this name"
        raise UsageError(msg, where=f"--out {target}", advice="name a folder")
    if target.is_dir() and any(target.iterdir()) and not (target / sign).is_file():
        msg = "the folder has other files"
        raise UsageError(msg, where=f"--out {target}", advice="name a new folder, or one of an earlier export")


@contextmanager
def staging(target: Path) -> Iterator[Path]:
    """Create an empty folder next to the target, and remove it afterwards.

    Raises:
        StorageError: It cannot be created.
    """
    folder = target.parent / f".{target.name}.partial"
    with writing(folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _adopt(folder: Path, target: Path, only: str | None) -> None:
    """Move finished files into place, and remove tables of an earlier export that this one does not have.

    Args:
        folder: The finished files.
        target: The file or the folder that was asked for.
        only: The single file to keep; None for all.
    """
    if only is not None:
        (folder / only).replace(target)
        return
    target.mkdir(parents=True, exist_ok=True)
    finished = sorted(folder.iterdir())
    names = {path.name for path in finished}
    suffixes = {path.suffix for path in finished}
    for old in list(target.iterdir()):
        if old.suffix in suffixes and old.name not in names:
            old.unlink()
    for path in finished:
        path.replace(target / path.name)

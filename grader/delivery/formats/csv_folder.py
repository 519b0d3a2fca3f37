"""The format `csv`: the tables of data as CSV files, and the table of grades for spreadsheets."""

import csv
import shutil
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from grader.delivery.data_schema import columns_of
from grader.delivery.data_tables import Cells, write_tables
from grader.delivery.export import Export, Exported, Format, Record
from grader.report.csvfile import guarded
from grader.schema.data import TABLES, DataRow
from grader.schema.errors import UsageError
from grader.schema.judgement import moment_text

__all__ = ["FORMAT", "GRADES"]

GRADES = "grades"
"""Name of the table of grades, one row for each submission with its points."""
_SUFFIX = ".csv"


class _CsvTable:
    """Writes a table as CSV: RFC 4180 with a heading, UTF-8, empty fields for missing values."""

    def __init__(self, path: Path, columns: Iterable[str]) -> None:
        self._file = path.open("w", encoding="utf-8", errors="replace", newline="")
        self._writer = csv.writer(self._file, lineterminator="\r\n")
        self._writer.writerow(columns)

    def add(self, rows: list[Cells]) -> None:
        self._writer.writerows([_field(value) for value in row] for row in rows)

    def close(self) -> None:
        self._file.close()


def _field(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return moment_text(value)
    return guarded(value) if isinstance(value, str) else value


def _open(path: Path, _name: str, row: type[DataRow]) -> _CsvTable:
    return _CsvTable(path, [column.name for column in columns_of(row)])


def _write(records: Iterable[Record], export: Export) -> Exported:
    if export.pseudonyms is not None and GRADES in export.tables:
        msg = f"the table {GRADES!r} names students"
        raise UsageError(msg, where="--anonymous", advice="choose other tables, such as `--table criteria`")
    counts: dict[str, int] = {}
    if GRADES in export.tables or not export.tables:
        counts |= _copy_grades(export)
    if export.tables != (GRADES,):
        counts |= write_tables(records, export, _SUFFIX, _open)
    return Exported(counts)


def _copy_grades(export: Export) -> dict[str, int]:
    """Copy `grades.csv`, which is always current; an anonymous export has no such table."""
    if export.pseudonyms is not None:
        return {}
    source, target = export.results / f"{GRADES}{_SUFFIX}", export.target / f"{GRADES}{_SUFFIX}"
    if not source.is_file():
        msg = "the folder has no grades.csv"
        raise UsageError(msg, where=str(export.results), advice="run `grader report DIR`, which writes it")
    shutil.copyfile(source, target)
    with target.open(encoding="utf-8", newline="") as file:
        return {GRADES: sum(1 for _ in csv.reader(file)) - 1}


FORMAT = Format(
    name="csv",
    title="the table of grades and the tables of data as CSV files",
    suffix=_SUFFIX,
    tables=(GRADES, *TABLES),
    require=lambda: None,
    write=_write,
)

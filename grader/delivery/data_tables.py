"""Write the tables of data with any kind of file, one submission after another."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from grader.delivery.data_rows import EvidenceState, rows_of, unreadable_row
from grader.delivery.data_schema import SCHEMA_FILE, Column, columns_of, schema_document
from grader.delivery.export import Export, Record
from grader.delivery.pseudonyms import Pseudonyms
from grader.schema.data import FACTS, STUDENTS, TABLES, CriterionRow, DataRow, FactRow, Personal, StudentRow
from grader.schema.errors import ArtefactError
from grader.schema.grade import Grade
from grader.schema.judgement import moment_text

__all__ = ["Cells", "TableWriter", "facts_of", "first_rows", "rows_of_record", "students_cells", "write_tables"]

Cells: TypeAlias = tuple[Any, ...]
"""The values of a row, in the order of the columns."""


class TableWriter(Protocol):
    """Writes one table."""

    def add(self, rows: list[Cells]) -> None:
        """Write rows."""

    def close(self) -> None:
        """Write the end of the file."""


_NAMES: Mapping[type[DataRow], str] = {row: name for name, row in TABLES.items()}


def write_tables(
    records: Iterable[Record],
    export: Export,
    suffix: str,
    open_table: Callable[[Path, str, type[DataRow]], TableWriter],
) -> dict[str, int]:
    """Write tables and `schema.json`; memory does not grow with the class.

    Args:
        records: The submissions.
        export: What to write, and where.
        suffix: Suffix of the files.
        open_table: Opens a writer: path of the file, name of the table, document of its rows.

    Returns:
        Number of rows by name of the table.
    """
    names = tuple(name for name in TABLES if not export.tables or name in export.tables)
    counts = dict.fromkeys(names, 0)
    with ExitStack() as stack:
        writers: dict[str, TableWriter] = {}
        for name in names:
            writers[name] = open_table(export.target / f"{name}{suffix}", name, TABLES[name])
            stack.callback(writers[name].close)
        if (students := students_cells(export.students, export.pseudonyms)) and STUDENTS in writers:
            writers[STUDENTS].add(students)
            counts[STUDENTS] = len(students)
        for record in records:
            for name, rows in _tables_of(record, export.pseudonyms, with_facts=FACTS in writers).items():
                if name in writers and rows:
                    writers[name].add(rows)
                    counts[name] += len(rows)
    document = schema_document(names, suffix=suffix, anonymous=export.pseudonyms is not None)
    (export.target / SCHEMA_FILE).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return counts


def students_cells(students: Iterable[StudentRow], pseudonyms: Pseudonyms | None = None) -> list[Cells]:
    """Return the rows of the table of students; rows with pseudonyms are sorted by them.

    Args:
        students: The students, in the order of the roster.
        pseudonyms: Replaces people and submissions; None to name them.
    """
    place = [column.name for column in columns_of(StudentRow)].index("student")
    rows = [_cells(student, pseudonyms) for student in students]
    return rows if pseudonyms is None else sorted(rows, key=lambda row: str(row[place]))


def first_rows(records: Iterable[Record], table: str, number: int, pseudonyms: Pseudonyms | None = None) -> list[Cells]:
    """Return the first rows of a table, without reading more submissions than needed.

    Args:
        records: The submissions.
        table: Name of the table.
        number: Number of rows.
        pseudonyms: Replaces people and submissions; None to name them.
    """
    rows: list[Cells] = []
    for record in records:
        rows += _tables_of(record, pseudonyms, with_facts=table == FACTS).get(table, [])
        if len(rows) >= number:
            break
    return rows[:number]


def _tables_of(record: Record, pseudonyms: Pseudonyms | None, *, with_facts: bool) -> dict[str, list[Cells]]:
    """Return the rows of each table for one submission."""
    tables: dict[str, list[Cells]] = {}
    long: list[Cells] = []
    for row in rows_of_record(record):
        cells = _cells(row, pseudonyms)
        tables.setdefault(_NAMES[type(row)], []).append(cells)
        if with_facts:
            long.extend(facts_of(type(row), cells))
            if isinstance(row, CriterionRow) and record.grade is not None:
                long.extend(_measured(record.grade, row, cells[1], named=pseudonyms is None))
    tables[FACTS] = long
    return tables


def rows_of_record(record: Record) -> Iterator[DataRow]:
    """List the rows of a submission, also if its grade or its evidence is damaged."""
    if record.grade is None:
        yield unreadable_row(record.submission, record.problem)
        return
    state: EvidenceState
    try:
        evidence, problem = record.read_evidence(), ""
        state = "missing" if evidence is None else "complete"
    except ArtefactError as error:
        evidence, state, problem = None, "unreadable", error.message
    yield from rows_of(record.grade, evidence, state, problem)


def _cells(row: DataRow, pseudonyms: Pseudonyms | None) -> Cells:
    """Return the values of a row, with pseudonyms if there are any."""
    columns = columns_of(type(row))
    values = (getattr(row, column.name) for column in columns)
    if pseudonyms is None:
        return tuple(values)
    return tuple(_hidden(column, value, pseudonyms) for column, value in zip(columns, values, strict=True))


def _hidden(column: Column, value: Any, pseudonyms: Pseudonyms) -> Any:
    if column.personal is None or value is None:
        return value
    return None if column.personal is Personal.WORDS else pseudonyms.of(column.personal, value)


# --- the long table ----------------------------------------------------------------------------------------------


def facts_of(row: type[DataRow], cells: Cells) -> Iterator[Cells]:
    """List the facts of a row: one for each column that has a value and identifies nothing.

    Args:
        row: The document of the row.
        cells: The values of the row.
    """
    if not row.long:
        return
    columns = columns_of(row)
    values = {column.name: value for column, value in zip(columns, cells, strict=True)}
    item = "/".join(str(values[name]) for name in row.key) or None
    about = {"rubric": values["rubric"], "item": item, "model": values.get("model"), "cell": values.get("cell")}
    assurance = values.get("assurance", row.assured)
    for column in columns:
        if column.name in {*row.labels, *row.key} or values[column.name] is None:
            continue
        yield _fact(
            values["submission"], _NAMES[row], column.name, values[column.name], column.unit, assurance, **about
        )


def _measured(grade: Grade, row: CriterionRow, submission: str, *, named: bool) -> Iterator[Cells]:
    """List the values that the check of a criterion measured.

    Args:
        grade: The grade.
        row: The row of the criterion.
        submission: The id of the submission, or its pseudonym.
        named: Whether texts are written, which may contain the student's words.
    """
    for name, value in grade.criteria[row.position].measured.items():
        text = _written(value)
        if text is None or (isinstance(text, str) and not named):
            continue
        about = {"rubric": row.rubric, "item": row.criterion, "model": None, "cell": row.cell}
        yield _fact(submission, _NAMES[CriterionRow], f"measured.{name}", text, None, row.assurance, **about)


def _written(value: Any) -> Any:
    """Write a measured value as a number, a truth value or a text; None if it is empty."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return json.dumps(value, ensure_ascii=False, default=str) if value else None


def _fact(  # noqa: PLR0913, PLR0917 - the columns of the long table
    submission: str, kind: str, name: str, value: Any, unit: str | None, assurance: str | None, **about: Any
) -> Cells:
    is_text = isinstance(value, (str, datetime))
    text = moment_text(value) if isinstance(value, datetime) else str(value) if is_text else None
    values = {
        "submission": submission,
        "kind": kind,
        "name": name,
        "number": None if is_text else float(value),
        "text": text,
        "unit": None if is_text else unit,
        "assurance": None if assurance is None else str(assurance),
        **about,
    }
    return tuple(values[column.name] for column in columns_of(FactRow))

"""The format `parquet`: the tables of data as Parquet files, for DuckDB, pandas and R."""

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from grader.delivery.data_schema import Column, columns_of, paragraph
from grader.delivery.data_tables import Cells, write_tables
from grader.delivery.export import Export, Exported, Format, Record
from grader.schema.data import DATA_VERSION, FACTS, TABLES, DataRow
from grader.schema.errors import UsageError

__all__ = ["FORMAT"]

_SUFFIX = ".parquet"
_ROWS = 20_000
"""Number of rows in memory of one table, and of a row group of its file."""


class _ParquetTable:
    """Writes a table as Parquet, in groups of rows."""

    def __init__(self, path: Path, name: str, row: type[DataRow]) -> None:
        import pyarrow.parquet as pq  # noqa: PLC0415 - an optional package

        self._schema = _schema(name, row)
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[Cells] = []

    def add(self, rows: list[Cells]) -> None:
        self._rows += rows
        if len(self._rows) >= _ROWS:
            self._flush()

    def close(self) -> None:
        if self._rows:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa  # noqa: PLC0415 - an optional package

        fields = list(zip(self._schema, zip(*self._rows, strict=True), strict=True))
        arrays = [_array(values, field.type) for field, values in fields]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._rows.clear()


def _array(values: tuple[Any, ...], kind: Any) -> Any:
    """Make the values of a column; lone surrogates, which UTF-8 cannot encode, become question marks."""
    import pyarrow as pa  # noqa: PLC0415 - an optional package

    try:
        return pa.array(values, type=kind)
    except UnicodeEncodeError:
        return pa.array([_encodable(value) for value in values], type=kind)


def _encodable(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value


def _schema(name: str, row: type[DataRow]) -> Any:
    """Make the schema of a file; its metadata has the version and the meanings of the columns."""
    import pyarrow as pa  # noqa: PLC0415 - an optional package

    types = {
        "text": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
    }

    def field(column: Column) -> Any:
        metadata = {"description": column.note, **({"unit": column.unit} if column.unit else {})}
        return pa.field(column.name, types[column.type], nullable=column.nullable, metadata=metadata)

    metadata = {"grader.version": str(DATA_VERSION), "grader.table": name, "description": paragraph(row.__doc__ or "")}
    return pa.schema([field(column) for column in columns_of(row)], metadata=metadata)


def _require() -> None:
    try:
        importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        msg = "Parquet files need the package pyarrow"
        raise UsageError(
            msg, where="--to parquet", advice="run `pip install 'cnn-grader[data]'`, or use `--to csv`"
        ) from error


def _write(records: Iterable[Record], export: Export) -> Exported:
    return Exported(write_tables(records, export, _SUFFIX, _ParquetTable))


FORMAT = Format(
    name="parquet",
    title="the tables of data as Parquet files, for DuckDB, pandas and R",
    suffix=_SUFFIX,
    tables=(FACTS, *(name for name in TABLES if name != FACTS)),
    require=_require,
    write=_write,
)
